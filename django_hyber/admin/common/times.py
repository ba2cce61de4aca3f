"""Times as every page of the admin shows them: in the reader's time zone and in the short form of the language.

On read-only pages and in lists, Django writes the name of the month in full. That would differ from the other times of
the same page, and take too much space in a list.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from functools import cache
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import FieldDoesNotExist
from django.db.models import DateTimeField, Model
from django.utils.formats import date_format, time_format
from django.utils.timesince import timesince, timeuntil
from django.utils.timezone import localtime
from django.utils.translation import npgettext_lazy

#: Lengths of time as they are written after "in" or "about": Django's own translations are for one that stands alone.
_PERIODS: dict[str, Any] = {
    "year": npgettext_lazy("in a sentence", "%(num)d year", "%(num)d years", "num"),
    "month": npgettext_lazy("in a sentence", "%(num)d month", "%(num)d months", "num"),
    "week": npgettext_lazy("in a sentence", "%(num)d week", "%(num)d weeks", "num"),
    "day": npgettext_lazy("in a sentence", "%(num)d day", "%(num)d days", "num"),
    "hour": npgettext_lazy("in a sentence", "%(num)d hour", "%(num)d hours", "num"),
    "minute": npgettext_lazy("in a sentence", "%(num)d minute", "%(num)d minutes", "num"),
}
#: Shown for an empty value; read-only pages would write None.
EMPTY = "–"


def short_time(moment: datetime | None) -> str:
    """Return a time as the pages show it, or a dash for none."""
    return _without_stops(date_format(localtime(moment), "SHORT_DATETIME_FORMAT")) if moment else EMPTY


def clock_time(moment: time) -> str:
    """Return a time of day as the pages show it."""
    return _without_stops(time_format(moment, "TIME_FORMAT"))


def _without_stops(text: str) -> str:
    # "a.m." at the end of a sentence would give it a second full stop.
    return text.replace("a.m.", "am").replace("p.m.", "pm")


def time_until(moment: datetime, now: datetime) -> str:
    """Return how long it is until a moment, as in "2 days, 3 hours"."""
    return timeuntil(moment, now, time_strings=_PERIODS)


def time_since(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment was."""
    return timesince(moment, now, time_strings=_PERIODS)


def with_short_times(model: type[Model], names: Any) -> tuple[Any, ...]:
    """Replace the names of times among those of columns or fields by functions that return them in the short form.

    Fields that share a line are a tuple within ``names``.
    """
    return tuple(
        with_short_times(model, name) if isinstance(name, tuple | list) else _short(model, name) for name in names
    )


def shorten_times(form: AdminForm, model: type[Model]) -> None:
    """Make a form show its read-only times in the short form. Call it before the form is rendered."""
    read_only = with_short_times(model, form.readonly_fields)
    shortened = {name: shown for name, shown in zip(form.readonly_fields, read_only, strict=True) if name != shown}
    form.readonly_fields = read_only
    form.fieldsets = [
        (title, {**options, "fields": _replaced(options["fields"], shortened)}) for title, options in form.fieldsets
    ]


def _replaced(names: Any, replacements: dict[Any, Any]) -> list[Any]:
    return [
        _replaced(name, replacements) if isinstance(name, tuple | list) else replacements.get(name, name)
        for name in names
    ]


def _short(model: type[Model], name: Any) -> Any:
    try:
        field = model._meta.get_field(name) if isinstance(name, str) else None
    except FieldDoesNotExist:
        return name
    return _shortener(field) if isinstance(field, DateTimeField) else name


@cache
def _shortener(field: Any) -> Callable[[Model], str]:
    @admin.display(description=field.verbose_name, ordering=field.name)
    def shown(row: Model) -> str:
        return short_time(getattr(row, field.name))

    # The admin takes the CSS class of the column and the help text from the name.
    shown.__name__ = field.name
    return shown

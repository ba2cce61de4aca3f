"""A time by the clock on the wall: which zone it is in, how far it is away, and what no clock ever shows."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

SECOND = timedelta(seconds=1)


class ClockTimeWidget(AdminSplitDateTime):
    """The admin's inputs for date and time, each with a label that belongs to it."""

    template_name = "admin/django_hyber/campaign/clock_time.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Pair the labels with their inputs."""
        context: dict[str, Any] = super().get_context(name, value, attrs)
        labels = (context["date_label"], context["time_label"])
        context["widget"]["labelled"] = list(zip(labels, context["widget"]["subwidgets"], strict=True))
        return context


class ClockTimeField(forms.SplitDateTimeField):
    """A date and a time in the current time zone.

    On the nights when the clocks change, a time that is skipped or comes twice is refused, and the message says which
    times are possible.
    """

    widget = ClockTimeWidget

    def compress(self, data_list: Any) -> Any:
        """Put date and time together, once they name one moment and no other."""
        if data_list and all(isinstance(item, kind) for item, kind in zip(data_list, (date, time), strict=True)):
            check_clock_time(datetime.combine(*data_list), timezone.get_current_timezone())
        return super().compress(data_list)


def check_clock_time(local: datetime, zone: tzinfo) -> None:
    """Raise ValidationError for a time that the clocks of the zone skip or show twice."""
    first, second = (_offset(local.replace(fold=fold), zone) for fold in (0, 1))
    if first == second:
        return
    change = _moment_of_change(local, first, second, zone)
    if first < second:
        text = _(
            "There is no %(time)s on this day: in %(zone)s the clocks go forward from %(start)s to %(end)s. "
            "Choose a time before %(start)s or from %(end)s on."
        )
        start, end, code = change + first, change + second, "skipped-time"
    else:
        text = _(
            "%(time)s comes twice on this day: in %(zone)s the clocks go back from %(end)s to %(start)s. "
            "Choose a time before %(start)s or from %(end)s on."
        )
        start, end, code = change + second, change + first, "doubled-time"
    params = {"time": _clock(local), "zone": zone_name(zone), "start": _clock(start), "end": _clock(end)}
    raise ValidationError(text, code=code, params=params)


def zone_name(zone: tzinfo | None = None) -> str:
    """Return the name of the time zone in which people see and type times."""
    return str(zone or timezone.get_current_timezone())


def described_moment(moment: datetime) -> str:
    """Return a time with its zone and how far it is away, as in "May 2, noon Europe/Kyiv (UTC+03:00), in 2 days"."""
    local = timezone.localtime(moment)
    offset = local.strftime("%z")
    params = {
        "time": date_format(local, "DATETIME_FORMAT"),
        "zone": zone_name(),
        "offset": f"{offset[:3]}:{offset[3:5]}",
        "distance": distance_from_now(moment),
    }
    return gettext("%(time)s %(zone)s (UTC%(offset)s), %(distance)s") % params


def distance_from_now(moment: datetime) -> str:
    """Return how far a moment is away, as in "in 2 days, 3 hours" or "5 minutes ago"."""
    now = timezone.now()
    if moment > now:
        return gettext("in %(distance)s") % {"distance": timeuntil(moment, now)}
    return gettext("%(distance)s ago") % {"distance": timesince(moment, now)}


def _moment_of_change(local: datetime, first: timedelta, second: timedelta, zone: tzinfo) -> datetime:
    """Return the moment (UTC, without a zone) at which the clocks change, by halving the time around it."""
    early, late = sorted((local - first, local - second))
    before = _offset_at(early - SECOND, zone)
    early -= SECOND
    while late - early > SECOND:
        middle = early + timedelta(seconds=(late - early) // SECOND // 2)
        if _offset_at(middle, zone) == before:
            early = middle
        else:
            late = middle
    return late


def _offset(local: datetime, zone: tzinfo) -> timedelta:
    return local.replace(tzinfo=zone).utcoffset() or timedelta()


def _offset_at(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta()


def _clock(moment: datetime) -> str:
    # As the field beside it is filled in, whatever the reader's language.
    return f"{moment:%H:%M}"

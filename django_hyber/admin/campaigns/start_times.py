"""A time by the clock on the wall: which zone it is in, how far away it is, and which times no clock shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


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
    """A date and a time in the current time zone. A time that the clocks skip or show twice is refused."""

    widget = ClockTimeWidget

    def compress(self, data_list: Any) -> Any:
        """Say in the reader's language what Django has found: its own sentence is not translated everywhere."""
        try:
            return super().compress(data_list)
        except ValidationError as error:
            if error.code != "ambiguous_timezone":
                raise
            text = _("In %(zone)s the clocks change that day: this time does not exist or comes twice. Choose another.")
            raise ValidationError(text, code=error.code, params={"zone": zone_name()}) from None


def zone_name() -> str:
    """Return the name of the time zone in which people see and type times."""
    return str(timezone.get_current_timezone())


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

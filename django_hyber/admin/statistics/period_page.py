"""The figures of an account within a period: what its campaigns and single messages came to, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_hyber.admin.common.desk import Desk
from django_hyber.admin.statistics.table import statistics_table
from django_hyber.conf import DEFAULT_ACCOUNT, account_names
from django_hyber.services import account_statistics
from django_hyber.statistics.progress import tracked_channels_of

DEFAULT_DAYS = 30
#: A longer period would take longer to count than somebody waits for a page.
MOST_DAYS = 366


#: Others are slips, such as the year 0026, and the first and the last days of the calendar do not exist in every zone.
POSSIBLE = (MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2100, 1, 1)))
#: The browser's own calendar.
DAY = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


class PeriodForm(forms.Form):
    """An account and a period, both days included."""

    field_order = ("account", "since", "until")
    since = forms.DateField(label=gettext_lazy("From"), widget=DAY, validators=POSSIBLE)
    until = forms.DateField(label=gettext_lazy("To, inclusive"), widget=DAY, validators=POSSIBLE)

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        self.fields["account"] = forms.ChoiceField(
            label=gettext_lazy("Account"), choices=[(name, name) for name in account_names()]
        )
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        """Require a period that ends after it begins, and that is not too long."""
        found: dict[str, Any] = super().clean() or {}
        since, until = found.get("since"), found.get("until")
        if since and until and until < since:
            self.add_error("until", _("The last day is before the first one."))
        if since and until and until - since >= timedelta(days=MOST_DAYS):
            self.add_error("until", _("Choose a period of at most %(days)s days.") % {"days": MOST_DAYS})
        return found


def period_view(desk: Desk) -> HttpResponseBase:
    """Show the figures of the chosen account and period, by default of the last 30 days."""
    today = timezone.localdate()
    first = today - timedelta(days=DEFAULT_DAYS - 1)
    names = account_names()
    defaults = {
        "account": DEFAULT_ACCOUNT if DEFAULT_ACCOUNT in names else names[0],
        "since": date_format(first, "Y-m-d"),
        "until": date_format(today, "Y-m-d"),
    }
    form = PeriodForm({**defaults, **desk.request.GET.dict()})
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        account, since, until = (form.cleaned_data[name] for name in ("account", "since", "until"))
        results = account_statistics(account, _midnight(since), _midnight(until + timedelta(days=1)))
        context |= {"results": results, "table": statistics_table(results, tracked_channels_of(account))}
    return desk.render("statistics/period", _("Figures of a period"), **context)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))

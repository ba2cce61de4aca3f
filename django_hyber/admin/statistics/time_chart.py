"""Deliveries and failures of a campaign over time, as a chart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from django_hyber.admin.common import charts
from django_hyber.admin.common.charts import Bar
from django_hyber.admin.common.times import short_time
from django_hyber.models import Campaign
from django_hyber.services import CampaignStatistics
from django_hyber.statistics.timeline import Unit, delivery_timeline


@dataclass(frozen=True, kw_only=True)
class TimeChart:
    """Deliveries and failures over time, with the labels of the axes."""

    bars: list[Bar]
    unit: str
    width: str
    highest: int
    first: str
    last: str


def time_chart(campaign: Campaign, numbers: CampaignStatistics) -> TimeChart | None:
    """Return deliveries and failures by minute, hour, day or month, or None before the first of them."""
    timeline = delivery_timeline(campaign, numbers.first_end, numbers.last_end)
    if timeline is None or not timeline.columns:
        return None
    items = [(_time_label(column.start, timeline.unit), column.delivered, column.failed) for column in timeline.columns]
    return TimeChart(
        bars=charts.columns(items),
        unit=_unit_text(timeline.unit),
        width=str(len(items) * charts.COLUMN),
        highest=max(delivered + failed for _label, delivered, failed in items),
        first=items[0][0],
        last=items[-1][0] if len(items) > 1 else "",
    )


def _time_label(start: datetime, unit: Unit) -> str:
    if unit in ("minute", "hour"):
        return short_time(start)
    return date_format(start, "SHORT_DATE_FORMAT" if unit == "day" else "YEAR_MONTH_FORMAT")


def _unit_text(unit: Unit) -> str:
    texts = {"minute": _("by minute"), "hour": _("by hour"), "day": _("by day"), "month": _("by month")}
    return texts[unit]

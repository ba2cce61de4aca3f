"""How campaigns go: every number is counted from the messages when it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from django_hyber.admin.campaigns.statistics_table import StatisticsTable, channel_label, statistics_table
from django_hyber.admin.campaigns.waits import WaitLine, pace_text, wait_line
from django_hyber.admin.common import charts
from django_hyber.admin.common.base import EMPTY, short_time
from django_hyber.admin.common.charts import BAR_ORDER, Bar, FunnelStage, Piece, Share
from django_hyber.admin.common.jobs import JobLine, job_line
from django_hyber.admin.common.lists import BigTableList
from django_hyber.admin.common.masking import sees_personal_data
from django_hyber.models import Batch, Campaign, Message
from django_hyber.statistics.failures import FailureReason, failure_reasons
from django_hyber.statistics.progress import (
    CampaignNumbers,
    CampaignProgress,
    campaign_progress,
    count_by_status,
)
from django_hyber.statistics.timeline import Unit, delivery_timeline

Status = Message.Status
DELIVERIES = (Status.DELIVERED, Status.SEEN)
SHOWN_BATCHES = 50
#: Seconds between two looks at a campaign that goes on by itself; the page looks less often while nothing changes.
REFRESH = 2
MILESTONE = 10
VIEW_MESSAGE = "django_hyber.view_message"


class FailureLine(NamedTuple):
    """A reason with the address of exactly its messages, if the user may see them."""

    reason: FailureReason
    code: str
    status: str
    share: str
    url: str


@dataclass(frozen=True, kw_only=True)
class TimeChart:
    """Deliveries and failures over time, with what stands below and beside the columns."""

    bars: list[Bar]
    unit: str
    width: str
    highest: int
    first: str
    last: str


@dataclass(frozen=True, kw_only=True)
class ProgressPage:
    """What the page of a launched campaign shows. ``refresh`` is "" once nothing changes any more by itself."""

    numbers: CampaignNumbers
    sent: str
    delivered: str
    statuses: list[Share]
    bar: list[Piece]
    channels: list[Share]
    donut: list[Piece]
    funnel: list[FunnelStage]
    funnel_height: str
    timeline: TimeChart | None
    table: StatisticsTable
    pace: str
    waits: list[WaitLine]
    jobs: list[JobLine]
    failures: list[FailureLine]
    other_failures: int
    batches: list[Batch]
    has_more_batches: bool
    refresh: str
    milestone: str
    summary: str


@dataclass(frozen=True, kw_only=True)
class DraftPage:
    """What the page of a draft tells of its recipients and of work that is being done for it."""

    numbers: CampaignNumbers
    jobs: list[JobLine]
    refresh: str


class CampaignList(BigTableList):
    """The list of campaigns, with the numbers of the campaigns on the page counted in one query."""

    def get_results(self, request: HttpRequest) -> None:
        """Count the recipients of the campaigns that are shown, and of no others."""
        super().get_results(request)
        campaigns = list(self.result_list)
        counts = count_by_status(campaign.pk for campaign in campaigns)
        for campaign in campaigns:
            counted = counts.get(campaign.pk, Counter())
            campaign.recipients = sum(counted.values())
            campaign.delivered = sum(counted.get(status, 0) for status in DELIVERIES)
        self.result_list = campaigns


def draft_page(request: HttpRequest, campaign: Campaign) -> DraftPage:
    """Count the recipients of a draft."""
    progress = campaign_progress(campaign)
    return DraftPage(
        numbers=progress.numbers,
        jobs=[job_line(request, campaign, job) for job in progress.jobs],
        refresh=str(REFRESH) if progress.is_live else "",
    )


def progress_page(request: HttpRequest, campaign: Campaign) -> ProgressPage:
    """Count a campaign and prepare what its page shows of it."""
    now = timezone.now()
    progress = campaign_progress(campaign)
    numbers = progress.numbers
    statuses = _statuses(numbers)
    channels = _channels(campaign, numbers)
    stages = _stages(numbers)
    failures = failure_reasons(campaign, masked=not sees_personal_data(request))
    batches = list(_by_urgency(campaign.batches.all())[: SHOWN_BATCHES + 1])
    sent = charts.percent(numbers.sent, numbers.total)
    delivered = charts.percent(numbers.delivered, numbers.total)
    return ProgressPage(
        numbers=numbers,
        sent=sent,
        delivered=delivered,
        statuses=statuses,
        bar=charts.stacked_bar(statuses),
        channels=channels,
        donut=charts.donut(channels),
        funnel=charts.funnel(stages),
        funnel_height=str(len(stages) * charts.FUNNEL_STEP),
        timeline=time_chart(campaign, numbers),
        table=statistics_table(progress.statistics),
        pace=pace_text(progress.pace),
        waits=[wait_line(campaign, wait, now) for wait in progress.waits],
        jobs=[job_line(request, campaign, job) for job in progress.jobs],
        failures=[_failure_line(request, campaign, reason, numbers.total) for reason in failures.reasons],
        other_failures=failures.others,
        batches=batches[:SHOWN_BATCHES],
        has_more_batches=len(batches) > SHOWN_BATCHES,
        refresh=str(REFRESH) if progress.is_live else "",
        milestone=_milestone(campaign, progress),
        summary=_("%(status)s. Sent: %(sent)s. Delivered: %(delivered)s.")
        % {"status": campaign.get_status_display(), "sent": sent, "delivered": delivered},
    )


def messages_url(campaign: Campaign, **conditions: object) -> str:
    """Return the address of the list of a campaign's messages that meet these conditions."""
    query = {"campaign": campaign.pk, **conditions}
    return f"{reverse('admin:django_hyber_message_changelist')}?{urlencode(query)}"


def time_chart(campaign: Campaign, numbers: CampaignNumbers) -> TimeChart | None:
    """Return deliveries and failures by minute, hour, day or month, or None before anything has ended."""
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


def _statuses(numbers: CampaignNumbers) -> list[Share]:
    items = ((status, Status(status).label, numbers.statuses[status]) for status in BAR_ORDER)
    return charts.shares(items, numbers.total)


def _channels(campaign: Campaign, numbers: CampaignNumbers) -> list[Share]:
    """Return who delivered: the campaign's channels in their order, then any others."""
    own = [channel.channel for channel in campaign.channels.all()]
    names = dict.fromkeys([*own, *sorted(numbers.channels)])
    items = ((name, channel_label(name), numbers.channels.get(name, 0)) for name in names)
    return charts.shares(items, numbers.delivered)


def _stages(numbers: CampaignNumbers) -> list[tuple[str, object, int]]:
    stages: list[tuple[str, object, int]] = [
        ("queued", _("Recipients"), numbers.total),
        ("accepted", _("Accepted"), numbers.accepted),
        ("delivered", _("Delivered"), numbers.delivered),
        ("seen", _("Seen"), numbers.seen),
    ]
    return stages if numbers.clicked is None else [*stages, ("clicked", _("Clicked"), numbers.clicked)]


def _failure_line(request: HttpRequest, campaign: Campaign, reason: FailureReason, total: int) -> FailureLine:
    conditions: Mapping[str, object] = {"status__exact": reason.status, "error_code__exact": reason.code}
    if reason.code is None:
        conditions = {"status__exact": reason.status, "error_code__isnull": True, "error_text__exact": reason.text}
    # By a text, which may hold a number, nobody filters who may not see numbers.
    may_filter = reason.code is not None or sees_personal_data(request)
    url = messages_url(campaign, **conditions) if may_filter and request.user.has_perm(VIEW_MESSAGE) else ""
    code = EMPTY if reason.code is None else str(reason.code)
    return FailureLine(reason, code, str(Status(reason.status).label), charts.percent(reason.count, total), url)


def _by_urgency(batches: QuerySet[Batch]) -> QuerySet[Batch]:
    return batches.annotate(is_done=Q(state=Batch.State.DONE)).order_by("is_done", "pk")


def _milestone(campaign: Campaign, progress: CampaignProgress) -> str:
    """Return what has to change for a screen reader to be told: not every number of every second."""
    numbers = progress.numbers
    tenths = [MILESTONE * count // numbers.total if numbers.total else 0 for count in (numbers.sent, numbers.delivered)]
    return ":".join(map(str, (campaign.status, *tenths)))


def _time_label(start: datetime, unit: Unit) -> str:
    if unit in ("minute", "hour"):
        return short_time(start)
    return date_format(start, "SHORT_DATE_FORMAT" if unit == "day" else "YEAR_MONTH_FORMAT")


def _unit_text(unit: Unit) -> str:
    texts = {"minute": _("by minute"), "hour": _("by hour"), "day": _("by day"), "month": _("by month")}
    return texts[unit]

"""The progress of campaigns: every number is counted from the messages on request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.campaigns.wait_texts import WaitLine, pace_text, wait_line
from django_hyber.admin.common import charts
from django_hyber.admin.common.charts import Bar, FunnelStage, Piece, Share
from django_hyber.admin.common.desk import CampaignDesk
from django_hyber.admin.common.jobs import JobLine, job_line
from django_hyber.admin.common.lists import BigTableList
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.times import EMPTY, short_time
from django_hyber.admin.statistics.table import StatisticsTable, channel_label, statistics_table
from django_hyber.campaigns.lifecycle import Verb, is_possible
from django_hyber.models import Batch, Campaign, Message
from django_hyber.services import CampaignStatistics
from django_hyber.statistics.failures import FailureReason, failure_reasons
from django_hyber.statistics.progress import (
    CampaignProgress,
    campaign_progress,
    count_by_status,
    tracked_channels,
)
from django_hyber.statistics.timeline import Unit, delivery_timeline

Status = Message.Status
SHOWN_BATCHES = 50
#: Seconds between two polls while a campaign is under way; the page polls less often while nothing changes.
REFRESH = 2
MILESTONE = 10
VIEW_MESSAGE = "django_hyber.view_message"


class FailureLine(NamedTuple):
    """A reason for failure, with the address of its messages if the user may see them."""

    reason: FailureReason
    text: str
    code: str
    status: str
    share: str
    url: str


@dataclass(frozen=True, kw_only=True)
class TimeChart:
    """Deliveries and failures over time, with the labels of the axes."""

    bars: list[Bar]
    unit: str
    width: str
    highest: int
    first: str
    last: str


@dataclass(frozen=True, kw_only=True)
class DraftPage:
    """What the page of a draft shows: its recipients and background jobs."""

    progress: CampaignProgress
    jobs: list[JobLine]

    @property
    def numbers(self) -> CampaignStatistics:
        """The messages, counted."""
        return self.progress.statistics

    @property
    def refresh(self) -> int | None:
        """Seconds until the page polls again; None when nothing can change by itself."""
        return REFRESH if self.progress.is_live else None


@dataclass(frozen=True, kw_only=True)
class ProgressPage(DraftPage):
    """What the page of a launched campaign shows."""

    campaign: Campaign
    timeline: TimeChart | None
    waits: list[WaitLine]
    failures: list[FailureLine]
    other_failures: int
    batches: list[Batch]
    has_more_batches: bool

    @property
    def sent(self) -> str:
        """The share that was handed over to the platform."""
        return charts.percent(self.numbers.sent, self.numbers.total)

    @property
    def can_be_withdrawn(self) -> bool:
        """Whether it can still be a draft again: it waits for its start time, and nothing was sent."""
        return is_possible(self.campaign, Verb.WITHDRAW) and not self.numbers.sent

    @property
    def delivered(self) -> str:
        """The share that was delivered."""
        return charts.percent(self.numbers.delivered, self.numbers.total)

    @property
    def statuses(self) -> list[Share]:
        """The messages by status."""
        items = charts.by_status(self.numbers.statuses)
        return charts.shares(items, self.numbers.total)

    @property
    def bar(self) -> list[Piece]:
        """The statuses as a bar chart."""
        return charts.stacked_bar(self.statuses)

    @cached_property
    def channels(self) -> list[Share]:
        """Which channel delivered: the campaign's own in their order, then any others."""
        own = {channel.channel for channel in self.campaign.channels.all()}
        found = [each for each in self.numbers.channels if each.delivered or each.channel in own]
        items = ((each.channel, channel_label(each.channel), each.delivered) for each in found)
        return charts.shares(items, self.numbers.delivered)

    @property
    def donut(self) -> list[Piece]:
        """The channels as a donut chart."""
        return charts.donut(self.channels)

    @cached_property
    def funnel(self) -> list[FunnelStage]:
        """The funnel from recipient to click. Seen and clicked are both parts of delivered: the larger comes first."""
        numbers = self.numbers
        accepted, delivered = numbers.accepted, numbers.delivered
        last = [("seen", _("Seen"), numbers.seen)] if numbers.reports_seen else []
        last += [("clicked", _("Clicked"), numbers.clicked)] if self.tracked or numbers.clicked else []
        last.sort(key=itemgetter(2), reverse=True)
        of_delivered = _("%(share)s of delivered")
        return charts.funnel(
            [
                ("queued", _("Recipients"), numbers.total, ""),
                ("accepted", _("Accepted"), accepted, ""),
                ("delivered", _("Delivered"), delivered, _of(_("%(share)s of accepted"), delivered, accepted)),
                *((name, label, count, _of(of_delivered, count, delivered)) for name, label, count in last),
            ]
        )

    @cached_property
    def tracked(self) -> set[str]:
        """The channels whose clicks are tracked."""
        return tracked_channels(self.campaign)

    @property
    def reports_seen(self) -> bool:
        """Whether a channel of the campaign reports that a message was seen."""
        return self.numbers.reports_seen

    @property
    def funnel_height(self) -> int:
        """The height of the funnel in pixels."""
        return len(self.funnel) * charts.FUNNEL_STEP

    @property
    def table(self) -> StatisticsTable:
        """The numbers by channel."""
        return statistics_table(self.numbers, self.tracked)

    @property
    def unmatched(self) -> str:
        """A warning about Viber texts that match no approved template, or ""."""
        count = self.numbers.unmatched
        text = ngettext(
            "%(count)s message has a Viber text that matches no approved template. It can cost more, or be refused.",
            "%(count)s messages have a Viber text that matches no approved template. They can cost more, or be "
            "refused.",
            count,
        )
        return text % {"count": grouped(count)} if count else ""

    @property
    def pace(self) -> str:
        """The rate, in words."""
        return pace_text(self.progress.pace)

    @property
    def milestone(self) -> str:
        """A value whose change makes a screen reader announce ``summary``: not each number."""
        numbers = self.numbers
        counts = (numbers.sent, numbers.delivered)
        tenths = [MILESTONE * count // numbers.total if numbers.total else 0 for count in counts]
        return ":".join(map(str, (self.campaign.status, *tenths)))

    @property
    def summary(self) -> str:
        """The announcement for screen readers."""
        text = _("%(status)s. Sent: %(sent)s. Delivered: %(delivered)s.")
        status = self.campaign.get_status_display()
        return text % {"status": status, "sent": self.sent, "delivered": self.delivered}


class CampaignList(BigTableList):
    """The list of campaigns; the numbers of a page are counted in one query."""

    def get_results(self, request: HttpRequest) -> None:
        """Count the recipients of the campaigns on this page only."""
        super().get_results(request)
        campaigns = list(self.result_list)
        counts = count_by_status(campaign.pk for campaign in campaigns)
        for campaign in campaigns:
            campaign.recipients = counts[campaign.pk].total
            campaign.delivered = counts[campaign.pk].delivered
        self.result_list = campaigns


def draft_page(desk: CampaignDesk) -> DraftPage:
    """Count the recipients of a draft."""
    progress = campaign_progress(desk.campaign)
    return DraftPage(progress=progress, jobs=_job_lines(desk, progress))


def progress_page(desk: CampaignDesk) -> ProgressPage:
    """Count a campaign and return what its page shows."""
    campaign, now = desk.campaign, timezone.now()
    progress = campaign_progress(campaign)
    total = progress.statistics.total
    failures = failure_reasons(campaign, masked=not desk.sees_personal_data)
    batches = list(_by_urgency(campaign.batches.all())[: SHOWN_BATCHES + 1])
    return ProgressPage(
        campaign=campaign,
        progress=progress,
        jobs=_job_lines(desk, progress),
        timeline=time_chart(campaign, progress.statistics),
        waits=[wait_line(campaign, wait, now) for wait in progress.waits],
        failures=[_failure_line(desk, reason, total) for reason in failures.reasons],
        other_failures=failures.others,
        batches=batches[:SHOWN_BATCHES],
        has_more_batches=len(batches) > SHOWN_BATCHES,
    )


def _of(text: str, part: int, whole: int) -> str:
    return text % {"share": charts.percent(part, whole)} if whole else ""


def _job_lines(desk: CampaignDesk, progress: CampaignProgress) -> list[JobLine]:
    return [job_line(desk.request, desk.campaign, job) for job in progress.jobs]


def messages_url(campaign: Campaign, **conditions: object) -> str:
    """Return the address of the list of a campaign's messages that meet these conditions."""
    query = {"campaign": campaign.pk, **conditions}
    return f"{reverse('admin:django_hyber_message_changelist')}?{urlencode(query)}"


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


def _failure_line(desk: CampaignDesk, reason: FailureReason, total: int) -> FailureLine:
    conditions: Mapping[str, object] = {"status__exact": reason.status, "error_code__exact": reason.code}
    if reason.code is None:
        conditions = {"status__exact": reason.status, "error_code__isnull": True, "error_text__exact": reason.text}
    # The text may contain a phone number: only users who may see numbers filter by it.
    may_filter = reason.code is not None or desk.sees_personal_data
    may_see = desk.request.user.has_perm(VIEW_MESSAGE)
    url = messages_url(desk.campaign, **conditions) if may_filter and may_see else ""
    code = EMPTY if reason.code is None else str(reason.code)
    status = str(Status(reason.status).label)
    return FailureLine(reason, reason_text(reason), code, status, charts.percent(reason.count, total), url)


def reason_text(reason: FailureReason) -> str:
    """Return why messages failed, in words."""
    return reason.meaning or (_("unknown code") if reason.is_unknown else _("no reason given"))


def _by_urgency(batches: QuerySet[Batch]) -> QuerySet[Batch]:
    return batches.annotate(is_done=Q(state=Batch.State.DONE)).order_by("is_done", "pk")


def _time_label(start: datetime, unit: Unit) -> str:
    if unit in ("minute", "hour"):
        return short_time(start)
    return date_format(start, "SHORT_DATE_FORMAT" if unit == "day" else "YEAR_MONTH_FORMAT")


def _unit_text(unit: Unit) -> str:
    texts = {"minute": _("by minute"), "hour": _("by hour"), "day": _("by day"), "month": _("by month")}
    return texts[unit]

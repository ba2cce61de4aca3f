"""The progress of campaigns: every number is counted from the messages on request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.campaigns.wait_texts import WaitLine, pace_text, wait_line
from django_hyber.admin.common import charts
from django_hyber.admin.common.charts import FunnelStage, Piece, Share
from django_hyber.admin.common.desk import REFRESH, CampaignDesk
from django_hyber.admin.common.jobs import JobLine, job_line
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.statistics.failure_lines import FailureLine, failure_lines
from django_hyber.admin.statistics.table import StatisticsTable, channel_label, statistics_table
from django_hyber.admin.statistics.time_chart import TimeChart, time_chart
from django_hyber.campaigns.lifecycle import Verb, is_possible
from django_hyber.models import Batch, Campaign
from django_hyber.services import CampaignStatistics
from django_hyber.statistics.progress import CampaignProgress, campaign_progress, tracked_channels

SHOWN_BATCHES = 50


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
    batches: Sequence[Batch]
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
        tenths = [charts.full_tenths(count, numbers.total) for count in counts]
        return ":".join(map(str, (self.campaign.status, *tenths)))

    @property
    def summary(self) -> str:
        """The announcement for screen readers."""
        text = _("%(status)s. Sent: %(sent)s. Delivered: %(delivered)s.")
        status = self.campaign.get_status_display()
        return text % {"status": status, "sent": self.sent, "delivered": self.delivered}


def draft_page(desk: CampaignDesk) -> DraftPage:
    """Count the recipients of a draft."""
    progress = campaign_progress(desk.campaign)
    return DraftPage(progress=progress, jobs=_job_lines(desk, progress))


def progress_page(desk: CampaignDesk) -> ProgressPage:
    """Count a campaign and return what its page shows."""
    campaign, now = desk.campaign, timezone.now()
    progress = campaign_progress(campaign)
    total = progress.statistics.total
    failures, other_failures = failure_lines(desk, total)
    unfinished_first = campaign.batches.annotate(is_done=Q(state=Batch.State.DONE)).order_by("is_done", "pk")
    batches = list(unfinished_first[: SHOWN_BATCHES + 1])
    return ProgressPage(
        campaign=campaign,
        progress=progress,
        jobs=_job_lines(desk, progress),
        timeline=time_chart(campaign, progress.statistics),
        waits=[wait_line(campaign, wait, now) for wait in progress.waits],
        failures=failures,
        other_failures=other_failures,
        batches=batches[:SHOWN_BATCHES],
        has_more_batches=len(batches) > SHOWN_BATCHES,
    )


def _of(text: str, part: int, whole: int) -> str:
    return text % {"share": charts.percent(part, whole)} if whole else ""


def _job_lines(desk: CampaignDesk, progress: CampaignProgress) -> list[JobLine]:
    return [job_line(desk, job) for job in progress.jobs]

"""How far a campaign is: numbers counted from its messages, how fast it goes, and what it waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count
from django.utils import timezone

from django_hyber.models import BackgroundJob, Campaign, Message
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE, DELIVERIES, FAILURES
from django_hyber.statistics.counts import (
    CampaignStatistics,
    Counted,
    count_accepted,
    count_messages,
    statistics_of,
)
from django_hyber.statistics.waits import Pace, Standstill, Wait, pace_of, read_batches, waits_of

Status = Message.Status
#: What is still to come, what was left out and what was stopped in time.
NOT_SENT = (*BEFORE_ACCEPTANCE, Status.SUPPRESSED, Status.CANCELLED)
SHOWN_KINDS = (BackgroundJob.Kind.IMPORT, BackgroundJob.Kind.RETRY, BackgroundJob.Kind.EXPORT)
SHOWN_JOBS = 5
JOBS_SHOWN_FOR = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class CampaignNumbers:
    """The messages of a campaign, counted. ``channels`` are deliveries; ``delivered`` includes ``seen``.

    ``clicked`` is None when no channel of the campaign tracks clicks. ``first_end`` and ``last_end`` are when the first
    and the last of what has ended came to its end.
    """

    total: int
    statuses: Mapping[str, int]
    channels: Mapping[str, int]
    accepted: int
    delivered: int
    seen: int
    failed: int
    clicked: int | None
    first_end: datetime | None
    last_end: datetime | None

    @property
    def waiting(self) -> int:
        """How many have not been handed over, as far as is known."""
        return sum(self.statuses[status] for status in BEFORE_ACCEPTANCE)

    @property
    def sent(self) -> int:
        """How many have been handed over, whatever became of them: nobody who was left out, or stopped in time."""
        return self.total - sum(self.statuses[status] for status in NOT_SENT)


@dataclass(frozen=True, kw_only=True)
class CampaignProgress:
    """What the page of a launched campaign tells. ``is_live`` while anything of it may change by itself."""

    numbers: CampaignNumbers
    statistics: CampaignStatistics
    pace: Pace | None
    waits: list[Wait]
    jobs: list[BackgroundJob] = field(default_factory=list)
    is_live: bool


def campaign_progress(campaign: Campaign) -> CampaignProgress:
    """Count a campaign, in a number of queries that does not depend on its size."""
    now = timezone.now()
    counted = count_messages(campaign)
    accepted = count_accepted(campaign, counted)
    numbers = _numbers(campaign, counted, accepted)
    batches = read_batches(campaign, now)
    jobs = recent_jobs(campaign, now)
    waits = waits_of(campaign, batches, numbers.statuses[Status.ACCEPTED], now)
    return CampaignProgress(
        numbers=numbers,
        statistics=statistics_of(campaign, counted, accepted),
        pace=pace_of(campaign, batches, now),
        waits=waits,
        jobs=jobs,
        is_live=_is_live(campaign, waits, jobs),
    )


def count_campaign(campaign: Campaign) -> CampaignNumbers:
    """Count the messages of a campaign; the numbers are those of ``campaign_statistics``."""
    counted = count_messages(campaign)
    return _numbers(campaign, counted, count_accepted(campaign, counted))


def _numbers(campaign: Campaign, counted: Sequence[Counted], accepted: int) -> CampaignNumbers:
    statuses: Counter[str] = Counter()
    channels: Counter[str] = Counter()
    ends: list[datetime] = []
    for row in counted:
        statuses[row.status] += row.messages
        channels[row.channel] += row.messages if row.status in DELIVERIES else 0
        ends += [end for end in (row.first_end, row.last_end) if end and row.status in (*DELIVERIES, *FAILURES)]
    return CampaignNumbers(
        total=statuses.total(),
        statuses={status: statuses[status] for status in Status.values},
        channels=+channels,
        accepted=accepted,
        delivered=channels.total(),
        seen=statuses[Status.SEEN],
        failed=sum(statuses[status] for status in FAILURES),
        clicked=sum(row.clicked for row in counted) if tracks_clicks(campaign) else None,
        first_end=min(ends, default=None),
        last_end=max(ends, default=None),
    )


def count_by_status(campaign_pks: Iterable[int]) -> dict[int, Counter[str]]:
    """Return the messages of each campaign by status, in one query; campaigns without recipients are left out."""
    rows = Message.objects.filter(campaign__in=list(campaign_pks)).order_by().values_list("campaign", "status")
    found: dict[int, Counter[str]] = {}
    for pk, status, count in rows.annotate(count=Count("*")):
        found.setdefault(pk, Counter())[status] = count
    return found


def tracks_clicks(campaign: Campaign) -> bool:
    """Say whether the platform counts clicks for a channel of this campaign."""
    return any(channel.options.get("ctr") for channel in campaign.channels.all())


def recent_jobs(campaign: Campaign | None, now: datetime) -> list[BackgroundJob]:
    """Return the background work that somebody has asked for lately on the page of a campaign, the newest first.

    Without a campaign it is that for the opt-out list.
    """
    jobs = BackgroundJob.objects.filter(campaign=campaign)
    recent = jobs.filter(kind__in=SHOWN_KINDS, created_at__gte=now - JOBS_SHOWN_FOR)
    return list(recent.order_by("-id")[:SHOWN_JOBS])


def _is_live(campaign: Campaign, waits: Iterable[Wait], jobs: Iterable[BackgroundJob]) -> bool:
    if campaign.status in (Campaign.Status.SCHEDULED, Campaign.Status.SENDING):
        return True
    if any(job.is_open for job in jobs):
        return True
    in_flight = (Standstill.ON_THE_WIRE, Standstill.UNCONFIRMED, Standstill.REPORTS)
    return any(wait.standstill in in_flight for wait in waits)

"""The progress of a campaign: numbers counted from its messages, its rate, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count
from django.utils import timezone

from django_hyber.models import BackgroundJob, Campaign, CampaignChannel, Message
from django_hyber.statistics.counts import CampaignStatistics, StatusCounts, campaign_statistics
from django_hyber.statistics.waits import CampaignWait, Pace, Standstill, pace_of, read_batches, waits_of

Status = Message.Status
Kind = BackgroundJob.Kind
SHOWN_KINDS = (Kind.IMPORT, Kind.RETRY, Kind.EXPORT, Kind.REMOVAL, Kind.CANCEL)
SHOWN_JOBS = 5
JOBS_SHOWN_FOR = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class CampaignProgress:
    """The progress of a campaign. ``is_live`` says whether anything may still change by itself."""

    statistics: CampaignStatistics
    pace: Pace | None
    waits: list[CampaignWait]
    jobs: list[BackgroundJob] = field(default_factory=list)
    is_live: bool


def campaign_progress(campaign: Campaign) -> CampaignProgress:
    """Count a campaign, in a number of queries that does not depend on its size."""
    now = timezone.now()
    statistics = campaign_statistics(campaign)
    batches = read_batches(campaign, now)
    jobs = recent_jobs(campaign, now)
    accepted, unconfirmed = (statistics.statuses[status] for status in (Status.ACCEPTED, Status.UNCONFIRMED))
    waits = waits_of(campaign, batches, accepted=accepted, unconfirmed=unconfirmed, now=now)
    return CampaignProgress(
        statistics=statistics,
        pace=pace_of(campaign, batches, now, waits),
        waits=waits,
        jobs=jobs,
        is_live=_is_live(campaign, waits, jobs),
    )


def count_by_status(campaign_pks: Iterable[int]) -> dict[int, StatusCounts]:
    """Return the messages of each campaign by status, in one query."""
    pks = list(campaign_pks)
    rows = Message.objects.filter(campaign__in=pks).order_by().values_list("campaign", "status")
    found: dict[int, dict[str, int]] = {pk: {} for pk in pks}
    for pk, status, count in rows.annotate(count=Count("*")):
        found[pk][status] = count
    return {pk: StatusCounts(statuses=statuses) for pk, statuses in found.items()}


def tracked_channels(campaign: Campaign) -> set[str]:
    """Return the channels of this campaign whose clicks are tracked."""
    return {channel.channel for channel in campaign.channels.all() if channel.options.get("ctr")}


def tracked_channels_of(account: str) -> set[str]:
    """Return the channels whose clicks are tracked by a campaign of the account, in one query."""
    tracked = CampaignChannel.objects.filter(campaign__account=account, options__ctr=True)
    return set(tracked.order_by().values_list("channel", flat=True).distinct())


def recent_jobs(campaign: Campaign | None, now: datetime) -> list[BackgroundJob]:
    """Return the recently requested background jobs of a campaign, the newest first.

    Without a campaign, those of the opt-out list.
    """
    jobs = BackgroundJob.objects.filter(campaign=campaign)
    recent = jobs.filter(kind__in=SHOWN_KINDS, created_at__gte=now - JOBS_SHOWN_FOR)
    # A removal that is not confirmed has a page of its own only while it is being asked.
    recent = recent.exclude(kind=Kind.REMOVAL, state=BackgroundJob.State.UPLOADED)
    return list(recent.order_by("-id")[:SHOWN_JOBS])


def _is_live(campaign: Campaign, waits: Iterable[CampaignWait], jobs: Iterable[BackgroundJob]) -> bool:
    if campaign.status in (Campaign.Status.SCHEDULED, Campaign.Status.SENDING):
        return True
    if any(job.is_open for job in jobs):
        return True
    in_flight = (
        *(Standstill.ON_THE_WIRE, Standstill.UNCONFIRMED, Standstill.REPORTS),
        *(Standstill.BATCHES_TO_DECIDE, Standstill.MESSAGES_TO_DECIDE),
    )
    return any(wait.standstill in in_flight for wait in waits)

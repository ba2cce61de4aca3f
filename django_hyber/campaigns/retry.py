"""Sending failed messages again for a person who has chosen which: once, however often the button is pressed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.core.files import File
from django.db.models import Count, Q, QuerySet

from django_hyber.campaigns.lifecycle import Reason, ended_for, retry_failed, retry_messages
from django_hyber.db.transactions import database, write_transaction
from django_hyber.jobs.background import request_job
from django_hyber.jobs.claims import LONG_LEASE, JobClaim
from django_hyber.jobs.kinds import campaign_of, job_kind, open_source
from django_hyber.models import BackgroundJob, Campaign, MessageQuerySet
from django_hyber.reports.ranks import FAILURES
from django_hyber.sending.runs import retryable

#: From so many recipients on, nobody is kept waiting for it.
IN_BACKGROUND_FROM = 5_000
OPEN_JOBS = (BackgroundJob.State.WAITING, BackgroundJob.State.RUNNING)
HAS_FAILED = Q(status__in=FAILURES)
#: The parameters of a job that say which failures.
CHOICES = ("statuses", "error_codes", "reasons")


class Retried(Enum):
    """What came of it."""

    DONE = "done"
    IN_BACKGROUND = "in background"
    ALREADY = "already"


@dataclass(frozen=True, kw_only=True)
class Selected:
    """The failed ones of chosen messages, in one campaign. Nothing is sent to those who have opted out meanwhile."""

    campaign: Campaign
    failed: int
    opted_out: int

    @property
    def people(self) -> int:
        """How many get a message."""
        return self.failed - self.opted_out


def messages_failed_for(campaign: Campaign, reasons: Sequence[Reason]) -> MessageQuerySet:
    """Return the messages that are sent again for these reasons; purged ones have no number any more."""
    return retryable(campaign, ended_for(reasons), database())


def count_opted_out(failed: MessageQuerySet) -> int:
    """Count those who have opted out meanwhile: nothing is sent to them."""
    return failed.opted_out().count()


def retry_once(campaign: Campaign, reasons: Sequence[Reason], *, run: int, user: Any) -> Retried:
    """Send again what failed for these reasons, unless somebody has done so since ``run``, which the person has seen.

    Raises CampaignError when the campaign is still on its way, or when nothing has failed that way.
    """
    with write_transaction(database()):
        current = _lock(campaign)
        if _is_taken_up(current, run):
            return Retried.ALREADY
        if _are_few(messages_failed_for(current, reasons)):
            retry_failed(current, reasons=reasons)
            return Retried.DONE
        request_job(BackgroundJob.Kind.RETRY, current, {"reasons": reasons}, user)
        return Retried.IN_BACKGROUND


def select_failed(chosen: MessageQuerySet, most: int) -> list[Selected]:
    """Return what of these messages can be sent again, for up to ``most`` campaigns, in three queries.

    Single messages are left out: whoever sent them decides whether to send another.
    """
    failed = _failed(chosen)
    counts = _by_campaign(failed, most)
    opted_out = _by_campaign(failed.opted_out(), None)
    campaigns = Campaign.objects.in_bulk(counts)
    return [
        Selected(campaign=campaigns[pk], failed=count, opted_out=opted_out.get(pk, 0)) for pk, count in counts.items()
    ]


def retry_selected_once(campaign: Campaign, chosen: MessageQuerySet, *, run: int, user: Any) -> Retried:
    """Send again the failed ones of these messages that are of this campaign. Otherwise as retry_once."""
    with write_transaction(database()):
        current = _lock(campaign)
        if _is_taken_up(current, run):
            return Retried.ALREADY
        keys = _failed(chosen).filter(campaign=current).order_by("pk").values_list("pk", flat=True)
        if _are_few(keys):
            retry_messages(current, HAS_FAILED, list(keys))
            return Retried.DONE
        with tempfile.TemporaryFile() as file:
            file.writelines(b"%d\n" % key for key in keys.iterator())
            file.seek(0)
            request_job(BackgroundJob.Kind.RETRY, current, {}, user, File(file, name="messages.txt"))
        return Retried.IN_BACKGROUND


def _lock(campaign: Campaign) -> Campaign:
    """Let the second of two presses of the same button wait, and find what the first has done."""
    return Campaign.objects.using(database()).select_for_update().get(pk=campaign.pk)


def _is_taken_up(campaign: Campaign, run: int) -> bool:
    jobs = campaign.jobs.using(database()).filter(kind=BackgroundJob.Kind.RETRY, state__in=OPEN_JOBS)
    return campaign.run != run or jobs.exists()


def _are_few(rows: QuerySet[Any]) -> bool:
    return rows.order_by()[:IN_BACKGROUND_FROM].count() < IN_BACKGROUND_FROM


def _failed(chosen: MessageQuerySet) -> MessageQuerySet:
    return chosen.using(database()).not_purged().filter(HAS_FAILED, campaign__isnull=False)


def _by_campaign(messages: MessageQuerySet, most: int | None) -> Mapping[int, int]:
    counted = messages.order_by().values_list("campaign").annotate(count=Count("pk")).order_by("-count", "campaign")
    return dict(counted[:most])


@job_kind(BackgroundJob.Kind.RETRY)
def run_retry(job: BackgroundJob, claim: JobClaim) -> dict[str, Any]:
    """Send again to those whose messages have failed so."""
    campaign = campaign_of(job)
    result: dict[str, Any] = job.result or {"run": campaign.run}
    # In a later run already: an earlier attempt has done it, and was stopped before it could say so.
    if result["run"] == campaign.run:
        claim.write(result=result, lease=LONG_LEASE)
        if job.source:
            with open_source(job) as file:
                retry_messages(campaign, HAS_FAILED, map(int, file))
        else:
            retry_failed(campaign, **{name: job.parameters[name] for name in CHOICES if name in job.parameters})
    return result

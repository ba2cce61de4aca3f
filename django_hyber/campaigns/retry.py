"""Retrying failed messages: all with some reasons, or selected ones."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files import File
from django.db.models import Count, F, Q
from django.utils.translation import gettext as _

from django_hyber.campaigns.lifecycle import Verb, begin, forget_credit, locked, move, read_again
from django_hyber.campaigns.preflight import Skipped, is_limited, known_opt_outs, skipped_people
from django_hyber.db.transactions import existing, insisting
from django_hyber.errors import CampaignError
from django_hyber.jobs.background import IN_BACKGROUND_FROM, is_large, request_job
from django_hyber.jobs.work import LONG_LEASE, JobClaim, campaign_of, job_kind, open_source
from django_hyber.models import BackgroundJob, Campaign, MessageQuerySet
from django_hyber.models.people import User
from django_hyber.reports.ranks import FAILURES
from django_hyber.sending import runs
from django_hyber.sending.corrections.late_proofs import doubt_proved_of

#: Why a message failed: a status and a code, or None without one.
Reason = tuple[str, int | None]
HAS_FAILED = Q(status__in=FAILURES)
#: The parameters of a job that say which failures.
CHOICES = ("statuses", "error_codes", "reasons")


class Retried(Enum):
    """The result of a request to retry."""

    DONE = "done"
    IN_BACKGROUND = "in background"
    ALREADY = "already"


@dataclass(frozen=True, kw_only=True)
class Selected:
    """The failed messages of a selection that are in one campaign, and the groups of recipients who get nothing.

    ``is_most`` if there are too many to look at each: only those who have opted out are known then, and others may be
    skipped when their turn comes.
    """

    campaign: Campaign
    failed: int
    skipped: Sequence[Skipped]
    is_most: bool

    @property
    def people(self) -> int:
        """The number of people who get a message, or the most that it can be."""
        return self.failed - sum(group.count for group in self.skipped)


@insisting
def retry_failed(
    campaign: Campaign,
    statuses: Iterable[str] = FAILURES,
    *,
    error_codes: Iterable[int | None] | None = None,
    reasons: Iterable[Reason] | None = None,
) -> Campaign:
    """Send again to the recipients whose messages ended in one of these failures, each under a new id.

    ``error_codes`` narrows that to these codes; None among them stands for failures without a code. ``reasons`` narrows
    it to these pairs of a status and a code.

    Raises CampaignError if the campaign is not finished, or if no message failed like this.
    """
    wanted = {str(status) for status in statuses}
    others = sorted(wanted - {str(status) for status in FAILURES})
    if others:
        raise ValueError(f"Only failures can be retried, not {', '.join(others)}.")
    ended = Q(status__in=wanted)
    if error_codes is not None:
        ended &= _any_of(Q(error_code=code) for code in set(error_codes))
    if reasons is not None:
        ended &= _ended_for(reasons)
    with existing(campaign):
        return retry_messages(campaign, ended)


def retry_messages(campaign: Campaign, ended: Q, keys: Iterable[int] | None = None) -> Campaign:
    """Retry the messages that meet the condition, or those of them with these keys. Raises as retry_failed does."""
    failed = runs.retryable(campaign, ended)
    with locked(campaign):
        doubt_proved_of(campaign)
        if not failed.exists():
            raise CampaignError([_nothing_failed()])
        move(campaign, Verb.RETRY, run=F("run") + 1, finished_at=None)
        forget_credit(campaign)
        if not runs.requeue(failed, campaign.run, keys):
            raise CampaignError([_nothing_failed()])
        runs.cut_batches(campaign)
        begin(campaign)
    read_again(campaign)
    return campaign


def messages_failed_for(campaign: Campaign, reasons: Sequence[Reason]) -> MessageQuerySet:
    """Return the messages to retry for these reasons, without purged ones."""
    return runs.retryable(campaign, _ended_for(reasons))


@insisting
def retry_once(campaign: Campaign, reasons: Sequence[Reason], *, run: int, user: User) -> Retried:
    """Retry what failed for these reasons, unless it was retried since ``run``, which the user has seen.

    Raises CampaignError if the campaign is not finished, or if no message failed for these reasons.
    """
    with locked(campaign):
        if _is_retried_already(campaign, run):
            return Retried.ALREADY
        if not is_large(messages_failed_for(campaign, reasons)):
            retry_failed(campaign, reasons=reasons)
            return Retried.DONE
        request_job(BackgroundJob.Kind.RETRY, campaign, {"reasons": reasons}, user)
        return Retried.IN_BACKGROUND


def select_failed(chosen: MessageQuerySet, most: int) -> list[Selected]:
    """Return what can be retried of these messages, for up to ``most`` campaigns.

    It takes three queries, and some more for each campaign whose account is limited to some people. Single messages are
    left out: the code that sent them decides whether to send another.
    """
    failed = _failed(chosen)
    counts = _by_campaign(failed, most)
    opted_out = _by_campaign(failed.opted_out(), None)
    campaigns = Campaign.objects.in_bulk(counts)
    are_few = sum(counts.values()) < IN_BACKGROUND_FROM
    selected = []
    for pk, count in counts.items():
        campaign = campaigns[pk]
        limited = is_limited(campaign)
        if limited and are_few:
            skipped = skipped_people(campaign, failed.filter(campaign=pk))
        else:
            skipped = known_opt_outs(opted_out.get(pk, 0))
        selected.append(Selected(campaign=campaign, failed=count, skipped=skipped, is_most=limited and not are_few))
    return selected


@insisting
def retry_selected_once(campaign: Campaign, chosen: MessageQuerySet, *, run: int, user: User) -> Retried:
    """Retry the failed ones of these messages that are of this campaign. Otherwise as retry_once."""
    with locked(campaign):
        if _is_retried_already(campaign, run):
            return Retried.ALREADY
        keys = _failed(chosen).filter(campaign=campaign).order_by("pk").values_list("pk", flat=True)
        if not is_large(keys):
            retry_messages(campaign, HAS_FAILED, list(keys))
            return Retried.DONE
        with tempfile.TemporaryFile() as file:
            file.writelines(b"%d\n" % key for key in keys.iterator())
            file.seek(0)
            request_job(BackgroundJob.Kind.RETRY, campaign, {}, user, File(file, name="messages.txt"))
        return Retried.IN_BACKGROUND


def _ended_for(reasons: Iterable[Reason]) -> Q:
    return _any_of(Q(status=status, error_code=code) for status, code in reasons)


def _any_of(conditions: Iterable[Q]) -> Q:
    return reduce(or_, conditions, Q(pk__in=[]))


def _nothing_failed() -> ValidationError:
    return ValidationError(_("No message of this campaign failed for this reason."), code="nothing")


def _is_retried_already(campaign: Campaign, run: int) -> bool:
    jobs = campaign.jobs.open().filter(kind=BackgroundJob.Kind.RETRY)
    return campaign.run != run or jobs.exists()


def _failed(chosen: MessageQuerySet) -> MessageQuerySet:
    return chosen.not_purged().filter(HAS_FAILED, campaign__isnull=False)


def _by_campaign(messages: MessageQuerySet, most: int | None) -> Mapping[int, int]:
    counted = messages.order_by().values_list("campaign").annotate(count=Count("pk")).order_by("-count", "campaign")
    return dict(counted[:most])


@job_kind(BackgroundJob.Kind.RETRY)
def run_retry(job: BackgroundJob, claim: JobClaim) -> dict[str, Any]:
    """Retry the messages that the job names."""
    campaign = campaign_of(job)
    result: dict[str, Any] = job.result or {"run": campaign.run}
    # In a later run, an earlier attempt has done it and was cut off before it was recorded.
    if result["run"] == campaign.run:
        claim.write(result=result, seconds=LONG_LEASE)
        if job.source:
            with open_source(job) as file:
                retry_messages(campaign, HAS_FAILED, map(int, file))
        else:
            retry_failed(campaign, **{name: job.parameters[name] for name in CHOICES if name in job.parameters})
    return result

"""Sending failed messages again for a person who has chosen the reasons: once, however often the button is pressed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.db.models import QuerySet

from django_hyber.engine.campaigns import retryable
from django_hyber.engine.transactions import database, write_transaction
from django_hyber.models import BackgroundJob, Campaign, Message, Suppression
from django_hyber.services.campaigns import retry_failed
from django_hyber.services.failure_reasons import FailureReason
from django_hyber.services.jobs import request_job

#: From so many recipients on, nobody is kept waiting for it.
IN_BACKGROUND_FROM = 5_000
OPEN_JOBS = (BackgroundJob.State.WAITING, BackgroundJob.State.RUNNING)


class Retried(Enum):
    """What came of it."""

    DONE = "done"
    IN_BACKGROUND = "in background"
    ALREADY = "already"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The failures that are sent again: those with one of these statuses and one of these codes (None: without one)."""

    statuses: list[str]
    codes: list[int | None]

    def includes(self, reason: FailureReason) -> bool:
        """Say whether the messages that failed for this reason are sent again."""
        return reason.status in self.statuses and reason.code in self.codes


def choose(reasons: Iterable[FailureReason]) -> Choice:
    """Return the smallest choice that includes these reasons."""
    chosen = list(reasons)
    return Choice(
        statuses=list(dict.fromkeys(reason.status for reason in chosen)),
        codes=list(dict.fromkeys(reason.code for reason in chosen)),
    )


def chosen_messages(campaign: Campaign, choice: Choice) -> QuerySet[Message]:
    """Return the messages that are sent again; purged ones have no number any more."""
    return retryable(campaign, choice.statuses, choice.codes, database())


def count_opted_out(campaign: Campaign, choice: Choice) -> int:
    """Count those of the choice who have opted out meanwhile: nothing is sent to them."""
    opted_out = Suppression.objects.values("phone_number")
    return chosen_messages(campaign, choice).filter(phone_number__in=opted_out).count()


def retry_once(campaign: Campaign, choice: Choice, *, run: int, user: Any) -> Retried:
    """Send the chosen messages again, unless somebody has done so since ``run``, which the person has seen.

    Raises CampaignError when the campaign is still on its way, or when nothing has failed that way.
    """
    using = database()
    with write_transaction(using):
        # Of two presses of the same button, the second waits here and finds what the first has done.
        current = Campaign.objects.using(using).select_for_update().get(pk=campaign.pk)
        jobs = current.jobs.using(using).filter(kind=BackgroundJob.Kind.RETRY, state__in=OPEN_JOBS)
        if current.run != run or jobs.exists():
            return Retried.ALREADY
        if chosen_messages(current, choice)[:IN_BACKGROUND_FROM].count() < IN_BACKGROUND_FROM:
            retry_failed(current, choice.statuses, error_codes=choice.codes)
            return Retried.DONE
        parameters = {"statuses": choice.statuses, "error_codes": choice.codes}
        request_job(BackgroundJob.Kind.RETRY, current, parameters, user)
        return Retried.IN_BACKGROUND

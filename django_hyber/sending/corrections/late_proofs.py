"""Batches about which a report comes too late: it proves that a request of theirs had been accepted.

The answer to that request was lost, the platform did not find it, and the batch was queued again. After that it was
cancelled, refused or given up. Or the first request already seemed to be refused or put off. The report is about one of
its messages, and the others are queried. Nothing is sent: what turns out not to have been accepted ends as it had ended
before.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from django_hyber.announce import Change, announce_changes
from django_hyber.conf import find_account
from django_hyber.db.apart import apart
from django_hyber.db.bulk import CHUNK
from django_hyber.db.clock import NOW, database_time
from django_hyber.db.transactions import insisting, write_transaction
from django_hyber.log_events import LogEvent
from django_hyber.models import Batch, Campaign, Message, MessageQuerySet
from django_hyber.sending.batch_claim import ACCEPTED_SINCE
from django_hyber.sending.batch_messages import PROVED, REPORTED, was_accepted
from django_hyber.sending.claim import UNREPORTED, begin_doubt
from django_hyber.sending.exchange import stand_in

logger = logging.getLogger("django_hyber")
State = Batch.State
Status = Message.Status


def doubt_proved() -> None:
    """Query what ended before a report has shown that an earlier request had been accepted."""
    for batch in list(_proved(Batch.objects.all()).order_by("pk")[:CHUNK]):
        with apart(batch_id=batch.pk, campaign_id=batch.campaign_id):
            _doubt_again(batch, batch.campaign)


def doubt_proved_of(campaign: Campaign) -> None:
    """Do the same for one campaign, before its failed messages are sent again. Call it in a transaction."""
    for batch in list(_proved(campaign.batches.all()).order_by("pk")):
        _doubt_again(batch, campaign)


def doubt_waiting(campaign: Campaign) -> None:
    """Query what waits to be sent again although a report has come. Call it in a transaction, before cancelling it."""
    pending = campaign.batches.filter(state=State.PENDING)
    reported = Message.objects.filter(
        REPORTED, campaign=campaign, pk__gte=OuterRef("first_id"), pk__lte=OuterRef("last_id")
    )
    for batch in list(pending.filter(PROVED | Q(Exists(reported)), doubted_at__isnull=False)):
        if was_accepted(batch):
            _doubt_again(batch, campaign)


def _proved(batches: QuerySet[Batch]) -> QuerySet[Batch]:
    ended = (State.CANCELLED, State.FAILED)
    return batches.filter(PROVED, state__in=ended, doubted_at__isnull=False).select_related("campaign")


@insisting
def _doubt_again(batch: Batch, campaign: Campaign) -> None:
    """Mark the batch and its messages as unconfirmed, without those with a report and those with their former end."""
    silent = _silent(batch)
    account = find_account(campaign.account) or stand_in(campaign.account)
    begun: dict[str, Any] = {**begin_doubt(account, campaign.start_time), "doubted_at": batch.doubted_at}
    begun |= {"finished_at": None, "enqueued_at": None}
    for_each = begun | {"error_text": ACCEPTED_SINCE, "error_code": None, "not_found_after": None, "due_at": None}
    with write_transaction():
        found = list(silent.order_by("pk").select_for_update().values_list("pk", "status", "sender"))
        ended = (State.PENDING, State.CANCELLED, State.FAILED)
        stopped = Batch.objects.filter(pk=batch.pk, state__in=ended, doubted_at=batch.doubted_at)
        if not found:
            stopped.update(state=State.DONE, finished_at=NOW, due_at=None, waits_for="")
            return
        # Of the unconfirmed request: the account may have had another client since, with which attempts have failed.
        due = {"due_at": database_time(), "waits_for": "", "sender": found[0][-1] or batch.sender}
        # The reason of a failure stays: it is given back to the messages that were not accepted.
        reason = {} if batch.failed_as else {"error_text": ACCEPTED_SINCE, "error_code": None}
        if not stopped.update(state=State.UNCONFIRMED, **begun, **due, **reason):
            return
        silent.update(status=Status.UNCONFIRMED, **for_each)
        announce_changes([Change(pk, status, Status.UNCONFIRMED) for pk, status, _sender in found])
    logger.warning(
        "Outcome unknown for batch %s: %s",
        batch.pk,
        ACCEPTED_SINCE,
        extra={
            "event": LogEvent.OUTCOME_UNKNOWN,
            "batch_id": batch.pk,
            "campaign_id": campaign.pk,
            "account": account.name,
        },
    )


def _silent(batch: Batch) -> MessageQuerySet:
    """Select the messages of the unconfirmed request about which no report has come."""
    waiting = Q(status__in=(Status.QUEUED, Status.CANCELLED))
    if batch.failed_as:
        waiting = Q(UNREPORTED, status=batch.failed_as, error_code=batch.error_code)
    return batch.messages().filter(waiting, doubted_at=batch.doubted_at)

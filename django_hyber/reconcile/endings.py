"""Resolving an unknown outcome: the message or batch was accepted, is sent again, or was rejected.

The ``doubted`` querysets match only while the outcome is still unknown, so a later result is never overwritten.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from django_hyber.announce import Change, announce_changes
from django_hyber.conf import Account, find_account
from django_hyber.db.clock import NOW, database_time
from django_hyber.db.transactions import insisting, lock, lock_unread, write_transaction
from django_hyber.log_events import LogEvent
from django_hyber.models import Batch, Campaign, Message
from django_hyber.reconcile.proof import is_rejection
from django_hyber.sending import limits
from django_hyber.sending.batch_messages import NO_DOUBT, lock_proofs, was_accepted
from django_hyber.sending.claim import begin_doubt
from django_hyber.sending.pace import schedule

logger = logging.getLogger("django_hyber")
Status = Message.Status
State = Batch.State
DOUBT_OVER = {**NO_DOUBT, "enqueued_at": None}
FORGOTTEN_AFTER = timedelta(minutes=1)
RESOLVED = {"error_text": "", "error_code": None, "not_found_after": None, "due_at": None, "enqueued_at": None}


@insisting
def end_message_as_accepted(doubted: QuerySet[Message]) -> int:
    """Mark the messages as accepted and return their number."""
    return _move(doubted, Status.ACCEPTED, accepted_at=NOW, **RESOLVED)


@insisting
def end_message_as_not_accepted(doubted: QuerySet[Message], message: Message) -> int:
    """Queue the message again, or reject it if two requests in a row ended with the same error code.

    Returns the number of changed messages.
    """
    with write_transaction():
        if is_rejection(message.error_code, message.not_taken_code):
            return _fail(doubted, Status.REJECTED, message.error_code, message.error_text)
        return queue_message_again(doubted, message, not_taken_code=message.error_code)


@insisting
def queue_message_again(doubted: QuerySet[Message], message: Message, not_taken_code: int | None = None) -> int:
    """Queue the message again and return the number of changed rows. One that had failed before fails again.

    ``not_taken_code`` is the error code of its request. It is set only if the request is proved not accepted.
    """
    with write_transaction():
        lock(doubted)
        failed = failed_before(message)
        if failed:
            return _fail(doubted, Status(failed.failed_as), failed.error_code, failed.error_text)
        request = request_in_doubt(message)
        proofs = lock_proofs(request) if request else 0
        doubted_at = message.doubted_at
        if doubted_at and (request is None or proofs > request.proofs_seen):
            # Others of its request were accepted, and this one was not: only a report about itself is proof now.
            request, doubted_at = None, doubted_at + timedelta(microseconds=1)
        moved = _move(doubted, Status.QUEUED, not_taken_code=not_taken_code, **RESOLVED, doubted_at=doubted_at)
        if moved and message.campaign_id:
            _give_own_batch(message, doubted_at, request, proofs)
        return moved


def request_in_doubt(message: Message) -> Batch | None:
    """Return the batch whose request contained the message when the answer was lost, or None."""
    return _requests_in_doubt(message).first()


def _requests_in_doubt(message: Message) -> QuerySet[Batch]:
    if message.campaign_id is None or message.doubted_at is None:
        return Batch.objects.none()
    return Batch.objects.filter(
        campaign=message.campaign_id,
        first_id__lte=message.pk,
        last_id__gte=message.pk,
        state=State.DONE,
        doubted_at=message.doubted_at,
    )


def failed_before(row: Batch | Message) -> Batch | None:
    """Return the batch that had failed before a later report made the outcome of this one unknown, or None.

    Nothing of it is sent: what was not accepted fails as before, and a person can retry it.
    """
    if isinstance(row, Batch):
        return row if row.failed_as else None
    return _requests_in_doubt(row).exclude(failed_as="").first()


def in_doubt(batch: Batch) -> QuerySet[Message]:
    """Select the messages of the batch whose outcome is unknown."""
    return batch.messages().filter(status=Status.UNCONFIRMED)


@insisting
def end_batch_as_accepted(doubted: QuerySet[Batch], batch: Batch) -> int:
    """Mark the batch as done and its unconfirmed messages as accepted. Return the number of messages."""
    with write_transaction():
        if not doubted.update(state=State.DONE, finished_at=NOW, error_text="", error_code=None, **DOUBT_OVER):
            return 0
        return end_message_as_accepted(in_doubt(batch))


@insisting
def end_batch_as_not_accepted(doubted: QuerySet[Batch], batch: Batch) -> int:
    """Queue the batch again, or reject its messages if two requests in a row ended with the same error code.

    Returns the number of changed messages.
    """
    with write_transaction():
        lock_unread(in_doubt(batch))
        lock_proofs(batch)
        # A report may have arrived after the last query.
        if was_accepted(batch):
            return 0
        if is_rejection(batch.error_code, batch.not_taken_code):
            return _fail_batch(doubted, batch, Status.REJECTED)
        return queue_batch_again(doubted, batch, not_taken_code=batch.error_code)


@insisting
def queue_batch_again(doubted: QuerySet[Batch], batch: Batch, not_taken_code: int | None = None) -> int:
    """Queue the batch and its unconfirmed messages again. Return the number of messages.

    They keep ``doubted_at``: until the next request, a report may still prove that this one was accepted.
    ``not_taken_code`` is the error code of its request. It is set only if the request is proved not accepted. A batch
    that had failed before fails again.
    """
    with write_transaction():
        lock_unread(in_doubt(batch))
        if failed_before(batch):
            return _fail_batch(doubted, batch, Status(batch.failed_as))
        again = {
            "state": State.PENDING,
            "error_text": "",
            "error_code": None,
            "not_taken_code": not_taken_code,
            "proofs_seen": lock_proofs(batch),
        }
        if not doubted.update(**again, **DOUBT_OVER | {"doubted_at": batch.doubted_at}):
            return 0
        return _move(in_doubt(batch), Status.QUEUED, **RESOLVED)


@insisting
def resolve_separately(
    doubted: QuerySet[Batch], batch: Batch, account: Account, parts_until: datetime | None = None
) -> None:
    """End the batch, so that each of its unconfirmed messages is resolved separately.

    ``parts_until`` is set if one of the messages was found: the platform may still be processing the others until then.
    The batch keeps ``doubted_at``, by which its messages find it.
    """
    changes: dict[str, Any] = {"not_found_after": parts_until or batch.not_found_after}
    # One that had failed before keeps the reason.
    forgotten = {} if batch.failed_as else {"error_text": "", "error_code": None}
    due_at = database_time() + timedelta(seconds=account.ask_every)
    with write_transaction():
        if not doubted.update(state=State.DONE, finished_at=NOW, due_at=None, **forgotten, **changes):
            return
        if parts_until:
            changes["not_found_at"] = None
        lock_unread(in_doubt(batch))
        in_doubt(batch).update(**changes, queries=0, unanswered_queries=0, due_at=due_at, enqueued_at=None)


def query_forgotten() -> None:
    """Query each unconfirmed message that is in no unconfirmed batch: otherwise nobody would.

    There should be none. A batch and its messages have the same ``doubted_at``.
    """
    known = Batch.objects.filter(state=State.UNCONFIRMED, doubted_at__isnull=False).values("doubted_at")
    forgotten = Message.objects.filter(status=Status.UNCONFIRMED, not_found_after=None).exclude(doubted_at__in=known)
    # What begins or ends at this moment may be half visible.
    settled = forgotten.exclude(doubted_at__gt=database_time() - FORGOTTEN_AFTER)
    for name, campaign_pk in settled.order_by().values_list("account", "campaign").distinct():
        account = find_account(name)
        if account is None:
            continue
        start_time = Campaign.objects.filter(pk=campaign_pk).values_list("start_time", flat=True).first()
        with write_transaction():
            pks = lock(settled.filter(account=name, campaign=campaign_pk))
            Message.objects.filter(pk__in=pks).update(**begin_doubt(account, start_time), due_at=None, enqueued_at=None)
        text = "Nobody has queried the outcome of %d messages; their queries begin now"
        logger.error(text, len(pks), extra={"event": LogEvent.FORGOTTEN, "account": name})


def _fail_batch(doubted: QuerySet[Batch], batch: Batch, status: Status) -> int:
    """End the batch as failed. It keeps ``doubted_at``: a report may still prove that its request was accepted."""
    kept = {"doubted_at": batch.doubted_at, "proofs_seen": lock_proofs(batch), "failed_as": status}
    if not doubted.update(state=State.FAILED, finished_at=timezone.now(), **DOUBT_OVER | kept):
        return 0
    return _fail(in_doubt(batch), status, batch.error_code, batch.error_text)


def _fail(doubted: QuerySet[Message], status: Status, error_code: int | None, reason: str) -> int:
    changes = RESOLVED | {"error_code": error_code, "error_text": reason, "finished_at": timezone.now()}
    return _move(doubted, status, **changes)


def _give_own_batch(message: Message, doubted_at: datetime | None, request: Batch | None, proofs: int) -> None:
    """Create a batch for the message alone, because its previous batch is done. Such batches have run 0.

    Until its request, a report may still prove that the earlier one was accepted. ``request`` is the batch of that
    one, if reports about others in it are proof too, and ``proofs`` is how many of them there are.
    """
    campaign = message.campaign
    own = Batch.objects.filter(campaign=campaign, run=0, first_id=message.pk).select_for_update().first()
    Batch.objects.update_or_create(
        campaign=campaign,
        run=0,
        first_id=message.pk,
        # The number of attempts is kept, so that the batch is given up at some point.
        defaults={
            "last_id": message.pk,
            "size": 1,
            "state": State.PENDING,
            "zone": schedule.zone_of(schedule.prefix_of((message.phone_number or "")[:4])),
            "created_at": database_time(),
            **DOUBT_OVER,
            "doubted_at": doubted_at,
            "proofs_seen": proofs if request else own.proofs if own else 0,
            "cut_from": (request.cut_from or request.pk) if request else None,
            "is_job": bool(request and request.is_job),
            # A batch of an earlier run may have been refused; this request was not.
            "error_text": "",
            "error_code": None,
            "failed_as": "",
            "not_taken_code": None,
            "releases_seen": None,
            **limits.take_over_cost(message, own),
            "alone_in_run": campaign.run if campaign else None,
        },
    )


def _move(rows: QuerySet[Message], status: Status, **values: object) -> int:
    with write_transaction():
        pks = lock(rows)
        moved = rows.update(status=status, **values)
        announce_changes([Change(pk, Status.UNCONFIRMED, status) for pk in pks])
    return moved

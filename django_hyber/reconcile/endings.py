"""How a doubt ends: what was in doubt counts as taken, is sent again, or was refused after all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from django_hyber.announce import Change, announce_changes
from django_hyber.conf import Account
from django_hyber.db.transactions import lock, write_transaction
from django_hyber.models import Batch, Message
from django_hyber.reconcile.proof import is_refusal
from django_hyber.sending.pace import schedule

Status = Message.Status
State = Batch.State
NO_DOUBT = {"doubted_at": None, "not_found_after": None, "due_at": None, "enqueued_at": None}
OVER = {"error_text": "", "error_code": None, "not_found_after": None, "due_at": None, "enqueued_at": None}


def end_message_as_taken(doubted: QuerySet[Message]) -> int:
    """Accept messages that are still in doubt, and return how many were."""
    return _move(doubted, Status.ACCEPTED, accepted_at=timezone.now(), **OVER)


def end_message_as_not_taken(doubted: QuerySet[Message], message: Message) -> int:
    """Send a message again that is still in doubt, unless its request was refused, and return whether it was."""
    with write_transaction():
        if is_refusal(message.error_code, message.not_taken_code):
            return _refuse(doubted, message.error_code, message.error_text)
        return queue_message_again(doubted, message, not_taken_code=message.error_code)


def queue_message_again(doubted: QuerySet[Message], message: Message, not_taken_code: int | None = None) -> int:
    """Queue a message again that is still in doubt, and return whether it was.

    ``not_taken_code`` is the error code that its request ended with, if it is proved that it was not taken.
    """
    with write_transaction():
        moved = _move(doubted, Status.QUEUED, not_taken_code=not_taken_code, **OVER, doubted_at=None)
        if moved and message.campaign_id:
            _give_own_batch(message)
        return moved


def messages_of(batch: Batch) -> QuerySet[Message]:
    """Return every message that the batch speaks for."""
    return Message.objects.filter(batch.members(), campaign=batch.campaign_id)


def in_doubt(batch: Batch) -> QuerySet[Message]:
    """Return the messages of the batch of which nothing is known."""
    return messages_of(batch).filter(status=Status.UNCONFIRMED)


def was_taken(batch: Batch) -> bool:
    """Say whether a report that was pushed proves that the request was taken; one of an earlier run does not."""
    since_doubted = Q(doubted_at=batch.doubted_at, doubted_at__isnull=False) & ~Q(status=Status.UNCONFIRMED)
    before = Q(accepted_at__gte=batch.created_at) if batch.run > 1 else Q(accepted_at__isnull=False)
    return messages_of(batch).filter(since_doubted | before).exists()


def end_batch_as_taken(doubted: QuerySet[Batch], batch: Batch) -> int:
    """Accept the messages in doubt of a batch that is still in doubt, and return how many there were."""
    with write_transaction():
        if not doubted.update(state=State.DONE, finished_at=timezone.now(), error_text="", error_code=None, **NO_DOUBT):
            return 0
        return end_message_as_taken(in_doubt(batch))


def end_batch_as_not_taken(doubted: QuerySet[Batch], batch: Batch) -> int:
    """Send a batch again that is still in doubt, unless it was refused, and return how many messages were in doubt."""
    with write_transaction():
        # A report may have come after the last answer.
        if was_taken(batch):
            return 0
        if is_refusal(batch.error_code, batch.not_taken_code):
            failed = doubted.update(state=State.FAILED, finished_at=timezone.now(), **NO_DOUBT)
            return _refuse(in_doubt(batch), batch.error_code, batch.error_text) if failed else 0
        return queue_batch_again(doubted, batch, not_taken_code=batch.error_code)


def queue_batch_again(doubted: QuerySet[Batch], batch: Batch, not_taken_code: int | None = None) -> int:
    """Queue a batch again that is still in doubt, and return how many messages were in doubt.

    ``not_taken_code`` is the error code that its request ended with, if it is proved that it was not taken.
    """
    with write_transaction():
        again = {"state": State.PENDING, "error_text": "", "error_code": None, "not_taken_code": not_taken_code}
        if not doubted.update(**again, **NO_DOUBT):
            return 0
        return _move(in_doubt(batch), Status.QUEUED, **OVER, doubted_at=None)


def leave_to_messages(
    doubted: QuerySet[Batch], batch: Batch, account: Account, parts_until: datetime | None = None
) -> None:
    """End a batch whose messages are in doubt each by itself from now on. It keeps that it was in doubt.

    When one of its messages was found, the platform may work off the others until ``parts_until``.
    """
    changes: dict[str, Any] = {"not_found_after": parts_until or batch.not_found_after}
    now = timezone.now()
    with write_transaction():
        done = {"state": State.DONE, "finished_at": now, "error_text": "", "error_code": None, "due_at": None}
        if not doubted.update(**done, **changes):
            return
        if parts_until:
            changes["not_found_at"] = None
        lock(in_doubt(batch))
        in_doubt(batch).update(
            **changes, questions=0, unanswered=0, due_at=now + timedelta(seconds=account.ask_every), enqueued_at=None
        )


def _refuse(doubted: QuerySet[Message], error_code: int | None, reason: str) -> int:
    changes = OVER | {"error_code": error_code, "error_text": reason, "finished_at": timezone.now()}
    return _move(doubted, Status.REJECTED, **changes)


def _give_own_batch(message: Message) -> None:
    """A campaign's message goes out in a batch; the one that it was in is done. Run 0 is for such stragglers."""
    zone = schedule.zone_of(schedule.prefix_of((message.phone_number or "")[:4]))
    Batch.objects.update_or_create(
        campaign=message.campaign,
        run=0,
        first_id=message.pk,
        # The attempts that it had are kept, so that it is given up one day.
        defaults={"last_id": message.pk, "size": 1, "state": State.PENDING, "zone": zone}
        | NO_DOUBT
        | {"error_text": "", "error_code": None, "not_taken_code": None},
    )


def _move(rows: QuerySet[Message], status: Status, **values: object) -> int:
    with write_transaction():
        pks = lock(rows)
        moved = rows.update(status=status, **values)
        announce_changes([Change(pk, Status.UNCONFIRMED, status) for pk in pks])
    return moved

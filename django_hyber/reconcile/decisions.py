"""What cannot be proved waits for a person: all that is known about it, and what a person may do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import Q, QuerySet

from django_hyber.db import clock
from django_hyber.db.transactions import write_transaction
from django_hyber.errors import DoubtError
from django_hyber.models import LONE, Batch, Message
from django_hyber.queueing import nudge_after_commit
from django_hyber.reconcile import endings
from django_hyber.sending.runs import settle

logger = logging.getLogger("django_hyber")
#: So long after "not found" began to count, something should have been proved. Then a person is asked.
DECIDE_AFTER = timedelta(hours=1)
Row = TypeVar("Row", Batch, Message)


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A batch, or a message by itself, of which nothing proves whether the platform has it.

    ``row`` has what is known: ``error_text`` and ``error_code`` say how its request ended, ``doubted_at`` when,
    ``questions`` and ``asked_at`` what was asked, ``answer`` and ``answer_text`` what came last and why it is no proof,
    ``not_found_at`` when "not found" was believed for the first time. ``people`` may have got it.
    """

    row: Batch | Message
    account: str
    people: int
    needs_decision: bool


def overdue(now: datetime) -> Q:
    """Select what should have been proved long ago, among the batches or messages in doubt."""
    return Q(not_found_after__lte=now - DECIDE_AFTER)


def doubts(*, account: str = "", campaign_pk: int | None = None, only_overdue: bool = True) -> Iterator[Doubt]:
    """Yield what needs a person, or all that is in doubt: the batches, then the messages, the oldest first."""
    now = clock.now()
    wanted = overdue(now) if only_overdue else Q()
    batches = Batch.objects.filter(wanted, state=Batch.State.UNCONFIRMED).select_related("campaign")
    messages = Message.objects.filter(LONE, wanted)
    if account:
        batches, messages = batches.filter(campaign__account=account), messages.filter(account=account)
    if campaign_pk is not None:
        batches, messages = batches.filter(campaign=campaign_pk), messages.filter(campaign=campaign_pk)
    for batch in batches.order_by("pk").iterator():
        yield _about_batch(batch, now)
    for message in messages.order_by("pk").iterator():
        yield _about_message(message, now)


def find_doubt(row: Batch | Message) -> Doubt | None:
    """Return the doubt about a batch or a message, or None without one.

    A message of a batch in doubt is not decided about by itself: its doubt is that of the batch.
    """
    if isinstance(row, Batch):
        return _about_batch(row, clock.now()) if row.state == Batch.State.UNCONFIRMED else None
    if row.status != Message.Status.UNCONFIRMED:
        return None
    if row.not_found_after is not None:
        return _about_message(row, clock.now())
    doubted = Batch.objects.filter(
        campaign=row.campaign_id, state=Batch.State.UNCONFIRMED, first_id__lte=row.pk, last_id__gte=row.pk
    )
    own = (batch for batch in doubted if endings.in_doubt(batch).filter(pk=row.pk).exists())
    return next((_about_batch(batch, clock.now()) for batch in own), None)


def _about_batch(batch: Batch, now: datetime) -> Doubt:
    people = endings.in_doubt(batch).count()
    return Doubt(row=batch, account=batch.campaign.account, people=people, needs_decision=_is_overdue(batch, now))


def _about_message(message: Message, now: datetime) -> Doubt:
    return Doubt(row=message, account=message.account, people=1, needs_decision=_is_overdue(message, now))


def _is_overdue(row: Batch | Message, now: datetime) -> bool:
    return row.not_found_after is not None and row.not_found_after <= now - DECIDE_AFTER


def ask_now(row: Batch | Message, *, by: str) -> bool:
    """Ask the platform as soon as a worker is free, and return False when a question is due already.

    Raises DoubtError when nothing is in doubt any more.
    """
    if isinstance(row, Batch):
        with _decided(_doubted_batch(row), "asked about now", by):
            is_new = Batch.objects.filter(pk=row.pk, due_at__isnull=False).update(due_at=None) > 0
            if is_new:
                nudge_after_commit("resolve_batch", Batch.objects.all(), row.pk)
        return is_new
    with _decided(_doubted_message(row), "asked about now", by):
        is_new = Message.objects.filter(pk=row.pk, due_at__isnull=False).update(due_at=None) > 0
        if is_new:
            nudge_after_commit("resolve_message", Message.objects.all(), row.pk)
    return is_new


def mark_as_sent(row: Batch | Message, *, by: str) -> int:
    """Take the word of a person that the platform has it, and return how many messages count as accepted now.

    Raises DoubtError when nothing is in doubt any more.
    """
    if isinstance(row, Batch):
        doubted = _doubted_batch(row)
        with _decided(doubted, "marked as sent", by) as batch:
            count = endings.end_batch_as_taken(doubted, batch)
    else:
        rows = _doubted_message(row)
        with _decided(rows, "marked as sent", by):
            count = endings.end_message_as_taken(rows)
    _settle(row)
    return count


def send_again(row: Batch | Message, *, by: str) -> int:
    """Take the word of a person that the platform does not have it, and return how many messages are sent again.

    They keep their ids, so that a platform that has them after all can refuse the repetition. Raises DoubtError when
    nothing is in doubt any more.
    """
    if isinstance(row, Batch):
        doubted = _doubted_batch(row)
        with _decided(doubted, "sent again", by) as batch:
            count = endings.queue_batch_again(doubted, batch)
    else:
        rows = _doubted_message(row)
        with _decided(rows, "sent again", by) as message:
            count = endings.queue_message_again(rows, message)
    _settle(row)
    return count


def _doubted_batch(batch: Batch) -> QuerySet[Batch]:
    """Select the batch while the doubt goes on that the person has seen."""
    return Batch.objects.filter(pk=batch.pk, state=Batch.State.UNCONFIRMED, doubted_at=batch.doubted_at)


def _doubted_message(message: Message) -> QuerySet[Message]:
    return Message.objects.filter(LONE, pk=message.pk, extra_id=message.extra_id, doubted_at=message.doubted_at)


@contextmanager
def _decided(doubted: QuerySet[Row], what: str, by: str) -> Iterator[Row]:
    """Lock what is in doubt while the decision is carried out, and log it."""
    with write_transaction():
        row = doubted.select_for_update().first()
        if row is None:
            raise DoubtError
        yield row
    kind = "Batch" if isinstance(row, Batch) else "Message"
    name = row.pk if isinstance(row, Batch) else row.extra_id
    logger.warning("%s %s, whose outcome is unknown, is %s: decided by %s", kind, name, what, by)


def _settle(row: Batch | Message) -> None:
    if row.campaign_id:
        settle(row.campaign_id)

"""Unknown outcomes that cannot be proved: what is known about them, and the decisions a user can make."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from django_hyber.conf import find_account
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import insisting, write_transaction
from django_hyber.errors import DoubtError
from django_hyber.log_events import LogEvent
from django_hyber.models import LONE, Batch, Campaign, Message
from django_hyber.queueing import TaskName, enqueue_row_after_commit
from django_hyber.reconcile import endings
from django_hyber.sending.pace import pauses
from django_hyber.sending.pace.deadline import is_too_late
from django_hyber.sending.runs import settle

logger = logging.getLogger("django_hyber")
#: A user should decide if nothing is proved within this time after "not found" began to count.
DECIDE_AFTER = timedelta(hours=1)
Row = TypeVar("Row", Batch, Message)


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A batch or single message with an unknown outcome.

    The columns of ``row`` contain the evidence. ``error_text`` and ``error_code`` are those of its request, which ended
    at ``doubted_at``. ``queries`` is the number of queries, and ``queried_at`` the time of the last one. ``answer`` and
    ``answer_text`` describe the last answer and why it is not proof. ``not_found_at`` is the time of the first "not
    found" that counted. ``people`` is the number of recipients who may have received the message.
    """

    row: Batch | Message
    account: str
    people: int
    needs_decision: bool

    @property
    def sending_problem(self) -> str:
        """The reason why it cannot be sent again now, translated, or "". It can be marked as sent in any case."""
        return _sending_problem(self.row)

    @property
    def fails_again(self) -> bool:
        """Whether the decision to send it again sends nothing: it had failed before, and fails again."""
        return endings.failed_before(self.row) is not None


def overdue(now: datetime) -> Q:
    """Select the unconfirmed batches or messages that should have been resolved by now."""
    return Q(not_found_after__lte=now - DECIDE_AFTER)


def doubts(*, account: str = "", campaign_pk: int | None = None, only_overdue: bool = True) -> Iterator[Doubt]:
    """Yield the unknown outcomes that need a decision, or all: first batches, then messages, each oldest first."""
    now = database_time()
    wanted = overdue(now) if only_overdue else Q()
    batches = Batch.objects.filter(wanted, state=Batch.State.UNCONFIRMED).select_related("campaign")
    messages = Message.objects.filter(LONE, wanted)
    if account:
        batches, messages = batches.filter(campaign__account=account), messages.filter(account=account)
    if campaign_pk is not None:
        batches, messages = batches.filter(campaign=campaign_pk), messages.filter(campaign=campaign_pk)
    for batch in batches.order_by("pk").iterator():
        yield _batch_doubt(batch, now)
    for message in messages.order_by("pk").iterator():
        yield _message_doubt(message, now)


def find_doubt(row: Batch | Message) -> Doubt | None:
    """Return the doubt about a batch or message, or None if its outcome is known.

    A message of an unconfirmed batch has no doubt of its own: the doubt of the batch is returned.
    """
    if isinstance(row, Batch):
        return _batch_doubt(row, database_time()) if row.state == Batch.State.UNCONFIRMED else None
    if row.status != Message.Status.UNCONFIRMED:
        return None
    if row.not_found_after is not None:
        return _message_doubt(row, database_time())
    doubted = Batch.objects.filter(
        campaign=row.campaign_id, state=Batch.State.UNCONFIRMED, first_id__lte=row.pk, last_id__gte=row.pk
    )
    own = (batch for batch in doubted if endings.in_doubt(batch).filter(pk=row.pk).exists())
    return next((_batch_doubt(batch, database_time()) for batch in own), None)


def _batch_doubt(batch: Batch, now: datetime) -> Doubt:
    people = endings.in_doubt(batch).count()
    return Doubt(row=batch, account=batch.campaign.account, people=people, needs_decision=_is_overdue(batch, now))


def _message_doubt(message: Message, now: datetime) -> Doubt:
    return Doubt(row=message, account=message.account, people=1, needs_decision=_is_overdue(message, now))


def _is_overdue(row: Batch | Message, now: datetime) -> bool:
    return row.not_found_after is not None and row.not_found_after <= now - DECIDE_AFTER


@insisting
def query_now(row: Batch | Message, *, by: str) -> bool:
    """Query the platform as soon as a worker is free, also if the queries of the account are paused.

    Returns False if a query is already due. Raises DoubtError if the outcome is no longer unknown, or if the settings
    of the account are missing or invalid.
    """
    if isinstance(row, Batch):
        return _query_now(_doubted_batch(row), row.campaign.account, "resolve_batch", by)
    return _query_now(_doubted_message(row), row.account, "resolve_message", by)


def _query_now(doubted: QuerySet[Row], account: str, task: TaskName, by: str) -> bool:
    with _decided(doubted, "queried now", by) as row:
        _require(_account_problem(account))
        pauses.lift(account, pauses.Host.REPORTS)
        is_new = doubted.filter(due_at__isnull=False).update(due_at=None) > 0
        if is_new:
            enqueue_row_after_commit(task, doubted, row.pk)
    return is_new


def mark_as_sent(row: Batch | Message, *, by: str) -> int:
    """Mark it as accepted by decision of the user ``by``. Return the number of messages.

    Raises DoubtError if the outcome is no longer unknown.
    """
    count = _mark_as_sent(row, by)
    _settle(row)
    return count


@insisting
def _mark_as_sent(row: Batch | Message, by: str) -> int:
    if isinstance(row, Batch):
        doubted = _doubted_batch(row)
        with _decided(doubted, "marked as sent", by) as batch:
            return endings.end_batch_as_accepted(doubted, batch)
    rows = _doubted_message(row)
    with _decided(rows, "marked as sent", by):
        return endings.end_message_as_accepted(rows)


def send_again(row: Batch | Message, *, by: str) -> int:
    """Send it again by decision of the user ``by``. Return the number of messages.

    The messages keep their ids, so that the platform can reject a duplicate. Raises DoubtError if the outcome is no
    longer unknown, or if the settings of the account are missing or invalid.

    What had failed before a report made its outcome unknown is not sent: it fails again, and can be retried.
    """
    count = _send_again(row, by)
    _settle(row)
    return count


@insisting
def _send_again(row: Batch | Message, by: str) -> int:
    if isinstance(row, Batch):
        doubted = _doubted_batch(row)
        with _decided(doubted, "sent again", by) as batch:
            _require(_sending_problem(batch))
            return endings.queue_batch_again(doubted, batch)
    rows = _doubted_message(row)
    with _decided(rows, "sent again", by) as message:
        _require(_sending_problem(message))
        return endings.queue_message_again(rows, message)


def _account_problem(name: str) -> str:
    if find_account(name):
        return ""
    text = _(
        "The settings of the account “%(name)s” are missing or invalid, so nothing can be sent or queried. Nothing was "
        "changed."
    )
    return text % {"name": name}


def _sending_problem(row: Batch | Message) -> str:
    is_cancelled = row.campaign is not None and row.campaign.status == Campaign.Status.CANCELLED
    if is_cancelled or is_too_late(row) or endings.failed_before(row):
        # It is cancelled, expires or fails, and nothing is sent.
        return ""
    return _account_problem(row.campaign.account if isinstance(row, Batch) else row.account)


def _require(problem: str) -> None:
    if problem:
        raise DoubtError(problem)


def _doubted_batch(batch: Batch) -> QuerySet[Batch]:
    """Select the batch while it is still in the doubt that was shown to the user."""
    return Batch.objects.filter(pk=batch.pk, state=Batch.State.UNCONFIRMED, doubted_at=batch.doubted_at)


def _doubted_message(message: Message) -> QuerySet[Message]:
    return Message.objects.filter(LONE, pk=message.pk, extra_id=message.extra_id, doubted_at=message.doubted_at)


@contextmanager
def _decided(doubted: QuerySet[Row], what: str, by: str) -> Iterator[Row]:
    """Lock the row while the decision is applied, then log the decision. Raises DoubtError."""
    with write_transaction():
        row = doubted.select_for_update().first()
        if row is None:
            raise DoubtError
        yield row
    kind, id_name, name = (
        ("Batch", "batch_id", row.pk) if isinstance(row, Batch) else ("Message", "extra_id", row.extra_id)
    )
    logger.warning(
        "%s %s, whose outcome is unknown, is %s: decided by %s",
        kind,
        name,
        what,
        by,
        extra={"event": LogEvent.DECIDED_BY_USER, id_name: name, "campaign_id": row.campaign_id},
    )


def _settle(row: Batch | Message) -> None:
    if row.campaign_id:
        settle(row.campaign_id)

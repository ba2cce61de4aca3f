from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils import timezone

from django_hyber import tasks
from django_hyber.engine import campaigns, unconfirmed, waiting
from django_hyber.engine.transactions import database
from django_hyber.models import Batch, Campaign, Message

logger = logging.getLogger("django_hyber")
#: How many rows of each kind one sweep takes up: the next sweep goes on.
LIMIT = 1_000


@dataclass(frozen=True, kw_only=True)
class Dispatched:
    """How many of each kind a sweep has handed to tasks."""

    questions: int
    messages: int
    batches: int
    matched_reports: int

    @property
    def total(self) -> int:
        """The number of things that there was something to do about."""
        return self.questions + self.messages + self.batches + self.matched_reports


def dispatch() -> Dispatched:
    """Make one sweep: whatever is due, was lost by a task backend or left by a stopped worker is taken up.

    Safe to run at any time, from several processes at once: every task claims its row before it acts.
    """
    using = database()
    unconfirmed.take_up_expired_leases()
    matched = waiting.rematch_reports(using).matched
    asked = _enqueue(tasks.resolve_batch.enqueue, _due(Batch.objects.using(using), state=Batch.State.UNCONFIRMED))
    lone = Message.objects.using(using).exclude(Q(campaign__batches__state=Batch.State.UNCONFIRMED))
    asked += _enqueue(tasks.resolve_message.enqueue, _due(lone, status=Message.Status.UNCONFIRMED))
    singles = Message.objects.using(using).filter(campaign=None)
    sent = _enqueue(tasks.submit_message.enqueue, _due(singles, status=Message.Status.QUEUED))
    running = Batch.objects.using(using).filter(campaign__status=Campaign.Status.SENDING)
    batches = _enqueue(tasks.submit_batch.enqueue, _due(running, state=Batch.State.PENDING))
    campaigns.settle_all(using)
    return Dispatched(questions=asked, messages=sent, batches=batches, matched_reports=matched)


def _due(rows: QuerySet[Message] | QuerySet[Batch], **state: str) -> Iterable[int]:
    due = Q(next_attempt_at=None) | Q(next_attempt_at__lte=timezone.now())
    return list(rows.filter(due, **state).order_by("pk").values_list("pk", flat=True)[:LIMIT])


def _enqueue(enqueue: Callable[[int], object], pks: Iterable[int]) -> int:
    count = 0
    for pk in pks:
        enqueue(pk)
        count += 1
    return count

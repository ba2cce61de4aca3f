"""Tasks are asked to take care of rows here; a row that is marked as enqueued is not enqueued again for a while."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from django_hyber import tasks
from django_hyber.db.transactions import after_commit
from django_hyber.models import Batch, Message
from django_hyber.reconcile import question_lane
from django_hyber.sending import lanes


def nudge(task: Any, rows: QuerySet[Message] | QuerySet[Batch], pk: int, *arguments: int) -> None:
    """Enqueue the task for a row. If the broker is down, the row is left to the next sweep."""
    try:
        task.enqueue(pk, *arguments)
    except BaseException:
        rows.model._default_manager.using(rows.db).filter(pk=pk).update(enqueued_at=None)
        raise


def nudge_after_commit(task: Any, rows: QuerySet[Message] | QuerySet[Batch], pk: int) -> None:
    """Enqueue the task once the row is committed; a broker that is down must not fail the caller."""
    after_commit(rows.db, nudge, task, rows, pk)


def fill_lanes(campaign_pk: int, using: str) -> int:
    """Give a campaign the batches under way that it may have and has not, and return how many."""
    count = 0
    while pk := lanes.take_next(campaign_pk, using):
        nudge(tasks.submit_batch, Batch.objects.using(using), pk)
        count += 1
    return count


def fill_questions(using: str) -> int:
    """Ask about as many messages of an unknown outcome as may be asked about at once, and return how many."""
    pk, count = 0, 0
    for _ in range(question_lane.count_room(using)):
        found = question_lane.take_next(using, after=pk)
        if not found:
            break
        nudge(tasks.resolve_message, Message.objects.using(using), found, question_lane.IN_A_ROW)
        pk, count = found, count + 1
    return count

"""Tasks are asked to take care of rows here; a row that is marked as enqueued is not enqueued again for a while."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from django_hyber import tasks
from django_hyber.engine import lanes
from django_hyber.engine.transactions import after_commit
from django_hyber.models import Batch, Message

#: Of -100 to 100; batches have 0.
URGENT = 50


def nudge(task: Any, rows: QuerySet[Message] | QuerySet[Batch], pk: int) -> None:
    """Enqueue the task for a row. If the broker is down, the row is left to the next sweep."""
    try:
        task.enqueue(pk)
    except BaseException:
        rows.model._default_manager.using(rows.db).filter(pk=pk).update(enqueued_at=None)
        raise


def nudge_after_commit(task: Any, rows: QuerySet[Message] | QuerySet[Batch], pk: int) -> None:
    """Enqueue the task once the row is committed; a broker that is down must not fail the caller."""
    after_commit(rows.db, nudge, task, rows, pk)


def submit_urgently() -> Any:
    """Return the task for single messages, ahead of the batches where the task backend knows priorities."""
    task = tasks.submit_message
    return task.using(priority=URGENT) if task.get_backend().supports_priority else task


def fill_lanes(campaign_pk: int, using: str) -> int:
    """Give a campaign the batches under way that it may have and has not, and return how many."""
    count = 0
    while pk := lanes.take_next(campaign_pk, using):
        nudge(tasks.submit_batch, Batch.objects.using(using), pk)
        count += 1
    return count

"""Enqueuing tasks. They are named by strings, because ``tasks`` imports the packages that enqueue them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Literal, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.module_loading import import_string

from django_hyber import outbox
from django_hyber.db.clock import NOW
from django_hyber.db.lease import is_due
from django_hyber.db.transactions import after_commit
from django_hyber.models import Batch, Message

TaskName = Literal[
    "submit_message", "submit_batch", "resolve_message", "resolve_batch", "fetch_media", "fetch_reports", "run_job"
]
#: A single message may be a one-time code, so it has the highest priority. Other tasks are below the default priority,
#: because Celery with Redis has none above it.
URGENT, BULK = 50, -50
#: A task that has not started within this time is considered lost.
ENQUEUED_FOR = timedelta(minutes=1)
_local = threading.local()
Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)


def enqueue(task: TaskName, *arguments: int) -> None:
    """Enqueue a task of ``django_hyber.tasks``. Single messages go first if the backend supports priorities.

    In tests with the outbox it is run at once, whatever the backend: no broker is needed.
    """
    if outbox.is_active():
        run_now(task, *arguments)
        return
    found = import_string(f"django_hyber.tasks.{task}")
    if found.get_backend().supports_priority:
        found = found.using(priority=URGENT if task == "submit_message" else BULK)
    found.enqueue(*arguments)


def run_now(task: TaskName, *arguments: int) -> None:
    """Call the function of the task in this process, without the task backend."""
    import_string(f"django_hyber.tasks.{task}").call(*arguments)


def enqueue_after_commit(task: TaskName, *arguments: int) -> None:
    """Enqueue the task after the commit. An error of the broker is logged and not raised."""
    after_commit(enqueue, task, *arguments)


def enqueue_row(task: TaskName, rows: QuerySet[Message] | QuerySet[Batch], pk: int, *arguments: int) -> None:
    """Enqueue the task of a row whose ``enqueued_at`` is set. On failure, clear it so that the next sweep retries."""
    try:
        enqueue(task, pk, *arguments)
    except BaseException:
        rows.model._default_manager.filter(pk=pk).update(enqueued_at=None)
        raise


def enqueue_row_after_commit(task: TaskName, rows: QuerySet[Message] | QuerySet[Batch], pk: int) -> None:
    """Enqueue the task of a marked row after the commit. An error of the broker is logged and not raised."""
    after_commit(enqueue_row, task, rows, pk)


def due_to_enqueue(state: str, name: str = "state") -> Q:
    """Select due rows in this state whose task was not enqueued or is considered lost.

    The worker that claims or postpones a row clears ``enqueued_at``.
    """
    return Q(is_due(), Q(enqueued_at=None) | Q(enqueued_at__lt=NOW - ENQUEUED_FOR), **{name: state})


def mark_first(due_rows: QuerySet[Row], rows: QuerySet[Row]) -> int | None:
    """Mark the first of the sorted due rows as enqueued and return its primary key. It must still be among ``rows``."""
    for pk, enqueued_at in due_rows.values_list("pk", "enqueued_at")[:10]:
        # If another worker has just enqueued this row, the update matches nothing and the next row is tried.
        if rows.filter(pk=pk, enqueued_at=enqueued_at).update(enqueued_at=NOW):
            return int(pk)
    return None


def one_after_another(kind: str, item: Item, work: Callable[[Item], object]) -> None:
    """Work on the item, and then on items of the same kind that were enqueued in the meantime.

    A task backend that runs tasks immediately would otherwise nest them hundreds of levels deep.
    """
    waiting: deque[Item] | None = getattr(_local, kind, None)
    if waiting is not None:
        waiting.append(item)
        return
    waiting = deque([item])
    setattr(_local, kind, waiting)
    try:
        while waiting:
            work(waiting.popleft())
    finally:
        setattr(_local, kind, None)

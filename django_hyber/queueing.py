"""Where tasks are enqueued. Rooms below the tasks name them, for the tasks import those rooms."""

from __future__ import annotations

from typing import Literal

from django.db.models import QuerySet
from django.utils.module_loading import import_string

from django_hyber.db.transactions import after_commit
from django_hyber.models import Batch, Message

TaskName = Literal[
    "submit_message", "submit_batch", "resolve_message", "resolve_batch", "fetch_media", "fetch_reports", "run_job"
]
#: A person waits for a one-time code. All the rest can wait, for other tasks of the project as well: Celery over Redis
#: has no priority before its default one.
URGENT, BULK = 50, -50


def enqueue(task: TaskName, *arguments: int) -> None:
    """Enqueue one of the tasks in ``django_hyber.tasks``, single messages before all others if the backend can."""
    found = import_string(f"django_hyber.tasks.{task}")
    if found.get_backend().supports_priority:
        found = found.using(priority=URGENT if task == "submit_message" else BULK)
    found.enqueue(*arguments)


def run_now(task: TaskName, *arguments: int) -> None:
    """Do what the task would do, in this process and before this function returns."""
    import_string(f"django_hyber.tasks.{task}").call(*arguments)


def enqueue_after_commit(task: TaskName, *arguments: int) -> None:
    """Enqueue the task once the transaction is committed; a broker that is down must not fail the caller."""
    after_commit(enqueue, task, *arguments)


def nudge(task: TaskName, rows: QuerySet[Message] | QuerySet[Batch], pk: int, *arguments: int) -> None:
    """Enqueue the task for a row that is marked as enqueued. If the broker is down, the next sweep does it."""
    try:
        enqueue(task, pk, *arguments)
    except BaseException:
        rows.model._default_manager.filter(pk=pk).update(enqueued_at=None)
        raise


def nudge_after_commit(task: TaskName, rows: QuerySet[Message] | QuerySet[Batch], pk: int) -> None:
    """Enqueue the task once the row is committed; a broker that is down must not fail the caller."""
    after_commit(nudge, task, rows, pk)

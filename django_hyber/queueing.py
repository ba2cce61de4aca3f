"""Enqueuing tasks. They are referred to by name, because ``tasks`` imports the packages that enqueue them."""

from __future__ import annotations

from typing import Literal

from django.db.models import QuerySet
from django.utils.module_loading import import_string

from django_hyber.db.transactions import after_commit
from django_hyber.models import Batch, Message

TaskName = Literal[
    "submit_message", "submit_batch", "resolve_message", "resolve_batch", "fetch_media", "fetch_reports", "run_job"
]


def enqueue(task: TaskName, *arguments: int) -> None:
    """Enqueue one of the tasks in ``django_hyber.tasks``."""
    import_string(f"django_hyber.tasks.{task}").enqueue(*arguments)


def run_now(task: TaskName, *arguments: int) -> None:
    """Run the function of the task immediately, in this process."""
    import_string(f"django_hyber.tasks.{task}").call(*arguments)


def enqueue_after_commit(task: TaskName, *arguments: int) -> None:
    """Enqueue the task after the transaction is committed. A failure of the broker does not reach the caller."""
    after_commit(enqueue, task, *arguments)


def nudge(task: TaskName, rows: QuerySet[Message] | QuerySet[Batch], pk: int, *arguments: int) -> None:
    """Enqueue the task of a row that is marked as enqueued. If that fails, remove the mark: the next sweep retries."""
    try:
        enqueue(task, pk, *arguments)
    except BaseException:
        rows.model._default_manager.filter(pk=pk).update(enqueued_at=None)
        raise


def nudge_after_commit(task: TaskName, rows: QuerySet[Message] | QuerySet[Batch], pk: int) -> None:
    """Enqueue the task after the row is committed. A failure of the broker does not reach the caller."""
    after_commit(nudge, task, rows, pk)

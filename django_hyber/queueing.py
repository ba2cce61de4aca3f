"""Enqueuing tasks. They are named by strings, because ``tasks`` imports the packages that enqueue them."""

from __future__ import annotations

from typing import Literal

from django.db.models import QuerySet
from django.utils.module_loading import import_string

from django_hyber.db.transactions import after_commit
from django_hyber.models import Batch, Message

TaskName = Literal[
    "submit_message", "submit_batch", "resolve_message", "resolve_batch", "fetch_media", "fetch_reports", "run_job"
]
#: A single message may be a one-time code, so it has the highest priority. Other tasks are below the default priority,
#: because Celery with Redis has none above it.
URGENT, BULK = 50, -50


def enqueue(task: TaskName, *arguments: int) -> None:
    """Enqueue a task of ``django_hyber.tasks``. Single messages go first if the backend supports priorities."""
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

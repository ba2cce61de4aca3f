"""A backend that runs Django's tasks on Celery.

It uses the Celery app named in ``OPTIONS``, or ``django_hyber.celery.app`` if none is named.

    TASKS = {
        "default": {
            "BACKEND": "django_hyber.celery.backend.CeleryBackend",
            "OPTIONS": {"app": "shop.celery.app"},
        }
    }

Results are not stored. Celery's settings determine whether a task of a killed worker is run again: see
``docs/howto/celery.rst``.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from traceback import format_exception
from typing import Any

from celery import Celery, shared_task
from django.core.checks import CheckMessage, Error
from django.utils import timezone
from django.utils.module_loading import import_string

try:
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import (
        DEFAULT_TASK_PRIORITY,
        DEFAULT_TASK_QUEUE_NAME,
        TASK_MAX_PRIORITY,
        TaskContext,
        TaskError,
        TaskResult,
        TaskResultStatus,
    )
    from django.tasks.signals import task_enqueued, task_finished, task_started
except ImportError:  # Django 5.2
    from django_tasks.backends.base import BaseTaskBackend  # type: ignore[assignment]
    from django_tasks.base import (  # type: ignore[assignment]
        DEFAULT_TASK_PRIORITY,
        DEFAULT_TASK_QUEUE_NAME,
        TASK_MAX_PRIORITY,
        TaskContext,
        TaskError,
        TaskResult,
        TaskResultStatus,
    )
    from django_tasks.signals import task_enqueued, task_finished, task_started

OWN_APP = "django_hyber.celery.app.app"
RUN_TASK = "django_hyber.run_task"
MAX_CELERY_PRIORITY = 9


class CeleryBackend(BaseTaskBackend):
    """Enqueues tasks of Django's default queue in Celery's default queue, and others in the queue of the same name."""

    supports_async_task = True
    supports_defer = True
    supports_priority = True

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Send the task to the broker."""
        self.validate_task(task)
        result = replace(new_result(task, str(uuid.uuid4()), args, kwargs), enqueued_at=timezone.now())
        self.app.tasks[RUN_TASK].apply_async(
            [task.module_path, result.args, result.kwargs],
            task_id=result.id,
            # The default queue of the Celery app may have another name.
            queue=None if task.queue_name == DEFAULT_TASK_QUEUE_NAME else task.queue_name,
            priority=self.translate_priority(task.priority),
            eta=task.run_after,
            # Logs and monitors show this name.
            shadow=task.module_path,
        )
        task_enqueued.send(type(self), task_result=result)
        return result

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Report a Celery app that cannot be imported."""
        name = self.options.get("app", OWN_APP)
        try:
            wrong = "" if isinstance(self.app, Celery) else "it is no Celery app"
        except ImportError as error:
            wrong = str(error)
        if not wrong:
            return [*super().check(**kwargs)]
        return [
            Error(
                f"TASKS names {name!r} as the Celery app, which cannot be used, so nothing can be sent: {wrong}.",
                hint='Set OPTIONS to {"app": "shop.celery.app"}, with the path of your app, or omit it.',
                id="django_hyber.E017",
            )
        ]

    @cached_property
    def app(self) -> Celery:
        """The Celery app. It is imported when the first task is enqueued."""
        app: Celery = import_string(self.options.get("app", OWN_APP))
        return app

    def translate_priority(self, priority: int) -> int | None:
        """Map Django's priorities (-100 to 100) to those of the broker.

        Positive ones are mapped to the range from the app's default priority to the broker's highest one, negative ones
        to the range down to the lowest one. Returns None for Django's default, so that Celery uses its own.
        """
        if priority == DEFAULT_TASK_PRIORITY:
            return None
        default: int = self.app.conf.task_default_priority or 0
        highest, lowest = self._limits
        limit = highest if priority > 0 else lowest
        steps = math.ceil(abs(limit - default) * abs(priority) / TASK_MAX_PRIORITY)
        return default + steps if limit > default else default - steps

    @cached_property
    def _limits(self) -> tuple[int, int]:
        """The broker's highest and lowest priority. With Redis, Celery processes 0 first."""
        if self.app.connection_for_write().transport.driver_type == "redis":
            return 0, MAX_CELERY_PRIORITY
        return self.app.conf.task_queue_max_priority or MAX_CELERY_PRIORITY, 0


def new_result(task: Any, pk: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult[..., Any]:
    """Return the TaskResult of a task that has not started."""
    return TaskResult(
        task=task,
        id=pk,
        status=TaskResultStatus.READY,
        enqueued_at=None,
        started_at=None,
        last_attempted_at=None,
        finished_at=None,
        args=list(args),
        kwargs=dict(kwargs),
        backend=task.backend,
        errors=[],
        worker_ids=[],
    )


@shared_task(bind=True, name=RUN_TASK, ignore_result=True)  # type: ignore[untyped-decorator]
def run_task(self: Any, path: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Run one of Django's tasks in a worker."""
    task = import_string(path)
    now, worker = timezone.now(), str(self.request.hostname)
    result = replace(
        new_result(task, self.request.id, args, kwargs),
        status=TaskResultStatus.RUNNING,
        started_at=now,
        last_attempted_at=now,
        worker_ids=[worker],
    )
    backend = type(task.get_backend())
    task_started.send(backend, task_result=result)
    try:
        task.call(*([TaskContext(task_result=result)] if task.takes_context else []), *args, **kwargs)
    except Exception as error:
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        errors = [TaskError(exception_class_path=name, traceback="".join(format_exception(error)))]
        failed = replace(result, status=TaskResultStatus.FAILED, finished_at=timezone.now(), errors=errors)
        task_finished.send(backend, task_result=failed)
        raise
    done = replace(result, status=TaskResultStatus.SUCCESSFUL, finished_at=timezone.now())
    task_finished.send(backend, task_result=done)

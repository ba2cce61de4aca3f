"""Django's tasks on Celery, with a worker in a thread of this process; tests/processes has real ones."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from datetime import timedelta

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from django.utils import timezone

from django_hyber.celery.backend import CeleryBackend
from tests.celery import project
from tests.processes.programs import wait_until

try:
    from django.tasks import TaskResultStatus, default_task_backend
    from django.tasks.signals import task_enqueued, task_finished, task_started
except ImportError:  # Django 5.2
    from django_tasks import TaskResultStatus, default_task_backend
    from django_tasks.signals import task_enqueued, task_finished, task_started

DONE = project.done


@pytest.fixture
def own_app(settings):
    """The tasks go to the project's own app."""
    options = {"BACKEND": "django_hyber.celery.backend.CeleryBackend", "OPTIONS": {"app": "tests.celery.project.app"}}
    settings.TASKS = {"default": options | {"QUEUES": ["default", "reports"]}}
    yield
    DONE.clear()


@pytest.fixture(scope="module")
def running_worker(django_db_setup, django_db_blocker):
    # A worker takes the root logger over; without its own level and handlers, later tests would see no log.
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    with ExitStack() as stack:
        stack.callback(setattr, root, "handlers", handlers)
        stack.callback(root.setLevel, level)
        # It checks the models first, and Django may ask the database what it supports.
        with django_db_blocker.unblock():
            stack.enter_context(start_worker(project.app, perform_ping_check=False, shutdown_timeout=10))
        yield


@pytest.fixture
def worker(running_worker, own_app):
    """A worker of the project, which takes what is in Celery's default queue."""


@pytest.fixture
def hear():
    """A function that collects what a signal says of tasks."""

    def collect(signal):
        heard = []
        receivers.append((signal, lambda task_result, **kwargs: heard.append(task_result)))
        signal.connect(receivers[-1][1], weak=False)
        return heard

    receivers = []
    yield collect
    for signal, receiver in receivers:
        signal.disconnect(receiver)


def backend(**conf):
    app = Celery(set_as_current=False)
    app.conf.update(conf)
    backend = CeleryBackend("default", {})
    backend.app = app
    return backend


def test_worker_of_the_project_runs_tasks_of_both_kinds(worker):
    project.plain.enqueue(1, name="Olena")
    project.by_celery.delay()
    wait_until(lambda: len(DONE) == 2)

    assert DONE == [((1,), {"name": "Olena"}), "by_celery"]


def test_coroutine_is_run_to_its_end(worker):
    project.coroutine.enqueue()
    wait_until(lambda: DONE)

    assert DONE == ["coroutine"]


def test_task_that_takes_context_gets_it(worker):
    result = project.contextual.enqueue()
    wait_until(lambda: DONE)
    ((attempt, pk, (worker_id,)),) = DONE

    assert (attempt, pk) == (1, result.id)
    assert worker_id


def test_deferred_task_waits_for_its_time(worker):
    start = time.monotonic()
    project.plain.using(run_after=timezone.now() + timedelta(seconds=1)).enqueue()
    wait_until(lambda: DONE)

    # Timers and clocks differ a little.
    assert time.monotonic() - start >= 0.8


def test_signals_follow_a_task_from_the_queue_to_its_end(worker, hear):
    enqueued, started, finished = hear(task_enqueued), hear(task_started), hear(task_finished)
    result = project.plain.enqueue(1)
    wait_until(lambda: finished)

    assert [seen[0].id for seen in (enqueued, started, finished)] == [result.id] * 3
    assert finished[0].status == TaskResultStatus.SUCCESSFUL


def test_failure_of_a_task_is_reported_with_its_error(worker, hear):
    finished = hear(task_finished)
    project.failing.enqueue()
    wait_until(lambda: finished)

    assert finished[0].status == TaskResultStatus.FAILED
    assert finished[0].errors[0].exception_class_path == "builtins.ValueError"
    assert "no such order" in finished[0].errors[0].traceback


def test_task_goes_to_the_queue_that_it_names(own_app):
    project.plain.using(queue_name="reports").enqueue()
    with project.app.connection_for_read() as connection:
        message = connection.SimpleQueue("reports").get(timeout=5)

    assert message.headers["shadow"] == "tests.celery.project.plain"


def test_project_without_an_app_uses_the_one_of_the_package(settings):
    settings.TASKS = {"default": {"BACKEND": "django_hyber.celery.backend.CeleryBackend"}}

    assert default_task_backend.app.main == "django_hyber"


def test_rabbitmq_begins_with_the_highest_number():
    amqp = backend(broker_url="amqp://")

    assert [amqp.translate_priority(priority) for priority in (100, 50, 1, 0, -1, -100)] == [9, 5, 1, None, 0, 0]


@pytest.mark.parametrize("scheme", ["redis", "rediss", "sentinel"])
def test_redis_begins_with_the_lowest_number(scheme):
    redis = backend(broker_url=f"{scheme}://127.0.0.1")

    assert [redis.translate_priority(priority) for priority in (100, 1, 0, -1, -50, -100)] == [0, 0, None, 1, 5, 9]


def test_priorities_lie_about_the_default_one_of_the_project():
    amqp = backend(broker_url="amqp://", task_default_priority=5, task_queue_max_priority=20)
    redis = backend(broker_url="redis://", task_default_priority=3)

    assert [amqp.translate_priority(priority) for priority in (100, 50, 0, -50, -100)] == [20, 13, None, 2, 0]
    assert [redis.translate_priority(priority) for priority in (100, 50, 0, -50, -100)] == [0, 1, None, 6, 9]

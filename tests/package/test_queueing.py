"""What a backend with an order begins with."""

from __future__ import annotations

import pytest

from django_hyber import tasks
from django_hyber.services import dispatch, send_message, start_campaign
from tests.builders import make_campaign
from tests.reconcile.test_queries_in_turn import make_unconfirmed
from tests.samples import phone
from tests.sending.test_order import CODE, collected, default_task_backend

try:
    from django.tasks.backends.dummy import DummyBackend
except ImportError:  # Django 5.2
    from django_tasks.backends.dummy import DummyBackend

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["collected"]


class Unordered(DummyBackend):
    """Collects tasks and knows no priorities: it refuses a task that has one."""

    supports_priority = False


def priorities():
    return {result.task.name: result.task.priority for result in default_task_backend.results}


def test_backend_begins_with_single_messages_and_ends_with_batches_and_queries(collected):
    campaign = start_campaign(make_campaign([phone(1), phone(2), phone(3)]))
    *_, message, _ = make_unconfirmed(5)
    dispatch()
    default_task_backend.clear()
    tasks.submit_batch.call(campaign.batches.first().pk)
    tasks.resolve_message.call(message, 1)
    send_message(phone(4), CODE)

    assert priorities()["submit_message"] > 0 > priorities()["submit_batch"] == priorities()["resolve_message"]


def test_backend_without_priorities_gets_its_tasks_as_they_come(platform, settings):
    settings.TASKS = {"default": {"BACKEND": f"{__name__}.Unordered"}}
    start_campaign(make_campaign([phone(1)]))
    send_message(phone(2), CODE)

    assert priorities() == {"submit_batch": 0, "submit_message": 0}

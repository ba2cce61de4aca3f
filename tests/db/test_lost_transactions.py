"""The database fails at the moment at which the platform has answered: a deadlock, a restart, a file that is locked."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import get_args

import pytest
from django.db import OperationalError, connection
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string

from django_hyber import tasks
from django_hyber.campaigns.copy import CopyAudience, copy_once
from django_hyber.campaigns.retry import retry_once, retry_selected_once
from django_hyber.db import transactions
from django_hyber.models import Batch, Campaign, DeliveryReport, Message, Reply, Suppression, UnreadableCallback
from django_hyber.protocol import SMS, HyberClient
from django_hyber.queueing import TaskName
from django_hyber.reconcile import unconfirmed
from django_hyber.services import (
    apply_delivery_reports,
    apply_replies,
    fetch_reports,
    keep_unreadable_body,
    retry_failed,
    send_message,
    start_campaign,
)
from django_hyber.signals import message_status_changed
from tests.builders import make_campaign, make_known, statuses
from tests.conftest import TOKEN
from tests.samples import phone, report

pytestmark = pytest.mark.django_db(transaction=True)
CODE = [SMS(text="Code 1234", alpha_name="SHOP", ttl=300)]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transactions, "PAUSES", (0.0, 0.0))


def failing(table, times):
    """Let the next UPDATEs of the table fail as in a deadlock: the transaction is rolled back."""
    return failing_statements("UPDATE", table, "SET", times)


def failing_insert(table, times):
    """Let the next INSERTs into the table fail in the same way."""
    return failing_statements("INSERT", table, "SELECT", times)


@contextmanager
def failing_statements(verb, table, end, times):
    failures = []

    def fail(execute, sql, *arguments):
        if sql.startswith(verb) and table in sql.partition(end)[0] and len(failures) < times:
            failures.append(sql)
            raise OperationalError("Deadlock found when trying to get lock")
        return execute(sql, *arguments)

    with connection.execute_wrapper(fail):
        yield
    assert len(failures) == times


@contextmanager
def failing_after_the_request(monkeypatch, method, table, times=1):
    original = getattr(HyberClient, method)
    with ExitStack() as trouble:

        def send(client, body, before_write):
            before_write()
            trouble.enter_context(failing(table, times))
            return original(client, body)

        monkeypatch.setattr(HyberClient, method, send)
        yield


@pytest.mark.parametrize("table", ["django_hyber_message", "django_hyber_batch"])
def test_answer_to_a_batch_is_written_down_although_a_deadlock_undid_it(platform, monkeypatch, table):
    with failing_after_the_request(monkeypatch, "send_broadcast_sync", table):
        campaign = start_campaign(make_campaign([phone(1), phone(2, "92")]))

    assert statuses(campaign) == ["accepted", "rejected"]
    assert campaign.status == "finished"


@pytest.mark.parametrize(("outcome", "end"), [("00", "accepted"), ("92", "rejected"), ("98", "queued")])
def test_answer_to_a_single_message_is_written_down_although_a_deadlock_undid_it(platform, monkeypatch, outcome, end):
    with failing_after_the_request(monkeypatch, "send_single", "django_hyber_message", times=2):
        message = send_message(phone(1, outcome), CODE)

    message.refresh_from_db()
    assert (message.status, message.attempts, message.lease_until) == (end, 1, None)


def test_query_about_an_unknown_outcome_is_sent_although_a_deadlock_undid_its_turn(platform):
    message = send_message(phone(1, "94"), CODE)
    Message.objects.filter(pk=message.pk).update(due_at=None)
    with failing("django_hyber_message", times=1):
        unconfirmed.resolve_message(message.pk)

    message.refresh_from_db()
    assert message.status != "unconfirmed"


@contextmanager
def failing_once():
    """Let every UPDATE fail as in a deadlock when it is made for the first time."""
    failed = set()

    def fail(execute, sql, *arguments):
        if sql.startswith("UPDATE") and sql not in failed:
            failed.add(sql)
            raise OperationalError("Deadlock found when trying to get lock")
        return execute(sql, *arguments)

    with connection.execute_wrapper(fail):
        yield
    assert failed


@pytest.mark.parametrize(("fault", "end"), [("drop_answer", "delivered"), ("drop_request", "queued")])
def test_outcome_of_a_message_is_found_out_although_a_deadlock_undid_every_write(platform, monkeypatch, fault, end):
    monkeypatch.setattr(transactions, "PAUSES", (0.0,) * 9)
    make_known()
    platform.fault(fault, paths=("single",))
    message = send_message(phone(1), CODE)
    for _ in range(2):
        time.sleep(0.01)
        Message.objects.filter(status="unconfirmed").update(due_at=None)
        with failing_once():
            tasks.resolve_message.call(message.pk)
        message.refresh_from_db()
        if message.status == end:
            return
    raise AssertionError(message.status)


@pytest.mark.parametrize(("fault", "end"), [("drop_answer", "done"), ("drop_request", "pending")])
def test_outcome_of_a_batch_is_found_out_although_a_deadlock_undid_every_write(platform, monkeypatch, fault, end):
    monkeypatch.setattr(transactions, "PAUSES", (0.0,) * 9)
    make_known()
    platform.fault(fault, paths=("bulk",))
    batch = start_campaign(make_campaign([phone(1), phone(2)])).batches.get()
    for _ in range(2):
        time.sleep(0.01)
        Batch.objects.update(due_at=None)
        with failing_once():
            tasks.resolve_batch.call(batch.pk)
        batch.refresh_from_db()
        if batch.state == end:
            return
    raise AssertionError(batch.state)


def test_launch_and_retry_and_copy_are_made_although_a_deadlock_undid_them(platform, admin_user):
    campaign = make_campaign([phone(1, "92")])
    with failing("django_hyber_campaign", times=2):
        start_campaign(campaign)
    assert statuses(campaign) == ["rejected"]
    with failing("django_hyber_message", times=2):
        retry_failed(campaign)
    assert campaign.run == 2
    with failing("django_hyber_message", times=1):
        retry_once(campaign, [("rejected", 36024)], run=2, user=admin_user)
    with failing("django_hyber_message", times=1):
        retry_selected_once(campaign, campaign.messages.all(), run=3, user=admin_user)
    assert Campaign.objects.get().run == 4
    with failing_insert("django_hyber_campaign", times=1):
        copy, _is_new = copy_once(campaign, name="Copy", audience=CopyAudience.EVERYBODY, user=admin_user)

    assert copy.messages.count() == 1


def test_report_is_fetched_although_a_deadlock_undid_the_turn(platform):
    message = send_message(phone(1), CODE)
    Message.objects.filter(pk=message.pk).update(accepted_at=timezone.now() - timedelta(hours=1))
    with failing("django_hyber_message", times=1):
        fetched = fetch_reports()

    assert fetched.queried == 1


def test_trouble_that_does_not_end_is_left_to_the_sweep(platform, monkeypatch):
    with failing_after_the_request(monkeypatch, "send_single", "django_hyber_message", times=3):
        message = send_message(phone(1), CODE)

    message.refresh_from_db()
    assert message.status == "sending"
    assert message.lease_until


@pytest.mark.parametrize("name", get_args(TaskName))
def test_no_task_goes_on_with_a_connection_that_an_earlier_one_has_lost(platform, monkeypatch, name):
    run = import_string(f"django_hyber.tasks.{name}").call
    arguments = [] if name == "fetch_reports" else [0]
    closed = []
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    monkeypatch.setattr(connection, "close", lambda: closed.append(connection.errors_occurred))
    run(*arguments)
    assert closed == []

    monkeypatch.setattr(connection, "errors_occurred", True)
    run(*arguments)
    assert closed == [True]


@pytest.mark.parametrize("together", [True, False])
def test_callback_of_reports_is_stored_and_counted_once_after_a_deadlock(together):
    messages = [
        Message.objects.create(phone_number=phone(number), extra_id=f"own-{number}", status="accepted")
        for number in range(3)
    ]
    reports = [report(message) for message in messages]
    with failing("django_hyber_message", 2):
        results = [apply_delivery_reports(body) for body in ([reports] if together else [[item] for item in reports])]

    assert sum(result.stored for result in results) == sum(result.changed for result in results) == 3
    assert set(Message.objects.values_list("status", flat=True)) == {"delivered"}


def test_callback_of_replies_is_stored_once_after_a_deadlock():
    with failing_insert("django_hyber_suppression", 2):
        assert apply_replies([{"phone": phone(1), "text_from_subscriber": "стоп", "time": "2026-01-01 10:00:00"}]) == 1

    assert (Reply.objects.count(), Suppression.objects.count()) == (1, 1)


def test_unreadable_callback_is_kept_once_after_a_deadlock():
    with failing_insert("django_hyber_unreadablecallback", 2):
        keep_unreadable_body("reports", b"{", "The body is not JSON.")

    assert UnreadableCallback.objects.count() == 1


def test_callback_that_fails_for_longer_is_answered_500_and_its_reports_are_stored(client):
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", status="accepted")
    client.raise_request_exception = False
    with failing("django_hyber_message", 3):
        response = client.post(
            reverse("django_hyber:reports", args=[TOKEN]), json.dumps(report(message)), content_type="application/json"
        )

    assert response.status_code == 500
    assert DeliveryReport.objects.count() == 1


def test_receivers_hear_once_of_a_report_that_was_retried():
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", status="accepted")
    heard = []

    def receiver(sender, message, **kwargs):
        heard.append(message.status)

    message_status_changed.connect(receiver)
    with failing("django_hyber_message", 1):
        apply_delivery_reports([report(message)])
    message_status_changed.disconnect(receiver)

    assert heard == ["delivered"]

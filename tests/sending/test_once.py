"""A single message that is sent once for its extra id, cancelled, or sent from asynchronous code."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connection, connections, transaction

from django_hyber.errors import ExtraIdError
from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.services import (
    asend_message,
    cancel_message,
    import_recipients,
    purge_personal_data,
    send_message,
)
from django_hyber.signals import message_status_changed
from django_hyber.tasks import submit_message
from tests.builders import call_async, posts
from tests.samples import PHONE, phone
from tests.truth.clients import in_own_connection

pytestmark = pytest.mark.django_db(transaction=True)

CHANNELS = [Viber(text="On its way", ttl=60), SMS(text="On its way", alpha_name="GMSU", ttl=300)]


@pytest.fixture
def unsent(platform, monkeypatch):
    """Messages stay queued: the task is lost."""
    monkeypatch.setattr(type(submit_message), "enqueue", lambda *args: None)
    return platform


def test_equal_request_returns_the_message_that_exists_and_sends_nothing(platform):
    first = send_message(PHONE, CHANNELS, extra_id="order-1", tag="shop", start_time="2020-01-01T10:00:00Z")
    again = send_message(f"+{PHONE}", CHANNELS, extra_id="order-1", tag="shop", start_time="2020-01-01T10:00:00Z")

    assert again == first
    assert len(posts(platform)) == 1


NOON = datetime(2020, 1, 1, 12, 0, 0, 500_000, UTC)


@pytest.mark.parametrize(
    "start_time",
    [NOON, NOON.astimezone(timezone(timedelta(hours=2))), "2020-01-01T14:00:00+02:00", "2020-01-01 12:00:00Z"],
    ids=["datetime", "offset", "text", "space"],
)
def test_the_same_start_time_may_be_written_in_another_way(platform, start_time):
    first = send_message(PHONE, CHANNELS, extra_id="order-1", start_time="2020-01-01T12:00:00+00:00")

    assert send_message(PHONE, CHANNELS, extra_id="order-1", start_time=start_time) == first
    assert len(posts(platform)) == 1


@pytest.mark.parametrize(
    "start_time", ["2020-01-01T12:00:01Z", "2020-01-01T12:00:00", "2020-13-01T12:00:00Z", "noon", None]
)
def test_another_start_time_is_a_different_request(platform, start_time):
    send_message(PHONE, CHANNELS, extra_id="order-1", start_time="2020-01-01T12:00:00Z")

    with pytest.raises(ExtraIdError, match="content"):
        send_message(PHONE, CHANNELS, extra_id="order-1", start_time=start_time)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"phone_number": phone(2)}, "phone number"),
        ({"channels": CHANNELS[:1]}, "content"),
        ({"tag": "other"}, "content"),
        ({"callback_url": ""}, "content"),
    ],
)
def test_different_request_is_refused_by_name(platform, changes, difference):
    request = {"phone_number": PHONE, "channels": CHANNELS, "extra_id": "order-1"}
    send_message(**request)

    with pytest.raises(ExtraIdError, match=f"order-1.*different {difference}"):
        send_message(**request | changes)
    assert len(posts(platform)) == 1


def test_extra_id_of_a_recipient_is_refused(platform):
    campaign = Campaign.objects.create(name="Sale")
    import_recipients(campaign, [{"phone": PHONE}])

    with pytest.raises(ExtraIdError, match="campaign"):
        send_message(PHONE, CHANNELS, extra_id=campaign.messages.get().extra_id)


def test_other_account_is_a_different_request(platform, settings):
    settings.HYBER["promo"] = settings.HYBER["default"]
    send_message(PHONE, CHANNELS, extra_id="order-1")

    with pytest.raises(ExtraIdError, match="account"):
        send_message(PHONE, CHANNELS, extra_id="order-1", account="promo")


def test_error_names_neither_number_nor_text(platform):
    send_message(PHONE, CHANNELS, extra_id="order-1")

    with pytest.raises(ExtraIdError) as error:
        send_message(phone(2), [SMS(text="secret", alpha_name="GMSU", ttl=300)], extra_id="order-1")
    assert PHONE not in str(error.value)
    assert "secret" not in str(error.value)


def test_refusal_leaves_the_transaction_of_the_caller_usable(platform):
    send_message(PHONE, CHANNELS, extra_id="order-1")

    with transaction.atomic():
        with pytest.raises(ExtraIdError):
            send_message(phone(2), CHANNELS, extra_id="order-1")
        Campaign.objects.create(name="Stays")
    assert Campaign.objects.filter(name="Stays").exists()


def test_row_of_a_concurrent_call_is_found_after_the_insert_failed(platform, monkeypatch):
    """The other call commits between the look and the insert; the transaction of this one began before that."""
    look = Message.objects.all().__class__.first
    first = []

    def sent_by_another_thread():
        first.append(send_message(PHONE, CHANNELS, extra_id="order-1"))
        connections.close_all()

    def look_then_be_overtaken(rows):
        found = look(rows)
        if not first:
            monkeypatch.setattr(type(rows), "first", look)
            other = threading.Thread(target=sent_by_another_thread)
            other.start()
            other.join()
        return found

    monkeypatch.setattr(Message.objects.all().__class__, "first", look_then_be_overtaken)
    # SQLite has one writer at a time: nobody can come between in a transaction.
    with nullcontext() if connection.vendor == "sqlite" else transaction.atomic():
        Message.objects.count()
        again = send_message(PHONE, CHANNELS, extra_id="order-1")
        Campaign.objects.create(name="Stays")

    assert [again] == first
    assert len(posts(platform)) == 1
    assert Campaign.objects.filter(name="Stays").exists()


def test_two_threads_with_one_extra_id_send_once(platform):
    def send():
        found.append(send_message(PHONE, CHANNELS, extra_id="order-1").pk)
        connections.close_all()

    found = []
    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert len(set(found)) == 1
    assert len(posts(platform)) == 1


def test_threads_with_one_extra_id_in_transactions_of_their_own_all_get_the_message(platform):
    def send(number):
        with transaction.atomic():
            Campaign.objects.create(name=f"Order {number}")
            return send_message(PHONE, CHANNELS, extra_id="order-1").pk

    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(in_own_connection(send), range(6)))

    assert len(found) == 1
    assert Campaign.objects.count() == 6
    assert len(posts(platform)) == 1


@pytest.mark.parametrize("other", ["Order-1", "order-1 ", "örder-1"])
def test_every_character_of_an_extra_id_counts(platform, other):
    message = send_message(PHONE, CHANNELS, extra_id="order-1")

    assert send_message(PHONE, CHANNELS, extra_id=other) != message
    assert len(posts(platform)) == 2


def test_repeated_request_after_a_purge_sends_nothing(platform):
    message = send_message(PHONE, CHANNELS, extra_id="order-1")
    Message.objects.update(status="delivered", finished_at="2020-01-01T00:00:00Z")
    purge_personal_data(timedelta(days=1))

    assert send_message(PHONE, CHANNELS, extra_id="order-1") == message
    assert len(posts(platform)) == 1


def test_own_rollback_frees_the_extra_id(platform):
    with transaction.atomic():
        send_message(PHONE, CHANNELS, extra_id="order-1")
        transaction.set_rollback(True)
    send_message(PHONE, CHANNELS, extra_id="order-1")

    assert len(posts(platform)) == 1


def test_cancelled_message_never_goes_out(unsent):
    message = send_message(PHONE, CHANNELS)

    assert cancel_message(message) is True
    assert message.status == "cancelled"
    assert message.finished_at
    submit_message.call(message.pk)
    assert posts(unsent) == []


def test_cancelling_twice_says_the_same(unsent):
    message = send_message(PHONE, CHANNELS)

    assert [cancel_message(message), cancel_message(message)] == [True, True]


def test_sent_message_cannot_be_cancelled(platform):
    message = send_message(PHONE, CHANNELS)

    assert cancel_message(message) is False
    assert message.status == "accepted"


def test_message_that_a_worker_has_claimed_cannot_be_cancelled(unsent):
    message = send_message(PHONE, CHANNELS)
    Message.objects.filter(pk=message.pk).update(status="sending")

    assert cancel_message(message) is False
    message.refresh_from_db()
    assert message.status == "sending"


def test_message_cancelled_in_the_transaction_that_made_it_is_not_sent(platform):
    with transaction.atomic():
        message = send_message(PHONE, CHANNELS)
        assert cancel_message(message)

    assert posts(platform) == []


def test_cancellation_is_announced(unsent):
    def note(sender, old_status, new_status, **kwargs):
        changes.append((old_status, new_status))

    changes = []
    message_status_changed.connect(note)
    try:
        cancel_message(send_message(PHONE, CHANNELS))
    finally:
        message_status_changed.disconnect(note)

    assert changes == [("queued", "cancelled")]


def test_recipient_of_a_campaign_is_not_cancelled_alone(platform):
    campaign = Campaign.objects.create(name="Sale")
    import_recipients(campaign, [{"phone": PHONE}])

    with pytest.raises(ValueError, match="cancel_campaign"):
        cancel_message(campaign.messages.get())


def test_cancelling_races_with_workers_and_each_message_has_one_winner(unsent):
    messages = [send_message(phone(number), CHANNELS) for number in range(12)]

    def work():
        for message in messages:
            submit_message.call(message.pk)
        connections.close_all()

    worker = threading.Thread(target=work)
    worker.start()
    cancelled = [int(message.phone_number) for message in reversed(messages) if cancel_message(message)]
    worker.join()

    sent = [body["phone_number"] for body in posts(unsent)]
    assert sorted(sent + cancelled) == sorted(int(message.phone_number) for message in messages)


def test_message_is_sent_from_asynchronous_code(platform):
    message = call_async(asend_message, PHONE, CHANNELS, extra_id="order-1")

    message.refresh_from_db()
    assert (message.extra_id, message.status) == ("order-1", "accepted")

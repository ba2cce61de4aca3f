"""Signals at least once: what a process has not sent, a sweep sends."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction
from django.utils import timezone

from django_hyber import announce
from django_hyber.models import Announcement, Campaign, DeliveryReport, Message
from django_hyber.services import (
    apply_delivery_reports,
    apply_replies,
    cancel_campaign,
    dispatch,
    pause_campaign,
    purge_personal_data,
    retry_failed,
    send_message,
    start_campaign,
)
from django_hyber.signals import campaign_finished, message_status_changed, reply_received
from tests.builders import CHANNELS, make_campaign
from tests.queries import statements_of
from tests.samples import phone, report

pytestmark = pytest.mark.django_db(transaction=True)

SIGNALS = (message_status_changed, reply_received, campaign_finished)


class Killed(KeyboardInterrupt):
    """What no ``except Exception`` catches."""


class Receiver:
    """Keeps what it is called with; ``fail`` is called before."""

    def __init__(self, fail=lambda: None):
        self.events = []
        self.fail = fail

    def __call__(self, sender, signal, event_id, **arguments):
        self.events.append((event_id, arguments))
        self.fail()

    # Django names a receiver that has failed in its log.
    __qualname__ = "Receiver"

    @property
    def ids(self):
        return [event_id for event_id, _arguments in self.events]


@contextmanager
def connected(receiver, *signals):
    for signal in signals or SIGNALS:
        signal.connect(receiver)
    try:
        yield receiver
    finally:
        for signal in signals or SIGNALS:
            signal.disconnect(receiver)


def die():
    raise Killed


def raise_error():
    raise RuntimeError("a bug of the project")


@pytest.fixture
def messages(platform):
    """Accepted, and known to the platform."""
    start_campaign(make_campaign([phone(number, "93") for number in range(60)]))
    return Message.objects.order_by("pk")


def reply(number):
    written = "2026-12-07 20:55:09"
    return {"phone": phone(number), "time": written, "channel": "viber", "text_from_subscriber": "Yes"}


def deliver(messages):
    return apply_delivery_reports([report(message) for message in messages])


def killed_at_the_first_call(function, *arguments):
    with connected(Receiver(die)) as receiver, pytest.raises(Killed):
        function(*arguments)
    return receiver


def let_leases_end():
    Announcement.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def test_changes_that_a_killed_process_has_not_announced_are_announced_by_the_sweep(messages):
    killed = killed_at_the_first_call(deliver, messages)
    let_leases_end()
    with connected(Receiver()) as receiver:
        assert dispatch().signals == 60

    said = {
        (arguments["message"].pk, arguments["old_status"], arguments["new_status"], arguments["report"].message_id)
        for _event_id, arguments in receiver.events
    }
    assert said == {(message.pk, "accepted", "delivered", f"platform-{message.extra_id}") for message in messages}
    assert len(set(receiver.ids)) == 60
    assert killed.ids == receiver.ids[:1]
    assert not Announcement.objects.exists()


def test_report_of_a_repeated_event_is_the_one_of_the_first_call(messages):
    killed = killed_at_the_first_call(deliver, messages[:1])
    let_leases_end()
    with connected(Receiver()) as receiver:
        dispatch()

    assert receiver.events[0][1]["report"] == killed.events[0][1]["report"]


def test_reply_that_was_not_announced_is_announced_by_the_sweep(platform):
    killed_at_the_first_call(apply_replies, [reply(1)])
    let_leases_end()
    with connected(Receiver(), reply_received) as receiver:
        dispatch()

    assert [arguments["reply"].text for _event_id, arguments in receiver.events] == ["Yes"]


def test_end_of_a_campaign_that_was_not_announced_is_announced_by_the_sweep(platform):
    campaign = make_campaign([phone(1)])
    with connected(Receiver(die), campaign_finished), pytest.raises(Killed):
        start_campaign(campaign)
    let_leases_end()
    with connected(Receiver(), campaign_finished) as receiver:
        dispatch()

    assert [arguments["campaign"] for _event_id, arguments in receiver.events] == [campaign]


def test_cancelled_recipients_are_announced_by_the_sweep_and_not_by_the_request_that_cancels(platform):
    campaign = make_campaign([phone(number) for number in range(60)], start_time=timezone.now() + timedelta(days=2))
    start_campaign(campaign)
    with connected(Receiver(), message_status_changed) as receiver:
        cancel_campaign(campaign)
        assert receiver.events == []
        dispatch()

    assert {arguments["new_status"] for _event_id, arguments in receiver.events} == {"cancelled"}
    assert len(set(receiver.ids)) == 60
    assert not Announcement.objects.exists()


def changes_of(receiver):
    return [(arguments["old_status"], arguments["new_status"]) for _event_id, arguments in receiver.events]


def test_retried_recipients_are_announced_before_they_are_sent_again(platform):
    campaign = start_campaign(make_campaign([phone(1, "92"), phone(2, "92")]))
    with connected(Receiver(), message_status_changed) as receiver:
        retry_failed(campaign)

    again = ("rejected", "queued")
    assert changes_of(receiver) == [again, again, ("queued", "rejected"), ("queued", "rejected")]


def test_single_message_that_has_to_wait_is_announced_at_each_step(platform):
    platform.fault("status", status=429, retry_after=0)
    with connected(Receiver(), message_status_changed) as receiver:
        message = send_message(phone(1), CHANNELS[1:])
        Message.objects.filter(pk=message.pk).update(due_at=None)
        dispatch()

    begins = ("queued", "sending")
    assert changes_of(receiver) == [begins, ("sending", "queued"), begins, ("sending", "accepted")]


def test_report_before_the_answer_is_announced_after_the_message_was_sending(wired):
    with connected(Receiver(), message_status_changed) as receiver:
        send_message(phone(1, "95"), CHANNELS[1:])
    wired.wait_idle()

    assert changes_of(receiver) == [("queued", "sending"), ("sending", "delivered")]
    assert [bool(arguments["report"]) for _event_id, arguments in receiver.events] == [False, True]


def test_nothing_is_stored_for_the_sweep_where_nobody_listens(platform):
    campaign = make_campaign([phone(1)], start_time=timezone.now() + timedelta(days=2))
    cancel_campaign(start_campaign(campaign))

    assert not Announcement.objects.exists()


@pytest.mark.parametrize("outcome", ["accepted", "rejected", "unconfirmed"])
def test_outcome_of_a_single_message_is_stored_with_its_announcement(platform, outcome):
    number = phone(1, {"accepted": "93", "rejected": "92", "unconfirmed": "94"}[outcome])
    killed_at_the_first_call(send_message, number, CHANNELS[1:])
    assert Message.objects.get().status == outcome
    let_leases_end()
    with connected(Receiver()) as receiver:
        announce.announce_pending()

    assert [arguments["new_status"] for _event_id, arguments in receiver.events] == ["sending", outcome]


def test_change_that_is_rolled_back_is_not_announced(messages):
    with connected(Receiver()) as receiver:
        with transaction.atomic():
            deliver(messages)
            transaction.set_rollback(True)
        dispatch()

    assert receiver.events == []
    assert not Announcement.objects.exists()


def test_sweep_leaves_what_a_running_process_announces(messages):
    with connected(Receiver(dispatch)) as receiver:
        deliver(messages)

    assert len(receiver.ids) == len(set(receiver.ids)) == 60


def test_two_sweeps_do_not_announce_the_same(messages):
    killed_at_the_first_call(deliver, messages)
    let_leases_end()
    with connected(Receiver(dispatch)) as receiver:
        dispatch()

    assert len(receiver.ids) == len(set(receiver.ids)) == 60


def test_slow_receiver_does_not_lose_its_lease(messages, monkeypatch):
    monkeypatch.setattr(announce, "LEASE", 0.6)

    def work():
        time.sleep(0.1)
        announce.announce_pending()

    with connected(Receiver(work)) as receiver:
        deliver(messages[:15])

    assert len(receiver.ids) == len(set(receiver.ids)) == 15


def test_process_that_has_lost_its_lease_leaves_the_rest_to_the_other(messages, monkeypatch):
    monkeypatch.setattr(announce, "LEASE", 0.3)

    def stand_still_once():
        if len(receiver.ids) == 1:
            time.sleep(0.4)
            announce.announce_pending()

    with connected(Receiver(stand_still_once)) as receiver:
        deliver(messages)

    first, *others = receiver.ids
    assert len(others) == len(set(others)) == 60
    assert first in others


def test_event_at_which_a_receiver_fails_is_repeated_twice_and_then_given_up(messages, caplog):
    with connected(Receiver(raise_error)) as receiver:
        deliver(messages[:1])
        for _ in range(5):
            let_leases_end()
            dispatch()

    assert len(receiver.ids) == 3
    assert set(receiver.ids) == {receiver.ids[0]}
    given_up = [entry.getMessage() for entry in caplog.records if "is not called again" in entry.getMessage()]
    assert len(given_up) == 1
    assert receiver.ids[0] in given_up[0]


def test_repetition_waits(messages):
    with connected(Receiver(raise_error)) as receiver:
        deliver(messages[:1])
        dispatch()

    assert len(receiver.ids) == 1


def test_only_the_events_at_which_a_receiver_failed_are_repeated(messages):
    def fail_at_the_third():
        if len(receiver.ids) == 3:
            raise_error()

    with connected(Receiver(fail_at_the_third)) as receiver:
        deliver(messages)
        let_leases_end()
        dispatch()

    assert len(receiver.ids) == 61
    assert receiver.ids[-1] == receiver.ids[2]
    assert not Announcement.objects.exists()


def test_receiver_without_a_name_may_fail(messages):
    heard = []

    def note(failing, event_id, **arguments):
        heard.append(event_id)
        if failing:
            raise_error()

    nameless = partial(note, True)
    message_status_changed.connect(nameless)
    try:
        deliver(messages)
    finally:
        message_status_changed.disconnect(nameless)

    assert len(heard) == 60


def test_receiver_that_kills_its_process_is_never_given_up(messages):
    killed_at_the_first_call(deliver, messages)
    for _ in range(5):
        let_leases_end()
        killed_at_the_first_call(announce.announce_pending)
    let_leases_end()
    with connected(Receiver()) as receiver:
        dispatch()

    assert len(receiver.ids) == 60


def test_process_without_receivers_leaves_the_events_to_one_that_has_them(messages):
    killed_at_the_first_call(deliver, messages)
    let_leases_end()
    with connected(Receiver(), reply_received, campaign_finished) as other:
        assert dispatch().signals == 0
    with connected(Receiver(), message_status_changed) as receiver:
        dispatch()

    assert other.events == []
    assert len(receiver.ids) == 60


def test_deleted_message_is_left_out(messages):
    killed_at_the_first_call(deliver, messages)
    let_leases_end()
    messages.first().delete()
    with connected(Receiver()) as receiver:
        dispatch()

    assert len(receiver.ids) == 59
    assert not Announcement.objects.exists()


def test_deleted_campaign_leaves_nothing_to_announce(messages):
    killed_at_the_first_call(deliver, messages)
    let_leases_end()
    Campaign.objects.all().delete()
    with connected(Receiver()) as receiver:
        dispatch()

    assert receiver.events == []
    assert not Announcement.objects.exists()


def test_purged_message_is_announced_without_its_report(messages):
    killed_at_the_first_call(deliver, messages)
    let_leases_end()
    Message.objects.update(finished_at="2020-01-01T00:00:00Z")
    purge_personal_data(timedelta(days=30))
    assert set(DeliveryReport.objects.values_list("phone_number", flat=True)) == {""}
    with connected(Receiver()) as receiver:
        dispatch()

    assert [(arguments["message"].phone_number, arguments["report"]) for _event_id, arguments in receiver.events] == [
        (None, None)
    ] * 60


def test_stored_events_have_no_personal_data(messages):
    killed_at_the_first_call(deliver, messages[:1])

    assert messages[0].phone_number not in str(Announcement.objects.values())


def test_purge_deletes_events_that_no_process_has_receivers_for(messages):
    killed_at_the_first_call(deliver, messages)
    Announcement.objects.update(lease_until=timezone.now() - timedelta(days=31))

    assert purge_personal_data(timedelta(days=30)).announcements == 1
    assert not Announcement.objects.exists()


def test_purge_leaves_the_events_of_the_last_day(messages):
    killed_at_the_first_call(deliver, messages)
    let_leases_end()

    assert purge_personal_data(timedelta(0)).announcements == 0
    assert Announcement.objects.exists()


def live_through_all(number):
    """Everything that can be announced."""
    campaign = start_campaign(make_campaign([phone(number, "93"), phone(number, "92")]))
    deliver(campaign.messages.filter(status="accepted"))
    apply_replies([reply(number)])
    later = make_campaign([phone(number)], start_time=timezone.now() + timedelta(days=2))
    cancel_campaign(pause_campaign(start_campaign(later)))
    for digits in ("93", "92", "94"):
        send_message(phone(number, digits), CHANNELS[1:])
    Message.objects.filter(status="unconfirmed").update(due_at=None)
    dispatch()


def test_everything_is_announced_with_an_id_of_its_own(platform):
    with connected(Receiver()) as receiver:
        live_through_all(1)

    said = [next(iter(arguments)) for _event_id, arguments in receiver.events]
    assert (said.count("message"), said.count("reply"), said.count("campaign")) == (11, 1, 1)
    assert len(receiver.ids) == len(set(receiver.ids))


def test_events_are_stored_in_the_transaction_of_their_change(platform):
    outside = []

    def watch(execute, sql, *arguments):
        if "hyber_announcement" in sql and sql.startswith("INSERT") and not connection.in_atomic_block:
            outside.append(sql)
        return execute(sql, *arguments)

    with connected(Receiver()) as receiver, connection.execute_wrapper(watch):
        live_through_all(1)

    assert receiver.ids
    assert outside == []


def about_announcements(statements):
    return [sql for sql in statements if "announcement" in sql]


def test_without_receivers_nothing_is_asked_of_the_table(platform):
    assert about_announcements(statements_of(live_through_all, 1)) == []
    with connected(Receiver()):
        assert about_announcements(statements_of(live_through_all, 2))


@pytest.mark.parametrize("function", [deliver, lambda messages: announce.announce_pending()], ids=["own", "sweep"])
def test_statements_do_not_grow_with_the_events_of_a_row(messages, function):
    first, others = messages[:1], messages[1:]
    counts = []
    for some in (first, others):
        if function is not deliver:
            killed_at_the_first_call(deliver, some)
            let_leases_end()
        with connected(Receiver()) as receiver:
            counts.append(len(about_announcements(statements_of(function, some))))
        assert len(receiver.ids) == len(some)

    assert counts[0] == counts[1]

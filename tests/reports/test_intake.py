from __future__ import annotations

import itertools
import random

import pytest
from django.db import DatabaseError

from django_hyber import announce
from django_hyber.models import Campaign, DeliveryReport, Message, UnreadableCallback
from django_hyber.protocol import SMS, Viber
from django_hyber.reports import intake as reports
from django_hyber.reports.early import rematch_reports
from django_hyber.services import apply_delivery_reports, dispatch, import_recipients
from django_hyber.signals import message_status_changed
from tests.samples import phone, report, sample

pytestmark = pytest.mark.django_db

VIBER = Viber(text="Hi", ttl=60)
TEXT = SMS(text="Hi", alpha_name="GMSU", ttl=300)
EARLIER, LATER = 1_700_000_000_000, 1_700_000_060_000
EXPIRED = {"status": 3, "substatus": 35, "hyber_status": 35015}
UNDELIVERED = {"status": 3, "substatus": 36, "hyber_status": 36001}


def make_message(number=1, *, channels=("viber", "sms"), **values):
    defaults = {
        "phone_number": phone(number),
        "extra_id": f"own-{number}",
        "status": "accepted",
        "content": {"channels": list(channels), "channel_options": {}},
    }
    return Message.objects.create(**defaults | values)


@pytest.fixture
def message():
    return make_message()


@pytest.fixture
def changes():
    """What receivers of message_status_changed are told."""
    heard = []

    def receiver(sender, message, old_status, new_status, report, **kwargs):
        heard.append((message.pk, old_status, new_status))

    message_status_changed.connect(receiver)
    yield heard
    message_status_changed.disconnect(receiver)


def apply(*reports, **options):
    result = apply_delivery_reports(list(reports), **options)
    for message in Message.objects.all():
        assert message.delivery_reports.count() <= len(reports) + 10
    return result


def state(message):
    message.refresh_from_db()
    return message.status, message.channel


def test_delivery_report_tells_status_and_channel(message):
    apply(report(message, sent_via="viber", hyber_status=23033))

    assert state(message) == ("delivered", "viber")
    assert message.hyber_status == 23033
    assert message.finished_at is not None


def test_report_gives_the_platform_id_to_a_message_that_has_none(message):
    apply(report(message, message_id="given-by-platform"))

    message.refresh_from_db()
    assert message.message_id == "given-by-platform"


def test_report_without_our_id_is_matched_by_the_platform_id():
    message = make_message(message_id="abc")
    apply(report(None, message_id="abc", number=message.phone_number))

    assert state(message) == ("delivered", "sms")


def test_string_and_integer_phone_are_the_same_fact(message):
    first = apply(report(message, number=int(message.phone_number)))
    second = apply(report(message, number=message.phone_number))

    assert (first.stored, second.stored, second.repeated) == (1, 0, 1)
    assert message.delivery_reports.count() == 1


def test_repeated_report_changes_and_fires_nothing(message, changes, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        apply(report(message), report(message))
        apply(report(message))

    assert changes == [(message.pk, "accepted", "delivered")]


def test_late_failure_report_does_not_undo_delivered(message):
    apply(report(message, time=LATER))
    apply(report(message, time=LATER + 1, **UNDELIVERED))

    assert state(message) == ("delivered", "sms")
    assert message.error_code is None


def test_delivery_after_a_failure_wins(message):
    apply(report(message, **EXPIRED))
    assert state(message) == ("expired", "")
    apply(report(message, time=LATER, sent_via="viber"))

    assert state(message) == ("delivered", "viber")
    assert (message.error_code, message.error_text) == (None, "")


def test_failed_channel_is_not_the_end_while_a_fallback_remains(message):
    apply(report(message, sent_via="viber", **EXPIRED))

    assert state(message) == ("accepted", "")
    assert message.finished_at is None


def test_failed_channel_of_a_campaign_is_not_the_end_while_a_fallback_remains():
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([VIBER, TEXT])
    import_recipients(campaign, [{"phone": phone(1)}])
    message = campaign.messages.get()
    apply(report(message, sent_via="viber", **EXPIRED))
    assert state(message)[0] == "accepted"
    apply(report(message, sent_via="sms", time=LATER, **EXPIRED))

    assert state(message)[0] == "expired"


def test_failure_of_the_last_channel_is_the_end(message):
    apply(report(message, sent_via="sms", **EXPIRED))

    assert state(message) == ("expired", "")
    assert message.error_code == 35015


def test_failure_without_a_channel_is_the_end(message):
    apply(report(message, sent_via="hyber", **UNDELIVERED))

    assert state(message)[0] == "undelivered"


def test_later_of_two_failures_tells_how_it_ended(message):
    apply(report(message, time=LATER, **UNDELIVERED), report(message, time=EARLIER, **EXPIRED))

    assert state(message)[0] == "undelivered"


def test_earlier_of_two_deliveries_tells_which_channel_won(message):
    apply(report(message, sent_via="sms", time=LATER))
    apply(report(message, sent_via="viber", time=EARLIER))

    assert state(message) == ("delivered", "viber")


def test_seen_code_of_the_account_makes_a_message_seen(message, settings):
    settings.HYBER = {"default": {"SEEN_CODES": [23099]}}
    apply(report(message, sent_via="viber"), report(message, time=LATER, sent_via="viber", hyber_status=23099))

    assert state(message) == ("seen", "viber")


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_order_of_the_reports_makes_no_difference(message, order):
    history = [
        report(message, time=EARLIER, sent_via="viber", **EXPIRED),
        report(message, time=EARLIER + 1, sent_via="sms", status=1, substatus=11, hyber_status=11000),
        report(message, time=LATER, sent_via="sms", total_sms_parts=3, delivered_sms_parts=2),
        report(message, time=LATER + 1, sent_via="sms", total_sms_parts=3, delivered_sms_parts=3, clicks=1),
    ]
    for index in order:
        apply(history[index])

    assert state(message) == ("delivered", "sms")
    assert (message.total_sms_parts, message.delivered_sms_parts, message.clicks) == (3, 3, 1)
    assert message.reported_at.timestamp() * 1000 == LATER
    assert message.delivery_reports.count() == 4


def test_report_of_an_unknown_message_waits_for_it():
    result = apply(report(None, extra_id="own-7", message_id="platform-7"))
    assert result.unknown == 1
    message = make_message(7)
    dispatch()

    assert state(message) == ("delivered", "sms")
    assert DeliveryReport.objects.get().message == message


def test_report_that_overtakes_our_own_answer_is_not_undone():
    message = make_message(status="sending", attempts=1)
    apply(report(message))

    assert state(message)[0] == "delivered"


def test_one_bad_item_does_not_cost_its_neighbours(message):
    other = make_message(2)
    result = apply(report(message), "rubbish", {"status": 2}, report(other))

    assert (result.stored, result.unreadable) == (2, 2)
    assert state(message)[0] == state(other)[0] == "delivered"
    assert UnreadableCallback.objects.filter(body__contains="rubbish").exists()


def test_control_characters_cost_nothing(message):
    odd = report(None, extra_id="A\x00B", message_id="\ud83d")
    result = apply(report(message), odd)

    assert result.stored == 2
    assert DeliveryReport.objects.exclude(message=message).get().extra_id == "AB"


def test_pending_report_proves_that_an_unconfirmed_message_was_taken():
    message = make_message(status="unconfirmed")
    apply(report(message, status=1, substatus=12, hyber_status=None))

    assert state(message)[0] == "accepted"


@pytest.mark.parametrize("name", ["doc_dr_callback_batch", "doc_dr_advanced", "doc_dr_simple", "doc_campaign_status"])
def test_every_spelling_of_the_vendor_is_applied(name):
    message = make_message(1, extra_id="AD-6640-7006", message_id="9f60ac8f-e721-5027-b838-e6fcb95fcd7a")
    payload = sample(name)
    items = payload if isinstance(payload, list) else payload.get("reports") or payload.get("messages") or [payload]
    apply(*items)

    assert state(message)[0] == "delivered"


def test_raw_report_is_kept_as_received(message):
    received = report(message, something_new={"deep": [1, "два"]})
    apply(received)

    assert message.delivery_reports.get().raw == received


def test_receiver_that_fails_costs_no_report(message, django_capture_on_commit_callbacks):
    def broken(**kwargs):
        raise RuntimeError("receiver's bug")

    message_status_changed.connect(broken)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            apply(report(message))
    finally:
        message_status_changed.disconnect(broken)

    assert state(message)[0] == "delivered"


@pytest.mark.parametrize("size", [10, 1_000])
def test_number_of_statements_does_not_grow_with_the_reports(size, django_assert_max_num_queries):
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([VIBER, TEXT])
    import_recipients(campaign, [{"phone": phone(number)} for number in range(size)])
    reports = [report(message, **EXPIRED) for message in campaign.messages.all()]
    random.Random(1).shuffle(reports)
    with django_assert_max_num_queries(12):
        result = apply_delivery_reports(reports)

    assert result.changed == size


def test_channel_that_was_seen_wins_over_the_one_that_delivered_first(message, settings):
    settings.HYBER = {"default": {"SEEN_CODES": [23099]}}
    apply(report(message, time=EARLIER), report(message, time=LATER, sent_via="viber", hyber_status=23099))

    assert state(message) == ("seen", "viber")


def test_our_id_comes_before_that_of_the_platform():
    meant, other = make_message(1, message_id="platform-1"), make_message(2, message_id="platform-1")
    apply(report(meant, message_id="platform-1"))

    assert (state(meant)[0], state(other)[0]) == ("delivered", "accepted")


def test_report_with_an_id_of_ours_that_the_message_does_not_have_moves_nothing():
    message = make_message(1, message_id="platform-1")
    result = apply(report(message, extra_id="not-ours", message_id="platform-1"))

    assert (result.unknown, state(message)[0]) == (1, "accepted")
    assert rematch_reports().matched == 0


def test_id_of_the_platform_that_two_messages_have_means_neither():
    messages = [make_message(number, message_id="platform-1") for number in (1, 2)]
    apply(report(None, message_id="platform-1"))

    assert [state(message)[0] for message in messages] == ["accepted", "accepted"]


def test_platform_id_of_a_message_is_kept(message):
    apply(report(message, message_id="first"), report(message, message_id="second", time=LATER))

    message.refresh_from_db()
    assert message.message_id == "first"


def test_numbers_below_zero_are_no_numbers(message):
    apply(report(message, clicks=-5, total_sms_parts=-1, delivered_sms_parts=-1))

    message.refresh_from_db()
    assert (message.status, message.clicks, message.total_sms_parts) == ("delivered", None, None)


def test_refusal_does_not_say_that_the_message_was_accepted():
    message = make_message(status="queued")
    apply(report(message, accepted=False, status=None, substatus=None, hyber_status=None, error_code=36024))

    message.refresh_from_db()
    assert (message.status, message.accepted_at) == ("rejected", None)


def test_report_that_waited_is_given_to_its_message_when_it_is_repeated():
    waiting = report(None, extra_id="own-1", message_id="platform-own-1", number=phone(1))
    apply(waiting)
    message = make_message()
    apply(waiting)

    assert state(message) == ("delivered", "sms")
    assert DeliveryReport.objects.get().message == message


def test_waiting_report_means_what_it_means_to_the_account_that_it_came_by(settings):
    settings.HYBER = {"default": {}, "promo": {"SEEN_CODES": [23011]}}
    apply(report(None, extra_id="own-1"), account="promo")
    message = make_message()
    dispatch()

    assert state(message)[0] == "seen"


def test_message_that_is_known_by_another_id_by_now_is_not_taken_by_phone(monkeypatch):
    """Another callback gives it its id after it was found and before it is locked."""
    message = make_message()
    as_it_is = reports.find_messages

    def find_messages(*arguments):
        found = as_it_is(*arguments)
        Message.objects.update(message_id="of-the-other")
        return found

    monkeypatch.setattr(reports, "find_messages", find_messages)
    apply(report(None, number=phone(1), message_id="unknown-id"))

    assert state(message)[0] == "accepted"
    assert DeliveryReport.objects.get().message is None


def test_receivers_get_the_report_that_made_the_change(message, django_capture_on_commit_callbacks):
    heard = []

    def receiver(sender, report, **kwargs):
        heard.append(report.channel)

    message_status_changed.connect(receiver)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            apply(report(message, time=LATER), report(message, sent_via="viber", **EXPIRED))
    finally:
        message_status_changed.disconnect(receiver)

    assert heard == ["sms"]


def test_what_changes_no_status_fires_nothing(message, changes, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        apply(report(message))
        apply(report(message, time=LATER, clicks=3))

    message.refresh_from_db()
    assert message.clicks == 3
    assert changes == [(message.pk, "accepted", "delivered")]


def test_trouble_with_some_costs_none_of_those_that_are_read_after_them(message, monkeypatch):
    monkeypatch.setattr(reports, "READ_AT_ONCE", 2)
    insert_rows = reports.insert_rows

    def fail_at_first(model, columns, rows):
        if any("bad" in row for row in rows):
            raise DatabaseError("gone")
        return insert_rows(model, columns, rows)

    monkeypatch.setattr(reports, "insert_rows", fail_at_first)
    with pytest.raises(DatabaseError, match="gone"):
        apply(report(extra_id="bad"), report(extra_id="bad too"), report(message))

    assert state(message)[0] == "delivered"


def test_counts_are_those_of_all_that_was_read(message, monkeypatch):
    monkeypatch.setattr(reports, "READ_AT_ONCE", 2)
    result = apply(report(message), 1, report(extra_id="other"), report(message), {})

    assert (result.received, result.stored, result.repeated) == (5, 2, 1)
    assert (result.unknown, result.unreadable, result.changed) == (1, 2, 1)


def test_trouble_with_telling_costs_no_report(message, changes, monkeypatch, django_capture_on_commit_callbacks):
    def fail(*arguments):
        raise DatabaseError("gone")

    monkeypatch.setattr(announce, "_announce_all", fail)
    with django_capture_on_commit_callbacks(execute=True):
        apply(report(message))

    assert state(message)[0] == "delivered"

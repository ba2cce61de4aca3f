from __future__ import annotations

import re

import pytest
from django.db import connection
from django.utils import timezone

from django_hyber.models import Message
from django_hyber.services import apply_delivery_reports
from tests.samples import report

LIST = "/admin/django_hyber/message/"
PHONE = "380671234567"


@pytest.fixture
def message(draft):
    return Message.objects.create(
        campaign=draft,
        phone_number=PHONE,
        extra_id="order-7",
        variables={"name": "Олена"},
        status="accepted",
        accepted_at="2023-11-14T22:00:00Z",
    )


def page_of(client, message):
    return client.get(f"{LIST}{message.pk}/change/").content.decode()


def steps(page):
    return re.findall(r'<li data-stage="([\w-]+)"( data-won)?>', page)


def test_the_way_of_a_message_is_told_in_order(admin_client, message):
    expired = {"status": 3, "substatus": 35, "hyber_status": 35015}
    apply_delivery_reports([report(message, sent_via="viber", **expired), report(message, time=1_700_000_060_000)])

    page = page_of(admin_client, message)

    assert steps(page) == [("written", ""), ("accepted", ""), ("failed", ""), ("delivered", " data-won")]
    assert page.index("not delivered in time (35015)") < page.index("delivered: SMS delivered (23011)")


def test_first_channel_does_not_wait_for_earlier_ones(admin_client, message):
    Message.objects.update(status="queued", accepted_at=None)
    page = page_of(admin_client, message)

    assert steps(page)[-2:] == [("first", ""), ("next", "")]
    assert page.count("tried if the earlier channels fail") == page.count("tried first") > 0


def test_reports_about_an_attempt_before_a_retry_are_marked(admin_client, message):
    expired = {"status": 3, "substatus": 35, "hyber_status": 35015}
    apply_delivery_reports([report(message, sent_via="viber", **expired)])
    note = "Reports about an earlier attempt do not change the status."
    assert note not in page_of(admin_client, message)
    Message.objects.filter(pk=message.pk).update(extra_id="second", message_id=None, status="accepted")
    message.refresh_from_db()
    apply_delivery_reports([report(message, time=1_700_000_060_000)])

    page = page_of(admin_client, message)

    assert note in page
    assert page.count("(earlier attempt)") == 1
    assert "not delivered in time (earlier attempt)" in page


def test_channel_before_the_one_that_delivered_is_said_to_have_failed(admin_client, message):
    apply_delivery_reports([report(message)])

    page = page_of(admin_client, message)
    assert steps(page) == [("written", ""), ("accepted", ""), ("inferred", ""), ("delivered", " data-won")]
    assert "not delivered: a later channel was tried" in page


def test_a_message_that_two_channels_delivered_is_said_to_be_paid_twice(admin_client, message):
    apply_delivery_reports([report(message), report(message, sent_via="viber", hyber_status=23033)])

    assert "Delivered by Viber and SMS: you pay for each of them." in page_of(admin_client, message)


def test_missing_parts_of_an_sms_are_named(admin_client, message):
    apply_delivery_reports([report(message, total_sms_parts=3, delivered_sms_parts=2)])

    assert "Only 2 of 3 parts of the SMS were delivered." in page_of(admin_client, message)
    assert "Only 2 of 3 parts of the SMS were delivered." in admin_client.get(LIST).content.decode()


@pytest.mark.parametrize(
    "whole",
    [
        {"total_sms_parts": 3, "delivered_sms_parts": 3},
        {"sent_via": "viber", "total_sms_parts": 3},
        {"status": 3, "substatus": 36, "hyber_status": 36001, "total_sms_parts": 3, "delivered_sms_parts": 2},
        {},
    ],
)
def test_what_is_not_partly_delivered_does_not_say_so(admin_client, message, whole):
    apply_delivery_reports([report(message, **whole)])

    assert "parts of the SMS were delivered" not in admin_client.get(LIST).content.decode()


def test_the_request_is_there_for_the_vendors_support(admin_client, message):
    page = page_of(admin_client, message)

    assert "&quot;recipients&quot;" in page
    assert PHONE in page


def test_whoever_may_not_see_personal_data_sees_none_of_it(client, log_in, message):
    apply_delivery_reports([report(message)])
    log_in("view_message")

    page = page_of(client, message)

    assert "order-7" in page
    assert "38067•••••67" in page
    assert PHONE not in page
    assert "Олена" not in page


def test_messages_of_which_no_report_ever_came_can_be_listed(admin_client, message, draft, add_recipients):
    add_recipients(draft, 2, status="delivered")
    [silent] = add_recipients(draft, 1, status="accepted", given_up_at=timezone.now())

    def listed(kind):
        return list(admin_client.get(LIST, {"report": kind}).context["cl"].result_list)

    assert listed("given up") == [silent]
    assert listed("awaited") == [message]


def test_the_page_takes_the_same_queries_whatever_its_history(admin_client, message, django_assert_num_queries):
    # The request that it shows would begin by the clock of the database, for which SQLite is not asked.
    clock = 0 if connection.vendor == "sqlite" else 1
    # Content types are read once.
    page_of(admin_client, message)
    for count in (1, 40):
        apply_delivery_reports([report(message, time=1_700_000_000_000 + 1_000 * second) for second in range(count)])
        with django_assert_num_queries(16 + clock):
            page_of(admin_client, message)

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from django_hyber.models import Campaign, Message
from django_hyber.services import apply_delivery_reports

LIST = "/admin/django_hyber/message/"


def listed(response):
    return list(response.context["cl"].result_list)


@pytest.fixture
def message(draft):
    return Message.objects.create(
        campaign=draft, phone_number="380671234567", extra_id="order-7", message_id="m-7", variables={"name": "Олена"}
    )


@pytest.fixture
def others(draft, add_recipients):
    return add_recipients(draft, 3, status=Message.Status.DELIVERED, channel="viber")


@pytest.mark.parametrize(
    "typed", ["380671234567", "+380 67 123-45-67", "(067) 123 45 67", "0671234567", "order-7", "m-7", "  m-7 "]
)
def test_a_message_is_found_by_whole_numbers_and_ids(admin_client, message, others, typed):
    assert listed(admin_client.get(LIST, {"q": typed})) == [message]


@pytest.mark.parametrize("typed", ["38067", "order", "m-70", "nobody", "0"])
def test_parts_find_nothing(admin_client, message, others, typed):
    assert listed(admin_client.get(LIST, {"q": typed})) == []


def test_the_filters_narrow_the_list(admin_client, message, others):
    single = Message.objects.create(phone_number="380671234568", extra_id="single")

    assert listed(admin_client.get(LIST, {"status__exact": "queued"})) == [single, message]
    assert listed(admin_client.get(LIST, {"channel": "viber"})) == others[::-1]
    assert listed(admin_client.get(LIST, {"campaign": message.campaign_id})) == [*others[::-1], message]
    assert listed(admin_client.get(LIST, {"campaign": "none"})) == [single]
    assert listed(admin_client.get(LIST, {"campaign": "nonsense"})) == []


def test_the_campaign_filter_offers_the_chosen_and_the_newest(admin_client, message):
    for number in range(25):
        Campaign.objects.create(name=f"Campaign {number}")

    page = admin_client.get(LIST).content.decode()
    assert "Campaign 24" in page
    assert "Campaign 4" not in page
    page = admin_client.get(LIST, {"campaign": message.campaign_id}).content.decode()
    assert 'aria-current="true"' in page or 'class="selected"' in page
    assert "Spring sale" in page


def test_the_list_takes_the_same_queries_whatever_its_length(
    admin_client, draft, add_recipients, django_assert_num_queries
):
    for count in (3, 27):
        add_recipients(draft, count)
        with django_assert_num_queries(5) as used:
            admin_client.get(LIST)
        assert not any("DISTINCT" in query["sql"] for query in used.captured_queries)


def test_a_problem_is_told_in_words(admin_client, draft, add_recipients):
    add_recipients(draft, 1, status=Message.Status.REJECTED, error_code=36024)

    assert "36024 (Phone number incorrect)" in admin_client.get(LIST).content.decode()


def test_the_history_of_a_message_in_plain_words(admin_client, message):
    seconds = datetime(2024, 5, 1, 9, 30, tzinfo=UTC).timestamp()
    facts = ((35, 3, 35015, "viber", 0), (23, 2, 23011, "sms", 60))
    apply_delivery_reports(
        [
            {
                "number": 380671234567,
                "message_id": "m-7",
                "extra_id": "order-7",
                "time": int((seconds + later) * 1000),
                "sent_via": channel,
                "status": status,
                "substatus": substatus,
                "hyber_status": code,
            }
            for substatus, status, code, channel, later in facts
        ]
    )

    page = admin_client.get(f"{LIST}{message.pk}/change/").content.decode()

    assert page.index("not delivered in time") < page.index("delivered: SMS delivered")
    assert "05/01/2024 12:30 pm" in page
    assert "23011 (SMS delivered)" in page
    assert "<details><summary>JSON</summary>" in page
    assert "Олена" in page


def test_a_message_can_be_neither_changed_nor_deleted(admin_client, message):
    page = admin_client.get(f"{LIST}{message.pk}/change/").content.decode()

    assert 'name="_save"' not in page
    assert admin_client.post(f"{LIST}{message.pk}/change/", {"status": "delivered"}).status_code == 403
    assert admin_client.post(f"{LIST}{message.pk}/delete/", {"post": "yes"}).status_code == 403


def test_no_secret_is_shown(admin_client, settings):
    account = settings.HYBER["default"]
    callback_url = f"https://shop.example/hyber/{account['CALLBACK_TOKENS'][0]}/reports/"
    message = Message.objects.create(
        phone_number="380671234567",
        extra_id="single",
        content={"channels": ["sms"], "channel_options": {"sms": {"text": "Hi"}}, "callback_url": callback_url},
    )

    page = admin_client.get(f"{LIST}{message.pk}/change/").content.decode()

    assert "https://shop.example/…" in page
    for secret in (account["PASSWORD"], *account["CALLBACK_TOKENS"]):
        assert secret not in page


def test_an_unknown_message_leads_back(admin_client, db):
    assert admin_client.get(f"{LIST}999/change/", follow=True).status_code == 200

"""The page of a message shows support what this person got, what happens next, and what else is known of the number."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from django_hyber.models import Campaign, Message, Reply, Suppression
from django_hyber.protocol import SMS, Viber
from django_hyber.services import forget_number, send_message
from tests.admin.pages import text_of
from tests.queries import statements_of
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = phone(1)


def page_of(client, message):
    return client.get(reverse("admin:django_hyber_message_change", args=[message.pk]))


@pytest.fixture
def recipient(draft):
    """Somebody in a campaign, who has got the message."""
    draft.set_channels(
        [
            Viber(
                text="Hi %name%", ttl=60, img="https://shop.example/%picture%.png", caption="Buy", action="https://a.b"
            ),
            SMS(text="SMS for %name%", ttl=300, alpha_name="Shop"),
        ]
    )
    Campaign.objects.update(status="sending")
    now = timezone.now()
    values = {"name": "Olena", "picture": "cat"}
    return Message.objects.create(
        campaign=draft, phone_number=PHONE, extra_id="1", variables=values, status="accepted", accepted_at=now
    )


def test_texts_and_pictures_of_a_campaign_have_the_values_of_the_person(admin_client, recipient):
    page = page_of(admin_client, recipient)

    assert "Texts by channel" in text_of(page)
    assert "Hi Olena" in text_of(page)
    assert "SMS for Olena" in text_of(page)


def test_text_of_a_channel_that_was_not_needed_is_not_called_received(admin_client, recipient):
    Message.objects.update(status="delivered", channel="viber", finished_at=timezone.now())
    page = page_of(admin_client, recipient).content.decode()

    assert re.findall(r'<section aria-label="(\w+)">.*?<span class="hyber-result">(.*?)</span>', page) == [
        ("Viber", "delivered"),
        ("SMS", "was not needed"),
    ]


def test_picture_is_shown_from_this_host_and_linked_from_others(admin_client, recipient, settings):
    settings.ALLOWED_HOSTS = ["shop.example", "testserver"]
    address = reverse("admin:django_hyber_message_change", args=[recipient.pk])
    own, other = (admin_client.get(address, headers={"host": host}) for host in ("shop.example", "testserver"))

    assert '<img src="https://shop.example/cat.png"' in own.content.decode()
    assert "<img" not in other.content.decode()
    assert '<a class="hyber-address" href="https://shop.example/cat.png"' in other.content.decode()


def test_single_message_shows_its_own_texts(admin_client, platform):
    message = send_message(
        f"+{PHONE}", [Viber(text="Order *7*", ttl=60), SMS(text="Order 7", alpha_name="Shop", ttl=300)]
    )

    page = page_of(admin_client, message)
    assert "<strong>7</strong>" in page.content.decode()
    assert "Order 7" in text_of(page)


def test_own_text_of_a_recipient_is_shown(admin_client, draft):
    draft.set_channels([SMS(alpha_name="Shop", ttl=60)])
    Campaign.objects.update(has_own_texts=True)
    message = Message.objects.create(campaign=draft, phone_number=PHONE, extra_id="1", variables={"text": "Only you"})

    assert "Only you" in text_of(page_of(admin_client, message))


def test_default_text_replaces_a_missing_value(admin_client, recipient):
    Campaign.objects.update(missing_variables="default", variable_defaults={"name": "friend"})
    Message.objects.update(variables={"picture": "cat"})

    assert "Hi friend" in text_of(page_of(admin_client, recipient))


def test_purged_message_says_so(admin_client, recipient):
    Campaign.objects.update(status="finished")
    Message.objects.update(status="delivered", finished_at=timezone.now())
    forget_number(PHONE)

    page = text_of(page_of(admin_client, recipient))
    assert "have been removed" in page
    assert "Hi " not in page


def test_who_may_not_see_personal_data_sees_no_value_and_no_other_message(client, recipient, log_in):
    other = Message.objects.create(phone_number=PHONE, extra_id="2")
    log_in("view_message", "view_campaign", "view_reply")

    page = page_of(client, recipient)
    assert "Olena" not in page.content.decode()
    assert "cat.png" not in page.content.decode()
    assert reverse("admin:django_hyber_message_change", args=[other.pk]) not in page.content.decode()


def test_other_messages_and_replies_of_the_number_are_linked(admin_client, recipient):
    other = Message.objects.create(phone_number=PHONE, extra_id="2")
    stranger = Message.objects.create(phone_number=phone(2), extra_id="3")
    reply = Reply.objects.create(
        account="default", fingerprint="f", channel="viber", phone_number=PHONE, text="Thanks", raw={}
    )

    page = page_of(admin_client, recipient).content.decode()
    assert reverse("admin:django_hyber_message_change", args=[other.pk]) in page
    assert reverse("admin:django_hyber_message_change", args=[stranger.pk]) not in page
    assert reverse("admin:django_hyber_reply_change", args=[reply.pk]) in page


def test_replies_are_linked_only_for_those_who_may_read_them(client, recipient, log_in):
    Reply.objects.create(account="default", fingerprint="f", channel="viber", phone_number=PHONE, text="Thanks", raw={})
    log_in("view_message", "view_personal_data")

    assert "Thanks" not in text_of(page_of(client, recipient))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"status": "accepted"}, "The platform is trying Viber. If it is not delivered in time, SMS is next."),
        ({"status": "queued", "accepted_at": None}, "It is sent next."),
        ({"status": "unconfirmed", "accepted_at": None}, "Nothing is sent again without proof"),
        (
            {"status": "delivered", "channel": "viber"},
            "Nothing more is sent. The platform may still report that it was",
        ),
        ({"status": "delivered", "channel": "sms"}, "Nothing more will happen."),
        ({"status": "undelivered"}, "It is not sent again automatically."),
        ({"status": "suppressed", "accepted_at": None}, "It was not sent and will not be sent."),
    ],
    ids=lambda value: value if isinstance(value, str) else value["status"],
)
def test_page_says_what_happens_next(admin_client, recipient, values, text):
    Message.objects.update(**values)

    assert text in text_of(page_of(admin_client, recipient))


@pytest.mark.parametrize("sees_numbers", [True, False])
@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ({}, "The recipient has opted out."),
        ({"ALLOWED_NUMBERS": ["380660000000"]}, "The number is not in ALLOWED_NUMBERS of the account."),
        ({"ALLOWED_COUNTRIES": ["PL"]}, "The account does not send to numbers of this country"),
    ],
)
def test_queued_message_that_will_be_skipped_says_so(
    client, recipient, settings, log_in, account, reason, sees_numbers
):
    if not account:
        Suppression.objects.create(phone_number=PHONE)
    settings.HYBER = {"default": {**settings.HYBER["default"], **account}}
    Message.objects.update(status="queued", accepted_at=None)
    log_in("view_message", *(["view_personal_data"] if sees_numbers else []))
    page = text_of(page_of(client, recipient))

    assert f"It will not be sent. {reason}" in page
    assert "It is sent next." not in page


def test_message_of_a_paused_campaign_waits_for_it(admin_client, recipient):
    Campaign.objects.update(status="paused")
    Message.objects.update(status="queued", accepted_at=None)

    assert "It waits for its campaign. Status of the campaign: paused." in text_of(page_of(admin_client, recipient))


def test_page_takes_the_same_queries_however_much_the_person_got(admin_client, recipient):
    def receive(count):
        known = Message.objects.count()
        for number in range(known, known + count):
            Message.objects.create(phone_number=PHONE, extra_id=f"more-{number}")
        return len(statements_of(page_of, admin_client, recipient))

    receive(1)
    assert receive(1) == receive(30)

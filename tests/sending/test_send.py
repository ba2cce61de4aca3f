from __future__ import annotations

import json
from datetime import date, datetime
from uuid import UUID

import phonenumbers
import pytest
import requests
from django.db import transaction
from django.utils.translation import gettext_lazy, override

from django_hyber.models import Message
from django_hyber.protocol import SMS, InvalidMessage, InvalidPhone, Viber, channels_from_wire
from django_hyber.sandbox import Sandbox
from django_hyber.services import send_message
from tests.conftest import LOGIN, PASSWORD, account_settings
from tests.samples import PHONE, phone, sample

pytestmark = pytest.mark.django_db(transaction=True)

SMS_ONLY = [SMS(text="Your order is on its way", alpha_name="GMSU", ttl=300)]
CHAPTER_2 = [f"seed_single_{number:02d}" for number in range(1, 10)]


@pytest.fixture
def silent(settings):
    """A sandbox that answers and never calls back."""
    with Sandbox(client_id="sandbox", login="sandbox", password="sandbox-password", callbacks=False) as sandbox:
        settings.HYBER = {"default": account_settings(sandbox, CALLBACK_BASE_URL="https://shop.example")}
        yield sandbox


def only_post(sandbox):
    posts = [request for request in sandbox.requests if request.method == "POST"]
    assert len(posts) == 1
    return posts[0]


def only_body(sandbox):
    return json.loads(only_post(sandbox).body)


def platform_id(sandbox, extra_id):
    """The id that the platform itself gives when it is asked for the report."""
    url = f"{sandbox.url}/api/dr/external/{extra_id}/simple"
    return requests.get(url, auth=(LOGIN, PASSWORD), timeout=5).json()["message_id"]


@pytest.mark.parametrize("name", CHAPTER_2)
def test_samples_of_chapter_2_leave_as_printed_and_once(silent, name):
    body = sample(name)
    message = send_message(
        body["phone_number"],
        channels_from_wire(body["channels"], body["channel_options"]),
        extra_id=body["extra_id"],
        tag=body["tag"],
        division_code=body["division_code"],
        start_time=datetime.fromisoformat(body["start_time"]),
        callback_url=body["callback_url"],
    )

    request = only_post(silent)
    assert json.loads(request.body) == body
    assert request.authorized
    assert request.headers["Content-Type"].startswith("application/json")
    message.refresh_from_db()
    assert message.status == "accepted"
    assert message.message_id == platform_id(silent, body["extra_id"])


def test_platform_error_ends_as_rejected_with_its_code_and_text(silent):
    message = send_message(phone(1, "92"), SMS_ONLY)

    message.refresh_from_db()
    assert (message.status, message.error_code, message.error_text) == ("rejected", 36024, "Phone number incorrect")
    assert message.finished_at is not None


def test_own_callback_url_is_sent_unless_another_is_given(silent):
    send_message(PHONE, SMS_ONLY)

    body = only_body(silent)
    assert body["callback_url"] == "https://shop.example/hyber/current-token-0123456789/reports/"


def test_empty_callback_url_leaves_the_field_out(silent):
    send_message(PHONE, SMS_ONLY, callback_url="")

    assert "callback_url" not in only_body(silent)


def test_callback_token_is_not_stored_with_the_message(silent):
    message = send_message(PHONE, SMS_ONLY)

    assert "current-token" not in str(message.content)


def test_nothing_is_sent_before_the_commit(silent):
    with transaction.atomic():
        message = send_message(PHONE, SMS_ONLY)
        assert not silent.requests
        assert message.status == "queued"
    assert only_body(silent)["extra_id"] == message.extra_id


def test_rolled_back_message_is_never_sent(silent):
    with transaction.atomic():
        send_message(PHONE, SMS_ONLY)
        transaction.set_rollback(True)

    assert not silent.requests
    assert not Message.objects.exists()


def test_row_is_committed_before_the_platform_hears_of_it(silent, monkeypatch):
    from django_hyber.protocol import HyberClient

    seen = []
    original = HyberClient.send_single

    def spy(client, body, before_write):
        seen.append(list(Message.objects.values_list("extra_id", "status")))
        assert not transaction.get_connection().in_atomic_block
        return original(client, body, before_write=before_write)

    monkeypatch.setattr(HyberClient, "send_single", spy)
    message = send_message(PHONE, SMS_ONLY)

    assert seen == [[(message.extra_id, "sending")]]


def test_invalid_channels_are_refused_and_nothing_is_stored(silent):
    with pytest.raises(InvalidMessage, match=r"sms\.alpha_name"):
        send_message(PHONE, [SMS(text="Hi", ttl=300)])

    assert not Message.objects.exists()


def test_invalid_phone_is_refused(silent):
    with pytest.raises(InvalidPhone):
        send_message("12345", SMS_ONLY)


def test_phone_is_normalised_with_the_region_of_the_account(silent):
    message = send_message("067 111-22-33", SMS_ONLY)

    assert message.phone_number == "380671112233"
    assert only_body(silent)["phone_number"] == 380671112233


def test_broker_that_is_down_leaves_the_message_queued(silent, monkeypatch):
    from django_hyber import tasks

    def refuse(*args):
        raise ConnectionError("broker is down")

    monkeypatch.setattr(type(tasks.submit_message), "enqueue", refuse)
    message = send_message(PHONE, SMS_ONLY)

    message.refresh_from_db()
    assert message.status == "queued"


def test_settings_overridden_in_a_test_are_used_by_the_next_send(silent, settings):
    send_message(PHONE, SMS_ONLY)
    with Sandbox(client_id="other", callbacks=False) as other:
        settings.HYBER = {
            "default": {
                "CLIENT_ID": "other",
                "LOGIN": "sandbox",
                "PASSWORD": "sandbox",
                "API_URL": other.origin + "/{client_id}",
            }
        }
        send_message(PHONE, SMS_ONLY)
        assert len(other.requests) == 1
    assert len(silent.requests) == 1


def test_fallback_chain_keeps_its_order(silent):
    send_message(PHONE, [Viber(text="Hi", ttl=60), *SMS_ONLY])

    assert only_body(silent)["channels"] == ["viber", "sms"]


@pytest.mark.parametrize("wrong", ["\x00", "a\x00b", "\ud800"], ids=["nul", "nul-inside", "half-a-character"])
@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("text", lambda wrong: {"channels": [SMS(text=wrong, alpha_name="GMSU", ttl=300)]}),
        ("alpha_name", lambda wrong: {"channels": [SMS(text="Hi", alpha_name=wrong, ttl=300)]}),
        ("extra", lambda wrong: {"channels": [SMS(text="Hi", alpha_name="GMSU", ttl=300, extra={"a": [wrong]})]}),
        ("extra", lambda wrong: {"channels": [SMS(text="Hi", alpha_name="GMSU", ttl=300, extra={wrong: 1})]}),
        ("extra_id", lambda wrong: {"extra_id": wrong}),
        ("tag", lambda wrong: {"tag": wrong}),
        ("division_code", lambda wrong: {"division_code": wrong}),
        ("start_time", lambda wrong: {"start_time": wrong}),
        ("callback_url", lambda wrong: {"callback_url": f"https://shop.example/{wrong}"}),
    ],
)
def test_characters_that_a_database_refuses_are_a_mistake_that_leaves_the_transaction_usable(
    silent, field, make, wrong
):
    with transaction.atomic():
        with pytest.raises(InvalidMessage) as caught:
            send_message(PHONE, **{"channels": SMS_ONLY} | make(wrong))
        assert not Message.objects.exists()
    assert [(problem.field, problem.code) for problem in caught.value.problems if problem.is_error] == [
        (field, "characters")
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("extra_id", UUID(int=7)),
        ("extra_id", 12),
        ("extra_id", 0),
        ("tag", 5),
        ("division_code", 7),
        ("callback_url", 5),
        ("start_time", 5),
        ("start_time", date(2026, 11, 30)),
    ],
)
def test_option_of_another_type_is_refused_with_its_name(silent, field, value):
    with pytest.raises(InvalidMessage) as caught:
        send_message(PHONE, SMS_ONLY, **{field: value})

    assert [(problem.field, problem.code) for problem in caught.value.problems] == [(field, "wrong-type")]


@pytest.mark.parametrize("nothing", [{"tag": None}, {"division_code": None}, {"extra_id": ""}, {"start_time": None}])
def test_option_without_a_value_is_left_out(silent, nothing):
    send_message(PHONE, SMS_ONLY, **nothing)

    assert only_body(silent).keys().isdisjoint(nothing.keys() - {"extra_id"})


def test_lazily_translated_texts_are_sent_in_the_active_language(silent):
    channel = SMS(text=gettext_lazy("Yes"), alpha_name="GMSU", ttl=300, extra={"note": gettext_lazy("No")})
    with override("uk"):
        message = send_message(PHONE, [channel], tag=gettext_lazy("Yes"), extra_id=gettext_lazy("No"))

    body = only_body(silent)
    assert (body["tag"], body["extra_id"], message.extra_id) == ("Так", "Ні", "Ні")
    assert body["channel_options"]["sms"] == {"text": "Так", "note": "Ні", "alpha_name": "GMSU", "ttl": 300}


class FieldNumber(phonenumbers.PhoneNumber):
    """As django-phonenumber-field has it: written in the way that a project shows numbers in."""

    def __str__(self):
        return phonenumbers.format_number(self, phonenumbers.PhoneNumberFormat.NATIONAL)


def test_number_of_a_model_field_is_taken_as_it_is(silent):
    number = FieldNumber()
    phonenumbers.parse("+49 151 23456789", None, numobj=number)

    assert send_message(number, SMS_ONLY).phone_number == "4915123456789"


@pytest.mark.parametrize(
    "number", [FieldNumber(raw_input="no number"), FieldNumber(), phonenumbers.parse("+38012", None)]
)
def test_number_of_a_model_field_that_is_none_is_refused(silent, number):
    with pytest.raises(InvalidPhone):
        send_message(number, SMS_ONLY)

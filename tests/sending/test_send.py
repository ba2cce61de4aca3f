from __future__ import annotations

import json
from datetime import datetime

import pytest
import requests
from django.db import transaction

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

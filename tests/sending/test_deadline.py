"""A single message that could not be handed over within its TTL expires: a one-time code must not come late."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from django_hyber.models import AccountState, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.sending import single
from django_hyber.services import dispatch, send_again, send_message, start_campaign
from tests.builders import dispatch_until_finished, make_campaign, make_doubted_message, posts, statuses
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
CODE = [Viber(text="Code 1234", ttl=60), SMS(text="Code 1234", alpha_name="SHOP", ttl=300)]
BAD_PASSWORD = {"kind": "status", "status": 401, "count": None}


def age(message, seconds):
    """Let so many seconds pass for the message, and its waits with them."""
    moved = {"created_at": timezone.now() - timedelta(seconds=seconds), "due_at": None}
    Message.objects.filter(pk=message.pk).update(**moved)
    AccountState.objects.update(blocked_until=None)


def read(message):
    message.refresh_from_db()
    return message


@pytest.mark.parametrize(
    "trouble",
    [BAD_PASSWORD, {"kind": "error", "status": 403, "count": None}, {"kind": "status", "status": 429, "count": None}],
    ids=["wrong password", "forbidden", "busy"],
)
def test_code_that_waited_longer_than_its_longest_ttl_expires_and_is_never_sent(platform, settings, trouble):
    # A retry after the longest TTL would be given up at once.
    settings.HYBER = {"default": settings.HYBER["default"] | {"RETRY_DELAY": 0.05}}
    platform.fault(**trouble)
    message = send_message(phone(1), CODE)
    age(message, 299)
    dispatch()
    assert read(message).status == "queued"
    platform.clear_faults()
    age(message, 301)
    before = len(posts(platform))
    dispatch()

    assert read(message).status == "expired"
    assert message.finished_at
    assert message.error_text.startswith("Its TTL ended before it could be sent: ")
    assert len(posts(platform)) == before
    assert platform.ledger.taken == 0


def test_code_in_time_is_sent_when_the_login_is_accepted_again(platform):
    platform.fault(**BAD_PASSWORD)
    message = send_message(phone(1), CODE)
    platform.clear_faults()
    age(message, 290)
    dispatch()

    assert read(message).status == "accepted"


def test_code_expires_at_its_deadline_while_the_account_is_still_held(platform):
    platform.fault(**BAD_PASSWORD)
    send_message(phone(1), CODE)
    waiting = send_message(phone(2), CODE)
    AccountState.objects.update(blocked_until=timezone.now() + timedelta(minutes=15))
    Message.objects.filter(pk=waiting.pk).update(due_at=None)
    dispatch()
    assert read(waiting).due_at == waiting.created_at + timedelta(seconds=300)
    Message.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(seconds=300), due_at=None)
    dispatch()

    assert read(waiting).status == "expired"


def test_retry_that_would_come_after_the_ttl_is_not_waited_for(platform):
    platform.fault("status", status=503, retry_after=301)
    message = send_message(phone(1), CODE)

    assert read(message).status == "expired"
    assert "HTTP 503" in message.error_text


def test_retry_within_the_ttl_is_waited_for(platform):
    platform.fault("status", status=503, retry_after=100)
    message = send_message(phone(1), CODE)

    assert read(message).status == "queued"


def test_message_without_a_ttl_waits_without_limit(platform):
    platform.fault(**BAD_PASSWORD)
    message = send_message(phone(1), CODE)
    platform.clear_faults()
    del message.content["channel_options"]["viber"]["ttl"]
    message.save(update_fields=["content"])
    age(message, 30 * 86_400)
    dispatch()

    # The sandbox does not accept it without a TTL.
    assert read(message).status == "rejected"


def test_ttl_of_a_message_for_later_counts_from_its_start(platform):
    platform.fault(**BAD_PASSWORD)
    message = send_message(phone(1), CODE, start_time=timezone.now())
    platform.clear_faults()
    age(message, 3_600)
    dispatch()

    assert read(message).status == "accepted"


def test_account_whose_settings_are_broken_keeps_no_code(platform, settings):
    platform.fault(**BAD_PASSWORD)
    message = send_message(phone(1), CODE)
    age(message, 301)
    settings.HYBER = {"default": settings.HYBER["default"] | {"LEASE": 0}}
    single.submit_message(message.pk)

    assert read(message).status == "expired"


def test_worker_that_is_suspended_until_the_ttl_is_over_sends_nothing(platform, monkeypatch):
    platform.fault(**BAD_PASSWORD)
    message = send_message(phone(1), CODE)
    platform.clear_faults()
    before = len(posts(platform))
    build = single.build_body

    def suspended(*content):
        time.sleep(0.6)
        return build(*content)

    monkeypatch.setattr(single, "build_body", suspended)
    age(message, 299.5)
    dispatch()
    assert read(message).status == "queued"
    dispatch()

    assert read(message).status == "expired"
    assert len(posts(platform)) == before


def test_lost_code_that_is_sent_again_by_a_user_after_its_ttl_expires(platform):
    message = make_doubted_message()
    age(message, 301)
    send_again(read(message), by="olena")
    dispatch()

    assert read(message).status == "expired"
    assert platform.ledger.taken == 0


def test_campaign_that_was_held_for_longer_than_its_ttl_is_sent(platform):
    platform.fault(**BAD_PASSWORD)
    campaign = start_campaign(make_campaign([phone(1), phone(2)], CODE))
    campaign.messages.update(created_at=timezone.now() - timedelta(days=1))
    platform.clear_faults()
    AccountState.objects.update(blocked_until=None)
    dispatch_until_finished(campaign)

    assert statuses(campaign) == ["accepted"] * 2

"""HTTP 413: of the platform it is about the request, of a proxy about whoever set up the proxy."""

from __future__ import annotations

import pytest

from django_hyber.models import Message
from django_hyber.protocol import SMS
from django_hyber.services import dispatch, resume_campaign, send_message, start_campaign
from tests.builders import dispatch_until_finished, make_campaign, make_due, posts, statuses
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = [SMS(text="Your order has arrived", alpha_name="SHOP", ttl=86_400)]
PROXY = {"kind": "page", "status": 413, "count": None}
PLATFORM = {"kind": "error", "status": 413, "error_code": 5_413, "count": None}


def sweep(campaign, times=5):
    for _ in range(times):
        make_due(campaign)
        dispatch()
    campaign.refresh_from_db()


def test_proxy_that_finds_every_request_too_large_pauses_the_campaign_and_rejects_nobody(platform):
    platform.fault(**PROXY)
    campaign = start_campaign(make_campaign([phone(number) for number in range(4)]))
    sweep(campaign)

    assert statuses(campaign) == ["queued"] * 4
    assert campaign.status == "paused"
    assert "not from the platform" in campaign.status_reason
    requests = len(posts(platform))
    sweep(campaign)
    assert len(posts(platform)) == requests


def test_campaign_goes_out_once_the_proxy_lets_its_requests_through(platform):
    platform.fault(**PROXY)
    campaign = start_campaign(make_campaign([phone(number) for number in range(4)]))
    sweep(campaign)
    platform.reset()
    resume_campaign(campaign)
    dispatch_until_finished(campaign)

    assert (platform.ledger.taken, platform.ledger.duplicates) == (4, {})


def test_platform_that_finds_a_batch_of_one_too_large_rejects_it(platform):
    platform.fault(**PLATFORM)
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))
    sweep(campaign)

    assert statuses(campaign) == ["rejected"] * 2
    assert set(campaign.messages.values_list("error_code", flat=True)) == {5_413}


def test_single_message_that_a_proxy_finds_too_large_waits_and_goes_out_later(platform):
    platform.fault(**PROXY)
    message = send_message(phone(1), TEXT)
    message.refresh_from_db()
    assert message.status == "queued"
    assert "not from the platform" in message.error_text
    assert message.due_at is not None

    platform.reset()
    Message.objects.filter(pk=message.pk).update(due_at=None)
    dispatch()
    message.refresh_from_db()
    assert message.status == "accepted"


def test_single_message_that_the_platform_finds_too_large_is_rejected(platform):
    platform.fault(**PLATFORM)
    message = send_message(phone(1), TEXT)
    message.refresh_from_db()

    assert (message.status, message.error_code) == ("rejected", 5_413)

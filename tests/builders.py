"""Campaigns as most tests need them, and ways to see and to hurry what becomes of them."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from asgiref.sync import async_to_sync
from django.db import connections
from django.utils import timezone

from django_hyber.conf import get_account
from django_hyber.models import AccountState, Campaign, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.reconcile import endings
from django_hyber.services import (
    dispatch,
    import_recipients,
    pause_campaign,
    send_again,
    send_message,
    start_campaign,
)
from tests.samples import phone

CHANNELS = [Viber(text="Hi %name%", ttl=60), SMS(text="Hi %name%", alpha_name="GMSU", ttl=300)]


#: How many messages the platform has taken and how many requests it has had by ``make_known``.
KNOWN = 1


def make_known(number=90_000):
    """Send a message that the platform surely has: without one, no "not found" is believed."""
    message = send_message(phone(number), CHANNELS[1:])
    message.refresh_from_db()
    # Its report may be as quick as the answer.
    assert message.status in ("accepted", "delivered")
    Message.objects.filter(pk=message.pk).update(accepted_at=timezone.now() - timedelta(hours=1))
    return message


def make_campaign(phones, channels=CHANNELS, **values):
    campaign = Campaign.objects.create(name="Spring sale", **values)
    campaign.set_channels(channels)
    import_recipients(campaign, [{"phone": f"+{number}", "name": f"Person {number[-4:]}"} for number in phones])
    return campaign


def make_doubted_message():
    """A single message with an unknown outcome; the platform does not have it."""
    message = send_message(phone(1, "87"), CHANNELS)
    message.refresh_from_db()
    return message


def make_doubted_campaign():
    """A campaign of three, whose only batch has an unknown outcome."""
    return start_campaign(make_campaign([phone(2, "87"), phone(3), phone(4)]))


def send_again_one_by_one(campaign):
    """Of a campaign whose only batch has an unknown outcome; it is paused."""
    pause_campaign(campaign)
    endings.resolve_separately(campaign.batches.all(), campaign.batches.get(), get_account("default"))
    for message in campaign.messages.all():
        send_again(message, by="anna")


def make_waiting_campaign(phones, size, channels=CHANNELS):
    """A campaign that is being sent, with all its batches of this size still to be claimed."""
    campaign = make_campaign(phones, channels)
    pks = list(campaign.messages.order_by("pk").values_list("pk", flat=True))
    for part in (pks[start : start + size] for start in range(0, len(pks), size)):
        campaign.batches.create(first_id=part[0], last_id=part[-1], size=len(part))
    Campaign.objects.filter(pk=campaign.pk).update(status="sending")
    return campaign


def batches_in_turn(campaigns):
    """The keys of the first batch of each campaign, of the second one of each, and so on."""
    keys = (campaign.batches.order_by("pk").values_list("pk", flat=True) for campaign in campaigns)
    return [pk for same in zip(*keys, strict=True) for pk in same]


def call_async(function, *arguments, **options):
    """Call an asynchronous function in a thread of its own: a browser keeps an event loop in that of the tests."""

    def call():
        try:
            return async_to_sync(function)(*arguments, **options)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def posts(sandbox):
    return [json.loads(request.body) for request in sandbox.requests if request.method == "POST"]


def statuses(campaign):
    return list(campaign.messages.order_by("pk").values_list("status", flat=True))


def make_due(campaign):
    """Let the waiting times pass without sleeping."""
    campaign.batches.filter(due_at__isnull=False).update(due_at="2020-01-01T00:00:00Z")
    campaign.messages.filter(due_at__isnull=False).update(due_at="2020-01-01T00:00:00Z")


def _sweep_without_waiting(campaign):
    """On a slow machine, an answer of the platform may come too late, which pauses the queries for a minute."""
    AccountState.objects.update(queries_after=None)
    make_due(campaign)
    dispatch()


def dispatch_until_finished(campaign, seconds=60):
    end = time.monotonic() + seconds
    while True:
        _sweep_without_waiting(campaign)
        campaign.refresh_from_db()
        if campaign.status == "finished":
            return
        assert time.monotonic() < end, f"still {campaign.status}: {statuses(campaign)}"
        time.sleep(0.02)


def sweep_until_all_have(campaign, wanted, seconds=60):
    end = time.monotonic() + seconds
    while not set(statuses(campaign)) <= set(wanted):
        assert time.monotonic() < end, statuses(campaign)
        _sweep_without_waiting(campaign)
        time.sleep(0.02)
    campaign.refresh_from_db()

"""What a campaign needs of memory does not grow with its recipients (C-19)."""

from __future__ import annotations

import gc
import tracemalloc
from datetime import timedelta

import pytest
from django.utils import timezone

from django_hyber.announce import announce_pending
from django_hyber.audience import imports
from django_hyber.models import Campaign
from django_hyber.protocol import SMS, HyberClient
from django_hyber.sending import cancelling
from django_hyber.services import cancel_campaign, import_recipients, preflight, start_campaign
from django_hyber.signals import message_status_changed
from django_hyber.texts import check
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)


def make_draft():
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([SMS(text="Hi %name%", alpha_name="GMSU", ttl=300)])
    return campaign


def fill(campaign, size):
    rows = ({"phone": phone(number), "name": f"Person {number}", "note": "x" * 100} for number in range(size))
    return import_recipients(campaign, rows)


def peak_of(function, *arguments):
    # The collector would choose its own moment, and a peak is higher just before it.
    gc.collect()
    tracemalloc.start()
    try:
        function(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_of_an_import_does_not_grow_with_the_file(monkeypatch):
    monkeypatch.setattr(imports, "CHUNK", 200)
    fill(make_draft(), 10)
    small, large = (peak_of(fill, make_draft(), size) for size in (500, 2_000))

    assert large < small * 1.3


def test_memory_of_a_cancellation_with_a_receiver_does_not_grow_with_the_campaign(platform, settings, monkeypatch):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 200}}
    monkeypatch.setattr(cancelling, "CHUNK", 200)
    drafts = [make_draft() for _ in range(3)]
    for draft, size in zip(drafts, (100, 500, 2_500), strict=True):
        draft.start_time = timezone.now() + timedelta(days=2)
        draft.save()
        fill(draft, size)
        start_campaign(draft)
    heard = 0

    def receiver(new_status, **kwargs):
        nonlocal heard
        heard += new_status == "cancelled"

    message_status_changed.connect(receiver)
    try:
        _first, small, large = (peak_of(cancel_campaign, draft) for draft in drafts)
        assert heard == 0
        while announce_pending():
            pass
    finally:
        message_status_changed.disconnect(receiver)

    assert heard == 3_100
    assert large < small * 1.3


def launch_with_a_receiver(draft):
    heard = 0

    def receiver(**kwargs):
        nonlocal heard
        heard += 1

    message_status_changed.connect(receiver)
    try:
        start_campaign(draft)
    finally:
        message_status_changed.disconnect(receiver)
    assert heard == draft.messages.count()


@pytest.mark.parametrize(
    "step",
    [preflight, start_campaign, launch_with_a_receiver],
    ids=["look", "launch and hand over", "launch and announce"],
)
def test_memory_of_a_launch_does_not_grow_with_the_campaign(platform, settings, monkeypatch, step):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 200, "SYNC_LIMIT": 0}}
    monkeypatch.setattr(check, "CHUNK", 200)
    # The sandbox would remember everybody, in this very process.
    monkeypatch.setattr(HyberClient, "send_broadcast", lambda client, body, before_write: "job")
    drafts = [make_draft() for _ in range(3)]
    for draft, size in zip(drafts, (100, 400, 1_200), strict=True):
        fill(draft, size)
    _first, small, large = (peak_of(step, draft) for draft in drafts)

    assert large < small * 1.3

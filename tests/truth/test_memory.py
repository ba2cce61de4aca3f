"""What a campaign needs of memory does not grow with its recipients (C-19)."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from django_hyber.audience import imports
from django_hyber.models import Campaign
from django_hyber.protocol import SMS, HyberClient
from django_hyber.services import import_recipients, preflight, start_campaign
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
    monkeypatch.setattr(imports, "CHUNK", 500)
    fill(make_draft(), 10)
    small, large = (peak_of(fill, make_draft(), size) for size in (1_000, 4_000))

    assert large < small * 1.3


@pytest.mark.parametrize("step", [preflight, start_campaign], ids=["look", "launch and hand over"])
def test_memory_of_a_launch_does_not_grow_with_the_campaign(platform, settings, monkeypatch, step):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 200, "SYNC_LIMIT": 0}}
    monkeypatch.setattr(check, "PAGE", 500)
    # The sandbox would remember everybody, in this very process.
    monkeypatch.setattr(HyberClient, "send_broadcast", lambda client, body, before_write: "job")
    drafts = [make_draft() for _ in range(3)]
    for draft, size in zip(drafts, (100, 1_000, 3_000), strict=True):
        fill(draft, size)
    _first, small, large = (peak_of(step, draft) for draft in drafts)

    assert large < small * 1.3

"""Whatever happens to requests and to queries: everybody gets it once, and nobody is forgotten."""

from __future__ import annotations

import time

import pytest

from django_hyber.models import Batch, Campaign, Message
from django_hyber.sandbox import Sandbox
from django_hyber.services import dispatch, send_message, start_campaign
from tests.builders import CHANNELS, KNOWN, make_campaign, make_known
from tests.conftest import CLIENT_ID, LOGIN, PASSWORD, account_settings
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
GRACE = 0.3
#: What happens to a request. None of the reports is later than two graces.
TO_REQUESTS = [
    {"kind": "drop_request"},
    {"kind": "drop_answer"},
    {"kind": "half_answer"},
    {"kind": "reset_answer"},
    {"kind": "not_json"},
    {"kind": "empty"},
    {"kind": "page", "status": 502, "taken": True},
    {"kind": "page", "status": 504},
    {"kind": "status", "status": 503, "retry_after": 0},
    {"kind": "down"},
    {"kind": "late_report", "seconds": 1.8 * GRACE},
    {"kind": "parts", "seconds": 1.8 * GRACE},
]
#: What happens to a part of the queries. No platform that lies about single messages can be seen through.
TO_QUESTIONS = [
    {"kind": "status", "status": 500, "share": 0.3},
    {"kind": "page", "status": 404, "share": 0.3},
    {"kind": "empty", "share": 0.2},
    {"kind": "error", "status": 400, "share": 0.2},
    {"kind": "drop_request", "share": 0.2},
    {"kind": "status", "status": 429, "per_second": 30},
]


@pytest.fixture
def misbehaving(settings):
    options = {"client_id": CLIENT_ID, "login": LOGIN, "password": PASSWORD, "unknown_id": "404-json"}
    with Sandbox(latency=0.01, callbacks=False, **options) as sandbox:
        quick = {"NOT_FOUND_GRACE": GRACE, "RETRY_DELAY": 0.05, "BREAKER_THRESHOLD": 1_000}
        settings.HYBER = {"default": account_settings(sandbox, BATCH_SIZE=10, SYNC_LIMIT=5, **quick)}
        yield sandbox


def test_everybody_gets_it_once(misbehaving, chance):
    make_known()
    for _ in range(14):
        fault = chance.choice(TO_REQUESTS)
        misbehaving.fault(**fault, paths=("single", "bulk"))
    misbehaving.fault(**chance.choice(TO_QUESTIONS), seed=chance.randrange(1_000), paths=("reports",), count=None)
    # Jobs of ten, a synchronous request of three, and single messages.
    start_campaign(make_campaign([phone(number) for number in range(43)]))
    for number in range(50, 56):
        send_message(phone(number), CHANNELS)
    sweep_until_nothing_is_open()

    assert (misbehaving.ledger.taken, misbehaving.ledger.duplicates) == (49 + KNOWN, {})
    assert Campaign.objects.get().status == "finished"
    assert not Batch.objects.exclude(state="done").exists()


def sweep_until_nothing_is_open(seconds=90):
    end = time.monotonic() + seconds
    waiting = Message.objects.filter(status__in=["queued", "sending", "unconfirmed"])
    while waiting.exists():
        assert time.monotonic() < end, list(waiting.values("status", "answer", "answer_text", "unanswered_queries"))
        dispatch()
        time.sleep(0.02)
    dispatch()

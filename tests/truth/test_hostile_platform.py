"""Failures of proxies, networks and the platform: every recipient gets the message exactly once.

Each case happens to single messages, a synchronous request and a job.
"""

from __future__ import annotations

import time

import pytest

from django_hyber.models import AccountState, Batch, Campaign, Message
from django_hyber.sandbox import Sandbox
from django_hyber.services import (
    CampaignError,
    dispatch,
    doubts,
    resume_campaign,
    retry_failed,
    send_message,
    start_campaign,
)
from tests.builders import CHANNELS, KNOWN, make_campaign, make_known, statuses
from tests.conftest import CLIENT_ID, LOGIN, PASSWORD, account_settings
from tests.protocol.platforms import serve
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
GRACE = 0.1
SENDING = ("single", "bulk")
QUERIES = ("status", "reports")
OPEN = ("queued", "sending", "unconfirmed")

#: What happens to a request, and the fault of the sandbox that causes it.
REQUESTS = {
    "closed before it was accepted": {"kind": "drop_request"},
    "reset before it was read": {"kind": "reset_request"},
    "closed after it was accepted": {"kind": "drop_answer"},
    "reset in the middle of the answer": {"kind": "reset_answer"},
    "half an answer": {"kind": "half_answer"},
    "502 page, accepted": {"kind": "page", "status": 502, "taken": True},
    "502 page, not accepted": {"kind": "page", "status": 502},
    "504 page, accepted": {"kind": "page", "status": 504, "taken": True},
    "504 page, not accepted": {"kind": "page", "status": 504},
    "not JSON": {"kind": "not_json"},
    "empty 200": {"kind": "empty"},
    "503 with Retry-After": {"kind": "status", "status": 503, "retry_after": 0},
    "503 without Retry-After": {"kind": "status", "status": 503},
    "503 page, accepted": {"kind": "page", "status": 503, "taken": True},
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after": 0},
    "429 without Retry-After": {"kind": "status", "status": 429},
    "301 page": {"kind": "page", "status": 301},
    "303 page, accepted": {"kind": "page", "status": 303, "taken": True},
    "102 as the last answer, accepted": {"kind": "status", "status": 102, "taken": True},
    "403 page, accepted": {"kind": "page", "status": 403, "taken": True},
    "404 page": {"kind": "page", "status": 404},
    "404 page, accepted": {"kind": "page", "status": 404, "taken": True},
    "401": {"kind": "status", "status": 401},
    "403 of the platform": {"kind": "error", "status": 403},
    "5xx with an error code, accepted": {"kind": "error", "status": 500, "taken": True},
    "5xx with an error code, not accepted": {"kind": "error", "status": 500},
    "answer that trickles past the deadline": {"kind": "trickle", "seconds": 2},
    "head that trickles past the deadline": {"kind": "trickle_head", "seconds": 2},
    "answer after the deadline": {"kind": "late_answer", "seconds": 1},
    "no answer at all": {"kind": "silent", "seconds": 2},
}


@pytest.fixture
def hostile(settings):
    options = {"client_id": CLIENT_ID, "login": LOGIN, "password": PASSWORD, "unknown_id": "404-json"}
    with Sandbox(latency=0.01, callbacks=False, fault_seconds=1.8 * GRACE, **options) as sandbox:
        quick = {"NOT_FOUND_GRACE": GRACE, "RETRY_DELAY": 0.05, "CONNECT_TIMEOUT": 0.5, "READ_TIMEOUT": 0.3}
        settings.HYBER = {"default": account_settings(sandbox, LEASE=5, BREAKER_THRESHOLD=1_000, **quick)}
        yield sandbox


@pytest.fixture
def send(hostile, settings):
    """Return a function that sends to phones with these endings in all three ways, with a fault in each request.

    It returns to how many.
    """

    def send(*endings, **fault):
        alone, together, job = (
            [phone(number, ending) for number, ending in enumerate(endings, start=first)] for first in (100, 200, 300)
        )
        if fault:
            hostile.fault(**fault, count=len(alone) + 2, paths=SENDING)
        for number in alone:
            send_message(number, CHANNELS)
        for phones, sync_limit in ((together, len(together)), (job, 0)):
            settings.HYBER = {"default": settings.HYBER["default"] | {"SYNC_LIMIT": sync_limit}}
            start_campaign(make_campaign(phones))
        return 3 * len(endings)

    return send


def is_open():
    return Message.objects.filter(status__in=OPEN).exists()


def sweep(seconds):
    """Sweep until no message is open, for at most ``seconds``."""
    end = time.monotonic() + seconds
    while is_open() and time.monotonic() < end:
        # Skip retry delays and holds: the tests check what is sent, not when.
        Message.objects.filter(status="queued").update(due_at=None)
        Batch.objects.filter(state="pending").update(due_at=None)
        AccountState.objects.update(blocked_until=None)
        dispatch()
        time.sleep(0.02)


def assert_everybody_got_it_once(sandbox, count):
    assert (sandbox.ledger.taken, sandbox.ledger.duplicates) == (count + KNOWN, {})
    assert not is_open(), list(Message.objects.filter(status__in=OPEN).values("status", "error_text", "answer"))
    assert set(Message.objects.values_list("status", flat=True)) <= {"accepted", "delivered"}


@pytest.mark.parametrize("fault", REQUESTS.values(), ids=list(REQUESTS))
def test_request_that_ends_badly_reaches_everybody_once(hostile, send, fault):
    make_known()
    count = send("00", "00", **fault)
    sweep(20)

    assert_everybody_got_it_once(hostile, count)


@pytest.mark.parametrize("lost", ["drop_request", "drop_answer"])
@pytest.mark.parametrize("unknown_id", ["404-json", "404-page", "200-empty", "200-error", "400-error"])
def test_any_way_to_say_not_found_is_understood(hostile, send, lost, unknown_id):
    make_known()
    hostile.answer_unknown_ids(unknown_id)
    count = send("00", "00", kind=lost)
    sweep(20)

    assert_everybody_got_it_once(hostile, count)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "page", "status": 404},
        {"kind": "empty"},
        {"kind": "error", "status": 200},
        {"kind": "error", "status": 400},
        {"kind": "status", "status": 500},
        {"kind": "page", "status": 403},
    ],
    ids=["404 page", "empty", "error at 200", "error at 400", "500", "403 page"],
)
@pytest.mark.parametrize("lost", ["drop_request", "drop_answer"])
def test_reports_url_that_answers_the_same_about_everything_proves_nothing(hostile, send, lost, wrong):
    make_known()
    hostile.fault(**wrong, paths=QUERIES, count=None)
    count = send("00", "00", kind=lost)
    sweep(6 * GRACE)

    assert set(Message.objects.filter(status__in=OPEN).values_list("status", flat=True)) == {"unconfirmed"}
    assert hostile.ledger.duplicates == {}
    assert sum(doubt.people for doubt in doubts(only_overdue=False)) == count


def test_first_day_of_an_account_waits_for_a_person(hostile, send):
    send("00", kind="drop_request")
    sweep(6 * GRACE)

    assert [doubt.row.answer for doubt in doubts(only_overdue=False)] == 3 * ["no-control"]
    assert hostile.ledger.taken == 0


def test_report_that_is_visible_late_is_not_taken_for_a_message_that_was_lost(hostile, send):
    make_known()
    count = send("81", "81", kind="drop_answer")
    sweep(20)

    assert_everybody_got_it_once(hostile, count)


def test_message_whose_query_always_fails_holds_up_nobody_else(hostile, send):
    make_known()
    send(*29 * ["00"], "83", kind="drop_request")
    sweep(60)

    assert hostile.ledger.duplicates == {}
    assert hostile.ledger.taken >= 3 * 29 + KNOWN


def test_page_of_a_proxy_after_acceptance_and_then_resume_sends_nothing_twice(hostile):
    make_known()
    hostile.fault(kind="page", status=403, taken=True, paths=("bulk",))
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))
    Campaign.objects.filter(pk=campaign.pk).update(status="paused")
    resume_campaign(Campaign.objects.get(pk=campaign.pk))
    sweep(20)

    assert_everybody_got_it_once(hostile, 2)


#: What a proxy answers by itself to clients that accept JSON: an error with a code of its own (RFC 9457).
PROBLEM = {"type": "https://proxy.example/", "title": "Error 1001", "status": 409, "error_code": 1001}


@pytest.mark.parametrize("status", [200, 400, 403, 405, 409, 410, 421, 422, 500])
def test_error_code_of_a_proxy_rejects_nobody_however_often_it_comes(hostile, settings, status):
    make_known()
    with serve() as proxy:
        proxy.status, proxy.body = status, PROBLEM
        settings.HYBER = {"default": settings.HYBER["default"] | {"API_URL": proxy.url, "BULK_URL": proxy.url}}
        message = send_message(phone(1), CHANNELS)
        campaign = start_campaign(make_campaign([phone(2), phone(3)]))
        end = time.monotonic() + 20
        while len(proxy.requests) < 6:
            assert time.monotonic() < end
            sweep(2 * GRACE)
    message.refresh_from_db()

    assert {message.status, *statuses(campaign)} <= set(OPEN)


def test_error_after_acceptance_leaves_nothing_to_retry(hostile):
    make_known()
    hostile.fault(kind="error", status=500, taken=True, paths=("bulk",))
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))
    sweep(20)
    campaign.refresh_from_db()

    with pytest.raises(CampaignError):
        retry_failed(campaign)
    assert_everybody_got_it_once(hostile, 2)

"""What changes between a request and its outcome: settings, clocks, connections, a schedule. Nobody gets it twice."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from django_hyber.conf import get_account
from django_hyber.models import AccountState, Batch, Message
from django_hyber.protocol import SMS
from django_hyber.reconcile import endings
from django_hyber.sandbox import Sandbox
from django_hyber.sending.batch_claim import BatchClaim
from django_hyber.sending.message_claim import MessageClaim
from django_hyber.services import (
    CampaignError,
    cancel_campaign,
    dispatch,
    doubts,
    pause_campaign,
    resume_campaign,
    send_again,
    send_message,
    start_campaign,
    withdraw_campaign,
)
from tests.builders import KNOWN, make_campaign, make_known, posts
from tests.conftest import CLIENT_ID, LOGIN, PASSWORD, account_settings
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
GRACE = 0.1
OPEN = ("queued", "sending", "unconfirmed")
CODE = [SMS(text="Code 1234", alpha_name="SHOP", ttl=300)]
HOUR = timedelta(hours=1)


@pytest.fixture
def hostile(settings):
    options = {"client_id": CLIENT_ID, "login": LOGIN, "password": PASSWORD, "unknown_id": "404-json"}
    with Sandbox(latency=0.01, callbacks=False, **options) as sandbox:
        quick = {"NOT_FOUND_GRACE": GRACE, "RETRY_DELAY": 0.05}
        settings.HYBER = {"default": account_settings(sandbox, BREAKER_THRESHOLD=1_000, **quick)}
        yield sandbox


def sweep(statuses=OPEN):
    """Sweep until no message has one of these statuses."""
    repeat(lambda: not Message.objects.filter(status__in=statuses).exists())


def query_long_after_the_grace(people):
    """Sweep until each unknown outcome was queried several times, also when two "not found" would have been proof.

    There are ``people`` whose outcome is unknown.
    """

    def is_queried():
        found = list(doubts(only_overdue=False))
        rows = [doubt.row for doubt in found]
        enough = all(row.queries >= 5 and row.queried_at > row.not_found_after + 3 * grace for row in rows)
        return enough and sum(doubt.people for doubt in found) == people

    grace = timedelta(seconds=GRACE)
    repeat(is_queried)


def repeat(is_done, seconds=60):
    """Sweep until this is so. The limit is no part of what is tested: a slow machine may need some of it."""
    end = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < end, list(Message.objects.values_list("status", "queries", "answer"))
        Message.objects.filter(status="queued").update(due_at=None)
        Batch.objects.filter(state="pending").update(due_at=None)
        AccountState.objects.update(blocked_until=None)
        dispatch()
        time.sleep(0.02)


@pytest.mark.parametrize("fault", ["drop_answer", "drop_request"])
def test_campaign_that_was_handed_over_and_scheduled_again_cannot_become_a_draft(hostile, settings, fault):
    make_known()
    settings.HYBER["default"]["LEAD_TIME"] = 3600
    hostile.fault(fault, paths=("bulk",))
    campaign = start_campaign(make_campaign([phone(1), phone(2)], start_time=timezone.now() + HOUR / 2))
    pause_campaign(campaign)
    settings.HYBER["default"] = settings.HYBER["default"] | {"LEAD_TIME": 60}
    resume_campaign(campaign)
    assert campaign.status == "scheduled"

    with pytest.raises(CampaignError, match="has been handed over"):
        withdraw_campaign(campaign)
    campaign.refresh_from_db()
    assert campaign.status == "scheduled"
    assert campaign.batches.get().state == "unconfirmed"


@pytest.mark.parametrize("sync_limit", [0, 100], ids=["job", "synchronous"])
@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("client_id", ["another", CLIENT_ID], ids=["another client", "another host"])
def test_another_client_or_host_does_not_find_what_this_one_sent(hostile, settings, client_id, is_killed, sync_limit):
    settings.HYBER["default"]["SYNC_LIMIT"] = sync_limit
    make_known()
    hostile.fault("drop_answer", paths=("single",))
    hostile.fault("drop_answer", paths=("bulk",))
    send_message(phone(1), CODE)
    campaign = start_campaign(make_campaign([phone(2), phone(3)]))
    if is_killed:
        lease = {"lease_until": timezone.now() - HOUR}
        Message.objects.filter(status="unconfirmed", campaign=None).update(status="sending", **lease)
        campaign.messages.update(status="queued", doubted_at=None, sender="")
        campaign.batches.update(state="sending", **lease)
    with Sandbox(client_id=client_id, login=LOGIN, password=PASSWORD, latency=0.01, callbacks=False) as other:
        changed = {"CLIENT_ID": client_id, "API_URL": other.url, "BULK_URL": other.url, "REPORTS_URL": other.url}
        own = settings.HYBER
        settings.HYBER = {"default": own["default"] | changed}
        make_known(90_001)
        query_long_after_the_grace(people=3)

        assert {doubt.row.answer for doubt in doubts(only_overdue=False)} == {"other-client"}
        assert sum(doubt.people for doubt in doubts(only_overdue=False)) == 3
        assert other.ledger.taken == KNOWN

    settings.HYBER = own
    sweep()
    assert (hostile.ledger.taken, hostile.ledger.duplicates) == (3 + KNOWN, {})
    assert not Message.objects.filter(status__in=OPEN).exists()


def test_job_stays_a_job_whatever_the_limit_is_by_now(hostile, settings):
    settings.HYBER["default"]["SYNC_LIMIT"] = 0
    make_known()
    # The second half is known after the time that a synchronous request may take, and before that of a job is over.
    hostile.fault("parts", seconds=14 * GRACE, paths=("bulk",))
    hostile.fault("drop_answer", paths=("bulk",))
    start_campaign(make_campaign([phone(number) for number in range(10)]))
    settings.HYBER = {"default": settings.HYBER["default"] | {"SYNC_LIMIT": 10_000}}
    sweep()

    assert (hostile.ledger.taken, hostile.ledger.duplicates) == (10 + KNOWN, {})


@pytest.mark.parametrize("extra_id", ["order/17", "order 17", "замовлення-17"])
def test_not_found_proves_nothing_about_an_id_that_a_proxy_may_change(hostile, extra_id):
    make_known()
    hostile.fault("drop_request", paths=("single",))
    message = send_message(phone(1), CODE, extra_id=extra_id)
    query_long_after_the_grace(people=1)

    message.refresh_from_db()
    assert (message.status, message.answer) == ("unconfirmed", "unusual-id")
    assert send_again(message, by="anna")
    sweep()
    message.refresh_from_db()
    assert message.status == "accepted"


@pytest.mark.parametrize("claim", [BatchClaim, MessageClaim])
def test_database_that_fails_right_before_the_request_delays_it_and_needs_nobody(hostile, monkeypatch, claim):
    make_known()
    confirm = claim.confirm

    def fail_once(self):
        monkeypatch.setattr(claim, "confirm", confirm)
        if connection.vendor == "postgresql":
            with closing(connection.copy()) as other, other.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
            confirm(self)
        raise OperationalError("database is locked")

    monkeypatch.setattr(claim, "confirm", fail_once)
    if claim is BatchClaim:
        start_campaign(make_campaign([phone(1)]))
    else:
        send_message(phone(1), CODE)
    sweep()

    assert Message.objects.filter(status="accepted").count() == 1 + KNOWN
    assert (hostile.ledger.taken, hostile.ledger.duplicates) == (1 + KNOWN, {})


def test_host_whose_clock_is_ahead_does_not_expire_a_message(hostile, monkeypatch):
    hostile.fault("status", status=429, paths=("single",))
    message = send_message(phone(1), CODE)
    here = timezone.now
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: here() + HOUR)
        hostile.fault("status", status=429, paths=("single",))
        dispatch()
        dispatch()
    sweep()
    message.refresh_from_db()

    assert message.status == "accepted"


def test_message_of_a_host_whose_clock_is_behind_does_not_expire_at_once(hostile, monkeypatch):
    here = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: here() - HOUR)
    message = send_message(phone(1), CODE)
    message.refresh_from_db()

    assert message.status == "accepted"


def test_refusal_of_an_earlier_run_does_not_count_against_a_message_of_this_one(hostile):
    make_known()
    hostile.fault("drop_answer", paths=("bulk",))
    campaign = start_campaign(make_campaign([phone(1)]))
    message = campaign.messages.get()
    Batch.objects.create(campaign=campaign, run=0, first_id=message.pk, last_id=message.pk, size=1, releases_seen=0)
    batch = campaign.batches.get(run=1)
    endings.resolve_separately(Batch.objects.filter(pk=batch.pk), batch, get_account())
    message.refresh_from_db()
    send_again(message, by="olena")

    assert campaign.batches.get(run=0).releases_seen is None


@pytest.mark.parametrize("report", ["found", "not found"])
@pytest.mark.parametrize("verb", [pause_campaign, cancel_campaign])
def test_batch_that_is_stopped_while_its_outcome_is_unknown_is_not_sent_again(hostile, verb, report):
    make_known()
    hostile.fault("drop_answer" if report == "found" else "drop_request", paths=("bulk",))
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))
    verb(campaign)
    sweep(("unconfirmed",))
    ends = {"found": "delivered", "not found": "queued" if verb is pause_campaign else "cancelled"}

    assert set(campaign.messages.values_list("status", flat=True)) == {ends[report]}
    if verb is pause_campaign:
        resume_campaign(campaign)
        sweep()
    has_it = report == "found" or verb is pause_campaign
    assert (hostile.ledger.taken, hostile.ledger.duplicates) == (KNOWN + 2 * has_it, {})


def test_campaign_cancelled_while_its_batch_is_too_large_sends_neither_half(hostile, monkeypatch):
    campaign = make_campaign([phone(number) for number in range(1, 9)])
    hostile.fault("page", status=413, paths=("bulk",))
    split = BatchClaim.split

    def cancel_first(claim, reason):
        cancel_campaign(campaign)
        return split(claim, reason)

    monkeypatch.setattr(BatchClaim, "split", cancel_first)
    start_campaign(campaign)
    sweep()

    assert set(campaign.messages.values_list("status", flat=True)) == {"cancelled"}
    assert set(campaign.batches.values_list("state", flat=True)) == {"cancelled"}
    assert hostile.ledger.taken == 0


def test_message_whose_ttl_ends_while_its_outcome_is_unknown_expires_and_is_not_sent_late(hostile):
    make_known()
    hostile.fault("drop_request", paths=("single",))
    message = send_message(phone(1), CODE)
    Message.objects.filter(pk=message.pk).update(created_at=timezone.now() - HOUR)
    sweep()
    message.refresh_from_db()

    assert message.status == "expired"
    assert (hostile.ledger.taken, hostile.ledger.duplicates) == (KNOWN, {})


@pytest.mark.parametrize("setting", [{"ALLOWED_NUMBERS": ["+380671112233"]}, {"REDIRECT_TO": "+380671112233"}])
@pytest.mark.parametrize("fault", ["drop_answer", "drop_request"])
def test_numbers_limited_while_the_outcome_is_unknown_reach_nobody_else(hostile, settings, setting, fault):
    make_known()
    hostile.fault(fault, paths=("bulk",))
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))
    settings.HYBER = {"default": settings.HYBER["default"] | setting}
    sweep()

    assert not campaign.messages.filter(status__in=OPEN).exists()
    assert hostile.ledger.duplicates == {}
    numbers = {item["phone_number"] for body in posts(hostile)[2:] for item in body.get("recipients", [])}
    assert not numbers & {phone(1), phone(2)}

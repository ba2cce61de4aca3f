"""From the claim to the first byte: what fails there on our own side, and what stops a request at the last moment."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from django_hyber.campaigns import lifecycle
from django_hyber.conf import get_account
from django_hyber.models import Batch, Campaign, Message, Suppression
from django_hyber.protocol import SMS, HyberClient
from django_hyber.reconcile import unconfirmed
from django_hyber.sending import batch, message_claim, single
from django_hyber.sending.batch import submit_batch
from django_hyber.sending.claim import ClaimLost
from django_hyber.sending.single import submit_message
from django_hyber.services import (
    CampaignError,
    apply_replies,
    cancel_campaign,
    dispatch,
    pause_campaign,
    resume_campaign,
    retry_failed,
    send_message,
    start_campaign,
)
from django_hyber.signals import message_status_changed
from tests.builders import dispatch_until_finished, make_campaign, make_due, make_waiting_campaign, posts, statuses
from tests.protocol.platforms import serve
from tests.samples import phone
from tests.truth.clients import in_own_connection, submit

pytestmark = pytest.mark.django_db(transaction=True)
CODE = [SMS(text="Code 1234", alpha_name="SHOP", ttl=300)]


def before_the_first_byte(monkeypatch, method, happen):
    """Let something happen while a worker stands right before its request."""
    send = getattr(HyberClient, method)

    def send_later(client, body, before_write):
        def check():
            happen()
            before_write()

        return send(client, body, before_write=check)

    monkeypatch.setattr(HyberClient, method, send_later)


@pytest.mark.parametrize(("stop", "status"), [(pause_campaign, "queued"), (cancel_campaign, "cancelled")])
def test_campaign_that_is_stopped_right_before_its_request_sends_nothing(platform, monkeypatch, stop, status):
    campaign = make_campaign([phone(1), phone(2)])
    before_the_first_byte(monkeypatch, "send_broadcast_sync", lambda: stop(Campaign.objects.get(pk=campaign.pk)))
    start_campaign(campaign)

    assert posts(platform) == []
    assert statuses(campaign) == [status] * 2


def test_campaign_that_was_paused_right_before_its_request_goes_on_with_everybody(platform, monkeypatch):
    campaign = make_campaign([phone(1), phone(2)])
    with monkeypatch.context() as paused:
        before_the_first_byte(
            paused, "send_broadcast_sync", lambda: pause_campaign(Campaign.objects.get(pk=campaign.pk))
        )
        start_campaign(campaign)
    resume_campaign(campaign)
    dispatch_until_finished(campaign)

    assert (platform.ledger.taken, platform.ledger.duplicates) == (2, {})


@pytest.mark.parametrize("stop", [pause_campaign, cancel_campaign])
def test_stop_says_how_many_recipients_are_in_requests_under_way(platform, monkeypatch, settings, stop):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 2}}
    campaign = make_campaign([phone(number) for number in range(6)])
    found = []
    send = HyberClient.send_broadcast_sync

    def stop_while_it_is_sent(client, body, before_write):
        answer = send(client, body, before_write=before_write)
        found.append(stop(Campaign.objects.get(pk=campaign.pk)).on_the_wire)
        return answer

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", stop_while_it_is_sent)
    start_campaign(campaign)

    assert found == [2]
    assert len(posts(platform)) == 1


def test_single_message_that_cannot_be_built_waits_with_the_reason_and_nothing_is_queried(platform, monkeypatch):
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={"channels": ["sms"]})
    submit_message(message.pk)

    message.refresh_from_db()
    assert message.status == "queued"
    assert "channel_options" in message.error_text
    assert message.due_at is not None


def test_attempts_that_our_own_failure_cost_do_not_end_a_message(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"MAX_ATTEMPTS": 2}}
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={"channels": ["sms"]})
    for _ in range(4):
        Message.objects.update(due_at=None)
        submit_message(message.pk)

    message.refresh_from_db()
    assert (message.status, message.attempts) == ("queued", 4)


def test_campaign_whose_request_cannot_be_built_is_paused_with_the_reason(platform, monkeypatch):
    campaign = make_campaign([phone(1)])

    def fail(*arguments):
        raise LookupError("no such template")

    with monkeypatch.context() as broken:
        broken.setattr(batch, "build_body", fail)
        start_campaign(campaign)
    campaign.refresh_from_db()

    assert (campaign.status, campaign.status_reason) == ("paused", "no such template")
    assert posts(platform) == []
    resume_campaign(campaign)
    assert statuses(campaign) == ["accepted"]


def test_failure_of_our_own_after_the_request_went_out_leaves_its_outcome_unknown(platform, monkeypatch):
    def break_afterwards(client, body, before_write):
        before_write()
        raise LookupError("a mistake in reading the answer")

    with monkeypatch.context() as broken:
        broken.setattr(HyberClient, "send_single", break_afterwards)
        message = send_message(phone(1), CODE)

    message.refresh_from_db()
    assert message.status == "unconfirmed"


def test_nothing_is_sent_inside_a_transaction_that_could_undo_the_claim(platform):
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={})
    campaign = make_campaign([phone(2)])
    row = campaign.batches.create(first_id=1, last_id=9, size=1)

    for work in (lambda: submit_message(message.pk), lambda: submit_batch(row.pk), dispatch):
        with pytest.raises(RuntimeError), transaction.atomic():
            work()
    assert posts(platform) == []


class TooLargeTests:
    def test_batch_is_sent_in_halves(self, platform):
        platform.fault("status", status=413)
        campaign = start_campaign(make_campaign([phone(number) for number in range(5)]))
        dispatch_until_finished(campaign)

        assert [len(body["recipients"]) for body in posts(platform)] == [5, 2, 3]
        assert statuses(campaign) == ["accepted"] * 5
        assert platform.ledger.duplicates == {}

    def test_halves_cost_no_attempt(self, platform, settings):
        settings.HYBER = {"default": settings.HYBER["default"] | {"MAX_ATTEMPTS": 1}}
        platform.fault("status", status=413, count=2)
        campaign = start_campaign(make_campaign([phone(number) for number in range(4)]))
        dispatch_until_finished(campaign)

        assert statuses(campaign) == ["accepted"] * 4


def test_late_answer_about_the_run_before_does_not_accept_a_message_that_was_queued_again(
    platform, monkeypatch, settings
):
    # The retry must not become due before the late answer.
    settings.HYBER = {"default": settings.HYBER["default"] | {"RETRY_DELAY": 60}}
    campaign = make_campaign([phone(1)])
    send = HyberClient.send_broadcast_sync

    def be_frozen_until_it_is_sent_again(client, body, before_write):
        answer = send(client, body, before_write=before_write)
        campaign.batches.update(state="done", attempts=9)
        campaign.messages.update(status="undelivered")
        Campaign.objects.update(status="finished")
        with monkeypatch.context() as others:
            others.setattr(HyberClient, "send_broadcast_sync", send)
            platform.fault("status", status=429)
            retry_failed(Campaign.objects.get(pk=campaign.pk))
        return answer

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", be_frozen_until_it_is_sent_again)
    start_campaign(campaign)

    assert statuses(campaign) == ["queued"]
    monkeypatch.setattr(HyberClient, "send_broadcast_sync", send)
    make_due(campaign)
    dispatch_until_finished(campaign)
    assert len({body["recipients"][0]["extra_id"] for body in posts(platform)}) == 2


def test_message_that_a_query_queues_again_while_its_answer_is_recorded_is_accepted(platform, monkeypatch):
    message = send_message(phone(1), CODE)
    Message.objects.update(status="unconfirmed", message_id=None, accepted_at=None)
    claim = single.MessageClaim(row=Message.objects.get(pk=message.pk), account=get_account("default"))
    announcing, begun = message_claim.announcing, []

    def be_overtaken():
        begun.append(1)
        if len(begun) == 2:
            Message.objects.update(status="queued")
        return announcing()

    monkeypatch.setattr(message_claim, "announcing", be_overtaken)
    claim.record("id-of-this-run")
    message.refresh_from_db()

    assert (message.status, message.message_id) == ("accepted", "id-of-this-run")


def test_late_answer_about_the_run_before_does_not_accept_a_single_message(platform, monkeypatch):
    message = send_message(phone(1), CODE)
    claim = single.MessageClaim(row=Message.objects.get(pk=message.pk), account=get_account("default"))
    Message.objects.update(status="queued", extra_id="own-2", message_id=None)
    claim.record("id-of-the-first-run")

    message.refresh_from_db()
    assert (message.status, message.message_id) == ("queued", None)


@pytest.fixture
def waiting(platform):
    """The key of the only batch of a campaign that is being sent."""
    return make_waiting_campaign([phone(1), phone(2)], 2, CODE).batches.get().pk


def fail_at(number, seen):
    """Return a wrapper of all statements that notes them, and loses the answer to this one."""

    def fail(execute, sql, params, many, context):
        seen.append(sql)
        result = execute(sql, params, many, context)
        if len(seen) == number:
            raise OperationalError("the connection was lost")
        return result

    return fail


def statements_before_the_request(monkeypatch, submit_now):
    seen, send = [], HyberClient._post

    def stop_counting(client, *arguments, **options):
        seen.append("request")
        return send(client, *arguments, **options)

    with monkeypatch.context() as counted, connection.execute_wrapper(fail_at(0, seen)):
        counted.setattr(HyberClient, "_post", stop_counting)
        submit_now()
    return seen.index("request"), len(seen) - 1


@pytest.mark.parametrize("kind", ["message", "batch"])
def test_database_that_fails_between_the_claim_and_the_request_leaves_no_doubt(platform, monkeypatch, settings, kind):
    settings.HYBER = {"default": settings.HYBER["default"] | {"RETRY_DELAY": 0.01}}

    def store(number):
        if kind == "batch":
            return make_waiting_campaign([phone(number)], 1, CODE).batches.get().pk
        content = {"channels": ["sms"], "channel_options": {"sms": CODE[0].to_wire()}}
        return Message.objects.create(phone_number=phone(number), extra_id=f"own-{number}", content=content).pk

    submit_one = submit_batch if kind == "batch" else submit_message
    first = store(1)
    before, _all = statements_before_the_request(monkeypatch, lambda: submit_one(first))
    for number in range(2, before + 1):
        pk = store(number)
        with connection.execute_wrapper(fail_at(number, [])):
            submit_one(pk)
        # Its lease ends if the lost statement was the claim.
        Message.objects.filter(status="sending").update(lease_until="2020-01-01T00:00:00Z")
        Batch.objects.filter(state="sending").update(lease_until="2020-01-01T00:00:00Z")
        time.sleep(0.02)
        dispatch()

    assert set(Message.objects.values_list("status", flat=True)) == {"accepted"}
    assert not Message.objects.exclude(doubted_at=None).exists()
    assert platform.ledger.duplicates == {}


def test_batch_of_a_worker_that_was_killed_before_its_request_is_sent_without_a_query(platform, monkeypatch, waiting):
    def die(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(batch, "read_outgoing", die)
        with pytest.raises(KeyboardInterrupt):
            submit_batch(waiting)
    Batch.objects.update(lease_until="2020-01-01T00:00:00Z")
    dispatch()

    assert set(Message.objects.values_list("status", flat=True)) == {"accepted"}
    assert [request.method for request in platform.requests] == ["POST"]


def test_single_message_of_a_worker_that_was_killed_before_its_request_is_sent_without_a_query(platform, monkeypatch):
    content = {"channels": ["sms"], "channel_options": {"sms": CODE[0].to_wire()}}
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content=content)
    assert single.claim_message(message.pk)
    Message.objects.update(lease_until="2020-01-01T00:00:00Z")
    dispatch()

    message.refresh_from_db()
    assert message.status == "accepted"
    assert [request.method for request in platform.requests] == ["POST"]


def test_batch_that_is_confirmed_under_the_eyes_of_the_sweep_is_not_queued_again(waiting, monkeypatch):
    claim = batch.claim_batch(waiting)
    Batch.objects.update(lease_until="2020-01-01T00:00:00Z")
    working_account = unconfirmed.working_account

    def confirm_first(name):
        claim.confirm()
        return working_account(name)

    monkeypatch.setattr(unconfirmed, "working_account", confirm_first)
    unconfirmed.recover_expired_leases()

    assert Batch.objects.get().state == "sending"


def test_batch_in_doubt_that_turns_out_to_be_empty_is_not_ended(waiting):
    claim = batch.claim_batch(waiting)
    claim.mark_unconfirmed("a sweep of an older version", unconfirmed.database_time(), logged="")
    claim.end_empty()

    assert Batch.objects.get().state == "pending"
    assert set(Message.objects.values_list("status", flat=True)) == {"queued"}


def test_worker_that_has_lost_its_batch_leaves_out_nobody(waiting):
    claim = batch.claim_batch(waiting)
    Batch.objects.update(attempts=2)
    Suppression.objects.create(phone_number=phone(1))

    with pytest.raises(ClaimLost):
        batch.suppress(claim.account, claim.row.messages(), claim.leave_out)
    assert set(Message.objects.values_list("status", flat=True)) == {"queued"}


def opt_out():
    """In a transaction that has lasted for a minute."""
    minute_ago = timezone.now() - timedelta(minutes=1)
    Suppression.objects.create(phone_number=phone(1), created_at=minute_ago, listed_at=minute_ago)


def opt_out_by_late_reply():
    """It was written three hours ago."""
    at = (timezone.now() - timedelta(hours=3)).astimezone(ZoneInfo("Europe/Kyiv"))
    reply = {"phone": phone(1), "channel": "viber", "time": f"{at:%Y-%m-%d %H:%M:%S}", "text_from_subscriber": "STOP"}
    apply_replies([reply])
    assert Suppression.objects.get().created_at < timezone.now() - timedelta(hours=2)


@pytest.mark.parametrize("opt_out", [opt_out, opt_out_by_late_reply])
def test_opt_out_right_before_the_request_of_a_campaign_is_kept(platform, monkeypatch, opt_out):
    with monkeypatch.context() as late:
        before_the_first_byte(late, "send_broadcast_sync", opt_out)
        campaign = make_waiting_campaign([phone(1), phone(2)], 2, CODE)
        submit_batch(campaign.batches.get().pk)
    assert posts(platform) == []
    dispatch()

    assert statuses(campaign) == ["suppressed", "accepted"]
    assert [len(body["recipients"]) for body in posts(platform)] == [1]


@pytest.mark.parametrize(("suppress", "status"), [(True, "suppressed"), (False, "accepted")])
def test_opt_out_right_before_a_single_message_is_kept_if_it_counts(platform, monkeypatch, settings, suppress, status):
    settings.HYBER = {"default": settings.HYBER["default"] | {"SUPPRESS_TRANSACTIONAL": suppress}}
    with monkeypatch.context() as late:
        before_the_first_byte(late, "send_single", opt_out)
        message = send_message(f"+{phone(1)}", CODE)
    dispatch()

    message.refresh_from_db()
    assert message.status == status


def test_receiver_is_called_for_those_left_out_after_the_request(platform, waiting):
    Suppression.objects.create(phone_number=phone(1))
    requests_before = {}

    def receive(sender, message, new_status, **kwargs):
        requests_before[new_status] = len(posts(platform))

    message_status_changed.connect(receive)
    try:
        submit_batch(waiting)
    finally:
        message_status_changed.disconnect(receive)

    assert requests_before == {"suppressed": 1, "accepted": 1}


@pytest.mark.parametrize("stop", [pause_campaign, cancel_campaign])
def test_no_request_begins_once_a_stop_has_counted_those_under_way(platform, monkeypatch, waiting, stop):
    """A worker claims the batch and comes to its request between the count and the commit of the stop."""
    counted, count = threading.Event(), lifecycle.runs.count_on_the_wire

    def count_and_wait(pk):
        number = count(pk)
        counted.set()
        time.sleep(0.5)
        return number

    claim = batch.claim_batch(waiting) if connection.vendor == "sqlite" else None
    monkeypatch.setattr(lifecycle.runs, "count_on_the_wire", count_and_wait)
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(in_own_connection(stop), Campaign.objects.get())
        assert counted.wait(5)
        if claim:
            with pytest.raises(ClaimLost):
                claim.confirm()
        else:
            submit_batch(waiting)
        assert stopping.result().on_the_wire == 0

    assert posts(platform) == []


@pytest.mark.parametrize("is_kept", [True, False])
def test_stop_inside_a_transaction_holds_requests_until_its_end(platform, waiting, is_kept):
    """As in a view of a project with ATOMIC_REQUESTS."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            campaign = pause_campaign(Campaign.objects.get())
            sending = pool.submit(submit, waiting)
            time.sleep(0.5)
            assert (campaign.on_the_wire, posts(platform)) == (0, [])
            transaction.set_rollback(not is_kept)
        sending.result()

    assert len(posts(platform)) == int(not is_kept)


def test_without_autocommit_nothing_is_sent(platform, waiting):
    transaction.set_autocommit(False)
    try:
        with pytest.raises(RuntimeError, match="only with autocommit"):
            submit_batch(waiting)
        with pytest.raises(RuntimeError, match="only with autocommit"):
            dispatch()
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)

    assert posts(platform) == []


@pytest.fixture
def answer_entries(platform, settings):
    """A function that sends a campaign of two, whose request is answered with an entry for each that has these values.

    Unless they say otherwise, the entry is accepted and has an id.
    """

    def send(*changes, times=1):
        def answer(request):
            entries = [
                {"phone_number": item["phone_number"], "extra_id": item["extra_id"], "message_id": f"m-{index}"}
                for index, item in enumerate(request.json["recipients"])
            ]
            pairs = zip(entries, changes, strict=True)
            messages = [entry | {"processed": True, "accepted": True} | values for entry, values in pairs]
            return {"messages": messages * times}

        with serve() as other:
            other.body = answer
            settings.HYBER = {"default": settings.HYBER["default"] | {"BULK_URL": other.url}}
            return start_campaign(make_campaign([phone(1), phone(2)]))

    return send


REFUSED = {"accepted": False, "error_code": 36024, "error_text": "Phone number incorrect"}


def test_entry_that_is_refused_without_an_id_is_rejected(answer_entries):
    campaign = answer_entries(REFUSED | {"message_id": None}, {})

    assert statuses(campaign) == ["rejected", "accepted"]


def test_entry_that_is_refused_and_has_an_id_rejects_nobody(answer_entries):
    campaign = answer_entries(REFUSED, {})

    assert statuses(campaign) == ["unconfirmed", "accepted"]
    doubted = campaign.messages.get(status="unconfirmed")
    assert (doubted.message_id, doubted.error_code, doubted.error_text) == ("m-0", 36024, "Phone number incorrect")
    with pytest.raises(CampaignError):
        retry_failed(campaign)


def test_id_that_two_entries_have_leaves_both_outcomes_unknown(answer_entries):
    campaign = answer_entries({"message_id": "same"}, {"message_id": "same"})

    assert statuses(campaign) == ["unconfirmed", "unconfirmed"]
    assert set(campaign.messages.values_list("message_id", flat=True)) == {None}


def test_entries_that_are_repeated_are_accepted(answer_entries):
    assert statuses(answer_entries({}, {}, times=2)) == ["accepted", "accepted"]


def test_entry_by_phone_with_the_id_of_another_message_leaves_the_outcome_unknown(answer_entries):
    Message.objects.create(phone_number=phone(1), extra_id="before", message_id="m-0", status="accepted")
    campaign = answer_entries({"extra_id": None}, {"extra_id": None})

    assert statuses(campaign) == ["unconfirmed", "accepted"]

"""What is in doubt is queried over real HTTP: nobody gets it twice, and nobody is forgotten."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest
from django.utils import timezone

from django_hyber.conf import get_account
from django_hyber.db.bulk import insert_rows
from django_hyber.db.clock import database_time
from django_hyber.models import AccountState, Batch, Campaign, Message
from django_hyber.protocol import ConnectionLost, HyberClient, UnreadableResponse
from django_hyber.reconcile import endings, outcome_queries, unconfirmed
from django_hyber.reconcile.outcome_queries import forget_controls
from django_hyber.reconcile.proof import Answer, QueryResult
from django_hyber.sending import batch as sending
from django_hyber.sending import cancelling
from django_hyber.sending.batch import claim_batch
from django_hyber.sending.single import claim_message
from django_hyber.services import (
    apply_delivery_reports,
    cancel_campaign,
    dispatch,
    doubts,
    mark_as_sent,
    pause_campaign,
    resume_campaign,
    send_again,
    send_message,
    start_campaign,
)
from tests.builders import (
    CHANNELS,
    KNOWN,
    dispatch_until_finished,
    make_campaign,
    make_due,
    make_known,
    send_again_one_by_one,
    statuses,
    sweep_until_all_have,
)
from tests.protocol.platforms import serve
from tests.samples import phone, report
from tests.truth.clients import in_own_connection

pytestmark = pytest.mark.django_db(transaction=True)
SMS = CHANNELS[1:]
REPORTS = {"paths": ("reports",), "count": None}


@pytest.fixture
def platform(platform, settings):
    """Many of these tests repeat sweeps until nothing is open, so what waits must not wait for long."""
    settings.HYBER = {"default": settings.HYBER["default"] | {"RETRY_DELAY": 0.05}}
    return platform


@pytest.fixture
def configure(platform, settings):
    def change(**values):
        settings.HYBER = {"default": settings.HYBER["default"] | values}

    return change


@contextmanager
def lost_answers(monkeypatch, *names):
    """The platform takes what is sent, and our connection breaks before the answer."""
    with monkeypatch.context() as patch:
        for name in names:
            send = getattr(HyberClient, name)

            def lose(client, body, before_write, send=send):
                send(client, body, before_write=before_write)
                raise ConnectionLost

            patch.setattr(HyberClient, name, lose)
        yield


def sweep_until_nothing_is_open(seconds=60):
    end = time.monotonic() + seconds
    while Message.objects.filter(status__in=["queued", "sending", "unconfirmed"]).exists():
        assert time.monotonic() < end, list(Message.objects.values_list("status", "answer").distinct().order_by())
        dispatch()
        time.sleep(0.02)
    dispatch()


def make_pending_batch():
    """A campaign of two that was launched, whose only batch nobody has taken up."""
    campaign = make_campaign([phone(1), phone(2)])
    Campaign.objects.filter(pk=campaign.pk).update(status="sending", run=1)
    keys = campaign.messages.order_by("pk").values_list("pk", flat=True)
    return campaign, campaign.batches.create(run=1, first_id=keys[0], last_id=keys[1], size=2)


def query(message, times=2):
    for _ in range(times):
        Message.objects.filter(pk=message.pk).update(due_at=None)
        unconfirmed.resolve_message(message.pk)
    message.refresh_from_db()


def before_the_request(monkeypatch, happen):
    """Let something happen between the claim of a batch and its request."""
    build = sending.build_body

    def build_later(*arguments):
        happen()
        return build(*arguments)

    monkeypatch.setattr(sending, "build_body", build_later)


def was_sent_once(platform, people):
    return (platform.ledger.taken, platform.ledger.duplicates) == (people, {})


@pytest.mark.parametrize("answer", ["404", "404-json", "404-page", "200-empty", "200-error", "400-error"])
def test_dropped_request_is_sent_again_however_the_platform_says_not_found(platform, answer):
    make_known()
    platform.answer_unknown_ids(answer)
    message = send_message(phone(1, "87"), SMS)
    query(message)
    assert message.status == "queued"
    dispatch()

    message.refresh_from_db()
    assert message.status == "accepted"
    assert was_sent_once(platform, 1 + KNOWN)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "page", "status": 404},
        {"kind": "status", "status": 404},
        {"kind": "error", "status": 200},
        {"kind": "error", "status": 400},
        {"kind": "empty"},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
def test_address_that_knows_nobody_proves_nothing(platform, fault):
    make_known()
    platform.fault(**fault, **REPORTS)
    message = send_message(phone(1, "94"), SMS)
    campaign = start_campaign(make_campaign([phone(2, "94"), phone(3)]))
    for _ in range(4):
        make_due(campaign)
        query(message, times=1)
        dispatch()

    assert (message.status, message.answer) == ("unconfirmed", "not-even-known")
    assert campaign.batches.get().answer == "not-even-known"
    assert was_sent_once(platform, 3 + KNOWN)


def test_without_a_known_message_the_doubt_waits_for_the_first_one(platform):
    message = send_message(phone(1, "87"), SMS)
    query(message, times=4)
    assert (message.status, message.answer) == ("unconfirmed", "no-control")
    make_known()
    forget_controls()
    query(message)

    assert message.status == "queued"


def test_message_that_was_accepted_within_a_grace_is_no_control(platform, configure):
    configure(NOT_FOUND_GRACE=60)
    send_message(phone(2), SMS)
    message = send_message(phone(1, "87"), SMS)
    query(message)

    assert message.answer == "no-control"


def test_control_of_a_quiet_account_is_found_among_the_messages_of_another(platform, settings):
    settings.HYBER = settings.HYBER | {"quiet": settings.HYBER["default"]}
    known = make_known()
    two_days_ago = timezone.now() - timedelta(days=2)
    Message.objects.filter(pk=known.pk).update(account="quiet", accepted_at=two_days_ago)
    an_hour_ago = timezone.now() - timedelta(hours=1)
    columns = ("account", "phone_number", "extra_id", "variables", "status", "channel", "error_text", "attempts")
    others = [
        ("default", phone(number), f"other-{number}", {}, "accepted", "", "", 1, an_hour_ago, an_hour_ago)
        for number in range(12_000)
    ]
    insert_rows(Message, (*columns, "created_at", "accepted_at"), others)
    message = send_message(phone(1, "87"), SMS, account="quiet")
    query(message, times=1)

    assert message.answer == "not-found"


def test_answer_unlike_that_about_an_unknown_id_is_no_proof(platform, monkeypatch):
    make_known()
    message = send_message(phone(1, "87"), SMS)
    fetch = HyberClient.fetch_report

    def answer_otherwise(client, *, extra_id):
        if extra_id == message.extra_id:
            platform.fault("error", status=400, error_code=7, paths=("reports",))
        return fetch(client, extra_id=extra_id)

    monkeypatch.setattr(HyberClient, "fetch_report", answer_otherwise)
    query(message)

    assert (message.status, message.answer) == ("unconfirmed", "unlike-unknown")
    assert message.answer_text == "HTTP 400, error 7"


def test_controls_serve_the_queries_of_a_few_seconds_and_not_longer(platform, monkeypatch):
    make_known()
    messages = [send_message(phone(number, "87"), SMS) for number in range(5)]
    before = len(platform.requests)
    for message in messages:
        query(message, times=1)
    assert len(platform.requests) - before == 5 + 2

    monkeypatch.setattr(outcome_queries, "CONTROLS_VALID_FOR", timedelta(0))
    query(messages[0], times=1)
    assert len(platform.requests) - before == 5 + 2 + 3


def test_controls_of_one_address_do_not_confirm_the_answer_of_another(platform, settings, configure):
    """Two workers, of which one has a wrong REPORTS_URL that finds nothing."""
    make_known()
    right = settings.HYBER["default"]
    taken, lost = send_message(phone(1, "94"), SMS), send_message(phone(2, "87"), SMS)
    with serve() as wrong:
        wrong.status = 404
        for _ in range(3):
            settings.HYBER = {"default": right}
            query(lost, times=1)
            configure(REPORTS_URL=wrong.url)
            query(taken, times=1)

    assert (taken.status, taken.answer) == ("unconfirmed", "not-even-known")


def test_what_the_platform_finds_late_is_not_sent_twice(platform, configure, monkeypatch):
    make_known()
    configure(NOT_FOUND_GRACE=0.5)
    for kind in ("single", "bulk"):
        platform.fault("late_report", seconds=0.9, paths=(kind,))
    with lost_answers(monkeypatch, "send_single", "send_broadcast_sync"):
        send_message(phone(1), SMS)
        start_campaign(make_campaign([phone(2), phone(3)]))
    sweep_until_nothing_is_open()

    assert was_sent_once(platform, 3 + KNOWN)


def test_not_found_before_the_start_time_does_not_count(platform, configure):
    make_known()
    start = timezone.now() + timedelta(hours=2)
    message = send_message(phone(1, "87"), SMS, start_time=start)
    campaign = make_campaign([phone(2, "87")], start_time=start)
    configure(LEAD_TIME=3 * 3_600)
    start_campaign(campaign)
    for _ in range(4):
        make_due(campaign)
        query(message, times=1)
        dispatch()

    batch = campaign.batches.get()
    assert (message.status, batch.state) == ("unconfirmed", "unconfirmed")
    assert message.not_found_after >= start.replace(microsecond=0)
    assert batch.not_found_after >= start.replace(microsecond=0)


@pytest.mark.parametrize(("sync_limit", "method"), [(0, "send_broadcast"), (100, "send_broadcast_sync")])
def test_request_that_is_worked_off_in_parts_is_not_sent_twice(platform, configure, monkeypatch, sync_limit, method):
    make_known()
    grace = 0.3
    configure(SYNC_LIMIT=sync_limit, NOT_FOUND_GRACE=grace)
    # The second half is known after the grace in which "not found" is proved, and before the longer one is over.
    platform.fault("parts", seconds=4 * grace, paths=("bulk",))
    with lost_answers(monkeypatch, method):
        campaign = start_campaign(make_campaign([phone(number) for number in range(10)]))
    sweep_until_nothing_is_open()

    assert was_sent_once(platform, 10 + KNOWN)
    assert Batch.objects.count() == 1
    campaign.refresh_from_db()
    assert campaign.status == "finished"


def test_silence_of_a_job_counts_from_the_last_message_that_became_known(platform, configure, monkeypatch):
    make_known()
    configure(SYNC_LIMIT=0, NOT_FOUND_GRACE=0.01)
    platform.fault("parts", seconds=600, paths=("bulk",))
    with lost_answers(monkeypatch, "send_broadcast"):
        campaign = start_campaign(make_campaign([phone(1), phone(2)]))
    make_due(campaign)
    dispatch()
    batch = campaign.batches.get()
    assert batch.state == "done"
    time.sleep(0.4)
    last = campaign.messages.order_by("pk").last()
    # One of the others is reported by a callback.
    reported_at = database_time()
    campaign.messages.exclude(pk=last.pk).update(accepted_at=reported_at)
    query(last)

    assert last.status == "unconfirmed"
    assert last.not_found_after > reported_at


def test_silence_of_a_request_counts_by_the_clock_of_the_database(platform, configure, monkeypatch):
    make_known()
    configure(NOT_FOUND_GRACE=0.1)
    platform.fault("parts", seconds=600, paths=("bulk",))
    with lost_answers(monkeypatch, "send_broadcast_sync"):
        campaign = start_campaign(make_campaign([phone(1), phone(2)]))
    make_due(campaign)
    dispatch()
    first, last = campaign.messages.order_by("pk")
    time.sleep(0.6)
    # The clock of the host that receives the callback is behind.
    apply_delivery_reports([report(first)])
    campaign.messages.filter(pk=first.pk).update(accepted_at=timezone.now() - timedelta(hours=1))
    query(last, times=1)
    time.sleep(0.15)
    query(last, times=1)

    assert last.status == "unconfirmed"


def test_report_is_no_proof_about_another_time_zone(platform):
    campaign = make_campaign(["12025550123", phone(1), "12025550124"])
    first, here, last = campaign.messages.order_by("pk")
    doubt = {"doubted_at": database_time()}
    campaign.messages.update(status="unconfirmed", **doubt)
    campaign.batches.create(first_id=first.pk, last_id=last.pk, size=2, phone_prefixes=["1202"], **doubt)
    campaign.batches.create(first_id=here.pk, last_id=here.pk, size=1, phone_prefixes=["380"], **doubt)
    apply_delivery_reports([report(here)])

    assert list(campaign.batches.order_by("pk").values_list("proofs", flat=True)) == [0, 1]


def test_message_that_was_sent_again_does_not_vouch_for_the_request_before(platform, configure, monkeypatch):
    make_known()
    configure(SYNC_LIMIT=0, NOT_FOUND_GRACE=0.01)
    campaign = start_campaign(make_campaign([phone(1, "87"), phone(2)]))
    last = campaign.messages.order_by("pk").last()
    fetch = HyberClient.fetch_report

    def stumble(client, *, extra_id):
        if extra_id == last.extra_id:
            raise UnreadableResponse(500)
        return fetch(client, extra_id=extra_id)

    with monkeypatch.context() as failing:
        failing.setattr(HyberClient, "fetch_report", stumble)
        for _ in range(12):
            make_due(campaign)
            dispatch()
    assert statuses(campaign) == ["accepted", "unconfirmed"]
    AccountState.objects.update(queries_after=None)
    for _ in range(2):
        time.sleep(0.02)
        query(last, times=1)

    assert last.status == "queued"


def test_three_hundred_are_sent_to_once_by_ten_queries_a_second_of_which_a_fifth_fails(
    platform, configure, monkeypatch
):
    make_known()
    configure(NOT_FOUND_GRACE=0.5, ASK_EVERY=0.5)
    platform.fault("drop_request", paths=("bulk",))
    platform.fault("status", status=429, per_second=10, **REPORTS)
    platform.fault("status", status=500, share=0.2, seed=7, **REPORTS)
    campaign = start_campaign(make_campaign([phone(number) for number in range(300)]))
    failing = campaign.messages.order_by("pk").first().extra_id
    fetch = HyberClient.fetch_report

    def stumble(client, *, extra_id):
        if extra_id == failing:
            raise UnreadableResponse(500)
        return fetch(client, extra_id=extra_id)

    monkeypatch.setattr(HyberClient, "fetch_report", stumble)
    sweep_until_nothing_is_open(seconds=120)

    assert was_sent_once(platform, 300 + KNOWN)
    campaign.refresh_from_db()
    assert campaign.status == "finished"


def test_queries_about_a_batch_let_other_work_have_its_turn(platform, monkeypatch):
    make_known()
    campaign = start_campaign(make_campaign([phone(0, "87"), *(phone(number) for number in range(1, 40))]))
    monkeypatch.setattr(unconfirmed, "TURN_SECONDS", 0)
    batch = campaign.batches.get()
    for _ in range(unconfirmed.SAMPLE - 1):
        make_due(campaign)
        assert unconfirmed.resolve_batch(batch.pk)
        assert campaign.batches.get().due_at is None
    assert not campaign.batches.get().not_found_at
    assert not unconfirmed.resolve_batch(batch.pk)
    assert campaign.batches.get().not_found_at


def test_batch_is_queried_to_the_end_by_one_task_after_another(platform, monkeypatch):
    make_known()
    campaign = start_campaign(make_campaign([phone(0, "87"), *(phone(number) for number in range(1, 40))]))
    monkeypatch.setattr(unconfirmed, "TURN_SECONDS", 0)
    for _ in range(3):
        make_due(campaign)
        dispatch()

    assert set(statuses(campaign)) <= {"accepted", "delivered"}
    assert was_sent_once(platform, 40 + KNOWN)


def test_no_further_query_is_sent_when_the_controls_fail(platform):
    campaign = start_campaign(make_campaign([phone(0, "87"), *(phone(number) for number in range(1, 40))]))
    make_due(campaign)
    before = len(platform.requests)
    unconfirmed.resolve_batch(campaign.batches.get().pk)

    assert len(platform.requests) - before == 1 + KNOWN


def test_message_without_an_answer_does_not_keep_the_others_of_a_small_batch_in_doubt(platform, monkeypatch):
    make_known()
    campaign = start_campaign(make_campaign([phone(1, "87"), phone(2), phone(3)]))
    failing = campaign.messages.order_by("pk").last()
    fetch = HyberClient.fetch_report

    def stumble(client, *, extra_id):
        if extra_id == failing.extra_id:
            raise UnreadableResponse(500)
        return fetch(client, extra_id=extra_id)

    monkeypatch.setattr(HyberClient, "fetch_report", stumble)
    for _ in range(12):
        make_due(campaign)
        dispatch()

    assert statuses(campaign) == ["accepted", "accepted", "unconfirmed"]
    assert was_sent_once(platform, 2 + KNOWN)


def test_message_in_doubt_by_itself_does_not_wait_for_another_batch(platform, configure, monkeypatch):
    make_known()
    configure(BATCH_SIZE=2)
    send = HyberClient.send_broadcast_sync
    with monkeypatch.context() as forgetful:
        forgetful.setattr(
            HyberClient,
            "send_broadcast_sync",
            lambda client, body, before_write: send(client, body, before_write=before_write)[:-1],
        )
        campaign = start_campaign(make_campaign([phone(1), phone(2)]))
    lone = campaign.messages.get(status="unconfirmed")
    keys = [campaign.messages.create(phone_number=phone(number), extra_id=f"own-{number}").pk for number in (3, 4)]
    batch = campaign.batches.create(run=1, first_id=keys[0], last_id=keys[1], size=2)
    claim_batch(batch.pk).mark_unconfirmed("lost", database_time(), logged="")
    make_due(campaign)

    assert unconfirmed.take_next() == lone.pk
    assert unconfirmed.take_next() is None


def test_platform_that_asks_to_wait_is_left_alone_for_so_long(platform):
    message = send_message(phone(1, "94"), SMS)
    platform.fault("status", status=429, retry_after=600, paths=("reports",))
    query(message, times=3)

    assert (message.status, message.queries) == ("unconfirmed", 1)
    until = AccountState.objects.get(host="reports").queries_after
    assert until > database_time() + timedelta(seconds=590)
    assert message.due_at == until


class RefusalTests:
    """A 5xx with an error code: the platform may have taken it, or meant to refuse it."""

    def lose_single(self, message, error_code):
        claim_message(message.pk).mark_unconfirmed("Number is wrong", database_time(), logged="", error_code=error_code)

    @pytest.fixture
    def queued(self, platform):
        make_known()
        content = {"channels": ["sms"], "channel_options": {"sms": SMS[0].to_wire()}}
        return Message.objects.create(phone_number=phone(1), extra_id="own-1", content=content)

    def test_message_that_is_proved_not_taken_twice_with_the_same_code_was_refused(self, queued):
        self.lose_single(queued, 7)
        query(queued)
        assert (queued.status, queued.error_code) == ("queued", None)
        self.lose_single(queued, 7)
        query(queued)

        assert (queued.status, queued.error_code, queued.error_text) == ("rejected", 7, "Number is wrong")
        assert queued.finished_at

    def test_code_of_the_answer_is_remembered_from_one_request_to_the_next(self, platform):
        make_known()
        platform.fault("error", status=500, error_code=7, count=2, paths=("single",))
        message = send_message(phone(1), SMS)
        query(message)
        assert (message.status, message.not_taken_code) == ("queued", 7)
        dispatch()
        query(message)

        assert (message.status, message.error_code) == ("rejected", 7)
        assert was_sent_once(platform, KNOWN)

    @pytest.mark.parametrize("codes", [(7, 8), (7, None), (None, None)])
    def test_message_with_another_code_is_sent_again(self, queued, codes):
        for code in codes:
            self.lose_single(queued, code)
            query(queued)

            assert queued.status == "queued"

    def test_batch_that_is_proved_not_taken_twice_with_the_same_code_was_refused(self, platform):
        make_known()
        campaign, batch = make_pending_batch()
        for state in ("pending", "failed"):
            claim_batch(batch.pk).mark_unconfirmed("Sender is unknown", database_time(), logged="", error_code=9)
            for _ in range(2):
                make_due(campaign)
                unconfirmed.resolve_batch(batch.pk)
            batch.refresh_from_db()
            assert batch.state == state

        assert statuses(campaign) == ["rejected", "rejected"]
        assert set(campaign.messages.values_list("error_code", "error_text")) == {(9, "Sender is unknown")}
        campaign.refresh_from_db()
        assert campaign.status == "finished"


def test_late_end_of_a_connection_begins_the_graces_of_a_batch_again(platform, configure):
    make_known()
    campaign, batch = make_pending_batch()
    claim = claim_batch(batch.pk)
    claim.mark_unconfirmed("the lease has ended", database_time(), logged="")
    make_due(campaign)
    unconfirmed.resolve_batch(batch.pk)
    assert campaign.batches.get().not_found_at
    configure(NOT_FOUND_GRACE=60)
    replace(claim, account=get_account()).mark_unconfirmed("the answer did not come", database_time(), logged="")

    batch.refresh_from_db()
    assert batch.not_found_at is None
    assert batch.not_found_after > database_time() + timedelta(seconds=50)
    assert statuses(campaign) == ["unconfirmed", "unconfirmed"]


def test_report_that_comes_after_the_last_answer_holds_back_the_whole_batch(platform, monkeypatch):
    make_known()
    campaign = start_campaign(make_campaign([phone(1, "87"), phone(2), phone(3)]))
    end = endings.end_batch_as_not_accepted

    def be_overtaken(doubted, batch):
        campaign.messages.filter(phone_number=phone(2)).update(status="delivered", accepted_at=timezone.now())
        return end(doubted, batch)

    monkeypatch.setattr(endings, "end_batch_as_not_accepted", be_overtaken)
    for _ in range(2):
        make_due(campaign)
        unconfirmed.resolve_batch(campaign.batches.get().pk)

    assert statuses(campaign) == ["unconfirmed", "delivered", "unconfirmed"]
    assert campaign.batches.get().state == "unconfirmed"


def test_account_that_the_settings_do_not_have_is_asked_nothing(platform, caplog):
    message = send_message(phone(1, "87"), SMS)
    Message.objects.update(account="gone")
    query(message)

    assert (message.status, message.queries) == ("unconfirmed", 0)
    assert "gone" in caplog.text


@pytest.mark.parametrize(("sender", "status"), [("", "queued"), ("a" * 32, "unconfirmed")], ids=["before", "after"])
def test_request_of_a_stopped_worker_is_recovered_without_the_settings_of_its_account(platform, sender, status):
    content = {"channels": ["sms"], "channel_options": {"sms": SMS[0].to_wire()}}
    message = Message.objects.create(phone_number=phone(9), extra_id="own-1", content=content)
    campaign, batch = make_pending_batch()
    claim_message(message.pk)
    claim_batch(batch.pk)
    gone = {"sender": sender, "lease_until": "2020-01-01T00:00:00Z"}
    Message.objects.filter(pk=message.pk).update(**gone)
    campaign.batches.update(**gone)
    Message.objects.update(account="gone")
    Campaign.objects.update(account="gone")
    unconfirmed.recover_expired_leases()

    assert set(Message.objects.values_list("status", flat=True)) == {status}
    assert campaign.batches.get().state == status.replace("queued", "pending")
    if sender:
        reasons = Message.objects.values_list("error_text", "sender").distinct().order_by()
        assert list(reasons) == [(unconfirmed.WITHOUT_ACCOUNT, sender)]
        assert [doubt.people for doubt in doubts(only_overdue=False)] == [2, 1]


def test_report_of_a_batch_in_doubt_ends_its_queries(wired):
    campaign = start_campaign(make_campaign([phone(1, "94"), phone(2)]))
    assert wired.wait_idle(10)
    dispatch_until_finished(campaign)

    assert statuses(campaign) == ["delivered", "delivered"]


class TestReportAfterABatchWasQueuedAgain:
    """The platform has accepted the request after all, so its other messages must not be sent a second time."""

    @pytest.fixture(params=[100, 0], ids=["synchronous", "job"])
    def campaign(self, platform, configure, request):
        make_known()
        configure(SYNC_LIMIT=request.param)
        platform.fault("drop_answer", paths=("bulk",))
        return start_campaign(make_campaign([phone(number, "93") for number in range(5)]))

    @pytest.fixture
    def batch(self, campaign):
        """It waits, because its campaign is paused."""
        batch = campaign.batches.get()
        pause_campaign(campaign)
        assert send_again(batch, by="anna") == 5
        return batch

    def report_one(self, campaign, **values):
        message = campaign.messages.last()
        apply_delivery_reports([report(message, **values)])

    def resume(self, campaign):
        campaign.refresh_from_db()
        resume_campaign(campaign)
        make_due(campaign)
        dispatch()

    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"extra_id": None, "message_id": None, "time": None},
            {"accepted": False, "status": None, "error_code": 7},
        ],
        ids=["delivered", "nameless", "rejected"],
    )
    def test_it_is_queried_and_nobody_gets_it_twice(self, platform, campaign, batch, values):
        self.report_one(campaign, **values)
        self.resume(campaign)
        dispatch_until_finished(campaign)

        assert was_sent_once(platform, 5 + KNOWN)
        assert statuses(campaign)[1:] == ["accepted"] * 4

    def test_report_between_claim_and_request_counts_too(self, platform, campaign, batch, monkeypatch):
        before_the_request(monkeypatch, lambda: self.report_one(campaign))
        self.resume(campaign)
        dispatch_until_finished(campaign)

        assert was_sent_once(platform, 5 + KNOWN)

    def test_request_that_was_not_accepted_in_between_changes_nothing(self, platform, campaign, batch):
        platform.fault("status", status=429, paths=("bulk",), count=None)
        self.resume(campaign)
        batch.refresh_from_db()
        assert (batch.state, batch.waits_for) == ("pending", "retry")
        self.report_one(campaign)
        platform.clear_faults()
        dispatch_until_finished(campaign)

        assert was_sent_once(platform, 5 + KNOWN)

    def test_report_about_one_half_holds_back_the_other_one(self, platform, campaign, batch):
        platform.fault("page", status=413, paths=("bulk",))
        platform.fault("status", status=429, paths=("bulk",), count=None)
        self.resume(campaign)
        assert [half.size for half in campaign.batches.order_by("first_id")] == [2, 3]
        self.report_one(campaign)
        platform.clear_faults()
        dispatch_until_finished(campaign)

        assert was_sent_once(platform, 5 + KNOWN)

    def test_report_about_one_half_holds_back_the_other_one_whose_next_request_was_lost_too(
        self, platform, campaign, batch
    ):
        platform.fault("page", status=413, paths=("bulk",))
        platform.fault("drop_request", paths=("bulk",))
        platform.fault("status", status=429, paths=("bulk",), count=None)
        self.resume(campaign)
        lost = campaign.batches.get(state="unconfirmed")
        pause_campaign(campaign)
        send_again(lost, by="anna")
        others = campaign.messages.exclude(pk__gte=lost.first_id, pk__lte=lost.last_id)
        apply_delivery_reports([report(others.last())])
        platform.clear_faults()
        self.resume(campaign)
        dispatch_until_finished(campaign)

        assert was_sent_once(platform, 5 + KNOWN)

    def test_report_while_one_half_is_queued_again_holds_it_back(self, platform, campaign, batch, monkeypatch):
        platform.fault("page", status=413, paths=("bulk",))
        platform.fault("drop_request", paths=("bulk",))
        platform.fault("status", status=429, paths=("bulk",), count=None)
        self.resume(campaign)
        lost = campaign.batches.get(state="unconfirmed")
        other = campaign.messages.exclude(pk__gte=lost.first_id, pk__lte=lost.last_id).last()
        was_accepted = endings.was_accepted

        def be_overtaken(batch):
            reporting.start()
            reporting.join(1)
            return False

        reporting = Thread(target=in_own_connection(apply_delivery_reports), args=([report(other)],))
        with monkeypatch.context() as patch:
            patch.setattr(endings, "was_accepted", be_overtaken)
            endings.end_batch_as_not_accepted(campaign.batches.filter(pk=lost.pk), lost)
        reporting.join()
        platform.clear_faults()
        lost.refresh_from_db()

        assert lost.state == "pending"
        assert was_accepted(lost)

    def test_doubt_that_goes_on_is_about_the_client_that_has_sent(
        self, platform, campaign, batch, configure, monkeypatch
    ):
        configure(CLIENT_ID="another")
        platform.fault("status", status=429, paths=("bulk",), count=None)
        self.resume(campaign)
        self.report_one(campaign)
        platform.clear_faults()
        make_due(campaign)
        dispatch()
        others = campaign.messages.exclude(pk=campaign.messages.last().pk)

        assert set(others.values_list("status", flat=True)) == {"unconfirmed"}
        assert set(others.values_list("sender", flat=True)).isdisjoint({get_account("default").sender, ""})

    def test_report_about_one_holds_back_those_that_were_resolved_one_by_one(self, platform, campaign):
        send_again_one_by_one(campaign)
        self.report_one(campaign)
        self.resume(campaign)
        dispatch_until_finished(campaign)

        assert was_sent_once(platform, 5 + KNOWN)
        assert statuses(campaign)[1:] == ["accepted"] * 4

    def test_report_between_claim_and_request_holds_back_those_that_were_resolved_one_by_one(
        self, platform, campaign, monkeypatch
    ):
        send_again_one_by_one(campaign)
        before_the_request(monkeypatch, lambda: self.report_one(campaign))
        self.resume(campaign)
        dispatch_until_finished(campaign)

        assert was_sent_once(platform, 5 + KNOWN)

    def test_one_by_one_they_are_sent_again_without_a_report(self, platform, campaign):
        send_again_one_by_one(campaign)
        self.resume(campaign)
        dispatch_until_finished(campaign)

        assert len(platform.ledger.duplicates) == 5

    def cancel(self, campaign):
        campaign.refresh_from_db()
        cancel_campaign(campaign)

    def test_others_of_a_batch_that_was_cancelled_are_queried_after_a_report(self, platform, campaign, batch):
        self.cancel(campaign)
        self.report_one(campaign)
        sweep_until_all_have(campaign, ("delivered", "accepted"))

        assert was_sent_once(platform, 5 + KNOWN)
        assert (campaign.status, campaign.batches.get().state) == ("cancelled", "done")
        assert not campaign.messages.filter(status="accepted").exclude(finished_at=None).exists()

    def test_batch_that_is_cancelled_after_a_report_about_it_is_queried(self, platform, campaign, batch):
        self.report_one(campaign)
        self.cancel(campaign)
        sweep_until_all_have(campaign, ("delivered", "accepted"))

        assert was_sent_once(platform, 5 + KNOWN)

    def test_batch_that_is_sent_again_in_spite_of_a_report_and_cancelled_is_queried(self, platform, campaign):
        batch = campaign.batches.get()
        self.cancel(campaign)
        self.report_one(campaign)
        send_again(batch, by="anna")
        sweep_until_all_have(campaign, ("delivered", "accepted"))

        assert was_sent_once(platform, 5 + KNOWN)

    def test_those_that_were_cancelled_one_by_one_are_queried_after_a_report(self, platform, campaign):
        send_again_one_by_one(campaign)
        self.cancel(campaign)
        self.report_one(campaign)
        sweep_until_all_have(campaign, ("delivered", "accepted"))

        assert was_sent_once(platform, 5 + KNOWN)

    def test_those_whose_job_of_cancelling_is_under_way_are_queried_too(self, platform, campaign, batch, monkeypatch):
        monkeypatch.setattr(cancelling, "is_large", lambda messages: True)
        monkeypatch.setattr(cancelling, "request_job", lambda *arguments: None)
        self.cancel(campaign)
        self.report_one(campaign)
        assert set(statuses(campaign)) == {"queued", "delivered"}
        sweep_until_all_have(campaign, ("delivered", "accepted"))

        assert was_sent_once(platform, 5 + KNOWN)

    def test_those_that_were_not_accepted_after_all_are_cancelled_again(self, platform, campaign, batch, monkeypatch):
        monkeypatch.setattr(
            outcome_queries, "query_outcome", lambda *arguments, **options: (Answer.NO_ANSWER, QueryResult())
        )
        self.cancel(campaign)
        self.report_one(campaign)
        dispatch()
        dispatch()
        for message in campaign.messages.filter(status="unconfirmed"):
            endings.end_message_as_not_accepted(Message.objects.filter(pk=message.pk), message)
        dispatch()
        dispatch()

        assert statuses(campaign) == ["delivered"] + ["cancelled"] * 4
        assert was_sent_once(platform, 5 + KNOWN)

    def test_without_a_report_it_is_sent_again(self, platform, campaign, batch):
        self.resume(campaign)
        dispatch_until_finished(campaign)

        assert len(platform.ledger.duplicates) == 5


def test_report_between_claim_and_request_holds_back_a_message_that_an_answer_did_not_mention(platform, monkeypatch):
    make_known()
    send = HyberClient.send_broadcast_sync
    with monkeypatch.context() as forgetful:
        forgetful.setattr(
            HyberClient,
            "send_broadcast_sync",
            lambda client, body, before_write: send(client, body, before_write=before_write)[:-2],
        )
        campaign = start_campaign(make_campaign([phone(number, "93") for number in range(4)]))
    first, second = campaign.messages.filter(status="unconfirmed").order_by("pk")
    pause_campaign(campaign)
    for message in (first, second):
        send_again(message, by="anna")
    before_the_request(monkeypatch, lambda: apply_delivery_reports([report(first)]))
    resume_campaign(campaign)
    dispatch_until_finished(campaign)

    # Its request was accepted, but perhaps without the second one: only a report about that one would be proof.
    assert set(platform.ledger.duplicates) == {second.extra_id}


def test_single_message_that_is_found_does_not_confirm_that_those_of_campaigns_are_visible(platform, monkeypatch):
    """The platform shows single messages at once, and those of campaigns only later."""
    make_known()
    accepted = start_campaign(make_campaign([phone(1)]))
    an_hour_ago = timezone.now() - timedelta(hours=1)
    accepted.messages.update(accepted_at=an_hour_ago)
    accepted.batches.update(finished_at=an_hour_ago)
    campaign, batch = make_pending_batch()
    claim_batch(batch.pk).mark_unconfirmed("lost", database_time(), logged="")
    fetch = HyberClient.fetch_report
    invisible = set(Message.objects.exclude(campaign=None).values_list("extra_id", flat=True))

    def find_single(client, *, extra_id):
        return fetch(client, extra_id="invisible" if extra_id in invisible else extra_id)

    monkeypatch.setattr(HyberClient, "fetch_report", find_single)
    for _ in range(4):
        make_due(campaign)
        unconfirmed.resolve_batch(batch.pk)
    batch.refresh_from_db()

    assert (batch.state, batch.answer) == ("unconfirmed", "not-even-known")


def test_what_a_person_has_decided_is_no_control(platform, monkeypatch):
    make_known()
    campaign, batch = make_pending_batch()
    claim_batch(batch.pk).mark_unconfirmed("lost", database_time(), logged="")
    mark_as_sent(Batch.objects.get(pk=batch.pk), by="anna")
    an_hour_ago = timezone.now() - timedelta(hours=1)
    campaign.messages.update(accepted_at=an_hour_ago)
    campaign.batches.update(finished_at=an_hour_ago)
    campaign, batch = make_pending_batch()
    claim_batch(batch.pk).mark_unconfirmed("lost", database_time(), logged="")
    make_due(campaign)
    unconfirmed.resolve_batch(batch.pk)
    batch.refresh_from_db()

    assert batch.answer == "not-found"


def test_nameless_report_proves_that_a_queued_message_had_been_accepted(platform):
    platform.fault("drop_answer", paths=("single",))
    message = send_message(phone(1, "93"), SMS)
    message.refresh_from_db()
    platform.fault("status", status=429, retry_after=60, paths=("single",))
    send_again(message, by="anna")
    dispatch()
    apply_delivery_reports([report(None, number=phone(1, "93"), message_id=None, time=None)])
    Message.objects.filter(pk=message.pk).update(due_at=None)
    dispatch()
    message.refresh_from_db()

    assert message.status == "delivered"
    assert was_sent_once(platform, 1)


@pytest.mark.parametrize("ids", [{}, {"message_id": "of-another-system"}], ids=["by phone", "with an unknown id"])
def test_report_from_before_a_lost_message_does_not_end_its_doubt(platform, ids):
    make_known()
    apply_delivery_reports([report(None, **{"number": phone(1, "87"), "message_id": None, "time": None} | ids)])
    message = send_message(phone(1, "87"), SMS)
    sweep_until_nothing_is_open()
    message.refresh_from_db()

    assert message.status in ("accepted", "delivered")
    assert was_sent_once(platform, 1 + KNOWN)

"""Several workers have had the same work, one after the other: what the earlier ones learn late harms nobody."""

from __future__ import annotations

from contextlib import closing, contextmanager, suppress
from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from django_hyber.db import lease
from django_hyber.models import Batch, Campaign, Message
from django_hyber.protocol import SMS, APIError, ConnectionLost, HyberClient, NotTaken, ReportNotFound, RequestTooLarge
from django_hyber.reconcile import unconfirmed
from django_hyber.sending import batch as batches
from django_hyber.sending.single import submit_message
from django_hyber.services import (
    cancel_campaign,
    cancel_message,
    dispatch,
    pause_campaign,
    retry_failed,
    send_message,
    start_campaign,
)
from tests.builders import KNOWN, dispatch_until_finished, make_campaign, make_due, make_known, posts, statuses
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
#: As the sandbox answers.
NOT_FOUND = ReportNotFound(404)


def send_by_others(campaign):
    """What the other workers do when the lease of one has ended: ask, hear that nothing is known, send again."""
    campaign.batches.update(lease_until="2020-01-01T00:00:00Z")
    unconfirmed.recover_expired_leases()
    ask_and_send_again(campaign)


def ask_and_send_again(campaign):
    ask_twice(campaign)
    batches.submit_batch(campaign.batches.get().pk)


def ask_twice(campaign):
    for _ in range(2):
        make_due(campaign)
        unconfirmed.resolve_batch(campaign.batches.get().pk)


def once(function, then):
    """Return a function that calls the first one the first time, and the other one from then on."""
    calls = []

    def call(*arguments, **options):
        calls.append(arguments)
        return function(*arguments, **options) if len(calls) == 1 else then(*arguments, **options)

    return call


def take(batch):
    assert batches.claim_batch(batch.pk)


def pause(batch):
    pause_campaign(batch.campaign)


def put_off(batch):
    Batch.objects.filter(pk=batch.pk).update(due_at=timezone.now() + timedelta(hours=1))


@pytest.mark.parametrize("overtake", [take, pause, put_off])
def test_batch_that_changes_between_the_look_and_the_claim_is_not_sent(platform, monkeypatch, overtake):
    campaign = start_campaign(make_campaign([phone(1)], start_time=timezone.now() + timedelta(days=1)))
    Campaign.objects.filter(pk=campaign.pk).update(status="sending", start_time=None)
    batch = campaign.batches.get()
    working_account = batches.working_account

    def be_overtaken(name):
        monkeypatch.setattr(batches, "working_account", working_account)
        overtake(batch)
        return working_account(name)

    monkeypatch.setattr(batches, "working_account", be_overtaken)
    batches.submit_batch(batch.pk)

    assert batches.working_account is working_account
    assert posts(platform) == []


@pytest.fixture
def break_connection():
    """A function that breaks the connection to the database off; SQLite is in this process and has none."""

    def break_off():
        if connection.vendor == "sqlite":
            return
        is_postgresql = connection.vendor == "postgresql"
        driver = connection.connection
        sql = "SELECT pg_terminate_backend(%s)" if is_postgresql else "KILL %s"
        with closing(connection.copy()) as other, other.cursor() as cursor:
            cursor.execute(sql, [driver.info.backend_pid if is_postgresql else driver.thread_id()])
        Batch.objects.exists()

    return break_off


def test_batch_whose_claim_was_committed_without_an_answer_is_sent_at_once(platform, monkeypatch, break_connection):
    campaign = start_campaign(make_campaign([phone(1)], start_time=timezone.now() + timedelta(days=1)))
    Campaign.objects.filter(pk=campaign.pk).update(status="sending", start_time=None)
    commit = BaseDatabaseWrapper.commit

    def be_lost(self):
        monkeypatch.setattr(BaseDatabaseWrapper, "commit", commit)
        commit(self)
        break_connection()

    monkeypatch.setattr(BaseDatabaseWrapper, "commit", be_lost)
    batches.submit_batch(campaign.batches.get().pk)

    assert statuses(campaign) == ["accepted"]
    assert (platform.ledger.taken, platform.ledger.duplicates) == (1, {})


def test_message_whose_claim_was_committed_without_an_answer_is_sent_at_once(platform, monkeypatch, break_connection):
    sms = {"text": "7", "alpha_name": "Shop", "ttl": 300}
    content = {"channels": ["sms"], "channel_options": {"sms": sms}}
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content=content)
    claim = lease.claim

    def be_lost(*arguments, **options):
        monkeypatch.setattr(lease, "claim", claim)
        is_claimed = claim(*arguments, **options)
        break_connection()
        return is_claimed

    monkeypatch.setattr(lease, "claim", be_lost)
    submit_message(message.pk)

    message.refresh_from_db()
    assert (message.status, platform.ledger.taken, platform.ledger.duplicates) == ("accepted", 1, {})


@pytest.mark.parametrize("is_written", [False, True], ids=["before the request", "on the wire"])
def test_message_is_queued_again_at_once_although_the_connection_to_the_database_has_broken_off(
    platform, monkeypatch, break_connection, is_written
):
    sms = {"text": "7", "alpha_name": "Shop", "ttl": 300}
    content = {"channels": ["sms"], "channel_options": {"sms": sms}}
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content=content)

    def be_cut_off(client, body, before_write):
        if not is_written:
            break_connection()
            raise OperationalError
        before_write()
        with suppress(OperationalError, InterfaceError):
            break_connection()
        raise RequestTooLarge(is_from_platform=False)

    monkeypatch.setattr(HyberClient, "send_single", be_cut_off)
    submit_message(message.pk)

    message.refresh_from_db()
    assert (message.status, message.lease_until) == ("queued", None)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(batches, "build_body"), (HyberClient, "send_broadcast_sync")],
    ids=["before the request", "on the wire"],
)
def test_batch_is_its_workers_own_until_the_lease_ends(platform, monkeypatch, owner, name):
    campaign = make_campaign([phone(1)])
    function, states = getattr(owner, name), []

    def be_swept(*arguments, **options):
        unconfirmed.recover_expired_leases()
        states.append(campaign.batches.get().state)
        return function(*arguments, **options)

    monkeypatch.setattr(owner, name, be_swept)
    start_campaign(campaign)

    assert states == ["sending"]
    assert statuses(campaign) == ["accepted"]


def test_batch_whose_lease_begins_anew_under_the_eyes_of_the_sweep_is_left_alone(platform, monkeypatch):
    campaign = start_campaign(make_campaign([phone(1)], start_time=timezone.now() + timedelta(days=1)))
    campaign.batches.update(state="sending", lease_until="2020-01-01T00:00:00Z")
    working_account = unconfirmed.working_account

    def be_renewed(name):
        campaign.batches.update(lease_until=timezone.now() + timedelta(minutes=1))
        return working_account(name)

    monkeypatch.setattr(unconfirmed, "working_account", be_renewed)
    unconfirmed.recover_expired_leases()

    batch = campaign.batches.get()
    assert batch.state == "sending"
    assert batch.lease_until > timezone.now()


def test_worker_that_stood_still_while_others_took_its_batch_sends_nothing(platform, monkeypatch):
    make_known()
    campaign = make_campaign([phone(1), phone(2)])
    build = batches.build_body

    def stand_still(*content):
        send_by_others(campaign)
        return build(*content)

    monkeypatch.setattr(batches, "build_body", once(stand_still, build))
    start_campaign(campaign)

    assert statuses(campaign) == ["accepted", "accepted"]
    assert (platform.ledger.taken, platform.ledger.duplicates) == (2 + KNOWN, {})


def test_worker_that_stood_still_right_after_its_claim_does_not_take_the_next_claim_for_its_own(platform, monkeypatch):
    make_known()
    campaign = start_campaign(make_campaign([phone(1)], start_time=timezone.now() + timedelta(days=1)))
    Campaign.objects.filter(pk=campaign.pk).update(status="sending", start_time=None)
    batch = campaign.batches.get()
    write_transaction = batches.write_transaction

    @contextmanager
    def stand_still_afterwards():
        with write_transaction():
            yield
        monkeypatch.setattr(batches, "write_transaction", write_transaction)
        campaign.batches.update(lease_until="2020-01-01T00:00:00Z")
        unconfirmed.recover_expired_leases()
        ask_twice(campaign)
        take(batch)

    monkeypatch.setattr(batches, "write_transaction", stand_still_afterwards)
    batches.submit_batch(batch.pk)

    assert campaign.batches.get().attempts == 2
    assert len(posts(platform)) == KNOWN


@pytest.mark.parametrize("late_news", [NotTaken(), APIError(400, 1, "no")], ids=["not taken", "refused"])
def test_late_news_of_a_batch_that_others_have_sent_since_changes_nothing(platform, monkeypatch, late_news):
    make_known()
    campaign = make_campaign([phone(1), phone(2)])

    def hear_late(client, body, before_write):
        platform.fault("drop_answer")
        send_by_others(campaign)
        raise late_news

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", once(hear_late, HyberClient.send_broadcast_sync))
    start_campaign(campaign)

    assert campaign.batches.get().state == "unconfirmed"
    assert statuses(campaign) == ["unconfirmed", "unconfirmed"]
    dispatch_until_finished(campaign)
    assert (platform.ledger.taken, platform.ledger.duplicates) == (2 + KNOWN, {})


def test_lost_answer_that_is_noticed_late_holds_back_a_batch_that_nobody_has_claimed_since(platform, monkeypatch):
    make_known()
    campaign = make_campaign([phone(1), phone(2)])

    def lose_late(client, body, before_write):
        campaign.batches.update(lease_until="2020-01-01T00:00:00Z")
        unconfirmed.recover_expired_leases()
        ask_twice(campaign)
        assert campaign.batches.get().state == "pending"
        raise ConnectionLost

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", once(lose_late, HyberClient.send_broadcast_sync))
    Campaign.objects.filter(pk=campaign.pk).update(status="sending", run=1)
    keys = campaign.messages.order_by("pk").values_list("pk", flat=True)
    batch = campaign.batches.create(first_id=keys[0], last_id=keys[1], size=2)
    batches.submit_batch(batch.pk)

    assert campaign.batches.get().state == "unconfirmed"
    assert statuses(campaign) == ["unconfirmed", "unconfirmed"]


def test_not_found_that_comes_late_is_not_about_a_batch_that_was_sent_again(platform, monkeypatch):
    make_known()
    campaign = start_campaign(make_campaign([phone(1, "87"), phone(2)]))
    make_due(campaign)
    unconfirmed.resolve_batch(campaign.batches.get().pk)
    assert campaign.batches.get().not_found_at
    ask = HyberClient.fetch_report

    def answer_late(client, **ids):
        platform.fault("drop_answer")
        with monkeypatch.context() as others:
            others.setattr(HyberClient, "fetch_report", ask)
            ask_and_send_again(campaign)
        raise NOT_FOUND

    def not_found(client, **ids):
        raise NOT_FOUND

    make_due(campaign)
    with monkeypatch.context() as slow:
        slow.setattr(HyberClient, "fetch_report", once(answer_late, not_found))
        unconfirmed.resolve_batch(campaign.batches.get().pk)

    assert (campaign.batches.get().state, campaign.batches.get().attempts) == ("unconfirmed", 2)
    dispatch_until_finished(campaign)
    assert (platform.ledger.taken, platform.ledger.duplicates) == (2 + KNOWN, {})


def test_not_found_that_comes_late_does_not_free_a_message_that_is_on_the_wire_again(platform, monkeypatch):
    send = HyberClient.send_broadcast_sync

    def forget_the_last(client, body, before_write):
        return send(client, body | {"recipients": body["recipients"][:-1]}, before_write=before_write)

    with monkeypatch.context() as forgetful:
        forgetful.setattr(HyberClient, "send_broadcast_sync", forget_the_last)
        campaign = start_campaign(make_campaign([phone(1), phone(2)]))
    message = campaign.messages.get(status="unconfirmed")
    make_due(campaign)
    unconfirmed.resolve_message(message.pk)
    assert campaign.messages.get(status="unconfirmed").not_found_at

    def answer_late(client, **ids):
        make_due(campaign)
        unconfirmed.resolve_message(message.pk)
        batches.claim_batch(campaign.batches.get(run=0).pk)
        raise NOT_FOUND

    make_due(campaign)
    monkeypatch.setattr(HyberClient, "fetch_report", once(answer_late, HyberClient.fetch_report))
    unconfirmed.resolve_message(message.pk)

    assert campaign.batches.get(run=0).state == "sending"


def test_not_found_about_a_retry_does_not_count_by_the_time_of_the_run_before(platform, monkeypatch):
    campaign = start_campaign(make_campaign([phone(1)]))
    campaign.messages.update(status="expired", not_found_after="2020-01-01T00:00:00Z")
    platform.fault("drop_answer")
    retry_failed(campaign)

    def not_yet_known(client, **ids):
        raise ReportNotFound

    with monkeypatch.context() as early:
        early.setattr(HyberClient, "fetch_report", not_yet_known)
        unconfirmed.resolve_message(campaign.messages.get().pk)

    assert statuses(campaign) == ["unconfirmed"]
    dispatch_until_finished(campaign)
    assert [len(body["recipients"]) for body in posts(platform)] == [1, 1]


def test_run_before_proves_nothing_about_the_request_of_a_retry(platform):
    campaign = start_campaign(make_campaign([phone(number) for number in range(9)]))
    failed = list(campaign.messages.order_by("pk").values_list("pk", flat=True))[::3]
    campaign.messages.filter(pk__in=failed).update(status="expired")
    platform.fault("drop_request")
    retry_failed(campaign)
    dispatch_until_finished(campaign)

    assert [len(body["recipients"]) for body in posts(platform)] == [9, 3, 3]
    assert platform.ledger.duplicates == {}


def test_what_came_back_to_a_cancelled_campaign_is_cancelled_though_the_worker_was_killed(platform, monkeypatch):
    make_known()
    campaign = start_campaign(make_campaign([phone(1, "87"), phone(2)]))
    cancel_campaign(campaign)
    make_due(campaign)
    unconfirmed.resolve_batch(campaign.batches.get().pk)
    make_due(campaign)

    def killed(*arguments):
        raise KeyboardInterrupt

    batch = campaign.batches.get()
    with monkeypatch.context() as fatal:
        fatal.setattr(unconfirmed, "settle", killed)
        with pytest.raises(KeyboardInterrupt):
            unconfirmed.resolve_batch(batch.pk)
    assert statuses(campaign) == ["queued", "queued"]
    dispatch()

    assert statuses(campaign) == ["cancelled", "cancelled"]
    assert campaign.batches.get().state == "cancelled"


@pytest.mark.parametrize("sync_limit", [0, 100], ids=["job", "synchronous"])
def test_late_acceptance_counts_although_the_campaign_was_cancelled_since(platform, settings, monkeypatch, sync_limit):
    settings.HYBER["default"]["SYNC_LIMIT"] = sync_limit
    make_known()
    campaign = make_campaign([phone(1), phone(2)])
    name = "send_broadcast_sync" if sync_limit else "send_broadcast"
    send = getattr(HyberClient, name)

    def stand_still(client, body, before_write):
        before_write()
        campaign.batches.update(lease_until="2020-01-01T00:00:00Z")
        unconfirmed.recover_expired_leases()
        ask_twice(campaign)
        cancel_campaign(campaign)
        assert statuses(campaign) == ["cancelled"] * 2
        return send(client, body)

    monkeypatch.setattr(HyberClient, name, stand_still)
    start_campaign(campaign)

    assert platform.ledger.taken == KNOWN + 2
    assert statuses(campaign) == ["accepted"] * 2


def test_late_acceptance_counts_although_the_message_was_cancelled_since(platform, monkeypatch):
    make_known()
    send = HyberClient.send_single

    def stand_still(client, body, before_write):
        before_write()
        messages = Message.objects.filter(status="sending")
        message = messages.get()
        messages.update(lease_until="2020-01-01T00:00:00Z")
        unconfirmed.recover_expired_leases()
        for _ in range(2):
            Message.objects.filter(pk=message.pk).update(due_at=None)
            unconfirmed.resolve_message(message.pk)
        assert cancel_message(message)
        return send(client, body)

    monkeypatch.setattr(HyberClient, "send_single", stand_still)
    message = send_message(phone(1), [SMS(text="Code 1234", alpha_name="SHOP", ttl=300)])
    message.refresh_from_db()

    assert (message.status, message.finished_at) == ("accepted", None)


def test_answer_for_a_campaign_that_was_deleted_meanwhile_is_no_error(platform, monkeypatch):
    campaign = make_campaign([phone(1)])
    send = HyberClient.send_broadcast_sync

    def delete_and_send(client, body, before_write):
        def delete():
            before_write()
            Campaign.objects.all().delete()

        return send(client, body, before_write=delete)

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", delete_and_send)
    Campaign.objects.filter(pk=campaign.pk).update(status="sending", run=1)
    campaign.batches.create(first_id=campaign.messages.get().pk, last_id=campaign.messages.get().pk, size=1)
    batches.submit_batch(campaign.batches.get().pk)

    assert platform.ledger.taken == 1

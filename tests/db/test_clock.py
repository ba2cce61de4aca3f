"""Leases, doubts and graces are measured by the clock of the database, whatever the host of a worker believes."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from django_hyber.conf import get_account
from django_hyber.db.clock import database_time
from django_hyber.models import AccountState, Batch, Campaign, DeliveryReport, Message, Suppression
from django_hyber.notices import announce_stalls
from django_hyber.protocol import HyberClient, NotTaken, RequestTooLarge
from django_hyber.queueing import due_to_enqueue
from django_hyber.reconcile import endings, unconfirmed
from django_hyber.reports.early import rematch_reports
from django_hyber.sending import runs
from django_hyber.sending.batch import claim_batch
from django_hyber.sending.pace import breaker
from django_hyber.sending.single import claim_message
from django_hyber.services import (
    apply_delivery_reports,
    dispatch,
    import_suppressions,
    send_message,
    start_campaign,
)
from tests.builders import CHANNELS, make_campaign, make_due, make_known, make_waiting_campaign, posts, statuses
from tests.samples import phone, report

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[timedelta(seconds=8), timedelta(hours=1), -timedelta(hours=1)], ids=str)
def shifted(request, monkeypatch):
    """A function that shifts the clock by which this process measures time."""
    now = timezone.now

    def shift():
        monkeypatch.setattr(timezone, "now", lambda: now() + request.param)

    return shift


@pytest.fixture
def graced(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"NOT_FOUND_GRACE": 5, "LEASE": 8, "RETRY_DELAY": 1}}
    return platform


def test_clock_is_close_to_that_of_the_test_and_aware(db):
    assert abs(database_time() - timezone.now()) < timedelta(seconds=5)


@pytest.mark.parametrize("zone", ["-05:00", "+02:00"])
def test_opt_out_is_listed_by_the_clock_of_the_database_in_whatever_zone_its_server_is(zone):
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("SET time_zone = %s", [zone])
    import_suppressions([{"phone": f"+{phone(1)}"}])
    connection.close()

    assert abs(Suppression.objects.get().listed_at - database_time()) < timedelta(seconds=5)


def test_lease_is_as_long_as_it_should_be_on_a_host_with_another_clock(graced, shifted):
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={})
    shifted()
    claim_message(message.pk)

    message.refresh_from_db()
    assert timedelta(seconds=3) < message.lease_until - database_time() < timedelta(seconds=9)


def test_host_with_another_clock_does_not_end_the_lease_of_a_worker(graced, shifted):
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={})
    claim_message(message.pk)
    shifted()
    unconfirmed.recover_expired_leases()

    message.refresh_from_db()
    assert message.status == "sending"


def test_doubt_begins_and_counts_by_the_clock_of_the_database(graced, shifted):
    shifted()
    message = send_message(phone(1, "94"), CHANNELS)

    message.refresh_from_db()
    assert abs(message.doubted_at - database_time()) < timedelta(seconds=5)
    assert message.not_found_after == message.doubted_at + timedelta(seconds=5)


def test_outcome_is_queried_when_it_is_due_by_the_clock_of_the_database(graced, shifted):
    make_known()
    shifted()
    campaign = start_campaign(make_campaign([phone(1, "87"), phone(2)]))
    send_message(phone(3, "87"), CHANNELS)
    rows = (campaign.batches.get(), Message.objects.get(phone_number=phone(3, "87")))
    assert [row.due_at - database_time() < timedelta(seconds=5) for row in rows] == [True, True]
    now = database_time()
    Batch.objects.update(due_at=now)
    Message.objects.update(due_at=now)

    assert unconfirmed.due_batches().exists()
    assert unconfirmed.take_next()


def test_retry_is_due_by_the_clock_of_the_database(graced, settings, shifted):
    # Longer than the test, however slow the machine is.
    settings.HYBER = {"default": settings.HYBER["default"] | {"RETRY_DELAY": 60}}
    graced.fault("status", status=429, paths=("single", "bulk"), count=2)
    shifted()
    message = send_message(phone(1), CHANNELS)
    campaign = start_campaign(make_campaign([phone(2)]))

    message.refresh_from_db()
    rows = (message, campaign.batches.get())
    assert [timedelta(0) < row.due_at - database_time() < timedelta(seconds=90) for row in rows] == [True, True]


@pytest.mark.parametrize(("minutes", "is_due"), [(-5, True), (5, False)])
def test_host_with_another_clock_claims_what_is_due_by_that_of_the_database(graced, shifted, minutes, is_due):
    due_at = database_time() + timedelta(minutes=minutes)
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={}, due_at=due_at)
    batch = make_waiting_campaign([phone(2)], size=1).batches.get()
    Batch.objects.update(due_at=due_at)
    shifted()

    assert [claim_message(message.pk) is not None, claim_batch(batch.pk) is not None] == [is_due, is_due]


@pytest.mark.parametrize(("seconds", "is_lost"), [(120, True), (5, False)])
def test_task_is_lost_after_a_minute_by_the_clock_of_the_database(graced, shifted, seconds, is_lost):
    enqueued_at = database_time() - timedelta(seconds=seconds)
    Message.objects.create(phone_number=phone(1), extra_id="own-1", content={}, enqueued_at=enqueued_at)
    campaign = make_waiting_campaign([phone(2)], size=1)
    Batch.objects.update(enqueued_at=enqueued_at)
    shifted()

    assert Message.objects.filter(due_to_enqueue("queued", "status"), campaign=None).exists() == is_lost
    assert (runs.take_next(campaign.pk) is not None) == is_lost


def test_probe_of_a_host_of_the_platform_is_due_by_the_clock_of_the_database(graced, shifted):
    account = get_account()
    AccountState.objects.create(
        account="default", host="single", failures=99, blocked_until=database_time() + timedelta(minutes=5)
    )
    shifted()
    assert breaker.is_blocked("default", AccountState.Host.SINGLE)
    assert breaker.blocked_until(account, AccountState.Host.SINGLE)

    AccountState.objects.update(blocked_until=database_time() - timedelta(minutes=5))
    assert not breaker.is_blocked("default", AccountState.Host.SINGLE)
    assert breaker.blocked_until(account, AccountState.Host.SINGLE) is None


def test_throttle_keeps_to_the_clock_of_the_database(graced, shifted):
    campaign = make_campaign([phone(1), phone(2)], throttle=1)
    shifted()
    start_campaign(campaign)

    campaign.refresh_from_db()
    assert timedelta(0) < campaign.next_send_at - database_time() < timedelta(seconds=90)


def test_campaign_starts_by_the_clock_of_the_database(graced, shifted):
    early = make_campaign([phone(1)], start_time=database_time() + timedelta(minutes=30))
    due = make_campaign([phone(2)], start_time=database_time() + timedelta(days=1))
    start_campaign(early)
    start_campaign(due)
    Campaign.objects.filter(pk=due.pk).update(start_time=database_time() - timedelta(minutes=1))
    shifted()
    dispatch()

    assert [campaign.status for campaign in Campaign.objects.order_by("pk")] == ["scheduled", "finished"]


@pytest.fixture
def scheduled(graced, settings):
    """A campaign that starts in half an hour and is handed over by the next sweep."""
    campaign = start_campaign(make_campaign([phone(1)], start_time=database_time() + timedelta(minutes=30)))
    settings.HYBER = {"default": settings.HYBER["default"] | {"LEAD_TIME": 86_400}}
    return campaign


def test_platform_is_told_the_start_time_as_long_as_it_is_ahead_by_the_clock_of_the_database(
    graced, scheduled, shifted
):
    shifted()
    dispatch()

    (body,) = posts(graced)
    assert parse_datetime(body["start_time"]) == scheduled.start_time.replace(microsecond=0)


def test_platform_is_not_told_a_start_time_that_is_over_by_the_clock_of_the_database(graced, scheduled, shifted):
    now = database_time()
    past = {"start_time": now - timedelta(minutes=1), "launched_at": now - timedelta(hours=5)}
    Campaign.objects.filter(pk=scheduled.pk).update(**past)
    shifted()
    dispatch()

    (body,) = posts(graced)
    assert "start_time" not in body


def test_launch_on_a_host_with_another_clock_waits_for_the_start_time(graced, shifted):
    early = make_campaign([phone(1)], throttle=10, start_time=database_time() + timedelta(minutes=30))
    due = make_campaign([phone(2)], throttle=10, start_time=database_time() - timedelta(minutes=1))
    shifted()

    assert [start_campaign(campaign).status for campaign in (early, due)] == ["scheduled", "finished"]
    assert len(posts(graced)) == 1


def test_what_queries_and_proofs_count_from_is_the_clock_of_the_database(graced, shifted):
    shifted()
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))
    apply_delivery_reports([report(campaign.messages.first()), report(extra_id="of-another-system")])
    message = send_message(phone(3), CHANNELS)
    doubted = send_message(phone(4, "87"), CHANNELS)
    endings.end_message_as_accepted(Message.objects.filter(pk=doubted.pk))

    moments = [
        *Message.objects.values_list("accepted_at", flat=True),
        *Message.objects.filter(status="delivered").values_list("finished_at", flat=True),
        *Batch.objects.values_list("finished_at", flat=True),
        *DeliveryReport.objects.values_list("received_at", flat=True),
        *Campaign.objects.values_list("sending_since", flat=True),
    ]
    assert message.pk
    assert len(moments) == 4 + 1 + 1 + 2 + 1
    now = database_time()
    # Longer than the steps take, and shorter than the hour.
    assert [moment for moment in moments if abs(now - moment) > timedelta(minutes=10)] == []


def test_report_of_another_system_is_not_taken_for_that_of_a_later_message(graced, settings, monkeypatch):
    """It came before, whatever the host believes that has received it."""
    settings.HYBER = {"default": settings.HYBER["default"] | {"SYNC_LIMIT": 0}}
    now = timezone.now
    with monkeypatch.context() as ahead:
        ahead.setattr(timezone, "now", lambda: now() + timedelta(minutes=10))
        foreign = report(number=phone(1), extra_id=None, message_id="foreign-1", time=now().timestamp() * 1_000)
        apply_delivery_reports([foreign])
    campaign = start_campaign(make_campaign([phone(1)]))
    rematch_reports()

    assert statuses(campaign) == ["accepted"]


def test_report_that_is_quicker_than_the_answer_is_applied_on_a_host_with_another_clock(graced, shifted):
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={}, status="sending")
    shifted()
    apply_delivery_reports([report(number=phone(1), extra_id=None, time=database_time().timestamp() * 1_000)])

    message.refresh_from_db()
    assert message.status == "delivered"


def test_campaign_is_not_stalled_because_a_host_is_ahead(graced, settings, shifted):
    settings.HYBER = {"default": settings.HYBER["default"] | {"NOTIFY": ["team@example.com"]}}
    campaign = make_waiting_campaign([phone(1)], size=1)
    now = database_time()
    Campaign.objects.filter(pk=campaign.pk).update(launched_at=now, sending_since=now)
    shifted()
    announce_stalls()

    campaign.refresh_from_db()
    assert campaign.stalled_at is None


def test_host_with_another_clock_does_not_end_a_grace(graced, shifted):
    make_known()
    campaign = start_campaign(make_campaign([phone(1, "87"), phone(2)]))
    message = send_message(phone(3, "87"), CHANNELS)
    shifted()
    for _ in range(2):
        make_due(campaign)
        Message.objects.filter(pk=message.pk).update(due_at=None)
        unconfirmed.resolve_batch(campaign.batches.get().pk)
        unconfirmed.resolve_message(message.pk)

    message.refresh_from_db()
    assert (message.status, message.queries, message.not_found_at) == ("unconfirmed", 2, None)
    batch = campaign.batches.get()
    assert (batch.state, batch.queries, batch.not_found_at) == ("unconfirmed", 4, None)


@pytest.fixture
def restart_database():
    """Let the next times that are read from the database fail, as while it restarts."""
    with ExitStack() as stack:

        def begin():
            failures = iter([OperationalError("starting up")] * 2)

            def fail(execute, sql, *arguments):
                if sql.startswith("SELECT") and "timestamp" in sql.lower() and (error := next(failures, None)):
                    raise error
                return execute(sql, *arguments)

            stack.enter_context(connection.execute_wrapper(fail))

        yield begin


def test_report_is_stored_although_the_database_restarts(platform, restart_database):
    restart_database()
    apply_delivery_reports([report(extra_id="of-another-system")])

    assert DeliveryReport.objects.count() == 1


@pytest.mark.parametrize("error", [NotTaken(), RequestTooLarge(is_from_platform=False)], ids=["later", "too large"])
def test_message_is_put_back_although_the_database_restarts(platform, restart_database, monkeypatch, error):
    def fail(client, body, before_write):
        restart_database()
        raise error

    monkeypatch.setattr(HyberClient, "send_single", fail)
    message = send_message(phone(1), CHANNELS)

    message.refresh_from_db()
    assert (message.status, message.lease_until) == ("queued", None)

"""A Retry-After of years, as proxies write it for "never", delays an account for an hour and not for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from django_hyber.db.clock import database_time
from django_hyber.models import AccountState, Message
from django_hyber.protocol import SMS
from django_hyber.services import (
    check_health,
    dispatch,
    fetch_reports,
    pause_campaign,
    query_now,
    resume_campaign,
    send_message,
    start_campaign,
)
from tests.builders import make_campaign, make_doubted_campaign, make_doubted_message, statuses
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
CODE = [SMS(text="Code 1234", alpha_name="SHOP", ttl=86_400)]
YEARS = 999_999_999
#: The longest wait that is believed, with its jitter.
LONGEST = timedelta(hours=1.3)


def refuse(platform, paths, **changes):
    platform.fault("status", **{"status": 503, "retry_after": YEARS, "paths": paths} | changes)


def refuse_until_9999(platform, monkeypatch):
    """Have the platform answer with a date: the option of the sandbox is a number."""
    refuse(platform, ("single", "bulk"))
    monkeypatch.setattr(
        "django_hyber.sandbox.faults._headers", lambda _fault: {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}
    )


def make_doubted_batch():
    return make_doubted_campaign().batches.get()


def test_queries_go_on_within_an_hour_or_so(platform):
    message = make_doubted_message()
    refuse(platform, ("reports",))
    Message.objects.update(due_at=None)
    dispatch()

    message.refresh_from_db()
    assert AccountState.objects.get(host="reports").queries_after < database_time() + LONGEST
    Message.objects.update(due_at=None)
    dispatch()
    message.refresh_from_db()
    assert message.due_at is None or message.due_at < database_time() + LONGEST


def test_batch_is_tried_again_within_an_hour_or_so(platform):
    refuse(platform, ("bulk",))
    campaign = start_campaign(make_campaign([phone(1)]))

    batch = campaign.batches.get()
    assert (batch.state, batch.waits_for) == ("pending", "retry")
    assert batch.due_at < timezone.now() + LONGEST


def test_message_refused_until_the_year_9999_is_queued_and_in_no_doubt(platform, monkeypatch):
    refuse_until_9999(platform, monkeypatch)
    message = send_message(phone(1), CODE)

    message.refresh_from_db()
    assert (message.status, message.lease_until) == ("queued", None)
    assert message.due_at < timezone.now() + LONGEST


def test_campaign_refused_until_the_year_9999_is_in_no_doubt(platform, monkeypatch):
    refuse_until_9999(platform, monkeypatch)
    campaign = start_campaign(make_campaign([phone(1)]))

    assert campaign.batches.get().state == "pending"
    assert statuses(campaign) == ["queued"]


def test_resumed_campaign_does_not_wait_for_its_retry(platform):
    refuse(platform, ("bulk",))
    campaign = start_campaign(make_campaign([phone(1)]))
    pause_campaign(campaign)
    resume_campaign(campaign)

    assert statuses(campaign) == ["accepted"]
    assert platform.ledger.distinct == platform.ledger.taken == 1


def test_resumed_campaign_still_waits_for_a_platform_that_does_not_answer(platform):
    until = timezone.now() + timedelta(minutes=10)
    AccountState.objects.create(account="default", host="bulk", failures=5, blocked_until=until)
    campaign = start_campaign(make_campaign([phone(1)]))
    pause_campaign(campaign)
    resume_campaign(campaign)

    assert platform.requests == []
    assert statuses(campaign) == ["queued"]


@pytest.mark.parametrize("make", [make_doubted_message, make_doubted_batch])
def test_query_now_sends_a_query_although_queries_are_paused(platform, make):
    row = make()
    later = database_time() + timedelta(hours=1)
    AccountState.objects.update_or_create(account="default", host="reports", defaults={"queries_after": later})
    type(row).objects.filter(pk=row.pk).update(due_at=later)

    assert query_now(row, by="olena")
    row.refresh_from_db()
    assert row.queries == 1


def test_health_names_the_pause_until_a_query_is_answered(platform):
    message = send_message(phone(2, "85"), CODE)
    Message.objects.filter(pk=message.pk).update(accepted_at=timezone.now() - timedelta(days=2))
    refuse(platform, ("reports",))
    fetch_reports()
    assert check_health().paused_queries == ["default: reports"]
    query_now(make_doubted_message(), by="olena")

    assert check_health().paused_queries == []

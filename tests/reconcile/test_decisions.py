"""What a person is shown of a doubt, and what follows from the decision."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction

from django_hyber.db.clock import database_time
from django_hyber.models import Batch, Campaign, Message
from django_hyber.reconcile import unconfirmed
from django_hyber.reports.acceptance import Doubted, note_proof
from django_hyber.services import (
    DoubtError,
    cancel_campaign,
    dispatch,
    doubts,
    find_doubt,
    mark_as_sent,
    query_now,
    send_again,
)
from tests.builders import make_doubted_campaign, make_doubted_message, make_due, statuses
from tests.truth.clients import in_own_connection

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = timedelta(hours=2)


@pytest.fixture
def message(platform):
    return make_doubted_message()


@pytest.fixture
def campaign(platform):
    return make_doubted_campaign()


@pytest.fixture
def batch(campaign):
    return campaign.batches.get()


def age(row):
    type(row).objects.filter(pk=row.pk).update(not_found_after=database_time() - LONG_AGO)


def test_what_cannot_be_proved_is_shown_with_what_is_known(message, batch):
    make_due(batch.campaign)
    Message.objects.filter(pk=message.pk).update(due_at=None)
    dispatch()
    age(message)
    age(batch)

    of_batch, of_message = doubts()
    assert (of_batch.row, of_batch.people, of_batch.account) == (batch, 3, "default")
    assert (of_message.row, of_message.people, of_message.account) == (message, 1, "default")
    for doubt in (of_batch, of_message):
        assert doubt.needs_decision
        assert doubt.row.doubted_at
        assert doubt.row.queried_at
        assert (doubt.row.queries, doubt.row.answer, doubt.row.answer_text) == (1, "no-control", "HTTP 404")
        assert "connection broke" in doubt.row.error_text


def test_doubt_that_may_still_be_resolved_needs_no_person(message, batch):
    assert list(doubts()) == []
    assert [doubt.needs_decision for doubt in doubts(only_overdue=False)] == [False, False]


def test_doubts_of_one_campaign_or_account(message, batch):
    assert [doubt.row for doubt in doubts(campaign_pk=batch.campaign_id, only_overdue=False)] == [batch]
    assert len(list(doubts(account="default", only_overdue=False))) == 2
    assert list(doubts(account="other", only_overdue=False)) == []


def test_messages_of_a_batch_in_doubt_are_shown_as_the_batch(batch):
    assert [doubt.row for doubt in doubts(only_overdue=False)] == [batch]


@pytest.mark.parametrize("name", ["message", "batch"])
def test_asked_now_although_it_is_not_due(request, name, platform, caplog):
    row = request.getfixturevalue(name)
    type(row).objects.filter(pk=row.pk).update(due_at=database_time() + LONG_AGO)
    before = len(platform.requests)
    query_now(row, by="olena")

    assert len(platform.requests) > before
    row.refresh_from_db()
    assert row.queries == 1
    assert "olena" in caplog.text


@pytest.mark.parametrize("name", ["message", "batch"])
def test_query_that_is_due_already_is_not_sent_twice(request, name, platform):
    row = request.getfixturevalue(name)
    type(row).objects.filter(pk=row.pk).update(due_at=None)
    before = len(platform.requests)

    assert query_now(row, by="olena") is False
    assert len(platform.requests) == before


def test_doubt_of_a_row_is_found(message, batch):
    assert find_doubt(message).row == message
    assert (find_doubt(batch).row, find_doubt(batch).people) == (batch, 3)


def test_doubt_of_a_message_in_a_batch_is_that_of_the_batch(batch, campaign):
    assert [find_doubt(member).row for member in campaign.messages.all()] == [batch] * 3


@pytest.mark.parametrize("name", ["message", "batch"])
def test_nothing_is_found_once_the_doubt_is_over(request, name):
    row = request.getfixturevalue(name)
    mark_as_sent(row, by="olena")
    row.refresh_from_db()

    assert find_doubt(row) is None


def test_message_that_was_sent_is_accepted(message, platform, caplog):
    assert mark_as_sent(message, by="olena") == 1

    message.refresh_from_db()
    assert (message.status, message.error_text) == ("accepted", "")
    assert message.accepted_at
    assert f"Message {message.extra_id}" in caplog.text
    assert "marked as sent: decided by olena" in caplog.text


def test_batch_that_was_sent_is_accepted_and_its_campaign_ends(batch, campaign, platform):
    assert mark_as_sent(batch, by="olena") == 3

    assert statuses(campaign) == ["accepted"] * 3
    campaign.refresh_from_db()
    assert campaign.status == "finished"
    assert platform.ledger.taken == 0


def test_message_is_sent_again_with_its_id(message, platform, caplog):
    assert send_again(message, by="olena") == 1
    dispatch()

    extra_id = message.extra_id
    message.refresh_from_db()
    assert (message.status, message.extra_id) == ("accepted", extra_id)
    assert platform.ledger.taken == 1
    assert "sent again: decided by olena" in caplog.text


def test_batch_is_sent_again_with_its_ids(batch, campaign, platform):
    ids = list(campaign.messages.order_by("pk").values_list("extra_id", flat=True))
    assert send_again(batch, by="olena") == 3
    dispatch()

    assert list(campaign.messages.order_by("pk").values_list("extra_id", flat=True)) == ids
    assert statuses(campaign) == ["accepted"] * 3
    assert platform.ledger.taken == 3


def test_message_of_a_campaign_is_sent_again_in_a_batch_of_its_own(batch, campaign, platform):
    Batch.objects.update(state="done")
    last = campaign.messages.order_by("pk").last()
    campaign.messages.exclude(pk=last.pk).update(status="accepted")
    campaign.messages.filter(pk=last.pk).update(not_found_after=database_time())
    last.refresh_from_db()
    send_again(last, by="olena")
    dispatch()

    assert statuses(campaign) == ["accepted"] * 3
    assert platform.ledger.taken == 1


def test_what_is_sent_again_of_a_cancelled_campaign_is_cancelled(batch, campaign, platform):
    cancel_campaign(campaign)
    send_again(batch, by="olena")

    assert statuses(campaign) == ["cancelled"] * 3


@pytest.fixture(params=["message", "batch"])
def orphan(request):
    """A row whose outcome is unknown, and whose account was removed from the settings."""
    row = request.getfixturevalue(request.param)
    Message.objects.update(account="gone", due_at=database_time() + LONG_AGO)
    Campaign.objects.update(account="gone")
    Batch.objects.update(due_at=database_time() + LONG_AGO)
    return type(row).objects.get(pk=row.pk)


@pytest.mark.parametrize("decide", [query_now, send_again])
def test_nothing_is_sent_or_queried_without_the_settings_of_the_account(orphan, decide, caplog):
    with pytest.raises(DoubtError, match="The settings of the account “gone” are missing or invalid"):
        decide(orphan, by="olena")

    assert find_doubt(orphan)
    assert "decided by" not in caplog.text


def test_without_the_settings_of_the_account_it_can_be_marked_as_sent(orphan):
    assert mark_as_sent(orphan, by="olena")
    assert not list(doubts(only_overdue=False))


def test_decision_after_which_nothing_is_sent_needs_no_settings_of_the_account(message, batch, campaign):
    cancel_campaign(campaign)
    Message.objects.update(account="gone")
    Message.objects.filter(pk=message.pk).update(created_at=database_time() - timedelta(days=3))
    Campaign.objects.update(account="gone")
    send_again(batch, by="olena")
    message.refresh_from_db()
    send_again(message, by="olena")
    dispatch()
    message.refresh_from_db()

    assert (statuses(campaign), message.status) == (["cancelled"] * 3, "expired")


@pytest.mark.parametrize("decide", [query_now, mark_as_sent, send_again])
@pytest.mark.parametrize("name", ["message", "batch"])
def test_nothing_is_decided_about_what_is_no_longer_in_doubt(request, name, decide, platform):
    row = request.getfixturevalue(name)
    mark_as_sent(row, by="olena")
    with pytest.raises(DoubtError, match="The outcome is known"):
        decide(row, by="ihor")

    assert platform.ledger.taken == 0


@pytest.mark.parametrize("decide", [query_now, mark_as_sent, send_again])
@pytest.mark.parametrize("name", ["message", "batch"])
def test_nothing_is_decided_about_a_later_doubt_than_the_one_that_was_seen(request, name, decide, platform):
    row = request.getfixturevalue(name)
    platform.fault("drop_answer", paths=("single", "bulk"))
    send_again(row, by="olena")
    dispatch()
    assert type(row).objects.filter(pk=row.pk, doubted_at__gt=row.doubted_at).exists()
    with pytest.raises(DoubtError):
        decide(row, by="ihor")

    assert platform.ledger.duplicates == {}


@pytest.mark.parametrize(("decide", "status"), [(mark_as_sent, "accepted"), (send_again, "queued")])
def test_decision_of_the_same_moment_as_reports_is_made(batch, campaign, decide, status):
    # Reports lock the messages before their batch, and a decision the batch before its messages.
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        for clicks in range(10):
            # Of two in a deadlock, MariaDB rolls back the one that has written less.
            campaign.messages.update(clicks=clicks)
        decision = pool.submit(in_own_connection(partial(decide, by="olena")), batch)
        time.sleep(0.3)
        rows = campaign.messages.values_list("pk", "phone_number", "doubted_at")
        note_proof([Doubted(campaign.pk, *row) for row in rows])

    assert decision.result() == 3
    assert statuses(campaign) == [status] * 3


@pytest.mark.parametrize("decide", [query_now, mark_as_sent, send_again])
def test_message_in_a_batch_in_doubt_is_decided_about_with_the_batch(batch, campaign, decide):
    with pytest.raises(DoubtError):
        decide(campaign.messages.first(), by="olena")

    assert statuses(campaign) == ["unconfirmed"] * 3


def test_word_of_a_person_is_no_proof_of_a_refusal(message, platform):
    Message.objects.filter(pk=message.pk).update(error_code=7)
    message.refresh_from_db()
    send_again(message, by="olena")

    message.refresh_from_db()
    assert (message.status, message.error_code, message.not_taken_code) == ("queued", None, None)


def test_answer_that_comes_after_the_decision_changes_nothing(message, platform, monkeypatch):
    def decide_first(*arguments, **options):
        send_again(message, by="olena")
        return query(*arguments, **options)

    query = unconfirmed.outcome_queries.query_outcome
    monkeypatch.setattr(unconfirmed.outcome_queries, "query_outcome", decide_first)
    Message.objects.filter(pk=message.pk).update(due_at=None)
    unconfirmed.resolve_message(message.pk)

    message.refresh_from_db()
    assert (message.status, message.answer) == ("queued", "")

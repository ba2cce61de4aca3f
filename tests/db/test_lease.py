from __future__ import annotations

from datetime import timedelta

import pytest

from django_hyber.db import lease
from django_hyber.db.clock import database_time
from django_hyber.models import Message

pytestmark = pytest.mark.django_db
SECONDS = 100


@pytest.fixture
def message():
    return Message.objects.create(phone_number="380671234501", extra_id="own-1", attempts=3)


def of(message):
    return Message.objects.filter(pk=message.pk)


def seconds_left(message):
    message.refresh_from_db()
    return (message.lease_until - database_time()).total_seconds()


def test_claim_counts_an_attempt_and_sets_lease_and_values(message):
    assert lease.claim(of(message), SECONDS, status="sending") is True

    assert SECONDS - 10 < seconds_left(message) <= SECONDS
    assert (message.attempts, message.status) == (4, "sending")


def test_row_that_is_not_selected_any_longer_is_not_claimed(message):
    assert lease.claim(of(message).filter(status="sending"), SECONDS) is False

    message.refresh_from_db()
    assert (message.attempts, message.lease_until) == (3, None)


def test_only_one_of_two_claims_with_the_same_condition_succeeds(message):
    queued = of(message).filter(status="queued")

    assert lease.claim(queued, SECONDS, status="sending")
    assert not lease.claim(queued, SECONDS, status="sending")


def test_claim_is_held_until_the_next_attempt(message):
    Message.objects.create(phone_number="380671234502", extra_id="own-2", attempts=3)

    assert list(lease.held(Message.objects.all(), message.pk, 3)) == [message]
    assert not lease.held(Message.objects.all(), message.pk, 2).exists()
    assert not lease.held(Message.objects.all(), message.pk, 4).exists()
    assert not lease.held(Message.objects.filter(status="sending"), message.pk, 3).exists()


def test_lease_is_renewed_with_other_values_and_without_an_attempt(message):
    assert lease.renew(lease.held(Message.objects.all(), message.pk, 3), SECONDS, error_text="late") is True

    assert SECONDS - 10 < seconds_left(message) <= SECONDS
    assert (message.attempts, message.error_text) == (3, "late")


def test_end_of_the_lease_may_be_given(message):
    assert lease.renew(of(message), SECONDS, lease_until=None)

    message.refresh_from_db()
    assert message.lease_until is None


def test_lost_claim_is_not_renewed(message):
    lost = lease.held(Message.objects.all(), message.pk, 3)
    lease.claim(of(message), SECONDS)

    assert lease.renew(lost, 10 * SECONDS) is False
    assert seconds_left(message) <= SECONDS


@pytest.mark.parametrize(("left", "has_ended"), [(None, False), (-60, True), (60, False)])
def test_lease_has_ended_when_its_time_is_over(message, left, has_ended):
    of(message).update(lease_until=left and database_time() + timedelta(seconds=left))

    assert of(message).filter(lease.has_ended()).exists() == has_ended


@pytest.mark.parametrize(("seconds", "is_due"), [(None, True), (-60, True), (0, True), (60, False)])
def test_row_is_due_without_a_time_or_from_that_time_on(message, seconds, is_due):
    now = database_time()
    of(message).update(due_at=None if seconds is None else now + timedelta(seconds=seconds))

    assert of(message).filter(lease.is_due(now)).exists() == is_due

"""A process is killed before one of its statements, whichever it is: nobody twice, and nobody forgotten.

A run tries every fifth statement, beginning with another one each time; with HYBER_KILLS in the environment all.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest
from django.db import connection

from django_hyber.models import AccountState, Announcement, Batch, Campaign, Message, Suppression
from django_hyber.services import apply_delivery_reports, cancel_campaign, dispatch, start_campaign
from django_hyber.signals import message_status_changed
from tests.builders import KNOWN, make_campaign, make_due, make_known, statuses
from tests.samples import phone, report

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # A server's cursor that a killed process has left open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
OPEN = ("queued", "sending", "unconfirmed")
STEP = 1 if "HYBER_KILLS" in os.environ else 5
LONG_AGO = "2020-01-01T00:00:00Z"


class Killed(KeyboardInterrupt):
    """What no task backend catches."""


def kills(chance):
    """The statements to be killed before, each with a list for those seen, until there is none of such a number."""
    number, seen = 1 + chance.randrange(STEP), []
    while True:
        yield number, seen
        if len(seen) < number:
            return
        number, seen = number + STEP, []


@contextmanager
def killed_before(number, seen):
    """Let no statement reach the database from this one on; keep what came until then."""

    def execute_or_die(execute, *arguments):
        seen.append(arguments)
        if len(seen) >= number:
            raise Killed
        return execute(*arguments)

    with connection.execute_wrapper(execute_or_die):
        try:
            yield
        except Killed:
            return


def recover(campaign, *, sweeps=12):
    """Let leases and waiting times pass, and sweep, until nothing is left to do."""
    for _ in range(sweeps):
        for model in (Batch, Message):
            for column in ("lease_until", "not_found_after"):
                model.objects.exclude(**{column: None}).update(**{column: LONG_AGO})
            model.objects.update(enqueued_at=None)
        Announcement.objects.update(lease_until=LONG_AGO)
        AccountState.objects.update(blocked_until=LONG_AGO)
        make_due(campaign)
        dispatch()
        campaign.refresh_from_db()
        if campaign.status != "sending" and not campaign.messages.filter(status__in=OPEN).exists():
            return


@pytest.fixture
def small_batches(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 2, "ASK_EVERY": 0.001}}
    Suppression.objects.create(phone_number=phone(3))
    return platform


def renew(platform):
    platform.reset()
    Campaign.objects.all().delete()
    AccountState.objects.all().delete()
    Message.objects.all().delete()
    make_known()
    return make_campaign([phone(1, "94"), phone(2, "92"), phone(3)])


def test_launch_that_is_killed_at_any_statement_reaches_everybody_once(small_batches, chance):
    for number, statements in kills(chance):
        campaign = renew(small_batches)
        with killed_before(number, statements):
            start_campaign(campaign)
        campaign.refresh_from_db()
        if campaign.status == "draft":
            assert len(small_batches.requests) == KNOWN
            start_campaign(campaign)
        recover(campaign)

        assert small_batches.ledger.duplicates == {}, number
        assert campaign.status == "finished", number
        first, *others = statuses(campaign)
        assert first in {"accepted", "delivered"}, number
        assert others == ["rejected", "suppressed"], number
    assert number > 20


def test_change_that_is_killed_at_any_statement_is_announced(small_batches, chance):
    announced = {}

    def receiver(message, event_id, **kwargs):
        announced.setdefault(message.pk, set()).add(event_id)

    message_status_changed.connect(receiver)
    try:
        for number, statements in kills(chance):
            renew(small_batches).delete()
            campaign = start_campaign(make_campaign([phone(1, "93"), phone(2, "93"), phone(3, "93")]))
            announced.clear()
            with killed_before(number, statements):
                apply_delivery_reports([report(message) for message in campaign.messages.all()])
            # The platform was not answered, and sends it again.
            apply_delivery_reports([report(message) for message in campaign.messages.all()])
            recover(campaign)

            assert statuses(campaign)[:2] == ["delivered", "delivered"], number
            assert {pk: len(ids) for pk, ids in announced.items()} == dict.fromkeys(delivered(campaign), 1), number
    finally:
        message_status_changed.disconnect(receiver)
    assert number > 6


def delivered(campaign):
    return campaign.messages.filter(status="delivered").values_list("pk", flat=True)


def test_cancel_that_is_killed_at_any_statement_leaves_nobody_queued(small_batches, chance):
    for number, statements in kills(chance):
        campaign = start_campaign(renew(small_batches))
        with killed_before(number, statements):
            cancel_campaign(campaign)
            make_due(campaign)
            dispatch()
        campaign.refresh_from_db()
        if campaign.status != "cancelled":
            cancel_campaign(campaign)
        recover(campaign)

        assert small_batches.ledger.duplicates == {}, number
        assert not set(statuses(campaign)) & set(OPEN), number
    assert number > 10

"""A project may have chosen a stricter isolation level than Django's: the limits stay exact, and no worker fails."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from django_hyber.campaigns import lifecycle
from django_hyber.db.transactions import write_transaction
from django_hyber.models import AccountState, DeliveryReport, Message
from django_hyber.protocol import SMS
from django_hyber.services import cancel_campaign
from tests.builders import batches_in_turn, make_waiting_campaign, posts, statuses
from tests.samples import phone, report
from tests.truth.clients import post, submit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("strict")]
TEXT = [SMS(text="Hi", alpha_name="Shop", ttl=300)]
WORKERS, PEOPLE, BATCH = 8, 40, 10
#: As a project sets it, and as an administrator of the server does.
STRICT = {
    "sqlite": {},
    "postgresql": {"options": "-c default_transaction_isolation=repeatable\\ read"},
    "mysql": {"isolation_level": "repeatable read"},
}


@pytest.fixture
def strict(monkeypatch):
    """Connections that are opened from now on have a level at which a transaction sees nothing that is new."""
    options = {**connection.settings_dict["OPTIONS"], **STRICT[connection.vendor]}
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    yield
    connection.close()


def send_with_eight_workers(campaigns):
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(submit, batches_in_turn(campaigns)))


def set_account(settings, **changes):
    settings.HYBER = {"default": settings.HYBER["default"] | changes}


@pytest.mark.parametrize("is_known", [True, False], ids=["known-account", "new-account"])
def test_nobody_gets_a_message_more_than_the_cap_allows(platform, settings, is_known):
    set_account(settings, FREQUENCY_CAP={"messages": 1, "days": 7})
    if is_known:
        AccountState.objects.create(account="default", host=AccountState.Host.ALL)
    people = [phone(number) for number in range(PEOPLE)]
    send_with_eight_workers([make_waiting_campaign(people, BATCH, TEXT) for _ in range(4)])

    received = Counter(str(recipient["phone_number"]) for body in posts(platform) for recipient in body["recipients"])
    assert received == dict.fromkeys(people, 1)
    assert Counter(Message.objects.values_list("status", flat=True)) == {"accepted": PEOPLE, "suppressed": 3 * PEOPLE}


@pytest.mark.parametrize("is_known", [True, False], ids=["known-account", "new-account"])
def test_no_batch_is_sent_above_the_spending_limit(platform, settings, is_known):
    set_account(settings, SPENDING_LIMIT={"day": "100"}, PRICES={"sms": "1"}, BATCH_SIZE=BATCH)
    if is_known:
        AccountState.objects.create(account="default", host=AccountState.Host.ALL)
    people = [[phone(100 * number + person) for person in range(PEOPLE)] for number in range(6)]
    send_with_eight_workers([make_waiting_campaign(numbers, BATCH, TEXT) for numbers in people])

    # A pause also stops the batch of a campaign that is not written yet.
    assert 10 <= sum(len(body["recipients"]) for body in posts(platform)) <= 100


def test_throttle_of_a_new_account_is_shared_without_a_failure(platform, settings):
    set_account(settings, THROTTLE=1)
    send_with_eight_workers([make_waiting_campaign([phone(number)], BATCH, TEXT) for number in range(WORKERS)])

    assert AccountState.objects.count() == 1
    assert len(posts(platform)) == 1


def test_callbacks_that_are_counted_at_once_are_all_stored(platform):
    bodies = [[report(None, extra_id=f"nobody-{number}", message_id=None)] for number in range(10 * WORKERS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        assert set(pool.map(post, bodies)) == {200}

    assert DeliveryReport.objects.count() == len(bodies)


def test_transaction_of_the_project_keeps_its_level(platform):
    with transaction.atomic():
        Message.objects.count()
        with write_transaction():
            AccountState.lock_whole("default")
        assert AccountState.objects.count() == 1


def test_stop_does_not_fail_while_a_worker_claims_a_batch(platform, monkeypatch):
    campaign = make_waiting_campaign([phone(number) for number in range(4)], 2, TEXT)
    first = campaign.batches.order_by("pk").first().pk
    cancel = lifecycle.cancel_waiting

    with ThreadPoolExecutor(1) as pool:
        workers = []

        def cancel_while_it_is_claimed(campaign):
            workers.append(pool.submit(submit, first))
            time.sleep(0.5)
            cancel(campaign)

        monkeypatch.setattr(lifecycle, "cancel_waiting", cancel_while_it_is_claimed)
        assert cancel_campaign(campaign).on_the_wire == 0
        workers[0].result()

    assert posts(platform) == []
    assert statuses(campaign) == ["cancelled"] * 4


def test_workers_that_want_the_same_batches_do_not_fail(platform):
    campaign = make_waiting_campaign([phone(number) for number in range(PEOPLE)], 2, TEXT)
    pks = list(campaign.batches.order_by("pk").values_list("pk", flat=True))
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(submit, [pk for pk in pks for _ in range(4)]))

    assert platform.ledger.duplicates == {}
    assert statuses(campaign) == ["accepted"] * PEOPLE

"""The circuit breaker: what a platform that is down costs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from django_hyber import tasks
from django_hyber.conf import get_account
from django_hyber.models import AccountState, Campaign, Message
from django_hyber.protocol import SMS
from django_hyber.sending.pace import breaker
from django_hyber.services import dispatch, send_message, start_campaign
from tests.builders import dispatch_until_finished, make_campaign, make_due, posts, statuses
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
Host = AccountState.Host
CODE = [SMS(text="Code 1234", alpha_name="SHOP", ttl=300)]


@pytest.fixture
def fragile(platform, settings):
    """One recipient a request, three failures in a row block the account, and it stays blocked for a while."""
    changes = {"BATCH_SIZE": 1, "BREAKER_THRESHOLD": 3, "RETRY_DELAY": 60}
    settings.HYBER = {"default": settings.HYBER["default"] | changes}
    return platform


def let_the_block_end():
    AccountState.objects.update(blocked_until="2020-01-01T00:00:00Z")


def test_outage_costs_a_few_requests_and_not_one_for_every_batch(fragile):
    fragile.fault("status", count=100, status=429)
    campaign = start_campaign(make_campaign([phone(number) for number in range(20)]))
    for _ in range(5):
        dispatch()

    assert len(posts(fragile)) == 3
    assert statuses(campaign) == ["queued"] * 20
    assert set(campaign.batches.values_list("state", flat=True)) == {"pending"}


def test_one_request_tries_whether_the_platform_answers_again(fragile):
    fragile.fault("status", count=100, status=429)
    campaign = start_campaign(make_campaign([phone(number) for number in range(20)]))
    let_the_block_end()
    make_due(campaign)
    for _ in range(5):
        dispatch()

    assert len(posts(fragile)) == 4
    assert AccountState.objects.get().failures == 4


def test_answer_sets_the_whole_campaign_free(fragile):
    fragile.fault("status", count=3, status=429)
    campaign = start_campaign(make_campaign([phone(number) for number in range(20)]))
    let_the_block_end()
    dispatch_until_finished(campaign)

    assert (fragile.ledger.taken, fragile.ledger.duplicates) == (20, {})
    assert AccountState.objects.get().failures == 0
    assert AccountState.objects.get().reason == ""


def test_lost_answers_block_the_account_too(fragile):
    fragile.fault("drop_answer", count=100)
    start_campaign(make_campaign([phone(number) for number in range(20)]))

    assert len(posts(fragile)) == 3


def test_refused_request_is_an_answer(fragile):
    fragile.fault("status", count=2, status=429)
    for number in range(2):
        send_message(phone(number), CODE)
    send_message(phone(3, "92"), CODE)

    assert AccountState.objects.get().failures == 0


def test_single_message_waits_while_the_account_is_blocked_and_leaves_when_it_is_free(fragile):
    fragile.fault("status", count=3, status=429)
    for number in range(3):
        send_message(phone(number), CODE)
    message = send_message(phone(4), CODE)

    message.refresh_from_db()
    assert (message.status, message.attempts) == ("queued", 0)
    assert message.error_text == "Waits until the platform answers again."
    let_the_block_end()
    message.due_at = None
    message.save()
    dispatch()
    message.refresh_from_db()
    assert message.status == "accepted"


@pytest.mark.parametrize("is_held", [False, True], ids=["blocked", "held"])
def test_what_waits_behind_a_probe_goes_on_as_soon_as_it_is_answered(fragile, is_held):
    account = get_account()
    for host in (Host.SINGLE, Host.BULK):
        for _ in range(3):
            breaker.note_failure(account, host, "no connection")
    if is_held:
        breaker.hold(account, "HTTP 401")
    message = send_message(phone(4), CODE)
    campaign = start_campaign(make_campaign([phone(5)]))
    assert Message.objects.filter(status="queued").count() == 2
    for host in (Host.SINGLE, Host.BULK):
        breaker.note_answer(account, host)
    dispatch()

    message.refresh_from_db()
    assert message.status == "accepted"
    assert statuses(campaign) == ["accepted"]


def test_batch_says_why_it_waits(fragile):
    fragile.fault("status", count=100, status=429)
    campaign = start_campaign(make_campaign([phone(10)]))

    probe = campaign.batches.first()
    assert probe.attempts == 1
    assert "429" in probe.error_text
    assert AccountState.objects.get().reason


def test_of_many_who_find_the_time_come_one_tries(fragile):
    account = get_account()
    for _ in range(3):
        breaker.note_failure(account, Host.SINGLE, "no connection")
    let_the_block_end()

    assert [breaker.blocked_until(account, Host.SINGLE) is None for _ in range(5)] == [True, *[False] * 4]


def test_platform_that_names_a_time_is_not_tried_before(fragile):
    account = get_account()
    for _ in range(3):
        breaker.note_failure(account, Host.SINGLE, "HTTP 503", retry_after=3_600)

    state = AccountState.objects.get()
    assert (state.blocked_until - breaker.database_time()).total_seconds() > 3_500


def test_other_accounts_are_not_blocked(fragile, settings):
    settings.HYBER["other"] = settings.HYBER["default"]
    for _ in range(3):
        breaker.note_failure(get_account(), Host.BULK, "no connection")
    campaign = start_campaign(make_campaign([phone(1)], account="other"))

    assert Campaign.objects.get(pk=campaign.pk).status == "finished"


def test_repeated_task_asks_nobody_earlier_than_the_platform_wished(fragile):
    wished = timezone.now() + timedelta(hours=1)
    message = send_message(phone(92, "92"), CODE)
    Message.objects.filter(pk=message.pk).update(status="queued", due_at=wished)
    AccountState.objects.create(
        account="default", host=Host.SINGLE, failures=3, blocked_until=timezone.now() + timedelta(minutes=1)
    )
    tasks.submit_message.call(message.pk)

    message.refresh_from_db()
    assert message.due_at == wished


def test_task_that_comes_too_early_does_not_take_the_turn_of_the_probe(fragile):
    message = send_message(phone(92, "92"), CODE)
    Message.objects.filter(pk=message.pk).update(status="queued", due_at=timezone.now() + timedelta(hours=1))
    AccountState.objects.create(account="default", host=Host.SINGLE, failures=3, blocked_until="2020-01-01T00:00:00Z")
    tasks.submit_message.call(message.pk)

    assert breaker.blocked_until(get_account(), Host.SINGLE) is None


def test_host_of_campaigns_that_is_down_delays_no_single_message(fragile):
    fragile.fault("status", count=3, status=429)
    start_campaign(make_campaign([phone(number) for number in range(20)]))
    message = send_message(phone(30), CODE)

    message.refresh_from_db()
    assert message.status == "accepted"
    assert AccountState.objects.get().host == Host.BULK

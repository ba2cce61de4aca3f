"""HTTP 403 about one request alone must not hold up the account for ever."""

from __future__ import annotations

import pytest

from django_hyber.models import AccountState, Batch, Message
from django_hyber.protocol import SMS
from django_hyber.sending.batch import claim_batch
from django_hyber.sending.pace import breaker
from django_hyber.sending.single import claim_message
from django_hyber.services import dispatch, probe_account, send_message, start_campaign
from tests.builders import make_campaign, make_waiting_campaign, posts, statuses
from tests.conftest import account_settings
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = [SMS(text="Your order has arrived", alpha_name="SHOP", ttl=86_400)]
FORBIDDEN = {"kind": "error", "status": 403, "error_code": 5_403}
LATER = "2099-01-01T00:00:00Z"


def read(message):
    message.refresh_from_db()
    return message


def end_hold():
    AccountState.objects.update(blocked_until=None)


def is_held():
    return AccountState.objects.filter(held_since__isnull=False).exists()


def send_due(message):
    """Let the waiting times of this message end, and sweep."""
    end_hold()
    Message.objects.filter(pk=message.pk).update(due_at=None)
    dispatch()


@pytest.fixture
def refused(platform):
    """A message that the platform has answered with 403."""
    platform.fault(**FORBIDDEN)
    message = send_message(phone(1), TEXT)
    assert read(message).status == "queued"
    assert is_held()
    return message


@pytest.fixture
def waiting(refused):
    """Another one, which waits meanwhile."""
    message = send_message(phone(2), TEXT)
    assert read(message).attempts == 0
    return message


def test_another_message_shows_first_whether_the_login_is_accepted(platform, refused, waiting):
    assert read(refused).due_at > read(waiting).due_at
    end_hold()
    Message.objects.update(due_at=None)
    dispatch()

    assert [body["phone_number"] for body in posts(platform)][1:] == [int(phone(2)), int(phone(1))]
    assert (read(refused).status, read(waiting).status, is_held()) == ("accepted", "accepted", False)


def test_message_that_alone_is_forbidden_is_rejected_and_holds_up_nobody(platform, refused, waiting):
    send_due(waiting)
    assert (read(waiting).status, is_held()) == ("accepted", False)
    platform.fault(**FORBIDDEN)
    send_due(refused)

    assert (read(refused).status, refused.error_code) == ("rejected", 5_403)
    assert refused.error_text
    assert not is_held()
    assert read(send_message(phone(3), TEXT)).status == "accepted"


def test_batch_that_alone_is_forbidden_is_rejected_and_the_others_are_sent(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 2, "PARALLEL_BATCHES": 1}}
    platform.fault(**FORBIDDEN)
    campaign = start_campaign(make_campaign([phone(number) for number in range(6)], TEXT))
    first = campaign.batches.order_by("pk").first()
    assert (statuses(campaign), first.waits_for) == (["queued"] * 6, "account")
    end_hold()
    campaign.batches.exclude(pk=first.pk).update(due_at=None)
    campaign.batches.filter(pk=first.pk).update(due_at=LATER)
    dispatch()
    platform.fault(**FORBIDDEN)
    Batch.objects.filter(pk=first.pk).update(due_at=None)
    dispatch()

    assert statuses(campaign) == ["rejected"] * 2 + ["accepted"] * 4
    campaign.refresh_from_db()
    assert (campaign.status, is_held()) == ("finished", False)


def test_other_batches_of_the_campaign_go_before_the_one_that_was_refused(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 2, "PARALLEL_BATCHES": 1}}
    platform.fault(**FORBIDDEN)
    campaign = start_campaign(make_campaign([phone(number) for number in range(4)], TEXT))
    end_hold()
    Batch.objects.update(due_at=None)
    dispatch()

    assert [body["recipients"][0]["phone_number"] for body in posts(platform)] == [
        int(phone(number)) for number in (0, 2, 0)
    ]
    assert statuses(campaign) == ["accepted"] * 4


def test_nobody_is_rejected_while_the_account_is_forbidden_as_a_whole(platform):
    platform.fault(**FORBIDDEN, count=None)
    messages = [send_message(phone(number), TEXT) for number in range(3)]
    for _ in range(6):
        end_hold()
        Message.objects.update(due_at=None)
        dispatch()

    assert {read(message).status for message in messages} == {"queued"}
    platform.clear_faults()
    end_hold()
    Message.objects.update(due_at=None)
    dispatch()
    assert {read(message).status for message in messages} == {"accepted"}


def test_second_outage_of_the_login_rejects_nobody(platform, settings, refused, waiting):
    send_due(waiting)
    platform.fault(**FORBIDDEN)
    settings.HYBER = {"default": account_settings(platform, PASSWORD="wrong")}
    send_due(refused)

    assert read(refused).status == "queued"
    assert is_held()


def test_wrong_password_is_never_the_fault_of_a_message(platform, refused, waiting):
    send_due(waiting)
    platform.fault("status", status=401)
    send_due(refused)

    assert read(refused).status == "queued"
    assert is_held()


def test_check_of_a_login_that_works_again_lifts_the_hold(platform, refused, waiting):
    findings = {finding.subject: finding.text for finding in probe_account()}
    assert findings["Hold"] == "lifted: the platform accepts the login again"
    assert not is_held()
    dispatch()

    assert (read(refused).status, read(waiting).status) == ("accepted", "accepted")


def test_check_lets_a_held_campaign_go_on_at_once(platform):
    platform.fault("status", status=401)
    campaign = start_campaign(make_campaign([phone(1), phone(2)], TEXT))
    assert campaign.batches.get().waits_for == "account"
    probe_account()
    dispatch()

    assert statuses(campaign) == ["accepted"] * 2


@pytest.mark.parametrize("is_campaign", [False, True])
def test_what_begins_to_wait_while_the_hold_is_lifted_goes_on(platform, monkeypatch, is_campaign):
    hold = breaker.hold

    def hold_and_check(account, reason):
        held = hold(account, reason)
        probe_account()
        return held

    monkeypatch.setattr(breaker, "hold", hold_and_check)
    platform.fault("status", status=401)
    waits = start_campaign(make_campaign([phone(1)], TEXT)).batches if is_campaign else send_message(phone(1), TEXT)
    row = waits.get() if is_campaign else read(waits)

    assert (row.due_at, is_held()) == (None, False)
    dispatch()
    assert Message.objects.get().status == "accepted"


@pytest.fixture(params=["before", "after"])
def lifted(request, monkeypatch):
    """Lift the hold before or after a worker that has found the account blocked asks whether it is held."""
    is_held = breaker.is_held

    def ask_and_check(account_name):
        if request.param == "before":
            probe_account()
            return is_held(account_name)
        answer = is_held(account_name)
        probe_account()
        return answer

    return lambda: monkeypatch.setattr(breaker, "is_held", ask_and_check)


def test_batch_that_is_put_off_while_the_hold_is_lifted_goes_on(platform, lifted):
    campaign = make_waiting_campaign([phone(2)], 1, TEXT)
    platform.fault("status", status=401)
    send_message(phone(1), TEXT)
    lifted()
    assert claim_batch(campaign.batches.get().pk) is None

    batch = campaign.batches.get()
    assert (batch.due_at, batch.waits_for) == (None, "")


def test_message_that_is_put_off_while_the_hold_is_lifted_goes_on(refused, waiting, lifted):
    Message.objects.filter(pk=waiting.pk).update(due_at=None)
    lifted()
    assert claim_message(waiting.pk) is None

    assert (read(waiting).due_at, is_held()) == (None, False)
    dispatch()
    assert read(waiting).status == "accepted"


def test_check_of_a_login_that_is_refused_leaves_the_hold(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"PASSWORD": "wrong"}}
    message = send_message(phone(1), TEXT)
    probe_account()

    assert is_held()
    assert read(message).due_at


def test_check_leaves_the_waits_that_the_platform_asked_for(platform):
    platform.fault("status", status=429, retry_after=600)
    busy = send_message(phone(1), TEXT)
    platform.fault("status", status=401)
    send_message(phone(2), TEXT)
    wished = read(busy).due_at
    probe_account()

    assert not is_held()
    assert read(busy).due_at == wished


def test_check_of_an_account_that_is_not_held_says_nothing_of_a_hold(platform):
    assert "Hold" not in [finding.subject for finding in probe_account()]

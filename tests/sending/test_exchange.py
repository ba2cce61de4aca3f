"""What follows from the outcome of a request, for a single message and for a campaign alike."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from django_hyber.models import AccountState, Campaign, Message
from django_hyber.protocol import SMS, APIError, AuthenticationError, ConnectionLost, NotTaken
from django_hyber.sending.exchange import Kind, exchange
from django_hyber.services import dispatch, send_message, start_campaign
from tests.builders import dispatch_until_finished, make_campaign, make_due, posts, statuses
from tests.samples import phone

CODE = [SMS(text="Code 1234", alpha_name="SHOP", ttl=300)]


@pytest.fixture
def locked_out(platform, settings):
    """The settings with a wrong password; calling what this yields corrects it, and lets the hold end."""
    right = settings.HYBER
    settings.HYBER = {"default": right["default"] | {"PASSWORD": "wrong"}}

    def let_in():
        settings.HYBER = right
        let_the_hold_end()

    return let_in


def let_the_hold_end():
    AccountState.objects.update(blocked_until="2020-01-01T00:00:00Z")
    Message.objects.exclude(due_at=None).update(due_at="2020-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotTaken(), Kind.NOT_ACCEPTED),
        (AuthenticationError(401), Kind.HELD),
        (APIError(400, 36024, "Phone number incorrect"), Kind.REJECTED),
        (ConnectionLost(), Kind.UNKNOWN),
    ],
)
def test_every_error_of_the_protocol_has_one_outcome(error, kind):
    def request():
        raise error

    assert exchange(request).kind is kind


def test_answer_is_the_outcome_of_what_was_taken():
    outcome = exchange(lambda: "id-1")

    assert (outcome.kind, outcome.answer) == (Kind.ACCEPTED, "id-1")


@pytest.mark.django_db(transaction=True)
class WrongPasswordTests:
    def test_single_message_waits_and_says_where_to_look(self, platform, locked_out):
        message = send_message(phone(1), CODE)

        message.refresh_from_db()
        assert message.status == "queued"
        assert "Check the login, password" in message.error_text
        assert message.due_at > timezone.now() + timedelta(seconds=30)

    def test_single_message_goes_out_once_the_account_is_let_in(self, platform, locked_out):
        message = send_message(phone(1), CODE)
        locked_out()
        dispatch()

        message.refresh_from_db()
        assert (message.status, message.error_text) == ("accepted", "")
        assert (platform.ledger.taken, platform.ledger.duplicates) == (1, {})

    def test_campaign_waits_with_all_its_recipients_and_says_why(self, platform, locked_out):
        campaign = start_campaign(make_campaign([phone(1), phone(2)]))

        batch = campaign.batches.get()
        assert (campaign.status, statuses(campaign)) == ("sending", ["queued", "queued"])
        assert (batch.state, batch.waits_for) == ("pending", "account")
        assert "password" in batch.error_text
        assert "password" in AccountState.objects.get().reason

    def test_campaign_goes_on_by_itself_once_the_account_is_let_in(self, platform, locked_out):
        campaign = start_campaign(make_campaign([phone(1), phone(2)]))
        locked_out()
        dispatch_until_finished(campaign)

        assert statuses(campaign) == ["accepted", "accepted"]
        state = AccountState.objects.get()
        assert (state.held_since, state.blocked_until, state.reason) == (None, None, "")

    def test_one_request_finds_out_for_all_that_wait(self, platform, locked_out):
        for number in range(3):
            send_message(phone(number), CODE)
        campaign = start_campaign(make_campaign([phone(10)]))
        make_due(campaign)
        dispatch()

        assert len(posts(platform)) == 1
        assert set(Message.objects.values_list("status", flat=True)) == {"queued"}
        waiting = Message.objects.filter(campaign=None).order_by("pk").last()
        assert waiting.error_text == "Waits until the platform accepts the login of the account."

    def test_probe_that_is_refused_holds_the_account_again(self, platform, locked_out):
        message = send_message(phone(1), CODE)
        since = AccountState.objects.get().held_since
        let_the_hold_end()
        dispatch()

        state = AccountState.objects.get()
        assert len(posts(platform)) == 2
        assert state.held_since == since
        assert state.blocked_until > timezone.now()
        message.refresh_from_db()
        assert message.status == "queued"

    def test_held_account_costs_no_message_its_attempts(self, platform, locked_out, settings):
        settings.HYBER = {"default": settings.HYBER["default"] | {"MAX_ATTEMPTS": 2}}
        message = send_message(phone(1), CODE)
        for _ in range(3):
            let_the_hold_end()
            dispatch()

        message.refresh_from_db()
        assert message.status == "queued"

    def test_first_failure_after_a_hold_is_not_the_last_of_a_message(self, platform, locked_out, settings):
        message = send_message(phone(1), CODE)
        for _ in range(3):
            let_the_hold_end()
            dispatch()
        locked_out()
        settings.HYBER = {"default": settings.HYBER["default"] | {"MAX_ATTEMPTS": 2, "RETRY_DELAY": 0.05}}
        platform.fault("status", status=429)
        dispatch()

        message.refresh_from_db()
        assert (message.status, message.attempts) == ("queued", 5)
        assert message.due_at < timezone.now() + timedelta(seconds=30)
        platform.fault("status", status=429)
        let_the_hold_end()
        dispatch()
        message.refresh_from_db()
        assert message.status == "undelivered"
        assert "after 2 attempts" in message.error_text

    def test_first_failure_after_a_hold_is_not_the_last_of_a_batch(self, platform, locked_out, settings):
        campaign = start_campaign(make_campaign([phone(1), phone(2)]))
        for _ in range(3):
            let_the_hold_end()
            make_due(campaign)
            dispatch()
        locked_out()
        settings.HYBER = {"default": settings.HYBER["default"] | {"MAX_ATTEMPTS": 2, "RETRY_DELAY": 0.05}}
        platform.fault("status", status=429)
        dispatch_until_finished(campaign)

        batch = campaign.batches.get()
        assert (batch.attempts, batch.held_attempts) == (6, 4)
        assert statuses(campaign) == ["accepted", "accepted"]


@pytest.mark.django_db(transaction=True)
def test_campaign_that_no_request_can_say_is_paused_and_its_batch_queued_in_one_commit(platform):
    campaign = make_campaign([phone(1)])
    campaign.messages.create(phone_number="no number", extra_id="own-1", variables={"name": "Olena"})

    class Killed(KeyboardInterrupt):
        """The process ends here."""

    killed = []

    def die_before_the_pause(execute, sql, parameters, *arguments):
        if sql.startswith("UPDATE") and "paused" in map(str, parameters or ()):
            killed.append(sql)
        if killed:
            raise Killed
        return execute(sql, parameters, *arguments)

    with connection.execute_wrapper(die_before_the_pause), suppress(Killed):
        start_campaign(campaign)

    assert killed
    assert campaign.batches.get().state == "sending"
    assert Campaign.objects.get(pk=campaign.pk).status == "sending"

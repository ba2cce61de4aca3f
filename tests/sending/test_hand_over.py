"""From the claim to the first byte: what fails there on our own side, and what stops a request at the last moment."""

from __future__ import annotations

import pytest
from django.db import transaction

from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS, HyberClient
from django_hyber.sending import batch, single
from django_hyber.sending.batch import submit_batch
from django_hyber.sending.single import submit_message
from django_hyber.services import (
    cancel_campaign,
    dispatch,
    pause_campaign,
    resume_campaign,
    retry_failed,
    send_message,
    start_campaign,
)
from tests.builders import dispatch_until_finished, make_campaign, make_due, posts, statuses
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
CODE = [SMS(text="Code 1234", alpha_name="SHOP", ttl=300)]


def before_the_first_byte(monkeypatch, method, happen):
    """Let something happen while a worker stands right before its request."""
    send = getattr(HyberClient, method)

    def send_later(client, body, before_write):
        def check():
            happen()
            before_write()

        return send(client, body, before_write=check)

    monkeypatch.setattr(HyberClient, method, send_later)


@pytest.mark.parametrize(("stop", "status"), [(pause_campaign, "queued"), (cancel_campaign, "cancelled")])
def test_campaign_that_is_stopped_right_before_its_request_sends_nothing(platform, monkeypatch, stop, status):
    campaign = make_campaign([phone(1), phone(2)])
    before_the_first_byte(monkeypatch, "send_broadcast_sync", lambda: stop(Campaign.objects.get(pk=campaign.pk)))
    start_campaign(campaign)

    assert posts(platform) == []
    assert statuses(campaign) == [status] * 2


def test_campaign_that_was_paused_right_before_its_request_goes_on_with_everybody(platform, monkeypatch):
    campaign = make_campaign([phone(1), phone(2)])
    with monkeypatch.context() as paused:
        before_the_first_byte(
            paused, "send_broadcast_sync", lambda: pause_campaign(Campaign.objects.get(pk=campaign.pk))
        )
        start_campaign(campaign)
    resume_campaign(campaign)
    dispatch_until_finished(campaign)

    assert (platform.ledger.taken, platform.ledger.duplicates) == (2, {})


@pytest.mark.parametrize("stop", [pause_campaign, cancel_campaign])
def test_stop_says_how_many_recipients_are_in_requests_under_way(platform, monkeypatch, settings, stop):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 2}}
    campaign = make_campaign([phone(number) for number in range(6)])
    found = []
    send = HyberClient.send_broadcast_sync

    def stop_while_it_is_sent(client, body, before_write):
        answer = send(client, body, before_write=before_write)
        found.append(stop(Campaign.objects.get(pk=campaign.pk)).on_the_wire)
        return answer

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", stop_while_it_is_sent)
    start_campaign(campaign)

    assert found == [2]
    assert len(posts(platform)) == 1


def test_single_message_that_cannot_be_built_waits_with_the_reason_and_nothing_is_asked_about(platform, monkeypatch):
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={"channels": ["sms"]})
    submit_message(message.pk)

    message.refresh_from_db()
    assert message.status == "queued"
    assert "channel_options" in message.error_text
    assert message.due_at is not None


def test_attempts_that_our_own_failure_cost_do_not_end_a_message(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"MAX_ATTEMPTS": 2}}
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={"channels": ["sms"]})
    for _ in range(4):
        Message.objects.update(due_at=None)
        submit_message(message.pk)

    message.refresh_from_db()
    assert (message.status, message.attempts) == ("queued", 4)


def test_campaign_whose_request_cannot_be_built_is_paused_with_the_reason(platform, monkeypatch):
    campaign = make_campaign([phone(1)])

    def fail(*arguments):
        raise LookupError("no such template")

    with monkeypatch.context() as broken:
        broken.setattr(batch, "build_body", fail)
        start_campaign(campaign)
    campaign.refresh_from_db()

    assert (campaign.status, campaign.status_reason) == ("paused", "no such template")
    assert posts(platform) == []
    resume_campaign(campaign)
    assert statuses(campaign) == ["accepted"]


def test_failure_of_our_own_after_the_request_went_out_leaves_its_outcome_unknown(platform, monkeypatch):
    def break_afterwards(client, body, before_write):
        before_write()
        raise LookupError("a mistake in reading the answer")

    with monkeypatch.context() as broken:
        broken.setattr(HyberClient, "send_single", break_afterwards)
        message = send_message(phone(1), CODE)

    message.refresh_from_db()
    assert message.status == "unconfirmed"


def test_nothing_is_sent_inside_a_transaction_that_could_undo_the_claim(platform):
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={})
    campaign = make_campaign([phone(2)])
    row = campaign.batches.create(first_id=1, last_id=9, size=1)

    for work in (lambda: submit_message(message.pk), lambda: submit_batch(row.pk), dispatch):
        with pytest.raises(RuntimeError), transaction.atomic():
            work()
    assert posts(platform) == []


class TooLargeTests:
    def test_batch_is_sent_in_halves(self, platform):
        platform.fault("status", status=413)
        campaign = start_campaign(make_campaign([phone(number) for number in range(5)]))
        dispatch_until_finished(campaign)

        assert [len(body["recipients"]) for body in posts(platform)] == [5, 2, 3]
        assert statuses(campaign) == ["accepted"] * 5
        assert platform.ledger.duplicates == {}

    def test_halves_cost_no_attempt(self, platform, settings):
        settings.HYBER = {"default": settings.HYBER["default"] | {"MAX_ATTEMPTS": 1}}
        platform.fault("status", status=413, count=2)
        campaign = start_campaign(make_campaign([phone(number) for number in range(4)]))
        dispatch_until_finished(campaign)

        assert statuses(campaign) == ["accepted"] * 4


def test_late_answer_about_the_run_before_does_not_accept_a_message_that_was_queued_again(
    platform, monkeypatch, settings
):
    # The retry must not become due before the late answer.
    settings.HYBER = {"default": settings.HYBER["default"] | {"RETRY_DELAY": 60}}
    campaign = make_campaign([phone(1)])
    send = HyberClient.send_broadcast_sync

    def be_frozen_until_it_is_sent_again(client, body, before_write):
        answer = send(client, body, before_write=before_write)
        campaign.batches.update(state="done", attempts=9)
        campaign.messages.update(status="undelivered")
        Campaign.objects.update(status="finished")
        with monkeypatch.context() as others:
            others.setattr(HyberClient, "send_broadcast_sync", send)
            platform.fault("status", status=429)
            retry_failed(Campaign.objects.get(pk=campaign.pk))
        return answer

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", be_frozen_until_it_is_sent_again)
    start_campaign(campaign)

    assert statuses(campaign) == ["queued"]
    monkeypatch.setattr(HyberClient, "send_broadcast_sync", send)
    make_due(campaign)
    dispatch_until_finished(campaign)
    assert len({body["recipients"][0]["extra_id"] for body in posts(platform)}) == 2


def test_late_answer_about_the_run_before_does_not_accept_a_single_message(platform, monkeypatch):
    message = send_message(phone(1), CODE)
    claim = single.MessageClaim(message=Message.objects.get(pk=message.pk), account=single.get_account("default"))
    Message.objects.update(status="queued", extra_id="own-2", message_id=None)
    claim.record("id-of-the-first-run")

    message.refresh_from_db()
    assert (message.status, message.message_id) == ("queued", None)

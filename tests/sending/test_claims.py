from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.utils import timezone

from django_hyber.db.clock import database_time
from django_hyber.db.transactions import write_transaction
from django_hyber.models import Batch, Campaign, Message
from django_hyber.protocol import Recipient, parse_sync
from django_hyber.sending import batch as batches
from django_hyber.sending.batch import claim_batch
from django_hyber.sending.batch_messages import Outgoing
from django_hyber.sending.cancelling import cancel_message
from django_hyber.sending.claim import ClaimLost
from django_hyber.sending.single import claim_message
from tests.builders import make_waiting_campaign
from tests.samples import phone
from tests.truth.clients import in_own_connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def message(platform):
    return Message.objects.create(phone_number=phone(1), extra_id="own-1", content={}, error_text="busy")


@pytest.fixture
def batch(platform):
    return make_waiting_campaign([phone(1), phone(2)], size=2).batches.get()


def change(row, **values):
    type(row).objects.filter(pk=row.pk).update(**values)


def stop_batch(batch):
    change(batch, state="unconfirmed")


def stop_campaign(batch):
    """Pause the campaign, while the batch is locked too: its renewal began before the pause."""
    change(batch, error_text="locked")
    change(batch.campaign, status="paused")


def hours(number):
    return timezone.now() + timedelta(hours=number)


class TestSingleMessage:
    def test_claim_takes_the_message_for_one_lease(self, message):
        change(message, due_at=hours(-1), enqueued_at=hours(-1), attempts=2)
        claim = claim_message(message.pk)

        message.refresh_from_db()
        assert (claim.row.pk, claim.row.attempts, message.attempts) == (message.pk, 3, 3)
        assert (message.status, message.sender) == ("sending", "")
        assert (message.due_at, message.enqueued_at) == (None, None)
        left = (message.lease_until - database_time()).total_seconds()
        assert claim.account.lease - 10 < left <= claim.account.lease

    @pytest.mark.parametrize("status", sorted(set(Message.Status.values) - {"queued"}))
    def test_only_a_queued_message_is_claimed(self, message, status):
        change(message, status=status)

        assert claim_message(message.pk) is None
        message.refresh_from_db()
        assert (message.status, message.attempts) == (status, 0)

    def test_message_that_is_not_due_is_not_claimed(self, message):
        change(message, due_at=hours(1))

        assert claim_message(message.pk) is None

    def test_recipient_of_a_campaign_is_not_claimed_as_a_single_message(self, message):
        change(message, campaign=Campaign.objects.create(name="Spring sale"))

        assert claim_message(message.pk) is None

    def test_second_claim_fails(self, message):
        assert claim_message(message.pk)
        assert claim_message(message.pk) is None

    def test_claim_that_is_held_may_write(self, message):
        claim = claim_message(message.pk)
        change(message, lease_until=hours(-1))
        claim.confirm()

        message.refresh_from_db()
        assert message.lease_until > database_time()
        assert message.sender == claim.account.sender

    @pytest.mark.parametrize(
        "values",
        [{"attempts": 2}, {"extra_id": "own-2"}, *({"status": status} for status in ("queued", "unconfirmed", "seen"))],
        ids=str,
    )
    def test_claim_that_was_lost_may_not_write(self, message, values):
        claim = claim_message(message.pk)
        change(message, **values)

        with pytest.raises(ClaimLost, match="another worker claimed it"):
            claim.confirm()

    def test_answer_after_another_claim_has_that_one_send_nothing(self, message):
        claim = claim_message(message.pk)
        change(message, status="queued")
        second = claim_message(message.pk)
        claim.record("platform-1")

        message.refresh_from_db()
        assert (message.status, message.message_id, message.attempts) == ("accepted", "platform-1", 2)
        with pytest.raises(ClaimLost):
            second.confirm()

    def test_answer_to_an_earlier_run_changes_nothing(self, message):
        claim = claim_message(message.pk)
        change(message, extra_id="own-2")
        claim.record("platform-1")

        message.refresh_from_db()
        assert (message.status, message.message_id) == ("sending", None)

    @pytest.mark.parametrize("reported", [{"reported_at": hours(-1)}, {"hyber_status": 36011}], ids=["time", "code"])
    def test_answer_does_not_undo_a_failure_that_was_reported(self, message, reported):
        claim = claim_message(message.pk)
        change(message, status="undelivered", **reported)
        claim.record("platform-1")

        message.refresh_from_db()
        assert (message.status, message.message_id) == ("undelivered", "platform-1")

    def test_answer_after_a_report_adds_the_id_and_keeps_the_status(self, message):
        claim = claim_message(message.pk)
        change(message, status="delivered", error_text="")
        claim.record("platform-1")

        message.refresh_from_db()
        assert (message.status, message.message_id, message.lease_until) == ("delivered", "platform-1", None)
        assert message.accepted_at

    def test_answer_of_the_holder_accepts_the_message(self, message):
        claim_message(message.pk).record("platform-1")

        message.refresh_from_db()
        assert (message.status, message.message_id, message.error_text) == ("accepted", "platform-1", "")
        assert (message.error_code, message.lease_until, message.due_at) == (None, None, None)

    def test_message_that_is_too_late_by_now_may_not_be_written(self, platform):
        sms = {"text": "Hi", "alpha_name": "Shop", "ttl": 60}
        content = {"channels": ["sms"], "channel_options": {"sms": sms}}
        message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content=content)
        claim = claim_message(message.pk)
        claim.confirm()
        claim.row.created_at = hours(-1)

        with pytest.raises(ClaimLost, match="its TTL is over"):
            claim.confirm()

    def test_claimed_message_cannot_be_cancelled_and_a_cancelled_one_not_claimed(self, message):
        claim_message(message.pk)
        assert cancel_message(message) is False

        change(message, status="queued")
        assert cancel_message(message) is True
        assert claim_message(message.pk) is None
        assert cancel_message(message) is True

    def test_cancelled_message_waits_for_nothing_and_others_are_left_alone(self, message):
        other = Message.objects.create(phone_number=phone(2), extra_id="own-2", content={})
        change(message, due_at=hours(1), lease_until=hours(1), not_found_after=hours(1))

        assert cancel_message(message) is True
        other.refresh_from_db()
        assert (message.error_text, message.due_at, message.lease_until, message.not_found_after) == ("", *[None] * 3)
        assert message.finished_at
        assert other.status == "queued"

    def test_recipient_of_a_campaign_is_cancelled_with_it(self, message):
        message.campaign = Campaign.objects.create(name="Spring sale")

        with pytest.raises(ValueError, match=r"own-1 belongs to a campaign. Use cancel_campaign\(\) to stop that"):
            cancel_message(message)


class TestBatch:
    def test_claim_takes_the_batch_for_one_lease(self, batch):
        change(batch, due_at=hours(-1), enqueued_at=hours(-1), waits_for="retry", attempts=2)
        claim = claim_batch(batch.pk)

        batch.refresh_from_db()
        assert (claim.row.pk, claim.row.attempts, batch.attempts) == (batch.pk, 3, 3)
        assert (batch.state, batch.sender) == ("sending", "")
        assert (batch.due_at, batch.enqueued_at, batch.waits_for) == (None, None, "")
        left = (batch.lease_until - database_time()).total_seconds()
        assert claim.account.lease - 10 < left <= claim.account.lease

    @pytest.mark.parametrize("state", sorted(set(Batch.State.values) - {"pending"}))
    def test_only_a_pending_batch_is_claimed(self, batch, state):
        change(batch, state=state)

        assert claim_batch(batch.pk) is None

    @pytest.mark.parametrize("status", sorted(set(Campaign.Status.values) - {"sending"}))
    def test_batch_of_a_campaign_that_is_not_sending_is_not_claimed(self, batch, status):
        change(batch.campaign, status=status)

        assert claim_batch(batch.pk) is None
        batch.refresh_from_db()
        assert (batch.state, batch.attempts) == ("pending", 0)

    def test_batch_that_is_not_due_is_not_claimed(self, batch):
        change(batch, due_at=hours(1))

        assert claim_batch(batch.pk) is None

    def test_second_claim_fails(self, batch):
        assert claim_batch(batch.pk)
        assert claim_batch(batch.pk) is None

    def test_claim_that_is_held_may_write(self, batch):
        claim = claim_batch(batch.pk)
        change(batch, lease_until=hours(-1))
        claim.confirm()

        batch.refresh_from_db()
        assert batch.lease_until > database_time()
        assert batch.sender == claim.account.sender

    @pytest.mark.parametrize(
        "values", [{"attempts": 2}, *({"state": state} for state in ("pending", "unconfirmed", "done"))], ids=str
    )
    def test_claim_that_was_lost_may_not_write(self, batch, values):
        claim = claim_batch(batch.pk)
        change(batch, **values)

        with pytest.raises(ClaimLost, match="another worker claimed it"):
            claim.confirm()

    @pytest.mark.parametrize("status", ["paused", "cancelled"])
    def test_batch_of_a_campaign_that_was_stopped_is_not_written(self, batch, status):
        claim = claim_batch(batch.pk)
        change(batch.campaign, status=status)

        with pytest.raises(ClaimLost):
            claim.confirm()

    @pytest.mark.parametrize("stop", [stop_batch, stop_campaign])
    def test_what_is_committed_while_the_renewal_waits_for_its_lock_counts(self, batch, stop):
        claim = claim_batch(batch.pk)

        with ThreadPoolExecutor(1) as pool:
            with write_transaction():
                stop(batch)
                renewal = pool.submit(in_own_connection(claim.confirm))
                time.sleep(0.5)
            with pytest.raises(ClaimLost):
                renewal.result()

    @pytest.mark.parametrize(
        "values", [{"state": "sending"}, {"state": "done"}, {"due_at": hours(1)}], ids=["sending", "done", "later"]
    )
    def test_batch_that_another_worker_changed_after_the_look_is_not_claimed(self, batch, monkeypatch, values):
        monkeypatch.setattr(batches.schedule, "waits_for_window", lambda *_: change(batch, **values))

        assert claim_batch(batch.pk) is None
        batch.refresh_from_db()
        assert batch.attempts == 0

    def test_other_batches_are_left_alone(self, platform):
        first, second = make_waiting_campaign([phone(1), phone(2)], size=1).batches.order_by("pk")
        claim_batch(first.pk)

        second.refresh_from_db()
        assert (second.state, second.attempts) == ("pending", 0)

    def test_worker_whose_batch_was_claimed_again_does_not_end_it(self, batch):
        claim = claim_batch(batch.pk)
        change(batch, attempts=2)

        assert claim.finish(Batch.State.DONE) is False
        batch.refresh_from_db()
        assert batch.state == "sending"

    def test_holder_ends_the_batch(self, batch):
        change(batch, error_text="busy")
        assert claim_batch(batch.pk).finish(Batch.State.DONE, job_id="job-1") is True

        batch.refresh_from_db()
        assert (batch.state, batch.job_id, batch.lease_until, batch.error_text) == ("done", "job-1", None, "")
        assert batch.finished_at


class TestSynchronousAnswer:
    """Each entry of the platform's answer decides about one message."""

    def record(self, batch, *entries):
        message = batch.campaign.messages.order_by("pk").first()
        claim = claim_batch(batch.pk)
        outgoing = [Outgoing(message.pk, Recipient(message.phone_number, message.extra_id, {}))]
        known = {"phone_number": message.phone_number, "extra_id": message.extra_id}
        answers = parse_sync({"messages": [known | entry for entry in entries]})
        claim.record(batches.BatchAnswer(outgoing, answers, ""))
        message.refresh_from_db()
        return message.status, message.message_id

    def test_with_an_id_the_message_is_accepted(self, batch):
        assert self.record(batch, {"message_id": "m-1"}) == ("accepted", "m-1")

    def test_with_an_error_the_message_is_rejected(self, batch):
        assert self.record(batch, {"error_code": 36024}) == ("rejected", None)

    def test_with_neither_its_outcome_is_unknown(self, batch):
        assert self.record(batch, {"message_id": None, "processed": True}) == ("unconfirmed", None)

    def test_with_entries_that_do_not_agree_its_outcome_is_unknown(self, batch):
        entries = ({"message_id": "m-1", "accepted": True}, {"accepted": False, "error_code": 36011})

        assert self.record(batch, *entries) == ("unconfirmed", None)

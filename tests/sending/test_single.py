from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from django_hyber.models import Message
from django_hyber.protocol import SMS
from django_hyber.reconcile.unconfirmed import recover_expired_leases
from django_hyber.sending import single
from django_hyber.sending.single import claim_message, submit_message
from django_hyber.services import dispatch, send_message
from tests.builders import KNOWN, make_known
from tests.protocol.platforms import serve
from tests.samples import phone

TEXT = [SMS(text="Hi", alpha_name="GMSU", ttl=300)]


@pytest.mark.django_db(transaction=True)
class SingleMessageTests:
    def test_message_is_claimed_once(self):
        message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={})

        assert claim_message(message.pk) is not None
        assert claim_message(message.pk) is None

    def test_answer_with_the_id_of_another_message_leaves_the_outcome_unknown(self, platform, settings):
        """A proxy has answered with what it had answered before."""
        with serve() as proxy:
            proxy.body = {"message_id": "of-the-first"}
            settings.HYBER = {"default": settings.HYBER["default"] | {"API_URL": proxy.url}}
            first, second = send_message(phone(1), TEXT), send_message(phone(2), TEXT)
            submit_message(second.pk)
        first.refresh_from_db()
        second.refresh_from_db()

        assert (first.status, first.message_id) == ("accepted", "of-the-first")
        assert (second.status, second.message_id) == ("unconfirmed", None)
        assert second.error_text == "The platform's answer has the id of another message."

    def test_task_that_comes_five_times_sends_once(self, platform):
        message = send_message(phone(1), TEXT)
        for _ in range(4):
            submit_message(message.pk)

        assert platform.ledger.taken == 1

    def test_worker_that_stood_still_while_others_took_its_message_sends_nothing(self, platform, monkeypatch):
        make_known()
        build = single.build_body

        def stand_still(*content):
            Message.objects.update(lease_until="2020-01-01T00:00:00Z")
            recover_expired_leases()
            return build(*content)

        with monkeypatch.context() as stopped:
            stopped.setattr(single, "build_body", stand_still)
            message = send_message(phone(1), TEXT)
        assert len(platform.requests) == KNOWN

        for _ in range(3):
            make_due(message)
            dispatch()
        message.refresh_from_db()
        assert message.status == "accepted"
        assert (platform.ledger.taken, platform.ledger.duplicates) == (1 + KNOWN, {})

    def test_message_that_is_not_due_is_left_alone(self, platform):
        later = timezone.now() + timedelta(hours=1)
        message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={}, due_at=later)
        submit_message(message.pk)
        dispatch()

        assert not platform.requests

    def test_busy_platform_is_asked_again_later(self, platform):
        message = send_message(phone(1, "98"), TEXT)
        message.refresh_from_db()
        assert (message.status, message.attempts) == ("queued", 1)
        assert message.due_at > timezone.now()
        make_due(message)
        dispatch()

        message.refresh_from_db()
        assert (message.status, message.error_text) == ("accepted", "")
        assert platform.ledger.taken == 1

    def test_platform_that_stays_busy_ends_the_message_after_the_last_attempt(self, platform, settings):
        settings.HYBER = {"default": settings.HYBER["default"] | {"MAX_ATTEMPTS": 2}}
        platform.fault("status", count=2, status=429)
        message = send_message(phone(1), TEXT)
        make_due(message)
        dispatch()

        message.refresh_from_db()
        assert message.status == "undelivered"
        assert "2 attempts" in message.error_text

    def test_refused_connection_is_surely_not_taken(self, platform, settings):
        settings.HYBER = {"default": settings.HYBER["default"] | {"API_URL": "http://127.0.0.1:9/closed"}}
        message = send_message(phone(1), TEXT)

        message.refresh_from_db()
        assert message.status == "queued"

    def test_dropped_answer_is_resolved_by_asking(self, platform):
        message = send_message(phone(1, "94"), TEXT)
        message.refresh_from_db()
        assert message.status == "unconfirmed"
        make_due(message)
        dispatch()

        message.refresh_from_db()
        assert message.status in {"accepted", "delivered"}
        assert message.message_id
        assert (platform.ledger.taken, platform.ledger.duplicates) == (1, {})

    def test_dropped_request_is_sent_again(self, platform):
        make_known()
        message = send_message(phone(1, "87"), TEXT)
        for _ in range(2):
            make_due(message)
            dispatch()

        message.refresh_from_db()
        assert message.status == "accepted"
        assert (platform.ledger.taken, platform.ledger.duplicates) == (1 + KNOWN, {})

    def test_not_found_within_the_grace_period_is_not_sent_again(self, platform, settings):
        settings.HYBER = {"default": settings.HYBER["default"] | {"NOT_FOUND_GRACE": 600}}
        message = send_message(phone(1, "87"), TEXT)
        make_due(message)
        dispatch()

        message.refresh_from_db()
        assert message.status == "unconfirmed"
        assert platform.ledger.taken == 0

    def test_message_of_a_stopped_worker_is_given_its_grace_period(self, platform, settings):
        settings.HYBER = {"default": settings.HYBER["default"] | {"NOT_FOUND_GRACE": 600}}
        message = send_message(phone(1, "87"), TEXT)
        # As if the worker had been killed before the platform hung up.
        Message.objects.update(status="sending", lease_until="2020-01-01T00:00:00Z")
        dispatch()
        make_due(message)
        dispatch()

        message.refresh_from_db()
        assert message.status == "unconfirmed"
        assert platform.ledger.taken == 0

    def test_platform_that_cannot_be_queried_leaves_the_outcome_open(self, platform, settings):
        message = send_message(phone(1, "94"), TEXT)
        settings.HYBER = {"default": settings.HYBER["default"] | {"REPORTS_URL": "http://127.0.0.1:9/closed"}}
        make_due(message)
        dispatch()

        message.refresh_from_db()
        assert message.status == "unconfirmed"
        assert message.due_at > timezone.now() - timedelta(seconds=5)

    def test_silent_platform_leaves_the_message_unconfirmed(self, platform, settings):
        settings.HYBER = {"default": settings.HYBER["default"] | {"READ_TIMEOUT": 0.2}}
        platform.fault("silent", seconds=1)
        message = send_message(phone(1), TEXT)

        message.refresh_from_db()
        assert message.status == "unconfirmed"

    def test_message_of_a_stopped_worker_is_queried_and_not_resent(self, platform):
        message = send_message(phone(1), TEXT)
        # As if the worker had been killed between the answer and the commit.
        Message.objects.update(status="sending", message_id=None, accepted_at=None, lease_until="2020-01-01T00:00:00Z")
        dispatch()

        message.refresh_from_db()
        assert message.status in {"accepted", "delivered"}
        assert platform.ledger.taken == 1

    def test_answer_without_an_id_leaves_the_message_unconfirmed(self, platform):
        platform.fault("status", status=502)
        message = send_message(phone(1), TEXT)

        message.refresh_from_db()
        assert message.status == "unconfirmed"

    def test_report_before_the_answer_is_kept(self, wired):
        message = send_message(phone(1, "95"), TEXT)

        message.refresh_from_db()
        assert message.status == "delivered"
        assert message.message_id
        assert message.accepted_at


def make_due(message):
    """Let the waiting time pass without sleeping."""
    Message.objects.filter(pk=message.pk).update(due_at="2020-01-01T00:00:00Z")

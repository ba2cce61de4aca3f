from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_hyber.conf import get_account
from django_hyber.db.bulk import insert_rows, update_rows
from django_hyber.models import DeliveryReport, Message
from django_hyber.protocol import SMS
from django_hyber.reconcile.unconfirmed import recover_expired_leases
from django_hyber.reports import ranks
from django_hyber.sending import single
from django_hyber.sending.pace import retries
from django_hyber.sending.single import claim_message, submit_message
from django_hyber.services import dispatch, send_message
from tests.samples import phone

NOW = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
TEXT = [SMS(text="Hi", alpha_name="GMSU", ttl=300)]


def test_every_status_has_a_rank():
    assert set(ranks.RANKS) == set(Message.Status)


def test_back_off_doubles_up_to_its_cap():
    assert [retries.backoff(attempt, 5) for attempt in (1, 2, 3)] == [5, 10, 20]
    assert retries.backoff(60, 5) == retries.LONGEST_DELAY


def test_platform_is_never_asked_before_the_time_that_it_names():
    attempts = [retries.next_attempt(get_account(), 1, NOW, retry_after=100) for _ in range(200)]

    assert min(attempts) >= NOW + timedelta(seconds=100)
    assert max(attempts) <= NOW + timedelta(seconds=125)
    assert len(set(attempts)) > 1


@pytest.mark.django_db
class BulkTests:
    values = ("default", "a" * 32, "id\n'\"\\", "", "", "", None, None, None, NOW, NOW, {"text": "Привіт 💙", "n": [1]})
    columns = (
        "account",
        "fingerprint",
        "hyber_message_id",
        "extra_id",
        "phone_number",
        "channel",
        "status",
        "hyber_status",
        "error_code",
        "reported_at",
        "received_at",
        "raw",
    )

    def test_inserted_rows_come_back_as_they_were(self):
        assert insert_rows(DeliveryReport, self.columns, [self.values], "default") == 1
        row = DeliveryReport.objects.get()

        assert tuple(getattr(row, column) for column in self.columns) == self.values

    def test_row_that_breaks_a_unique_constraint_is_left_out_and_not_counted(self):
        rows = [self.values, self.values, (self.values[0], "b" * 32, *self.values[2:])]

        assert insert_rows(DeliveryReport, self.columns, rows, "default") == 2
        assert insert_rows(DeliveryReport, self.columns, rows, "default") == 0

    def test_updated_rows_take_their_own_values_and_nulls(self):
        first, second = (Message.objects.create(phone_number=phone(n), extra_id=f"own-{n}") for n in (1, 2))
        rows = [(first.pk, "id-1", "accepted", NOW), (second.pk, None, "rejected", None)]

        assert update_rows(Message, ("id", "message_id", "status", "accepted_at"), rows, "default") == 2
        columns = Message.objects.order_by("pk").values_list("message_id", "status", "accepted_at")
        assert list(columns) == [("id-1", "accepted", NOW), (None, "rejected", None)]

    def test_condition_spares_the_rows_that_do_not_meet_it(self):
        message = Message.objects.create(phone_number=phone(1), extra_id="own-1", status="delivered")
        rows = [(message.pk, "accepted")]

        assert update_rows(Message, ("id", "status"), rows, "default", where={"status": ["queued"]}) == 0
        message.refresh_from_db()
        assert message.status == "delivered"

    def test_conditions_and_what_is_the_same_in_all_rows_go_together(self):
        first, second, third = (Message.objects.create(phone_number=phone(n), extra_id=f"own-{n}") for n in range(3))
        Message.objects.filter(pk=second.pk).update(message_id="id-2")
        Message.objects.filter(pk=third.pk).update(status="delivered")
        rows = [(message.pk, f"text {message.pk}") for message in (first, second, third)]
        where = {"status": ["queued", "sending"], "message_id": None}

        columns = ("id", "error_text")
        assert update_rows(Message, columns, rows, "default", where=where, constants={"status": "rejected"}) == 1
        assert Message.objects.get(status="rejected", error_text=f"text {first.pk}") == first

    def test_rows_are_found_by_their_key_whatever_the_condition_is_about(self):
        with CaptureQueriesContext(connection) as queries:
            update_rows(Message, ("id", "status"), [(1, "accepted")], "default", where={"status": ["queued"]})
        statement = queries[0]["sql"]
        plan, by_key = "", ""
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
                plan, by_key = " ".join(row[-1] for row in cursor.fetchall()), "SEARCH t USING INTEGER PRIMARY KEY"

        assert "CASE WHEN t." in statement
        assert by_key in plan

    def test_nothing_to_do_is_no_statement(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert insert_rows(DeliveryReport, self.columns, [], "default") == 0
            assert update_rows(Message, ("id", "status"), [], "default") == 0


@pytest.mark.django_db(transaction=True)
class SingleMessageTests:
    def test_message_is_claimed_once(self):
        message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content={})

        assert claim_message(message.pk, "default") is not None
        assert claim_message(message.pk, "default") is None

    def test_task_that_comes_five_times_sends_once(self, platform):
        message = send_message(phone(1), TEXT)
        for _ in range(4):
            submit_message(message.pk)

        assert platform.ledger.taken == 1

    def test_worker_that_stood_still_while_others_took_its_message_sends_nothing(self, platform, monkeypatch):
        build = single.build_body

        def stand_still(*content):
            Message.objects.update(lease_until="2020-01-01T00:00:00Z")
            recover_expired_leases()
            return build(*content)

        with monkeypatch.context() as stopped:
            stopped.setattr(single, "build_body", stand_still)
            message = send_message(phone(1), TEXT)
        assert not platform.requests

        for _ in range(3):
            make_due(message)
            dispatch()
        message.refresh_from_db()
        assert message.status == "accepted"
        assert (platform.ledger.taken, platform.ledger.duplicates) == (1, {})

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
        message = send_message(phone(1, "87"), TEXT)
        make_due(message)
        dispatch()

        message.refresh_from_db()
        assert message.status == "accepted"
        assert (platform.ledger.taken, platform.ledger.duplicates) == (1, {})

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

    def test_platform_that_cannot_be_asked_leaves_the_question_open(self, platform, settings):
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

    def test_message_of_a_stopped_worker_is_asked_about_and_not_resent(self, platform):
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

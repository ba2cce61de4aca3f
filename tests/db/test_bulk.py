from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from django_hyber.db.bulk import insert_rows, update_rows
from django_hyber.db.transactions import lock, lock_unread
from django_hyber.models import DeliveryReport, Message
from tests.samples import phone

NOW = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


VALUES = ("default", "a" * 32, "id\n'\"\\", "", "", "", None, None, None, NOW, NOW, {"text": "Привіт 💙", "n": [1]})
COLUMNS = (
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


def test_inserted_rows_come_back_as_they_were():
    assert insert_rows(DeliveryReport, COLUMNS, [VALUES]) == 1
    row = DeliveryReport.objects.get()

    assert tuple(getattr(row, column) for column in COLUMNS) == VALUES


def test_row_that_breaks_a_unique_constraint_is_left_out_and_not_counted():
    rows = [VALUES, VALUES, (VALUES[0], "b" * 32, *VALUES[2:])]

    assert insert_rows(DeliveryReport, COLUMNS, rows) == 2
    assert insert_rows(DeliveryReport, COLUMNS, rows) == 0


def test_updated_rows_take_their_own_values_and_nulls():
    first, second = (Message.objects.create(phone_number=phone(n), extra_id=f"own-{n}") for n in (1, 2))
    rows = [(first.pk, "id-1", "accepted", NOW), (second.pk, None, "rejected", None)]

    assert update_rows(Message, ("id", "message_id", "status", "accepted_at"), rows) == 2
    columns = Message.objects.order_by("pk").values_list("message_id", "status", "accepted_at")
    assert list(columns) == [("id-1", "accepted", NOW), (None, "rejected", None)]


def test_condition_spares_the_rows_that_do_not_meet_it():
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", status="delivered")
    rows = [(message.pk, "accepted")]

    assert update_rows(Message, ("id", "status"), rows, where={"status": ["queued"]}) == 0
    message.refresh_from_db()
    assert message.status == "delivered"


def test_conditions_and_what_is_the_same_in_all_rows_go_together():
    first, second, third = (Message.objects.create(phone_number=phone(n), extra_id=f"own-{n}") for n in range(3))
    Message.objects.filter(pk=second.pk).update(message_id="id-2")
    Message.objects.filter(pk=third.pk).update(status="delivered")
    rows = [(message.pk, f"text {message.pk}") for message in (first, second, third)]
    where = {"status": ["queued", "sending"], "message_id": None}

    columns = ("id", "error_text")
    assert update_rows(Message, columns, rows, where=where, constants={"status": "rejected"}) == 1
    assert Message.objects.get(status="rejected", error_text=f"text {first.pk}") == first


def test_rows_are_found_by_their_key_whatever_the_condition_is_about():
    with CaptureQueriesContext(connection) as queries:
        update_rows(Message, ("id", "status"), [(1, "accepted")], where={"status": ["queued"]})
    statement = queries[0]["sql"]
    plan, by_key = "", ""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
            plan, by_key = " ".join(row[-1] for row in cursor.fetchall()), "SEARCH t USING INTEGER PRIMARY KEY"

    assert "CASE WHEN t." in statement
    assert by_key in plan


def test_nothing_to_do_is_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert insert_rows(DeliveryReport, COLUMNS, []) == 0
        assert update_rows(Message, ("id", "status"), []) == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("locking", [lock, lock_unread])
def test_locked_rows_are_those_that_others_cannot_lock(locking):
    pks = [Message.objects.create(phone_number=phone(n), extra_id=f"own-{n}").pk for n in range(3)]
    features = connection.features
    skipping = connection.ops.for_update_sql(skip_locked=True) if features.has_select_for_update_skip_locked else ""
    with transaction.atomic(), closing(connection.copy()) as other, other.cursor() as cursor:
        locking(Message.objects.filter(pk__in=pks[:2]))
        cursor.execute(f"SELECT id FROM django_hyber_message ORDER BY id {skipping}")
        free = [pk for (pk,) in cursor.fetchall()]

    # SQLite has one lock for the whole file.
    assert free == (pks[2:] if features.has_select_for_update else pks)

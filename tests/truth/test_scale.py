"""Arrays of any length: a fixed number of statements for every CHUNK of reports, and bounded memory."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_hyber.models import Campaign, DeliveryReport, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.reports import intake
from django_hyber.services import apply_delivery_reports, import_recipients
from tests.conftest import TOKEN
from tests.samples import phone, report
from tests.truth.test_memory import peak_of

pytestmark = pytest.mark.django_db(transaction=True)

NOON = 1_700_000_000_000
BEFORE = datetime.fromtimestamp(NOON / 1_000, UTC)
EXPIRED = {"status": 3, "substatus": 35, "hyber_status": 35015}
TRANSACTION = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
#: The time of the database, for which SQLite is not asked.
CLOCK = 0 if connection.vendor == "sqlite" else 1
#: For each CHUNK of reports: find and lock, store, advance. MariaDB finds before it locks.
STATEMENTS = CLOCK + (4 if connection.vendor == "mysql" else 3)
#: Once a request: the names that the staff has given to codes.
CODES = 1
#: Once a request with reports of nobody: whether the quota of the day has room for them, and what is taken of it.
QUOTA = 5
#: For each report of a chunk.
MEMORY = 5 * 2**10


def make_reports(size, **facts):
    """A campaign of this size, and a report about each of its messages, in any order."""
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([Viber(text="Hi", ttl=60), SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    import_recipients(campaign, ({"phone": phone(number)} for number in range(size)))
    reports = [
        report(message, total_sms_parts=1, delivered_sms_parts=1, **facts) for message in campaign.messages.all()
    ]
    return random.Random(1).sample(reports, size)


def unknown(size):
    return [
        report(extra_id=f"nobody-{number}", message_id=f"no-{number}", number=phone(number)) for number in range(size)
    ]


def statements_of(function, *arguments):
    """The number of statements of a call, without those that begin and end transactions, and what it returns."""
    with CaptureQueriesContext(connection) as captured:
        result = function(*arguments)
    statements = [query["sql"] for query in captured if not query["sql"].startswith(TRANSACTION)]
    # SQLite takes its write lock by an UPDATE of nothing.
    return len([sql for sql in statements if not sql.endswith('"id" = -1')]), result


def states():
    return Counter(Message.objects.values_list("status", flat=True))


@pytest.mark.parametrize(("size", "chunks"), [(1_000, 1), (2_000, 1), (6_000, 3)])
def test_array_takes_a_fixed_number_of_statements_a_chunk(client, monkeypatch, size, chunks):
    monkeypatch.setattr(intake, "CHUNK", 2_000)
    reports = make_reports(size)
    statements, answer = statements_of(post, client, reports)

    assert statements == STATEMENTS * chunks + CODES
    assert answer == {"received": size, "stored": size, "unreadable": 0}
    assert states() == {"delivered": size}


def test_repeats_advance_nothing(client):
    reports = make_reports(1_000)
    post(client, reports)
    # Instead, it is asked whether a row has been waiting for its message.
    statements, answer = statements_of(post, client, reports)

    assert (statements, answer["stored"]) == (STATEMENTS + CODES, 0)


def test_failures_take_one_statement_more_for_the_channels_that_may_follow(client):
    reports = make_reports(1_000, **EXPIRED)

    assert statements_of(post, client, reports)[0] == STATEMENTS + CODES + 1
    assert states() == {"expired": 1_000}


def test_unknown_reports_among_known_ones_take_two_statements_more(client):
    known = make_reports(500)
    mixed = random.Random(2).sample(known + unknown(500), 1_000)

    # Once more by their ids, for a message may have been written meanwhile, and by the ids of earlier runs.
    assert statements_of(post, client, mixed)[0] == STATEMENTS + CODES + QUOTA + 2
    assert states() == {"delivered": 500}
    assert DeliveryReport.objects.filter(message=None).count() == 500


@pytest.mark.parametrize("size", [10, 1_000])
def test_reports_with_nothing_but_a_phone_take_a_fixed_number_of_statements_too(client, size):
    reports = [{**item, "message_id": "", "extra_id": ""} for item in make_reports(size)]
    Message.objects.update(status="accepted", created_at=BEFORE, accepted_at=BEFORE)
    statements, _ = statements_of(post, client, reports)

    # Room in the quota, stored, looked for by phone, locked, linked in two, advanced; the time for three of these.
    assert statements == 7 + 3 * CLOCK + CODES
    assert states() == {"delivered": size}
    assert not DeliveryReport.objects.filter(message=None).exists()


def test_memory_for_reports_is_bounded_and_does_not_grow_with_their_number(monkeypatch):
    monkeypatch.setattr(intake, "CHUNK", 500)
    # What is loaded once and kept is not of any reports.
    apply_delivery_reports(make_reports(10))
    peaks = [peak_of(apply_delivery_reports, make_reports(size)) for size in (500, 2_000)]

    assert peaks[0] < 500 * MEMORY
    assert peaks[1] < peaks[0] * 1.6


def post(client, reports):
    body = json.dumps(reports).encode()
    url = reverse("django_hyber:reports", kwargs={"token": TOKEN})
    response = client.post(url, body, content_type="application/json")
    assert response.status_code == 200
    return response.json()

"""A database in MariaDB's ``utf8mb3``, which holds no emoji: a reply or report with one costs no neighbour."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.db import connection

from django_hyber.db import characters
from tests.conftest import TOKEN
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
#: Posts the bodies of its standard input to a project on that database, and writes what is stored then.
PROJECT = """
import json, sys
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
from django_hyber.models import Campaign, DeliveryReport, Message, Reply, Suppression, UnreadableCallback
from django_hyber.services import import_recipients
given = json.load(sys.stdin)
for model in (Reply, DeliveryReport, Message, Campaign, Suppression, UnreadableCallback):
    model.objects.all().delete()
for number, phone in enumerate(given["phones"]):
    Message.objects.create(phone_number=phone, extra_id=f"own-{number}", status="accepted")
campaign = Campaign.objects.create(name="Sale")
import_recipients(campaign, [{"phone": given["phones"][0], "name": "Olena \\U0001f33b"}])
client = Client(raise_request_exception=False)
answers = [
    client.post(url, body, content_type="application/json").status_code for url, body in given["posts"]
]
stored = {
    "answers": answers,
    "replies": list(Reply.objects.order_by("phone_number").values_list("text", "raw")),
    "opted_out": list(Suppression.objects.values_list("phone_number", flat=True)),
    "statuses": list(Message.objects.filter(campaign=None).order_by("pk").values_list("status", flat=True)),
    "reports": list(DeliveryReport.objects.order_by("phone_number").values_list("extra_id", "raw")),
    "unreadable": list(UnreadableCallback.objects.values_list("body", flat=True)),
    "variables": campaign.messages.get().variables,
}
json.dump(stored, sys.stdout)
"""


def wide(text):
    return f"{text} \U0001f33b"


def replaced(text):
    return f"{text} \ufffd"


@pytest.fixture(params=["", "?charset=utf8"], ids=["tables", "tables-and-connection"])
def narrow(request):
    """A function that posts to a project on a database of narrow tables and returns what is stored."""
    there = connection.settings_dict
    name = f"{there['NAME']}_utf8mb3"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb3")
    login = there["USER"] + (f":{there['PASSWORD']}" if there["PASSWORD"] else "")
    place = f"{there['HOST'] or '127.0.0.1'}:{there['PORT'] or 3306}"
    url = f"mysql://{login}@{place}/{name}{request.param}"
    environment = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}

    def post(phones, *posts):
        bodies = [(f"/hyber/{TOKEN}/{kind}/", json.dumps(body)) for kind, body in posts]
        done = subprocess.run(
            [sys.executable, "-c", PROJECT],
            input=json.dumps({"phones": phones, "posts": bodies}),
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        return json.loads(done.stdout)

    yield post
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")


@pytest.mark.mariadb
def test_text_that_the_database_cannot_hold_costs_no_neighbour(narrow):
    first, second = phone(1), phone(2)
    replies = [
        {"phone": first, "text_from_subscriber": wide("Дякую"), "file_name": wide("x")},
        {"phone": second, "text_from_subscriber": "Їжак, дякую"},
    ]
    stops = [{"phone": first, "text_from_subscriber": wide("СТОП")}]
    reports = [
        {"number": first, "extra_id": wide("id"), "message_id": wide("m"), "status": 2, "sent_via": wide("viber")},
        {"number": second, "extra_id": "own-1", "status": 2, "substatus": 23, "hyber_status": 23033, "note": wide("x")},
    ]
    stored = narrow(
        [first, second], ("replies", replies), ("reports", reports), ("replies", stops), ("reports", [wide("rubbish")])
    )

    assert stored["answers"] == [200] * 4
    assert stored["replies"] == [
        [replaced("Дякую"), replies[0]],
        [replaced("СТОП"), stops[0]],
        ["Їжак, дякую", replies[1]],
    ]
    assert stored["opted_out"] == [first]
    assert stored["statuses"] == ["accepted", "delivered"]
    assert stored["reports"] == [[replaced("id"), reports[0]], ["own-1", reports[1]]]
    assert stored["unreadable"] == [replaced("rubbish")]
    assert stored["variables"] == {"name": wide("Olena")}


@pytest.mark.mariadb
def test_repeat_of_a_report_with_such_a_text_adds_nothing(narrow):
    reports = [{"number": phone(1), "extra_id": wide("id"), "status": 2}]
    stored = narrow([phone(1)], ("reports", reports), ("reports", reports))

    assert (stored["answers"], len(stored["reports"])) == ([200, 200], 1)


def test_other_databases_keep_every_character():
    assert characters.storable_text(wide("x")) == wide("x")
    assert characters.storable_ids({wide("x"), "y"}) == {wide("x"), "y"}

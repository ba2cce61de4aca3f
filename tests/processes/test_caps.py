"""Eight processes send at the same time: nobody gets a message too many, and no batch is sent above the limit."""

from __future__ import annotations

import json
import sys
from collections import Counter

import pytest

from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS
from tests.builders import batches_in_turn, make_waiting_campaign, posts
from tests.processes.programs import environment, running
from tests.samples import phone

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

TEXT = [SMS(text="Hi", alpha_name="Shop", ttl=300)]
PROCESSES, CAMPAIGNS, PEOPLE, BATCH = 8, 4, 80, 5
#: Starts Django once and forks, as web servers do with ``preload``. Each process submits the batches in an order of its
#: own, and is ready when it is connected to the database: it waits for the others, which have the pipe open until then.
SENDER = """
import json, os, sys
import django
django.setup()
from django.db import connection
from django_hyber.sending.batch import submit_batch

waiting, ready = os.pipe()
children = []
for pks in json.loads(sys.argv[1]):
    pid = os.fork()
    if pid == 0:
        connection.ensure_connection()
        os.close(ready)
        os.read(waiting, 1)
        for pk in pks:
            submit_batch(pk)
        sys.exit()
    children.append(pid)
os.close(ready)
sys.exit(any([os.waitpid(pid, 0)[1] for pid in children]))
"""


def send_with_eight_processes(settings, folder, campaigns):
    """Submit all batches; each process begins at another place."""
    pks = batches_in_turn(campaigns)
    starts = [number * len(pks) // PROCESSES for number in range(PROCESSES)]
    orders = json.dumps([pks[start:] + pks[:start] for start in starts])
    log = folder / "senders.log"
    with running([sys.executable, "-c", SENDER, orders], log, env=environment(settings.HYBER)) as process:
        assert process.wait(120) == 0, log.read_text()


@pytest.mark.parametrize("messages", [1, 3])
def test_nobody_gets_a_message_more_than_the_cap_allows(platform, settings, tmp_path, messages):
    settings.HYBER = {"default": settings.HYBER["default"] | {"FREQUENCY_CAP": {"messages": messages, "days": 7}}}
    people = [phone(number) for number in range(PEOPLE)]
    send_with_eight_processes(settings, tmp_path, [make_waiting_campaign(people, BATCH) for _ in range(CAMPAIGNS)])

    received = Counter(str(recipient["phone_number"]) for body in posts(platform) for recipient in body["recipients"])
    assert received == dict.fromkeys(people, messages)
    ends = Counter(Message.objects.values_list("status", flat=True))
    assert ends == {"accepted": PEOPLE * messages, "suppressed": PEOPLE * (CAMPAIGNS - messages)}


def test_campaigns_cost_no_more_than_the_limit(platform, settings, tmp_path):
    limit = 20 * BATCH
    changes = {"SPENDING_LIMIT": {"day": limit}, "PRICES": {"sms": "1"}, "CURRENCY": "UAH"}
    settings.HYBER = {"default": settings.HYBER["default"] | changes}
    campaigns = [
        make_waiting_campaign([phone(1_000 * number + person) for person in range(PEOPLE)], BATCH, TEXT)
        for number in range(CAMPAIGNS)
    ]
    send_with_eight_processes(settings, tmp_path, campaigns)

    sent = sum(len(body["recipients"]) for body in posts(platform))
    # A pause stops the other batches of its campaign that are not written yet: it may be less, and never more.
    assert 0 < sent <= limit
    assert platform.ledger.duplicates == {}
    assert set(Campaign.objects.values_list("status", flat=True)) == {"paused"}

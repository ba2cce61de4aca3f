"""Eight processes send at the same time: nobody gets a message too many, and no batch is sent above the limit."""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import ExitStack

import pytest

from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS
from tests.builders import batches_in_turn, make_waiting_campaign, posts
from tests.processes.programs import environment, running, wait_until
from tests.samples import phone

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

TEXT = [SMS(text="Hi", alpha_name="Shop", ttl=300)]
PROCESSES, CAMPAIGNS, PEOPLE, BATCH = 8, 4, 80, 5
#: Reports that it is ready, waits for the others, and submits the batches in the order that it is given.
SENDER = """
import json, pathlib, sys, time
import django
django.setup()
from django_hyber.sending.batch import submit_batch

pks, folder, number = json.loads(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
(folder / f"ready-{number}").touch()
while not (folder / "go").exists():
    time.sleep(0.005)
for pk in pks:
    submit_batch(pk)
"""


def send_with_eight_processes(settings, folder, campaigns):
    """Submit all batches; each process begins at another place."""
    pks = batches_in_turn(campaigns)
    with ExitStack() as processes:
        started = []
        for number in range(PROCESSES):
            start = number * len(pks) // PROCESSES
            arguments = [json.dumps(pks[start:] + pks[:start]), folder, number]
            program = running(
                [sys.executable, "-c", SENDER, *arguments], folder / f"{number}.log", env=environment(settings.HYBER)
            )
            started.append(processes.enter_context(program))
        wait_until(lambda: len(list(folder.glob("ready-*"))) == PROCESSES, timeout=60)
        (folder / "go").touch()
        for number, process in enumerate(started):
            assert process.wait(120) == 0, (folder / f"{number}.log").read_text()


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

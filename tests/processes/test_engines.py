"""Every engine with real workers: who is killed at any moment, everybody gets it once."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from django_hyber.models import Batch, Campaign, Message
from django_hyber.protocol import SMS
from django_hyber.reconcile import unconfirmed
from django_hyber.services import import_recipients, start_campaign
from tests.builders import KNOWN, make_known
from tests.processes.engines import BROKERS, PROGRAM, WORKERS, Engine, needs_broker
from tests.processes.programs import Firewall, wait_until
from tests.reconcile.test_queries_in_turn import make_unconfirmed
from tests.samples import phone

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

#: A worker, the sweep and the other worker die in turn; the next after them is frozen.
KILLS = int(os.environ.get("HYBER_KILLS", "2"))
RECIPIENTS = 240
#: What happens to requests meanwhile.
FAULTS = [
    {"kind": "drop_request"},
    {"kind": "drop_answer"},
    {"kind": "half_answer"},
    {"kind": "not_json"},
    {"kind": "page", "status": 502, "taken": True},
    {"kind": "page", "status": 403, "taken": True},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429, "retry_after": 1},
]
#: "Not found" counts only after the start: with ten minutes, what was lost would wait for as long.
LEAD_TIME = timedelta(seconds=1)
MOMENT = timedelta(seconds=0.5)
#: Small batches make many moments to die in; short leases make them pass quickly.
BRITTLE = {
    "BATCH_SIZE": 4,
    "LEAD_TIME": LEAD_TIME.total_seconds(),
    "CONNECT_TIMEOUT": 1,
    "READ_TIMEOUT": 5,
    "LEASE": 7,
    "ASK_EVERY": 0.2,
    "BREAKER_THRESHOLD": 50,
}


@pytest.fixture(params=sorted(WORKERS))
def engine(request, platform, settings, tmp_path):
    needs_broker(request.param)
    settings.HYBER = {"default": settings.HYBER["default"] | BRITTLE}
    engine = Engine(request.param, settings.HYBER, tmp_path)
    yield engine
    engine.close()


def launch(number, recipients=RECIPIENTS):
    """Schedule a campaign that is due for its hand-over in a moment: the engine's own sweep starts it."""
    campaign = Campaign.objects.create(name=f"Wave {number}", start_time=timezone.now() + LEAD_TIME + MOMENT)
    campaign.set_channels([SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    start = number * recipients
    import_recipients(campaign, [{"phone": phone(start + person)} for person in range(recipients)])
    return start_campaign(campaign)


def is_sending():
    return Campaign.objects.filter(status__in=["scheduled", "sending"]).exists()


def test_workers_killed_at_random_moments_send_to_everybody_once(engine, platform, chance):
    make_known()
    sweep = engine.start_sweep()
    workers = [engine.start_worker() for _ in range(2)]
    waves = 0
    for kill in range(KILLS):
        if not is_sending():
            launch(waves)
            waves += 1
        went_on = partial(has_gone_on, platform, platform.ledger.taken)
        wait_until(went_on, timeout=60, otherwise=engine.logs)
        platform.fault(**chance.choice(FAULTS), count=2, paths=("bulk",))
        time.sleep(chance.uniform(0, 0.4))
        match kill % 4:
            case 0 | 2:
                engine.kill(workers.pop(0))
                workers.append(engine.start_worker())
            case 1:
                engine.kill(sweep)
                sweep = engine.start_sweep()
            case 3:
                engine.freeze(workers[0], BRITTLE["LEASE"] + 1)
    wait_until(lambda: not is_sending(), timeout=120, otherwise=lambda: f"{states()}\n{engine.logs()}")

    ledger = platform.ledger
    people = waves * RECIPIENTS + KNOWN
    assert (ledger.taken, ledger.distinct, ledger.duplicates) == (people, people, {})
    assert set(Campaign.objects.values_list("status", flat=True)) == {"finished"}
    assert set(Message.objects.values_list("status", flat=True)) <= {"accepted", "delivered"}


def has_gone_on(platform, taken):
    return platform.ledger.taken > taken or not is_sending()


#: The engines that have an order.
PRIORITISED = ["celery-rabbitmq", "celery-redis", "django-tasks-db"]
ONE_TIME_CODE = """
from django_hyber.protocol import SMS
from django_hyber.reconcile import unconfirmed
from django_hyber.services import send_message
send_message("380671234500", [SMS(text="Code 1234", alpha_name="SHOP", ttl=300)], extra_id="one-time-code")
"""


@pytest.mark.parametrize("engine", PRIORITISED, indirect=True)
def test_one_time_code_does_not_wait_for_the_campaign_of_the_only_worker(engine, platform, settings):
    settings.HYBER["default"] |= {"BATCH_SIZE": 10}
    engine.use(settings.HYBER)
    send_code = engine.prepare(ONE_TIME_CODE)
    engine.start_worker()
    engine.start_sweep()
    # Far more requests than can be made before the code is accepted: nobody waits for the end of them.
    launch(0, recipients=4_000)
    wait_until(lambda: platform.ledger.taken >= 100, timeout=60, otherwise=engine.logs)
    send_code()
    accepted = Message.objects.filter(extra_id="one-time-code").exclude(accepted_at=None)
    wait_until(accepted.exists, otherwise=engine.logs)

    assert is_sending()
    code = accepted.get()
    meanwhile = Batch.objects.filter(finished_at__range=(code.created_at, code.accepted_at))
    # Of four hundred; some while whoever sent the code was connecting to the broker. How few a code waits for once it
    # is enqueued, tests/sending/test_order.py shows.
    assert meanwhile.count() < 100


@pytest.mark.parametrize("engine", PRIORITISED, indirect=True)
def test_one_time_code_overtakes_batches_and_queries_that_wait_for_a_worker(engine, platform, settings):
    settings.HYBER["default"] |= {"PARALLEL_BATCHES": 10}
    engine.use(settings.HYBER)
    launch(0)
    make_unconfirmed(10)
    time.sleep(MOMENT.total_seconds())
    engine.prepare(f"from django_hyber.services import dispatch\ndispatch()\n{ONE_TIME_CODE}")()
    assert Batch.objects.exclude(enqueued_at=None).count() == 10
    assert Message.objects.filter(status="unconfirmed").exclude(enqueued_at=None).count() == unconfirmed.MAX_ENQUEUED
    engine.start_worker()
    wait_until(lambda: len(platform.requests) > unconfirmed.MAX_ENQUEUED, otherwise=engine.logs)

    assert "one-time-code" in platform.requests[0].body
    assert "one-time-code" not in "".join(request.body for request in platform.requests[1:])


@pytest.mark.parametrize("engine", sorted(BROKERS), indirect=True)
def test_one_time_code_does_not_wait_for_a_connection_that_a_firewall_has_forgotten(engine, platform):
    engine.start_worker()
    broker = urlsplit(BROKERS[engine.name])
    with Firewall((broker.hostname, broker.port)) as firewall:
        place = broker.netloc.replace(f"{broker.hostname}:{broker.port}", f"127.0.0.1:{firewall.port}")
        engine.environment["TEST_BROKER"] = broker._replace(netloc=place).geturl()
        first_code = ONE_TIME_CODE.replace("one-time-code", "first-code")
        sender = engine.start(
            [*PROGRAM, "shell", "--command", f"{first_code}\ninput()\n{ONE_TIME_CODE}"], stdin=subprocess.PIPE
        )
        accepted = Message.objects.exclude(accepted_at=None)
        wait_until(accepted.filter(extra_id="first-code").exists, otherwise=engine.logs)
        firewall.forget()
        sender.communicate(b"\n", timeout=20)
        wait_until(accepted.filter(extra_id="one-time-code").exists, timeout=20, otherwise=engine.logs)


def states():
    return {
        "campaigns": list(Campaign.objects.values_list("status", flat=True)),
        "batches": sorted(set(Batch.objects.values_list("state", flat=True))),
        "messages": sorted(set(Message.objects.values_list("status", flat=True))),
    }

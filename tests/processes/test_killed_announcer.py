"""A process is killed between its commit and the receivers of its signals; a sweep calls them."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.utils import timezone

from django_hyber.models import Announcement, Message
from django_hyber.services import dispatch, start_campaign
from django_hyber.signals import campaign_finished, message_status_changed
from tests.builders import make_campaign
from tests.processes.programs import END, environment, running
from tests.samples import phone, report

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

CHANGES = 60
#: Notes its calls in a file; the call with the given number is the last thing that the process does.
RECEIVER = """
import json, os, signal, sys
import django
django.setup()
from django_hyber.models import Campaign
from django_hyber.services import apply_delivery_reports, start_campaign
from django_hyber.signals import message_status_changed

last, notes, work = int(sys.argv[1]), open(sys.argv[2], "a", buffering=1), json.loads(sys.argv[3])
calls = 0

def receiver(message, event_id, **kwargs):
    global calls
    calls += 1
    if calls == last:
        os.kill(os.getpid(), signal.SIGKILL)
    print(event_id, file=notes)

message_status_changed.connect(receiver)
"""
REPORTED = "apply_delivery_reports(work)"
SENT = "start_campaign(Campaign.objects.get(pk=work))"


@pytest.fixture
def log(tmp_path):
    return tmp_path / "announcer.log"


@pytest.fixture
def run_until_killed(platform, settings, tmp_path, log):
    """Run the work in a process that is killed at a call of its receiver, and return the events of the calls before."""

    def run(work, values, last_call):
        notes = tmp_path / "notes"
        notes.touch()
        program = [sys.executable, "-c", RECEIVER + work, last_call, notes, json.dumps(values)]
        with running(program, log, env=environment(settings.HYBER)) as process:
            assert process.wait(END * 3) == -signal.SIGKILL, log.read_text()
        return notes.read_text().split()

    return run


@contextmanager
def receiving(*signals):
    calls = []

    def receiver(event_id, **arguments):
        calls.append((event_id, arguments))

    for each in signals:
        each.connect(receiver)
    try:
        yield calls
    finally:
        for each in signals:
            each.disconnect(receiver)


def let_leases_end():
    Announcement.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize("last_call", [1, 11, CHANGES])
def test_every_change_by_a_report_is_announced(run_until_killed, platform, last_call):
    start_campaign(make_campaign([phone(number, "93") for number in range(CHANGES)]))
    messages = Message.objects.order_by("pk")
    before = run_until_killed(REPORTED, [report(message) for message in messages], last_call)
    assert len(before) == last_call - 1
    assert set(messages.values_list("status", flat=True)) == {"delivered"}

    let_leases_end()
    with receiving(message_status_changed) as calls:
        dispatch()
    announced = {event_id: arguments["message"].pk for event_id, arguments in calls}
    assert set(before) <= announced.keys()
    assert sorted(announced.values()) == sorted(messages.values_list("pk", flat=True))
    assert {arguments["report"].extra_id for _event_id, arguments in calls} == {each.extra_id for each in messages}


@pytest.mark.parametrize("last_call", [1, 11])
def test_every_recipient_of_a_campaign_is_announced(run_until_killed, settings, last_call):
    settings.HYBER["default"] |= {"BATCH_SIZE": CHANGES // 2}
    campaign = make_campaign([phone(number, "93") for number in range(CHANGES)])
    before = run_until_killed(SENT, campaign.pk, last_call)
    let_leases_end()
    with receiving(message_status_changed, campaign_finished) as calls:
        dispatch()

    changed = {event_id: arguments["message"].pk for event_id, arguments in calls if "message" in arguments}
    assert set(before) <= changed.keys()
    assert sorted(changed.values()) == sorted(campaign.messages.values_list("pk", flat=True))
    assert [arguments["campaign"] for _event_id, arguments in calls if "campaign" in arguments] == [campaign]


def test_killed_sweep_is_followed_by_another(run_until_killed):
    start_campaign(make_campaign([phone(number, "93") for number in range(CHANGES)]))
    run_until_killed(REPORTED, [report(message) for message in Message.objects.all()], 1)
    let_leases_end()
    before = run_until_killed("from django_hyber.services import dispatch\ndispatch()", None, 31)
    let_leases_end()
    with receiving(message_status_changed) as calls:
        dispatch()

    assert len(before) == 30
    assert set(before) <= {event_id for event_id, _arguments in calls}
    assert len({event_id for event_id, _arguments in calls}) == CHANGES

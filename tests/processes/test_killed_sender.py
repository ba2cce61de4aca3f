"""A process is killed while it sends a campaign; the sweep of another one takes its work up."""

from __future__ import annotations

import signal
import socket
import sys
from datetime import timedelta

import pytest
import requests
from django.utils import timezone

from django_hyber.conf import get_account
from django_hyber.models import Batch, Campaign
from django_hyber.protocol import SMS
from django_hyber.services import dispatch, import_recipients
from tests.processes.programs import END, environment, running, wait_until
from tests.samples import phone

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

RECIPIENTS = 200
#: A process that is to be killed must not give up before.
PATIENT = {"BATCH_SIZE": 5, "READ_TIMEOUT": 60, "LEASE": 90}


@pytest.fixture
def campaign():
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    import_recipients(campaign, [{"phone": phone(number)} for number in range(RECIPIENTS)])
    return campaign


@pytest.fixture
def log(tmp_path):
    return tmp_path / "sender.log"


@pytest.fixture
def send(campaign, log):
    """Launch the campaign in a process of its own."""

    def start(account):
        program = [sys.executable, "-m", "django", "hyber_send_campaign", campaign.pk]
        return running(program, log, env=environment({"default": account}))

    return start


@pytest.mark.parametrize("callbacks", [True, False], ids=["reported", "queried"])
def test_everybody_is_reached_once_although_the_answer_never_came(hosted, settings, campaign, send, log, callbacks):
    settings.HYBER["default"] |= PATIENT | ({} if callbacks else {"CALLBACK_BASE_URL": ""})
    with send(settings.HYBER["default"]) as process:
        wait_until(lambda: hosted.ledger.taken >= 25, otherwise=log.read_text)
        hosted.fault("silent", seconds=60)
        wait_until(lambda: is_silent(hosted), otherwise=log.read_text)
        kill(process)
    assert 25 < hosted.ledger.taken < RECIPIENTS
    assert states() == {"done", "sending", "pending"}

    sweep_until_finished()
    assert everybody_was_taken_once(hosted)
    assert hosted.wait_idle()
    ends = set(campaign.messages.values_list("status", flat=True))
    assert ends == {"delivered"} if callbacks else ends <= {"accepted", "delivered"}


def test_everybody_is_reached_once_although_the_request_was_never_read(hosted, settings, campaign, send):
    settings.HYBER["default"] |= PATIENT
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        account = settings.HYBER["default"] | {"BULK_URL": f"http://127.0.0.1:{deaf.getsockname()[1]}/sandbox"}
        deaf.settimeout(20)
        with send(account) as process, deaf.accept()[0]:
            kill(process)
    assert states() == {"sending", "pending"}

    # What never read the request stands for the platform: at another address, "not found" would prove nothing.
    Batch.objects.filter(state="sending").update(sender=get_account().sender)
    sweep_until_finished()
    assert everybody_was_taken_once(hosted)
    assert hosted.wait_idle()
    assert set(campaign.messages.values_list("status", flat=True)) == {"delivered"}


def is_silent(sandbox):
    """The fault has begun, and the sandbox has taken one batch more than it has answered."""
    no_more = {"kind": "silent", "count": 0}
    left = requests.post(f"{sandbox.origin}/_sandbox/faults", json=no_more, timeout=5).json()["faults"]
    answered = Batch.objects.filter(state="done").count()
    return left == 0 and sandbox.ledger.taken == (answered + 1) * PATIENT["BATCH_SIZE"]


def kill(process):
    process.kill()
    assert process.wait(END) == -signal.SIGKILL
    # The lease ends at once: its holder is dead.
    Batch.objects.filter(state="sending").update(lease_until=timezone.now() - timedelta(seconds=1))


def states():
    return set(Batch.objects.values_list("state", flat=True))


def sweep_until_finished():
    wait_until(lambda: dispatch() and Campaign.objects.get().status == "finished", pause=0.1)


def everybody_was_taken_once(sandbox):
    ledger = sandbox.ledger
    return (ledger.taken, ledger.distinct, ledger.duplicates) == (RECIPIENTS, RECIPIENTS, {})

"""A process is frozen after its claim or after the renewal of it, before the first byte, and wakes up too late."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from django_hyber.models import Batch, Campaign
from django_hyber.protocol import SMS
from django_hyber.reconcile.unconfirmed import recover_expired_leases
from django_hyber.services import dispatch, import_recipients
from tests.builders import KNOWN, make_known, make_waiting_campaign, statuses
from tests.processes.programs import environment, running, wait_until
from tests.samples import phone

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

#: More than a socket takes at once.
RECIPIENTS = 5_000
#: As short as such a request allows.
BRIEF = {
    "BATCH_SIZE": RECIPIENTS,
    "CONNECT_TIMEOUT": 1,
    "READ_TIMEOUT": 4,
    "LEASE": 5.5,
    "NOT_FOUND_GRACE": 0.2,
    "ASK_EVERY": 0.2,
}
#: Launches the campaign. Right after the first renewal, the process suspends itself.
SENDER = """
import os, signal, sys
import django
django.setup()
from django_hyber.models import Campaign
from django_hyber.sending.batch_claim import BatchClaim
from django_hyber.services import start_campaign

confirm = BatchClaim.confirm

def confirm_and_freeze(claim):
    confirm(claim)
    BatchClaim.confirm = confirm
    os.kill(os.getpid(), signal.SIGSTOP)

BatchClaim.confirm = confirm_and_freeze
start_campaign(Campaign.objects.get(pk=int(sys.argv[1])))
"""
#: The same right after the claim, before it has read anything.
CLAIMER = """
import os, signal, sys
import django
django.setup()
from django_hyber.sending import batch

suppress = batch.suppress

def freeze_and_suppress(*arguments):
    os.kill(os.getpid(), signal.SIGSTOP)
    suppress(*arguments)

batch.suppress = freeze_and_suppress
batch.submit_batch(int(sys.argv[1]))
"""


@pytest.fixture
def campaign(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | BRIEF}
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    import_recipients(campaign, ({"phone": phone(number)} for number in range(RECIPIENTS)))
    return campaign


def test_campaign_of_a_frozen_process_reaches_everybody_once(campaign, platform, settings, tmp_path):
    make_known()
    log = tmp_path / "sender.log"
    with running([sys.executable, "-c", SENDER, campaign.pk], log, env=environment(settings.HYBER)) as process:
        wait_until(lambda: is_frozen(process), timeout=60, otherwise=log.read_text)
        assert Batch.objects.get().state == "sending"
        # Longer than the lease and both rounds of queries: others find that nothing was sent, and send it.
        time.sleep(BRIEF["LEASE"])
        wait_until(lambda: dispatch() and is_finished(campaign), timeout=90, pause=0.1)
        assert platform.ledger.taken == RECIPIENTS + KNOWN
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait(60) == 0, log.read_text()

    ledger = platform.ledger
    assert (ledger.taken, ledger.distinct, ledger.duplicates) == (RECIPIENTS + KNOWN, RECIPIENTS + KNOWN, {})
    assert set(campaign.messages.values_list("status", flat=True)) == {"accepted"}
    assert is_finished(campaign)


@pytest.mark.parametrize("wakes", ["before the others send", "after it"])
def test_process_that_was_frozen_right_after_its_claim_forgets_nobody(platform, settings, tmp_path, wakes):
    settings.HYBER = {"default": settings.HYBER["default"] | {"CONNECT_TIMEOUT": 0.5, "READ_TIMEOUT": 1, "LEASE": 2.5}}
    campaign = make_waiting_campaign([phone(number) for number in range(5)], 5)
    batch, log = campaign.batches.get().pk, tmp_path / "claimer.log"
    with running([sys.executable, "-c", CLAIMER, batch], log, env=environment(settings.HYBER)) as process:
        wait_until(lambda: is_frozen(process), otherwise=log.read_text)
        time.sleep(2.5)
        recover_expired_leases()
        # Nothing was written, so nobody has to be asked.
        assert Batch.objects.get().state == "pending"
        if wakes == "after it":
            wait_until(lambda: dispatch() and is_finished(campaign), pause=0.1)
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait(60) == 0, log.read_text()
    wait_until(lambda: dispatch() and is_finished(campaign), pause=0.1)

    assert (platform.ledger.taken, platform.ledger.duplicates) == (5, {})
    assert statuses(campaign) == ["accepted"] * 5


def is_frozen(process):
    """Whether the process is in the state T of Linux: stopped by a signal."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


def is_finished(campaign):
    campaign.refresh_from_db()
    return campaign.status == "finished"

"""What monitoring learns: healthy, needs a look, or not sending."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_hyber.models import AccountState, Batch, Campaign, DeliveryReport, Message
from django_hyber.services import check_health, send_message, start_campaign
from tests.builders import CHANNELS, make_campaign
from tests.processes.programs import ROOT, environment
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = timedelta(minutes=20)


def ago(**duration):
    return timezone.now() - timedelta(**duration)


def status(capsys):
    code = 0
    try:
        call_command("hyber_status", "--json")
    except SystemExit as stop:
        code = stop.code
    return code, json.loads(capsys.readouterr().out)


def status_of_process(settings, **variables):
    """Ask as monitoring does: a process of its own, which is stopped by checks that fail."""
    command = [sys.executable, "-m", "django", "hyber_status", "--json"]
    env = environment(settings.HYBER) | variables
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


def accept(number, **columns):
    row = Message(phone_number=phone(number), extra_id=f"own-{number}", status="accepted", content={}, **columns)
    return Message.objects.bulk_create([row])[0]


def test_installation_with_nothing_to_do_is_healthy(platform, capsys):
    send_message(phone(1), CHANNELS)

    code, health = status(capsys)

    assert (code, health["level"], health["due"], health["oldest_due_seconds"]) == (0, "healthy", 0, 0)


def test_message_that_nobody_sends_is_trouble(platform, settings, capsys):
    Message.objects.create(phone_number=phone(1), extra_id="own-1", content={}, created_at=ago(minutes=20))

    code, health = status(capsys)

    assert (code, health["due"]) == (2, 1)
    assert 1_190 <= health["oldest_due_seconds"] <= 1_300


def test_message_of_this_minute_is_due_and_healthy(platform, capsys):
    Message.objects.create(phone_number=phone(1), extra_id="own-1", content={})

    code, health = status(capsys)

    assert (code, health["due"]) == (0, 1)


def test_message_that_waits_for_its_retry_is_not_due(platform, capsys):
    Message.objects.create(
        phone_number=phone(1), extra_id="own-1", content={}, created_at=ago(hours=1), due_at=ago(minutes=-5)
    )

    assert status(capsys)[1]["due"] == 0


def test_campaign_that_no_worker_sends_is_trouble(platform, capsys):
    campaign = make_campaign([phone(1)])
    Campaign.objects.filter(pk=campaign.pk).update(status="sending", launched_at=ago(minutes=20))
    last = campaign.messages.get().pk
    Batch.objects.create(campaign=campaign, run=1, first_id=last, last_id=last, size=1, created_at=ago(minutes=20))

    code, health = status(capsys)

    assert (code, health["idle_campaigns"]) == (2, [campaign.pk])
    assert health["oldest_due_seconds"] >= 1_190


def test_later_batches_of_a_campaign_at_work_are_not_old(platform, capsys):
    campaign = start_campaign(make_campaign([phone(1)]))
    done = campaign.batches.get()
    Campaign.objects.filter(pk=campaign.pk).update(status="sending", launched_at=ago(hours=2))
    Batch.objects.filter(pk=done.pk).update(created_at=ago(hours=2), finished_at=ago(seconds=5))
    waiting = Batch(campaign=campaign, run=2, first_id=done.first_id, last_id=done.last_id, size=1)
    waiting.created_at = ago(hours=2)
    waiting.save()

    code, health = status(capsys)

    assert (code, health["due"]) == (0, 1)
    assert health["oldest_due_seconds"] < 60


def test_refused_login_is_trouble_and_names_the_account(platform, settings, capsys):
    settings.HYBER = {"default": settings.HYBER["default"] | {"PASSWORD": "wrong"}}
    send_message(phone(1), CHANNELS)

    code, health = status(capsys)

    assert (code, health["held_accounts"]) == (2, ["default"])


def test_host_that_does_not_answer_needs_a_look(platform, capsys):
    AccountState.objects.create(account="default", host="bulk", failures=5, blocked_until=ago(minutes=-1))

    code, health = status(capsys)

    assert (code, health["blocked_hosts"]) == (1, ["default: campaigns"])


def test_queries_that_are_paused_need_a_look(platform, capsys):
    AccountState.objects.create(account="default", host="reports", queries_after=ago(minutes=-1))

    code, health = status(capsys)

    assert (code, health["paused_queries"], health["blocked_hosts"]) == (1, ["default: reports"], [])


def test_pause_of_queries_that_is_over_is_healthy(platform, capsys):
    AccountState.objects.create(account="default", host="reports", queries_after=ago(minutes=1))

    assert status(capsys)[0] == 0


def test_invalid_settings_are_trouble(platform, settings, capsys):
    settings.HYBER = {"default": settings.HYBER["default"], "other": {"LEASE": -1}}

    code, health = status(capsys)

    assert code == 2
    assert "LEASE" in health["setting_errors"][0]


def test_monitoring_is_told_an_invalid_setting(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": "many"}}
    result = status_of_process(settings)

    assert result.returncode == 2
    assert "BATCH_SIZE" in json.loads(result.stdout)["setting_errors"][0]


def test_monitoring_goes_on_when_a_check_of_the_project_fails(platform, settings):
    result = status_of_process(settings, DJANGO_SETTINGS_MODULE="tests.statistics.broken_settings")

    assert (result.returncode, json.loads(result.stdout)["level"]) == (0, "healthy")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"TEST_ACCOUNTS": "[1]"}, "HYBER must be a dict"),
        ({"DATABASE_URL": "sqlite:///none", "TEST_DATABASE_NAME": "/nowhere/db"}, "unable to open"),
    ],
)
def test_a_state_that_cannot_be_read_is_trouble(platform, settings, variables, said):
    result = status_of_process(settings, **variables)

    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr


def test_account_that_was_removed_from_the_settings_is_no_trouble(platform, capsys):
    AccountState.objects.create(account="removed", failures=5, held_since=ago(minutes=20))
    AccountState.objects.create(account="removed", host="bulk", failures=5, blocked_until=ago(minutes=-1))

    code, health = status(capsys)

    assert (code, health["held_accounts"], health["blocked_hosts"]) == (0, [], [])


def test_undecided_outcome_needs_a_look(platform, capsys):
    accepted = accept(1)
    Message.objects.filter(pk=accepted.pk).update(
        status="unconfirmed", doubted_at=ago(days=3), not_found_after=ago(days=3), due_at=ago(days=-1)
    )

    code, health = status(capsys)

    assert (code, health["unconfirmed"], health["undecided"]) == (1, 1, 1)


class TestSilence:
    def test_account_without_reports_for_its_messages_is_silent(self, platform, capsys):
        for number in range(20):
            accept(number, accepted_at=ago(hours=2))

        code, health = status(capsys)

        assert (code, health["silent_accounts"]) == (1, ["default"])

    def test_few_messages_prove_nothing(self, platform, capsys):
        for number in range(19):
            accept(number, accepted_at=ago(hours=2))

        assert status(capsys)[1]["silent_accounts"] == []

    def test_messages_of_this_hour_may_still_be_reported(self, platform, capsys):
        for number in range(20):
            accept(number, accepted_at=ago(minutes=50))

        assert status(capsys)[1]["silent_accounts"] == []

    def test_account_that_was_reported_on_since_is_not_silent(self, platform, capsys):
        messages = [accept(number, accepted_at=ago(hours=2)) for number in range(20)]
        DeliveryReport.objects.create(
            account="default", message=messages[0], fingerprint="f", raw={}, received_at=ago(minutes=90)
        )

        assert status(capsys)[1]["silent_accounts"] == []


def test_number_of_queries_does_not_grow_with_the_rows(platform):
    with CaptureQueriesContext(
        connection,
    ) as few:
        check_health()
    for number in range(50):
        accept(number, accepted_at=ago(hours=2))
    with CaptureQueriesContext(connection) as many:
        check_health()

    assert len(many) == len(few)


def test_people_read_one_line_for_each_number(platform, capsys):
    call_command("hyber_status")

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["level", "healthy"]
    assert ["silent", "accounts", "none"] in [line.split() for line in lines]

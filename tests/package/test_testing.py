"""The outbox of a project's own tests: nothing is sent, whatever the settings say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import phonenumbers
import pytest
from django.db import transaction
from django.db.models.signals import post_save
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from django_hyber.models import Campaign, DeliveryReport, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.services import (
    dispatch,
    fetch_reports,
    import_recipients,
    probe_account,
    retry_failed,
    send_message,
    start_campaign,
)
from django_hyber.signals import message_status_changed
from django_hyber.testing import assert_sent, clear_outbox, outbox, play_report
from tests.builders import make_campaign
from tests.samples import PHONE, phone
from tests.store.models import Order

ROOT = Path(__file__).resolve().parents[2]
CHANNELS = [Viber(text="On its way", ttl=60), SMS(text="On its way", alpha_name="GMSU", ttl=300)]
BACKENDS = [
    "django.tasks.backends.immediate.ImmediateBackend",
    "django.tasks.backends.dummy.DummyBackend",
    "django_hyber.celery.backend.CeleryBackend",
]


@pytest.fixture(autouse=True)
def unreachable(settings, hyber_outbox):
    """What a project without any preparation has: an address that nobody may reach from a test."""
    settings.HYBER = {"default": {"API_URL": "http://192.0.2.1", "BULK_URL": "http://192.0.2.1", "CONNECT_TIMEOUT": 1}}


def backend(path):
    import django

    return path.replace("django.tasks", "django_tasks") if django.VERSION < (6, 0) else path


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", BACKENDS)
def test_single_message_ends_in_the_outbox_as_accepted_with_every_task_backend(settings, path):
    settings.TASKS = {"default": {"BACKEND": backend(path)}}
    message = send_message(PHONE, CHANNELS, extra_id="order-1", tag="shop")

    message.refresh_from_db()
    (sent,) = outbox
    assert message.status == "accepted"
    assert (sent.phone_number, sent.extra_id, sent.channels) == (PHONE, "order-1", ["viber", "sms"])
    assert sent.options["sms"] == {"text": "On its way", "alpha_name": "GMSU", "ttl": 300}
    assert sent.body["tag"] == "shop"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", BACKENDS)
@pytest.mark.parametrize("sync_limit", [0, 10_000])
def test_campaign_ends_in_the_outbox_with_each_ones_own_text(settings, path, sync_limit):
    settings.TASKS = {"default": {"BACKEND": backend(path)}}
    settings.HYBER["default"]["SYNC_LIMIT"] = sync_limit
    settings.HYBER["default"]["BATCH_SIZE"] = 2
    campaign = make_campaign([phone(number) for number in range(5)])
    start_campaign(campaign)

    campaign.refresh_from_db()
    assert campaign.status == "finished"
    assert set(campaign.messages.values_list("status", flat=True)) == {"accepted"}
    assert [item.phone_number for item in outbox] == [phone(number) for number in range(5)]
    assert outbox[3].options["viber"]["text"] == f"Hi Person {phone(3)[-4:]}"


@pytest.mark.django_db(transaction=True)
def test_campaign_with_own_texts_ends_in_the_outbox():
    campaign = Campaign.objects.create(name="Bills")
    campaign.set_channels([SMS(alpha_name="GMSU", ttl=300)])
    import_recipients(campaign, [{"phone": PHONE, "words": "You owe 5"}], text_column="words")
    start_campaign(campaign)

    assert outbox[0].options["sms"]["text"] == "You owe 5"


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_before_the_commit_or_after_a_rollback():
    with transaction.atomic():
        send_message(PHONE, CHANNELS)
        assert outbox == []
    assert len(outbox) == 1
    with transaction.atomic():
        send_message(PHONE, CHANNELS)
        transaction.set_rollback(True)
    assert len(outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_reports_move_the_message_like_a_callback():
    message = send_message(PHONE, CHANNELS)

    assert play_report(message, "pending").status == "accepted"
    assert play_report(message, "expired", channel="viber").status == "accepted"
    assert play_report(message, "delivered", channel="sms").status == "delivered"
    assert (message.channel, DeliveryReport.objects.count()) == ("sms", 3)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", ["expired", "undelivered"])
def test_failure_on_the_last_channel_is_the_end(state):
    assert play_report(send_message(PHONE, CHANNELS), state).status == state


@pytest.mark.django_db(transaction=True)
def test_seen_needs_the_codes_of_the_account(settings):
    message = send_message(PHONE, CHANNELS)
    with pytest.raises(ValueError, match="SEEN_CODES"):
        play_report(message, "seen")
    settings.HYBER["default"]["SEEN_CODES"] = [23034]

    assert play_report(message, "seen", channel="viber").status == "seen"


@pytest.mark.django_db(transaction=True)
def test_unknown_report_is_refused_with_those_that_exist():
    with pytest.raises(ValueError, match=r"'arrived'.*delivered, seen, expired"):
        play_report(send_message(PHONE, CHANNELS), "arrived")


@pytest.mark.django_db(transaction=True)
def test_misspelt_channel_or_field_of_a_report_is_refused():
    message = send_message(PHONE, CHANNELS)
    with pytest.raises(ValueError, match="'vibr', but through viber, sms"):
        play_report(message, "delivered", channel="vibr")
    with pytest.raises(ValueError, match=r"no 'click'\. Its fields are: .*clicks"):
        play_report(message, "delivered", click=2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", ["queued", "suppressed", "cancelled"])
def test_report_about_a_message_that_was_not_sent_is_refused(status):
    message = send_message(PHONE, CHANNELS)
    Message.objects.update(status=status)

    with pytest.raises(ValueError, match=f"is {status}"):
        play_report(message, "delivered")
    assert Message.objects.get().status == status


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "written",
    ["067 123 45 67", "+38 (067) 123-45-67", 380671234567, "380671234567", phonenumbers.parse("+380671234567", None)],
)
def test_number_may_be_written_in_any_way(settings, written):
    settings.HYBER["default"]["DEFAULT_REGION"] = "UA"
    send_message("380671234567", CHANNELS)

    assert len(assert_sent(written)) == 1
    assert_sent("067 123 45 68", count=0)


@pytest.mark.django_db(transaction=True)
def test_further_fields_of_a_report_are_passed_on():
    assert play_report(send_message(PHONE, CHANNELS), "delivered", clicks=2).clicks == 2


@pytest.mark.django_db(transaction=True)
def test_report_of_a_recipient():
    campaign = make_campaign([PHONE])
    start_campaign(campaign)

    assert play_report(campaign.messages.get(), "delivered", channel="viber").channel == "viber"


@pytest.mark.django_db(transaction=True)
def test_failed_recipients_are_sent_again_into_the_outbox():
    campaign = make_campaign([PHONE, phone(1)])
    start_campaign(campaign)
    play_report(campaign.messages.first(), "expired")
    campaign.refresh_from_db()
    retry_failed(campaign)

    assert len(outbox) == 3


@pytest.mark.django_db(transaction=True)
def test_queries_of_reports_and_the_probe_reach_nobody():
    send_message(PHONE, CHANNELS)
    Message.objects.update(accepted_at="2020-01-01T00:00:00Z", due_at=None)

    fetch_reports()
    dispatch()
    assert [finding.subject for finding in probe_account() if finding.subject == "Sending" and finding.is_good]


@pytest.mark.django_db(transaction=True)
def test_redirected_number_is_that_of_the_request(settings):
    settings.HYBER["default"]["REDIRECT_TO"] = phone(7)
    message = send_message(PHONE, CHANNELS)

    assert outbox[0].phone_number == phone(7)
    assert message.phone_number == PHONE


@pytest.mark.django_db(transaction=True)
def test_assert_sent_finds_by_number_text_channel_and_id():
    send_message(PHONE, CHANNELS, extra_id="order-1")

    assert assert_sent() == outbox
    assert assert_sent(f"+{PHONE}", text="its way", channel="sms", extra_id="order-1", count=1) == outbox
    assert assert_sent(phone(5), count=0) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "wanted", [{"phone_number": phone(5)}, {"text": "other"}, {"channel": "push"}, {"extra_id": "x"}, {"count": 2}]
)
def test_assert_sent_says_what_was_found_instead(wanted):
    send_message(PHONE, CHANNELS)

    with pytest.raises(AssertionError, match=rf"(?s)found [01]\. The outbox holds:.*{PHONE}"):
        assert_sent(**wanted)


@pytest.mark.django_db(transaction=True)
def test_wire_sends_for_real(settings, sandbox):
    from tests.conftest import account_settings

    settings.HYBER = {"default": account_settings(sandbox)}
    settings.HYBER_TESTING = "wire"
    send_message(PHONE, CHANNELS)

    assert outbox == []
    assert len(sandbox.requests) == 1


@pytest.mark.django_db(transaction=True)
def test_outbox_can_be_emptied_within_a_test():
    send_message(PHONE, CHANNELS)
    clear_outbox()

    assert outbox == []


class OutboxTests(TestCase):
    """Django's TestCase, whose transaction is never committed."""

    def test_message_is_sent_without_a_commit(self):
        message = send_message(PHONE, CHANNELS)

        message.refresh_from_db()
        assert message.status == "accepted"
        assert len(outbox) == 1

    def test_outbox_is_empty_at_the_start_of_another_test(self):
        assert outbox == []
        send_message(PHONE, CHANNELS)
        assert len(outbox) == 1

    def test_message_in_a_block_is_sent_at_the_end_of_the_outermost_one(self):
        with transaction.atomic():
            with transaction.atomic():
                send_message(PHONE, CHANNELS)
            assert outbox == []
        assert len(outbox) == 1

    def test_message_in_a_block_that_is_rolled_back_is_never_sent(self):
        with transaction.atomic():
            with suppress(LookupError), transaction.atomic():
                send_message(PHONE, CHANNELS)
                raise LookupError
            send_message(phone(1), CHANNELS)
        with transaction.atomic():
            transaction.on_commit(lambda: None)
        assert [sent.phone_number for sent in outbox] == [phone(1)]

    def test_message_of_a_receiver_is_sent_at_the_end_of_get_or_create(self):
        def send(instance, **kwargs):
            send_message(instance.phone, CHANNELS)

        post_save.connect(send, sender=Order)
        self.addCleanup(post_save.disconnect, send, sender=Order)
        Order.objects.get_or_create(phone=PHONE)
        assert len(outbox) == 1

    def test_functions_of_the_project_are_captured_without_those_of_the_package(self):
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            with transaction.atomic():
                send_message(PHONE, CHANNELS)
                transaction.on_commit(lambda: called.append(len(outbox)))
            called = []
        assert (called, len(callbacks)) == ([1], 1)

    def test_campaign_is_sent_without_a_commit(self):
        campaign = make_campaign([PHONE, phone(1)])
        start_campaign(campaign)

        campaign.refresh_from_db()
        assert campaign.status == "finished"
        assert len(outbox) == 2

    def test_signals_of_a_report_are_sent(self):
        def note(sender, new_status, **kwargs):
            heard.append(new_status)

        heard = []
        message_status_changed.connect(note)
        self.addCleanup(message_status_changed.disconnect, note)
        play_report(send_message(PHONE, CHANNELS), "delivered")

        assert heard == ["sending", "accepted", "delivered"]

    def test_functions_of_the_project_still_wait(self):
        called = []
        with transaction.atomic():
            transaction.on_commit(lambda: called.append("commit"))
            make_campaign([PHONE])
        assert called == []


class CommittingOutboxTests(TransactionTestCase):
    def test_message_is_sent_after_the_commit(self):
        with transaction.atomic():
            send_message(PHONE, CHANNELS)
            assert outbox == []
        assert len(outbox) == 1


class OutboxWithoutADatabaseTests(SimpleTestCase):
    def test_outbox_is_empty(self):
        assert outbox == []


SETTINGS = """
    from tests.settings import *
    del HYBER_TESTING
    DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}
    DEBUG, ALLOWED_HOSTS = True, []
    HYBER = {{
        "default": {{
            "API_URL": "http://192.0.2.1",
            "CONNECT_TIMEOUT": 1,
            "CALLBACK_BASE_URL": "http://127.0.0.1:8000",
            "CALLBACK_TOKENS": ["a-token-of-the-shop-0123456789"],
        }}
    }}
    INSTALLED_APPS = [*INSTALLED_APPS, "shop_{0}"]
"""
TESTS = """
    from django.core import mail
    from django.test import TestCase
    from django_hyber.models import Message
    from django_hyber.protocol import SMS
    from django_hyber.services import send_message

    class ShopTests(TestCase):
        def send(self):
            send_message("380961111111", [SMS(text="Hi", alpha_name="GMSU", ttl=300)])
            from django_hyber.testing import outbox
            mail.outbox = []
            assert len(outbox) == 1, outbox
            assert Message.objects.get().status == "accepted"

        def test_one(self):
            self.send()

        def test_two(self):
            self.send()
"""


def test_project_without_any_setting_cannot_send_from_its_test_suite(tmp_path):
    """Django's own runner, in a process of its own; the outbox is imported in the middle of a test."""
    name = f"shop_{os.getpid()}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    (tmp_path / name / "tests.py").write_text(textwrap.dedent(TESTS))
    (tmp_path / "shop_settings.py").write_text(textwrap.dedent(SETTINGS).format(os.getpid()).replace("{{", "{"))
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "shop_settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
    }
    command = [sys.executable, "-m", "django", "test", name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    assert "Ran 2 tests" in done.stderr
    # The checks that a project passes while it is developed: the runner turns DEBUG off.
    assert not {"W012", "W022"} & set(re.findall(r"W\d+", done.stderr)), done.stderr


def test_process_that_runs_no_tests_has_no_outbox():
    code = (
        "import django; django.setup(); from django.core import mail; mail.outbox = [];"
        "from django_hyber import outbox;"
        "import sys; assert 'django.test.utils' not in sys.modules; assert not outbox.is_active();"
        "import django.test.utils; assert not outbox.is_active();"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}

    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)

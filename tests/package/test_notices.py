"""The team hears of its campaigns: an e-mail and a signal for each end, stall, pause and request for approval."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from django_hyber.models import AccountState, Announcement, Batch, Campaign, Message, Suppression
from django_hyber.notices import mail_notice
from django_hyber.sending.runs import settle
from django_hyber.services import (
    cancel_campaign,
    dispatch,
    pause_campaign,
    resume_campaign,
    retry_failed,
    start_campaign,
)
from django_hyber.signals import campaign_notice
from tests.builders import make_campaign
from tests.queries import statements_of
from tests.samples import phone

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"
BROKEN = f"{__name__}.BrokenBackend"
pytestmark = pytest.mark.django_db(transaction=True)
TEAM = ["marketing@shop.example", "ops@shop.example"]
TEN_MINUTES = timedelta(minutes=10)


class BrokenBackend(BaseEmailBackend):
    """A mail server that is down."""

    def send_messages(self, email_messages):
        raise ConnectionRefusedError("no mail server")


@pytest.fixture
def account(settings, platform):
    """The account whose team wants to know."""

    def change(**values):
        settings.HYBER = {"default": {**settings.HYBER["default"], "NOTIFY": TEAM, **values}}

    change()
    return change


@contextmanager
def listening():
    events = []

    def receive(sender, campaign, event, event_id, **kwargs):
        events.append((campaign.pk, event, event_id))

    campaign_notice.connect(receive)
    try:
        yield events
    finally:
        campaign_notice.disconnect(receive)


def make_overdue():
    """Let the time for the next attempt come."""
    Announcement.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def stalled_campaign():
    """A campaign whose only batch no worker has claimed for twenty minutes."""
    campaign = make_campaign([phone(0)])
    long_ago = timezone.now() - 2 * TEN_MINUTES
    row = campaign.messages.get()
    Campaign.objects.update(status="sending", run=1, launched_at=long_ago, sending_since=long_ago)
    Batch.objects.create(
        # A task that was enqueued is not enqueued again for a minute.
        campaign=campaign,
        run=1,
        first_id=row.pk,
        last_id=row.pk,
        size=1,
        enqueued_at=timezone.now() + timedelta(days=1),
    )
    return campaign


def test_end_says_how_many_it_was_sent_to_and_how_many_it_was_not(account, mailoutbox):
    campaign = make_campaign([phone(1), phone(2), phone(3)])
    Suppression.objects.bulk_create(Suppression(phone_number=phone(number)) for number in (1, 2))
    start_campaign(campaign)
    dispatch()
    [mail] = mailoutbox
    assert "Sent to 1 of 3 recipients. Skipped: 2." in mail.body
    assert "Failed" not in mail.body


def test_end_of_another_run_says_how_many_were_sent_again(account, mailoutbox):
    campaign = make_campaign([phone(1), phone(2), phone(3)])
    start_campaign(campaign)
    first = campaign.messages.order_by("pk").first()
    Message.objects.filter(pk=first.pk).update(status="expired")
    dispatch()
    retry_failed(Campaign.objects.get(pk=campaign.pk))
    dispatch()
    assert len(mailoutbox) == 2
    assert "Failed so far: 1." in mailoutbox[0].body
    assert "Failed messages that were sent again: 1." in mailoutbox[1].body


def test_person_who_was_skipped_in_another_run_was_not_sent_to_again(account, mailoutbox):
    campaign = start_campaign(make_campaign([phone(1), phone(2), phone(3)]))
    Message.objects.filter(phone_number__in=(phone(1), phone(2))).update(status="expired")
    Suppression.objects.create(phone_number=phone(1))
    retry_failed(campaign)
    dispatch()
    assert "Sent to 3 of 3 recipients." in mailoutbox[-1].body
    assert "Failed messages that were sent again: 1." in mailoutbox[-1].body


def test_end_of_a_campaign_is_mailed_to_the_team_by_the_next_sweep(account, mailoutbox):
    with listening() as events:
        campaign = start_campaign(make_campaign([phone(0), phone(1)]))
        assert [event[:2] for event in events] == [(campaign.pk, "finished")]
    assert mailoutbox == []
    dispatch()
    [mail] = mailoutbox
    assert mail.to == TEAM
    assert campaign.name in mail.subject
    assert "Sent to 2 of 2 recipients." in mail.body
    dispatch()
    assert len(mailoutbox) == 1
    assert not Announcement.objects.exists()


def test_nobody_listening_costs_nothing(platform, mailoutbox):
    campaign = make_campaign([phone(0)])
    written = [sql for sql in statements_of(lambda: start_campaign(campaign)) if "announcement" in sql.lower()]
    assert written == []
    dispatch()
    assert mailoutbox == []


def test_mail_is_in_the_language_of_the_project(account, mailoutbox, settings):
    settings.LANGUAGE_CODE = "uk"
    start_campaign(make_campaign([phone(0)]))
    dispatch()
    assert "розіслано" in mailoutbox[0].subject


def test_mail_links_the_page_only_with_a_public_address(account, mailoutbox):
    account(CALLBACK_BASE_URL="")
    start_campaign(make_campaign([phone(0)]))
    dispatch()
    assert "http" not in mailoutbox[0].body
    account(CALLBACK_BASE_URL="https://shop.example/")
    campaign = start_campaign(make_campaign([phone(1)]))
    dispatch()
    assert mailoutbox[1].body.endswith(f"https://shop.example/admin/django_hyber/campaign/{campaign.pk}/change/")


def test_mail_is_sent_without_a_link_to_an_admin_elsewhere(account, mailoutbox, settings):
    settings.ROOT_URLCONF = "django_hyber.urls"
    account(CALLBACK_BASE_URL="https://shop.example/")
    mail_notice(campaign=make_campaign([phone(0)]), event="finished")
    assert "http" not in mailoutbox[0].body


def test_name_with_line_breaks_and_a_number_makes_a_safe_subject(account, mailoutbox):
    campaign = make_campaign([phone(0)])
    campaign.name = "Call\r\nBcc: x@y.example 380671234567"
    campaign.save()
    start_campaign(campaign)
    dispatch()
    assert "\n" not in mailoutbox[0].subject
    assert "380671234567" not in mailoutbox[0].subject + mailoutbox[0].body


def test_mail_does_not_repeat_what_the_platform_wrote(account, mailoutbox):
    campaign = make_campaign([phone(0)])
    campaign.status_reason = (
        "The platform rejected the request (HTTP 401, error 3): Bad text “Hi Olena” to 380671234567 Check the login, "
        "password and client id, and ask GMS whether the IP address of this server has to be registered."
    )
    mail_notice(campaign=campaign, event="paused")
    assert "Check the login" in mailoutbox[0].body
    assert "Olena" not in mailoutbox[0].body
    assert "380671234567" not in mailoutbox[0].body


def use_mail_backend(settings, path):
    """Since Django 6.1 the setting is MAILERS."""
    if hasattr(mail, "mailers"):
        settings.MAILERS = {"default": {"BACKEND": path}}
    else:
        settings.EMAIL_BACKEND = path


def test_dead_mail_server_neither_stops_the_sweep_nor_loses_the_notice(account, mailoutbox, settings):
    use_mail_backend(settings, BROKEN)
    campaign = start_campaign(make_campaign([phone(0)]))
    dispatch()
    dispatch()
    campaign.refresh_from_db()
    assert campaign.status == "finished"
    assert Announcement.objects.get().failures == 1
    use_mail_backend(settings, LOCMEM)
    make_overdue()
    dispatch()
    assert len(mailoutbox) == 1


def test_notice_that_no_mail_server_takes_is_given_up_and_logged(account, settings, caplog):
    use_mail_backend(settings, BROKEN)
    start_campaign(make_campaign([phone(0)]))
    with caplog.at_level(logging.ERROR, "django_hyber"):
        for _attempt in range(6):
            make_overdue()
            dispatch()
    assert not Announcement.objects.exists()
    assert "campaign_mail failed 6 times" in caplog.text


def test_stall_is_announced_once(account, mailoutbox):
    campaign = stalled_campaign()
    with listening() as events:
        for _sweep in range(3):
            dispatch()
    assert [event[:2] for event in events] == [(campaign.pk, "stalled")]
    assert len(mailoutbox) == 1


def test_next_stall_of_the_same_campaign_is_announced_again(account, mailoutbox):
    stalled_campaign()
    dispatch()
    Batch.objects.update(lease_until=timezone.now())
    dispatch()
    Batch.objects.update(lease_until=None)
    dispatch()
    assert len(mailoutbox) == 2


def test_campaign_that_was_just_resumed_is_not_stalled(account, mailoutbox):
    campaign = stalled_campaign()
    pause_campaign(campaign)
    Batch.objects.update(due_at=timezone.now() + timedelta(days=1))
    resume_campaign(campaign)
    Batch.objects.update(due_at=None, enqueued_at=timezone.now() + timedelta(days=1))
    dispatch()
    assert mailoutbox == []


def test_missed_start_is_announced(account, mailoutbox):
    campaign = start_campaign(make_campaign([phone(0)], start_time=timezone.now() + timedelta(days=1)))
    Campaign.objects.update(start_time=timezone.now() - timedelta(hours=2))
    with listening() as events:
        dispatch()
    assert [event[:2] for event in events] == [(campaign.pk, "paused")]
    assert "The start was missed" in mailoutbox[0].body


def test_pause_and_cancel_by_a_person_are_not_announced(account, mailoutbox):
    campaign = stalled_campaign()
    Campaign.objects.update(launched_at=timezone.now(), sending_since=timezone.now())
    pause_campaign(campaign)
    cancel_campaign(campaign)
    dispatch()
    assert mailoutbox == []


def test_other_accounts_are_not_mailed(account, mailoutbox, settings):
    settings.HYBER = {"default": {**settings.HYBER["default"], "NOTIFY": []}, "other": {"NOTIFY": TEAM}}
    start_campaign(make_campaign([phone(0)]))
    dispatch()
    assert mailoutbox == []


def test_login_that_stays_refused_is_mailed_once_with_its_reason(account, mailoutbox):
    account(LOGIN="somebody-else")
    start_campaign(make_campaign([phone(1)]))
    assert Batch.objects.get().waits_for == "account"
    dispatch()
    assert mailoutbox == []

    AccountState.objects.update(held_since=timezone.now() - TEN_MINUTES - timedelta(minutes=1))
    dispatch()
    dispatch()

    (message,) = mailoutbox
    assert message.subject == "“Spring sale” is not being sent"
    assert "The platform refuses the login of the account “default”" in message.body
    assert "task workers" not in message.body


def test_campaign_that_ended_without_sending_is_not_said_to_be_sent(account, mailoutbox):
    campaign = make_campaign([phone(1)])
    Suppression.objects.create(phone_number=phone(1))
    Campaign.objects.filter(pk=campaign.pk).update(status="sending", launched_at=timezone.now())
    campaign.messages.update(status="suppressed", finished_at=timezone.now())
    settle(campaign.pk)
    dispatch()

    (message,) = mailoutbox
    assert message.subject == "“Spring sale” has ended"
    assert "Nothing was sent" in message.body
    assert "sent completely" not in message.body

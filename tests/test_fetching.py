from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.services import fetch_reports, import_recipients, send_message, start_campaign
from tests.samples import phone
from tests.test_commands import run

pytestmark = pytest.mark.django_db(transaction=True)

VIBER = Viber(text="Hi", ttl=60)
TEXT = SMS(text="Hi", alpha_name="GMSU", ttl=300)
TTLS = timedelta(seconds=360)


def accepted(number, outcome, *, ago):
    message = send_message(phone(number, outcome), [VIBER, TEXT])
    Message.objects.filter(pk=message.pk).update(accepted_at=timezone.now() - ago)
    return message


def questions(sandbox):
    return [request.path for request in sandbox.requests if request.method == "GET"]


def test_message_that_was_never_called_back_gets_its_report(platform):
    message = accepted(1, "85", ago=timedelta(hours=1))
    platform.flush()
    fetched = fetch_reports()

    message.refresh_from_db()
    assert (message.status, message.channel) == ("delivered", "viber")
    assert (fetched.asked, fetched.changed) == (1, 1)
    assert message.delivery_reports.exists()


def test_whole_chain_is_in_the_history(platform):
    message = accepted(1, "90", ago=timedelta(hours=1))
    platform.flush()
    fetch_reports()

    message.refresh_from_db()
    assert (message.status, message.channel) == ("delivered", "sms")
    assert [report.channel for report in message.delivery_reports.order_by("pk")].count("viber") == 1


def test_message_whose_channels_may_still_deliver_is_not_asked_about(platform):
    accepted(1, "85", ago=TTLS)
    fetch_reports(margin=timedelta(seconds=30))

    assert not questions(platform)


def test_recipients_of_a_campaign_are_asked_about_too(platform):
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([VIBER, TEXT])
    import_recipients(campaign, [{"phone": phone(1, "85")}, {"phone": phone(2, "89")}])
    start_campaign(campaign)
    campaign.messages.update(accepted_at=timezone.now() - timedelta(hours=1))
    platform.flush()
    fetch_reports()

    assert set(campaign.messages.values_list("status", flat=True)) == {"delivered", "expired"}


def test_campaign_that_starts_later_is_given_its_time(platform):
    start = timezone.now() + timedelta(hours=2)
    campaign = Campaign.objects.create(name="Sale", start_time=start)
    campaign.set_channels([TEXT])
    import_recipients(campaign, [{"phone": phone(1)}])
    start_campaign(campaign)
    campaign.messages.update(accepted_at=timezone.now() - timedelta(hours=1))
    fetch_reports()

    assert not questions(platform)


def test_single_message_that_starts_later_is_given_its_time(platform):
    start = timezone.now() + timedelta(days=10)
    message = send_message(phone(1), [TEXT], start_time=start)
    Message.objects.filter(pk=message.pk).update(accepted_at=timezone.now() - timedelta(days=4))

    assert fetch_reports().given_up == 0
    assert not questions(platform)


def test_message_without_an_answer_is_asked_about_again_later(platform):
    message = accepted(1, "93", ago=timedelta(hours=1))
    fetch_reports()
    fetch_reports()

    message.refresh_from_db()
    assert message.status == "accepted"
    assert len(questions(platform)) == 1
    assert message.next_attempt_at > timezone.now() + timedelta(minutes=9)


def test_message_is_given_up_after_three_days_and_says_so(platform):
    message = accepted(1, "93", ago=timedelta(days=4))
    fetched = fetch_reports()
    assert fetched.given_up == 1

    message.refresh_from_db()
    assert (message.status, message.error_text) == ("accepted", "The platform has never reported how it ended.")
    assert fetch_reports().asked == 0


def test_platform_that_does_not_answer_changes_nothing(platform, settings):
    message = accepted(1, "85", ago=timedelta(hours=1))
    settings.HYBER = {"default": settings.HYBER["default"] | {"REPORTS_URL": "http://127.0.0.1:9/closed"}}
    fetch_reports()

    message.refresh_from_db()
    assert message.status == "accepted"
    assert message.next_attempt_at


def test_questions_are_limited(platform):
    for number in range(3):
        accepted(number, "93", ago=timedelta(hours=1))

    assert fetch_reports(limit=2).asked == 2


def test_command_tells_the_counts(platform):
    accepted(1, "85", ago=timedelta(hours=1))
    platform.flush()

    assert run("hyber_fetch_reports", margin=0)[0].strip() == "1 asked about, 1 changed, 0 given up"

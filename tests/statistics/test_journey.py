"""What the page of a message tells of its way through the channels."""

from __future__ import annotations

import pytest
from django.utils import timezone

from django_hyber.models import Message
from django_hyber.protocol import SMS, Viber
from django_hyber.sending.request import request_of
from django_hyber.services import apply_delivery_reports, campaign_statistics, send_message
from django_hyber.statistics.journey import Stage, message_journey
from tests.builders import make_campaign, posts
from tests.samples import report

pytestmark = pytest.mark.django_db

EXPIRED = {"status": 3, "substatus": 35, "hyber_status": 35015}
PENDING = {"status": -1, "substatus": 11, "hyber_status": None}
PHONE = "380671234500"


@pytest.fixture
def message():
    """A message that the platform has taken: Viber first, then SMS."""
    message = make_campaign([PHONE]).messages.get()
    Message.objects.filter(pk=message.pk).update(status="accepted", accepted_at="2023-11-14T22:00:00Z")
    message.refresh_from_db()
    return message


def tell(message, *reports):
    """Let these reports come, each a minute after the one before."""
    for minute, changes in enumerate(reports):
        apply_delivery_reports([report(message, time=1_700_000_000_000 + 60_000 * minute, **changes)])
    message.refresh_from_db()


def journey(message):
    return message_journey(message, message.delivery_reports.all())


def stages(message):
    return {step.channel: step.stage for step in journey(message).steps}


def winners(message):
    return [step.channel for step in journey(message).steps if step.has_won]


def test_before_any_report_the_first_channel_is_on_its_way(message):
    assert stages(message) == {"viber": Stage.TRYING, "sms": Stage.NEXT}


def test_a_message_that_is_not_out_yet_has_tried_nothing():
    assert stages(make_campaign([PHONE]).messages.get()) == {"viber": Stage.FIRST, "sms": Stage.NEXT}


def test_a_failed_channel_hands_over_to_the_next(message):
    tell(message, {"sent_via": "viber", **EXPIRED})

    assert stages(message) == {"viber": Stage.FAILED, "sms": Stage.TRYING}


def test_what_the_first_channel_delivers_needs_no_other(message):
    tell(message, {"sent_via": "viber", "hyber_status": 23033})

    assert stages(message) == {"viber": Stage.DELIVERED, "sms": Stage.NOT_NEEDED}
    assert winners(message) == ["viber"]


def test_a_chain_shows_each_channel_with_its_time_and_meaning(message):
    tell(message, {"sent_via": "viber", **PENDING}, {"sent_via": "viber", **EXPIRED}, {"sent_via": "sms"})

    viber, sms = journey(message).steps
    assert (viber.stage, viber.code, viber.meaning) == (Stage.FAILED, 35015, "not delivered in time")
    assert (sms.stage, sms.code, sms.meaning) == (Stage.DELIVERED, 23011, "delivered: SMS delivered")
    assert (sms.time - viber.time).total_seconds() == 60
    assert winners(message) == ["sms"]


def test_a_channel_that_was_skipped_in_silence_is_not_called_delivered(message):
    tell(message, {"sent_via": "sms"})

    assert stages(message) == {"viber": Stage.INFERRED, "sms": Stage.DELIVERED}


def test_a_channel_that_was_passed_over_in_silence_is_not_being_tried(message):
    tell(message, {"sent_via": "sms", **PENDING})

    assert stages(message) == {"viber": Stage.INFERRED, "sms": Stage.TRYING}


def test_a_late_failure_does_not_hide_that_the_channel_delivered(message):
    tell(message, {"sent_via": "viber", "hyber_status": 23033}, {"sent_via": "viber", **EXPIRED})

    assert stages(message)["viber"] == Stage.DELIVERED


def test_nothing_is_being_tried_of_what_was_given_up(message):
    Message.objects.update(given_up_at=timezone.now())
    message.refresh_from_db()

    assert stages(message) == {"viber": Stage.UNREPORTED, "sms": Stage.UNREPORTED}


def test_both_channels_that_delivered_are_told_and_one_has_won(message):
    tell(message, {"sent_via": "viber", **EXPIRED}, {"sent_via": "sms"}, {"sent_via": "viber", "hyber_status": 23033})

    assert stages(message) == {"viber": Stage.DELIVERED, "sms": Stage.DELIVERED}
    assert journey(message).delivered_by == ["viber", "sms"]
    assert winners(message) == ["sms"]


def test_a_failure_on_the_last_channel_leaves_none_to_wait_for(message):
    tell(message, {"sent_via": "viber", **EXPIRED}, {"sent_via": "sms", **EXPIRED})

    assert stages(message) == {"viber": Stage.FAILED, "sms": Stage.FAILED}
    assert winners(message) == []


def test_an_sms_of_which_parts_are_missing_is_partial(message):
    tell(message, {"sent_via": "sms", "total_sms_parts": 3, "delivered_sms_parts": 2})

    (sms,) = [step for step in journey(message).steps if step.channel == "sms"]
    assert (sms.is_partial, sms.delivered_parts, sms.total_parts) == (True, 2, 3)


def test_a_whole_sms_is_not_partial(message):
    tell(message, {"sent_via": "sms", "total_sms_parts": 3, "delivered_sms_parts": 3})

    assert not any(step.is_partial for step in journey(message).steps)


def test_reports_about_an_earlier_run_are_history_and_no_step(message):
    tell(message, {"sent_via": "viber", **EXPIRED}, {"sent_via": "sms", **EXPIRED})
    Message.objects.filter(pk=message.pk).update(extra_id="second-run", message_id=None, status="accepted")
    message.refresh_from_db()

    assert message.delivery_reports.count() == 2
    assert stages(message) == {"viber": Stage.TRYING, "sms": Stage.NEXT}


@pytest.mark.parametrize("status", ["cancelled", "suppressed", "rejected"])
def test_what_never_went_out_was_not_tried_by_any_channel(message, status):
    Message.objects.filter(pk=message.pk).update(status=status)
    message.refresh_from_db()

    assert set(stages(message).values()) == {Stage.NOT_TRIED}


def test_a_channel_outside_the_chain_is_shown_after_it(message):
    tell(message, {"sent_via": "telegram"})

    assert list(stages(message)) == ["viber", "sms", "telegram"]


def test_a_message_whose_reports_are_purged_still_shows_its_winner(message):
    Message.objects.filter(pk=message.pk).update(status="delivered", channel="sms")
    message.refresh_from_db()

    assert stages(message) == {"viber": Stage.INFERRED, "sms": Stage.DELIVERED}
    assert winners(message) == ["sms"]


def test_channel_after_the_winner_was_not_needed_although_its_reports_are_purged(message):
    Message.objects.filter(pk=message.pk).update(status="delivered", channel="viber")
    message.refresh_from_db()

    assert stages(message)["sms"] == Stage.NOT_NEEDED


def test_the_numbers_of_a_campaign_agree_with_its_journeys(message):
    tell(message, {"sent_via": "sms", "total_sms_parts": 2, "delivered_sms_parts": 1})

    sms = next(channel for channel in campaign_statistics(message.campaign).channels if channel.channel == "sms")
    assert (sms.delivered, sms.partly_delivered) == (1, 1)


def test_the_request_of_a_message_that_was_deleted_meanwhile_cannot_be_rebuilt():
    assert request_of(-1) is None


@pytest.mark.django_db(transaction=True)
def test_the_request_of_a_single_message_is_the_one_that_went_out(platform):
    channels = [Viber(text="Order 7", ttl=60), SMS(text="Order 7", alpha_name="GMSU", ttl=300)]
    message = send_message(PHONE, channels, tag="Orders")

    assert [request_of(message.pk)] == posts(platform)


def test_the_request_of_a_recipient_holds_nobody_else(platform):
    campaign = make_campaign([PHONE, "380671234600"])
    message = campaign.messages.get(phone_number=PHONE)

    request = request_of(message.pk)

    assert request["recipients"] == [{"name": "Person 4500", "phone_number": int(PHONE), "extra_id": message.extra_id}]
    assert list(request["channel_options"]) == ["viber", "sms"]


def test_there_is_no_request_without_a_number(platform, message):
    Message.objects.filter(pk=message.pk).update(phone_number=None)

    assert request_of(message.pk) is None

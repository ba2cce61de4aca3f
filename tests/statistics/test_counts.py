from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import timezone

from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.services import (
    apply_delivery_reports,
    campaign_statistics,
    import_recipients,
    retry_failed,
    start_campaign,
)
from tests.samples import phone, report

VIBER = Viber(text="Hi", ttl=60)
TEXT = SMS(text="Hi", alpha_name="GMSU", ttl=300)
OUTCOMES = {
    "delivered": {},
    "expired": {"status": 3, "substatus": 35, "hyber_status": 35015},
    "undelivered": {"status": 3, "substatus": 36, "hyber_status": 36001},
    "rejected": {"accepted": False, "status": None, "substatus": None, "hyber_status": None, "error_code": 36024},
}
PRICES = {"viber": "0.45", "sms": "0.98"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(settings):
    settings.HYBER = {"default": {"PRICES": PRICES}}
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([VIBER, TEXT])
    return campaign


def add(campaign, *states, **values):
    """One message for each (status, channel)."""
    start = campaign.messages.count()
    for number, (status, channel) in enumerate(states, start=start):
        taken = status in {"accepted", "delivered", "seen", "expired"}
        Message.objects.create(
            **{
                "campaign": campaign,
                "phone_number": phone(number),
                "extra_id": f"{campaign.pk}-{number}",
                "status": status,
                "channel": channel,
                "accepted_at": timezone.now() if taken else None,
            }
            | values
        )


def channel(statistics, name):
    return next(item for item in statistics.channels if item.channel == name)


def test_each_stage_includes_the_next(campaign):
    add(campaign, ("queued", ""), ("accepted", ""), ("expired", ""), ("rejected", ""), ("undelivered", ""))
    add(campaign, ("delivered", "viber"), ("delivered", "sms"), ("seen", "viber"))
    statistics = campaign_statistics(campaign)

    assert (statistics.total, statistics.accepted, statistics.delivered, statistics.seen) == (8, 5, 3, 1)
    assert (statistics.expired, statistics.undelivered, statistics.rejected) == (1, 1, 1)


def test_undelivered_message_counts_as_accepted_only_if_it_was(campaign):
    add(campaign, ("undelivered", ""))
    add(campaign, ("undelivered", ""), accepted_at=timezone.now())

    assert campaign_statistics(campaign).accepted == 1


def test_statuses_add_up_to_the_total(campaign):
    add(campaign, *((status, "") for status in Message.Status.values))
    statistics = campaign_statistics(campaign)

    assert set(statistics.statuses) == set(Message.Status.values)
    assert sum(statistics.statuses.values()) == statistics.total == campaign.messages.count()


def test_channels_stand_in_the_order_of_the_campaign(campaign):
    add(campaign, ("delivered", "whatsapp"), ("delivered", "sms"))

    assert [item.channel for item in campaign_statistics(campaign).channels] == ["viber", "sms", "whatsapp"]


def test_deliveries_of_the_channels_add_up_to_those_of_the_campaign(campaign):
    add(campaign, ("delivered", "viber"), ("seen", "viber"), ("delivered", "sms"), ("delivered", ""), ("accepted", ""))
    statistics = campaign_statistics(campaign)

    assert channel(statistics, "viber").delivered == 2
    assert channel(statistics, "viber").seen == 1
    assert sum(item.delivered for item in statistics.channels) == statistics.delivered == 4


def test_clicks_and_clicked_messages_are_two_numbers(campaign):
    add(campaign, ("delivered", "viber"), clicks=3)
    add(campaign, ("delivered", "viber"), clicks=0)
    add(campaign, ("delivered", "viber"))
    statistics = campaign_statistics(campaign)

    assert (statistics.clicks, statistics.clicked) == (3, 1)
    assert (channel(statistics, "viber").clicks, channel(statistics, "viber").clicked) == (3, 1)
    assert channel(statistics, "sms").clicks == 0


def test_partial_delivery_is_visible_as_partial(campaign):
    add(campaign, ("delivered", "sms"), total_sms_parts=3, delivered_sms_parts=2)
    add(campaign, ("delivered", "sms"), total_sms_parts=2, delivered_sms_parts=2)
    sms = channel(campaign_statistics(campaign), "sms")

    assert (sms.total_parts, sms.delivered_parts, sms.partly_delivered) == (5, 4, 1)


def test_sms_cost_by_the_part_and_other_channels_by_the_message(campaign):
    add(campaign, ("delivered", "viber"), ("seen", "viber"), ("expired", ""))
    add(campaign, ("delivered", "sms"), total_sms_parts=3, delivered_sms_parts=2)
    statistics = campaign_statistics(campaign)

    assert channel(statistics, "viber").cost == Decimal("0.90")
    assert channel(statistics, "sms").cost == Decimal("2.94")
    assert statistics.cost == Decimal("3.84")


def test_parts_that_were_not_told_cost_one(campaign):
    add(campaign, ("delivered", "sms"))
    add(campaign, ("delivered", "sms"), total_sms_parts=2)

    assert channel(campaign_statistics(campaign), "sms").cost == Decimal("2.94")


def test_channel_without_a_price_leaves_the_cost_unknown(campaign, settings):
    settings.HYBER = {"default": {"PRICES": {"viber": "0.45"}}}
    add(campaign, ("delivered", "viber"), ("delivered", "sms"))
    statistics = campaign_statistics(campaign)

    assert channel(statistics, "viber").cost == Decimal("0.45")
    assert channel(statistics, "sms").cost is None
    assert statistics.cost is None


def test_campaign_of_an_account_that_is_gone_is_still_counted(campaign, settings):
    add(campaign, ("delivered", "viber"))
    Campaign.objects.filter(pk=campaign.pk).update(account="gone")
    campaign.refresh_from_db()
    statistics = campaign_statistics(campaign)

    assert (statistics.delivered, statistics.cost) == (1, None)


def test_campaign_without_recipients_is_all_zero(campaign):
    statistics = campaign_statistics(campaign)

    assert (statistics.total, statistics.accepted, statistics.clicks, statistics.cost) == (0, 0, 0, Decimal(0))


def test_others_are_not_counted(campaign):
    add(Campaign.objects.create(name="Other"), ("delivered", "viber"))

    assert campaign_statistics(campaign).total == 0


def tell(campaign, *outcomes):
    """Send one message for each list of what its channels report, and tell it."""
    add(campaign, *[("accepted", "")] * len(outcomes))
    messages = list(campaign.messages.order_by("-pk")[: len(outcomes)])
    for message, told in zip(messages, outcomes, strict=True):
        apply_delivery_reports([report(message, sent_via=name, **OUTCOMES[how]) for name, how in told])


def ends(statistics, name):
    told = channel(statistics, name)
    return (told.accepted, told.delivered, told.expired, told.undelivered, told.rejected)


def test_message_that_fell_back_counts_in_each_channel_that_tried_it(campaign):
    tell(campaign, [("viber", "expired"), ("sms", "delivered")], [("viber", "undelivered"), ("sms", "expired")])
    statistics = campaign_statistics(campaign)

    assert ends(statistics, "viber") == (2, 0, 1, 1, 0)
    assert ends(statistics, "sms") == (2, 1, 1, 0, 0)
    assert (statistics.accepted, statistics.delivered, statistics.expired, statistics.undelivered) == (2, 1, 1, 0)


def test_channel_that_failed_counts_before_the_message_has_ended(campaign):
    tell(campaign, [("viber", "expired")])
    statistics = campaign_statistics(campaign)

    assert ends(statistics, "viber") == (1, 0, 1, 0, 0)
    assert (statistics.expired, statistics.statuses["accepted"]) == (0, 1)


@pytest.mark.parametrize("order", [("expired", "delivered"), ("delivered", "expired")])
def test_channel_that_delivered_after_all_has_not_failed(campaign, order):
    tell(campaign, [("viber", how) for how in order])

    assert ends(campaign_statistics(campaign), "viber") == (1, 1, 0, 0, 0)


def test_refusal_by_a_channel_counts_there(campaign):
    tell(campaign, [("sms", "rejected")])

    assert ends(campaign_statistics(campaign), "sms") == (0, 0, 0, 0, 1)


def test_failure_without_a_channel_counts_apart_and_costs_nothing(campaign):
    tell(campaign, [("hyber", "undelivered")])
    add(campaign, ("rejected", ""))
    statistics = campaign_statistics(campaign)

    assert ends(statistics, "") == (1, 0, 0, 1, 1)
    assert [item.channel for item in statistics.channels] == ["viber", "sms", ""]
    assert statistics.cost == Decimal(0)


def test_message_that_is_sent_again_starts_anew_on_every_channel(campaign):
    tell(campaign, [("viber", "expired"), ("sms", "expired")])
    Campaign.objects.filter(pk=campaign.pk).update(status="finished", run=1)
    campaign.refresh_from_db()
    retry_failed(campaign)

    assert ends(campaign_statistics(campaign), "viber") == (0, 0, 0, 0, 0)


def test_parts_of_the_campaign_are_those_of_its_channels(campaign):
    add(campaign, ("delivered", "sms"), total_sms_parts=3, delivered_sms_parts=2)
    statistics = campaign_statistics(campaign)

    assert (statistics.total_parts, statistics.delivered_parts, statistics.partly_delivered) == (3, 2, 1)


@pytest.mark.parametrize("count", [1, 50])
def test_three_queries_whatever_the_size(campaign, count, django_assert_num_queries):
    add(campaign, *[("delivered", "viber"), ("seen", "sms"), ("queued", "")] * count)

    with django_assert_num_queries(3):
        assert campaign_statistics(campaign).total == 3 * count


@pytest.mark.django_db(transaction=True)
def test_numbers_of_a_real_run(platform):
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([TEXT])
    import_recipients(campaign, [{"phone": phone(number)} for number in range(3)] + [{"phone": phone(9, "92")}])
    start_campaign(campaign)
    first, second, *_ = campaign.messages.filter(status="accepted").order_by("pk")
    apply_delivery_reports([report(first, total_sms_parts=2, delivered_sms_parts=1, clicks=2), report(second)])
    statistics = campaign_statistics(campaign)

    assert (statistics.total, statistics.accepted, statistics.rejected, statistics.delivered) == (4, 3, 1, 2)
    assert (statistics.clicks, channel(statistics, "sms").partly_delivered) == (2, 1)

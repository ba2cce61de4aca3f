"""Every figure against an independent count, over a life with fallbacks, clicks, parts, retries and a purge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
from django.utils import timezone

from django_hyber.models import Campaign, Message, StatusCode
from django_hyber.protocol import SMS, Viber
from django_hyber.sandbox import Sandbox
from django_hyber.services import (
    account_statistics,
    apply_delivery_reports,
    campaign_statistics,
    compare_campaigns,
    import_recipients,
    purge_personal_data,
    recount,
    retry_failed,
    send_message,
    start_campaign,
)
from tests.builders import dispatch_until_finished
from tests.conftest import account_settings
from tests.samples import phone, report

VIBER = Viber(text="Hi", ttl=60, ctr=True)
TEXT = SMS(text="Hi", alpha_name="GMSU", ttl=300)
PRICES = {"viber": "0.45", "viber_template": "0.30", "sms": "0.98"}
NOON = datetime(2026, 6, 10, 11, 0, tzinfo=UTC)
DAY = timedelta(days=1)
#: Figures that must not depend on how much the platform reports.
FIGURES = (
    *("tried", "delivered", "not_delivered", "seen", "rejected", "clicks", "clicked", "total_parts"),
    *("delivered_parts", "partly_delivered", "matched", "unmatched", "cost", "sent_cost"),
)

pytestmark = pytest.mark.django_db


class Life(NamedTuple):
    """One message as the test knows it: the channels that tried it, and those that delivered, the first one apart."""

    status: str
    tried: tuple[str, ...] = ()
    channel: str = ""
    others: str = ""
    clicks: int | None = None
    parts: int | None = None
    delivered_parts: int | None = None
    template: int | None = None


#: Written by hand: what a person would say of each message.
LIVES = (
    *[Life("delivered", ("viber",), "viber", template=7)] * 5,
    *[Life("seen", ("viber",), "viber", clicks=2, template=7)] * 3,
    *[Life("seen", ("viber",), "viber", template=0)] * 2,
    # Clicked, and never reported as seen.
    *[Life("delivered", ("viber",), "viber", clicks=1)] * 4,
    # Fell back to SMS: reported on Viber, and not.
    *[Life("delivered", ("viber", "sms"), "sms", others="viber:expired", parts=2, delivered_parts=2)] * 6,
    *[Life("delivered", ("viber", "sms"), "sms", parts=2, delivered_parts=1)] * 7,
    *[Life("delivered", ("viber", "sms"), "sms")] * 2,
    # Viber refused the text, and SMS delivered.
    *[Life("delivered", ("viber", "sms"), "sms", others="viber:rejected", parts=1, delivered_parts=1, template=0)],
    # Matched a template, and was not delivered by Viber: SMS delivered, nothing did, or Viber refused it.
    *[Life("delivered", ("viber", "sms"), "sms", others="viber:expired", template=7)] * 2,
    *[Life("expired", ("viber",), others="viber:expired", template=7)] * 3,
    *[Life("rejected", others="viber:rejected", template=7)],
    # Viber expired, and delivered after SMS had: both are paid.
    *[Life("delivered", ("viber", "sms"), "sms", others="viber:delivered", parts=2, delivered_parts=2, template=7)] * 4,
    *[Life("seen", ("viber", "sms"), "viber", others="sms:delivered", clicks=3, parts=3, delivered_parts=2)] * 3,
    # Failed everywhere: reported by the last channel alone, or by both.
    *[Life("expired", ("viber", "sms"), others="sms:expired", parts=2)] * 8,
    *[Life("undelivered", ("viber", "sms"), others="sms:undelivered,viber:expired", parts=3)] * 2,
    # Fell back, and is on its way.
    *[Life("accepted", ("viber",), others="viber:expired")],
    *[Life("accepted")] * 3,
    *[Life("rejected")] * 2,
    *[Life("queued"), Life("suppressed"), Life("cancelled"), Life("unconfirmed")],
)


def live(campaign, lives=LIVES, *, prefix="", **values):
    Message.objects.bulk_create(
        Message(
            **{
                "campaign": campaign,
                "phone_number": phone(number),
                "extra_id": f"{prefix}{campaign.pk if campaign else 'alone'}-{number}",
                "status": life.status,
                "channel": life.channel,
                "other_channels": life.others,
                "clicks": life.clicks,
                "total_sms_parts": life.parts,
                "delivered_sms_parts": life.delivered_parts,
                "matching_template_id": life.template,
                "accepted_at": NOON if life.tried or life.status == "accepted" else None,
                "finished_at": NOON if life.status in ("delivered", "seen", "expired", "undelivered") else None,
            }
            | values
        )
        for number, life in enumerate(lives)
    )


def expected(lives, name):
    """Count a channel of lives, one by one."""
    tried = [life for life in lives if name in life.tried]
    won = [life for life in lives if life.channel == name]
    got = [life for life in lives if life.channel == name or f"{name}:delivered" in life.others]
    parts = sum(life.parts or 1 for life in tried) if name == "sms" else 0
    paid = sum(life.parts or 1 for life in got) if name == "sms" else len(got)
    matched, tried_matched, got_matched = (
        sum((life.template or 0) > 0 for life in part) for part in (lives, tried, got)
    )
    price = Decimal(PRICES[name])
    discount = price - Decimal(PRICES["viber_template"]) if name == "viber" else Decimal(0)
    return {
        "tried": len(tried),
        "delivered": len(got),
        "not_delivered": len(tried) - len(got),
        "seen": sum(life.status == "seen" for life in won),
        "rejected": sum(f"{name}:rejected" in life.others for life in lives),
        "clicks": sum(life.clicks or 0 for life in won),
        "clicked": sum(bool(life.clicks) for life in won),
        "total_parts": parts,
        "delivered_parts": sum(life.delivered_parts or 1 for life in got) if name == "sms" else 0,
        "partly_delivered": sum((life.delivered_parts or 0) < (life.parts or 0) for life in got)
        if name == "sms"
        else 0,
        "matched": matched if name == "viber" else 0,
        "unmatched": sum(life.template == 0 for life in lives) if name == "viber" else 0,
        "cost": price * paid - discount * got_matched,
        "sent_cost": price * (parts if name == "sms" else len(tried)) - discount * tried_matched,
    }


def figures_of(statistics, name):
    found = next(item for item in statistics.channels if item.channel == name)
    return {figure: getattr(found, figure) for figure in FIGURES}


@pytest.fixture
def campaign(settings):
    settings.HYBER = {"default": {"PRICES": PRICES, "CURRENCY": "UAH"}}
    return make()


def make(name="Spring sale", channels=(VIBER, TEXT), **values):
    campaign = Campaign.objects.create(name=name)
    campaign.set_channels(channels)
    values = {"status": "finished", "run": 1, "launched_at": NOON - DAY, "finished_at": NOON, **values}
    Campaign.objects.filter(pk=campaign.pk).update(**values)
    campaign.refresh_from_db()
    return campaign


@pytest.mark.parametrize("name", ["viber", "sms"])
def test_each_figure_of_a_channel_is_that_of_the_lives(campaign, name):
    live(campaign)

    assert figures_of(campaign_statistics(campaign), name) == expected(LIVES, name)


def test_figures_of_the_campaign_are_those_of_the_lives(campaign):
    live(campaign)
    statistics = campaign_statistics(campaign)
    delivered = [life for life in LIVES if life.channel]

    assert statistics.tried == sum(bool(life.tried) for life in LIVES if life.status != "accepted")
    assert statistics.delivered == len(delivered)
    assert statistics.not_delivered == statistics.tried - len(delivered)
    assert statistics.clicked == sum(bool(life.clicks) for life in delivered)
    assert statistics.total_parts == expected(LIVES, "sms")["total_parts"]
    assert statistics.cost == sum(expected(LIVES, name)["cost"] for name in ("viber", "sms"))
    assert statistics.sent_cost == sum(expected(LIVES, name)["sent_cost"] for name in ("viber", "sms"))
    assert statistics.currency == "UAH"


def test_failures_without_a_report_are_inferred_and_the_others_are_not(campaign):
    live(campaign)
    viber = campaign_statistics(campaign).channels[0]

    assert viber.inferred == 7 + 2 + 8
    assert viber.expired == 6 + 2 + 3 + 2 + 1
    assert viber.not_delivered == viber.inferred + viber.expired + viber.undelivered + 1


def test_channel_after_the_one_that_delivered_was_not_tried(campaign):
    live(campaign, [Life("delivered", ("viber",), "viber")])

    assert campaign_statistics(campaign).channels[1].tried == 0


def test_message_that_is_falling_back_has_not_been_tried_to_the_end(campaign):
    live(campaign, [Life("accepted", ("viber",), others="viber:expired")])
    statistics = campaign_statistics(campaign)

    assert (statistics.tried, statistics.not_delivered) == (0, 0)
    assert statistics.channels[0].not_delivered == 1


def test_price_that_is_missing_for_an_unused_channel_is_not_missed(campaign, settings):
    settings.HYBER["default"]["PRICES"] = {"viber": "0.45"}
    live(campaign, [Life("delivered", ("viber",), "viber")])
    assert campaign_statistics(campaign).cost == Decimal("0.45")

    live(campaign, [Life("delivered", ("viber", "sms"), "sms")], prefix="more", phone_number=phone(9))
    assert campaign_statistics(campaign).cost is None


def test_message_that_the_platform_never_took_was_not_tried(campaign):
    live(campaign, [Life("undelivered")] * 3)
    statistics = campaign_statistics(campaign)

    assert (statistics.tried, statistics.not_delivered, statistics.undelivered) == (0, 0, 3)


def test_purge_leaves_every_figure(campaign):
    live(campaign)
    before = campaign_statistics(campaign)
    Message.objects.update(created_at=NOON - 400 * DAY)
    Message.objects.exclude(finished_at=None).update(finished_at=NOON - 400 * DAY)

    assert purge_personal_data(timedelta(days=30)).messages > 0

    after = campaign_statistics(campaign)
    assert [figures_of(after, name) for name in ("viber", "sms")] == [
        figures_of(before, name) for name in ("viber", "sms")
    ]


def test_retry_starts_the_figures_of_a_message_again(campaign):
    live(campaign, [Life("expired", ("viber", "sms"), others="sms:expired", parts=2, template=0)])

    retry_failed(campaign)

    statistics = campaign_statistics(campaign)
    assert (statistics.tried, statistics.total_parts, statistics.unmatched) == (0, 0, 0)


def test_compared_campaigns_have_the_figures_that_they_have_alone(campaign, django_assert_num_queries):
    other = make("Autumn sale")
    live(campaign)
    live(other, LIVES[:20])

    with django_assert_num_queries(4):
        compared = compare_campaigns([campaign, other])

    assert compared == [campaign_statistics(campaign), campaign_statistics(other)]


class SeenTests:
    def test_channel_that_reports_no_seen_says_so(self, campaign, settings):
        settings.HYBER = {"default": {"SEEN_CODES": [23099]}}
        live(campaign, [Life("delivered", ("viber",), "viber"), Life("delivered", ("viber", "sms"), "sms")])
        viber, sms = campaign_statistics(campaign).channels

        assert (viber.reports_seen, sms.reports_seen) == (True, False)

    def test_without_a_code_that_means_seen_no_channel_reports_it(self, campaign):
        live(campaign, [Life("delivered", ("viber",), "viber")])

        assert not campaign_statistics(campaign).reports_seen

    def test_code_that_was_entered_in_the_admin_counts(self, campaign):
        live(campaign, [Life("delivered", ("viber",), "viber")])
        StatusCode.objects.create(account="default", code=23099, means_seen=True)

        assert campaign_statistics(campaign).reports_seen

    def test_report_with_such_a_code_makes_the_message_seen(self, campaign):
        StatusCode.objects.create(account="default", code=23077, means_seen=True)
        StatusCode.objects.create(account="other", code=23078, means_seen=True)
        live(campaign, [Life("accepted")] * 2)
        first, second = campaign.messages.order_by("pk")

        apply_delivery_reports([report(first, hyber_status=23077), report(second, hyber_status=23078)])

        assert list(campaign.messages.order_by("pk").values_list("status", flat=True)) == ["seen", "delivered"]


class SeveralDeliveriesTests:
    """Two channels have delivered one message: the figures have both, whichever report came first."""

    VIBER = {"sent_via": "viber", "time": 1_700_000_050_000}
    SMS = {"sent_via": "sms", "time": 1_700_000_100_000, "total_sms_parts": 2, "delivered_sms_parts": 2}
    ORDERS = (
        [SMS, VIBER | {"time": 1_700_000_200_000}],
        [SMS, VIBER],
        [VIBER, SMS],
        [SMS, VIBER | {"time": 1_700_000_200_000, "hyber_status": 23099}],
        [SMS, VIBER | {"time": 1_700_000_010_000, "status": 3, "substatus": 35, "hyber_status": 35015}, VIBER],
    )

    @pytest.mark.parametrize("at_once", [False, True])
    @pytest.mark.parametrize("order", ORDERS)
    def test_each_of_them_is_tried_delivered_and_paid(self, campaign, settings, order, at_once):
        settings.HYBER["default"] |= {"PRICES": {"viber": "1", "sms": "10"}, "SEEN_CODES": [23099]}
        live(campaign, [Life("accepted")])
        message = campaign.messages.get()
        reports = [report(message, **values) for values in order]
        for array in [reports] if at_once else [[item] for item in reports]:
            apply_delivery_reports(array)
        statistics = campaign_statistics(campaign)
        viber, sms = statistics.channels

        assert (viber.tried, viber.delivered, viber.not_delivered) == (1, 1, 0)
        assert (sms.tried, sms.delivered, sms.not_delivered) == (1, 1, 0)
        assert (sms.total_parts, sms.delivered_parts) == (2, 2)
        assert (statistics.tried, statistics.delivered, statistics.not_delivered) == (1, 1, 0)
        assert (statistics.cost, statistics.sent_cost) == (Decimal(21), Decimal(21))
        assert recount(campaign).differences == 0


class TemplateTests:
    def test_template_of_a_report_is_stored(self, campaign):
        live(campaign, [Life("accepted")] * 3)
        matched, unmatched, silent = campaign.messages.order_by("pk")

        apply_delivery_reports(
            [
                report(matched, sent_via="viber", matching_template_id=6349599),
                report(unmatched, sent_via="viber", matching_template_id=0),
                report(silent, sent_via="viber"),
            ]
        )

        stored = campaign.messages.order_by("pk").values_list("matching_template_id", flat=True)
        assert list(stored) == [6349599, 0, None]

    @pytest.mark.parametrize("order", [(0, 7), (7, 0)])
    def test_order_of_reports_makes_no_difference(self, campaign, order):
        live(campaign, [Life("accepted")])
        message = campaign.messages.get()
        for number, template in enumerate(order):
            apply_delivery_reports([report(message, sent_via="viber", matching_template_id=template, clicks=number)])

        assert campaign.messages.get().matching_template_id == 7

    def test_without_its_own_price_a_template_costs_what_viber_costs(self, campaign, settings):
        settings.HYBER = {"default": {"PRICES": {"viber": "0.45", "sms": 1}}}
        live(campaign, [Life("delivered", ("viber",), "viber", template=7)] * 2)

        assert campaign_statistics(campaign).cost == Decimal("0.90")


class PeriodTests:
    def test_campaigns_and_single_messages_of_the_period(self, campaign, settings):
        alone = {"content": {"channels": ["viber", "sms"], "channel_options": {}}, "prefix": "in-"}
        live(campaign)
        live(None, **alone)
        live(make("Long ago"), finished_at=NOON - 9 * DAY)
        ended = [life for life in LIVES if life.status in ("delivered", "seen", "expired", "undelivered")]

        results = account_statistics("default", NOON - DAY, NOON + DAY)

        for name in ("viber", "sms"):
            assert figures_of(results, name) == expected(ended * 2, name), name

    def test_ends_of_the_period_belong_to_one_period_only(self, campaign):
        live(campaign, [Life("delivered", ("viber",), "viber")])

        assert account_statistics("default", NOON, NOON + DAY).delivered == 1
        assert account_statistics("default", NOON - DAY, NOON).delivered == 0

    def test_messages_that_were_not_sent_are_in_no_period(self, campaign):
        lives = [Life(status) for status in ("cancelled", "suppressed", "delivered")]
        live(campaign, lives, finished_at=NOON)
        live(None, lives, finished_at=NOON)

        assert account_statistics("default", NOON - DAY, NOON + DAY).total == 2

    def test_message_that_was_given_up_before_it_was_accepted_was_not_tried(self, campaign):
        lives = [Life("undelivered"), Life("undelivered", ("viber",), others="viber:undelivered")]
        live(campaign, lives)
        live(None, lives)
        live(make("Long ago"), lives, finished_at=NOON - 9 * DAY)

        results = account_statistics("default", NOON - DAY, NOON + DAY)

        assert (results.tried, results.undelivered) == (2, 4)

    def test_other_accounts_are_not_counted(self, campaign):
        live(campaign, [Life("delivered", ("viber",), "viber")], account="promo")
        Campaign.objects.update(account="promo")

        assert account_statistics("default", NOON - DAY, NOON + DAY).delivered == 0
        assert account_statistics("promo", NOON - DAY, NOON + DAY).delivered == 1

    def test_queries_do_not_grow(self, campaign, django_assert_max_num_queries):
        for number in range(4):
            live(make(f"Sale {number}"))

        with django_assert_max_num_queries(7):
            account_statistics("default", NOON - DAY, NOON + DAY)


@pytest.mark.django_db(transaction=True)
class SandboxTests:
    """The platform reports the end only, or every channel: the figures are the same."""

    def run(self, live_server, settings, *, report_each_channel):
        with Sandbox(
            password="sandbox-password", latency=0.01, time_scale=0.001, report_each_channel=report_each_channel
        ) as sandbox:
            account = account_settings(sandbox, CALLBACK_BASE_URL=live_server.url, PRICES=PRICES, SEEN_CODES=[23099])
            settings.HYBER = {"default": account}
            campaign = Campaign.objects.create(name=f"Sale {report_each_channel}")
            campaign.set_channels([VIBER, TEXT])
            outcomes = ("00", "59", "86", "89", "90", "91", "92", "97", "99")
            import_recipients(campaign, [{"phone": phone(number, end)} for end in outcomes for number in range(3)])
            start_campaign(campaign)
            dispatch_until_finished(campaign)
            assert sandbox.wait_idle(20)
        return campaign_statistics(campaign)

    def test_figures_do_not_depend_on_how_much_is_reported(self, live_server, settings):
        final_only = self.run(live_server, settings, report_each_channel=False)
        every_channel = self.run(live_server, settings, report_each_channel=True)

        for name in ("viber", "sms"):
            assert figures_of(final_only, name) == figures_of(every_channel, name), name
        # By hand: 8 outcomes of 3 people are tried by Viber, and four of them went on to SMS.
        viber, sms = final_only.channels[:2]
        assert (viber.tried, viber.delivered, sms.tried, sms.delivered) == (24, 12, 12, 6)
        assert (final_only.unmatched, final_only.matched, final_only.seen, final_only.clicked) == (3, 9, 3, 3)
        assert every_channel.channels[0].inferred < viber.inferred


@pytest.mark.django_db(transaction=True)
def test_single_message_is_among_the_figures_of_its_account(wired, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"PRICES": PRICES, "CURRENCY": "UAH"}}
    send_message(phone(1, "90"), [Viber(text="Hi", ttl=60), TEXT])
    assert wired.wait_idle(20)

    now = timezone.now()
    results = account_statistics("default", now - DAY, now + DAY)

    viber, sms = results.channels
    assert (viber.tried, viber.inferred, sms.delivered, results.cost) == (1, 1, 1, Decimal("0.98"))

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from django_hyber.campaigns.preflight import fingerprint
from django_hyber.campaigns.preflight_jobs import preflight_as_json, preflight_from_json
from django_hyber.models import Campaign, Message, Suppression
from django_hyber.protocol import SMS, Push, Viber
from django_hyber.services import (
    CampaignError,
    check_campaign,
    import_recipients,
    preflight,
    start_campaign,
)
from tests.samples import phone

pytestmark = pytest.mark.django_db

REFUSE, SKIP, DEFAULT = Campaign.MissingVariables
SMS_HI = SMS(text="Hi %name%", alpha_name="Shop", ttl=300)


@pytest.fixture
def make_campaign():
    def make(*values, channels=(SMS_HI,), **fields):
        campaign = Campaign.objects.create(name="Spring sale", **fields)
        campaign.set_channels(channels)
        import_recipients(campaign, [{"phone": phone(number), **row} for number, row in enumerate(values)])
        return campaign

    return make


def texts(problems):
    return [message for problem in problems for message in problem.messages]


def test_everybody_receives_a_campaign_with_nothing_wrong(make_campaign):
    result = preflight(make_campaign({"name": "Olena"}, {"name": "Ivan"}))

    assert (result.recipients, result.will_receive) == (2, 2)
    assert (result.problems, result.warnings, result.skipped, result.missing) == ([], [], [], {})
    assert result.may_start


def test_who_opted_out_is_skipped_with_examples(make_campaign):
    campaign = make_campaign(*[{"name": "Olena"}] * 8)
    gone = [phone(number) for number in range(7)]
    Suppression.objects.bulk_create(Suppression(phone_number=number) for number in gone)

    result = preflight(campaign)

    assert (result.recipients, result.will_receive) == (8, 1)
    [skipped] = result.skipped
    assert (skipped.code, skipped.count, len(skipped.examples)) == ("opted-out", 7, 5)
    assert set(Message.objects.filter(pk__in=skipped.examples).values_list("phone_number", flat=True)) < set(gone)


def test_nobody_left_is_a_warning(make_campaign):
    campaign = make_campaign({"name": "Olena"})
    Suppression.objects.create(phone_number=phone(0))

    result = preflight(campaign)

    assert [problem.code for problem in result.warnings] == ["nobody"]
    assert result.problems == []


@pytest.mark.parametrize("values", [{}, {"name": ""}])
def test_missing_or_empty_value_forbids_the_launch(make_campaign, values):
    campaign = make_campaign({"name": "Olena"}, values, values)

    assert preflight(campaign).missing == {"name": 2}
    assert [problem.code for problem in check_campaign(campaign)] == ["missing-variable"]
    with pytest.raises(CampaignError, match="%name% is missing for 2 recipients"):
        start_campaign(campaign)


def test_people_who_block_the_launch_are_named_and_do_not_count_as_getting_it(make_campaign):
    campaign = make_campaign({"name": "Olena"}, {}, {"name": ""})

    result = preflight(campaign)

    assert (result.recipients, result.will_receive) == (3, 1)
    [blocking] = result.skipped
    assert (blocking.code, blocking.count) == ("blocks-launch", 2)
    assert blocking.examples == tuple(campaign.messages.order_by("pk").values_list("pk", flat=True)[1:])


def test_recipient_without_a_value_is_left_out_where_the_campaign_says_so(make_campaign):
    campaign = make_campaign({"name": "Olena"}, {}, {"name": ""}, missing_variables=SKIP)

    result = preflight(campaign)

    assert (result.recipients, result.will_receive, result.missing) == (3, 1, {"name": 2})
    [skipped] = result.skipped
    assert (skipped.code, skipped.count) == ("missing-variable", 2)
    assert "%name%" in skipped.reason
    assert skipped.examples == tuple(campaign.messages.order_by("pk").values_list("pk", flat=True)[1:])
    assert result.problems == []


def test_default_text_takes_the_place_of_a_missing_value(make_campaign):
    campaign = make_campaign({"name": "O" * 150}, {}, missing_variables=DEFAULT, variable_defaults={"name": "N" * 200})

    result = preflight(campaign)

    assert (result.problems, result.missing, result.will_receive) == ([], {"name": 1}, 2)
    assert (result.segments.fewest, result.segments.most) == (1, 2)


HALF_DEFAULT = {
    "channels": [SMS(text="Hi %name% of %city%", alpha_name="Shop", ttl=300)],
    "missing_variables": DEFAULT,
    "variable_defaults": {"name": "friend"},
}


def test_only_variables_without_a_default_text_are_told_of_who_blocks_the_launch(make_campaign):
    campaign = make_campaign(*[{"city": "Kyiv"}] * 3, {"name": "Olena"}, {}, **HALF_DEFAULT)

    [blocking] = preflight(campaign).skipped
    assert (blocking.code, blocking.count, blocking.missing) == ("blocks-launch", 2, {"city": 2})
    assert "%name%" not in blocking.reason


def test_who_blocks_the_launch_gets_no_default_text(make_campaign):
    campaign = make_campaign(*[{"city": "Kyiv"}] * 3, {"name": "Olena"}, {}, **HALF_DEFAULT)

    assert preflight(campaign).defaulted == {"name": 3}


def test_default_text_of_another_variable_does_not_help(make_campaign):
    campaign = make_campaign({}, missing_variables=DEFAULT, variable_defaults={"city": "Kyiv"})

    assert texts(preflight(campaign).problems) == [
        "%name% is missing for 1 recipient and has no default text: add one."
    ]


def test_default_text_is_checked_as_every_other(make_campaign):
    campaign = make_campaign({}, missing_variables=DEFAULT, variable_defaults={"name": "x" * 765})

    assert {problem.code for problem in check_campaign(campaign)} == {"too-many-segments", "too-long"}


def test_percent_signs_and_values_with_variables_in_them_stay(make_campaign):
    channels = [SMS(text="50% off, %name%! 100%", alpha_name="Shop", ttl=300)]
    campaign = make_campaign({"name": "%x%"}, {"name": "%name%"}, {"name": "5 %"}, channels=channels)

    assert check_campaign(campaign) == []


def test_segments_are_those_of_the_rendered_texts(make_campaign):
    values = [{"name": "Olena"}, {"name": "Олена"}, {"name": "ї" * 80}, {"name": "x" * 400}]
    segments = preflight(make_campaign(*values)).segments

    assert segments.encodings == {"GSM-7": 2, "UCS-2": 2}
    assert (segments.fewest, segments.most, segments.total, segments.over_one) == (1, 3, 1 + 1 + 2 + 3, 2)


def test_what_made_texts_ucs2_is_told_by_its_place(make_campaign):
    channels = [SMS(text="Hi %name% %code% «»", alpha_name="Shop", ttl=300)]
    values = [{"name": "Olena", "code": "1"}, {"name": "Ївга", "code": "1"}, {"name": "Їжак", "code": "№1"}]

    assert preflight(make_campaign(*values, channels=channels)).segments.ucs2 == {
        "": "«»",
        "name": "Ївгажк",
        "code": "№",
    }
    assert preflight(make_campaign({"name": "Olena"}, {"name": "Ївга"})).segments.ucs2 == {"name": "Ївга"}
    assert preflight(make_campaign({"name": "Olena"})).segments.ucs2 == {}


def test_a_tracked_link_makes_nothing_ucs2(make_campaign):
    channels = [SMS(text="Hi https://магазин.укр/ї", alpha_name="Shop", ttl=300, ctr=True)]

    segments = preflight(make_campaign({}, channels=channels)).segments

    assert (segments.encodings, segments.ucs2) == ({"GSM-7": 1}, {})


def test_a_preflight_comes_back_from_json_as_it_was(make_campaign, settings):
    settings.HYBER = {"default": {"PRICES": {"sms": "0.98"}}}
    values = [{"name": "Olena"}, {"name": "ї" * 400}, {}]
    campaign = make_campaign(*values, missing_variables=SKIP, start_time=timezone.now() + timedelta(days=1))
    Suppression.objects.create(phone_number=phone(0))
    found = preflight(campaign)

    kept = preflight_from_json(json.loads(json.dumps(preflight_as_json(found))))

    assert texts(kept.problems) == texts(found.problems)
    assert [(item.code, item.channel, item.field) for item in kept.problems] == [("too-many-segments", "sms", "text")]
    assert replace(kept, problems=[], warnings=[]) == replace(found, problems=[], warnings=[])


@pytest.mark.parametrize(
    "change",
    [
        lambda campaign: campaign.set_channels([SMS(text="Hello %name%", alpha_name="Shop", ttl=300)]),
        lambda campaign: campaign.messages.create(phone_number="380671234567", extra_id="new"),
        lambda campaign: Campaign.objects.update(name="Autumn sale"),
        lambda campaign: Campaign.objects.update(variable_defaults={"name": "friend"}),
    ],
)
def test_a_change_gives_another_fingerprint(make_campaign, change):
    campaign = make_campaign({"name": "Olena"})
    before = fingerprint(campaign)
    change(campaign)
    campaign.refresh_from_db()

    assert fingerprint(campaign) != before


def test_the_same_moment_in_another_zone_is_no_change(make_campaign):
    start = timezone.localtime(timezone.now() + timedelta(days=1))
    campaign = make_campaign({"name": "Olena"}, start_time=start)
    before = fingerprint(campaign)

    assert fingerprint(Campaign.objects.get()) == before


def test_segments_of_a_text_without_variables_count_everybody(make_campaign):
    campaign = make_campaign({}, {}, {}, channels=[SMS(text="ї" * 71, alpha_name="Shop", ttl=300)])

    segments = preflight(campaign).segments
    assert (segments.encodings, segments.total, segments.over_one) == ({"UCS-2": 3}, 6, 3)


def test_without_sms_there_are_no_segments(make_campaign):
    assert preflight(make_campaign({}, channels=[Viber(text="Hi", ttl=60)])).segments is None


def test_too_many_segments_are_told_with_how_many_have_them(make_campaign):
    campaign = make_campaign({"name": "Olena"}, {"name": "ї" * 400}, {"name": "ї" * 500})

    assert texts(check_campaign(campaign)) == [
        "SMS, Text: The text takes 7 SMS segments; the limit is 5 (with the values of 2 recipients)."
    ]


def test_recipients_whose_values_do_not_fit_are_named_up_to_five(make_campaign):
    fits, long = {"name": "Olena"}, {"name": "ї" * 400}
    campaign = make_campaign(fits, long, fits, *[long] * 5)
    pks = list(campaign.messages.order_by("pk").values_list("pk", flat=True))

    found = preflight(campaign)

    assert found.unfit == (pks[1], *pks[3:7])
    assert preflight_from_json(json.loads(json.dumps(preflight_as_json(found)))).unfit == found.unfit
    assert preflight(make_campaign(fits)).unfit == ()


def test_cost_is_between_the_cheapest_and_the_dearest_channel_of_each(make_campaign, settings):
    prices = {"viber": "0.50", "sms": "0.30", "push": 0}
    settings.HYBER = {"default": {"PRICES": prices}}
    channels = [Viber(text="Hi", ttl=60), SMS(text="%name%", alpha_name="Shop", ttl=300)]
    campaign = make_campaign({"name": "Olena"}, {"name": "x" * 161}, channels=channels)

    result = preflight(campaign)
    assert (result.cost_low, result.cost_high) == (Decimal("0.80"), Decimal("1.10"))

    campaign.set_channels([Push(text="Hi", title="Sale", ttl=60), channels[0]])
    result = preflight(campaign)
    assert (result.cost_low, result.cost_high) == (0, 1)


def test_cost_of_attempts_is_that_of_every_channel_for_everybody(make_campaign, settings):
    settings.HYBER = {"default": {"PRICES": {"viber": "0.50", "viber_template": "0.80", "sms": "0.30"}}}
    channels = [Viber(text="Hi", ttl=60), SMS(text="%name%", alpha_name="Shop", ttl=300)]
    campaign = make_campaign({"name": "Olena"}, {"name": "x" * 161}, channels=channels)

    # Of each text, whatever it matches; of the SMS, one part and two.
    assert preflight(campaign).cost_attempts == Decimal("2.50")
    campaign.set_channels(channels[:1])
    assert preflight(campaign).cost_attempts == Decimal("1.60")


def test_cost_allows_for_texts_that_match_a_template_and_for_those_that_do_not(make_campaign, settings):
    settings.HYBER = {"default": {"PRICES": {"viber": "0.50", "viber_template": "0.30"}}}
    campaign = make_campaign({"name": "Olena"}, {"name": "Ivan"}, channels=[Viber(text="Hi", ttl=60)])

    result = preflight(campaign)
    assert (result.cost_low, result.cost_high) == (Decimal("0.60"), Decimal("1.00"))


def test_cost_counts_nobody_who_is_skipped(make_campaign, settings):
    settings.HYBER = {"default": {"PRICES": {"sms": 1}}}
    campaign = make_campaign({"name": "Olena"}, {"name": "Ivan"}, {}, missing_variables=SKIP)
    Suppression.objects.create(phone_number=phone(0))

    assert preflight(campaign).cost_high == 1


def test_a_channel_without_a_price_leaves_the_cost_open(make_campaign, settings):
    settings.HYBER = {"default": {"PRICES": {"viber": 1}}}

    result = preflight(make_campaign({"name": "Olena"}))
    assert (result.cost_low, result.cost_high) == (None, None)


def test_start_time_is_told_in_the_zone_of_the_project(make_campaign):
    start = timezone.now() + timedelta(days=1)

    result = preflight(make_campaign({"name": "Olena"}, start_time=start))
    assert result.start_time == start
    assert result.start_time.utcoffset() == timezone.localtime(start).utcoffset()
    assert result.time_zone == "Europe/Kyiv"


def test_what_is_doubtful_forbids_nothing(make_campaign):
    channels = [SMS_HI, Viber(text="Hi", ttl=45)]
    campaign = make_campaign({"name": "Olena"}, channels=channels, start_time=timezone.now() - timedelta(minutes=1))

    codes = {problem.code for problem in preflight(campaign).warnings}
    assert codes == {"sms-not-last", "short-ttl", "past-start-time"}


def test_wrong_channels_are_told_beside_what_is_skipped(make_campaign):
    campaign = make_campaign({"name": "Olena"}, {}, channels=[SMS(text="%name%", ttl=300)], missing_variables=SKIP)

    result = preflight(campaign)
    assert texts(result.problems) == ["SMS, Alpha name (sender): This is required."]
    assert (result.will_receive, result.segments) == (1, None)


def test_empty_and_unknown_things_are_told_and_break_nothing(make_campaign):
    campaign = make_campaign(channels=[])
    campaign.account = "gone"
    result = preflight(campaign)

    assert {problem.code for problem in result.problems} == {"account", "no-recipients", "no-channels"}
    assert result.recipients == 0


class OwnTextsTests:
    CHANNELS = (Viber(ttl=60), SMS(alpha_name="Shop", ttl=300))

    def test_each_text_is_held_against_the_limits_of_each_channel(self, make_campaign):
        own = [{"text": "Hi"}, {"text": "x" * 766}, {"text": "x" * 1001}]
        campaign = make_campaign(*own, channels=self.CHANNELS, has_own_texts=True)

        assert texts(check_campaign(campaign)) == [
            "SMS, Text: This has 766 characters; the limit is 765 (with the values of 2 recipients).",
            "SMS, Text: The text takes 6 SMS segments; the limit is 5 (with the values of 2 recipients).",
            "Viber, Text: This has 1001 characters; the limit is 1000 (with the values of 1 recipient).",
        ]

    @pytest.mark.parametrize("text", ["", " \n", "-"])
    def test_everybody_needs_a_text(self, make_campaign, text):
        campaign = make_campaign({"text": "Hi"}, {"text": text}, channels=self.CHANNELS, has_own_texts=True)

        assert "missing-variable" in [problem.code for problem in check_campaign(campaign)]

    def test_channels_carry_no_text(self, make_campaign):
        campaign = make_campaign({"text": "Hi"}, channels=[SMS_HI], has_own_texts=True)

        assert "text-not-allowed" in [problem.code for problem in check_campaign(campaign)]

    def test_variables_that_nobody_fills_in_are_refused(self, make_campaign):
        channels = [Viber(ttl=60, img="https://shop.example/%code%.png")]
        campaign = make_campaign({"text": "Hi", "code": "1"}, channels=channels, has_own_texts=True)

        assert "%code%" in " ".join(texts(check_campaign(campaign)))

    def test_percent_words_in_a_text_are_only_text(self, make_campaign):
        campaign = make_campaign({"text": "100 %name% %"}, channels=self.CHANNELS, has_own_texts=True)

        assert check_campaign(campaign) == []


def test_queries_to_the_database_do_not_grow_with_the_recipients(make_campaign, django_assert_max_num_queries):
    campaign = make_campaign(*[{"name": "Olena"}] * 50)
    campaign = Campaign.objects.get(pk=campaign.pk)

    with django_assert_max_num_queries(9):
        preflight(campaign)

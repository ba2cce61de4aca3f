"""What campaigns may cost: a campaign is paused before the batch that would exceed the limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation

from django_hyber.campaigns.preflight import preflight
from django_hyber.conf import get_account
from django_hyber.models import Batch, Campaign, Suppression
from django_hyber.protocol import SMS, Viber
from django_hyber.reconcile import endings
from django_hyber.sending.limits import amount_left
from django_hyber.services import (
    apply_delivery_reports,
    dispatch,
    pause_campaign,
    resume_campaign,
    retry_failed,
    send_again,
    send_message,
    start_campaign,
)
from django_hyber.words.reasons import translate_reason
from tests.builders import (
    batches_in_turn,
    dispatch_until_finished,
    make_campaign,
    make_due,
    make_waiting_campaign,
    posts,
    send_again_one_by_one,
    statuses,
)
from tests.samples import phone, report
from tests.truth.clients import submit

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = [SMS(text="Hi", alpha_name="Shop", ttl=300)]
BATCH = 10


@pytest.fixture
def limited(platform, settings):
    """A function that sets the limit. A message costs 1, a batch 10."""

    def limit(value, **more):
        changes = {"SPENDING_LIMIT": value, "PRICES": {"sms": "1"}, "BATCH_SIZE": BATCH, "CURRENCY": "UAH"}
        settings.HYBER = {"default": settings.HYBER["default"] | changes | more}
        return platform

    return limit


def numbers(count, start=0):
    return [phone(number) for number in range(start, start + count)]


def launch(count, channels=TEXT, **values):
    return start_campaign(make_campaign(numbers(count), channels, **values))


def count_sent(sandbox):
    return sum(len(body["recipients"]) for body in posts(sandbox))


def test_the_campaign_is_paused_before_the_batch_that_would_exceed_its_limit(limited):
    sandbox = limited({"campaign": "25"})
    campaign = launch(40)

    assert (campaign.status, count_sent(sandbox)) == ("paused", 20)
    reason = campaign.status_reason
    assert "up to 20.00 UAH of 25.00 UAH is spent, and the next batch may cost 10.00 UAH" in reason
    assert "Raise SPENDING_LIMIT" in reason
    with translation.override("uk"):
        assert translate_reason(reason) != reason


def test_amounts_below_a_cent_are_not_rounded_away(limited):
    limited({"campaign": "0.0125"}, PRICES={"sms": "0.0011"})

    assert "of 0.0125 UAH is spent, and the next batch may cost 0.011 UAH" in launch(20).status_reason


def test_what_costs_exactly_the_limit_is_sent(limited):
    sandbox = limited({"campaign": 20, "day": 20})

    assert (launch(20).status, count_sent(sandbox)) == ("finished", 20)


def test_with_a_higher_limit_the_campaign_goes_on_and_repeats_nobody(limited):
    sandbox = limited({"campaign": "25"})
    campaign = launch(40)
    limited({"campaign": "40"})
    resume_campaign(campaign)

    campaign.refresh_from_db()
    assert (campaign.status, statuses(campaign)) == ("finished", ["accepted"] * 40)
    assert count_sent(sandbox) == 40


def test_resuming_below_the_limit_pauses_again(limited):
    sandbox = limited({"campaign": "25"})
    campaign = launch(40)
    resume_campaign(campaign)

    campaign.refresh_from_db()
    assert (campaign.status, count_sent(sandbox)) == ("paused", 20)


def test_the_limit_of_the_day_is_over_all_campaigns(limited):
    sandbox = limited({"day": "30"})
    first, second = launch(20), launch(20)

    assert (first.status, second.status, count_sent(sandbox)) == ("finished", "paused", 30)
    assert second.status_reason.startswith("The spending limit of the day is reached: up to 30.00 UAH")


def test_what_was_spent_yesterday_does_not_count_today(limited):
    sandbox = limited({"day": "30"})
    launch(20)
    Batch.objects.update(charged_on=timezone.localdate() - timedelta(days=1))

    assert (launch(20).status, count_sent(sandbox)) == ("finished", 40)


def zone_of_another_day():
    """A time zone in which today is another day than in TIME_ZONE."""
    zones = map(ZoneInfo, ("Pacific/Kiritimati", "Pacific/Niue"))
    return next(zone for zone in zones if timezone.localdate(timezone=zone) != timezone.localdate())


def test_a_launch_in_the_time_zone_of_its_user_counts_for_the_same_day(limited):
    sandbox = limited({"day": "25"})
    with timezone.override(zone_of_another_day()):
        first = launch(20)
    second = launch(20)

    assert (first.status, second.status, count_sent(sandbox)) == ("finished", "paused", 20)


def test_other_accounts_do_not_count(limited, settings):
    sandbox = limited({"day": "20"})
    settings.HYBER |= {"other": settings.HYBER["default"]}

    assert [launch(20).status, launch(20, account="other").status] == ["finished"] * 2
    assert count_sent(sandbox) == 40


def test_an_sms_costs_its_parts(limited):
    sandbox = limited({"campaign": "25"})
    campaign = launch(40, [SMS(text="x" * 200, alpha_name="Shop", ttl=300)])

    assert (campaign.status, count_sent(sandbox)) == ("paused", 10)


def test_the_dearest_channel_is_what_counts(limited):
    sandbox = limited({"campaign": "45"}, PRICES={"viber": "2", "sms": "1"})
    campaign = launch(40, [Viber(text="Hi", ttl=60), *TEXT])

    assert (campaign.status, count_sent(sandbox)) == ("paused", 20)
    assert set(campaign.batches.filter(state="done").values_list("cost", flat=True)) == {Decimal(20)}


def test_texts_of_their_own_are_counted_as_they_are(limited):
    sandbox = limited({"campaign": "25"})
    campaign = make_campaign(numbers(20), [SMS(alpha_name="Shop", ttl=300)], has_own_texts=True)
    campaign.messages.update(variables={"text": "x" * 200})
    start_campaign(campaign)

    campaign.refresh_from_db()
    assert (campaign.status, len(posts(sandbox))) == ("paused", 1)


def test_a_batch_that_the_platform_did_not_take_is_counted_once(limited):
    sandbox = limited({"campaign": "20"})
    sandbox.fault("status", status=429, count=2)
    campaign = launch(20)

    dispatch_until_finished(campaign)
    assert statuses(campaign) == ["accepted"] * 20


def test_a_batch_whose_people_all_opted_out_before_the_next_attempt_costs_nothing(limited):
    sandbox = limited({"campaign": "10"})
    sandbox.fault("status", status=429)
    campaign = launch(10)
    for number in numbers(10):
        Suppression.objects.create(phone_number=number)
    dispatch_until_finished(campaign)

    assert amount_left(get_account("default"), campaign, timezone.now()) == 10


def launch_and_send_alone(sandbox):
    """A finished campaign of four whose only request was lost, so that each of its messages was sent again alone."""
    sandbox.fault("drop_request", paths=("bulk",))
    campaign = launch(4)
    send_again_one_by_one(campaign)
    resume_campaign(campaign)
    dispatch_until_finished(campaign)
    return campaign


def test_what_is_sent_again_one_by_one_is_counted_once(limited):
    campaign = launch_and_send_alone(limited({"campaign": "4"}, BATCH_SIZE=4))

    assert statuses(campaign) == ["accepted"] * 4
    assert amount_left(get_account("default"), campaign, timezone.now()) == 0


def doubt_alone(campaign):
    """Have the messages that are sent alone end in a doubt of their own each, and send them alone once more."""
    account = get_account("default")
    for batch in campaign.batches.filter(state="unconfirmed"):
        endings.resolve_separately(Batch.objects.filter(pk=batch.pk), batch, account)
    for message in campaign.messages.filter(status="unconfirmed"):
        send_again(message, by="anna")


def costs(campaign, **batches):
    return [int(batch.cost) for batch in campaign.batches.filter(**batches).order_by("pk")]


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(minutes=30)], ids=str)
def test_what_is_sent_alone_twice_is_taken_off_its_batch_once(limited, ahead):
    sandbox = limited({"campaign": "10"}, BATCH_SIZE=4)
    sandbox.fault("drop_request", paths=("bulk",), count=None)
    campaign = launch(4)
    campaign.batches.update(created_at=timezone.now() + ahead)
    send_again_one_by_one(campaign)
    resume_campaign(campaign)
    make_due(campaign)
    dispatch()
    pause_campaign(campaign)
    doubt_alone(campaign)

    assert costs(campaign, run=1) == [0]
    assert costs(campaign, run=0) == [1] * 4


def test_what_was_sent_alone_in_an_earlier_run_still_counts(limited):
    sandbox = limited({"campaign": "20"}, BATCH_SIZE=4)
    campaign = launch_and_send_alone(sandbox)
    expired = {"status": 3, "substatus": 35, "hyber_status": 35015}
    apply_delivery_reports([report(message, **expired) for message in campaign.messages.all()])
    sandbox.fault("drop_request", paths=("bulk",))
    retry_failed(campaign)
    pause_campaign(campaign)
    doubt_alone(campaign)
    resume_campaign(campaign)
    dispatch_until_finished(campaign)

    assert statuses(campaign) == ["accepted"] * 4
    assert amount_left(get_account("default"), campaign, timezone.now()) == 20 - 8


def test_what_was_to_be_sent_again_and_proves_accepted_counts(limited):
    sandbox = limited({"campaign": "10"}, BATCH_SIZE=4)
    sandbox.fault("drop_answer", paths=("bulk",))
    campaign = launch(4)
    send_again_one_by_one(campaign)
    apply_delivery_reports([report(message) for message in campaign.messages.all()])
    resume_campaign(campaign)
    dispatch_until_finished(campaign)

    assert sandbox.ledger.duplicates == {}
    assert amount_left(get_account("default"), campaign, timezone.now()) == 6


def test_a_channel_without_a_price_pauses_with_what_to_do(limited):
    sandbox = limited({"day": "20"}, PRICES={"viber": 1})
    campaign = launch(20)

    assert (campaign.status, posts(sandbox)) == ("paused", [])
    assert "Add the missing ones to PRICES (sms)" in campaign.status_reason


@pytest.mark.parametrize("value", [{"campaign": "39"}, {"day": "39"}, {"campaign": "100", "day": "39"}])
def test_the_check_before_the_launch_warns(limited, value):
    limited(value)
    (warning,) = preflight(make_campaign(numbers(40), TEXT)).warnings

    assert (warning.code, warning.params) == ("spending-limit", {"left": "39.00 UAH"})
    assert preflight(make_campaign(numbers(39), TEXT)).warnings == []


def test_the_check_before_the_launch_counts_what_is_spent(limited):
    limited({"day": "45", "campaign": "100"})
    launch(20)
    draft = make_campaign(numbers(30, start=50), TEXT)

    assert [warning.params for warning in preflight(draft).warnings] == [{"left": "25.00 UAH"}]
    draft.start_time = timezone.now() + timedelta(days=2)
    assert preflight(draft).warnings == []


def test_the_check_before_the_launch_counts_the_same_day_in_the_time_zone_of_its_user(limited):
    limited({"day": "45"})
    launch(20)
    with timezone.override(zone_of_another_day()):
        (warning,) = preflight(make_campaign(numbers(30, start=50), TEXT)).warnings

    assert warning.params == {"left": "25.00 UAH"}


def test_the_check_before_the_launch_counts_today_for_a_start_that_is_past(limited):
    limited({"day": "45"})
    launch(20)
    draft = make_campaign(numbers(30, start=50), TEXT, start_time=timezone.now() - timedelta(days=2))

    assert {"left": "25.00 UAH"} in [warning.params for warning in preflight(draft).warnings]


def test_the_check_before_the_launch_names_a_missing_price(limited):
    limited({"day": "20"}, PRICES={"viber": 1})
    (warning,) = preflight(make_campaign(numbers(2), TEXT)).warnings

    assert (warning.code, warning.params) == ("no-price", {"channels": "sms"})


def test_single_messages_are_neither_counted_nor_stopped(limited):
    limited({"day": "10"})
    messages = [send_message(number, TEXT) for number in numbers(20)]
    campaign = launch(10)

    assert campaign.status == "finished"
    messages.append(send_message(phone(99), TEXT))
    for message in messages:
        message.refresh_from_db()
    assert {message.status for message in messages} == {"accepted"}


def test_eight_workers_do_not_exceed_the_limit(limited):
    sandbox = limited({"day": "100"})
    campaigns = [make_waiting_campaign(numbers(2 * BATCH, start=100 * number), BATCH, TEXT) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(submit, batches_in_turn(campaigns)))

    # A pause also stops the campaign's other batch if it is not written yet, which makes room for another campaign.
    assert 10 <= count_sent(sandbox) <= 100
    for campaign in Campaign.objects.filter(status="paused"):
        resume_campaign(campaign)
    assert count_sent(sandbox) == 100
    assert set(Campaign.objects.values_list("status", flat=True)) == {"paused", "finished"}

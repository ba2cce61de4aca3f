"""At most so many campaign messages to a person within some days, over all campaigns of the account."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from django_hyber.campaigns.preflight import preflight
from django_hyber.models import Message
from django_hyber.protocol import SMS, Viber
from django_hyber.sending.batch import submit_batch
from django_hyber.services import dispatch, send_message, start_campaign
from django_hyber.words.reasons import translate_reason
from tests.builders import (
    KNOWN,
    batches_in_turn,
    dispatch_until_finished,
    make_campaign,
    make_due,
    make_known,
    make_waiting_campaign,
    posts,
    statuses,
)
from tests.samples import phone
from tests.truth.clients import submit

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = [SMS(text="Hi", alpha_name="Shop", ttl=300)]
PEOPLE = 40


@pytest.fixture
def capped(platform, settings):
    """One message in seven days."""
    limit(settings, 1)
    return platform


def limit(settings, messages):
    settings.HYBER = {"default": settings.HYBER["default"] | {"FREQUENCY_CAP": {"messages": messages, "days": 7}}}


def numbers(count=3):
    return [phone(number) for number in range(count)]


def received(sandbox):
    """How many campaign messages the platform has got for each number."""
    return Counter(str(recipient["phone_number"]) for body in posts(sandbox) for recipient in body["recipients"])


def launch(phones, **values):
    return start_campaign(make_campaign(phones, **values))


def test_who_has_got_enough_is_left_out_and_the_reason_is_kept(capped):
    launch(numbers(2))
    second = launch(numbers(3))

    assert statuses(second) == ["suppressed", "suppressed", "accepted"]
    reason = second.messages.earliest("pk").error_text
    assert reason == "Skipped: the frequency cap is reached (messages: 1, days: 7)."
    with translation.override("uk"):
        assert translate_reason(reason) == "Пропущено: досягнуто обмеження частоти (повідомлень: 1, днів: 7)."


def test_without_a_cap_everybody_gets_both(platform):
    launch(numbers())

    assert statuses(launch(numbers())) == ["accepted"] * 3


def test_a_campaign_that_reaches_nobody_ends_and_says_so(capped):
    launch(numbers())
    second = launch(numbers())

    assert second.status == "finished"
    assert second.status_reason.startswith("Nothing was sent")
    assert set(received(capped).values()) == {1}


def test_what_was_sent_longer_ago_does_not_count(capped):
    first = launch(numbers())
    first.messages.update(accepted_at=timezone.now() - timedelta(days=7, seconds=1))

    assert statuses(launch(numbers())) == ["accepted"] * 3


@pytest.mark.parametrize("status", ["accepted", "delivered", "seen", "expired", "unconfirmed", "sending"])
def test_what_the_platform_may_have_counts(capped, status):
    first = launch(numbers())
    first.messages.update(status=status)

    assert statuses(launch(numbers())) == ["suppressed"] * 3


@pytest.mark.parametrize("status", ["queued", "undelivered", "rejected", "cancelled", "suppressed"])
def test_what_failed_or_was_never_sent_does_not_count(capped, status):
    first = launch(numbers())
    first.messages.update(status=status)

    assert statuses(launch(numbers())) == ["accepted"] * 3


def test_what_is_in_a_request_under_way_counts(capped):
    first = launch(numbers())
    first.messages.update(status="queued", accepted_at=None)
    first.batches.update(state="sending", lease_until=timezone.now() + timedelta(minutes=1))

    assert statuses(launch(numbers())) == ["suppressed"] * 3


def test_single_messages_neither_count_nor_stop(capped):
    send_message(phone(0), TEXT)
    launch(numbers(1))
    last = send_message(phone(0), TEXT)

    last.refresh_from_db()
    assert set(Message.objects.values_list("status", flat=True)) == {"accepted"}


def test_other_accounts_do_not_count(capped, settings):
    settings.HYBER |= {"other": settings.HYBER["default"]}
    launch(numbers(), account="other")

    assert statuses(launch(numbers())) == ["accepted"] * 3


def test_a_retry_of_the_same_campaign_does_not_count_itself(capped):
    capped.fault("status", status=429, count=1)
    campaign = launch(numbers())
    make_due(campaign)
    dispatch()

    assert statuses(campaign) == ["accepted"] * 3


def test_the_check_before_the_launch_counts_who_will_be_left_out(capped):
    launch(numbers(2))
    found = preflight(make_campaign(numbers(5)))

    (skipped,) = found.skipped
    assert (skipped.code, skipped.count, len(skipped.examples)) == ("frequency-cap", 2, 2)
    assert (found.recipients, found.will_receive) == (5, 3)


def test_the_check_counts_the_same_for_texts_without_variables(capped):
    launch(numbers(2))
    found = preflight(make_campaign(numbers(5), TEXT))

    assert (found.skipped[0].count, found.will_receive) == (2, 3)


@pytest.mark.parametrize("text", ["Hi", "Hi %name%"])
def test_segments_and_cost_are_those_of_the_people_who_get_it(capped, settings, text):
    settings.HYBER["default"]["PRICES"] = {"sms": 1}
    launch(numbers(2))
    found = preflight(make_campaign(numbers(3), [SMS(text=text, alpha_name="Shop", ttl=300)]))

    assert (found.will_receive, found.segments.total, found.cost_low, found.cost_high) == (1, 1, 1, 1)


def test_cost_without_sms_is_that_of_the_people_who_get_it(capped, settings):
    settings.HYBER["default"]["PRICES"] = {"viber": 1}
    launch(numbers(2))

    assert preflight(make_campaign(numbers(3), [Viber(text="Hi", ttl=60)])).cost_high == 1


def test_text_of_who_has_reached_the_cap_is_checked_all_the_same(capped):
    launch(numbers(2))
    campaign = make_campaign(numbers(3), [SMS(text="%name%", alpha_name="Shop", ttl=300)])
    campaign.messages.filter(phone_number=phone(0)).update(variables={"name": "x" * 800})

    assert "too-many-segments" in {problem.code for problem in preflight(campaign).problems}


def test_nobody_has_segments_or_costs_if_all_have_reached_the_cap(capped, settings):
    settings.HYBER["default"]["PRICES"] = {"sms": 1}
    launch(numbers(2))
    found = preflight(make_campaign(numbers(2), TEXT))

    assert (found.will_receive, found.segments, found.cost_high) == (0, None, 0)


def test_the_check_counts_by_the_start_time(capped):
    launch(numbers(2))
    found = preflight(make_campaign(numbers(5), start_time=timezone.now() + timedelta(days=8)))

    assert (found.skipped, found.will_receive) == ([], 5)


def test_who_lacks_a_value_is_counted_once(capped):
    launch(numbers(2))
    campaign = make_campaign(numbers(5), missing_variables="skip")
    campaign.messages.filter(phone_number=phone(0)).update(variables={})
    found = preflight(campaign)

    assert {item.code: item.count for item in found.skipped} == {"frequency-cap": 1, "missing-variable": 1}
    assert found.will_receive == 3


def test_the_page_before_the_launch_says_it(capped, admin_client):
    launch(numbers(2))
    campaign = make_campaign(numbers(5))
    page = admin_client.get(f"/admin/django_hyber/campaign/{campaign.pk}/preflight/").content.decode()

    assert "2 people have reached the frequency cap and are skipped." in page


@pytest.mark.parametrize("messages", [1, 2, 3])
def test_eight_workers_with_four_campaigns_send_nobody_one_too_many(platform, settings, messages):
    limit(settings, messages)
    campaigns = [make_waiting_campaign(numbers(PEOPLE), size=10) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(submit, batches_in_turn(campaigns)))

    assert received(platform) == dict.fromkeys(numbers(PEOPLE), messages)
    ends = Counter(Message.objects.values_list("status", flat=True))
    assert ends == {"accepted": PEOPLE * messages, "suppressed": PEOPLE * (4 - messages)}


def test_a_cap_needs_as_many_queries_for_many_recipients_as_for_few(capped):
    launch(numbers(PEOPLE))
    few, many = (make_waiting_campaign(numbers(count), size=count) for count in (2, PEOPLE))
    counts = []
    for campaign in (few, many):
        with CaptureQueriesContext(connection) as queries:
            submit_batch(campaign.batches.get().pk)
        counts.append(len(queries))

    assert statuses(many) == ["suppressed"] * PEOPLE
    assert counts[0] == counts[1]


#: Refused or lost at the first attempt, and then taken.
TROUBLED = ["00", "87", "94"]


def test_lost_answers_and_refused_requests_make_it_no_message_more(platform, settings):
    limit(settings, 1)
    settings.HYBER["default"]["BREAKER_THRESHOLD"] = 1_000
    make_known()
    people = [phone(number, digits) for number in range(6) for digits in TROUBLED]
    campaigns = [make_waiting_campaign(people, size=3) for _ in range(3)]
    platform.fault("status", status=429, count=3)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(submit, batches_in_turn(campaigns)))
    for campaign in campaigns:
        dispatch_until_finished(campaign)

    sent = Message.objects.filter(campaign__isnull=False).exclude(status="suppressed")
    assert sorted(sent.values_list("phone_number", flat=True)) == sorted(people)
    assert platform.ledger.taken == len(people) + KNOWN

"""Whatever is repeated at once, the states of a campaign add up to its recipients at every look."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db.models import Count

from django_hyber.models import Campaign, DeliveryReport
from django_hyber.protocol import SMS, Viber
from django_hyber.services import campaign_statistics, import_recipients, recount, retry_failed, start_campaign
from tests.samples import phone, report
from tests.truth.clients import in_own_connection, post

pytestmark = pytest.mark.django_db(transaction=True)

SIZE, TIMES, CLIENTS, ARRAY = 400, 3, 8, 60
NOON = 1_700_000_000_000
EXPIRED_ON_VIBER = {"status": 3, "substatus": 35, "hyber_status": 35015, "sent_via": "viber", "time": NOON}
FAILED = {"status": 3, "substatus": 36, "hyber_status": 36001, "sent_via": "hyber", "time": NOON + 1}
DELIVERED_BY_SMS = {"total_sms_parts": 2, "delivered_sms_parts": 2, "clicks": 1, "time": NOON + 60_000}
FAILED_ON_SMS = {"status": 3, "substatus": 36, "hyber_status": 36001, "sent_via": "sms", "time": NOON + 60_000}
DELIVERED_BY_VIBER = {"hyber_status": 23033, "sent_via": "viber", "time": NOON}


@pytest.fixture
def campaign(platform):
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([Viber(text="Hi", ttl=60), SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    import_recipients(campaign, ({"phone": phone(number)} for number in range(SIZE)))
    return start_campaign(campaign)


def story(index, message):
    """A tenth fails and is delivered by the fallback all the same, two tenths fail for good."""
    facts = {0: [EXPIRED_ON_VIBER, FAILED, DELIVERED_BY_SMS], 1: [EXPIRED_ON_VIBER, FAILED_ON_SMS], 2: [FAILED_ON_SMS]}
    return [
        report(message, message_id=message.message_id, **fact) for fact in facts.get(index % 10, [DELIVERED_BY_VIBER])
    ]


def arrays_of(reports, seed):
    """Every report several times, in any order, in arrays."""
    repeated = random.Random(seed).sample(reports * TIMES, len(reports) * TIMES)
    return [repeated[start : start + ARRAY] for start in range(0, len(repeated), ARRAY)]


@in_own_connection
def look(campaign, is_over):
    """Add up the states again and again, and return the sums that were seen."""
    rows = campaign.messages.order_by().values_list("status").annotate(number=Count("pk"))
    sums = Counter()
    while True:
        is_last = is_over.is_set()
        sums[sum(number for _status, number in rows.all())] += 1
        if is_last:
            return sums


def post_watched(campaign, reports):
    """Let parallel clients post every report several times, and return the sums of states seen meanwhile."""
    is_over = threading.Event()
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        sums = pool.submit(look, campaign, is_over)
        answers = [pool.submit(post, array) for array in arrays_of(reports, seed=len(reports))]
        try:
            assert {answer.result() for answer in answers} == {200}
        finally:
            is_over.set()
        return sums.result()


def states(campaign):
    return Counter(campaign.messages.values_list("status", "channel"))


def test_states_add_up_while_everything_is_reported_three_times_and_after_a_retry(campaign):
    reports = [item for index, message in enumerate(campaign.messages.order_by("pk")) for item in story(index, message)]
    sums = post_watched(campaign, reports)
    assert sums.keys() == {SIZE}
    assert states(campaign) == {("delivered", "viber"): 280, ("delivered", "sms"): 40, ("undelivered", ""): 80}
    assert DeliveryReport.objects.filter(message__campaign=campaign).count() == len(reports)

    retry_failed(campaign)
    assert states(campaign)["accepted", ""] == 80
    again = campaign.messages.filter(status="accepted")
    fresh = [report(message, message_id=message.message_id, **DELIVERED_BY_SMS) for message in again]
    # What was told about the first run comes once more, and belongs to messages that are gone.
    sums = post_watched(campaign, reports + fresh)
    assert sums.keys() == {SIZE}
    assert states(campaign) == {("delivered", "viber"): 280, ("delivered", "sms"): 120}
    assert_totals_equal_a_recount(campaign)


def assert_totals_equal_a_recount(campaign):
    statistics = campaign_statistics(campaign)
    sms = next(channel for channel in statistics.channels if channel.channel == "sms")
    assert (statistics.total, statistics.delivered, sum(statistics.statuses.values())) == (SIZE, SIZE, SIZE)
    assert (sms.delivered, sms.total_parts, sms.delivered_parts, sms.clicks) == (120, 240, 240, 120)
    counted = recount(campaign)
    assert (counted.total, counted.checked, counted.differences) == (SIZE, SIZE, 0)

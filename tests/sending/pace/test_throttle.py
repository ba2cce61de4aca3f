from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from django_hyber.services import dispatch, pause_campaign, resume_campaign, start_campaign
from tests.builders import make_campaign, posts
from tests.clocks import set_clocks
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is put on."""
    moment = [timezone.now()]
    set_clocks(monkeypatch, lambda: moment[0])

    def put_on(**amount):
        moment[0] += timedelta(**amount)

    return put_on


def numbers(count, start=0):
    return [phone(number) for number in range(start, start + count)]


def sizes(sandbox):
    return [len(body["recipients"]) for body in posts(sandbox)]


def test_throttled_campaign_leaves_in_parts_of_a_minute(platform, clock):
    start_campaign(make_campaign(numbers(50), throttle=60))
    assert sizes(platform) == [15]

    clock(seconds=14)
    dispatch()
    assert sizes(platform) == [15]

    clock(seconds=1)
    dispatch()
    assert sizes(platform) == [15, 15]


def test_throttle_keeps_to_its_rate_over_minutes(platform, clock):
    start_campaign(make_campaign(numbers(150), throttle=60))
    for _ in range(24):
        clock(seconds=5)
        dispatch()

    assert 120 <= sum(sizes(platform)) <= 135


def test_sweep_that_comes_once_a_minute_catches_up_with_one_minute(platform, clock):
    start_campaign(make_campaign(numbers(200), throttle=60))
    clock(minutes=1)
    dispatch()
    assert sum(sizes(platform)) == 75

    clock(minutes=10)
    dispatch()
    assert sum(sizes(platform)) <= 75 + 75


def test_pauses_and_resumes_do_not_make_it_faster(platform, clock):
    campaign = start_campaign(make_campaign(numbers(150), throttle=60))
    for _ in range(10):
        clock(seconds=1)
        pause_campaign(campaign)
        resume_campaign(campaign)
    assert sizes(platform) == [15]

    clock(minutes=10)
    pause_campaign(campaign)
    resume_campaign(campaign)
    assert sizes(platform) == [15, 15]


def test_scheduled_campaign_does_not_pile_up_before_its_start(platform, clock):
    start_time = timezone.now() + timedelta(hours=1)
    campaign = start_campaign(make_campaign(numbers(150), throttle=60, start_time=start_time))
    for minutes in (10, 10, 10, 10, 10, 9):
        clock(minutes=minutes)
        dispatch()
    assert sizes(platform) == []

    clock(minutes=1)
    dispatch()
    assert sizes(platform) == [15]
    assert "start_time" not in posts(platform)[0]
    assert campaign.messages.filter(status="accepted").count() == 15


def test_schedule_of_a_throttled_account_does_not_pile_up_either(platform, settings, clock):
    settings.HYBER["default"] |= {"THROTTLE": 60}
    campaign = start_campaign(make_campaign(numbers(50), start_time=timezone.now() + timedelta(minutes=5)))
    dispatch()

    assert (campaign.status, posts(platform)) == ("scheduled", [])


def test_all_campaigns_of_an_account_share_its_throttle(platform, settings, clock):
    settings.HYBER["default"] |= {"THROTTLE": 60}
    for start in (0, 100):
        start_campaign(make_campaign(numbers(30, start)))
    assert sizes(platform) == [15]

    clock(seconds=15)
    dispatch()
    assert sizes(platform) == [15, 15]


def test_account_that_has_no_room_takes_none_of_the_campaigns_room(platform, settings, clock):
    settings.HYBER["default"] |= {"THROTTLE": 60}
    start_campaign(make_campaign(numbers(15)))
    campaign = start_campaign(make_campaign(numbers(15, 100), throttle=600))

    campaign.refresh_from_db()
    assert campaign.next_send_at is None
    assert set(campaign.batches.values_list("attempts", flat=True)) == {0}


def test_campaign_without_throttle_leaves_at_once(platform):
    start_campaign(make_campaign(numbers(50)))

    assert sizes(platform) == [50]

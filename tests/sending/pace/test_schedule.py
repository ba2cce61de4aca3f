"""A campaign that starts later is held here until shortly before."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from django_hyber.models import Campaign, Suppression
from django_hyber.services import (
    CampaignError,
    cancel_campaign,
    dispatch,
    pause_campaign,
    resume_campaign,
    start_campaign,
    withdraw_campaign,
)
from tests.builders import make_campaign, posts, statuses
from tests.clocks import set_clocks
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clock(monkeypatch):
    moment = [timezone.now().replace(microsecond=0)]
    set_clocks(monkeypatch, lambda: moment[0])

    def put_on(**amount):
        moment[0] += timedelta(**amount)

    return put_on


@pytest.fixture
def scheduled(platform, clock):
    """It starts in a day."""
    campaign = make_campaign([phone(1), phone(2)], start_time=timezone.now() + timedelta(days=1))
    return start_campaign(campaign)


def test_nothing_leaves_before_the_lead_time(scheduled, platform, clock):
    clock(hours=23, minutes=49)
    dispatch()

    scheduled.refresh_from_db()
    assert scheduled.status == "scheduled"
    assert posts(platform) == []


@pytest.fixture
def two_accounts(platform, settings):
    good = settings.HYBER["default"]
    settings.HYBER = {"default": good, "promo": good | {"CALLBACK_TOKENS": ["token-of-the-promo-account"]}}
    return good


def test_account_with_a_mistake_does_not_hold_up_another_one(two_accounts, platform, settings, clock):
    campaigns = [
        start_campaign(make_campaign([phone(number)], account=name, start_time=timezone.now() + timedelta(days=1)))
        for number, name in enumerate(["default", "promo"])
    ]
    settings.HYBER = settings.HYBER | {"default": two_accounts | {"ASK_EVERY": 0}}
    clock(hours=23, minutes=51)
    dispatch()

    assert [statuses(campaign) for campaign in campaigns] == [["queued"], ["accepted"]]


def test_campaign_whose_account_has_a_mistake_goes_out_once_it_is_corrected(scheduled, platform, settings, clock):
    good = settings.HYBER
    settings.HYBER = {"default": good["default"] | {"NOT_FOUND_GRACE": 0}}
    clock(hours=23, minutes=51)
    dispatch()
    assert posts(platform) == []

    settings.HYBER = good
    dispatch()
    assert statuses(scheduled) == ["accepted", "accepted"]


def test_campaign_is_handed_over_before_its_start_with_the_start_on_the_wire(scheduled, platform, clock):
    clock(hours=23, minutes=51)
    dispatch()

    (body,) = posts(platform)
    assert body["start_time"] == scheduled.start_time.isoformat(sep=" ")
    assert statuses(scheduled) == ["accepted", "accepted"]


def test_hand_over_that_lasts_until_after_the_start_sends_the_rest_at_once(scheduled, platform, clock):
    clock(days=1, minutes=5)
    dispatch()

    (body,) = posts(platform)
    assert "start_time" not in body


def test_start_that_is_over_at_the_launch_is_passed_on_as_it_is(platform, clock):
    start_time = timezone.now() - timedelta(hours=5)
    start_campaign(make_campaign([phone(1)], start_time=start_time))

    assert posts(platform)[0]["start_time"] == start_time.isoformat(sep=" ")


def test_cancelled_schedule_sends_nothing(scheduled, platform, clock):
    cancel_campaign(scheduled)
    clock(days=1)
    dispatch()

    assert posts(platform) == []
    assert statuses(scheduled) == ["cancelled", "cancelled"]


def test_start_that_was_missed_waits_for_a_person(scheduled, platform, clock):
    clock(days=1, hours=1, minutes=1)
    dispatch()

    scheduled.refresh_from_db()
    assert (scheduled.status, posts(platform)) == ("paused", [])
    assert scheduled.status_reason.startswith("The start was missed")
    resume_campaign(scheduled)
    assert "start_time" not in posts(platform)[0]
    assert statuses(scheduled) == ["accepted", "accepted"]


def test_campaign_that_was_paused_over_its_start_time_has_started_when_it_was_resumed(scheduled, platform, clock):
    assert scheduled.started_at is None
    pause_campaign(scheduled)
    clock(days=2)
    resume_campaign(scheduled)

    assert scheduled.started_at == scheduled.sending_since > scheduled.start_time


def test_campaign_that_is_handed_over_early_has_started_at_its_start_time(scheduled, platform, clock):
    clock(hours=23, minutes=55)
    dispatch()
    scheduled.refresh_from_db()
    assert (len(posts(platform)), scheduled.started_at) == (1, None)

    clock(minutes=6)
    assert scheduled.started_at == scheduled.start_time


def test_later_pause_does_not_change_when_a_campaign_started(platform, clock):
    campaign = start_campaign(make_campaign([phone(number) for number in range(1, 41)], throttle=60))
    started = campaign.started_at
    pause_campaign(campaign)
    clock(hours=1)
    resume_campaign(campaign)

    assert campaign.started_at == started < campaign.sending_since


def test_withdrawn_schedule_is_a_draft_and_can_be_launched_anew(scheduled, platform, clock):
    withdraw_campaign(scheduled)
    assert (scheduled.status, scheduled.run, scheduled.batches.count()) == ("draft", 0, 0)

    scheduled.start_time = None
    scheduled.save()
    start_campaign(scheduled)
    assert statuses(scheduled) == ["accepted", "accepted"]


def test_running_campaign_cannot_be_withdrawn(platform):
    campaign = start_campaign(make_campaign([phone(1)]))

    with pytest.raises(CampaignError, match="finished"):
        withdraw_campaign(campaign)


def test_pause_of_a_schedule_outlives_its_time_and_resume_restores_it(scheduled, platform, clock):
    pause_campaign(scheduled)
    resume_campaign(scheduled)
    assert scheduled.status == "scheduled"

    pause_campaign(scheduled)
    clock(hours=23, minutes=55)
    dispatch()
    assert posts(platform) == []
    resume_campaign(scheduled)
    assert len(posts(platform)) == 1


def test_schedule_whose_recipients_have_all_opted_out_finishes_at_once_with_the_reason(scheduled, platform, clock):
    for number in (phone(1), phone(2)):
        Suppression.objects.create(phone_number=f"+{number}")
    clock(hours=23, minutes=55)
    dispatch()

    scheduled.refresh_from_db()
    assert (scheduled.status, posts(platform)) == ("finished", [])
    assert scheduled.status_reason.startswith("Nothing was sent")
    assert statuses(scheduled) == ["suppressed", "suppressed"]


def test_two_sweeps_hand_over_once(scheduled, platform, clock):
    clock(hours=23, minutes=55)
    dispatch()
    dispatch()

    assert len(posts(platform)) == 1


def test_account_that_is_gone_does_not_hold_up_the_others(scheduled, platform, settings, clock):
    lost = make_campaign([phone(3)])
    Campaign.objects.filter(pk=lost.pk).update(status="scheduled", account="gone", start_time=scheduled.start_time)
    clock(hours=23, minutes=55)
    dispatch()

    assert len(posts(platform)) == 1
    lost.refresh_from_db()
    assert lost.status == "scheduled"

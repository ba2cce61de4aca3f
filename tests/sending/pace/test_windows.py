"""Sending windows, by the clock where people live."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, time

import pytest
from django.db import IntegrityError
from django.urls import reverse

from django_hyber import tasks
from django_hyber.models import Campaign
from django_hyber.sending.pace.schedule import group_by_zone, next_opening, prefix_of, zone_of
from django_hyber.services import cancel_campaign, dispatch, start_campaign
from tests.builders import make_campaign, posts, statuses
from tests.clocks import set_clocks
from tests.samples import phone

KYIV, LISBON_OR_AZORES, NEW_YORK = "380671234500", "351912345678", "12125550123"
#: 10:00 in Kyiv, 03:00 in New York.
MORNING = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
WORKING_HOURS = {"window_start": time(9), "window_end": time(21)}


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        (KYIV, "Europe/Kyiv"),
        ("48501234567", "Europe/Warsaw"),
        (NEW_YORK, "America/New_York"),
        ("13125550123", "America/Chicago"),
        (LISBON_OR_AZORES, ""),
        ("79161234567", ""),
        ("999123456789", ""),
    ],
)
def test_number_tells_the_zone_or_none(number, zone):
    assert zone_of(prefix_of(number[:4])) == zone


@pytest.mark.parametrize(
    ("start", "end", "local", "opening"),
    [
        (time(9), time(21), "2026-11-25T09:00+02:00", None),
        (time(9), time(21), "2026-11-25T20:59+02:00", None),
        (time(9), time(21), "2026-11-25T08:59+02:00", "2026-11-25T09:00+02:00"),
        (time(9), time(21), "2026-11-25T21:00+02:00", "2026-11-26T09:00+02:00"),
        (time(22), time(6), "2026-11-25T23:30+02:00", None),
        (time(22), time(6), "2026-11-25T05:30+02:00", None),
        (time(22), time(6), "2026-11-25T12:00+02:00", "2026-11-25T22:00+02:00"),
        # The night in which clocks are put back.
        (time(9), time(21), "2026-10-24T22:00+03:00", "2026-10-25T09:00+02:00"),
        (time(3, 30), time(21), "2026-10-25T03:10+03:00", "2026-10-25T03:30+03:00"),
        (time(3, 30), time(21), "2026-10-25T03:10+02:00", "2026-10-25T03:30+02:00"),
    ],
)
def test_window_opens_by_the_local_clock(start, end, local, opening):
    campaign = Campaign(window_start=start, window_end=end)
    found = next_opening(campaign, "Europe/Kyiv", datetime.fromisoformat(local))

    assert found == (opening and datetime.fromisoformat(opening))


def test_number_that_tells_no_zone_goes_by_the_projects(settings):
    settings.TIME_ZONE = "Europe/Kyiv"
    campaign = Campaign(**WORKING_HOURS)

    assert next_opening(campaign, "", MORNING) is None
    assert next_opening(campaign, "America/New_York", MORNING) == datetime(2026, 11, 25, 14, 0, tzinfo=UTC)


def test_range_is_parted_by_zone():
    groups = group_by_zone([(1, KYIV), (2, NEW_YORK), (3, KYIV), (4, "48501234567")])

    assert groups == [
        ("Europe/Kyiv", 1, 3, 2, ["380"]),
        ("America/New_York", 2, 2, 1, ["1212"]),
        ("Europe/Warsaw", 4, 4, 1, ["48"]),
    ]


@pytest.mark.django_db
def test_window_needs_both_ends():
    with pytest.raises(IntegrityError):
        Campaign.objects.create(name="Half", window_start=time(9))


@pytest.mark.django_db(transaction=True)
class SendingTests:
    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch):
        self.moment = MORNING
        set_clocks(monkeypatch, lambda: self.moment)

    @pytest.fixture
    def mixed(self, platform):
        """Two in Kyiv and two in New York, in turns."""
        numbers = [phone(1), NEW_YORK, phone(2), "12125550199"]
        return make_campaign(numbers, **WORKING_HOURS)

    def test_only_those_are_written_to_whose_window_is_open(self, platform, mixed):
        start_campaign(mixed)

        assert numbers_of(posts(platform)) == [int(phone(1)), int(phone(2))]
        assert statuses(mixed) == ["accepted", "queued", "accepted", "queued"]
        waiting = mixed.batches.get(state="pending")
        assert waiting.due_at == datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
        assert waiting.waits_for == "window"

    def test_the_others_follow_when_theirs_opens(self, platform, mixed):
        start_campaign(mixed)
        self.moment = datetime(2026, 11, 25, 14, 1, tzinfo=UTC)
        dispatch()

        mixed.refresh_from_db()
        assert (mixed.status, statuses(mixed)) == ("finished", ["accepted"] * 4)
        assert (platform.ledger.taken, platform.ledger.duplicates) == (4, {})

    def test_people_whose_zone_is_unknown_here_wait_and_the_others_do_not(self, platform, mixed, forget_zones):
        forget_zones(package=True)
        start_campaign(mixed)

        assert statuses(mixed) == ["accepted", "queued", "accepted", "queued"]

    def test_page_says_why_people_whose_zone_is_unknown_here_wait(self, platform, mixed, forget_zones, admin_client):
        forget_zones(package=True)
        start_campaign(mixed)
        page = admin_client.get(reverse("admin:django_hyber_campaign_change", args=[mixed.pk]))

        assert "2 recipients in the time zone America/New_York cannot be sent to yet." in page.text
        assert "Install the Python package tzdata." in page.text

    def test_people_whose_zone_was_unknown_follow_when_it_is_known(self, platform, mixed, forget_zones):
        forget_zones(package=True)
        start_campaign(mixed)
        zoneinfo.reset_tzpath()
        self.moment = datetime(2026, 11, 25, 14, 1, tzinfo=UTC)
        dispatch()

        mixed.refresh_from_db()
        assert (mixed.status, statuses(mixed)) == ("finished", ["accepted"] * 4)

    def test_refused_request_ends_only_the_messages_of_its_own_zone(self, platform, mixed, settings):
        too_long = {"CALLBACK_BASE_URL": "https://shop.example/" + "p" * 256, "CALLBACK_TOKENS": ["token"]}
        settings.HYBER = {"default": settings.HYBER["default"] | too_long}
        start_campaign(mixed)

        assert statuses(mixed) == ["rejected", "queued", "rejected", "queued"]

    def test_lost_answer_leaves_the_other_zone_queued(self, platform, mixed):
        platform.fault("drop_answer")
        start_campaign(mixed)

        assert statuses(mixed) == ["unconfirmed", "queued", "unconfirmed", "queued"]

    def test_cancel_takes_those_who_wait_for_their_window(self, platform, mixed):
        start_campaign(mixed)
        cancel_campaign(mixed)

        assert statuses(mixed) == ["accepted", "cancelled", "accepted", "cancelled"]

    def test_early_task_does_not_shorten_the_wait_that_the_platform_wished(self, platform, mixed):
        start_campaign(mixed)
        wished = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
        waiting = mixed.batches.get(state="pending")
        mixed.batches.filter(pk=waiting.pk).update(due_at=wished)
        tasks.submit_batch.call(waiting.pk)

        assert mixed.batches.get(pk=waiting.pk).due_at == wished

    def test_window_holds_for_the_start_and_not_for_the_hand_over(self, platform, settings):
        self.moment = datetime(2026, 11, 25, 6, 55, tzinfo=UTC)
        campaign = make_campaign([phone(1)], start_time=datetime(2026, 11, 25, 7, 0, tzinfo=UTC), **WORKING_HOURS)
        start_campaign(campaign)

        assert statuses(campaign) == ["accepted"]
        assert posts(platform)[0]["start_time"] == "2026-11-25 07:00:00+00:00"


def numbers_of(bodies):
    return [recipient["phone_number"] for body in bodies for recipient in body["recipients"]]

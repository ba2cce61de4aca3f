"""The start time of a campaign: by which clock it is, how far away, and what no clock ever shows."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone, translation

from django_hyber.admin.campaigns.start_times import check_clock_time, described_moment, distance_from_now
from django_hyber.models import Campaign

ADD = "/admin/django_hyber/campaign/add/"
VIBER = {"channel": "viber", "position": "1", "text": "Hi", "ttl": "60"}
KYIV = "Europe/Kyiv"


def post(client, campaign_form, date, time):
    return client.post(ADD, campaign_form(VIBER, start_time_0=date, start_time_1=time))


def problem_of(local, zone):
    with pytest.raises(ValidationError) as caught:
        check_clock_time(datetime.fromisoformat(local), ZoneInfo(zone))
    return caught.value.code, caught.value.messages[0]


@pytest.fixture
def noon(monkeypatch):
    """It is two in the afternoon in Kyiv, and stays so."""
    moment = datetime(2026, 6, 10, 11, 0, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: moment)
    return moment


class FormTests:
    def test_the_time_is_that_of_the_clock_on_the_wall(self, admin_client, campaign_form):
        post(admin_client, campaign_form, "2036-07-01", "10:30")

        assert Campaign.objects.get().start_time == datetime(2036, 7, 1, 7, 30, tzinfo=UTC)

    def test_a_time_that_is_skipped_is_refused_beside_the_field(self, admin_client, campaign_form):
        response = post(admin_client, campaign_form, "2027-03-28", "03:30")

        (error,) = response.context["adminform"].form.errors["start_time"]
        assert error == (
            "There is no 03:30 on this day: in Europe/Kyiv the clocks go forward from 03:00 to 04:00. "
            "Choose a time before 03:00 or from 04:00 on."
        )
        assert not Campaign.objects.exists()

    def test_a_time_that_comes_twice_is_refused_beside_the_field(self, admin_client, campaign_form):
        response = post(admin_client, campaign_form, "2027-10-31", "03:30")

        (error,) = response.context["adminform"].form.errors["start_time"]
        assert error == (
            "03:30 comes twice on this day: in Europe/Kyiv the clocks go back from 04:00 to 03:00. "
            "Choose a time before 03:00 or from 04:00 on."
        )
        assert not Campaign.objects.exists()

    @pytest.mark.parametrize(
        ("date", "time"), [("2027-03-28", ""), ("", "10:00"), ("soon", "10:00"), ("2027-03-28", "x")]
    )
    def test_half_a_time_is_none(self, admin_client, campaign_form, date, time):
        response = post(admin_client, campaign_form, date, time)

        assert list(response.context["adminform"].form.errors) == ["start_time"]

    def test_no_time_is_at_once(self, admin_client, campaign_form):
        post(admin_client, campaign_form, "", "")

        assert Campaign.objects.get().start_time is None

    def test_the_form_says_when_that_is(self, admin_client, draft, noon):
        Campaign.objects.update(start_time=noon + timedelta(days=2, hours=3))

        page = html.unescape(admin_client.get(f"/admin/django_hyber/campaign/{draft.pk}/change/").content.decode())

        assert "The time is that of Europe/Kyiv." in page
        assert "June 12, 2026, 5 p.m. Europe/Kyiv (UTC+03:00), in 2 days, 3 hours" in page.replace("\xa0", " ")

    def test_each_input_has_a_label_of_its_own(self, admin_client, db):
        page = admin_client.get(ADD).content.decode()

        for number in (0, 1):
            assert f'<label for="id_start_time_{number}">' in page
            assert f'id="id_start_time_{number}"' in page


class ClockChangeTests:
    @pytest.mark.parametrize(
        ("local", "zone", "code", "start", "end"),
        [
            ("2026-03-29T03:00", KYIV, "skipped-time", "03:00", "04:00"),
            ("2026-03-29T03:59", KYIV, "skipped-time", "03:00", "04:00"),
            ("2026-10-25T03:00", KYIV, "doubled-time", "03:00", "04:00"),
            ("2026-10-25T03:59:59", KYIV, "doubled-time", "03:00", "04:00"),
            ("2026-03-08T02:30", "America/New_York", "skipped-time", "02:00", "03:00"),
            ("2026-11-01T01:30", "America/New_York", "doubled-time", "01:00", "02:00"),
            # Half an hour, at two.
            ("2026-10-04T02:15", "Australia/Lord_Howe", "skipped-time", "02:00", "02:30"),
            ("2026-04-05T01:45", "Australia/Lord_Howe", "doubled-time", "01:30", "02:00"),
            # A whole day that the calendar left out.
            ("2011-12-30T12:00", "Pacific/Apia", "skipped-time", "00:00", "00:00"),
        ],
    )
    def test_it_is_said_which_times_are_possible(self, local, zone, code, start, end):
        found, text = problem_of(local, zone)

        assert found == code
        assert f"before {start} or from {end} on" in text
        assert zone in text

    @pytest.mark.parametrize(
        ("local", "zone"),
        [
            ("2026-03-29T02:59:59", KYIV),
            ("2026-03-29T04:00", KYIV),
            ("2026-10-25T02:59:59", KYIV),
            ("2026-10-25T04:00", KYIV),
            ("2026-06-10T03:30", KYIV),
            ("2026-03-29T03:30", "Asia/Tokyo"),
        ],
    )
    def test_every_other_time_is_one_moment(self, local, zone):
        check_clock_time(datetime.fromisoformat(local), ZoneInfo(zone))

    def test_the_reader_is_told_in_the_own_language(self):
        with translation.override("uk"):
            _code, text = problem_of("2026-03-29T03:30", KYIV)

        assert "03:30" in text
        assert "clocks" not in text


class DistanceTests:
    @pytest.mark.parametrize(
        ("distance", "text"),
        [
            (timedelta(days=2, hours=3), "in 2 days, 3 hours"),
            (timedelta(minutes=5), "in 5 minutes"),
            (timedelta(minutes=-5), "5 minutes ago"),
            (timedelta(days=-40), "1 month, 1 week ago"),
            (timedelta(0), "0 minutes ago"),
        ],
    )
    def test_how_far_a_moment_is_away(self, noon, distance, text):
        assert distance_from_now(noon + distance).replace("\xa0", " ").startswith(text)

    def test_a_moment_with_its_zone_west_of_greenwich(self, noon):
        with timezone.override("America/St_Johns"):
            told = described_moment(noon + timedelta(hours=1))

        assert told.replace("\xa0", " ") == "June 10, 2026, 9:30 a.m. America/St_Johns (UTC-02:30), in 1 hour"

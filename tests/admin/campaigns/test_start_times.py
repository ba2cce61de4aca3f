"""The start time of a campaign: by which clock it is, how far away, and what no clock ever shows."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from django_hyber.admin.campaigns.form import described_moment, distance_from_now
from django_hyber.models import Campaign

ADD = "/admin/django_hyber/campaign/add/"
VIBER = {"channel": "viber", "position": "1", "text": "Hi", "ttl": "60"}


def post(client, campaign_form, date, time):
    return client.post(ADD, campaign_form(VIBER, start_time_0=date, start_time_1=time))


@pytest.fixture
def noon(monkeypatch):
    """It is two in the afternoon in Kyiv, and stays so."""
    moment = datetime(2026, 6, 10, 11, 0, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: moment)
    return moment


@pytest.mark.usefixtures("noon")
class FormTests:
    def test_the_time_is_that_of_the_clock_on_the_wall(self, admin_client, campaign_form):
        post(admin_client, campaign_form, "2026-07-01", "10:30")

        assert Campaign.objects.get().start_time == datetime(2026, 7, 1, 7, 30, tzinfo=UTC)

    @pytest.mark.parametrize("date", ["2027-06-12", "2062-06-10", "9999-12-31"])
    def test_a_time_more_than_a_year_ahead_is_refused_beside_the_field(self, admin_client, campaign_form, date):
        response = post(admin_client, campaign_form, date, "23:59")

        (error,) = response.context["adminform"].form.errors["start_time"]
        assert error == "The start time is more than a year ahead."
        assert not Campaign.objects.exists()

    @pytest.mark.parametrize("date", ["0001-01-01", "0026-07-01"])
    def test_a_time_before_there_were_messages_is_refused_beside_the_field(self, admin_client, campaign_form, date):
        response = post(admin_client, campaign_form, date, "00:30")

        (error,) = response.context["adminform"].form.errors["start_time"]
        assert error.startswith("Ensure this value is greater than or equal to")
        assert not Campaign.objects.exists()

    @pytest.mark.parametrize("date", ["2027-03-28", "2026-10-25"], ids=["skipped", "twice"])
    def test_a_time_that_is_no_moment_or_two_is_refused_beside_the_field(self, admin_client, campaign_form, date):
        response = post(admin_client, campaign_form, date, "03:30")

        (error,) = response.context["adminform"].form.errors["start_time"]
        assert error.startswith("In Europe/Kyiv the clocks change on that day")
        assert not Campaign.objects.exists()

    @pytest.mark.parametrize(
        ("date", "time"), [("2027-03-28", "02:59"), ("2027-03-28", "04:00"), ("2026-10-25", "04:00")]
    )
    def test_every_other_time_of_that_day_is_one_moment(self, admin_client, campaign_form, date, time):
        post(admin_client, campaign_form, date, time)

        assert Campaign.objects.exists()

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

        assert "The time is in the Europe/Kyiv time zone." in page
        assert "06/12/2026 5 pm Europe/Kyiv (UTC+03:00), in 2 days, 3 hours" in page.replace("\xa0", " ")

    def test_each_input_has_a_label_of_its_own(self, admin_client, db):
        page = admin_client.get(ADD).content.decode()

        for number in (0, 1):
            assert f'<label for="id_start_time_{number}">' in page
            assert f'id="id_start_time_{number}"' in page


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

        assert told.replace("\xa0", " ") == "06/10/2026 9:30 am America/St_Johns (UTC-02:30), in 1 hour"

"""What a campaign waits for and how fast it goes: told from its batches, and said on its page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from django_hyber.admin.campaigns.wait_texts import distance, pace_text, wait_line
from django_hyber.models import AccountState, Batch, Campaign, Message
from django_hyber.protocol import WhatsApp
from django_hyber.statistics.progress import campaign_progress
from django_hyber.statistics.waits import CampaignWait, Pace, Standstill, pace_of, read_batches, waits_of
from tests.queries import statements_of

NOW = datetime(2026, 6, 10, 11, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Status = Campaign.Status
WaitsFor = Batch.WaitsFor
TO_DECIDE = ("batches-to-decide", "messages-to-decide")


def plain(text):
    return text.replace("\xa0", " ")


@pytest.fixture(autouse=True)
def still_clock(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.fixture
def campaign(db):
    return Campaign.objects.create(name="Spring sale", status=Status.SENDING, run=1, launched_at=NOW - HOUR)


def set_to(campaign, **values):
    Campaign.objects.filter(pk=campaign.pk).update(**values)
    campaign.refresh_from_db()
    return campaign


def add_batch(campaign, size, state=Batch.State.PENDING, **values):
    first = campaign.batches.count() * 1_000 + 1
    values = {"run": campaign.run, "created_at": NOW - HOUR, **values}
    return Batch.objects.create(
        campaign=campaign, first_id=first, last_id=first + 999, size=size, state=state, **values
    )


def waits(campaign, accepted=0, unconfirmed=0):
    """What is waited for: the kind, by how many people and until when."""
    batches = read_batches(campaign, NOW)
    found = waits_of(campaign, batches, accepted=accepted, unconfirmed=unconfirmed, now=NOW)
    return [(wait.standstill.value, wait.people, wait.until) for wait in found]


def texts(campaign, accepted=0, unconfirmed=0):
    """The same in words."""
    batches = read_batches(campaign, NOW)
    found = waits_of(campaign, batches, accepted=accepted, unconfirmed=unconfirmed, now=NOW)
    return [plain(wait_line(campaign, wait, NOW).text) for wait in found]


class WaitTests:
    def test_a_scheduled_campaign_waits_for_its_start(self, campaign):
        set_to(campaign, status=Status.SCHEDULED, start_time=NOW + 2 * HOUR)

        assert waits(campaign) == [("scheduled", 0, NOW + 2 * HOUR)]
        assert texts(campaign) == ["Sending starts at 06/10/2026 4 pm, in 2 hours."]

    @pytest.mark.parametrize("start_time", [None, NOW, NOW - HOUR])
    def test_a_start_that_has_come_is_about_to_be(self, campaign, start_time):
        set_to(campaign, status=Status.SCHEDULED, start_time=start_time)

        assert texts(campaign) == ["Sending is about to start."]

    def test_a_paused_campaign_waits_for_a_person(self, campaign):
        set_to(campaign, status=Status.PAUSED)
        assert texts(campaign) == ["Paused: nothing is sent until the campaign is resumed."]

        set_to(campaign, status_reason="The platform refuses the password.")
        assert texts(campaign) == ["Paused: The platform refuses the password."]

    def test_a_paused_campaign_does_not_promise_that_its_requests_go_out(self, campaign):
        add_batch(campaign, 10)
        set_to(campaign, status=Status.PAUSED)

        assert [name for name, _people, _until in waits(campaign)] == ["paused"]

    def test_an_account_that_the_platform_does_not_answer(self, campaign):
        AccountState.objects.create(account="default", blocked_until=NOW + 5 * MINUTE, reason="Connection refused")

        assert waits(campaign) == [("blocked", 0, NOW + 5 * MINUTE)]
        assert texts(campaign) == [
            "The platform did not accept the last requests of the account “default”. Next try in 5 minutes. "
            "Connection refused"
        ]

    @pytest.mark.parametrize("blocked_until", [None, NOW, NOW - HOUR])
    def test_an_account_that_is_tried_again_is_no_reason_to_wait(self, campaign, blocked_until):
        AccountState.objects.create(account="default", blocked_until=blocked_until)
        AccountState.objects.create(account="other", blocked_until=NOW + HOUR)

        assert waits(campaign) == []

    def test_the_throttle_of_the_campaign_or_the_account_the_later_of_them(self, campaign):
        set_to(campaign, next_send_at=NOW + 20 * SECOND)
        assert waits(campaign) == [("throttle", 0, NOW + 20 * SECOND)]
        assert texts(campaign) == ["The throttle allows the next request in less than a minute."]

        AccountState.objects.create(account="default", next_send_at=NOW + 90 * SECOND)
        assert waits(campaign) == [("throttle", 0, NOW + 90 * SECOND)]

    def test_who_is_next(self, campaign):
        add_batch(campaign, 1)
        assert texts(campaign) == ["1 recipient is next."]

        add_batch(campaign, 1_499, due_at=NOW - HOUR)
        assert texts(campaign) == ["1,500 recipients are next."]

    def test_who_waits_for_the_time_of_day(self, campaign):
        add_batch(campaign, 4, zone="America/New_York", waits_for=WaitsFor.WINDOW, due_at=NOW + 3 * HOUR)
        add_batch(campaign, 6, zone="America/New_York", waits_for=WaitsFor.WINDOW, due_at=NOW + 2 * HOUR)
        add_batch(campaign, 1, waits_for=WaitsFor.WINDOW, due_at=NOW + HOUR)

        assert waits(campaign) == [("window", 1, NOW + HOUR), ("window", 10, NOW + 2 * HOUR)]
        assert texts(campaign) == [
            "1 recipient in the time zone Europe/Kyiv waits for the sending window, which opens in 1 hour.",
            "10 recipients in the time zone America/New_York wait for the sending window, which opens in 2 hours.",
        ]

    def test_who_waits_because_the_time_zone_is_unknown(self, campaign):
        values = {"zone": "Asia/Calcutta", "waits_for": WaitsFor.WINDOW, "due_at": NOW + 5 * MINUTE}
        add_batch(campaign, 3, error_text="Install it.", **values)

        assert waits(campaign) == [("zone", 3, NOW + 5 * MINUTE)]
        assert texts(campaign) == [
            "3 recipients in the time zone Asia/Calcutta cannot be sent to yet. Next try in 5 minutes. Install it."
        ]

    @pytest.mark.parametrize("status", [Status.SCHEDULED, Status.SENDING, Status.PAUSED])
    def test_an_account_with_a_mistake_in_its_settings(self, campaign, settings, status):
        set_to(campaign, status=status)
        settings.HYBER = {"default": {"LEASE": 0}}

        assert texts(campaign)[-1].startswith(
            "Nothing is sent, because the settings of the account “default” are missing or wrong. "
            "HYBER['default']['LEASE'] is 0; it must be"
        )

    def test_an_account_that_the_settings_do_not_have(self, campaign):
        set_to(campaign, account="gone")

        assert [name for name, _people, _until in waits(campaign)] == ["settings"]

    def test_what_was_not_taken_is_tried_again(self, campaign):
        add_batch(campaign, 1, waits_for=WaitsFor.RETRY, error_text="HTTP 503", due_at=NOW + 2 * MINUTE)

        assert texts(campaign) == [
            "The platform did not accept the request for 1 recipient. Next try in 2 minutes. HTTP 503"
        ]

    def test_what_waits_for_the_account_is_merely_next(self, campaign):
        add_batch(campaign, 5, waits_for=WaitsFor.PLATFORM, due_at=NOW + HOUR)

        assert waits(campaign) == [("queued", 5, None)]

    def test_what_is_on_the_wire(self, campaign):
        add_batch(campaign, 2, Batch.State.SENDING)

        assert texts(campaign) == ["2 recipients are in requests that are waiting for an answer."]
        set_to(campaign, status=Status.PAUSED)
        assert [name for name, _people, _until in waits(campaign)] == ["paused", "on-the-wire"]

    def test_what_is_in_doubt(self, campaign):
        add_batch(campaign, 2, Batch.State.UNCONFIRMED)
        add_batch(campaign, 3, Batch.State.UNCONFIRMED, error_text="Read timed out.")

        assert texts(campaign) == [
            "It is unknown whether the platform has accepted the requests for 5 recipients: it is being queried. "
            "Read timed out."
        ]

    def test_what_needs_a_decision(self, campaign):
        long_ago, lately = NOW - 2 * HOUR, NOW - 50 * MINUTE
        add_batch(campaign, 2, Batch.State.UNCONFIRMED, not_found_after=lately)
        add_batch(campaign, 3, Batch.State.UNCONFIRMED, not_found_after=long_ago)
        add_batch(campaign, 4, Batch.State.UNCONFIRMED, not_found_after=long_ago, run=0)
        add_batch(campaign, 5, Batch.State.DONE, not_found_after=long_ago)
        for number, moment in enumerate((lately, long_ago, None)):
            Message.objects.create(
                campaign=campaign,
                phone_number=f"38067000000{number}",
                extra_id=f"{number}",
                status=Message.Status.UNCONFIRMED,
                not_found_after=moment,
            )

        found = waits(campaign, unconfirmed=1)

        assert found == [("unconfirmed", 5, None), ("batches-to-decide", 7, None), ("messages-to-decide", 1, None)]
        assert texts(campaign, unconfirmed=1)[1:] == [
            "There is no proof whether the platform accepted the requests for 7 recipients: a person has to decide.",
            "There is no proof whether the platform accepted the request for 1 recipient: a person has to decide.",
        ]

    def test_what_the_platform_has_not_reported_yet(self, campaign):
        assert texts(campaign, accepted=1) == ["1 message is with the platform, which has not reported the result yet."]

    def test_reports_are_not_waited_for_for_ever(self, campaign):
        set_to(campaign, status=Status.FINISHED, finished_at=NOW - DAY)
        assert [name for name, _people, _until in waits(campaign, accepted=1)] == ["reports"]

        set_to(campaign, finished_at=NOW - 30 * DAY)
        assert waits(campaign, accepted=1) == []

    @pytest.mark.parametrize(("days", "expected"), [(9, ["reports"]), (11, [])])
    def test_reports_are_waited_for_while_channels_have_time_and_the_platform_is_queried(
        self, campaign, days, expected
    ):
        """A week of WhatsApp, then three days of queries."""
        set_to(campaign, status=Status.DRAFT)
        campaign.set_channels([WhatsApp(text="Hi", ttl=604_800)])
        set_to(campaign, status=Status.FINISHED, finished_at=NOW - days * DAY)

        assert [name for name, _people, _until in waits(campaign, accepted=1)] == expected

    def test_reports_are_waited_for_from_the_start_of_what_was_handed_over_before_it(self, campaign):
        set_to(campaign, status=Status.FINISHED, finished_at=NOW - 4 * DAY, start_time=NOW - 2 * DAY)

        assert [name for name, _people, _until in waits(campaign, accepted=1)] == ["reports"]

    def test_what_a_former_run_has_left_is_over(self, campaign):
        add_batch(campaign, 7)
        set_to(campaign, run=2)

        assert waits(campaign) == []

    def test_all_at_once_in_the_order_of_their_weight(self, campaign):
        AccountState.objects.create(account="default", blocked_until=NOW + HOUR, next_send_at=NOW + MINUTE)
        add_batch(campaign, 1)
        add_batch(campaign, 2, waits_for=WaitsFor.WINDOW, due_at=NOW + HOUR)
        add_batch(campaign, 3, Batch.State.SENDING)
        add_batch(campaign, 4, Batch.State.UNCONFIRMED)

        names = [name for name, _people, _until in waits(campaign, accepted=5)]

        assert names == ["blocked", "throttle", "queued", "window", "on-the-wire", "unconfirmed", "reports"]

    def test_what_may_need_a_person_stands_out(self, campaign):
        alarming = {kind for kind in Standstill if wait_line(campaign, CampaignWait(standstill=kind), NOW).is_alarming}

        assert alarming == {"paused", "settings", "blocked", "zone", "retry", "unconfirmed", *TO_DECIDE}

    def test_the_same_queries_whatever_the_number_of_batches(self, campaign):
        used = []
        for _ in range(2):
            for number in range(20):
                add_batch(campaign, 1, zone=f"Zone/{number}", waits_for=WaitsFor.WINDOW, due_at=NOW + HOUR)
            used.append(len(statements_of(texts, campaign)))

        assert used == [2, 2]


class PaceTests:
    def pace(self, campaign):
        return pace_of(campaign, read_batches(campaign, NOW), NOW)

    def test_the_rate_is_that_of_the_last_minutes(self, campaign):
        add_batch(campaign, 9_000, Batch.State.DONE, finished_at=NOW - 6 * MINUTE)
        add_batch(campaign, 600, Batch.State.DONE, finished_at=NOW - 4 * MINUTE)
        add_batch(campaign, 400, Batch.State.DONE, finished_at=NOW)
        add_batch(campaign, 600, Batch.State.FAILED, finished_at=NOW)
        add_batch(campaign, 1_500)
        add_batch(campaign, 500, Batch.State.SENDING)

        assert self.pace(campaign) == Pace(per_minute=200, left=timedelta(minutes=10))
        assert plain(pace_text(self.pace(campaign))) == "200 recipients per minute, about 10 minutes left"

    def test_a_campaign_that_has_just_begun_is_measured_by_its_own_time(self, campaign):
        add_batch(campaign, 100, Batch.State.DONE, created_at=NOW - MINUTE, finished_at=NOW)
        add_batch(campaign, 100, created_at=NOW - MINUTE)

        assert self.pace(campaign) == Pace(per_minute=100, left=MINUTE)

    def test_rate_at_the_start_is_not_above_the_throttle(self, campaign):
        set_to(campaign, throttle=60)
        add_batch(campaign, 10, Batch.State.DONE, created_at=NOW - MINUTE / 30, finished_at=NOW)
        add_batch(campaign, 120, created_at=NOW - MINUTE / 30)

        assert self.pace(campaign) == Pace(per_minute=60, left=2 * MINUTE)

    @pytest.mark.parametrize(("own", "account", "minutes"), [(60, None, 2), (None, 30, 4), (60, 30, 4), (20, 30, 6)])
    def test_before_anything_has_gone_out_the_throttle_foretells_it(self, campaign, settings, own, account, minutes):
        settings.HYBER = {"default": {**settings.HYBER["default"], "THROTTLE": account}}
        set_to(campaign, throttle=own)
        add_batch(campaign, 120)

        assert self.pace(campaign) == Pace(per_minute=None, left=timedelta(minutes=minutes))

    def test_time_left_includes_a_closed_window(self, campaign):
        opening = timezone.localtime(NOW + 2 * HOUR)
        set_to(campaign, throttle=60, window_start=opening.time(), window_end=(opening + HOUR).time())
        add_batch(campaign, 120)

        assert self.pace(campaign).left == timedelta(hours=2, minutes=2)

    def test_window_that_closes_on_the_rest_makes_it_wait_for_the_next_day(self, campaign):
        opening = timezone.localtime(NOW - HOUR)
        closing = timezone.localtime(NOW + MINUTE)
        set_to(campaign, throttle=60, window_start=opening.time(), window_end=closing.time())
        add_batch(campaign, 120)

        assert self.pace(campaign).left == timedelta(hours=23, minutes=1)

    def test_time_zone_whose_window_opens_later_is_a_part_of_the_time_left(self, campaign):
        set_to(campaign, throttle=60, window_start="09:00", window_end="18:00")
        add_batch(campaign, 120)
        add_batch(campaign, 60, zone="America/New_York")

        # Nine in New York is four in the afternoon in Kyiv, where it is two.
        assert self.pace(campaign).left == timedelta(hours=2, minutes=1)

    def test_time_zone_that_is_unknown_here_leaves_the_end_open(self, campaign):
        set_to(campaign, throttle=60, window_start="09:00", window_end="18:00")
        add_batch(campaign, 120, zone="Nowhere/Land")

        assert self.pace(campaign).left is None

    def test_account_that_cannot_send_leaves_the_end_open(self, campaign):
        set_to(campaign, throttle=60)
        add_batch(campaign, 120)
        AccountState.objects.create(account=campaign.account, host=AccountState.Host.BULK, held_since=NOW)

        assert campaign_progress(campaign).pace.left is None

    def test_without_any_of_them_nothing_is_foretold(self, campaign):
        add_batch(campaign, 120)

        assert self.pace(campaign) == Pace(per_minute=None, left=None)
        assert pace_text(self.pace(campaign)) == ""

    def test_an_account_that_is_gone_has_no_throttle(self, campaign):
        set_to(campaign, account="gone")
        add_batch(campaign, 120)

        assert self.pace(campaign) == Pace(per_minute=None, left=None)

    def test_when_nobody_is_left_no_time_is_left(self, campaign):
        add_batch(campaign, 60, Batch.State.DONE, finished_at=NOW)

        assert self.pace(campaign) == Pace(per_minute=12, left=None)
        assert pace_text(self.pace(campaign)) == "12 recipients per minute"

    @pytest.mark.parametrize("status", [status for status in Status if status != Status.SENDING])
    def test_only_a_campaign_on_its_way_has_a_pace(self, campaign, status):
        set_to(campaign, status=status)

        assert self.pace(campaign) is None
        assert pace_text(None) == ""

    def test_less_than_a_minute_is_said_as_such(self):
        assert distance(NOW + 59 * SECOND, NOW) == "less than a minute"
        assert plain(pace_text(Pace(per_minute=1, left=SECOND))) == "1 recipient per minute, about 1 minute left"


class PageTests:
    def test_the_page_of_the_campaign_says_it(self, admin_client, campaign, add_recipients):
        add_recipients(campaign, 3)
        add_batch(campaign, 3)
        add_batch(campaign, 60, Batch.State.DONE, finished_at=NOW)
        AccountState.objects.create(account="default", blocked_until=NOW + HOUR)

        page = admin_client.get(reverse("admin:django_hyber_campaign_progress", args=[campaign.pk])).content.decode()

        found = re.findall(r'<li data-wait="([\w-]+)"( class="hyber-alarming")?>', page)
        assert found == [("blocked", ' class="hyber-alarming"'), ("queued", "")]
        assert "<li data-pace>12 recipients per minute</li>" in page

    def test_a_campaign_that_goes_on_by_itself_is_followed(self, admin_client, campaign, add_recipients):
        add_recipients(campaign, 1, status=Message.Status.ACCEPTED)
        address = reverse("admin:django_hyber_campaign_progress", args=[campaign.pk])
        refreshes = {}
        for status, ended in (("sending", None), ("paused", None), ("finished", NOW), ("finished", NOW - 30 * DAY)):
            set_to(campaign, status=status, finished_at=ended)
            page = admin_client.get(address).content.decode()
            refreshes[status, ended] = re.search(r'data-refresh="(\d*)"', page)[1]

        assert list(refreshes.values()) == ["2", "2", "2", ""]

    @pytest.fixture
    def undecided(self, campaign, add_recipients):
        """A batch and a message by itself about which a person has to decide."""
        long_ago = NOW - 2 * HOUR
        first, *_others = add_recipients(campaign, 3, status=Message.Status.UNCONFIRMED)
        Message.objects.filter(pk=first.pk).update(not_found_after=long_ago)
        add_batch(campaign, 2, Batch.State.UNCONFIRMED, not_found_after=long_ago)
        add_batch(campaign, 1, Batch.State.DONE)
        return campaign

    def test_what_needs_a_decision_leads_to_the_lists_of_it(self, admin_client, undecided):
        page = admin_client.get(reverse("admin:django_hyber_campaign_progress", args=[undecided.pk])).content.decode()

        links = dict(re.findall(r'<li data-wait="([a-z]+-to-decide)"[^>]*>[^<]*<a href="(.*?)">', page))
        shown = {name: admin_client.get(unescape(link)).context["cl"].result_count for name, link in links.items()}
        assert shown == {"batches-to-decide": 1, "messages-to-decide": 3}

    def test_it_is_said_without_links_to_users_who_may_not_see_the_lists(self, client, undecided, log_in):
        log_in("view_campaign")

        page = client.get(reverse("admin:django_hyber_campaign_progress", args=[undecided.pk])).content.decode()

        assert "a person has to decide." in page
        assert "Show the" not in page

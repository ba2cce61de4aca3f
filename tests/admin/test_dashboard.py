"""The index page of the app: every number on it against the database, and against the list that it leads to."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from django_hyber.models import (
    AccountState,
    Batch,
    Campaign,
    DeliveryReport,
    Message,
    Reply,
    Suppression,
    UnreadableCallback,
)
from django_hyber.statistics import dashboard
from django_hyber.statistics.dashboard import midnight

PAGE = "/admin/django_hyber/"
FIGURE = re.compile(r'<li data-figure="(?P<name>[\w-]+)">(?P<body>.*?)</li>', re.DOTALL)
NUMBER = re.compile(r"<b>(.*?)</b>")
LINK = re.compile(r'<a href="(.*?)">')
Status = Message.Status
Running = Campaign.Status
#: 14:00 in Kyiv.
NOON = datetime(2026, 6, 10, 11, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def figures(client):
    """The numbers of the page by name: what stands there and where it leads."""
    page = client.get(PAGE).content.decode()
    found = {}
    for name, body in FIGURE.findall(page):
        link = LINK.search(body)
        found[name] = (NUMBER.search(body)[1], html.unescape(link[1]) if link else "")
    return found


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def launch(campaign, **values):
    values = {"status": Running.SENDING, "run": 1, "launched_at": timezone.now() - HOUR, **values}
    Campaign.objects.filter(pk=campaign.pk).update(**values)
    campaign.refresh_from_db()
    return campaign


def single(number, **values):
    return Message.objects.create(phone_number=f"38050{number:07}", extra_id=f"single-{number}", **values)


def report(number, message=None, **values):
    return DeliveryReport.objects.create(
        account="default", fingerprint=str(number), message=message, raw={}, hyber_message_id=f"m-{number}", **values
    )


@pytest.fixture
def launched(draft):
    Batch.objects.create(campaign=draft, first_id=1, last_id=10**9, size=100, state="done")
    return launch(draft)


@pytest.fixture
def busy_day(launched, add_recipients):
    """Ends of today in every status, some alone and some in a campaign, and ends of yesterday beside them."""
    now = timezone.now()
    today, yesterday = midnight(now), midnight(now) - timedelta(seconds=1)
    ends = (
        (Status.DELIVERED, "viber", 5, 1),
        (Status.DELIVERED, "sms", 3, 2),
        (Status.SEEN, "viber", 2, 1),
        (Status.EXPIRED, "", 4, 1),
        (Status.UNDELIVERED, "", 1, 2),
        (Status.REJECTED, "", 0, 3),
    )
    number = 0
    for status, channel, in_campaign, alone in ends:
        add_recipients(launched, in_campaign, status=status, channel=channel, finished_at=today)
        add_recipients(launched, 1, status=status, channel=channel, finished_at=yesterday)
        for _ in range(alone):
            number += 1
            single(number, status=status, channel=channel, finished_at=now)
        number += 1
        single(number, status=status, channel=channel, finished_at=yesterday)
    return launched


class TodayTests:
    def test_every_number_is_that_of_the_database_and_of_the_list_behind_it(self, admin_client, busy_day):
        found = figures(admin_client)
        ended = Message.objects.filter(finished_at__gte=midnight(timezone.now()))

        for status in (Status.SEEN, Status.EXPIRED, Status.UNDELIVERED, Status.REJECTED):
            text, url = found[status.value]
            assert text == str(ended.filter(status=status).count()), status
            listed = admin_client.get(url).context["cl"]
            assert listed.result_count == int(text), status
            assert {row.status for row in listed.result_list} == {status}
        text, url = found["delivered"]
        assert text == str(ended.filter(status__in=(Status.DELIVERED, Status.SEEN)).count()) == "14"
        assert admin_client.get(url).context["cl"].result_count == 14

    def test_the_channels_that_delivered(self, admin_client, busy_day):
        page = admin_client.get(PAGE).content.decode()

        rows = re.findall(
            r'<tr data-channel="(\w*)">.*?<td class="hyber-number">(.*?)</td>\s*<td class="hyber-number">(.*?)</td>',
            page,
            re.DOTALL,
        )
        assert rows == [("viber", "9", "64.3 %"), ("sms", "5", "35.7 %")]

    def test_a_delivery_of_an_unnamed_channel_is_counted_too(self, admin_client, db):
        single(1, status=Status.DELIVERED, finished_at=timezone.now())

        assert "not reported 1 100 %" in text_of(admin_client.get(PAGE).content.decode())

    def test_the_bar_adds_up_to_what_has_ended(self, admin_client, busy_day):
        page = admin_client.get(PAGE).content.decode()

        described = re.search(r'<desc id="hyber-today-bar-desc">(.*?)</desc>', page)[1]
        assert [int(count) for count in re.findall(r": (\d+) \(", described)] == [3, 11, 5, 3, 3]

    def test_every_chart_has_a_name(self, admin_client, busy_day):
        page = admin_client.get(PAGE).content.decode()

        names = re.findall(r'<title id="[\w-]+">(.*?)</title>', page)
        assert names == [
            "Results of the messages that ended today",
            "Which channel delivered today",
            "Messages by status",
        ]

    def test_an_empty_day_is_nothing_to_click_on(self, admin_client, db):
        found = figures(admin_client)

        names = ("delivered", "seen", "expired", "undelivered", "rejected")
        assert [found[name] for name in names] == [("0", "")] * len(names)

    def test_the_day_begins_at_midnight_by_the_clock_of_the_reader(self, launched, add_recipients):
        launch(launched, launched_at=NOON - DAY)
        # Midnight in Kyiv is nine in the evening of UTC, in summer.
        add_recipients(launched, 1, status=Status.DELIVERED, finished_at=datetime(2026, 6, 9, 21, 0, tzinfo=UTC))
        add_recipients(launched, 1, status=Status.DELIVERED, finished_at=datetime(2026, 6, 9, 20, 59, tzinfo=UTC))

        assert dashboard.today(NOON).delivered == 1
        with timezone.override(UTC):
            assert dashboard.today(NOON).delivered == 0

    def test_what_failed_is_what_did_not_arrive(self, busy_day):
        today = dashboard.today(timezone.now())

        assert today.failed == 5 + 3 + 3
        assert today.delivered + today.failed == sum(today.statuses.values())

    def test_a_campaign_that_goes_on_for_weeks_counts_and_one_that_ended_long_ago_does_not(self, draft, add_recipients):
        long = launch(Campaign.objects.create(name="Long"), launched_at=NOON - 50 * DAY)
        over = launch(draft, launched_at=NOON - 50 * DAY, finished_at=NOON - 40 * DAY, status=Running.FINISHED)
        late = launch(
            Campaign.objects.create(name="Late"),
            launched_at=NOON - 50 * DAY,
            finished_at=NOON - 40 * DAY,
            start_time=NOON - HOUR,
            status=Running.FINISHED,
        )
        for campaign in (long, over, late):
            add_recipients(campaign, 1, status=Status.DELIVERED, finished_at=NOON)

        assert dashboard.today(NOON).delivered == 2

    def test_the_list_of_today_begins_at_the_lowest_key_of_today(self, launched, add_recipients):
        rows = add_recipients(launched, 3, status=Status.DELIVERED, finished_at=timezone.now())
        first = Message.objects.order_by("pk").first().pk
        Batch.objects.update(first_id=first)
        early = list(dashboard.ended_today(Message.objects.all(), timezone.now()))
        Message.objects.filter(pk=first).update(campaign=None)
        Batch.objects.update(first_id=first + 1)

        assert len(early) == dashboard.ended_today(Message.objects.all(), timezone.now()).count() == len(rows)

    def test_messages_with_and_without_other_channels_count(self, launched, add_recipients):
        ended = {"status": Status.DELIVERED, "finished_at": timezone.now()}
        add_recipients(launched, 2, channel="viber", **ended)
        add_recipients(launched, 3, channel="sms", other_channels="viber:expired", **ended)

        assert dashboard.today(timezone.now()).channels == {"viber": 2, "sms": 3}


class WaitingTests:
    def test_what_is_still_to_come(self, admin_client, launched, add_recipients):
        Batch.objects.create(campaign=launched, first_id=10**9 + 1, last_id=10**9 + 70, size=70)
        Batch.objects.create(campaign=launched, first_id=10**9 + 71, last_id=10**9 + 75, size=5)
        Batch.objects.create(campaign=launched, first_id=10**9 + 76, last_id=10**9 + 80, size=9, state="sending")
        paused = launch(Campaign.objects.create(name="Paused"), status=Running.PAUSED)
        Batch.objects.create(campaign=paused, first_id=1, last_id=2, size=2)
        later = launch(Campaign.objects.create(name="Later"), status=Running.SCHEDULED)
        Batch.objects.create(campaign=later, first_id=11, last_id=40, size=30)
        add_recipients(launched, 4, status=Status.ACCEPTED)
        single(1)
        single(2)
        single(3, status=Status.ACCEPTED)

        found = figures(admin_client)

        campaigns = ("waiting-sending", "waiting-scheduled", "waiting-paused")
        assert [found[name][0] for name in (*campaigns, "queued", "accepted")] == ["75", "30", "2", "2", "5"]
        assert [admin_client.get(found[name][1]).context["cl"].result_count for name in campaigns] == [1, 1, 1]
        assert admin_client.get(found["queued"][1]).context["cl"].result_count == 2
        assert admin_client.get(found["accepted"][1]).context["cl"].result_count == 5

    def test_beyond_what_is_worth_counting_it_says_more(self, admin_client, db, monkeypatch):
        monkeypatch.setattr(dashboard, "MOST_COUNTED", 2)
        monkeypatch.setattr("django_hyber.admin.dashboard.MOST_COUNTED", 2)
        for number in range(4):
            single(number)

        assert figures(admin_client)["queued"][0] == "more than 2"


class AttentionTests:
    def test_a_quiet_day_needs_nobody(self, admin_client, launched):
        assert 'id="hyber-attention"' not in admin_client.get(PAGE).content.decode()

    def test_what_waits_for_too_long_with_the_list_of_it(self, admin_client, launched, add_recipients):
        now = timezone.now()
        old, fresh = now - timedelta(minutes=11), now - timedelta(minutes=9)
        single(1, created_at=old)
        single(2, created_at=fresh)
        add_recipients(launched, 1, created_at=old)
        single(3, status=Status.UNCONFIRMED)
        add_recipients(launched, 2, status=Status.UNCONFIRMED)
        single(4, status=Status.ACCEPTED, accepted_at=now - 25 * HOUR)
        single(5, status=Status.ACCEPTED, accepted_at=now - 23 * HOUR)
        report(1)
        report(2)
        report(3, message=Message.objects.first())
        UnreadableCallback.objects.create(kind="reports", account="default", body="<", reason="no JSON")

        found = figures(admin_client)

        numbers = {"old": 1, "unconfirmed": 3, "unreported": 1, "unmatched": 2, "unreadable": 1}
        page = text_of(admin_client.get(PAGE).content.decode())
        assert "1 single message queued for over ten minutes" in page
        assert "3 messages with unknown outcome" in page
        assert "1 single message without a report for over a day" in page
        assert "2 reports waiting for their message" in page
        assert "1 unreadable report to inspect" in page
        for name, number in numbers.items():
            assert found[name][0] == str(number), name
            assert admin_client.get(found[name][1]).context["cl"].result_count == number, name

    def test_what_a_person_has_to_decide_with_the_lists_of_it(self, admin_client, launched, add_recipients):
        now = timezone.now()
        late, early = now - HOUR - timedelta(minutes=1), now - HOUR / 2
        single(1, status=Status.UNCONFIRMED, not_found_after=late)
        single(2, status=Status.UNCONFIRMED, not_found_after=early)
        single(3, status=Status.ACCEPTED, not_found_after=late)
        add_recipients(launched, 1, status=Status.UNCONFIRMED, not_found_after=late)
        add_recipients(launched, 5, status=Status.UNCONFIRMED)
        for number, (state, moment) in enumerate([("unconfirmed", late), ("unconfirmed", early), ("done", late)]):
            first = 10**9 + number
            Batch.objects.create(
                campaign=launched, first_id=first, last_id=first, size=1, state=state, not_found_after=moment
            )

        found = figures(admin_client)

        page = text_of(admin_client.get(PAGE).content.decode())
        assert "1 batch whose outcome a person has to decide" in page
        assert "2 messages whose outcome a person has to decide" in page
        for name, number in {"batches-to-decide": 1, "messages-to-decide": 2}.items():
            assert found[name][0] == str(number), name
            assert admin_client.get(found[name][1]).context["cl"].result_count == number, name

    def test_a_campaign_with_which_nobody_goes_on(self, admin_client, launched):
        Batch.objects.update(finished_at=timezone.now() - HOUR)
        Batch.objects.create(campaign=launched, first_id=10**9 + 1, last_id=10**9 + 2, size=2)

        name, url = figures(admin_client)["idle"]
        assert (name, url) == ("Spring sale", f"/admin/django_hyber/campaign/{launched.pk}/change/")

    @pytest.mark.parametrize(
        "reason",
        ["just begun", "just done", "on the wire", "waits for its turn", "throttled", "paused", "nothing left"],
    )
    def test_a_campaign_that_waits_for_a_reason_is_not_idle(self, launched, reason):
        now = timezone.now()
        Batch.objects.update(finished_at=now - HOUR)
        batch = Batch.objects.create(campaign=launched, first_id=10**9 + 1, last_id=10**9 + 2, size=2)
        assert list(dashboard.all_idle(now)) == [launched]
        if reason == "just begun":
            launch(launched, launched_at=now)
        if reason == "just done":
            launched.batches.exclude(pk=batch.pk).update(finished_at=now)
        if reason == "on the wire":
            launched.batches.exclude(pk=batch.pk).update(state="sending", lease_until=now)
        if reason == "waits for its turn":
            launched.batches.filter(pk=batch.pk).update(due_at=now + HOUR)
        if reason == "throttled":
            launch(launched, next_send_at=now)
        if reason == "paused":
            launch(launched, status=Running.PAUSED)
        if reason == "nothing left":
            launched.batches.update(state="done")

        assert not dashboard.all_idle(now).exists()

    def test_a_campaign_that_nobody_has_reported_on(self, admin_client, launched, add_recipients):
        now = timezone.now()
        launch(launched, status=Running.FINISHED, finished_at=now - 25 * HOUR)
        add_recipients(launched, 3, status=Status.ACCEPTED)
        for number, ended in enumerate((now - 9 * DAY, now - HOUR)):
            other = launch(Campaign.objects.create(name=f"Other {number}"), status="finished", finished_at=ended)
            add_recipients(other, 1, status=Status.ACCEPTED)

        assert dashboard.unreported_messages(now) == [(launched, 3)]
        text, url = figures(admin_client)["unreported-campaign"]
        assert text == "3"
        assert admin_client.get(url).context["cl"].result_count == 3

    @pytest.mark.parametrize(("kind", "first"), [("idle", "idle"), ("unreported", "unreported-campaign")])
    def test_more_campaigns_than_are_shown_are_counted_and_linked(self, admin_client, add_recipients, kind, first):
        now = timezone.now()
        finished = {"status": Running.FINISHED, "finished_at": now - 25 * HOUR}
        for number in range(7):
            campaign = launch(Campaign.objects.create(name=f"Sale {number}"), **(finished if kind != "idle" else {}))
            add_recipients(campaign, 1, status=Status.ACCEPTED)
            Batch.objects.create(campaign=campaign, first_id=number, last_id=number, size=1)
        page = admin_client.get(PAGE).content.decode()
        assert page.count(f'data-figure="{first}"') == 5
        text, url = figures(admin_client)[f"{kind}-all"]
        assert text == "7"
        assert admin_client.get(url).context["cl"].result_count == 7
        assert admin_client.get(url.replace(kind, "anything")).context["cl"].result_count == 7

        Campaign.objects.order_by("pk").filter(pk__lte=campaign.pk - 2).first().delete()
        Campaign.objects.order_by("pk").first().delete()
        assert f"{kind}-all" not in figures(admin_client)


class LastCampaignsTests:
    def test_the_last_five_with_their_numbers(self, admin_client, launched, add_recipients):
        for status, channel, count in (
            (Status.DELIVERED, "viber", 5),
            (Status.SEEN, "viber", 1),
            (Status.EXPIRED, "", 1),
            (Status.QUEUED, "", 2),
            (Status.UNCONFIRMED, "", 1),
            (Status.SUPPRESSED, "", 4),
            (Status.CANCELLED, "", 6),
        ):
            add_recipients(launched, count, status=status, channel=channel)
        for number in range(4):
            launch(Campaign.objects.create(name=f"Later {number}"))
        Campaign.objects.create(name="A draft")

        page = admin_client.get(PAGE).content.decode()

        assert len(re.findall(r'<tr data-campaign="', page)) == 5
        (row,) = re.findall(rf'<tr data-campaign="{launched.pk}">(.*?)</tr>', page, re.DOTALL)
        assert re.findall(r'<td class="hyber-number">(.*?)</td>', row) == ["20", "35 %", "30 %"]
        assert "A draft" not in page

    def test_the_oldest_give_way(self, admin_client, launched):
        for number in range(5):
            launch(Campaign.objects.create(name=f"Later {number}"))

        assert "Spring sale" not in admin_client.get(PAGE).content.decode()


class AccountTests:
    def test_an_account_that_is_ready(self, admin_client, db):
        report(1)

        page = text_of(admin_client.get(PAGE).content.decode())

        told = re.search(r"Account State Last report received default ready (.*)", page)[1]
        assert not told.startswith("–")

    def test_an_account_that_has_never_been_reported_on(self, admin_client, db):
        assert "default ready –" in text_of(admin_client.get(PAGE).content.decode())

    def test_an_account_that_cannot_log_in_or_be_called(self, admin_client, db, settings):
        settings.HYBER = {"default": {"CLIENT_ID": "1"}}

        page = text_of(admin_client.get(PAGE).content.decode())

        assert "CLIENT_ID, LOGIN or PASSWORD is not set: nothing can be sent." in page
        assert "The platform cannot report back: CALLBACK_BASE_URL or CALLBACK_TOKENS is not set." in page

    def test_a_project_that_takes_no_callbacks(self, db, settings):
        settings.ROOT_URLCONF = "tests.admin.urls_without_callbacks"

        assert [health.can_be_called for health in dashboard.account_health()] == [False]

    def test_an_account_that_the_platform_does_not_answer(self, admin_client, db):
        AccountState.objects.create(
            account="default", host="bulk", failures=7, blocked_until=timezone.now() + HOUR, reason="Connection refused"
        )

        page = text_of(admin_client.get(PAGE).content.decode())

        # The page is opened a moment later.
        assert (
            "The platform does not accept requests (campaigns). Next try in 59 minutes. Connection refused"
            in page.replace("\xa0", " ")
        )

    def test_an_account_with_failures_that_is_tried_again(self, admin_client, db):
        AccountState.objects.create(
            account="default", host="bulk", failures=7, blocked_until=timezone.now() - HOUR, reason=""
        )

        assert "Failed requests in a row (campaigns): 7." in text_of(admin_client.get(PAGE).content.decode())

    def test_a_setting_that_cannot_be_read_does_not_take_the_page_away(self, admin_client, db, settings):
        settings.HYBER = {"default": {"PASWORD": "secret-1"}}

        page = admin_client.get(PAGE).content.decode()

        assert "unknown keys: PASWORD" in html.unescape(page)
        assert "secret-1" not in page
        assert figures(admin_client)["delivered"] == ("0", "")

    def test_no_secret_is_shown(self, admin_client, db, settings):
        page = admin_client.get(PAGE).content.decode()

        account = settings.HYBER["default"]
        for secret in (account["PASSWORD"], *account["CALLBACK_TOKENS"]):
            assert secret not in page


class PeopleTests:
    def test_replies_and_opt_outs(self, admin_client, db):
        for number in range(3):
            Reply.objects.create(
                account="default", fingerprint=str(number), raw={}, read_at=timezone.now() if number else None
            )
        today = midnight(timezone.now())
        Suppression.objects.create(phone_number="380671111111", created_at=today)
        Suppression.objects.create(phone_number="380671111112", created_at=today - timedelta(seconds=1))

        found = figures(admin_client)

        assert (found["unread"][0], found["opted-out"][0]) == ("1", "1")
        assert admin_client.get(found["unread"][1]).context["cl"].result_count == 1
        assert admin_client.get(found["opted-out"][1]).context["cl"].result_count == 1


class PermissionTests:
    def test_a_colleague_without_any_permission_sees_no_numbers(self, client, busy_day, log_in):
        log_in()

        assert client.get(PAGE).status_code == 404

    def test_whoever_sees_campaigns_only_sees_campaigns_only(self, client, busy_day, log_in):
        log_in("view_campaign")
        single(99, status=Status.UNCONFIRMED)

        page = client.get(PAGE).content.decode()

        assert "Spring sale" in page
        assert 'data-account="default"' in page
        assert figures(client) == {}

    def test_whoever_sees_messages_only_gets_no_link_to_campaigns(self, client, busy_day, log_in):
        log_in("view_message")
        report(1)

        found = figures(client)

        assert found["delivered"][0] == "14"
        assert found["waiting-sending"] == ("0", "")
        assert found["unmatched"] == ("1", "")
        assert "Last campaigns" not in client.get(PAGE).content.decode()

    @pytest.mark.parametrize(("permission", "name"), [("view_reply", "unread"), ("view_suppression", "opted-out")])
    def test_people_are_for_whoever_may_see_them(self, client, db, log_in, permission, name):
        log_in(permission)

        assert list(figures(client)) == [name]

    def test_strangers_are_asked_to_log_in(self, client, db):
        assert client.get(PAGE)["Location"].startswith("/admin/login/")

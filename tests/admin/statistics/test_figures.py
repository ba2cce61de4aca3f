"""The pages with figures: a campaign's table and funnel, campaigns side by side, a period, and the status codes."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from django_hyber.admin.common.times import short_time
from django_hyber.models import Campaign, DeliveryReport, Message, StatusCode
from django_hyber.words import describe_code
from tests.admin.pages import text_of

LIST = "/admin/django_hyber/campaign/"
COMPARE = "/admin/django_hyber/campaign/compare/"
PERIOD = "/admin/django_hyber/campaign/period/"
CODES = "/admin/django_hyber/deliveryreport/codes/"
EXPLAIN = "/admin/django_hyber/deliveryreport/codes/explain/"
Status = Message.Status


def url_of(campaign):
    return reverse("admin:django_hyber_campaign_change", args=[campaign.pk])


def cells_of(response, line):
    """The figures of a line of a table, without their shares."""
    row = re.search(rf'<tr data-line="{line}">(.*?)</tr>', response.content.decode(), re.DOTALL)[1]
    return [
        re.sub(r"<span.*?</span>|<abbr.*?>|</abbr>", "", cell).strip() for cell in re.findall(r"<td.*?>(.*?)</td>", row)
    ]


def stages_of(response):
    """The steps of the funnel with their numbers, in order."""
    rows = re.findall(r'<tr data-stage="(\w+)">(.*?)</tr>', response.content.decode(), re.DOTALL)
    return [(name, re.findall(r"<td.*?>(.*?)</td>", row)[0]) for name, row in rows]


def launch(campaign, **values):
    now = timezone.now()
    ended = {"status": "finished", "run": 1, "launched_at": now, "begun_at": now, "finished_at": now}
    values = ended | values
    Campaign.objects.filter(pk=campaign.pk).update(**values)
    campaign.refresh_from_db()
    return campaign


@pytest.fixture
def launched(draft, settings):
    settings.HYBER = {"default": {"PRICES": {"viber": "0.45", "sms": "0.98"}, "CURRENCY": "UAH"}}
    return launch(draft)


def add_report(number, code, status=2, account="default"):
    return DeliveryReport.objects.create(
        account=account,
        fingerprint=str(number),
        status=status,
        hyber_status=code,
        channel="viber",
        raw={"status": status, "hyber_status": code, "number": "380671234567"},
    )


class TableTests:
    def test_channel_before_the_one_that_delivered_was_tried_and_the_inference_is_marked(
        self, admin_client, launched, add_recipients
    ):
        add_recipients(launched, 3, status=Status.DELIVERED, channel="viber", accepted_at=timezone.now())
        add_recipients(launched, 1, status=Status.DELIVERED, channel="sms", accepted_at=timezone.now())
        page = admin_client.get(url_of(launched))

        assert cells_of(page, "tried") == ["4", "1", "4"]
        assert cells_of(page, "delivered") == ["3", "1", "4"]
        assert cells_of(page, "not_delivered") == ["1*", "0", "0"]
        assert "75 %" in text_of(page)
        assert "Viber, not delivered: 0 expired, 0 failed otherwise. 1 is inferred" in text_of(page)

    def test_reported_failures_are_not_marked(self, admin_client, launched, add_recipients):
        values = {"status": Status.DELIVERED, "channel": "sms", "other_channels": "viber:expired"}
        add_recipients(launched, 2, **values)
        page = admin_client.get(url_of(launched))

        assert cells_of(page, "not_delivered") == ["2", "0", "0"]
        assert "Viber, not delivered: 2 expired, 0 failed otherwise." in text_of(page)
        assert "data-inferred" not in page.content.decode()

    def test_parts_and_cost_of_what_was_sent_stand_beside_what_was_delivered(
        self, admin_client, launched, add_recipients
    ):
        sms = {"total_sms_parts": 2, "accepted_at": timezone.now()}
        add_recipients(launched, 40, status=Status.DELIVERED, channel="sms", delivered_sms_parts=2, **sms)
        add_recipients(launched, 40, status=Status.EXPIRED, other_channels="sms:expired", **sms)
        page = admin_client.get(url_of(launched))

        assert cells_of(page, "total_parts")[1] == "160"
        assert cells_of(page, "delivered_parts")[1] == "80"
        assert cells_of(page, "sent_cost")[1] == "156.80\u00a0UAH"
        assert cells_of(page, "cost")[1] == "78.40\u00a0UAH"

    def test_seen_is_a_dash_where_nothing_reports_it(self, admin_client, launched, add_recipients):
        add_recipients(launched, 2, status=Status.DELIVERED, channel="viber")
        page = admin_client.get(url_of(launched))

        assert cells_of(page, "seen") == ["–", "–", "–"]
        assert ("seen", "–") in stages_of(page)

    def test_every_figure_has_its_meaning_on_the_page(self, admin_client, launched):
        page = text_of(admin_client.get(url_of(launched)))

        assert "What the figures mean" in page
        assert "Messages that reached the phone, seen or not." in page

    def test_text_without_an_approved_template_is_a_warning_that_leads_to_its_messages(
        self, admin_client, launched, add_recipients
    ):
        add_recipients(launched, 2, status=Status.DELIVERED, channel="viber", matching_template_id=0)
        add_recipients(launched, 3, status=Status.DELIVERED, channel="viber", matching_template_id=7)
        page = admin_client.get(url_of(launched))

        assert "2 messages have a Viber text that matches no approved template." in text_of(page)
        warning = re.search(r'data-warning="template">.*?href="(.*?)"', page.content.decode())[1]
        assert admin_client.get(html.unescape(warning)).context["cl"].result_count == 2
        assert (cells_of(page, "matched")[0], cells_of(page, "unmatched")[0]) == ("3", "2")

    def test_approved_templates_are_counted_alike_on_the_page_and_in_the_list(
        self, admin_client, launched, add_recipients
    ):
        failed = {"status": Status.EXPIRED, "other_channels": "viber:expired"}
        add_recipients(launched, 1, status=Status.DELIVERED, channel="viber", matching_template_id=7)
        add_recipients(launched, 2, status=Status.DELIVERED, channel="sms", matching_template_id=7)
        add_recipients(launched, 4, matching_template_id=7, **failed)
        add_recipients(launched, 3, matching_template_id=0, **failed)
        page = admin_client.get(url_of(launched))

        listed = [
            admin_client.get("/admin/django_hyber/message/", {"campaign": launched.pk, "template": choice})
            .context["cl"]
            .result_count
            for choice in ("matched", "none")
        ]
        assert listed == [7, 3]
        assert [cells_of(page, name)[0] for name in ("matched", "unmatched")] == ["7", "3"]


class FunnelTests:
    def test_clicks_without_seen_make_no_step_larger_than_the_one_before(self, admin_client, launched, add_recipients):
        add_recipients(launched, 2, status=Status.SEEN, channel="viber", clicks=1)
        add_recipients(launched, 5, status=Status.DELIVERED, channel="viber", clicks=1)
        add_recipients(launched, 1, status=Status.EXPIRED, clicks=1)
        page = admin_client.get(url_of(launched))

        stages = [(name, int(count)) for name, count in stages_of(page)]
        assert stages == [("queued", 8), ("accepted", 8), ("delivered", 7), ("clicked", 7), ("seen", 2)]
        assert "28.6 % of delivered" in text_of(page)

    def test_delivered_means_the_same_in_the_headline_and_the_list_of_statuses(
        self, admin_client, launched, add_recipients
    ):
        add_recipients(launched, 2, status=Status.SEEN, channel="viber")
        add_recipients(launched, 5, status=Status.DELIVERED, channel="viber")
        page = text_of(admin_client.get(url_of(launched)))

        assert "Delivered: 7 of 7" in page
        assert "delivered, not seen 5" in page


class CompareTests:
    def test_selected_campaigns_stand_side_by_side(self, admin_client, launched, add_recipients):
        other = launch(Campaign.objects.create(name="Autumn sale"))
        other.channels.create(channel="viber", options={"ctr": True})
        add_recipients(launched, 4, status=Status.DELIVERED, channel="viber")
        add_recipients(other, 2, status=Status.DELIVERED, channel="viber", clicks=3)
        add_recipients(other, 2, status=Status.EXPIRED, other_channels="viber:expired")
        data = {"action": "compare_selected", "_selected_action": [launched.pk, other.pk]}

        page = admin_client.post(LIST, data, follow=True)

        assert cells_of(page, "tried") == ["4", "4"]
        assert cells_of(page, "delivered") == ["4", "2"]
        assert cells_of(page, "clicks") == ["–", "6"]
        assert cells_of(page, "cost") == ["1.80\u00a0UAH", "0.90\u00a0UAH"]
        groups = {group.label: [bar.text for bar in group.bars] for group in page.context["groups"]}
        assert groups["Delivered, of those tried"] == ["100 %", "50 %"]
        assert groups["Clicked, of those delivered"] == ["100 %"]
        assert groups["Cost of what was delivered"] == ["1.80\u00a0UAH", "0.90\u00a0UAH"]

    def test_campaign_has_started_when_its_start_time_has_come(self, admin_client, launched):
        now = timezone.now()
        later = Campaign.objects.create(name="Later", start_time=now + timedelta(hours=2))
        launch(later, status="scheduled", begun_at=None)
        begun = Campaign.objects.create(name="Begun", start_time=now - timedelta(hours=2))
        launch(begun, launched_at=now - timedelta(days=1), begun_at=now - timedelta(hours=2, minutes=5))
        page = admin_client.get(COMPARE, {"ids": f"{launched.pk},{later.pk},{begun.pk}"})

        started = [short_time(launched.launched_at), "–", short_time(begun.start_time)]
        assert cells_of(page, "launched") == started
        assert "Started:" not in text_of(admin_client.get(url_of(later)))
        assert f"Started: {started[2]}" in text_of(admin_client.get(url_of(begun)))

    @pytest.mark.parametrize("count", [1, 6])
    def test_too_few_or_too_many_are_refused(self, admin_client, draft, count):
        chosen = [launch(Campaign.objects.create(name=f"Sale {number}")).pk for number in range(count)]
        data = {"action": "compare_selected", "_selected_action": [*chosen, draft.pk]}

        page = admin_client.post(LIST, data, follow=True)

        assert "Select from 2 to 5 campaigns that have been launched" in text_of(page)

    @pytest.mark.parametrize("ids", ["", "x", "1", "²,³", "9" * 40, f"1,{10**30}", "-1,-2", "1," * 500])
    def test_address_without_two_campaigns_leads_to_the_list(self, admin_client, launched, ids):
        page = admin_client.get(COMPARE, {"ids": ids}, follow=True)

        assert page.redirect_chain == [(LIST, 302)]

    def test_costs_in_different_currencies_are_not_drawn_beside_each_other(
        self, admin_client, launched, add_recipients, settings
    ):
        settings.HYBER = settings.HYBER | {"promo": {"PRICES": {"viber": 1}, "CURRENCY": "PLN"}}
        other = launch(Campaign.objects.create(name="Autumn sale", account="promo"))
        other.channels.create(channel="viber", options={})
        add_recipients(launched, 1, status=Status.DELIVERED, channel="viber")
        add_recipients(other, 1, status=Status.DELIVERED, channel="viber")

        page = admin_client.get(COMPARE, {"ids": f"{launched.pk},{other.pk}"})

        assert cells_of(page, "cost") == ["0.45\u00a0UAH", "1.00\u00a0PLN"]
        assert "Cost of what was delivered" not in [group.label for group in page.context["groups"]]


class PeriodTests:
    def test_last_thirty_days_are_shown_first(self, admin_client, launched, add_recipients):
        now = timezone.now()
        add_recipients(launched, 2, status=Status.DELIVERED, channel="viber", finished_at=now)
        add_recipients(launched, 1, status=Status.DELIVERED, channel="viber", finished_at=now - timedelta(days=31))
        page = admin_client.get(PERIOD)

        assert cells_of(page, "delivered") == ["2", "0", "2"]
        assert cells_of(page, "cost")[-1] == "0.90\u00a0UAH"

    def test_both_days_belong_to_the_period(self, admin_client, launched, add_recipients):
        today = timezone.localdate()
        add_recipients(launched, 2, status=Status.DELIVERED, channel="viber", finished_at=timezone.now())

        assert cells_of(admin_client.get(PERIOD, {"since": today, "until": today}), "delivered")[-1] == "2"

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            ({"since": "2026-02-30"}, "Enter a valid date."),
            ({"since": "2026-06-02", "until": "2026-06-01"}, "The last day is before the first one."),
            ({"since": "2020-01-01", "until": "2026-06-01"}, "Choose a period of at most 366 days."),
            ({"since": "0001-01-01", "until": "0001-01-02"}, "Ensure this value is greater than or equal to"),
            ({"since": "9999-12-31", "until": "9999-12-31"}, "Ensure this value is less than or equal to"),
            ({"account": "nobody"}, "Select a valid choice."),
        ],
    )
    def test_wrong_choices_are_explained(self, admin_client, launched, query, error):
        page = admin_client.get(PERIOD, query)

        assert error in text_of(page)
        assert "data-line" not in page.content.decode()


class CodeTests:
    @pytest.fixture(autouse=True)
    def reports(self, launched):
        for number in range(3):
            add_report(number, 23077)
        add_report(10, 36055, status=3)
        add_report(11, 23011)
        add_report(12, 23077, account="promo")

    def test_codes_are_listed_with_their_counts_the_unknown_first(self, admin_client):
        lines = [(line.code.account, line.code.code, line.reports) for line in admin_client.get(CODES).context["lines"]]

        assert lines == [
            ("default", 23077, "3"),
            ("default", 36055, "1"),
            ("promo", 23077, "1"),
            ("default", 23011, "1"),
        ]

    def test_code_leads_to_its_reports(self, admin_client):
        line = admin_client.get(CODES).context["lines"][0]

        assert admin_client.get(line.url).context["cl"].result_count == 3

    def test_code_that_means_seen_is_stored_and_logged(self, admin_client):
        page = admin_client.post(EXPLAIN, {"account": "default", "code": 23077, "action": "seen"}, follow=True)

        stored = StatusCode.objects.get()
        assert (stored.account, stored.code, stored.means_seen) == ("default", 23077, True)
        assert "Code 23077 of “default” now means “seen”." in text_of(page)
        assert LogEntry.objects.get().change_message == "Code 23077 of “default” now means “seen”."

    def test_code_of_failures_cannot_mean_seen(self, admin_client):
        page = admin_client.post(EXPLAIN, {"account": "default", "code": 36055, "action": "seen"}, follow=True)

        assert "36055 cannot mean “seen”" in text_of(page)
        assert not StatusCode.objects.exists()

    def test_name_is_shown_wherever_the_code_is(self, admin_client):
        data = {"account": "default", "code": 36055, "action": "name", "name": "Phone switched off"}
        admin_client.post(EXPLAIN, data)
        reports = admin_client.get("/admin/django_hyber/deliveryreport/")

        assert "Phone switched off" in text_of(reports)
        assert describe_code(36055, "promo") == ""

    def test_name_of_the_settings_comes_first(self, admin_client, settings):
        settings.HYBER = {"default": {"CODE_NAMES": {36055: "Blocked"}}}
        StatusCode.objects.create(account="default", code=36055, name="Phone switched off")

        assert describe_code(36055, "default") == "Blocked"

    def test_entry_can_be_deleted(self, admin_client):
        StatusCode.objects.create(account="default", code=23077, means_seen=True)

        admin_client.post(EXPLAIN, {"account": "default", "code": 23077, "action": "forget"})

        assert not StatusCode.objects.exists()

    @pytest.mark.parametrize(
        "data",
        [
            {"code": 99999, "action": "seen"},
            {"code": 23077, "action": "delete"},
            {"code": "x", "action": "seen"},
            {"code": 10**30, "action": "seen"},
            {"code": 23077, "action": "name", "name": ""},
            {"code": 23077, "action": "name", "name": "x" * 101},
            {"account": "x" * 65, "code": 23077, "action": "seen"},
        ],
    )
    def test_bad_input_is_explained_and_stores_nothing(self, admin_client, data):
        page = admin_client.post(EXPLAIN, {"account": "default", **data}, follow=True)

        assert page.status_code == 200
        assert len(page.context["messages"]) == 1
        assert not StatusCode.objects.exists()

    def test_looking_does_not_include_explaining(self, client, log_in):
        log_in("view_deliveryreport")

        assert "Means seen" not in text_of(client.get(CODES))
        assert client.post(EXPLAIN, {"account": "default", "code": 23077, "action": "seen"}).status_code == 403

    def test_dashboard_says_that_codes_are_unknown(self, admin_client):
        page = text_of(admin_client.get("/admin/django_hyber/"))

        assert "3 status codes in the newest reports whose meaning is unknown" in page


class DashboardTests:
    def test_texts_without_a_template_need_attention(self, admin_client, launched, add_recipients):
        now = timezone.now()
        values = {"status": Status.DELIVERED, "channel": "viber", "finished_at": now}
        add_recipients(launched, 2, matching_template_id=0, **values)
        add_recipients(launched, 1, matching_template_id=5, **values)
        page = admin_client.get("/admin/django_hyber/")

        assert "2 messages today whose Viber text matches no approved template" in text_of(page)
        link = re.search(r'data-figure="unmatched-template"><a href="(.*?)"', page.content.decode())[1]
        assert admin_client.get(html.unescape(link)).context["cl"].result_count == 2

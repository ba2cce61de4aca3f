from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_hyber.jobs.background import IN_BACKGROUND_FROM
from django_hyber.models import BackgroundJob, Campaign, Message, Suppression
from django_hyber.protocol import SMS, Viber
from django_hyber.services import preflight, request_job
from django_hyber.tasks import run_job
from tests.admin.pages import button_of, confirm, seen_on, text_of, url_of

LIST = "/admin/django_hyber/campaign/"
SEES_ALL = ("view_campaign", "change_campaign", "send_campaign", "view_message", "view_personal_data")


def select(client, *campaigns, **data):
    selected = [campaign.pk for campaign in campaigns]
    return client.post(LIST, {"action": "send_selected", "_selected_action": selected, **data}, follow=True)


def confirm_selected(client, *campaigns):
    return select(client, *campaigns, post="yes", **seen_on(select(client, *campaigns)))


def status_of(campaign):
    campaign.refresh_from_db()
    return campaign.status


def close_window():
    """Let the sending window open in two hours."""
    now = timezone.localtime()
    start, end = ((now + timedelta(hours=hours)).time().replace(microsecond=0) for hours in (2, 4))
    Campaign.objects.update(window_start=start, window_end=end)


@pytest.fixture
def ready(draft, add_recipients):
    add_recipients(draft, 3)
    return draft


@pytest.fixture
def four_eyes(settings):
    settings.HYBER = {"default": {**settings.HYBER["default"], "FOUR_EYES": True}}


class PreflightTests:
    def test_it_says_what_goes_to_how_many_people(self, admin_client, ready):
        gone = ready.messages.first()
        Suppression.objects.create(phone_number=gone.phone_number)

        response = admin_client.get(url_of(ready))
        text = text_of(response)

        assert button_of(response) == "Send to 2 people"
        assert "2 people will get it. Recipients of the campaign: 3." in text
        assert "1 person has opted out and gets nothing. Show them For example: " + gone.phone_number in text
        assert reverse("admin:django_hyber_message_change", args=[gone.pk]) in response.content.decode()
        assert "Immediately after you press the button." in text
        assert "cannot be recalled" in text

    def test_it_names_whose_values_make_a_text_too_long(self, admin_client, client, log_in, draft, add_recipients):
        draft.set_channels([SMS(text="Hi %name%", ttl=300, alpha_name="Shop")])
        add_recipients(draft, 2, variables={"name": "Olena"})
        (long,) = add_recipients(draft, 1, variables={"name": "x" * 800})
        number = draft.messages.get(pk=long.pk).phone_number

        text = text_of(admin_client.get(url_of(draft)))
        assert f"Recipients with such values, for example: {number}" in text
        log_in("view_campaign", "change_campaign", "send_campaign", "view_message")
        assert number not in text_of(client.get(url_of(draft)))

    def test_the_channels_are_shown_in_their_order_as_a_recipient_sees_them(self, admin_client, draft, add_recipients):
        draft.set_channels([SMS(text="Hi %name%", ttl=300, alpha_name="Shop"), Viber(text="*Hi*", ttl=60)])
        add_recipients(draft, 1, variables={"name": "Olena"})

        page = admin_client.get(url_of(draft)).content.decode()

        assert page.index("Hi Olena") < page.index("<strong>Hi</strong>")
        assert "<dt>Text</dt><dd>Hi %name%</dd>" in page

    def test_who_opted_out_is_behind_the_link(self, admin_client, ready, add_recipients):
        gone = ready.messages.last()
        Suppression.objects.create(phone_number=gone.phone_number)

        page = admin_client.get(url_of(ready)).content.decode()
        [url] = re.findall(r'href="([^"]+)">Show them', page)
        response = admin_client.get(unescape(url))

        assert [message.pk for message in response.context["cl"].result_list] == [gone.pk]

    def test_missing_values_are_told_by_name_with_what_happens_then(self, admin_client, draft, add_recipients):
        draft.set_channels([Viber(text="Hi %name% of %city%", ttl=60)])
        add_recipients(draft, 2, variables={"name": "Olena"})
        add_recipients(draft, 1, variables={"name": "Olena", "city": "Kyiv"})
        Campaign.objects.update(missing_variables="skip")

        text = text_of(admin_client.get(url_of(draft)))
        assert "2 people have no value and are skipped, as set in the campaign: %city% (2)." in text

        Campaign.objects.update(missing_variables="default", variable_defaults={"city": "your city"})
        text = text_of(admin_client.get(url_of(draft)))
        assert "2 people have no value for %city% and get “your city” instead, as set in the campaign." in text
        assert "3 people will get it." in text

    def test_who_blocks_the_launch_is_not_among_those_with_a_default_text(self, admin_client, draft, add_recipients):
        draft.set_channels([Viber(text="Hi %name% of %city%", ttl=60)])
        add_recipients(draft, 3, variables={"city": "Kyiv"})
        add_recipients(draft, 1, variables={"name": "Olena"})
        add_recipients(draft, 1)
        Campaign.objects.update(missing_variables="default", variable_defaults={"name": "friend"})

        text = text_of(admin_client.get(url_of(draft)))

        assert "2 people have no value, so the campaign cannot be sent: %city% (2)." in text
        assert "3 people have no value for %name% and get “friend” instead" in text

    def test_segments_and_which_characters_make_them_short(self, admin_client, draft, add_recipients):
        draft.set_channels([SMS(text="Hi %name% «»", ttl=300, alpha_name="Shop")])
        add_recipients(draft, 1, variables={"name": "Olena"})
        add_recipients(draft, 2, variables={"name": "ї" * 70})

        text = text_of(admin_client.get(url_of(draft)))

        assert "From 1 to 2 segments per person, 5 in total. 2 people get more than one segment." in text
        assert "3 people get a text with Cyrillic or emoji: 70 characters per SMS segment" in text
        assert "Because of these characters in the text: « »" in text
        assert "Because of these characters in the values of %name%: ї" in text

    def test_the_cost_is_shown_where_there_are_prices(self, admin_client, ready, settings):
        assert "Cost" not in text_of(admin_client.get(url_of(ready)))

        settings.HYBER = {"default": {**settings.HYBER["default"], "PRICES": {"viber": "0.5", "sms": 1}}}

        text = text_of(admin_client.get(url_of(ready)))
        assert "From 1.50 to 3.00 if every message is delivered, depending on the channels." in text
        assert "If your contract charges for every attempt, delivered or not: up to 4.50." in text

    def test_the_cost_of_viber_alone_depends_on_the_template(self, admin_client, ready, settings):
        ready.set_channels([Viber(text="Hi", ttl=60)])
        prices = {"viber": "0.5", "viber_template": "0.3"}
        settings.HYBER = {"default": {**settings.HYBER["default"], "PRICES": prices}}

        text = text_of(admin_client.get(url_of(ready)))
        assert "to 1.50 if every message is delivered, depending on whether the text matches an approved" in text
        assert "every attempt" not in text

    def test_the_schedule_has_its_zone_and_its_distance(self, admin_client, ready):
        start = timezone.now() + timedelta(hours=3, minutes=1)
        Campaign.objects.update(start_time=start)

        response = admin_client.get(url_of(ready))
        text = text_of(response)

        assert button_of(response) == "Schedule for 3 people"
        assert re.search(r"Europe/Kyiv \(UTC\+0[23]:00\), in 3 hours", text)
        assert "the campaign waits here and can be moved back to draft" in text

    def test_the_throttle_shows_how_long_it_takes(self, admin_client, ready):
        Campaign.objects.update(throttle=1)

        text = text_of(admin_client.get(url_of(ready)))

        assert "At most 1 recipient per minute." in text
        assert re.search(r"Handing over to the platform takes [23] minutes \(until about .+\)", text)

    def test_the_window_is_shown_and_when_it_opens(self, admin_client, ready):
        close_window()

        text = text_of(admin_client.get(url_of(ready)))

        assert "in each recipient's local time" in text
        assert "As soon as the sending window is open for a recipient." in text
        assert "In Europe/Kyiv the sending window opens at" in text

    def test_nothing_is_sent_at_once_while_the_window_is_closed(self, admin_client, ready):
        close_window()

        text = text_of(admin_client.get(url_of(ready)))

        assert "Immediately" not in text
        assert "within seconds" not in text
        assert "Pause and Cancel stop messages that have not been handed over yet." in text

    def test_everything_may_be_sent_at_once_while_the_window_is_open(self, admin_client, ready):
        now = timezone.localtime()
        start, end = ((now + timedelta(hours=hours)).time().replace(microsecond=0) for hours in (-2, 2))
        Campaign.objects.update(window_start=start, window_end=end)

        text = text_of(admin_client.get(url_of(ready)))

        assert "Immediately after you press the button." in text
        assert "within seconds" in text

    def test_a_start_time_is_told_also_while_the_window_is_closed(self, admin_client, ready):
        close_window()
        Campaign.objects.update(start_time=timezone.now() + timedelta(minutes=30))

        text = text_of(admin_client.get(url_of(ready)))

        assert "in 29 minutes" in text
        assert "As soon as the sending window is open for a recipient." not in text

    def test_what_an_import_has_rejected_is_shown(self, admin_client, ready):
        BackgroundJob.objects.create(kind="import", campaign=ready, state="done", result={"rejected_count": 4})

        assert "The latest imports rejected 4 rows." in text_of(admin_client.get(url_of(ready)))

    def test_a_rejected_row_that_was_imported_later_is_not_said_to_be_missing(self, admin_client, ready):
        for rejected in (1, 0):
            result = {"rejected_count": rejected}
            BackgroundJob.objects.create(kind="import", campaign=ready, state="done", result=result)

        text = text_of(admin_client.get(url_of(ready)))

        assert "The latest imports rejected 1 row." in text
        assert "not among the recipients" not in text

    def test_numbers_are_masked_for_whoever_may_not_see_them(self, client, ready, log_in):
        Suppression.objects.create(phone_number=ready.messages.first().phone_number)
        log_in("view_campaign", "send_campaign", "view_message")

        page = client.get(url_of(ready)).content.decode()

        assert not any(phone in page for phone in ready.messages.values_list("phone_number", flat=True))
        assert "For example:" in page

    def test_whoever_may_not_see_messages_gets_no_links_to_them(self, client, ready, log_in):
        Suppression.objects.create(phone_number=ready.messages.first().phone_number)
        log_in("view_campaign", "send_campaign")

        page = client.get(url_of(ready)).content.decode()

        assert "1 person has opted out" in page
        assert "/django_hyber/message/" not in page

    def test_a_look_sends_nothing(self, admin_client, ready):
        admin_client.get(url_of(ready))
        select(admin_client, ready)

        assert status_of(ready) == "draft"
        assert not LogEntry.objects.exists()

    def test_it_takes_the_same_queries_for_any_number_of_recipients(
        self, admin_client, ready, add_recipients, django_assert_max_num_queries
    ):
        ready.set_channels([SMS(text="Hi %name%", ttl=300, alpha_name="Shop")])
        Campaign.objects.update(missing_variables="skip")
        Suppression.objects.create(phone_number=ready.messages.first().phone_number)
        admin_client.get(url_of(ready))
        # MariaDB reads the recipients by pages, and asks for one after the last.
        with django_assert_max_num_queries(18) as few:
            admin_client.get(url_of(ready))
        add_recipients(ready, 200, variables={"name": "Olena"})
        Suppression.objects.bulk_create(
            Suppression(phone_number=phone) for phone in ready.messages.values_list("phone_number", flat=True)[10:60]
        )
        with django_assert_max_num_queries(18) as many:
            admin_client.get(url_of(ready))
        assert len(few) == len(many)


class UkrainianTests:
    @pytest.mark.parametrize(
        ("people", "words"),
        [(1, "1 людині"), (2, "2 людям"), (5, "5 людям"), (11, "11 людям"), (21, "21 людині"), (22, "22 людям")],
    )
    def test_the_button_has_the_right_form(self, admin_client, draft, add_recipients, people, words):
        add_recipients(draft, people)

        response = admin_client.get(url_of(draft), headers={"accept-language": "uk"})

        assert button_of(response) == f"Надіслати {words}"

    @pytest.mark.parametrize(("people", "words"), [(1, "1 людини"), (2, "2 людей"), (21, "21 людини")])
    def test_so_has_the_one_for_later(self, admin_client, draft, add_recipients, people, words):
        add_recipients(draft, people)
        Campaign.objects.update(start_time=timezone.now() + timedelta(hours=3, minutes=1))

        response = admin_client.get(url_of(draft), headers={"accept-language": "uk"})

        assert button_of(response) == f"Запланувати для {words}"
        assert "через 3 години" in text_of(response)

    def test_big_numbers_are_grouped(self, admin_client, draft, add_recipients):
        add_recipients(draft, 1_234)

        assert button_of(admin_client.get(url_of(draft))) == "Send to 1,234 people"
        response = admin_client.get(url_of(draft), headers={"accept-language": "uk"})
        assert button_of(response) == "Надіслати 1\xa0234 людям"


class ProblemTests:
    def test_they_take_the_button_away_and_lead_to_where_they_are_mended(self, admin_client, ready):
        ready.set_channels([Viber(text="Hi %name%", ttl=60), SMS(text="Hi", ttl=300)])

        response = admin_client.get(url_of(ready))
        page = response.content.decode()

        assert button_of(response) is None
        assert "%name% is missing for 3 recipients" in page
        change = url_of(ready, "change")
        assert f'<a href="{change}#id_missing_variables">Missing values</a>' in page
        assert f'<a href="{url_of(ready, "import")}">Import recipients</a>' in page
        assert "This is required. Fill it in." in page
        assert f'<a href="{change}#id_channels-1-alpha_name">SMS, Alpha name (sender)</a>' in page
        assert 'id="id_channels-1-alpha_name"' in admin_client.get(change).content.decode()
        admin_client.post(url_of(ready))
        assert status_of(ready) == "draft"

    def test_every_place_that_a_link_leads_to_is_there(self, admin_client, ready):
        Campaign.objects.update(account="gone", start_time=timezone.now() - timedelta(hours=1))
        ready.channels.all().delete()

        page = admin_client.get(url_of(ready)).content.decode()
        form = admin_client.get(url_of(ready, "change")).content.decode()

        anchors = set(re.findall(r"/change/#([\w-]+)", page))
        assert anchors == {"id_account", "channels-group", "id_start_time_0"}
        assert all(f'id="{anchor}"' in form for anchor in anchors)

    def test_whoever_may_not_change_it_gets_no_links(self, client, ready, log_in):
        ready.set_channels([SMS(text="Hi", ttl=300)])
        log_in("view_campaign", "send_campaign")

        page = client.get(url_of(ready)).content.decode()

        assert "This is required." in page
        assert "Fix:" not in page

    def test_doubts_leave_the_button(self, admin_client, ready):
        Campaign.objects.update(start_time=timezone.now() - timedelta(hours=1))

        response = admin_client.get(url_of(ready))

        assert "Warnings: The start time is in the past." in text_of(response)
        assert button_of(response) == "Send to 3 people"

    def test_nobody_is_not_a_number_to_send_to(self, admin_client, ready):
        numbers = ready.messages.values_list("phone_number", flat=True)
        Suppression.objects.bulk_create(Suppression(phone_number=number) for number in numbers)

        response = admin_client.get(url_of(ready))

        assert "Nobody would receive it" in text_of(response)
        assert button_of(response) is None

    def test_people_who_block_the_launch_are_linked_and_not_counted(self, admin_client, draft, add_recipients):
        draft.set_channels([Viber(text="Hi %name%", ttl=60)])
        (named, nameless) = add_recipients(draft, 2)
        Message.objects.filter(pk=named.pk).update(variables={"name": "Olena"})

        response = admin_client.get(url_of(draft))

        text = text_of(response)
        assert "1 person would get it. Recipients of the campaign: 2." in text
        assert "1 person has no value, so the campaign cannot be sent: %name% (1). For example:" in text
        assert reverse("admin:django_hyber_message_change", args=[nameless.pk]) in response.content.decode()

    def test_a_campaign_that_takes_days_is_a_warning_with_its_end(self, admin_client, ready):
        Campaign.objects.update(throttle=1, window_start="12:00", window_end="12:01")

        response = admin_client.get(url_of(ready))

        text = text_of(response)
        assert "closes at" in text
        assert "before everybody has got it" in text
        assert "sending ends only on " in text
        assert url_of(ready, "change") + "#id_throttle" in response.content.decode()

    def test_start_outside_of_the_window_is_no_second_time_of_the_hand_over(self, admin_client, ready):
        start = datetime.combine(timezone.localdate() + timedelta(days=3), time(20), timezone.get_default_timezone())
        Campaign.objects.update(start_time=start, window_start="09:00", window_end="18:00", throttle=1)

        text = text_of(admin_client.get(url_of(ready))).replace("\xa0", " ")

        assert "the sending window opens at" in text
        assert "8 pm the campaign waits here and can be moved back to draft. After that, people get it" in text
        assert "Then it is handed over" not in text


class LaunchTests:
    def test_it_starts_the_campaign_and_is_logged(self, admin_client, admin_user, ready):
        response = confirm(admin_client, ready, follow=True)

        assert status_of(ready) == "sending"
        assert ready.launched_by == admin_user
        assert "Sending to 3 people started." in text_of(response)
        assert LogEntry.objects.get().get_change_message() == "Sending to 3 people started."

    def test_a_later_start_is_scheduled(self, admin_client, ready):
        Campaign.objects.update(start_time=timezone.now() + timedelta(days=1))

        assert "Scheduled for 3 people." in text_of(confirm(admin_client, ready, follow=True))
        assert status_of(ready) == "scheduled"

    def test_a_scheduled_campaign_has_not_been_started(self, admin_client, ready):
        Campaign.objects.update(start_time=timezone.now() + timedelta(days=1))
        seen = seen_on(admin_client.get(url_of(ready)))
        admin_client.post(url_of(ready), seen)

        text = text_of(admin_client.post(url_of(ready), seen, follow=True))
        assert "“Spring sale” is already scheduled." in text
        assert "started" not in text

    def test_a_double_click_sends_once(self, admin_client, ready):
        seen = seen_on(admin_client.get(url_of(ready)))
        admin_client.post(url_of(ready), seen)
        response = admin_client.post(url_of(ready), seen, follow=True)

        assert "“Spring sale” has already been launched. Status: sending." in text_of(response)
        assert response.redirect_chain == [(url_of(ready, "change"), 302)]
        assert ready.batches.count() == 1
        assert LogEntry.objects.count() == 1

    def test_the_page_of_a_started_campaign_leads_to_it(self, admin_client, ready):
        confirm(admin_client, ready)

        assert admin_client.get(url_of(ready)).url == url_of(ready, "change")

    def test_nothing_is_sent_that_nobody_has_looked_at(self, admin_client, ready):
        for given in ({}, {f"preflight-{ready.pk}": "x"}, {f"preflight-{ready.pk}": f"x-{'9' * 5_000}"}):
            response = admin_client.post(url_of(ready), given, follow=True)

            assert "have changed since you opened the page. Nothing was sent" in text_of(response)
        assert status_of(ready) == "draft"

    @pytest.mark.parametrize(
        "change",
        [
            lambda campaign: campaign.set_channels([Viber(text="Another text", ttl=60)]),
            lambda campaign: Campaign.objects.update(start_time=timezone.now() + timedelta(days=1)),
            lambda campaign: Campaign.objects.update(division_code="other"),
            lambda campaign: Message.objects.create(campaign=campaign, phone_number="380671234567", extra_id="new"),
            lambda campaign: campaign.messages.first().delete(),
        ],
        ids=["texts", "start", "division", "more people", "fewer people"],
    )
    def test_what_has_changed_since_is_not_sent_but_shown(self, admin_client, ready, change):
        seen = seen_on(admin_client.get(url_of(ready)))
        change(ready)

        response = admin_client.post(url_of(ready), seen, follow=True)

        assert status_of(ready) == "draft"
        assert "have changed since you opened the page. Nothing was sent" in text_of(response)
        assert button_of(response)
        assert not LogEntry.objects.exists()

    @pytest.mark.parametrize(
        "change",
        [
            {"PRICES": {"viber": "45", "sms": "98"}},
            {"CURRENCY": "EUR"},
            {"THROTTLE": 60},
            {"FREQUENCY_CAP": {"messages": 1, "days": 7}},
            {"SPENDING_LIMIT": {"campaign": "1000"}},
            {"LEAD_TIME": 60},
            {"REDIRECT_TO": ""},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_what_has_changed_in_the_account_since_is_not_sent_but_shown(self, admin_client, ready, settings, change):
        shown = {"PRICES": {"viber": "0.45", "sms": "0.98"}, "CURRENCY": "UAH", "REDIRECT_TO": "380671112233"}
        settings.HYBER = {"default": settings.HYBER["default"] | shown}
        seen = seen_on(admin_client.get(url_of(ready)))
        settings.HYBER = {"default": settings.HYBER["default"] | change}

        response = admin_client.post(url_of(ready), seen, follow=True)

        assert status_of(ready) == "draft"
        assert "have changed since you opened the page. Nothing was sent" in text_of(response)

    def test_who_opts_out_after_the_look_only_makes_them_fewer(self, admin_client, ready):
        seen = seen_on(admin_client.get(url_of(ready)))
        Suppression.objects.create(phone_number=ready.messages.first().phone_number)

        assert "Sending to 2 people started." in text_of(admin_client.post(url_of(ready), seen, follow=True))

    def test_who_opts_in_again_after_the_look_is_somebody_nobody_has_confirmed(self, admin_client, ready):
        Suppression.objects.create(phone_number=ready.messages.first().phone_number)
        seen = seen_on(admin_client.get(url_of(ready)))
        Suppression.objects.all().delete()

        response = admin_client.post(url_of(ready), seen, follow=True)

        assert status_of(ready) == "draft"
        assert button_of(response) == "Send to 3 people"

    def test_a_form_of_another_site_is_refused(self, admin_user, ready):
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin_user)

        assert client.post(url_of(ready), seen_on(client.get(url_of(ready)))).status_code == 403
        assert status_of(ready) == "draft"

    @pytest.mark.parametrize("page", ["preflight", "preflight_part", "preflight_check"])
    def test_it_takes_a_permission_of_its_own(self, client, ready, log_in, page):
        log_in("view_campaign", "change_campaign", "add_campaign", "view_message")

        assert client.get(url_of(ready, page)).status_code == 403
        assert client.post(url_of(ready, page)).status_code == 403
        assert not BackgroundJob.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_a_campaign_whose_account_is_not_let_in_waits_and_says_so(self, admin_client, ready, platform, settings):
        settings.HYBER = {"default": {**settings.HYBER["default"], "PASSWORD": "not-this-one"}}

        page = confirm(admin_client, ready, follow=True).content.decode()

        assert status_of(ready) == "sending"
        assert "The platform refuses the login of the account" in page
        assert "not-this-one" not in page


class FourEyesTests:
    def test_the_author_is_told_before_the_click_and_has_no_button(self, client, ready, log_in, four_eyes):
        user = log_in(*SEES_ALL)
        seen = seen_on(client.get(url_of(ready)))
        Campaign.objects.update(author=user)

        response = client.get(url_of(ready))

        assert "another person with permission to send has to open this page and launch it" in text_of(response)
        assert button_of(response) is None
        refused = client.post(url_of(ready), seen, follow=True)
        assert "You have worked on this campaign, so another person has to launch it." in text_of(refused)
        assert status_of(ready) == "draft"

    def test_whoever_did_not_write_it_launches_it(self, client, ready, log_in, admin_user, four_eyes):
        Campaign.objects.update(author=admin_user)
        user = log_in(*SEES_ALL)

        response = client.get(url_of(ready))
        assert "people who have worked on a campaign cannot launch it. You can launch this one." in text_of(response)
        confirm(client, ready)

        assert status_of(ready) == "sending"
        assert ready.launched_by == user

    def test_the_list_does_not_get_around_it(self, client, ready, log_in, admin_user, add_recipients, four_eyes):
        user = log_in(*SEES_ALL)
        other = Campaign.objects.create(name="Of another", author=admin_user)
        other.set_channels(ready.get_channels())
        add_recipients(other, 1)
        Campaign.objects.filter(pk=ready.pk).update(author=user)

        confirm_selected(client, ready, other)

        assert (status_of(ready), status_of(other)) == ("draft", "sending")


class SelectedTests:
    @pytest.fixture
    def second(self, ready, add_recipients):
        campaign = Campaign.objects.create(name="Second")
        campaign.set_channels(ready.get_channels())
        add_recipients(campaign, 1)
        return campaign

    def test_they_are_confirmed_together(self, admin_client, ready, second, add_recipients):
        broken = Campaign.objects.create(name="No texts")
        add_recipients(broken, 2)

        response = select(admin_client, ready, second, broken)
        page = response.content.decode()

        assert button_of(response) == "Send to 4 people"
        assert "Choose at least one channel." in page
        assert f'name="_selected_action" value="{ready.pk}"' in page
        assert f'name="_selected_action" value="{broken.pk}"' not in page

    def test_the_failure_of_one_does_not_stop_the_others(self, admin_client, ready, second):
        seen = seen_on(select(admin_client, ready, second))
        ready.set_channels([Viber(text="Changed", ttl=60)])

        text = text_of(select(admin_client, ready, second, post="yes", **seen))

        assert (status_of(ready), status_of(second)) == ("draft", "sending")
        assert "“Spring sale” was not sent. The campaign, its recipients or the settings" in text
        assert "Second: Sending to 1 person started." in text

    def test_one_alone_has_its_own_page(self, admin_client, ready):
        assert select(admin_client, ready).redirect_chain == [(url_of(ready), 302)]

    def test_together_no_more_recipients_are_read_than_for_one(self, admin_client, ready, second, monkeypatch):
        monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 4)
        third = Campaign.objects.create(name="Third")
        third.set_channels(ready.get_channels())
        Message.objects.create(campaign=third, phone_number="380671234567", extra_id="third")

        response = select(admin_client, ready, second, third)

        assert button_of(response) == "Send to 4 people"
        assert "This campaign has not been checked yet" in text_of(response)


class LargeTests:
    @pytest.fixture(autouse=True)
    def large(self, monkeypatch):
        assert IN_BACKGROUND_FROM == 20_000
        monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 3)

    @pytest.fixture
    def no_worker(self, settings):
        settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

    @pytest.mark.django_db(transaction=True)
    def test_it_is_checked_first_and_then_sent(self, admin_client, ready):
        Suppression.objects.create(phone_number=ready.messages.first().phone_number)
        response = admin_client.get(url_of(ready))
        assert button_of(response) is None
        assert "Check now" in text_of(response)

        response = admin_client.post(url_of(ready, "preflight_check"), follow=True)
        assert button_of(response) == "Send to 2 people"
        assert "Checked (" in text_of(response)
        assert LogEntry.objects.get().get_change_message() == "Requested a check before the launch."

        assert "Sending to 2 people started." in text_of(confirm(admin_client, ready, follow=True))
        assert status_of(ready) == "sending"

    @pytest.mark.django_db(transaction=True)
    def test_it_is_not_sent_while_more_recipients_are_coming(self, admin_client, ready):
        admin_client.post(url_of(ready, "preflight_check"))
        seen = seen_on(admin_client.get(url_of(ready)))
        BackgroundJob.objects.create(kind="import", campaign=ready, state="waiting")

        page = admin_client.get(url_of(ready))
        assert button_of(page) is None
        assert "An import of recipients is still under way." in text_of(page)
        admin_client.post(url_of(ready), {"post": "yes", **seen})
        assert status_of(ready) == "draft"

    def test_before_the_check_as_well_it_says_that_more_recipients_are_coming(self, admin_client, ready):
        BackgroundJob.objects.create(kind="import", campaign=ready, state="running")

        assert "An import of recipients is still under way." in text_of(admin_client.get(url_of(ready)))

    @pytest.mark.django_db(transaction=True)
    def test_the_page_follows_the_check(self, admin_client, ready, no_worker):
        response = admin_client.post(url_of(ready, "preflight_check"), follow=True)
        assert 'data-refresh="2"' in response.content.decode()
        job = BackgroundJob.objects.get()
        BackgroundJob.objects.update(state="running", total=3, done=2, attempts=1)

        part = admin_client.get(url_of(ready, "preflight_part"))
        assert 'max="3" value="2"' in part.content.decode()
        assert "Checking: 66.7 %." in part.content.decode()
        assert "no-store" in part["Cache-Control"]
        assert seen_on(part) == {}

        BackgroundJob.objects.update(state="waiting")
        run_job.call(job.pk)
        part = admin_client.get(url_of(ready, "preflight_part"))
        assert 'data-refresh=""' in part.content.decode()
        assert button_of(part) == "Send to 3 people"

    @pytest.mark.django_db(transaction=True)
    def test_a_second_click_asks_for_no_second_check(self, admin_client, ready, no_worker):
        admin_client.post(url_of(ready, "preflight_check"))
        admin_client.post(url_of(ready, "preflight_check"))

        assert BackgroundJob.objects.count() == LogEntry.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_a_change_after_the_check_asks_for_another(self, admin_client, ready):
        response = admin_client.post(url_of(ready, "preflight_check"), follow=True)
        seen = seen_on(response)
        ready.set_channels([Viber(text="Another text", ttl=60)])

        assert "have changed since the check (" in text_of(admin_client.get(url_of(ready)))
        response = admin_client.post(url_of(ready), seen, follow=True)
        assert "Nothing was sent" in text_of(response)
        assert button_of(response) is None
        assert button_of(admin_client.post(url_of(ready, "preflight_check"), follow=True)) == "Send to 3 people"

    @pytest.mark.django_db(transaction=True)
    def test_a_change_during_the_check_asks_for_another(self, admin_client, ready, no_worker, monkeypatch):
        job = request_job(BackgroundJob.Kind.CHECK, ready, {}, None)

        def check(campaign, **options):
            found = preflight(campaign, **options)
            campaign.set_channels([Viber(text="Another text", ttl=60)])
            return found

        monkeypatch.setattr("django_hyber.campaigns.preflight_jobs.preflight", check)
        run_job.call(job.pk)

        assert "have changed since the check (" in text_of(admin_client.get(url_of(ready)))

    @pytest.mark.django_db(transaction=True)
    def test_problems_of_the_check_are_shown_with_their_places(self, admin_client, ready):
        ready.set_channels([SMS(text="Hi %name%", ttl=300, alpha_name="Shop")])
        Message.objects.update(variables={"name": "ї" * 400})

        response = admin_client.post(url_of(ready, "preflight_check"), follow=True)

        assert "The text takes 7 SMS segments" in text_of(response)
        assert f"{url_of(ready, 'change')}#id_channels-0-text" in response.content.decode()
        assert button_of(response) is None

    @pytest.mark.django_db(transaction=True)
    def test_a_failed_check_says_so(self, admin_client, ready):
        BackgroundJob.objects.create(
            kind="check", campaign=ready, state="failed", error_text="It was interrupted 5 times."
        )

        text = text_of(admin_client.get(url_of(ready)))

        assert "The check did not finish. It was interrupted 5 times." in text
        assert "Check again" in text

    def test_a_check_is_asked_for_by_post_and_only_for_drafts(self, admin_client, ready):
        assert admin_client.get(url_of(ready, "preflight_check")).url == url_of(ready)
        Campaign.objects.update(status="sending")

        assert admin_client.post(url_of(ready, "preflight_check")).url == url_of(ready, "change")
        assert not BackgroundJob.objects.exists()

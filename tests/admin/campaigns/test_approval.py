"""Approval is asked for with a note, and answered by launching or by sending back."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from django_hyber.four_eyes import record_author
from django_hyber.models import Announcement, Campaign
from django_hyber.services import dispatch
from tests.admin.pages import confirm, seen_on, text_of, url_of

pytestmark = pytest.mark.django_db(transaction=True)
WRITES = ("view_campaign", "change_campaign")
LAUNCHES = ("view_campaign", "send_campaign")


@pytest.fixture(autouse=True)
def four_eyes(settings, platform):
    settings.HYBER = {"default": {**settings.HYBER["default"], "FOUR_EYES": True}}


@pytest.fixture
def colleague(django_user_model):
    def colleague(name, *codenames):
        user = django_user_model.objects.create_user(name, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        browser = Client()
        browser.force_login(user)
        browser.user = user
        return browser

    return colleague


@pytest.fixture
def olena(colleague):
    return colleague("olena", *WRITES)


@pytest.fixture
def petro(colleague):
    return colleague("petro", *LAUNCHES)


@pytest.fixture
def campaign(draft, add_recipients, olena):
    add_recipients(draft, 1)
    record_author(draft, olena.user)
    return draft


def ask(browser, campaign, note="Please look at the SMS"):
    return browser.post(url_of(campaign, "approval"), {"note": note}, follow=True)


def dashboard_of(browser):
    return text_of(browser.get(reverse("admin:app_list", args=["django_hyber"])))


def page_of(browser, campaign):
    return text_of(browser.get(url_of(campaign, "change")))


def approval_of(campaign):
    campaign.refresh_from_db()
    return campaign.approval


def test_writer_without_the_right_to_launch_asks_for_approval(campaign, olena, petro):
    assert "Request approval" in page_of(olena, campaign)
    assert "has been requested" in text_of(ask(olena, campaign))
    assert approval_of(campaign) == "asked"
    shown = text_of(petro.get(url_of(campaign)))
    assert "olena requested approval" in shown
    assert "Please look at the SMS" in shown


def test_dashboard_shows_it_to_those_who_may_launch_it_only(campaign, olena, petro, colleague):
    ask(olena, campaign)
    waiting = "Spring sale waits for your approval"
    both = colleague("both", *WRITES, *LAUNCHES)
    record_author(campaign, both.user)
    reader = colleague("reader", "view_campaign")
    assert [waiting in dashboard_of(browser) for browser in (petro, olena, both, reader)] == [True, False, False, False]


def test_launch_answers_the_request(campaign, olena, petro):
    ask(olena, campaign)
    confirm(petro, campaign)
    assert approval_of(campaign) == ""
    assert campaign.status in ("sending", "finished")
    assert campaign.approval_note == ""
    assert "waits for your approval" not in dashboard_of(petro)


def test_sent_back_with_a_note_and_asked_again(campaign, olena, petro):
    ask(olena, campaign)
    petro.post(url_of(campaign, "send_back"), {"note": "The link is wrong"})
    assert approval_of(campaign) == "sent_back"
    assert "petro sent the campaign back" in page_of(olena, campaign)
    assert "The link is wrong" in page_of(olena, campaign)
    assert "waits for your approval" not in dashboard_of(petro)
    ask(olena, campaign, "Corrected")
    assert approval_of(campaign) == "asked"
    assert "Corrected" in text_of(petro.get(url_of(campaign)))


def test_sending_back_takes_a_note(campaign, olena, petro):
    ask(olena, campaign)
    response = petro.post(url_of(campaign, "send_back"), {"note": "  "})
    assert "This field is required." in text_of(response)
    assert approval_of(campaign) == "asked"


def test_too_long_a_note_is_shown_again_and_not_lost(campaign, olena):
    response = ask(olena, campaign, "long " * 101)
    assert "long long" in text_of(response)
    assert approval_of(campaign) == ""


def test_author_cannot_answer_their_own_request(campaign, colleague):
    both = colleague("both", *WRITES, *LAUNCHES)
    record_author(campaign, both.user)
    ask(both, campaign)
    both.post(url_of(campaign, "send_back"), {"note": "x"})
    assert approval_of(campaign) == "asked"


def test_who_has_not_worked_on_it_cannot_ask(campaign, petro, colleague):
    ask(petro, campaign)
    assert approval_of(campaign) == ""
    assert "Request approval" not in text_of(petro.get(url_of(campaign)))
    assert ask(colleague("reader", "view_campaign"), campaign).status_code == 403


def test_without_the_rule_nobody_asks(campaign, olena, settings):
    settings.HYBER = {"default": {**settings.HYBER["default"], "FOUR_EYES": False}}
    ask(olena, campaign)
    assert approval_of(campaign) == ""
    assert "Request approval" not in page_of(olena, campaign)


def test_second_click_sends_no_second_notice(campaign, olena, settings, mailoutbox):
    settings.HYBER = {"default": {**settings.HYBER["default"], "NOTIFY": ["team@shop.example"]}}
    ask(olena, campaign)
    ask(olena, campaign)
    assert Announcement.objects.count() == 1
    dispatch()
    [mail] = mailoutbox
    assert "waits for approval" in mail.subject
    # The note may quote anything.
    assert "Please look" not in mail.body


def test_note_is_masked_and_logged(campaign, olena):
    ask(olena, campaign, "Ask +380671234567")
    assert "380671234567" not in page_of(olena, campaign)
    assert "Requested approval." in LogEntry.objects.latest("pk").change_message
    assert "380671234567" not in LogEntry.objects.latest("pk").change_message


def test_change_after_the_request_keeps_it_but_has_to_be_seen(campaign, olena, petro):
    ask(olena, campaign)
    page = petro.get(url_of(campaign))
    Campaign.objects.update(tag="Other")
    response = petro.post(url_of(campaign), seen_on(page), follow=True)
    assert "changed since you opened the page" in text_of(response)
    assert approval_of(campaign) == "asked"


def test_launched_campaign_cannot_be_sent_back(campaign, olena, petro):
    ask(olena, campaign)
    confirm(petro, campaign)
    response = petro.post(url_of(campaign, "send_back"), {"note": "Stop"}, follow=True)
    assert "Not possible now" in text_of(response)

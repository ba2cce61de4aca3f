"""Approval is asked for and given with a note: the other person launches the campaign or sends it back."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from django_hyber.models import Announcement, Campaign
from django_hyber.policies.four_eyes import record_author
from django_hyber.protocol import SMS
from django_hyber.services import dispatch, start_campaign
from django_hyber.signals import campaign_notice
from tests.admin.pages import button_of, confirm, seen_on, text_of, url_of

pytestmark = pytest.mark.django_db(transaction=True)
WRITES = ("view_campaign", "change_campaign")
DASHBOARD = "/admin/django_hyber/"
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
    return text_of(browser.get(DASHBOARD))


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


def test_launch_gives_the_approval_with_a_note_that_stays_on_the_page_and_in_the_history(campaign, olena, petro):
    ask(olena, campaign)
    confirm(petro, campaign, note="Checked\r\nthe links")
    assert approval_of(campaign) == "given"
    assert campaign.status in ("sending", "finished")
    shown = page_of(olena, campaign)
    assert "petro approved the campaign" in shown
    assert "Checked the links" in shown
    assert "Please look at the SMS" not in shown
    assert "Sending to 1 person started. Approved. Checked the links" in LogEntry.objects.latest("pk").change_message
    assert "waits for your approval" not in dashboard_of(petro)


def test_approval_needs_no_note(campaign, olena, petro):
    ask(olena, campaign)
    confirm(petro, campaign)
    assert approval_of(campaign) == "given"
    assert "Please look at the SMS" not in page_of(olena, campaign)


def test_launch_that_nobody_was_asked_to_approve_is_no_approval(campaign, olena, petro):
    assert "Note" not in text_of(petro.get(url_of(campaign)))
    confirm(petro, campaign, note="Good")
    assert approval_of(campaign) == ""
    assert "approved the campaign" not in page_of(olena, campaign)


def test_launch_by_code_is_no_approval(campaign, olena):
    ask(olena, campaign)
    start_campaign(campaign)
    assert (approval_of(campaign), campaign.approval_note) == ("", "")


def test_withdrawn_campaign_has_to_be_approved_again(campaign, olena, petro):
    Campaign.objects.update(start_time=timezone.now() + timedelta(days=2))
    ask(olena, campaign)
    confirm(petro, campaign, note="Good")
    assert approval_of(campaign) == "given"
    petro.post(url_of(campaign, "withdraw"))
    assert (approval_of(campaign), campaign.approval_note, campaign.approval_asker_id) == ("", "", None)


@pytest.mark.parametrize("note", ["Good links", "long " * 101])
def test_note_of_a_launch_that_is_refused_is_not_lost(campaign, olena, petro, note):
    ask(olena, campaign)
    page = petro.get(url_of(campaign))
    Campaign.objects.update(tag="Other")
    response = petro.post(url_of(campaign), {**seen_on(page), "note": note})
    assert approval_of(campaign) == "asked"
    assert note.strip() in text_of(response)


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


def test_page_that_was_opened_before_the_campaign_was_sent_back_does_not_launch_it(campaign, olena, petro, colleague):
    ask(olena, campaign)
    maria = colleague("maria", *LAUNCHES)
    seen = seen_on(maria.get(url_of(campaign)))
    petro.post(url_of(campaign, "send_back"), {"note": "The link is wrong"})
    shown = text_of(maria.post(url_of(campaign), seen))
    assert approval_of(campaign) == "sent_back"
    assert campaign.status == "draft"
    assert "have changed since you opened the page. Nothing was sent" in shown
    assert "The link is wrong" in shown


def test_page_that_was_opened_before_a_request_does_not_answer_it(campaign, olena, petro):
    seen = seen_on(petro.get(url_of(campaign)))
    ask(olena, campaign)
    petro.post(url_of(campaign), seen)
    assert approval_of(campaign) == "asked"


def test_check_in_the_background_is_still_valid_after_a_request_for_approval(campaign, olena, petro, monkeypatch):
    monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 1)
    petro.post(url_of(campaign, "preflight_check"))
    ask(olena, campaign)
    assert button_of(petro.get(url_of(campaign))) == "Send to 1 person"
    confirm(petro, campaign)
    assert approval_of(campaign) == "given"


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


@pytest.fixture
def team(settings, olena):
    """The addresses that hear of campaigns; the author has one as well."""
    olena.user.email = "olena@shop.example"
    olena.user.save()
    settings.HYBER = {"default": {**settings.HYBER["default"], "NOTIFY": ["team@shop.example"]}}
    return ["olena@shop.example", "team@shop.example"]


def last_mail(mailoutbox):
    dispatch()
    return mailoutbox[-1]


def test_second_click_sends_no_second_notice(campaign, olena, team, mailoutbox):
    ask(olena, campaign)
    ask(olena, campaign)
    assert Announcement.objects.count() == 1
    dispatch()
    [mail] = mailoutbox
    assert mail.to == ["team@shop.example"]
    assert "waits for approval" in mail.subject
    assert "olena: Please look at the SMS" in mail.body


def test_person_who_asked_is_mailed_why_the_campaign_was_sent_back(campaign, olena, petro, team, mailoutbox):
    ask(olena, campaign)
    dispatch()
    petro.post(url_of(campaign, "send_back"), {"note": "Ask 380671234567 about the link"})
    mail = last_mail(mailoutbox)
    assert mail.to == team
    assert mail.subject == "“Spring sale” has been sent back for changes"
    assert "petro: Ask" in mail.body
    assert "about the link" in mail.body
    assert "380671234567" not in mail.body


def test_person_who_asked_is_mailed_that_the_campaign_was_approved(campaign, olena, petro, team, mailoutbox):
    Campaign.objects.update(start_time=timezone.now() + timedelta(days=2))
    ask(olena, campaign)
    dispatch()
    confirm(petro, campaign, note="Good links")
    mail = last_mail(mailoutbox)
    assert mail.to == team
    assert mail.subject == "“Spring sale” has been approved"
    assert "petro: Good links" in mail.body


def test_mail_about_an_answer_has_no_note_of_a_later_step(campaign, olena, petro, team, mailoutbox):
    ask(olena, campaign)
    dispatch()
    petro.post(url_of(campaign, "send_back"), {"note": "Wrong link"})
    ask(olena, campaign, "Corrected")
    dispatch()
    [sent_back] = [mail for mail in mailoutbox if "sent back" in mail.subject]
    assert "Corrected" not in sent_back.body


@pytest.mark.parametrize("change", [{"is_active": False}, {"email": ""}, {"email": "team@shop.example"}])
def test_answer_is_mailed_to_the_team_alone_if_the_person_cannot_be_reached(
    campaign, olena, petro, team, mailoutbox, change, django_user_model
):
    ask(olena, campaign)
    django_user_model.objects.filter(pk=olena.user.pk).update(**change)
    petro.post(url_of(campaign, "send_back"), {"note": "Wrong link"})
    assert last_mail(mailoutbox).to == ["team@shop.example"]


def test_without_addresses_in_the_setting_nobody_is_mailed(campaign, olena, petro, team, settings, mailoutbox):
    settings.HYBER = {"default": {**settings.HYBER["default"], "NOTIFY": []}}
    ask(olena, campaign)
    petro.post(url_of(campaign, "send_back"), {"note": "Wrong link"})
    dispatch()
    assert mailoutbox == []


def test_each_step_has_its_signal(campaign, olena, petro):
    events = []

    def receive(sender, campaign, event, **kwargs):
        events.append((event, campaign.approval_note))

    campaign_notice.connect(receive)
    try:
        Campaign.objects.update(start_time=timezone.now() + timedelta(days=2))
        ask(olena, campaign, "Please")
        petro.post(url_of(campaign, "send_back"), {"note": "No"})
        ask(olena, campaign, "And now?")
        confirm(petro, campaign, note="Yes")
    finally:
        campaign_notice.disconnect(receive)
    assert events == [("approval", "Please"), ("sent_back", "No"), ("approval", "And now?"), ("approved", "Yes")]


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


@pytest.mark.parametrize(
    "change",
    [
        lambda campaign: campaign.set_channels([SMS(text="Other", ttl=300, alpha_name="Shop")]),
        lambda campaign: campaign.messages.create(phone_number="380671234567", extra_id="new"),
        lambda campaign: Campaign.objects.update(throttle=60),
    ],
    ids=["texts", "recipients", "settings"],
)
def test_change_after_the_request_is_shown_until_approval_is_requested_again(campaign, olena, petro, change):
    warning = "The campaign was changed after this request."
    ask(olena, campaign)
    assert warning not in page_of(olena, campaign)
    change(campaign)
    assert warning in text_of(petro.get(url_of(campaign)))
    assert warning in page_of(olena, campaign)
    ask(olena, campaign)
    assert warning not in text_of(petro.get(url_of(campaign)))


def test_request_after_a_change_is_a_new_one_though_the_note_is_the_same(campaign, olena, team, mailoutbox):
    ask(olena, campaign)
    two_days_ago = timezone.now() - timedelta(days=2)
    Campaign.objects.update(approval_at=two_days_ago)
    campaign.set_channels([SMS(text="Other", ttl=300, alpha_name="Shop")])
    assert "has been requested" in text_of(ask(olena, campaign))
    dispatch()
    campaign.refresh_from_db()
    assert campaign.approval_at > two_days_ago
    assert ["waits for approval" in mail.subject for mail in mailoutbox] == [True, True]
    assert LogEntry.objects.filter(change_message__startswith="Requested approval.").count() == 2


def test_request_without_a_change_says_that_it_is_no_new_one(campaign, olena):
    ask(olena, campaign)
    assert "You have already requested approval of “Spring sale”." in text_of(ask(olena, campaign))
    assert LogEntry.objects.count() == 1


def test_dashboard_says_how_many_wait_and_links_all_of_them(campaign, olena, petro):
    for number in range(7):
        other = Campaign.objects.create(name=f"Sale {number}", approval="asked", approval_at=timezone.now())
        record_author(other, olena.user)
        assert "campaigns wait for your approval" not in dashboard_of(petro) or number > 4
    ask(olena, campaign)
    shown = dashboard_of(petro)
    assert shown.count(" waits for your approval") == 5
    assert "8 campaigns wait for your approval" in shown
    link = re.search(r'data-figure="approval-all"><a href="(.*?)"', petro.get(DASHBOARD).content.decode())[1]
    assert petro.get(link).context["cl"].result_count == 8
    assert olena.get(link).context["cl"].result_count == 0


def test_launched_campaign_cannot_be_sent_back(campaign, olena, petro):
    ask(olena, campaign)
    confirm(petro, campaign)
    response = petro.post(url_of(campaign, "send_back"), {"note": "Stop"}, follow=True)
    assert "Not possible now" in text_of(response)

"""What a colleague sees before pressing the button, what the button does, and a test on one's own telephone."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.translation import ngettext, override

from django_hyber.models import BackgroundJob, Campaign, Message, Suppression
from django_hyber.protocol import SMS, Viber
from django_hyber.services import import_recipients
from django_hyber.tasks import run_job
from tests.browser import axe
from tests.browser.views import LOCALES, problems_of
from tests.samples import phone

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PEOPLE = 12
VIBER = Viber(text="Hi %name%! *-20 %* until Sunday", ttl=60, caption="Choose", action="https://shop.example/spring")
SMS_TEXT = SMS(text="Вітаємо, %name%! -20 % до неділі", ttl=300, alpha_name="Shop")


@pytest.fixture
def campaign():
    campaign = Campaign.objects.create(name="Spring sale", missing_variables="skip")
    campaign.set_channels([VIBER, SMS_TEXT])
    names = ["Olena", "Ївга", *["Ivan"] * (PEOPLE - 3), ""]
    import_recipients(campaign, [{"phone": phone(number), "name": name} for number, name in enumerate(names)])
    Suppression.objects.create(phone_number=phone(3))
    return campaign


@pytest.fixture
def is_large(monkeypatch):
    monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", PEOPLE)


@pytest.fixture
def no_worker(settings):
    """Background work is asked for and kept; a worker comes when the test says so."""
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}


def page_of(campaign, name="preflight"):
    return f"/admin/django_hyber/campaign/{campaign.pk}/{name}/"


def send_button(people, language="en"):
    with override(language):
        text = ngettext("Send to %(count)s person", "Send to %(count)s people", people)
    return text % {"count": people}


class LaunchTests:
    def test_the_number_on_the_button_is_the_number_that_gets_it(self, wired, open_admin, campaign, complaints):
        page = open_admin()
        page.goto(page_of(campaign))
        page.get_by_text("10 people will get it.").wait_for()
        page.get_by_text("1 person has opted out and gets nothing.").wait_for()
        page.get_by_text("1 person has no value and is skipped, as set in the campaign: %name% (1).").wait_for()

        page.get_by_role("button", name="Send to 10 people").press("Enter")
        page.get_by_text("Sending to 10 people started.").wait_for()
        page.locator("[data-delivered='10']").wait_for()

        assert sorted(campaign.messages.values_list("status", flat=True)) == ["delivered"] * 10 + ["suppressed"] * 2
        assert complaints == []

    def test_two_clicks_in_a_row_send_once(self, wired, open_admin, campaign, complaints):
        page = open_admin()
        page.goto(page_of(campaign))

        page.get_by_role("button", name="Send to 10 people").dblclick()
        page.get_by_text(re.compile("started")).first.wait_for()
        wired.wait_idle()

        assert (campaign.batches.count(), wired.ledger.duplicates) == (1, {})
        assert complaints == []

    def test_what_was_changed_meanwhile_is_shown_and_not_sent(self, wired, open_admin, campaign, complaints):
        page = open_admin()
        page.goto(page_of(campaign))
        campaign.set_channels([SMS(text="Another text", ttl=300, alpha_name="Shop")])

        page.get_by_role("button", name="Send to 10 people").click()

        page.get_by_text("have changed since you opened the page. Nothing was sent").wait_for()
        page.locator(".hyber-phone-sms").get_by_text("Another text").wait_for()
        page.get_by_role("button", name="Send to 11 people").wait_for()
        assert Campaign.objects.get().status == "draft"
        assert complaints == []

    def test_a_problem_leads_to_its_field_even_if_that_is_folded_away(self, open_admin, campaign, complaints):
        campaign.set_channels([Viber(text="Hi", ttl=60, file_name="menu.pdf"), SMS(text="Hi", ttl=300)])
        page = open_admin()
        page.goto(page_of(campaign))
        assert page.get_by_role("button", name=re.compile("^Send to")).count() == 0

        page.get_by_role("link", name="Viber, File name").first.click()
        page.locator("#id_channels-0-file_name").wait_for()

        page.go_back()
        page.get_by_role("link", name="SMS, Alpha name (sender)").click()
        page.locator("#id_channels-1-alpha_name:target").wait_for()
        assert complaints == []

    def test_examples_lead_to_the_recipients(self, open_admin, campaign, complaints):
        page = open_admin()
        page.goto(page_of(campaign))

        page.get_by_role("link", name="Show them").click()
        page.get_by_text("Found: 1").first.wait_for()
        assert page.locator("#result_list tbody tr").count() == 1
        page.go_back()
        page.get_by_role("link", name=phone(PEOPLE - 1)).click()
        page.get_by_role("heading", name=re.compile("^Message$")).wait_for()
        assert complaints == []


class CheckTests:
    def test_it_is_followed_without_a_reload_and_ends_with_the_button(
        self, open_admin, campaign, is_large, no_worker, complaints
    ):
        page = open_admin()
        page.goto(page_of(campaign))
        page.evaluate("window.sameDocument = true")
        page.get_by_role("button", name="Check now").click()
        page.get_by_text("Sending is about to start.").wait_for()
        page.evaluate("window.sameDocument = true")

        BackgroundJob.objects.update(state="running", total=PEOPLE, done=5, attempts=1)
        page.get_by_text(f"5 of {PEOPLE}").wait_for()
        assert page.locator("progress").get_attribute("value") == "5"
        page.get_by_text("Checking: 41.7 %.").wait_for(state="attached")
        assert axe.issues(page) == []

        BackgroundJob.objects.update(state="waiting")
        run_job.call(BackgroundJob.objects.get().pk)
        page.get_by_role("button", name="Send to 10 people").wait_for()
        assert page.evaluate("window.sameDocument")
        assert page.locator("[role=status]").first.inner_text() == "Checked. 10 people will get it."

        page.get_by_role("button", name="Send to 10 people").click()
        page.get_by_text("Sending to 10 people started.").wait_for()
        assert complaints == []

    def test_a_server_that_does_not_answer_is_told(self, open_admin, campaign, is_large, no_worker):
        page = open_admin()
        page.goto(page_of(campaign))
        page.get_by_role("button", name="Check now").click()
        page.get_by_text("Sending is about to start.").wait_for()

        page.route("**/preflight/part/", lambda route: route.abort())
        page.get_by_text("the server is not responding").wait_for()
        page.unroute("**/preflight/part/")
        page.get_by_text("the server is not responding").wait_for(state="hidden")


class TestPageTests:
    def test_it_is_sent_and_followed_without_a_reload(self, wired, open_admin, campaign, complaints):
        page = open_admin()
        page.goto(page_of(campaign, "change"))
        page.get_by_role("button", name="Save and send a test").click()
        page.get_by_role("button", name="Next recipient").click()
        page.locator(".hyber-phone-viber").get_by_text("Hi Ївга!").wait_for()

        page.get_by_label("Numbers:").fill("067 123 45 00\n067 123 46 92\n067 000 03 00")
        page.get_by_role("button", name="Send the test").click()
        page.evaluate("window.sameDocument = true")
        page.get_by_text("The test is on its way to 2 numbers.").wait_for()
        page.get_by_text("has opted out: nothing was sent to it.").wait_for()
        page.locator("tr[data-state=delivered]").wait_for()
        page.locator("tr[data-state=rejected]").wait_for()
        page.get_by_role("row", name=re.compile("380671234500")).get_by_text("(Viber)").wait_for()
        assert page.evaluate("window.sameDocument")

        sent = Message.objects.filter(campaign=None)
        assert {message.content["channel_options"]["viber"]["text"] for message in sent} == {
            "Hi Ївга! *-20 %* until Sunday"
        }
        assert campaign.messages.exclude(status="queued").count() == 0
        assert complaints == []

    def test_two_clicks_in_a_row_send_once(self, wired, open_admin, campaign, complaints):
        page = open_admin()
        page.goto(page_of(campaign, "test"))
        page.get_by_label("Numbers:").fill("067 123 45 00")

        page.get_by_role("button", name="Send the test").dblclick()
        page.locator("tr[data-state=delivered]").wait_for()

        assert Message.objects.filter(campaign=None).count() == 1
        assert complaints == []

    def test_bad_numbers_are_named_beside_the_field_and_the_others_stay(self, open_admin, campaign, complaints):
        page = open_admin()
        page.goto(page_of(campaign, "test"))
        page.get_by_label("Numbers:").fill("067 123 45 00\n12345")

        page.get_by_role("button", name="Send the test").click()

        page.locator(".form-row .errorlist").get_by_text("“12345”").wait_for()
        assert page.get_by_label("Numbers:").input_value() == "067 123 45 00\n12345"
        assert axe.issues(page) == []
        assert complaints == []

    def test_it_works_without_javascript(self, wired, open_admin, campaign):
        page = open_admin(java_script_enabled=False)
        page.goto(page_of(campaign, "test"))
        page.get_by_label("Numbers:").fill("067 123 45 00")
        page.get_by_role("button", name="Send the test").click()
        page.locator("tr[data-state]").wait_for()
        wired.wait_idle()
        page.reload()

        assert page.locator("tr[data-state=delivered]").count() == 1


@pytest.mark.parametrize("language", LOCALES)
def test_every_page_fits_and_can_be_read(
    wired, open_admin, admin_user, django_user_model, campaign, settings, is_large, complaints, language
):
    Campaign.objects.update(author=django_user_model.objects.create_user("writer"))
    account = settings.HYBER["default"]
    settings.HYBER = {"default": {**account, "PRICES": {"viber": "0.45", "sms": "0.98"}, "FOUR_EYES": True}}
    page = open_admin(language)
    wrong = []

    def look(name):
        wrong.extend(f"{name}: {problem}" for problem in [*problems_of(page, language), *complaints])
        complaints.clear()

    page.goto(page_of(campaign))
    look("unchecked")

    page.locator(".hyber-check button").click()
    page.get_by_role("button", name=send_button(10, language)).wait_for()
    look("checked")

    BackgroundJob.objects.update(state="running", total=20_000, done=12_340, lease_until=timezone.now())
    page.reload()
    look("checking")

    window = timezone.localtime() + timedelta(hours=2)
    Campaign.objects.update(
        start_time=timezone.now() + timedelta(days=2),
        throttle=2,
        window_start=window.time().replace(second=0, microsecond=0),
        window_end=(window + timedelta(hours=1)).time().replace(second=0, microsecond=0),
        author=admin_user,
    )
    campaign.set_channels([Viber(text="Hi %name%", ttl=45), SMS(text="ї" * 400, ttl=300)])
    BackgroundJob.objects.update(state="waiting")
    run_job.call(BackgroundJob.objects.get().pk)
    page.reload()
    assert page.locator(".hyber-problems li").count() == 2
    look("problems")

    campaign.set_channels([VIBER, SMS_TEXT])
    page.goto(page_of(campaign, "test"))
    page.fill("#id_numbers", "12345\n067 123 45 00")
    page.locator(".submit-row input").click()
    page.locator(".form-row .errorlist").wait_for()
    look("test")

    page.fill("#id_numbers", "067 123 45 00\n067 123 46 92\n067 123 47 01")
    page.locator(".submit-row input").click()
    page.locator("tr[data-state=delivered]").first.wait_for()
    look("results")

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("language", LOCALES)
def test_several_campaigns_are_confirmed_on_one_page(open_admin, campaign, complaints, language):
    other = Campaign.objects.create(name="Autumn sale")
    other.set_channels([SMS(text="Hi", ttl=300)])
    import_recipients(other, [{"phone": phone(50)}])
    page = open_admin(language)
    page.goto("/admin/django_hyber/campaign/")
    page.locator("#action-toggle").check()
    page.select_option("select[name=action]", "send_selected")
    page.locator(".actions button").first.click()

    page.get_by_role("button", name=send_button(10, language)).wait_for()
    assert [*problems_of(page, language), *complaints] == []
    page.get_by_role("button", name=send_button(10, language)).click()
    page.locator(".messagelist .success").wait_for()

    assert {item.name: item.status for item in Campaign.objects.all()} == {
        "Spring sale": "sending",
        "Autumn sale": "draft",
    }

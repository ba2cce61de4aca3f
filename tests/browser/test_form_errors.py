"""The form of a campaign that forgives: one error for each field, the preview beside a long text."""

from __future__ import annotations

import pytest
from django.conf import settings

from django_hyber.models import Campaign, Template
from django_hyber.protocol import SMS, Viber
from tests.admin.channels.test_images import PNG
from tests.browser.scenes import open_shop
from tests.browser.views import WIDE, problems_of, wait_until_forgotten

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "Spring sale until Sunday, everything for the garden. " * 18


@pytest.fixture
def form(open_admin):
    """The form of a saved draft at a desk."""
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([Viber(text=LONG, ttl=60), SMS(text="Hi", alpha_name="Shop", ttl=300)])
    page = open_admin()
    page.goto(f"/admin/django_hyber/campaign/{campaign.pk}/change/")
    page.locator("[data-shown]").first.wait_for(state="attached")
    return page


def test_an_error_is_shown_once_at_its_field_and_goes_with_the_change(form, complaints):
    form.fill("#id_channels-1-ttl", "5")
    form.get_by_role("button", name="Save and continue editing").click()
    form.locator(".errornote:visible").first.wait_for()
    form.locator("#hyber-live-channels-1-ttl[data-shown]").wait_for(state="attached")
    field = form.locator("#channels-1 .field-ttl")

    assert form.locator("text=This must be from 300 to 259200.").locator("visible=true").count() == 1

    form.fill("#id_channels-1-ttl", "6")
    field.locator(".hyber-error:visible").wait_for()
    assert field.locator(".errorlist").count() == 0

    form.fill("#id_channels-1-ttl", "600")
    field.locator(".hyber-error").wait_for(state="detached")
    assert complaints == []


def test_the_preview_stays_in_view_beside_a_long_text(form):
    form.locator("#id_channels-0-text").evaluate("field => { field.style.height = '2400px' }")
    pane = form.locator("#channels-0 .hyber-preview-pane")
    form.locator("#channels-0").evaluate("row => scrollTo(0, row.getBoundingClientRect().top + scrollY + 1200)")

    box = pane.bounding_box()

    assert 0 <= box["y"] <= 20
    assert box["y"] + box["height"] <= WIDE["height"]


def test_what_is_sent_comes_before_when_it_is_sent(form):
    ids = ("#id_name", "#id_channels-0-text", "#id_start_time_0", "#id_missing_variables")
    tops = [form.locator(place).evaluate("one => one.getBoundingClientRect().top + scrollY") for place in ids]

    assert tops == sorted(tops)


def test_a_finished_campaign_begins_with_its_result_on_two_screens(open_admin, admin_user):
    shop = open_shop("en", admin_user, size=0.05)
    page = open_admin()
    page.goto(f"/admin/django_hyber/campaign/{shop.finished.pk}/change/")

    assert page.evaluate("document.documentElement.scrollHeight") <= 2 * WIDE["height"]
    assert page.locator("[data-delivered]").bounding_box()["y"] < WIDE["height"] / 2
    page.get_by_text("Texts and settings").click()
    page.get_by_text("Minus 20 %").first.wait_for()
    page.get_by_text("Figures by channel").click()
    page.get_by_text("Cost of what was sent").first.wait_for()


def test_an_uploaded_image_fills_in_its_link_and_the_preview(form, complaints, settings, tmp_path, live_server):
    settings.MEDIA_ROOT, settings.MEDIA_URL = tmp_path / "media", "/media/"
    settings.HYBER = {"default": {**settings.HYBER["default"], "CALLBACK_BASE_URL": "https://shop.example"}}
    upload = form.locator("#channels-0 .hyber-upload input")
    upload.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": PNG})
    form.locator("#channels-0 [data-image^='https://shop.example/media/']").wait_for()

    assert form.input_value("#id_channels-0-img").endswith(".png")

    upload.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no image"})
    form.get_by_text("This is not a complete PNG or JPEG image.").wait_for()
    assert complaints == []


def change_page(campaign):
    return f"/admin/django_hyber/campaign/{campaign.pk}/change/"


def save(page):
    page.locator("[name=_continue]").click()


def log_in(page, name="admin", code="password"):
    page.fill("#id_username", name)
    page.fill("#id_password", code)
    page.locator("#id_password").press("Enter")


@pytest.fixture
def draft():
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([Viber(text="Hi", ttl=60), SMS(text="Hi", alpha_name="Shop", ttl=300)])
    return campaign


@pytest.fixture
def send_logged_out(open_admin, draft):
    """Type a text, and send it after the session has ended. Return the page, with the login on it."""

    def send_logged_out(language="en"):
        page = open_admin(language)
        page.goto(change_page(draft))
        page.fill("#id_channels-1-text", "Typed for an hour")
        page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
        save(page)
        page.locator("#id_username").wait_for()
        return page

    return send_logged_out


@pytest.mark.parametrize("language", ["en", "uk"])
def test_text_that_was_sent_after_the_session_had_ended_is_saved_after_the_login(
    send_logged_out, draft, complaints, language
):
    page = send_logged_out(language)
    log_in(page)
    page.locator("[data-answer=save]").wait_for()
    assert page.input_value("#id_channels-1-text") == "Hi"
    assert list(problems_of(page, language)) == []

    page.locator("[data-answer=save]").click()
    page.locator(".messagelist .success").wait_for()

    assert draft.channels.get(channel="sms").options["text"] == "Typed for an hour"
    wait_until_forgotten(page)
    assert page.locator("[data-answer=save]").is_hidden()
    assert complaints == []


def test_new_campaign_that_was_sent_after_the_session_had_ended_is_added_after_the_login(open_admin, complaints):
    page = open_admin()
    page.goto("/admin/django_hyber/campaign/add/")
    page.fill("#id_name", "Summer sale")
    page.select_option("#id_channels-0-channel", "sms")
    page.fill("#id_channels-0-text", "First line\nsecond line")
    page.fill("#id_channels-0-alpha_name", "Shop")
    page.get_by_role("button", name="Add another Channel").click()
    page.select_option("#id_channels-1-channel", "viber")
    page.fill("#id_channels-1-text", "Hello")
    page.fill("#id_channels-1-ttl", "60")
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    save(page)
    log_in(page)
    page.locator("[data-answer=save]").click()
    page.get_by_text("was added successfully").wait_for()

    texts = [(row.channel, row.options["text"]) for row in Campaign.objects.get().channels.all()]
    assert texts == [("sms", "First line\nsecond line"), ("viber", "Hello")]
    wait_until_forgotten(page)
    assert complaints == []


def test_text_that_was_sent_after_the_session_had_ended_does_not_replace_what_was_saved_meanwhile(
    send_logged_out, draft, complaints
):
    page = send_logged_out()
    draft.set_channels([Viber(text="Hi", ttl=60), SMS(text="Of a colleague", alpha_name="Shop", ttl=300)])
    log_in(page)
    page.locator("[data-answer=save]").click()
    page.get_by_role("heading", name="Saved by somebody else").wait_for()

    assert draft.channels.get(channel="sms").options["text"] == "Of a colleague"
    assert page.input_value("#id_channels-1-text") == "Typed for an hour"
    save(page)
    page.get_by_text("was changed successfully").wait_for()
    assert draft.channels.get(channel="sms").options["text"] == "Typed for an hour"
    assert complaints == []


def test_text_that_was_sent_after_the_session_had_ended_can_be_discarded(send_logged_out, draft, complaints):
    page = send_logged_out()
    log_in(page)
    page.locator("[data-answer=discard]").click()

    assert page.locator("[data-answer=save]").is_hidden()
    page.reload()
    page.locator("[data-shown]").first.wait_for(state="attached")
    assert page.locator("[data-answer=save]").is_hidden()
    wait_until_forgotten(page)
    assert complaints == []


def test_text_is_not_offered_to_another_person_who_logs_in(send_logged_out, django_user_model):
    django_user_model.objects.create_superuser("olena", None, "olena-code")
    page = send_logged_out()
    log_in(page, "olena", "olena-code")
    page.locator("[data-shown]").first.wait_for(state="attached")

    assert page.locator("[data-answer=save]").is_hidden()


def test_text_of_a_page_that_is_older_than_the_login_is_saved_as_well(open_admin, draft):
    """Logging in again in another tab makes the forms of this one invalid: they are refused as forged."""
    page = open_admin()
    page.goto(change_page(draft))
    page.fill("#id_channels-1-text", "Typed for an hour")
    page.context.clear_cookies()
    save(page)
    page.get_by_text("CSRF verification failed").wait_for()
    page.goto(change_page(draft))
    log_in(page)
    page.locator("[data-answer=save]").click()
    page.get_by_text("was changed successfully").wait_for()

    assert draft.channels.get(channel="sms").options["text"] == "Typed for an hour"


def test_saved_text_is_kept_nowhere_and_not_offered_again(open_admin, draft, complaints):
    page = open_admin()
    page.goto(change_page(draft))
    page.fill("#id_channels-1-text", "  Saved  ")
    page.locator("[name=_save]").click()
    page.locator("#changelist").wait_for()
    wait_until_forgotten(page)

    draft.set_channels([SMS(text="Of a colleague", alpha_name="Shop", ttl=300)])
    page.goto(change_page(draft))
    page.locator("[data-shown]").first.wait_for(state="attached")
    assert page.locator("[data-answer=save]").is_hidden()
    assert complaints == []


def test_text_of_a_template_that_was_sent_after_the_session_had_ended_is_saved_after_the_login(open_admin, complaints):
    template = Template.objects.create(code="order-shipped", name="Order shipped", language="en")
    variant = template.set_channels([SMS(text="Shipped", alpha_name="Shop", ttl=300)])
    page = open_admin()
    page.goto(f"/admin/django_hyber/templatevariant/{variant.pk}/change/")
    page.fill("#id_channels-0-text", "Sent")
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    save(page)
    log_in(page)
    page.locator("[data-answer=save]").click()
    page.get_by_text("was changed successfully").wait_for()

    assert variant.channels.get().options["text"] == "Sent"
    wait_until_forgotten(page)
    assert complaints == []


def test_double_click_adds_one_campaign(open_admin, complaints):
    page = open_admin()
    page.goto("/admin/django_hyber/campaign/add/")
    page.fill("#id_name", "Summer sale")
    page.locator("[name=_continue]").dblclick()
    page.get_by_role("link", name="Import recipients").wait_for()

    assert Campaign.objects.count() == 1
    assert complaints == []

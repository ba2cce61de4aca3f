"""The form of a campaign that forgives: one error for each field, the preview beside a long text."""

from __future__ import annotations

import pytest

from django_hyber.models import Campaign
from django_hyber.protocol import SMS, Viber
from tests.admin.channels.test_images import PNG
from tests.browser.scenes import open_shop
from tests.browser.views import WIDE

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

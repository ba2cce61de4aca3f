"""What is done with a campaign after its launch, and with what people answer: by its buttons, each in another view."""

from __future__ import annotations

import csv

import django
import pytest
from django.contrib.admin.models import LogEntry

from django_hyber.models import Campaign, Message, Suppression
from tests.browser.scenes import open_shop
from tests.browser.views import NARROW, WIDE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
Status = Message.Status
NOT_SENT = (Status.QUEUED, Status.SENDING, Status.UNCONFIRMED, Status.SUPPRESSED, Status.CANCELLED)


class Desk:
    """A page in a browser, with the shop behind it."""

    def __init__(self, page, shop):
        self.page, self.shop = page, shop

    def open(self, campaign):
        self.page.goto(f"/admin/django_hyber/campaign/{campaign.pk}/change/")

    def press(self, campaign, name):
        """The button of a campaign's page that posts there, or the link that leads there."""
        url = f"/admin/django_hyber/campaign/{campaign.pk}/{name}/"
        with self.page.expect_navigation():
            self.page.locator(f'[formaction="{url}"], .hyber-buttons a[href="{url}"]').first.click()

    def confirm(self):
        with self.page.expect_navigation():
            self.page.locator(".submit-row input[type=submit]").first.click()

    def number(self, name):
        return int(self.page.get_attribute(f"[data-{name}]", f"data-{name}"))


@pytest.fixture
def desk(open_admin, admin_user, settings):
    # A worker that takes its time: what the pages show is what they were told, and no more.
    settings.TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}

    def desk(language, width, theme):
        shop = open_shop(language, admin_user, size=0.05)
        return Desk(open_admin(language, (width, theme)), shop)

    return desk


def log_of(campaign):
    return LogEntry.objects.filter(object_id=campaign.pk).count()


def test_it_is_paused_resumed_and_cancelled(desk, complaints):
    work = desk("en", NARROW, "dark")
    campaign = work.shop.sending
    work.open(campaign)
    sent = work.number("sent")
    for button, status in (("pause", "paused"), ("resume", "sending")):
        work.press(campaign, button)
        campaign.refresh_from_db()
        assert campaign.status == status
        assert work.page.locator(f".hyber-state-{status}").is_visible()
    work.press(campaign, "cancel")
    campaign.refresh_from_db()
    assert campaign.status == "sending"

    work.confirm()

    campaign.refresh_from_db()
    assert campaign.status == "cancelled"
    assert work.number("sent") == sent == campaign.messages.exclude(status__in=NOT_SENT).count()
    assert log_of(campaign) == 3
    assert complaints == []


def test_who_failed_for_a_chosen_reason_is_sent_to_again(desk, complaints):
    work = desk("uk", NARROW, "light")
    campaign = work.shop.finished
    expired = campaign.messages.filter(status=Status.EXPIRED).count()
    rejected = campaign.messages.filter(status=Status.REJECTED).count()
    work.open(campaign)
    work.press(campaign, "retry")
    work.page.locator('input[name=reason][value^="rejected"]').uncheck()
    work.confirm()
    assert str(expired) in work.page.locator(".submit-row input[type=submit]").input_value()

    work.confirm()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.run) == ("sending", 2)
    assert campaign.messages.filter(status=Status.QUEUED).count() == expired
    assert campaign.messages.filter(status=Status.REJECTED).count() == rejected
    assert complaints == []


def test_a_copy_has_the_texts_and_the_people_that_somebody_chooses(desk, complaints):
    work = desk("uk", WIDE, "dark")
    campaign = work.shop.finished
    work.open(campaign)
    work.press(campaign, "copy")
    work.page.fill("#id_name", "Once more")
    work.page.locator("input[name=audience][value=failed]").check()

    work.confirm()

    copy = Campaign.objects.get(name="Once more")
    assert f"/{copy.pk}/change/" in work.page.url
    assert copy.status == "draft"
    assert copy.get_channels() == campaign.get_channels()
    assert complaints == []


def test_the_export_has_everybody_and_is_in_the_log(desk, complaints):
    work = desk("en", WIDE, "light")
    campaign = work.shop.finished
    work.open(campaign)
    work.press(campaign, "export")

    with work.page.expect_download() as download:
        work.page.click("button[value=csv]")

    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.reader(file))) == campaign.messages.count() + 1
    assert log_of(campaign) == 1
    assert complaints == []


def test_who_answers_is_read_and_opted_out(desk, complaints):
    work = desk("uk", NARROW, "dark")
    reply = work.shop.reply
    page = work.page
    page.goto("/admin/django_hyber/reply/")
    with page.expect_navigation():
        page.locator("#result_list .field-preview a").first.click()
    assert f"/{reply.pk}/change/" in page.url
    for name in ("opt_out", "read"):
        page.goto(f"/admin/django_hyber/reply/{reply.pk}/change/")
        with page.expect_navigation():
            page.locator(f'.submit-row input[formaction$="/{name}/"]').click()

    reply.refresh_from_db()
    assert reply.read_at
    assert Suppression.objects.filter(phone_number=reply.phone_number).exists()
    assert complaints == []

"""The pictures of the documentation: put into docs/screenshots by ``HYBER_SCREENSHOTS=1``.

Without it no picture is taken, and the pages of a smaller shop are only held against the database.
A new picture is a function below and a line in docs/admin.rst.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from django.utils import timezone

from django_hyber.models import Message
from tests.browser.scenes import WORDS, open_shop
from tests.browser.views import LAYOUT, LOCALES

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PLACE = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
#: Bytes: everybody who clones the repository has to fetch them.
LARGEST = 150_000
WINDOW = {"width": 1160, "height": 900}
Status = Message.Status


def digits_of(text):
    """The number that stands in a text, whatever separates its thousands."""
    return int(re.sub(r"\D", "", text))


def number_at(page, selector):
    return digits_of(page.locator(selector).first.inner_text())


def figure_at(page, line, place):
    """The figure in a cell of the table, without its share."""
    cell = page.locator(f"tr[data-line={line}] td:{place}")
    return digits_of(cell.evaluate("cell => cell.firstChild.textContent"))


def open_campaign(page, campaign):
    page.goto(f"/admin/django_hyber/campaign/{campaign.pk}/change/")


def the_composer(page, shop):
    """From the first channel down: the text, its counters, and the telephone beside it."""
    open_campaign(page, shop.draft)
    page.get_by_role("button", name=re.compile("Next recipient|Наступний")).click()
    page.locator(".hyber-preview-pane", has_text=WORDS[page.get_attribute("html", "lang")].names[1]).first.wait_for()
    top = page.locator("#channels-group, .hyber-channels").first.bounding_box()
    return {"y": top["y"] - 10, "until": "#channels-0 .field-ttl"}


def the_columns_of_a_file(page, shop):
    """What each column is, above the first rows."""
    page.goto(f"/admin/django_hyber/campaign/{shop.draft.pk}/import/")
    words = WORDS[page.get_attribute("html", "lang")]
    rows = "".join(f"067 111 22 {number:02};{words.names[number % 5]};B{number:03}\n" for number in range(8))
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": f"phone;name;code\n{rows}".encode()}
    page.set_input_files("#id_file", file)
    with page.expect_navigation():
        page.press(".submit-row input.default", "Enter")
    return {"until": ".submit-row"}


def the_page_before_the_launch(page, shop):
    """All of it: who gets it, when, what it costs, and the button that names their number."""
    page.goto(f"/admin/django_hyber/campaign/{shop.draft.pk}/preflight/")
    button = page.locator(".submit-row input.default")
    assert digits_of(button.input_value()) == shop.draft.messages.count()
    return {"until": ".submit-row"}


def the_campaign_on_its_way(page, shop):
    """Everything above the texts."""
    open_campaign(page, shop.sending)
    check_campaign(page, shop.sending)
    return {"until": "[data-part=timeline] details"}


def the_finished_campaign(page, shop):
    """Everything above the texts."""
    open_campaign(page, shop.finished)
    check_campaign(page, shop.finished)
    return {"until": "[data-part=timeline] details"}


def the_channels_of_a_campaign(page, shop):
    """The table of them, and why messages failed."""
    open_campaign(page, shop.finished)
    page.locator("#hyber-by-channel > summary").click()
    top = page.locator("[data-part=statistics]").bounding_box()
    return {"y": top["y"] - 10, "until": "[data-part=failures]"}


def the_message(page, shop):
    """What became of it on both channels."""
    page.goto(f"/admin/django_hyber/message/{shop.message.pk}/change/")
    assert page.get_by_text("35015").first.is_visible()
    return {"until": "fieldset.module"}


def the_index_page(page, shop):
    """Above Django's own list of tables."""
    page.goto("/admin/django_hyber/")
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    delivered = Message.objects.filter(finished_at__gte=midnight, status__in=(Status.DELIVERED, Status.SEEN)).count()
    assert number_at(page, "[data-figure=delivered] b") == delivered
    assert number_at(page, "[data-figure=unread] b") == 1
    return {"until": ".hyber-dashboard"}


def the_messages(page, shop):
    """The failed ones of a campaign, with the action that sends them again."""
    page.goto(f"/admin/django_hyber/message/?campaign={shop.finished.pk}&status__exact=rejected")
    rejected = shop.finished.messages.filter(status=Status.REJECTED).count()
    assert re.findall(r"\d+", page.locator(".paginator").first.inner_text())[-1] == str(rejected)
    page.locator("#action-toggle").check()
    page.select_option("select[name=action]", "retry_selected")
    return {"height": 700}


PICTURES = {
    "composer": the_composer,
    "import": the_columns_of_a_file,
    "launch": the_page_before_the_launch,
    "campaign-sending": the_campaign_on_its_way,
    "campaign-finished": the_finished_campaign,
    "campaign-channels": the_channels_of_a_campaign,
    "message": the_message,
    "dashboard": the_index_page,
    "messages": the_messages,
}


def check_campaign(page, campaign):
    """Hold every number of a campaign's page against the database."""
    messages = campaign.messages
    for status in Status.values:
        shown = page.locator(f"tr[data-status={status}] td").first
        count = messages.filter(status=status).count()
        assert (digits_of(shown.inner_text()) if shown.count() else 0) == count, status
    delivered = messages.filter(status__in=(Status.DELIVERED, Status.SEEN))
    not_sent = messages.filter(
        status__in=(Status.QUEUED, Status.SENDING, Status.UNCONFIRMED, Status.SUPPRESSED, Status.CANCELLED)
    )
    assert number_at(page, "[data-delivered] b") == delivered.count()
    assert number_at(page, "[data-sent] b") == messages.count() - not_sent.count()
    for channel in ("viber", "sms"):
        assert number_at(page, f"tr[data-channel={channel}] td") == delivered.filter(channel=channel).count()
    assert figure_at(page, "rejected", "last-child") == messages.filter(status=Status.REJECTED).count()
    fell_back = messages.filter(other_channels__contains="viber:expired").count()
    assert figure_at(page, "not_delivered", "nth-of-type(1)") == fell_back
    by_viber = delivered.filter(channel="viber").count()
    assert figure_at(page, "tried", "nth-of-type(1)") == by_viber + fell_back
    stages = {
        "queued": messages.count(),
        "delivered": delivered.count(),
        "seen": messages.filter(status=Status.SEEN).count(),
        "clicked": messages.filter(clicks__gt=0).count(),
    }
    for stage, count in stages.items():
        assert number_at(page, f"tr[data-stage={stage}] td") == count, stage


def area(page, *, y=0, height=None, until=None):
    """The part of a page that a picture shows."""
    if until:
        box = page.locator(until).first.bounding_box()
        height = box["y"] + box["height"] - y
    return {"x": 0, "y": y, "width": WINDOW["width"], "height": height}


def take(page, language, name, **part):
    path = PLACE / language / f"{name}.png"
    page.screenshot(path=path, full_page=True, clip=area(page, **part))
    assert path.stat().st_size < LARGEST, name


@pytest.mark.parametrize("language", LOCALES)
def test_the_pictures_of_the_documentation(open_admin, admin_user, complaints, settings, tmp_path, language):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.HYBER = {"default": {**settings.HYBER["default"], "PRICES": {"viber": "0.45", "sms": "0.98"}}}
    is_taken = bool(os.environ.get("HYBER_SCREENSHOTS"))
    shop = open_shop(language, admin_user, size=1 if is_taken else 0.1)
    page = open_admin(language, (WINDOW, "light"))
    page.goto("/admin/")
    page.evaluate("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
    for name, picture in PICTURES.items():
        part = picture(page, shop)

        assert page.evaluate(LAYOUT) == [], name
        if is_taken:
            take(page, language, name, **part)
    page.evaluate("localStorage.clear()")
    assert complaints == []

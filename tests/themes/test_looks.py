"""With another look of the admin a button still looks like one, and nothing lies over anything else."""

from __future__ import annotations

import pytest

from tests.browser.conftest import chromium, database_before_the_server, find_page  # noqa: F401 - fixtures
from tests.browser.scenes import open_shop
from tests.browser.views import WIDE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TRANSPARENT = "rgba(0, 0, 0, 0)"
BUTTONS = """elements => elements.filter((element) => element.offsetParent).map((element) => {
    const style = getComputedStyle(element);
    return [element.value || element.textContent.trim(), style.backgroundColor, style.backgroundImage];
})"""
OVERLAPPING = """() => [...document.querySelectorAll(".hyber-insert, .hyber-steps, .hyber-move")].filter((group) => {
    const boxes = [...group.querySelectorAll("button")].map((button) => button.getBoundingClientRect());
    return boxes.some((box, place) => place && box.top < boxes[place - 1].bottom && box.left < boxes[place - 1].right);
}).map((group) => group.innerText)"""


@pytest.fixture
def page(find_page, live_server, client, admin_user):  # noqa: F811 - the fixture
    client.force_login(admin_user)
    page = find_page(locale="en-US")
    page.set_viewport_size(WIDE)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    yield page
    page.goto("about:blank")


@pytest.fixture
def shop(admin_user):
    return open_shop("en", admin_user, size=0.05)


@pytest.mark.parametrize("name", ["preflight", "import", "test", "copy"])
def test_buttons_stand_out(page, shop, name):
    page.goto(f"/admin/django_hyber/campaign/{shop.draft.pk}/{name}/")

    buttons = page.locator("#content-main .submit-row input[type=submit]").evaluate_all(BUTTONS)

    assert buttons
    assert [text for text, colour, image in buttons if (colour, image) == (TRANSPARENT, "none")] == []


def test_the_composer_shows_its_channels_and_no_pattern_of_one(page, shop):
    page.goto(f"/admin/django_hyber/campaign/{shop.draft.pk}/change/")

    page.locator(".hyber-insert button").first.wait_for()

    assert page.locator("#channels-0").is_visible()
    assert not page.locator("#channels-empty").is_visible()
    assert not page.locator("#id_channels-0-position").is_visible()
    assert page.evaluate(OVERLAPPING) == []


def test_the_columns_of_a_chart_are_not_black(page, shop):
    page.goto(f"/admin/django_hyber/campaign/{shop.finished.pk}/change/")

    fill = page.locator(".hyber-columns .hyber-empty").first.evaluate("element => getComputedStyle(element).fill")

    assert fill != "rgb(0, 0, 0)"

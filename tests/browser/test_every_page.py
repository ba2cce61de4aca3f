"""Every page of the admin, in both languages, themes and widths: it fits, everybody can read it, nothing complains."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.browser import axe
from tests.browser.scenes import busy_jobs, open_shop
from tests.browser.test_campaign import log_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOCALES = {"en": "en-US", "uk": "uk-UA"}
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
#: Every pair of language, width and theme: all eight of them would take as long as all other tests in a browser.
VIEWS = [
    pytest.param(language, width, theme, id=f"{language}-{theme}-{width['width']}")
    for language, width, theme in (
        ("en", WIDE, "light"),
        ("en", NARROW, "dark"),
        ("uk", WIDE, "dark"),
        ("uk", NARROW, "light"),
    )
]
#: What is cut off by its box and cannot be scrolled to. What is for screen readers only is no box, nor does it matter
#: how far a field can be scrolled by typing.
CUT_OFF = """() => [...document.querySelectorAll("#content *")].filter((element) => {
    const style = getComputedStyle(element);
    return !element.closest(".hyber-hidden, .hidden, .visually-hidden, svg, input, textarea, select")
        && style.overflowX === "hidden" && element.scrollWidth > element.clientWidth + 1;
}).map((element) => `${element.tagName}.${element.className}`)"""

#: A list or a table that does not fit a desk, where nobody looks for more of it behind its right edge.
TOO_WIDE = """() => [...document.querySelectorAll("#changelist .results, .hyber-scroll")]
    .filter((element) => element.scrollWidth > element.clientWidth + 1)
    .map((element) => `${element.scrollWidth - element.clientWidth} pixels of ${element.innerText.slice(0, 60)}`)"""

#: Django's own breadcrumbs differ from the text around them by their colour alone, its search field has only a picture
#: for a label, and the links beside its fields for dates are half translated: every app has them.
NOT_DJANGOS = {"exclude": [[".breadcrumbs"], ["#searchbar"], [".datetimeshortcuts"]]}


def pages_of(shop):
    """Every page by name: the lists, the page of one row of each, and what can be opened of a campaign."""
    rows = {
        "batch": shop.batch,
        "campaign": shop.finished,
        "message": shop.message,
        "deliveryreport": shop.report,
        "unreadablecallback": shop.callback,
        "reply": shop.reply,
        "suppression": shop.suppression,
    }
    pages = {"index": reverse("admin:app_list", args=["django_hyber"])}
    for name, row in rows.items():
        pages[f"{name}: list"] = reverse(f"admin:django_hyber_{name}_changelist")
        pages[f"{name}: page"] = reverse(f"admin:django_hyber_{name}_change", args=[row.pk])
    of_campaign = (
        *((shop.draft, page) for page in ("change", "import", "test", "send", "preview", "delete", "history")),
        *((shop.finished, page) for page in ("retry", "duplicate", "export")),
        *((shop.sending, page) for page in ("change", "cancel")),
    )
    for campaign, page in of_campaign:
        name = f"campaign: {page} of {campaign.status}"
        pages[name] = reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk])
    pages |= {
        "campaign: add": reverse("admin:django_hyber_campaign_add"),
        "suppression: add": reverse("admin:django_hyber_suppression_add"),
        "suppression: import": reverse("admin:django_hyber_suppression_import"),
        "suppression: export": reverse("admin:django_hyber_suppression_export"),
        "message: single": reverse("admin:django_hyber_message_change", args=[shop.single.pk]),
        "message: narrowed": f"{pages['message: list']}?campaign={shop.finished.pk}&status__exact=rejected",
        "message: nobody": f"{pages['message: list']}?q=nobody",
    }
    return pages


def test_every_kind_of_row_has_its_pages_here(live_server, admin_user):
    pages = pages_of(open_shop("en", admin_user, size=0.05))

    models = {model._meta.model_name for model in admin.site._registry if model._meta.app_label == "django_hyber"}
    assert {name.partition(":")[0] for name in pages} == models | {"index"}


def problems_of(page, response, language):
    """What is wrong with a page, in words."""
    if response.status != 200:
        yield f"answered {response.status}"
    if page.get_attribute("html", "lang") != language:
        yield f"is not {language}"
    excess = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if excess > 0:
        yield f"{excess} pixels wider than the window"
    if page.viewport_size == WIDE:
        for place in page.evaluate(TOO_WIDE):
            yield f"to be scrolled sideways: {place}"
    for place in page.evaluate(CUT_OFF):
        yield f"cut off: {place}"
    yield from axe.issues(page, within=NOT_DJANGOS)


@pytest.fixture
def short_lists(monkeypatch):
    """Ten rows look like fifty, and axe is done with them sooner."""
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "django_hyber":
            monkeypatch.setattr(model_admin, "list_per_page", 10)


@pytest.mark.usefixtures("short_lists")
@pytest.mark.parametrize(("language", "width", "theme"), VIEWS)
def test_every_page_fits_and_can_be_read(live_server, open_page, admin_user, complaints, language, width, theme):
    shop = open_shop(language, admin_user, size=0.05)
    busy_jobs(shop.finished, admin_user)
    page = open_page(locale=LOCALES[language], viewport=width, color_scheme=theme)
    log_in(page)
    wrong = []
    for name, address in pages_of(shop).items():
        response = page.goto(address)
        wrong += [f"{name}: {text}" for text in [*problems_of(page, response, language), *complaints]]
        complaints.clear()

    assert not wrong, "\n".join(wrong)

"""A project that writes numbers with separators: addresses, form values and data are numbers all the same."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.urls import reverse

from tests.browser.scenes import busy_jobs, open_doubts, open_imports, open_shop
from tests.browser.test_every_page import addresses_of, decisions_about, pages_of
from tests.tables import statements

FIRST_ID = 1_234_501
#: Such an id with separators: a comma, a full stop, a space or an apostrophe of any kind.
WRITTEN_FOR_PEOPLE = re.compile(r"1[^0-9a-z]{1,6}234[^0-9a-z]{1,6}5\d\d", re.IGNORECASE)
#: What must be a number for a browser or a script, with its fraction after a full stop.
NUMERIC = {"max", "min", "width", "height", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "points", "d", "viewbox"}
NUMERIC |= {"data-number", "data-refresh", "data-total", "colspan", "rowspan", "maxlength", "tabindex"}
WRONG_NUMBER = re.compile(r"\d[\xa0\u202f'’]\d|^\d{1,3}([.,]\d{3})+$|^\d+,\d+%?$")

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


class Attributes(HTMLParser):
    """Collects all attributes of a page, and what its scripts hold."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found += [(tag, name, value or "") for name, value in attributes]

    @property
    def links(self):
        return [value for tag, name, value in self.found if name in {"href", "action", "formaction", "data-url"}]

    def problems(self):
        for tag, name, value in self.found:
            if name in {"aria-label", "title", "alt", "placeholder", "data-summary", "content"}:
                continue
            if WRITTEN_FOR_PEOPLE.search(unquote(value)):
                yield f"<{tag} {name}={value!r}>"
            if (name in NUMERIC or (tag in {"progress", "meter"} and name == "value")) and WRONG_NUMBER.search(value):
                yield f"<{tag} {name}={value!r}>"
            if name == "style" and re.search(r"\d,\d", value):
                yield f"<{tag} {name}={value!r}>"


@pytest.fixture
def high_ids(transactional_db):
    """Rows get ids above a million, as in a shop that has sent for a year."""
    models = list(apps.get_app_config("django_hyber").get_models())
    tables = [model._meta.db_table for model in models if model._meta.pk.column == "id"]
    for table in tables:
        _next_id(table, FIRST_ID)
    yield
    connection.ops.execute_sql_flush(statements("default"))
    for table in tables:
        _next_id(table, 1)


def _next_id(table, number):
    """Each database has its own way."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, number - 1])
        elif connection.vendor == "postgresql":
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s, false)", [table, number])
        else:
            cursor.execute(f"ALTER TABLE {table} AUTO_INCREMENT = {number}")


@pytest.fixture
def addresses(high_ids, admin_user, settings, tmp_path, monkeypatch):
    """Where a look round the admin begins."""
    settings.MEDIA_ROOT = tmp_path
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "django_hyber":
            monkeypatch.setattr(model_admin, "list_per_page", 10)
    shop = open_shop("uk", admin_user, size=0.05)
    assert shop.finished.pk >= FIRST_ID
    for campaign in (shop.finished, None):
        busy_jobs(campaign, admin_user)
    imports = open_imports(shop, admin_user)
    pages = pages_of(shop) | decisions_about(open_doubts(shop)) | addresses_of(imports)
    parts = [
        reverse(f"admin:django_hyber_campaign_{name}", args=[campaign.pk])
        for name in ("progress", "preflight_part", "preview")
        for campaign in (shop.draft, shop.sending, shop.finished)
    ]
    return [*pages.values(), *parts]


@pytest.mark.parametrize("language", ["uk", "de", "en"])
def test_no_address_and_no_value_of_any_page_has_a_separator(addresses, admin_client, settings, language):
    settings.USE_THOUSAND_SEPARATOR = True
    settings.LANGUAGE_CODE = language
    waiting, seen, wrong = [*addresses], set(), []
    while waiting:
        address = waiting.pop()
        kind = re.sub(r"\d+|=.*", "0", address)
        # One page of a kind is enough.
        if kind in seen:
            continue
        seen.add(kind)
        answer = admin_client.get(address, headers={"accept-language": language})
        if answer.streaming or answer.status_code in {302, 405}:
            continue
        assert answer.status_code == 200, address
        text = answer.content.decode()
        if answer["Content-Type"].startswith("application/json"):
            wrong += [f"{address}: {found}" for found in WRITTEN_FOR_PEOPLE.findall(unquote(text))]
            continue
        page = Attributes(text)
        wrong += [f"{address}: {problem}" for problem in page.problems()]
        waiting += _of_the_app(address, page.links)
    assert len(seen) > 50
    assert not wrong, "\n".join(wrong)


def _of_the_app(address, links):
    """The links of the app with at most one parameter: combinations of filters are without end."""
    for link in links:
        parts = urlsplit(urljoin(address, link))
        if parts.path.startswith("/admin/django_hyber/") and "&" not in parts.query:
            yield f"{parts.path}?{parts.query}" if parts.query else parts.path

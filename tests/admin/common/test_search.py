"""A search finds a number in any spelling, in every list that has numbers."""

from __future__ import annotations

import pytest

from django_hyber.models import Message, Suppression

pytestmark = pytest.mark.django_db

SPELLINGS = [
    "380671234567",
    "+380 67 123-45-67",
    "067/123 45 67",
    "8 067 123 45 67",
    "8(067)1234567",
    "tel:+380671234567",
    "tel://0671234567",
    "sms:0671234567",
    '="0671234567"',
    "3.80671234567E+11",
    "\u2066+380671234567\u2069",
    "067\u00ad1234567",
]


@pytest.fixture
def stored(draft):
    draft.messages.create(phone_number="380671234567", extra_id="one")
    draft.messages.create(phone_number="380671234568", extra_id="two")
    Suppression.objects.create(phone_number="380671234567")
    Suppression.objects.create(phone_number="380671234568")


@pytest.mark.parametrize("typed", SPELLINGS)
def test_messages_and_opt_outs_are_found_in_any_spelling(admin_client, stored, typed):
    for table in ("message", "suppression"):
        page = admin_client.get(f"/admin/django_hyber/{table}/", {"q": typed})

        assert [row.phone_number for row in page.context["cl"].result_list] == ["380671234567"]


@pytest.mark.parametrize("typed", SPELLINGS)
def test_campaigns_are_found_by_a_recipient(admin_client, stored, typed):
    page = admin_client.get("/admin/django_hyber/campaign/", {"q": typed})

    assert [row.name for row in page.context["cl"].result_list] == ["Spring sale"]


def test_campaigns_of_nobody_are_not_found(admin_client, stored):
    page = admin_client.get("/admin/django_hyber/campaign/", {"q": "067 999 99 99"})

    assert list(page.context["cl"].result_list) == []


def test_whoever_may_not_see_numbers_cannot_search_campaigns_by_them(client, log_in, stored):
    log_in("view_campaign")

    page = client.get("/admin/django_hyber/campaign/", {"q": "0671234567"})

    assert list(page.context["cl"].result_list) == []


@pytest.mark.parametrize("typed", ["48512345678", "+48512345678", "0048512345678"])
def test_a_number_of_another_country_is_found_without_its_plus(admin_client, typed):
    Message.objects.create(phone_number="48512345678", extra_id="three")

    page = admin_client.get("/admin/django_hyber/message/", {"q": typed})

    assert [row.extra_id for row in page.context["cl"].result_list] == ["three"]

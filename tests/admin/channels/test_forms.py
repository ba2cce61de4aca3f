"""The channels on the page of a campaign: each option with its help, and with what its text uses of the limit."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from django_hyber.protocol import SMS


def notes(page):
    """The live notes by the field they belong to, without tags."""
    found = re.findall(r'id="hyber-live-([\w-]+)">(.*?)</span></(?:div|span)>|id="hyber-live-([\w-]+)"></span>', page)
    return {field or empty: re.sub(r"<[^>]+>", "", text) for field, text, empty in found}


@pytest.fixture
def change_page(draft, admin_client):
    return admin_client.get(reverse("admin:django_hyber_campaign_change", args=[draft.pk])).content.decode()


def test_the_help_of_a_text_says_how_much_of_its_limit_is_used(change_page):
    assert "2 of 1000 characters, 998 left." in notes(change_page)["channels-0-text"]
    assert "2 characters, 1 of 5 segments, 158 left in this segment." in notes(change_page)["channels-1-text"]


def test_an_empty_option_has_a_place_for_its_note(change_page):
    assert notes(change_page)["channels-0-caption"] == ""


def test_a_channel_that_is_added_later_has_places_for_its_notes(change_page):
    assert notes(change_page)["channels-__prefix__-text"] == ""


def test_a_refused_text_shows_its_error_once(draft, admin_client, campaign_form):
    data = campaign_form({"channel": "sms", "text": "x" * 800, "alpha_name": "Shop", "ttl": "300"})
    page = admin_client.post(reverse("admin:django_hyber_campaign_add"), data).content.decode()

    assert page.count("This has 800 characters; the limit is 765.") == 1
    assert notes(page)["channels-0-text"] == ""


def test_a_warning_stands_beside_its_field(draft, admin_client):
    draft.set_channels([SMS(text="Hi", ttl=300, alpha_name="Shop"), *draft.get_channels()[:1]])
    page = admin_client.get(reverse("admin:django_hyber_campaign_change", args=[draft.pk])).content.decode()

    assert "SMS should be the last channel." in page

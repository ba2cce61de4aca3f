"""The banner of accounts that do not send to everybody."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User

from tests.builders import make_campaign
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def addresses(platform):
    campaign = make_campaign([phone(1)])
    base = "/admin/django_hyber/"
    return [
        base,
        f"{base}campaign/",
        f"{base}campaign/add/",
        f"{base}campaign/{campaign.pk}/change/",
        f"{base}campaign/{campaign.pk}/preflight/",
        f"{base}campaign/{campaign.pk}/test/",
        f"{base}message/",
        f"{base}message/{campaign.messages.get().pk}/change/",
        f"{base}suppression/",
    ]


def test_every_page_that_leads_to_sending_says_who_gets_the_messages(addresses, settings, admin_client):
    settings.HYBER["default"] |= {"REDIRECT_TO": phone(7), "ALLOWED_NUMBERS": ["380*"]}

    for address in addresses:
        page = admin_client.get(address).content.decode()
        assert f"Account “default”: every message goes to {phone(7)}" in page, address
        assert "that are not in ALLOWED_NUMBERS are not sent" in page, address


def test_without_these_settings_there_is_no_banner(addresses, admin_client):
    for address in addresses:
        assert "hyber-restrictions" not in admin_client.get(address).content.decode(), address


def test_number_is_masked_for_those_who_may_not_see_numbers(addresses, settings, client):
    settings.HYBER["default"]["REDIRECT_TO"] = phone(7)
    user = User.objects.create_user("reader", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_message"))
    client.force_login(user)
    page = client.get("/admin/django_hyber/message/").content.decode()

    assert "hyber-restrictions" in page
    assert phone(7) not in page

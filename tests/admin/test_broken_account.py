"""What the admin shows while the settings of an account have a mistake."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from django_hyber.models import Batch, Campaign
from django_hyber.services import start_campaign
from tests.admin.pages import button_of, text_of, url_of
from tests.builders import make_campaign
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)

MISTAKE = "HYBER['default']['LEASE'] is 0; it must be"
PAGES = ["campaign_changelist", "campaign_add", "message_changelist", "reply_changelist", "suppression_add"]


@pytest.fixture
def draft(platform):
    return make_campaign([phone(3)])


@pytest.fixture
def broken(platform, draft, settings):
    """A campaign that was sent before a mistake came into the settings of its account, the only one."""
    campaign = start_campaign(make_campaign([phone(1)]))
    settings.HYBER = {"default": settings.HYBER["default"] | {"LEASE": 0}}
    return campaign


@pytest.mark.parametrize("page", ["change", "history"])
def test_page_of_a_campaign_opens(broken, admin_client, page):
    assert admin_client.get(url_of(broken, page)).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_page_of_the_admin_opens(broken, admin_client, page):
    assert admin_client.get(reverse(f"admin:django_hyber_{page}"), {"q": "067 123 45 00"}).status_code == 200


def test_dashboard_names_the_mistake(broken, admin_client):
    assert MISTAKE in text_of(admin_client.get(reverse("admin:app_list", args=["django_hyber"])))


@pytest.mark.parametrize("status", ["scheduled", "sending"])
def test_campaign_with_a_start_time_can_be_resumed(broken, admin_client, status):
    hours = 1 if status == "scheduled" else -1
    Campaign.objects.update(status="paused", start_time=timezone.now() + timedelta(hours=hours))
    Batch.objects.update(state="pending")

    assert admin_client.post(url_of(broken, "resume")).status_code == 302
    broken.refresh_from_db()
    assert broken.status == status


def test_launch_is_refused_with_the_mistake(broken, draft, admin_client):
    page = admin_client.get(url_of(draft))

    assert MISTAKE in text_of(page)
    assert button_of(page) is None

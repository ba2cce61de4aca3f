from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from django_hyber.models import Campaign, Suppression
from django_hyber.protocol import Viber

LIST = "/admin/django_hyber/campaign/"


def url_of(campaign, page="send"):
    return reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk])


def send_selected(client, *campaigns, confirmed=True, **extra):
    data = {"action": "send_selected", "_selected_action": [campaign.pk for campaign in campaigns]}
    return client.post(LIST, data | ({"post": "yes"} if confirmed else {}), **extra)


def status_of(campaign):
    campaign.refresh_from_db()
    return campaign.status


@pytest.fixture
def ready(draft, add_recipients):
    add_recipients(draft, 3)
    return draft


def test_the_confirmation_says_what_goes_to_how_many_people(admin_client, ready):
    Suppression.objects.create(phone_number=ready.messages.first().phone_number)

    page = admin_client.get(url_of(ready)).content.decode()

    assert 'value="Send to 2 people"' in page
    assert "1 more has opted out and is left out." in page
    assert "<dt>Text</dt><dd>Hi</dd>" in page
    assert "Start time: at once." in page


def test_looking_at_the_confirmation_sends_nothing(admin_client, ready):
    admin_client.get(url_of(ready))
    send_selected(admin_client, ready, confirmed=False)

    assert status_of(ready) == "draft"


def test_problems_take_the_button_away(admin_client, ready):
    ready.set_channels([Viber(text="Hi %name%", ttl=60)])

    page = admin_client.get(url_of(ready)).content.decode()

    assert "%name% is missing for 3 recipients" in page
    assert "Send to" not in page
    admin_client.post(url_of(ready))
    assert status_of(ready) == "draft"


def test_sending_starts_the_campaign_and_is_logged(admin_client, ready):
    response = admin_client.post(url_of(ready), follow=True)

    assert status_of(ready) == "sending"
    assert "Sending to 3 recipients started." in response.content.decode()
    assert LogEntry.objects.get().get_change_message() == "Sending to 3 recipients started."


def test_a_double_click_sends_once(admin_client, ready):
    admin_client.post(url_of(ready))
    response = admin_client.post(url_of(ready), follow=True)

    assert "already been started" in response.content.decode()
    assert ready.batches.count() == 1
    assert LogEntry.objects.count() == 1


def test_a_form_of_another_site_is_refused(admin_user, ready):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)

    assert client.post(url_of(ready)).status_code == 403
    assert status_of(ready) == "draft"


def test_selected_campaigns_are_confirmed_together(admin_client, ready, add_recipients):
    other = Campaign.objects.create(name="No texts")
    add_recipients(other, 2)

    page = send_selected(admin_client, ready, other, confirmed=False).content.decode()

    assert 'value="Send to 3 people"' in page
    assert "Choose at least one channel." in page
    assert f'name="_selected_action" value="{ready.pk}"' in page
    assert f'name="_selected_action" value="{other.pk}"' not in page


def test_the_failure_of_one_campaign_does_not_stop_the_others(admin_client, ready, add_recipients):
    broken = Campaign.objects.create(name="No texts")
    second = Campaign.objects.create(name="Second")
    second.set_channels(ready.get_channels())
    add_recipients(second, 1)

    page = send_selected(admin_client, ready, broken, second, follow=True).content.decode()

    assert [status_of(campaign) for campaign in (ready, broken, second)] == ["sending", "draft", "sending"]
    assert "Spring sale: Sending to 3 recipients started." in page
    assert "“No texts” was not sent." in page
    assert "Second: Sending to 1 recipient started." in page


@pytest.mark.django_db(transaction=True)
def test_a_campaign_that_the_platform_stops_at_once_says_so(admin_client, ready, platform, settings):
    settings.HYBER = {"default": {**settings.HYBER["default"], "PASSWORD": "wrong"}}

    page = admin_client.post(url_of(ready), follow=True).content.decode()

    assert status_of(ready) == "paused"
    assert "has been stopped" in page
    assert "wrong" not in page

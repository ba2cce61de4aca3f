"""Two tabs, or two colleagues, with the same campaign: nobody's work is replaced unseen."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from django_hyber.models import Campaign
from django_hyber.protocol import SMS, Viber

pytestmark = pytest.mark.django_db


def url_of(campaign):
    return reverse("admin:django_hyber_campaign_change", args=[campaign.pk])


def seen_on(response):
    return re.search(r'name="seen_version" value="([0-9a-f]*)"', response.content.decode())[1]


def differences_on(response):
    return {line.label: (line.saved, line.yours) for line in response.context["conflict"].differences}


@pytest.fixture
def post(admin_client, campaign_form):
    """Save the form of the campaign with these values for its two channels."""

    def post(campaign, seen, viber="Hi", sms="Hi", **fields):
        rows = [
            {
                "id": row.pk,
                "campaign": campaign.pk,
                "position": row.position,
                **row.options,
                "text": viber if row.channel == "viber" else sms,
            }
            for row in campaign.channels.all()
        ]
        fields = {"missing_variables": "refuse", "seen_version": seen, **fields}
        return admin_client.post(url_of(campaign), campaign_form(*rows, initial=2, **fields))

    return post


def test_form_that_shows_the_newest_version_is_saved(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))

    assert post(draft, seen, viber="Hello").status_code == 302
    assert draft.channels.get(channel="viber").options["text"] == "Hello"


def test_later_save_does_not_replace_an_earlier_one_unseen(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))
    post(draft, seen, viber="First tab")

    response = post(draft, seen, viber="Second tab", name="Renamed")

    assert "changed after you opened this page" in response.content.decode()
    assert draft.channels.get(channel="viber").options["text"] == "First tab"
    assert differences_on(response) == {
        "Name": ("Spring sale", "Renamed"),
        "Viber: Text": ("First tab", "Second tab"),
    }
    assert response.context["conflict"].user == "admin"


def test_second_attempt_replaces_what_was_shown(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))
    post(draft, seen, viber="First tab")
    refused = post(draft, seen, viber="Second tab")

    assert post(draft, seen_on(refused), viber="Second tab").status_code == 302
    assert draft.channels.get(channel="viber").options["text"] == "Second tab"


def test_third_version_is_shown_again(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))
    post(draft, seen, viber="First tab")
    refused = post(draft, seen, viber="Second tab")
    draft.set_channels([Viber(text="From code", ttl=60), SMS(text="Hi", ttl=300, alpha_name="Shop")])

    response = post(draft, seen_on(refused), viber="Second tab")

    assert response.status_code == 200
    assert differences_on(response)["Viber: Text"] == ("From code", "Second tab")


def test_change_from_code_counts_as_well(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))
    Campaign.objects.filter(pk=draft.pk).update(throttle=60)

    response = post(draft, seen)

    assert differences_on(response) == {"Throttle": ("60", "")}
    assert "This campaign was changed outside of the admin." in response.content.decode()


def test_progress_of_the_campaign_is_no_change_of_it(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))
    Campaign.objects.filter(pk=draft.pk).update(status_reason="Something happened")

    assert post(draft, seen).status_code == 302


def test_program_that_posts_no_version_is_not_held_up(draft, post):
    assert post(draft, "", viber="Hello").status_code == 302


def test_version_is_not_logged_as_a_change(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))
    post(draft, seen, name="Renamed")

    history = admin_client.get(reverse("admin:django_hyber_campaign_history", args=[draft.pk])).content.decode()
    assert "Changed Name." in history
    assert "version" not in history.lower()


def test_title_is_the_name_of_the_campaign(admin_client, draft):
    page = admin_client.get(url_of(draft)).content.decode()

    assert "<h1>Spring sale</h1>" in page
    assert page.count("<h2>Spring sale</h2>") == 0

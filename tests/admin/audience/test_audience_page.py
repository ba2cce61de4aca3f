"""Audiences of the project, chosen for a campaign in the admin."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_hyber.models import Campaign
from django_hyber.protocol import SMS
from django_hyber.services import CampaignError, add_audience, preflight, start_campaign
from tests.builders import posts
from tests.samples import phone
from tests.store.models import Customer

pytestmark = pytest.mark.django_db(transaction=True)

AUDIENCES = {"customers": "tests.store.audiences.customers", "kyiv": "tests.store.audiences.bare"}


@pytest.fixture
def campaign(platform, settings):
    settings.HYBER["default"]["AUDIENCES"] = AUDIENCES
    for number, city in enumerate(["Kyiv", "Kyiv", "Lviv"]):
        Customer.objects.create(first_name=f"Person {number}", phone=phone(number), city=city)
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    return campaign


def page_of(campaign):
    return f"/admin/django_hyber/campaign/{campaign.pk}/audience/"


def test_page_shows_each_audience_with_its_number(campaign, admin_client):
    page = admin_client.get(page_of(campaign)).content.decode()

    assert "All customers (3 objects)" in page
    assert "kyiv (2 objects)" in page
    change = admin_client.get(f"/admin/django_hyber/campaign/{campaign.pk}/change/").content.decode()
    assert page_of(campaign) in change


def test_chosen_audience_becomes_the_recipients(campaign, admin_client, platform):
    page = admin_client.post(page_of(campaign), {"audience": "customers"}, follow=True).content.decode()
    assert "3 recipients were added." in page
    campaign.refresh_from_db()
    start_campaign(campaign)

    assert campaign.audience == "customers"
    assert {message.reference for message in campaign.messages.all()} == set(Customer.objects.all())
    assert len(posts(platform)[0]["recipients"]) == 3


def test_adding_it_again_adds_who_is_new(campaign, admin_client):
    admin_client.post(page_of(campaign), {"audience": "customers"})
    Customer.objects.create(first_name="New", phone=phone(9))
    page = admin_client.post(page_of(campaign), {"audience": "customers"}, follow=True).content.decode()

    assert "1 recipient was added." in page
    assert "left out" not in page
    assert campaign.messages.count() == 4


def test_audience_is_counted_again_before_the_launch(campaign, admin_client):
    add_audience(campaign, "customers")
    assert preflight(campaign).warnings == []
    Customer.objects.create(first_name="New", phone=phone(9))

    (warning,) = preflight(campaign).warnings
    assert warning.messages == ["The audience “All customers” has 4 objects now, and the campaign has 3 recipients."]
    page = admin_client.get(f"/admin/django_hyber/campaign/{campaign.pk}/send/").content.decode()
    assert "has 4 objects now" in page


def test_audience_that_is_gone_from_the_settings_is_a_warning(campaign, settings):
    add_audience(campaign, "customers")
    settings.HYBER["default"]["AUDIENCES"] = {}

    assert "'customers'] does not exist" in preflight(campaign).warnings[0].messages[0]


@pytest.mark.parametrize("chosen", ["", "nobody", "broken"])
def test_what_cannot_be_chosen_adds_nobody(campaign, admin_client, settings, chosen):
    settings.HYBER["default"]["AUDIENCES"] = {"broken": "tests.store.audiences.missing"}
    page = admin_client.post(page_of(campaign), {"audience": chosen}).content.decode()

    assert "Choose an audience." in page
    assert "cannot be imported" in page
    assert not campaign.messages.exists()


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("tests.store.audiences.nothing", "must return a queryset or an Audience, not NoneType"),
        ("tests.store.audiences.missing", "cannot be imported"),
        ("nowhere.at_all", "cannot be imported"),
    ],
)
def test_audience_that_cannot_be_used_is_named(campaign, settings, path, error):
    settings.HYBER["default"]["AUDIENCES"] = {"wrong": path}

    with pytest.raises(ImproperlyConfigured, match=rf"AUDIENCES.*wrong.*{error}"):
        add_audience(campaign, "wrong")


@pytest.mark.parametrize(
    "value",
    [["shop.audiences.customers"], {"customers": "customers"}, {"": "shop.audiences.x"}, {"a": 1}, {"a": "b c.d"}],
)
def test_setting_of_another_form_is_refused(campaign, settings, value):
    settings.HYBER["default"]["AUDIENCES"] = value

    with pytest.raises(ImproperlyConfigured, match="AUDIENCES"):
        add_audience(campaign, "customers")


def test_launched_campaign_gets_nobody(campaign, admin_client):
    add_audience(campaign, "kyiv")
    start_campaign(campaign)

    with pytest.raises(CampaignError):
        add_audience(campaign, "customers")
    assert admin_client.post(page_of(campaign), {"audience": "customers"}).status_code == 403


def test_project_without_audiences_sees_no_button(campaign, settings, admin_client):
    settings.HYBER["default"]["AUDIENCES"] = {}
    page = admin_client.get(f"/admin/django_hyber/campaign/{campaign.pk}/change/").content.decode()

    assert "Add an audience" not in page
    assert "has no audiences" in admin_client.get(page_of(campaign)).content.decode()

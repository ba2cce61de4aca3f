"""A replica that is behind, read by a router like that of Django's documentation: it has the rows as they once were."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connections
from django.db.models import Prefetch, prefetch_related_objects
from django.urls import reverse

from django_hyber.models import Campaign, CampaignChannel, DeliveryReport, Message
from django_hyber.protocol import SMS
from django_hyber.services import apply_delivery_reports, send_message, start_campaign
from tests.builders import make_campaign, posts
from tests.samples import phone, report

OLD = [SMS(text="The old text", alpha_name="GMSU", ttl=300)]
NEW = [SMS(text="The text edited last", alpha_name="GMSU", ttl=300)]
#: Referenced tables come first.
MODELS = [*apps.get_app_config("django_hyber").get_models()]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica"])


class PrimaryReplicaRouter:
    """As in Django's documentation, but users and sessions have no replica here."""

    def db_for_read(self, model, **hints):
        return "replica" if model._meta.app_label == "django_hyber" else "default"

    def db_for_write(self, model, **hints):
        return "default"

    def allow_relation(self, obj1, obj2, **hints):
        return True


@pytest.fixture(scope="module", autouse=True)
def _replica(django_db_setup, django_db_blocker, tmp_path_factory):
    """A second database with our tables, known before the tests ask for it."""
    path = tmp_path_factory.mktemp("replica") / "replica.sqlite3"
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": {}}
    connections.settings["replica"] = connections.settings["default"] | database
    with django_db_blocker.unblock():
        with connections["replica"].schema_editor() as editor:
            for model in MODELS:
                editor.create_model(model)
        yield
        connections["replica"].close()
    del connections["replica"], connections.settings["replica"]


@pytest.fixture
def replicate(settings):
    """A function that brings the replica up to date. Without another call it is behind from then on."""

    def copy():
        for model in MODELS:
            model.objects.using("replica").bulk_create(model.objects.using("default"))
        settings.DATABASE_ROUTERS = [PrimaryReplicaRouter()]

    return copy


@pytest.fixture
def campaign(replicate):
    """A campaign whose text was edited after the last replication."""
    campaign = make_campaign([phone(1)], channels=OLD)
    replicate()
    campaign.set_channels(NEW)
    # The replica is really behind.
    (behind,) = CampaignChannel.objects.using("replica")
    assert behind.options["text"] == "The old text"
    return Campaign.objects.get(pk=campaign.pk)


def test_text_that_was_edited_last_is_sent(platform, campaign):
    start_campaign(campaign)

    assert [post["channel_options"]["sms"]["text"] for post in posts(platform)] == ["The text edited last"]


@pytest.mark.parametrize(
    "read",
    [
        lambda campaign: campaign.channels.all(),
        lambda campaign: campaign.channels.filter(position=0),
        lambda campaign: [campaign.channels.get()],
        lambda campaign: CampaignChannel.objects.filter(campaign__name="Spring sale"),
        lambda campaign: CampaignChannel._base_manager.all(),
        lambda campaign: Campaign.objects.prefetch_related("channels").get().channels.all(),
        lambda campaign: Campaign.objects.prefetch_related(Prefetch("channels", to_attr="found")).get().found,
        lambda campaign: (
            Campaign.objects.prefetch_related(Prefetch("channels", CampaignChannel.objects.all())).get().channels.all()
        ),
    ],
)
def test_related_rows_are_read_where_they_are_written(campaign, read):
    assert [channel.options["text"] for channel in read(campaign)] == ["The text edited last"]


def test_rows_in_memory_are_filled_from_where_they_are_written(campaign):
    prefetch_related_objects([campaign], "channels")
    (channel,) = campaign.channels.all()
    Campaign.objects.filter(pk=campaign.pk).update(name="Renamed")
    again = CampaignChannel.objects.get(pk=channel.pk)
    campaign.refresh_from_db()
    channel.refresh_from_db()

    assert channel.options["text"] == "The text edited last"
    assert (campaign.name, again.campaign.name) == ("Renamed", "Renamed")
    assert CampaignChannel.objects.select_related("campaign").get().campaign.name == "Renamed"


def test_deferred_columns_are_read_where_they_are_written(campaign):
    later = Campaign.objects.defer("name").get()
    Campaign.objects.filter(pk=campaign.pk).update(name="Renamed")

    assert later.name == "Renamed"


def test_report_that_has_just_come_is_among_the_reports_of_its_message(platform, replicate):
    message = send_message(phone(1), NEW)
    replicate()
    apply_delivery_reports([report(extra_id=message.extra_id)])
    message.refresh_from_db()

    assert message.status == Message.Status.DELIVERED
    assert message.delivery_reports.count() == DeliveryReport.objects.count() == 1
    assert not DeliveryReport.objects.using("replica").exists()


def test_admin_shows_and_sends_what_was_edited_last(platform, campaign, admin_client):
    form = admin_client.get(reverse("admin:django_hyber_campaign_change", args=[campaign.pk])).content.decode()
    page = admin_client.get(reverse("admin:django_hyber_campaign_preflight", args=[campaign.pk])).content.decode()

    assert ("The text edited last" in form, "The old text" in form) == (True, False)
    assert "The old text" not in page

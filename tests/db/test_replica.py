"""A project with a read replica: what the app decides by is read from where it is written."""

from __future__ import annotations

import pytest
from django.db import connections
from django.urls import reverse

from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS
from django_hyber.services import apply_delivery_reports, dispatch, send_message, start_campaign
from tests.builders import make_campaign
from tests.samples import phone

TEXT = [SMS(text="Hi", alpha_name="GMSU", ttl=300)]
CONTENT = {"channels": ["sms"], "channel_options": {"sms": TEXT[0].to_wire()}}


class ReplicaRouter:
    """Sends all reads of the app's tables to the replica."""

    def db_for_read(self, model, **hints):
        return "replica" if model._meta.app_label == "django_hyber" else None

    def db_for_write(self, model, **hints):
        return "default"


@pytest.fixture(autouse=True)
def _replica(settings):
    """Every query that goes to the replica fails: there is no such file."""
    nowhere = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/no/such/folder/replica.sqlite3", "OPTIONS": {}}
    connections.settings["replica"] = connections.settings["default"] | nowhere
    settings.DATABASE_ROUTERS = [ReplicaRouter()]
    yield
    connections["replica"].close()
    del connections["replica"], connections.settings["replica"]


@pytest.mark.django_db(transaction=True)
def test_message_is_sent_and_its_report_is_applied_without_the_replica(platform):
    message = send_message(phone(1), TEXT)
    delivered = {
        "extra_id": message.extra_id,
        "status": 2,
        "substatus": 23,
        "hyber_status": 23011,
        "time": 1790000000000,
    }
    apply_delivery_reports([delivered])
    message.refresh_from_db()

    assert message.status == Message.Status.DELIVERED


@pytest.mark.django_db(transaction=True)
def test_campaign_is_sent_without_the_replica(platform):
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))

    assert campaign.status == Campaign.Status.FINISHED
    assert set(campaign.messages.values_list("status", flat=True)) == {Message.Status.ACCEPTED}


@pytest.mark.django_db(transaction=True)
def test_sweep_finds_what_is_due_without_the_replica(platform):
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1", content=CONTENT)
    dispatch()
    message.refresh_from_db()

    assert message.status == Message.Status.ACCEPTED


@pytest.mark.django_db(transaction=True)
def test_page_of_a_campaign_shows_what_was_just_written(platform, admin_client):
    campaign = start_campaign(make_campaign([phone(1)]))

    page = admin_client.get(reverse("admin:django_hyber_campaign_progress", args=[campaign.pk]))

    assert page.status_code == 200

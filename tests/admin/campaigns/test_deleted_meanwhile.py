"""A campaign that is deleted while a button about it is pressed: no page fails, and each says what has happened."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.urls import reverse

from django_hyber.campaigns import lifecycle
from django_hyber.models import Campaign, Message
from django_hyber.services import cancel_campaign, pause_campaign, resume_campaign, retry_failed, start_campaign
from tests.admin.pages import confirm, seen_on, url_of

LIST = reverse("admin:django_hyber_campaign_changelist")
DELETED = "The campaign “Spring sale” has been deleted in the meantime. Nothing was changed."
RETRY = {"confirmed": "1", "run": "1", "reason": "expired:"}
STATUSES = {"pause": "sending", "resume": "paused", "cancel": "sending", "withdraw": "scheduled", "retry": "finished"}


@pytest.fixture
def campaign(draft, add_recipients):
    add_recipients(draft, 3, status="expired")
    add_recipients(draft, 3)
    return draft


@pytest.fixture
def deleted_meanwhile(campaign, monkeypatch):
    """Delete the campaign right before it is locked."""
    write_transaction = lifecycle.write_transaction

    @contextmanager
    def delete_first():
        Campaign.objects.filter(pk=campaign.pk).delete()
        with write_transaction():
            yield

    monkeypatch.setattr(lifecycle, "write_transaction", delete_first)


def said_on(response):
    assert (response.status_code, response.redirect_chain) == (200, [(LIST, 302)])
    return [str(message) for message in response.context["messages"]]


def set_status(campaign, status):
    Campaign.objects.filter(pk=campaign.pk).update(status=status, run=1)
    campaign.refresh_from_db()


def test_launch_leads_to_the_list(admin_client, campaign, deleted_meanwhile):
    assert said_on(confirm(admin_client, campaign, follow=True)) == [DELETED]


def test_launch_from_the_list_leaves_the_others_to_be_launched(
    admin_client, campaign, add_recipients, deleted_meanwhile
):
    other = Campaign.objects.create(name="Autumn sale")
    other.set_channels(campaign.get_channels())
    add_recipients(other, 1)
    chosen = {"action": "send_selected", "_selected_action": [campaign.pk, other.pk]}
    seen = seen_on(admin_client.post(LIST, chosen))
    response = admin_client.post(LIST, {**chosen, **seen, "post": "yes"}, follow=True)

    assert said_on(response)[0] == DELETED
    other.refresh_from_db()
    assert other.run == 1


@pytest.mark.parametrize(("page", "status"), STATUSES.items())
def test_button_leads_to_the_list(admin_client, campaign, page, status, deleted_meanwhile):
    set_status(campaign, status)
    data = RETRY if page == "retry" else {}

    assert said_on(admin_client.post(url_of(campaign, page), data, follow=True)) == [DELETED]


@pytest.mark.parametrize("audience", ["nobody", "everybody"])
def test_copy_leads_to_the_list(admin_client, campaign, audience, deleted_meanwhile):
    form = {"name": "Copy", "audience": audience, "form_key": "0" * 32}

    assert said_on(admin_client.post(url_of(campaign, "copy"), form, follow=True)) == [DELETED]
    assert not Campaign.objects.exists()


def test_check_leads_to_the_list(admin_client, campaign, deleted_meanwhile):
    assert said_on(admin_client.post(url_of(campaign, "preflight_check"), follow=True)) == [DELETED]


def test_retry_from_the_list_of_messages_says_so(admin_client, campaign, deleted_meanwhile):
    set_status(campaign, "finished")
    keys = list(Message.objects.filter(status="expired").values_list("pk", flat=True))
    chosen = {"action": "retry_selected", "_selected_action": keys, "run": f"{campaign.pk}:1", "confirmed": "1"}
    response = admin_client.post(reverse("admin:django_hyber_message_changelist"), chosen, follow=True)

    assert DELETED in [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (start_campaign, "draft"),
        (pause_campaign, "sending"),
        (resume_campaign, "paused"),
        (cancel_campaign, "sending"),
        (retry_failed, "finished"),
    ],
)
def test_code_gets_the_error_of_campaigns(campaign, change, status, deleted_meanwhile):
    set_status(campaign, status)
    with pytest.raises(lifecycle.CampaignError, match="has been deleted in the meantime"):
        change(campaign)

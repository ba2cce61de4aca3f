"""The buttons of a campaign: each does what it says once, tells what came of it, and is in the history."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_hyber.admin.campaigns.actions import LABELS, is_offered
from django_hyber.models import Campaign, Message
from django_hyber.services import start_campaign

Status = Campaign.Status
BUTTON = re.compile(r'id="hyber-(pause|resume|withdraw|cancel|retry|copy|export)"')
#: What each button makes of a campaign, and what is said and written about it.
EFFECTS = {
    ("pause", "sending"): ("paused", "“Spring sale” has been paused.", "Paused."),
    ("pause", "scheduled"): ("paused", "“Spring sale” has been paused.", "Paused."),
    ("resume", "paused"): ("sending", "“Spring sale” has been resumed.", "Resumed."),
    ("cancel", "sending"): ("cancelled", "“Spring sale” has been cancelled.", "Cancelled."),
    ("cancel", "scheduled"): ("cancelled", "“Spring sale” has been cancelled.", "Cancelled."),
    ("cancel", "paused"): ("cancelled", "“Spring sale” has been cancelled.", "Cancelled."),
    ("withdraw", "scheduled"): ("draft", "“Spring sale” is a draft again", "Moved back to draft."),
}
REPEATS = {
    ("pause", "paused"): "“Spring sale” is already paused.",
    ("resume", "sending"): "“Spring sale” has already been resumed.",
    ("resume", "scheduled"): "“Spring sale” has already been resumed.",
    ("cancel", "cancelled"): "“Spring sale” is already cancelled.",
    ("withdraw", "draft"): "“Spring sale” is already a draft.",
}
EVERY_CASE = [(verb.value, status) for verb in LABELS for status in Status.values]


def url_of(campaign, page="change"):
    return reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk])


def told(response):
    return [str(message) for message in response.context["messages"]]


@pytest.fixture
def in_status(draft, add_recipients):
    """A campaign of three that has got as far as this, without anything sent."""

    def in_status(status):
        add_recipients(draft, 3)
        if status != "draft":
            start_campaign(draft)
            values = {"finished_at": timezone.now()} if status in ("finished", "cancelled") else {}
            Campaign.objects.filter(pk=draft.pk).update(status=status, **values)
        draft.refresh_from_db()
        return draft

    return in_status


class ButtonTests:
    @pytest.mark.parametrize(
        ("status", "wanted"),
        [
            ("scheduled", ["pause", "withdraw", "cancel", "copy", "export"]),
            ("sending", ["pause", "cancel", "copy", "export"]),
            ("paused", ["resume", "cancel", "copy", "export"]),
            ("finished", ["copy", "export"]),
            ("cancelled", ["copy", "export"]),
        ],
    )
    def test_a_campaign_offers_what_can_be_done_with_it_now(self, admin_client, in_status, status, wanted):
        page = admin_client.get(url_of(in_status(status))).content.decode()

        assert BUTTON.findall(page) == wanted

    def test_a_draft_offers_its_own(self, admin_client, in_status):
        campaign = in_status("draft")

        page = admin_client.get(url_of(campaign)).content.decode()

        offered = [name for name in ("import", "preflight", "copy", "export") if url_of(campaign, name) in page]
        assert offered == ["import", "preflight", "copy", "export"]
        assert url_of(campaign, "pause") not in page

    def test_whoever_may_only_look_gets_none(self, client, in_status, log_in):
        log_in("view_campaign")

        assert BUTTON.findall(client.get(url_of(in_status("sending"))).content.decode()) == []


class SteeringTests:
    @pytest.mark.parametrize(("verb", "status"), EFFECTS)
    def test_it_is_done_told_and_logged(self, admin_client, in_status, verb, status):
        campaign = in_status(status)
        wanted, text, logged = EFFECTS[verb, status]

        response = admin_client.post(url_of(campaign, verb), follow=True)

        campaign.refresh_from_db()
        assert campaign.status == wanted
        assert told(response)[0].startswith(text)
        assert [entry.get_change_message() for entry in LogEntry.objects.all()] == [logged]

    @pytest.mark.parametrize(("verb", "status"), REPEATS)
    def test_a_second_press_changes_nothing_and_says_so(self, admin_client, in_status, verb, status):
        campaign = in_status(status)

        response = admin_client.post(url_of(campaign, verb), follow=True)

        campaign.refresh_from_db()
        assert campaign.status == status
        assert told(response) == [REPEATS[verb, status]]
        assert not LogEntry.objects.exists()

    @pytest.mark.parametrize(
        ("verb", "status"), [case for case in EVERY_CASE if case not in EFFECTS and case not in REPEATS]
    )
    def test_what_is_not_possible_now_is_refused(self, admin_client, in_status, verb, status):
        campaign = in_status(status)

        response = admin_client.post(url_of(campaign, verb), follow=True)

        campaign.refresh_from_db()
        assert campaign.status == status
        assert told(response) == [f"Not possible now: the campaign is {status}."]
        assert not LogEntry.objects.exists()

    def test_every_button_is_shown_where_it_has_an_effect_and_nowhere_else(self):
        offered = {(verb, status) for verb in LABELS for status in Status if is_offered(Campaign(status=status), verb)}

        assert {(verb.value, status.value) for verb, status in offered} == set(EFFECTS)

    @pytest.mark.parametrize("verb", ["pause", "resume", "withdraw"])
    def test_a_look_at_the_address_changes_nothing(self, admin_client, in_status, verb):
        campaign = in_status("scheduled")

        assert "Press the button again." in admin_client.get(url_of(campaign, verb), follow=True).content.decode()
        campaign.refresh_from_db()
        assert campaign.status == "scheduled"

    @pytest.mark.parametrize("verb", ["pause", "resume", "withdraw", "cancel"])
    def test_it_takes_the_permission_to_send(self, client, in_status, log_in, verb):
        campaign = in_status("scheduled")
        log_in("view_campaign", "add_campaign", "change_campaign", "export_campaign")

        assert client.post(url_of(campaign, verb)).status_code == 403
        campaign.refresh_from_db()
        assert campaign.status == "scheduled"

    def test_a_form_of_another_site_is_refused(self, admin_user, in_status):
        campaign = in_status("sending")
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin_user)

        for verb in LABELS:
            assert client.post(url_of(campaign, verb)).status_code == 403
        campaign.refresh_from_db()
        assert campaign.status == "sending"

    def test_a_campaign_that_is_gone_is_not_found(self, admin_client, db):
        for verb in LABELS:
            assert admin_client.post(f"/admin/django_hyber/campaign/999/{verb}/").status_code == 404


class NoteTests:
    def test_a_scheduled_campaign_can_be_changed_as_a_draft(self, admin_client, in_status):
        page = admin_client.get(url_of(in_status("scheduled"), "change")).content.decode()

        assert "To change or delete this campaign, move it back to draft." in page
        assert "cannot be changed or deleted" not in page

    @pytest.mark.parametrize("status", ["sending", "paused", "finished", "cancelled"])
    def test_any_other_campaign_stays_as_it_was_launched(self, admin_client, in_status, status):
        page = admin_client.get(url_of(in_status(status), "change")).content.decode()

        assert "A campaign cannot be changed or deleted after its launch" in page
        assert "back to draft" not in page


class CancelTests:
    def test_it_is_asked_first_with_the_numbers(self, admin_client, in_status, add_recipients):
        campaign = in_status("paused")
        add_recipients(campaign, 1200, status=Message.Status.DELIVERED, channel="sms")

        page = admin_client.get(url_of(campaign, "cancel")).content.decode()

        assert "3 recipients have not been sent a message yet and will get none from this campaign." in page
        assert "1,200 messages have already been sent and cannot be recalled." in page
        campaign.refresh_from_db()
        assert campaign.status == "paused"

    def test_failed_messages_that_wait_for_a_retry_were_sent_before(self, admin_client, in_status):
        campaign = in_status("paused")
        Campaign.objects.filter(pk=campaign.pk).update(run=2)

        page = admin_client.get(url_of(campaign, "cancel")).content.decode()

        assert "3 failed messages will not be sent again and keep the results of their last attempts." in page
        assert "have not been sent a message yet" not in page

    @pytest.mark.parametrize("status", ["draft", "finished", "cancelled"])
    def test_what_cannot_be_cancelled_is_not_asked_about(self, admin_client, in_status, status):
        response = admin_client.get(url_of(in_status(status), "cancel"), follow=True)

        assert told(response) == [f"Not possible now: the campaign is {status}."]

    def test_nobody_who_waits_is_sent_to_afterwards(self, admin_client, in_status):
        campaign = in_status("sending")

        admin_client.post(url_of(campaign, "cancel"))

        assert set(campaign.messages.values_list("status", flat=True)) == {"cancelled"}
        assert set(campaign.batches.values_list("state", flat=True)) == {"cancelled"}

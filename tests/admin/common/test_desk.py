"""The desk: where a view of the admin leads to, and what it writes into the log."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import RequestFactory

from django_hyber.admin.common.desk import Desk
from django_hyber.models import Campaign, Message, Suppression


@pytest.fixture
def desk_of(admin_user):
    def build(model):
        request = RequestFactory().get("/")
        request.user = admin_user
        return Desk(admin.site._registry[model], request, None)

    return build


def test_a_list_leads_back_to_itself(desk_of):
    assert desk_of(Suppression).redirect().url == "/admin/django_hyber/suppression/"


def test_a_campaign_leads_back_to_its_own_page_from_every_list(desk_of, draft):
    desk = desk_of(Message).of(draft)

    assert desk.redirect().url == f"/admin/django_hyber/campaign/{draft.pk}/change/"
    assert desk.url("import_job", 7) == f"/admin/django_hyber/campaign/{draft.pk}/import/7/"


def test_what_is_done_to_a_campaign_is_logged_about_it(desk_of, draft):
    desk_of(Campaign).of(draft).log_change("Paused.")

    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(draft.pk), "Paused.")


def test_what_is_done_to_a_list_is_logged_about_no_row(desk_of):
    desk_of(Suppression).log_change("Exported as CSV.")

    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.content_type.model, entry.change_message) == (
        None,
        "suppression",
        "Exported as CSV.",
    )


def test_a_launched_campaign_may_be_seen_but_not_changed(desk_of, draft):
    draft.status = Campaign.Status.SENDING
    desk = desk_of(Campaign).of(draft)

    assert (desk.may_view, desk.may_change, desk.may_send) == (True, False, True)

"""What the project is told: after commit, and once for every real change."""

from __future__ import annotations

import pytest
from django.utils import timezone

from django_hyber.models import DeliveryReport
from django_hyber.protocol import HyberClient
from django_hyber.services import apply_delivery_reports, dispatch, send_message, start_campaign
from django_hyber.signals import campaign_finished, message_status_changed
from tests.builders import CHANNELS, make_campaign
from tests.samples import phone, report

pytestmark = pytest.mark.django_db(transaction=True)

PENDING = {"status": 1, "substatus": 11, "hyber_status": None}


@pytest.fixture
def changes():
    heard = []

    def receiver(sender, message, old_status, new_status, report, **kwargs):
        heard.append((message.phone_number, old_status, new_status))

    message_status_changed.connect(receiver)
    yield heard
    message_status_changed.disconnect(receiver)


@pytest.fixture
def early(monkeypatch):
    """Reports that the platform calls back before it answers a campaign's request."""
    reports = []
    as_it_is = HyberClient.send_broadcast_sync

    def send_broadcast_sync(client, body, before_write):
        entries = as_it_is(client, body, before_write=before_write)
        apply_delivery_reports(reports)
        return entries

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", send_broadcast_sync)
    return reports


def test_each_recipient_of_a_campaign_is_told_of_once(platform, changes):
    start_campaign(make_campaign([phone(1), phone(2, "92")]))

    assert sorted(changes) == [(phone(1), "queued", "accepted"), (phone(2, "92"), "queued", "rejected")]


@pytest.mark.parametrize("ids", [{}, {"message_id": None}])
def test_what_a_report_has_told_before_the_answer_is_not_told_again(platform, changes, early, ids):
    campaign = make_campaign([phone(1, "93"), phone(2, "93")])
    early.append(report(campaign.messages.get(phone_number=phone(1, "93")), **PENDING | ids))
    start_campaign(campaign)

    assert sorted(changes) == [(phone(1, "93"), "queued", "accepted"), (phone(2, "93"), "queued", "accepted")]


def test_single_message_is_told_of_at_every_step(platform, changes):
    message = send_message(phone(1), CHANNELS[1:])
    apply_delivery_reports([report(message), report(message)])

    assert [change[1:] for change in changes] == [
        ("queued", "sending"),
        ("sending", "accepted"),
        ("accepted", "delivered"),
    ]


def test_end_of_a_campaign_is_told_once(platform):
    heard = []

    def receiver(sender, campaign, **kwargs):
        heard.append((campaign.pk, campaign.status))

    campaign_finished.connect(receiver)
    try:
        campaign = start_campaign(make_campaign([phone(1)]))
        dispatch()
        dispatch()
    finally:
        campaign_finished.disconnect(receiver)

    assert heard == [(campaign.pk, "finished")]


def test_click_is_no_change_of_status_but_a_report_that_can_be_asked_for(platform, changes):
    message = send_message(phone(1), CHANNELS)
    apply_delivery_reports([report(message)])
    last_look = timezone.now()
    changes.clear()
    apply_delivery_reports([report(message)])
    apply_delivery_reports([report(message, clicks=3)])

    clicked = DeliveryReport.objects.filter(received_at__gt=last_look, message__clicks__gt=0)
    assert changes == []
    assert [(found.message.phone_number, found.message.clicks) for found in clicked] == [(phone(1), 3)]

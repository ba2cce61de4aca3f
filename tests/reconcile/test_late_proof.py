"""The platform shows late that it has accepted a request: the person is not sent to again, and not shown as failed."""

from __future__ import annotations

import pytest

from django_hyber.models import Message
from django_hyber.protocol import SMS, HyberClient, parse_sync
from django_hyber.reconcile import unconfirmed
from django_hyber.sending.batch import submit_batch
from django_hyber.sending.single import submit_message
from django_hyber.services import (
    CampaignError,
    apply_delivery_reports,
    dispatch,
    retry_failed,
    send_again,
    send_message,
    start_campaign,
)
from tests.builders import (
    KNOWN,
    dispatch_until_finished,
    make_campaign,
    make_due,
    make_known,
    statuses,
    sweep_until_all_have,
)
from tests.samples import phone, report

pytestmark = pytest.mark.django_db(transaction=True)
REFUSED = {"kind": "error", "status": 400, "error_code": 7}
BUSY = {"kind": "status", "status": 503, "retry_after": 60}
CODE = [SMS(text="Code 1234", alpha_name="SHOP", ttl=300)]


def find_out_nothing_about(message):
    """The lease of its worker ends, and the platform is asked twice, and does not find it."""
    Message.objects.filter(pk=message.pk).update(lease_until="2020-01-01T00:00:00Z")
    unconfirmed.recover_expired_leases()
    for _ in range(2):
        Message.objects.filter(pk=message.pk).update(due_at=None)
        unconfirmed.resolve_message(message.pk)
    message.refresh_from_db()
    assert message.status == "queued"


def find_out_nothing_about_batch(campaign):
    campaign.batches.update(lease_until="2020-01-01T00:00:00Z")
    unconfirmed.recover_expired_leases()
    for _ in range(2):
        make_due(campaign)
        unconfirmed.resolve_batch(campaign.batches.get().pk)
    assert campaign.batches.get().state == "pending"


def stand_still(monkeypatch, name, meanwhile):
    """Let the first request be written late: this happens between the last check and its first byte."""
    send = getattr(HyberClient, name)
    calls = []

    def send_late(client, body, before_write):
        calls.append(body)
        if len(calls) > 1:
            return send(client, body, before_write=before_write)
        before_write()
        meanwhile()
        return send(client, body)

    monkeypatch.setattr(HyberClient, name, send_late)


@pytest.mark.parametrize("fault", [REFUSED, BUSY], ids=["refused", "busy"])
def test_late_acceptance_of_a_message_counts_whatever_became_of_a_second_request(platform, monkeypatch, fault):
    make_known()

    def meanwhile():
        message = Message.objects.get(status="sending")
        find_out_nothing_about(message)
        platform.fault(**fault)
        submit_message(message.pk)
        message.refresh_from_db()
        assert message.status == ("rejected" if fault is REFUSED else "queued")

    stand_still(monkeypatch, "send_single", meanwhile)
    message = send_message(phone(1), CODE)
    Message.objects.filter(pk=message.pk).update(due_at=None, enqueued_at=None)
    dispatch()
    message.refresh_from_db()

    assert (message.status, message.error_text, message.finished_at) == ("accepted", "", None)
    assert message.message_id
    assert (platform.ledger.taken, platform.ledger.duplicates) == (KNOWN + 1, {})


@pytest.mark.parametrize("sync_limit", [0, 100], ids=["job", "synchronous"])
def test_late_acceptance_of_a_batch_that_was_refused_since_is_proof(platform, settings, monkeypatch, sync_limit):
    settings.HYBER["default"]["SYNC_LIMIT"] = sync_limit
    make_known()
    campaign = make_campaign([phone(1), phone(2)])

    def meanwhile():
        find_out_nothing_about_batch(campaign)
        platform.fault(**REFUSED)
        submit_batch(campaign.batches.get().pk)
        assert statuses(campaign) == ["rejected"] * 2

    stand_still(monkeypatch, "send_broadcast_sync" if sync_limit else "send_broadcast", meanwhile)
    start_campaign(campaign)
    campaign.refresh_from_db()
    with pytest.raises(CampaignError):
        retry_failed(campaign)
    sweep_until_all_have(campaign, ["accepted", "delivered"])

    assert (platform.ledger.taken, platform.ledger.duplicates) == (KNOWN + 2, {})


@pytest.mark.parametrize("status", [429, 503])
def test_report_about_a_request_that_the_platform_seemed_to_put_off_is_proof(platform, status):
    make_known()
    platform.fault("status", status=status, retry_after=1, taken=True, paths=("bulk",))
    campaign = start_campaign(make_campaign([phone(number) for number in range(3)]))
    assert statuses(campaign) == ["queued"] * 3
    apply_delivery_reports([report(campaign.messages.order_by("pk")[0])])
    sweep_until_all_have(campaign, ["accepted", "delivered"])

    assert (platform.ledger.taken, platform.ledger.duplicates) == (KNOWN + 3, {})


@pytest.mark.parametrize("fault", [REFUSED, BUSY], ids=["refused", "given up"])
@pytest.mark.parametrize("sync_limit", [0, 100], ids=["job", "synchronous"])
def test_report_about_a_request_that_seemed_to_fail_is_proof(platform, settings, fault, sync_limit):
    settings.HYBER = {"default": settings.HYBER["default"] | {"SYNC_LIMIT": sync_limit, "MAX_ATTEMPTS": 1}}
    make_known()
    platform.fault(**fault, taken=True, paths=("bulk",))
    campaign = start_campaign(make_campaign([phone(number) for number in range(3)]))
    campaign.refresh_from_db()
    assert campaign.status == "finished"
    assert set(statuses(campaign)) == {"rejected" if fault is REFUSED else "undelivered"}
    apply_delivery_reports([report(campaign.messages.order_by("pk")[0])])
    with pytest.raises(CampaignError):
        retry_failed(campaign)
    sweep_until_all_have(campaign, ["accepted", "delivered"])

    assert (platform.ledger.taken, platform.ledger.duplicates) == (KNOWN + 3, {})


@pytest.mark.parametrize("status", [400, 503], ids=["refused", "given up"])
def test_report_that_is_quicker_than_such_an_answer_is_proof(platform, settings, monkeypatch, status):
    settings.HYBER = {"default": settings.HYBER["default"] | {"MAX_ATTEMPTS": 1}}
    make_known()
    platform.fault(**(REFUSED if status == 400 else BUSY), taken=True, paths=("bulk",))
    campaign = make_campaign([phone(number) for number in range(3)])
    send = HyberClient.send_broadcast_sync

    def be_overtaken(client, body, before_write):
        try:
            return send(client, body, before_write=before_write)
        finally:
            apply_delivery_reports([report(campaign.messages.order_by("pk")[0])])

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", be_overtaken)
    start_campaign(campaign)
    assert statuses(campaign) == ["delivered"] + ["rejected" if status == 400 else "undelivered"] * 2
    with pytest.raises(CampaignError):
        retry_failed(campaign)
    sweep_until_all_have(campaign, ["accepted", "delivered"])

    assert (platform.ledger.taken, platform.ledger.duplicates) == (KNOWN + 3, {})


def test_repeated_request_whose_messages_are_all_rejected_does_not_end_the_doubt(platform, monkeypatch):
    """So a platform may refuse ids that it has already."""
    make_known()
    platform.fault("drop_answer", paths=("bulk",))
    campaign = start_campaign(make_campaign([phone(number) for number in range(3)]))
    send_again(campaign.batches.get(), by="anna")

    def refuse(client, body, before_write):
        before_write()
        entries = [{"extra_id": item["extra_id"], "error_code": 9} for item in body["recipients"]]
        return parse_sync({"messages": entries})

    with monkeypatch.context() as refusing:
        refusing.setattr(HyberClient, "send_broadcast_sync", refuse)
        dispatch_until_finished(campaign)
    assert set(campaign.messages.values_list("status", "error_code")) == {("rejected", 9)}
    apply_delivery_reports([report(campaign.messages.order_by("pk")[0])])
    with pytest.raises(CampaignError):
        retry_failed(campaign)
    sweep_until_all_have(campaign, ["accepted", "delivered"])

    assert (platform.ledger.taken, platform.ledger.duplicates) == (KNOWN + 3, {})


def test_report_about_an_earlier_run_proves_nothing_about_a_request_that_was_refused(platform):
    """Its message is between those of the retry, and not one of them."""
    make_known()
    platform.fault("drop_answer", paths=("bulk",))
    campaign = start_campaign(make_campaign([phone(number) for number in range(3)]))
    first, second, third = campaign.messages.order_by("pk")
    failed = {"status": 3, "substatus": 36, "hyber_status": None}
    apply_delivery_reports([report(first, **failed), report(second), report(third, **failed)])
    dispatch_until_finished(campaign)
    assert statuses(campaign) == ["undelivered", "delivered", "undelivered"]
    platform.fault(**REFUSED, paths=("bulk",))
    retry_failed(campaign)
    assert statuses(campaign) == ["rejected", "delivered", "rejected"]
    apply_delivery_reports([report(second, time=1_700_000_001_000)])
    dispatch()

    assert statuses(campaign) == ["rejected", "delivered", "rejected"]
    retry_failed(campaign)
    assert statuses(campaign) == ["accepted", "delivered", "accepted"]

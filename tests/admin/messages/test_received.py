from __future__ import annotations

import pytest

from django_hyber.models import Batch, DeliveryReport, Message, Reply, Suppression, UnreadableCallback
from django_hyber.services import apply_delivery_reports

REPORTS = "/admin/django_hyber/deliveryreport/"
OPTED_OUT = "/admin/django_hyber/suppression/"


def listed(response):
    return list(response.context["cl"].result_list)


@pytest.fixture
def reports(db):
    """A report of a message that is known, and one that waits for its message."""
    Message.objects.create(phone_number="380671234567", extra_id="known", message_id="m-1")
    facts = {"status": 2, "substatus": 23, "hyber_status": 23033, "sent_via": "viber", "time": 1_700_000_000_000}
    apply_delivery_reports([{**facts, "message_id": "m-1"}, {**facts, "message_id": "m-2"}])
    return DeliveryReport.objects.order_by("hyber_message_id")


def test_reports_that_wait_for_their_message_can_be_listed(admin_client, reports):
    known, waiting = reports

    assert listed(admin_client.get(REPORTS, {"waiting": "yes"})) == [waiting]
    assert listed(admin_client.get(REPORTS, {"waiting": "no"})) == [known]
    assert listed(admin_client.get(REPORTS, {"waiting": "nonsense"})) == [waiting, known]
    assert listed(admin_client.get(REPORTS, {"q": "m-2"})) == [waiting]


def test_a_report_is_explained_and_shown_as_received(admin_client, reports):
    page = admin_client.get(f"{REPORTS}{reports[1].pk}/change/").content.decode()

    assert "delivered: Viber message delivered" in page
    assert "waiting for its message" in page
    assert "&quot;hyber_status&quot;: 23033" in page
    assert 'name="_save"' not in page


def test_a_report_of_an_account_that_is_gone_is_still_explained(admin_client, reports):
    DeliveryReport.objects.update(account="gone")

    assert "Viber message delivered" in admin_client.get(REPORTS).content.decode()


def test_a_reply_is_read_only(admin_client, db):
    reply = Reply.objects.create(
        account="default", fingerprint="f", channel="viber", phone_number="380671234567", text="<b>Thanks</b>", raw={}
    )

    page = admin_client.get(f"/admin/django_hyber/reply/{reply.pk}/change/").content.decode()

    assert "&lt;b&gt;Thanks&lt;/b&gt;" in page
    assert 'name="_save"' not in page
    assert listed(admin_client.get("/admin/django_hyber/reply/", {"q": "067 123 45 67"})) == [reply]


def test_a_batch_tells_its_error(admin_client, draft):
    Batch.objects.create(campaign=draft, first_id=1, last_id=2, size=2, state="failed", error_code=36024)

    page = admin_client.get("/admin/django_hyber/batch/", {"campaign": draft.pk}).content.decode()

    assert "36024 (Phone number incorrect)" in page


def test_an_unreadable_callback_can_be_read_and_deleted(admin_client, db):
    callback = UnreadableCallback.objects.create(kind="reports", account="default", body="<html>", reason="no JSON")
    url = f"/admin/django_hyber/unreadablecallback/{callback.pk}"

    page = admin_client.get(f"{url}/change/").content.decode()
    assert "&lt;html&gt;" in page
    assert 'name="_save"' not in page

    admin_client.post(f"{url}/delete/", {"post": "yes"})
    assert not UnreadableCallback.objects.exists()


def test_an_opted_out_number_is_stored_as_campaigns_compare_it(admin_client, db):
    admin_client.post(f"{OPTED_OUT}add/", {"phone_number": "+38 (067) 123-45-67", "reason": "asked by phone"})

    number = Suppression.objects.get()
    assert number.phone_number == "380671234567"
    assert listed(admin_client.get(OPTED_OUT, {"q": "067 123 45 67"})) == [number]


@pytest.mark.parametrize(
    ("typed", "error"), [("12", "not a valid phone number"), ("067 123 45 67", "already on the list")]
)
def test_a_bad_opted_out_number_is_refused(admin_client, db, typed, error):
    Suppression.objects.create(phone_number="380671234567")

    response = admin_client.post(f"{OPTED_OUT}add/", {"phone_number": typed})

    assert error in str(response.context["adminform"].form.errors["phone_number"])

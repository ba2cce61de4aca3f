"""No address of the admin shows, finds, orders or counts personal data for users who may not see it.

A number and texts are planted in every place that an admin page reads, then every address is visited by six kinds of
staff. None of them has ``view_personal_data``.
"""

from __future__ import annotations

import json

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_hyber.models import (
    AccountState,
    BackgroundJob,
    Batch,
    Campaign,
    DeliveryReport,
    FormerOptOut,
    Message,
    Reply,
    Suppression,
    UnreadableCallback,
)
from tests.admin.test_every_address import ADDRESSES, content_of, make_job, scene, stage  # noqa: F401

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
PHONE = "380931239876"
WRITTEN = ("+380 93 123 98 76", "093-123-98-76", "(093) 1239876", PHONE, f"tel{PHONE}x", "380_93_1239876")
REASON = " / ".join(WRITTEN)
NAME = "Petrenkivna"
#: What no page may contain: the end of the number in each notation, and the name.
SECRETS = ("1239876", "123 98 76", "123-98-76", NAME)
MODELS = (Campaign, Message, Batch, DeliveryReport, Reply, Suppression, FormerOptOut, UnreadableCallback)
KINDS = {
    "reader": ("view_campaign", "view_message", "view_batch", "view_deliveryreport", "view_reply", "view_suppression"),
    "author": ("view_campaign", "add_campaign", "change_campaign", "delete_campaign", "view_message"),
    "sender": ("view_campaign", "send_campaign", "export_campaign", "view_message", "view_batch"),
    "support": ("view_message", "view_reply", "change_reply", "add_suppression", "view_suppression", "view_campaign"),
    "clerk": ("view_suppression", "add_suppression", "change_suppression", "delete_suppression", "export_campaign"),
    "all but one": None,
}


def browser_of(kind):
    """The browser of one kind of staff."""
    user = get_user_model().objects.create_user(kind, is_staff=True)
    own = Permission.objects.filter(content_type__app_label="django_hyber")
    everything, names = own.exclude(codename="view_personal_data"), KINDS[kind]
    user.user_permissions.set(everything if names is None else everything.filter(codename__in=names))
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture(params=KINDS)
def staff(request, db):
    return browser_of(request.param)


@pytest.fixture
def planted(scene, settings):  # noqa: F811
    """Personal data wherever a page could take it from."""
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
    campaign, now = scene.campaign, timezone.now()
    about = {"phone_number": PHONE, "account": "default"}
    campaign.messages.update(
        phone_number=PHONE,
        variables={"name": NAME, "phone": PHONE},
        error_text=REASON,
        answer_text=REASON[:100],
    )
    content = {"channels": ["sms"], "channel_options": {"sms": {"text": f"Dear {NAME}, {PHONE}", "ttl": 60}}}
    Message.objects.create(extra_id="single-1", content=content, status="rejected", error_text=REASON, **about)
    raw = {"number": PHONE, "error_text": REASON, "text": NAME, "deep": [{"name": NAME, "phone": PHONE}]}
    message = campaign.messages.get()
    DeliveryReport.objects.create(fingerprint="1", message=message, raw=raw, extra_id="x", **about)
    Reply.objects.update(phone_number=PHONE, text=NAME, file_name=f"{NAME}.jpg", location="49.84,24.03", raw=raw)
    Reply.objects.update(media_url=f"https://media.example/{NAME}")
    scene.reply.refresh_from_db()
    Suppression.objects.create(phone_number=PHONE, reason=f"{REASON} called")
    FormerOptOut.objects.create(phone_number=PHONE, reason=f"{REASON} called", created_at=now, ended_at=now)
    UnreadableCallback.objects.create(kind="reports", account="default", body=f"{NAME} {PHONE}", reason=REASON)
    Batch.objects.create(
        campaign=campaign, first_id=message.pk, last_id=message.pk, size=1, run=9, state="failed", error_text=REASON
    )
    AccountState.objects.create(account="default", failures=9, reason=REASON, blocked_until=now)
    Campaign.objects.update(status_reason=REASON)
    for kind in ("check", "export", "import"):
        values = {"kind": kind, "state": "failed", "error_text": REASON, "finished_at": now}
        BackgroundJob.objects.create(campaign=campaign, parameters={"file_name": f"{PHONE}.csv"}, **values)
    return scene


def visit(browser, url, data=None):
    """Everything that an answer consists of: the pages, what waits in the session, and what is logged."""
    response = browser.get(url) if data is None else browser.post(url, data, follow=True)
    return response.status_code, content_of(response).decode(errors="replace") + "".join(
        json.dumps(session.get_decoded()) for session in Session.objects.all()
    )


def logged():
    return "".join(map(str, LogEntry.objects.values_list("object_repr", "change_message")))


def shown(text):
    return [secret for secret in SECRETS if secret in text]


def usual_addresses():
    for model in MODELS:
        name = f"admin:django_hyber_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        for row in model.objects.all():
            yield from (reverse(f"{name}_{page}", args=[row.pk]) for page in ("change", "delete", "history"))
    yield reverse("admin:index")
    yield reverse("admin:app_list", args=["django_hyber"])


def test_the_planted_data_is_shown_to_whoever_may_see_it(planted, admin_client):
    pages = "".join(admin_client.get(url, follow=True).content.decode() for url in usual_addresses())

    assert set(shown(pages)) == set(SECRETS)


def test_no_usual_page_shows_any(planted, staff):
    found = {url: shown(visit(staff, url)[1]) for url in usual_addresses()}

    assert {url: secrets for url, secrets in found.items() if secrets} == {}


@pytest.mark.parametrize("name", ADDRESSES)
def test_no_other_address_shows_any(planted, stage, name):  # noqa: F811
    address = stage(name)
    BackgroundJob.objects.update(error_text=REASON)
    url = planted.url(name)
    found = {}
    for kind in KINDS:
        with transaction.atomic():
            browser = browser_of(kind)
            answers = [visit(browser, url), visit(browser, url, address.data(planted)), visit(browser, url, {})]
            found[kind] = [shown(text) for _status, text in answers] + [shown(logged())]
            transaction.set_rollback(True)

    assert found == {kind: [[], [], [], []] for kind in KINDS}


LOOKUPS = (
    *("phone_number", "phone_number__startswith", "phone_number__in", "error_text__contains", "variables__name"),
    *("variables__icontains", "content__icontains", "answer_text__contains", "raw__icontains", "text__startswith"),
    *(
        "message__phone_number",
        "message__variables__name",
        "messages__phone_number",
        "messages__phone_number__startswith",
    ),
    *("campaign__messages__phone_number", "delivery_reports__phone_number", "replies__text__contains"),
    *("reason__contains", "body__contains", "status_reason__contains", "jobs__parameters__icontains", "file_name"),
    *("jobs__error_text__contains", "media_url__contains", "location__startswith", "jobs__result__icontains"),
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_no_filter_finds_anybody(planted, staff, model):
    url = reverse(f"admin:django_hyber_{model._meta.model_name}_changelist")
    if staff.get(url).status_code == 403:
        return
    for lookup in LOOKUPS:
        for value in (PHONE, NAME):
            response = staff.get(url, {lookup: value})
            # An unknown lookup is ignored, or answered with an error that is the same for every value.
            assert response.status_code in (302, 400), (lookup, response.status_code)


def test_searches_find_nobody(planted, staff):
    for model in MODELS:
        url = reverse(f"admin:django_hyber_{model._meta.model_name}_changelist")
        found = [staff.get(url, {"q": term}) for term in (PHONE, "+380 93 123 98 76", NAME, PHONE[:6])]
        others = [staff.get(url, {"q": term}) for term in ("380991112233", "+380 99 111 22 33", "Nobody", "380991")]

        assert [rows_on(page) for page in found] == [rows_on(page) for page in others], model


def rows_on(response):
    return [row.pk for row in response.context["cl"].result_list] if response.status_code == 200 else None


def test_lists_are_never_in_the_order_of_hidden_columns(planted, staff):
    Suppression.objects.create(phone_number="380500000001")
    for model in MODELS:
        model_admin = admin.site._registry[model]
        url = reverse(f"admin:django_hyber_{model._meta.model_name}_changelist")
        usual = rows_on(staff.get(url))
        for number, column in enumerate(("", *model_admin.list_display)):
            if column in ("phone_number", "problem", "preview", "why", "error", "reason"):
                assert rows_on(staff.get(url, {"o": number})) == rows_on(staff.get(url, {"o": -number})) == usual


def test_autocomplete_finds_nobody(planted, staff):
    url = reverse("admin:autocomplete")
    for model, field in (("reply", "message"), ("deliveryreport", "message"), ("message", "campaign")):
        given = {"app_label": "django_hyber", "model_name": model, "field_name": field}
        for term in (PHONE, NAME):
            response = staff.get(url, {**given, "term": term})
            assert response.status_code in (403, 404) or response.json()["results"] == []


def test_the_filter_by_opt_outs_is_refused(planted, staff):
    url = reverse("admin:django_hyber_message_changelist")
    everybody = staff.get(url, {"campaign": planted.campaign.pk})
    if everybody.status_code == 403:
        return

    assert "opted_out" not in everybody.content.decode()
    assert staff.get(url, {"campaign": planted.campaign.pk, "opted_out": "yes"}).status_code == 400


def test_downloads_are_refused(planted, staff):
    job = make_job("exported", planted.campaign, None)
    BackgroundJob.objects.filter(pk=job.pk).update(created_by=staff.session["_auth_user_id"])
    planted.reply.media_file.save("photo.jpg", ContentFile(b"photo"))
    planted.reply.save()
    planted.job = job

    for name in ("campaign_export", "campaign_exported", "suppression_export", "reply_attachment"):
        assert staff.post(planted.url(name), {"format": "csv"}).status_code == 403, name

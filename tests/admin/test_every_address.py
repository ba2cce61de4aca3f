"""Every address that the app adds to the admin: what a look, a stranger, a colleague and a second click do there.

An address that is not in the table below fails the first test.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_hyber.models import (
    BackgroundJob,
    Batch,
    Campaign,
    Contributor,
    DeliveryReport,
    Message,
    Reply,
    Template,
    TemplateVariant,
)
from django_hyber.protocol import Viber
from django_hyber.services import ImportReport, keep_upload, start_campaign
from tests.admin.channels.test_images import PNG
from tests.admin.pages import seen_on
from tests.store.models import Customer

pytestmark = pytest.mark.slow
FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
USUAL = ("add", "change", "changelist", "delete", "history")
Status = Campaign.Status
#: By which a page knows a test of a campaign again.
TOKEN = "0123456789abcdef"
#: When what is in doubt got there.
DOUBTED = datetime(2026, 6, 10, 11, 0, tzinfo=UTC)


def nothing(scene: Scene) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Address:
    """What one needs there, what may be posted, and of which campaign.

    ``looks`` is what a GET is answered with. ``writes`` is False where a POST changes nothing but the admin's log,
    ``logs`` where that is left alone as well. ``logs_again`` is True where a second POST is written into it, too: two
    downloads are two. ``keeps_again`` is True where a second one keeps another file, which adds nobody.
    """

    permissions: tuple[str, ...]
    looks: int = 200
    status: str = "draft"
    data: Callable[[Scene], dict[str, Any]] = nothing
    job: str = ""
    writes: bool = True
    logs: bool = True
    logs_again: bool = False
    keeps_again: bool = False
    is_of_test: bool = False
    #: Two people are needed for a launch, and one of them has written the campaign.
    needs_approval: bool = False
    #: Of what is in doubt: the single message, or the batch of the campaign.
    is_doubt: bool = False


@dataclass
class Scene:
    """What there is to act on."""

    campaign: Campaign
    reply: Reply
    job: BackgroundJob
    single: Message
    batch: Batch
    text: TemplateVariant
    client: Client

    def url(self, name: str) -> str:
        keys = [self.reply.pk] if name.startswith("reply") else []
        keys += [self.doubted(name).pk] if ADDRESSES[name].is_doubt else []
        keys += [self.campaign.pk] if name.startswith("campaign") and name not in WITHOUT_ROW else []
        keys += [self.text.pk] if name == "templatevariant_compose" else []
        keys += [self.job.pk] if ADDRESSES[name].job else []
        keys += [TOKEN] if ADDRESSES[name].is_of_test else []
        return reverse(f"admin:django_hyber_{name}", args=keys)

    def doubted(self, name: str) -> Message | Batch:
        return self.batch if name.startswith("batch") else self.single


def preflight_form(scene: Scene) -> dict[str, Any]:
    return seen_on(scene.client.get(scene.url("campaign_preflight")))


def people(scene: Scene) -> dict[str, Any]:
    return {"file": ContentFile(b"phone\n380671234567\n", name="people.csv")}


def audience(scene: Scene) -> dict[str, Any]:
    return {"audience": "customers"}


def numbers(scene: Scene) -> dict[str, Any]:
    return {"pasted": "067 123 45 67"}


def own_numbers(scene: Scene) -> dict[str, Any]:
    return {"numbers": "067 123 45 67", "token": TOKEN}


def own_number(scene: Scene) -> dict[str, Any]:
    return {"number": "067 111 22 33", "forget": "", "confirmed": "yes"}


def header_row(scene: Scene) -> dict[str, Any]:
    return {"encoding": "utf-8", "separator": "comma", "header_row": "2"}


def note(scene: Scene) -> dict[str, Any]:
    return {"note": "The link is wrong"}


def columns(scene: Scene) -> dict[str, Any]:
    return {"use-0": "phone", "name-0": ""}


def everybody(scene: Scene) -> dict[str, Any]:
    return {"who": "everybody"}


def seen_recipients(scene: Scene) -> dict[str, Any]:
    return {"seen": "1"}


def failed(scene: Scene) -> dict[str, Any]:
    return {"reason": "expired:", "confirmed": "yes", "run": str(scene.campaign.run)}


def copy_of(scene: Scene) -> dict[str, Any]:
    return {"name": "Again", "audience": "everybody", "form_key": "0" * 32}


def seen_doubt(scene: Scene) -> dict[str, Any]:
    return {"doubt": DOUBTED.isoformat(), "queries": "0"}


def unknown_code(scene: Scene) -> dict[str, Any]:
    return {"account": "default", "code": "23077", "action": "seen", "name": ""}


def picture(scene: Scene) -> dict[str, Any]:
    return {"image": ContentFile(PNG, name="a.png"), "account": "default"}


def form(scene: Scene) -> dict[str, Any]:
    return {"name": "Spring sale", "channels-TOTAL_FORMS": "0", "channels-INITIAL_FORMS": "0"}


SENDS = ("view_campaign", "send_campaign")
TESTS = (*SENDS, "view_personal_data")
EXPORTS = ("view_campaign", "export_campaign", "view_personal_data")
DECIDES = ("view_message", "resolve_doubt")
DECIDES_BATCHES = ("view_batch", "resolve_doubt")
OPTS_OUT = ("add_suppression", "view_personal_data")
LIST_EXPORTS = ("view_suppression", "export_campaign", "view_personal_data")
ADDRESSES = {
    "campaign_import": Address(permissions=("change_campaign",), data=people, logs=False, keeps_again=True),
    "campaign_import_job": Address(permissions=("change_campaign",), data=columns, job="uploaded"),
    "campaign_import_progress": Address(permissions=("change_campaign",), job="waiting", writes=False),
    "campaign_import_stop": Address(permissions=("change_campaign",), looks=302, job="waiting"),
    "campaign_import_discard": Address(permissions=("change_campaign",), looks=302, job="uploaded", logs=False),
    "campaign_import_format": Address(
        permissions=("change_campaign",), looks=302, data=header_row, job="uploaded", logs=False
    ),
    "campaign_import_rejected": Address(
        permissions=("change_campaign", "view_personal_data"), looks=302, job="done", writes=False, logs_again=True
    ),
    "campaign_remove": Address(permissions=("change_campaign",), data=everybody, logs=False, keeps_again=True),
    "campaign_removal": Address(permissions=("change_campaign",), data=seen_recipients, job="removal"),
    "campaign_preflight": Address(permissions=SENDS, data=preflight_form),
    "campaign_preflight_part": Address(permissions=SENDS, writes=False),
    "campaign_preflight_check": Address(permissions=SENDS, looks=302),
    "campaign_approval": Address(permissions=("change_campaign",), data=note, needs_approval=True),
    "campaign_send_back": Address(permissions=SENDS, data=note, needs_approval=True),
    "campaign_test": Address(permissions=TESTS, data=own_numbers),
    "campaign_test_results": Address(permissions=TESTS, is_of_test=True, writes=False),
    "campaign_test_part": Address(permissions=TESTS, is_of_test=True, writes=False),
    "campaign_export": Address(
        permissions=EXPORTS, data=lambda scene: {"format": "csv"}, writes=False, logs_again=True
    ),
    "campaign_exported": Address(permissions=EXPORTS, looks=302, job="exported", writes=False, logs_again=True),
    "campaign_audience": Address(permissions=("change_campaign",), data=audience),
    "campaign_compose_new": Address(permissions=("add_campaign",), looks=405, data=form, writes=False),
    "campaign_compose": Address(permissions=("change_campaign",), looks=405, data=form, writes=False),
    "campaign_image_new": Address(permissions=("add_campaign",), looks=405, data=picture, writes=False, logs=False),
    "campaign_image": Address(permissions=("change_campaign",), looks=405, data=picture, writes=False, logs=False),
    "campaign_preview": Address(permissions=("view_campaign",), writes=False),
    "campaign_progress": Address(permissions=("view_campaign",), status="sending", writes=False),
    "campaign_pause": Address(permissions=SENDS, looks=302, status="sending"),
    "campaign_resume": Address(permissions=SENDS, looks=302, status="paused"),
    "campaign_withdraw": Address(permissions=SENDS, looks=302, status="scheduled"),
    "campaign_cancel": Address(permissions=SENDS, status="sending"),
    "campaign_retry": Address(permissions=SENDS, status="finished", data=failed),
    "campaign_copy": Address(permissions=("view_campaign", "add_campaign"), status="finished", data=copy_of),
    "campaign_compare": Address(permissions=("view_campaign",), looks=302, writes=False),
    "campaign_period": Address(permissions=("view_campaign", "view_message"), writes=False),
    "deliveryreport_codes": Address(permissions=("view_deliveryreport",), writes=False),
    "deliveryreport_explain": Address(
        permissions=("view_deliveryreport", "explain_codes"), looks=302, data=unknown_code
    ),
    "batch_query": Address(permissions=DECIDES_BATCHES, looks=302, is_doubt=True, data=seen_doubt),
    "batch_sent": Address(permissions=DECIDES_BATCHES, is_doubt=True, data=seen_doubt),
    "batch_again": Address(permissions=DECIDES_BATCHES, is_doubt=True, data=seen_doubt),
    "message_query": Address(permissions=DECIDES, looks=302, is_doubt=True, data=seen_doubt),
    "message_sent": Address(permissions=DECIDES, is_doubt=True, data=seen_doubt),
    "message_again": Address(permissions=DECIDES, is_doubt=True, data=seen_doubt),
    "reply_read": Address(permissions=("view_reply", "change_reply"), looks=302),
    "reply_unread": Address(permissions=("view_reply", "change_reply"), looks=302),
    "reply_fetch": Address(permissions=("view_reply", "change_reply"), looks=302, writes=False, logs_again=True),
    "reply_opt_out": Address(permissions=("view_reply", "add_suppression"), looks=302),
    "message_person": Address(permissions=("forget_number", "view_personal_data"), data=own_number),
    "reply_attachment": Address(permissions=("view_reply", "view_personal_data"), writes=False, logs=False),
    "templatevariant_compose_new": Address(permissions=("add_template",), looks=405, data=form, writes=False),
    "templatevariant_compose": Address(permissions=("change_template",), looks=405, data=form, writes=False),
    "suppression_import": Address(permissions=OPTS_OUT, data=numbers, logs_again=True, keeps_again=True),
    "suppression_import_job": Address(permissions=OPTS_OUT, data=columns, job="uploaded"),
    "suppression_import_progress": Address(permissions=OPTS_OUT, job="waiting", writes=False),
    "suppression_import_stop": Address(permissions=OPTS_OUT, looks=302, job="waiting"),
    "suppression_import_discard": Address(permissions=OPTS_OUT, looks=302, job="uploaded", logs=False),
    "suppression_import_format": Address(permissions=OPTS_OUT, looks=302, data=header_row, job="uploaded", logs=False),
    "suppression_import_rejected": Address(permissions=OPTS_OUT, looks=302, job="done", writes=False, logs_again=True),
    "suppression_export": Address(
        permissions=LIST_EXPORTS, data=lambda scene: {"format": "csv"}, writes=False, logs_again=True
    ),
    "suppression_exported": Address(permissions=LIST_EXPORTS, looks=302, job="exported", writes=False, logs_again=True),
    "suppression_jobs": Address(permissions=("view_suppression",), writes=False),
}
#: Whoever may change something may see it.
IMPLIED = {
    "change_batch": "view_batch",
    "change_campaign": "view_campaign",
    "change_deliveryreport": "view_deliveryreport",
    "change_message": "view_message",
    "change_reply": "view_reply",
    "change_suppression": "view_suppression",
}
#: Addresses of no row of their own; and who throws away what is gone already has what was wanted.
WITHOUT_ROW = {
    "campaign_image_new",
    "campaign_compose_new",
    "message_person",
    "campaign_compare",
    "campaign_period",
    "deliveryreport_codes",
    "deliveryreport_explain",
    "templatevariant_compose_new",
    "suppression_import",
    "suppression_import_discard",
    "suppression_export",
    "suppression_jobs",
}
CHANGING = [name for name, address in ADDRESSES.items() if address.writes]
every_address = pytest.mark.parametrize("name", ADDRESSES)


def rows():
    """Everything that the app keeps."""
    models = apps.get_app_config("django_hyber").get_models()
    return {model.__name__: list(model._base_manager.order_by("pk").values()) for model in models}


def log():
    return list(LogEntry.objects.order_by("pk").values_list("pk", "change_message"))


@pytest.fixture
def scene(draft, add_recipients, admin_client, admin_user, settings, tmp_path):
    """A campaign with somebody in it, and an answer."""
    settings.MEDIA_ROOT, settings.MEDIA_URL = tmp_path / "media", "https://media.example/"
    (recipient,) = add_recipients(draft, 1)
    reply = Reply.objects.create(
        account="default",
        fingerprint="f",
        channel="viber",
        phone_number="380671112233",
        text="Thanks",
        raw={},
        message=recipient,
    )
    DeliveryReport.objects.create(account="default", fingerprint="unknown", status=2, hyber_status=23077, raw={})
    Customer.objects.create(first_name="Olena", phone="380671234599")
    audiences = {"customers": "tests.store.audiences.customers"}
    settings.HYBER = {"default": {**settings.HYBER["default"], "AUDIENCES": audiences}}
    text = Template.objects.create(code="order-shipped", name="Order shipped").set_channels([Viber(text="Hi", ttl=60)])
    return Scene(
        campaign=draft,
        reply=reply,
        job=BackgroundJob(),
        single=Message(),
        batch=Batch(),
        text=text,
        client=admin_client,
    )


def make_doubt(scene, name):
    """The outcome of the campaign's only batch is unknown, or that of a single message."""
    values = {"doubted_at": DOUBTED, "not_found_after": DOUBTED, "due_at": DOUBTED}
    if name.startswith("message"):
        scene.single = Message.objects.create(
            phone_number="380671234567", extra_id="single", status="unconfirmed", **values
        )
        return
    pk = scene.campaign.messages.get().pk
    scene.campaign.messages.update(status="unconfirmed", doubted_at=DOUBTED)
    scene.batch = Batch.objects.create(
        campaign=scene.campaign, first_id=pk, last_id=pk, size=1, state="unconfirmed", **values
    )


def make_job(kind, campaign, user):
    """An import that waits for its columns, for its turn, or is done; a finished export, or a removal to confirm."""
    if kind == "removal":
        return BackgroundJob.objects.create(kind="removal", campaign=campaign, state="uploaded", created_by=user)
    if kind == "exported":
        job = BackgroundJob.objects.create(kind="export", campaign=campaign, state="done", created_by=user)
    else:
        job = keep_upload(campaign, user, ContentFile(b"phone\n380671234567\n", name="people.csv"))
        BackgroundJob.objects.filter(pk=job.pk).update(state=kind)
    if kind in ("exported", "done"):
        job.produced.save("export.csv", ContentFile(b"phone\n"))
        BackgroundJob.objects.filter(pk=job.pk).update(result=ImportReport().as_json())
    return job


def make_authors(name, campaign, user):
    """Whoever asks for approval has worked on the campaign; whoever answers has not."""
    is_asked = name == "campaign_send_back"
    # Also those who are created later.
    authors = [1_000] if is_asked else range(user.pk, user.pk + 10)
    Contributor.objects.bulk_create(Contributor(campaign=campaign, user_key=str(pk)) for pk in authors)
    if is_asked:
        Campaign.objects.update(approval="asked", approval_by="olena", approval_at=timezone.now())


@pytest.fixture
def stage(scene, admin_user, settings):
    """Bring the campaign, or the reply, to where the address has something to do."""

    def stage(name):
        address, campaign = ADDRESSES[name], scene.campaign
        if address.job:
            scene.job = make_job(address.job, campaign if name.startswith("campaign") else None, admin_user)
        if address.needs_approval:
            settings.HYBER = {"default": {**settings.HYBER["default"], "FOUR_EYES": True}}
            make_authors(name, campaign, admin_user)
        if address.is_doubt:
            make_doubt(scene, name)
        if address.is_of_test:
            Message.objects.create(phone_number="380671234567", extra_id=f"test-{campaign.pk}-{TOKEN}-0")
        if address.status != "draft":
            start_campaign(campaign)
            Campaign.objects.update(status=address.status, start_time=timezone.now() + timedelta(minutes=1))
            # Nothing of a scheduled campaign has been handed over.
            campaign.batches.update(**{"attempts": 0} if address.status == "scheduled" else {"state": "done"})
        if address.status == "finished":
            campaign.messages.update(status="expired")
        if name == "reply_attachment":
            scene.reply.media_file.save("photo.jpg", ContentFile(b"photo"))
        if name == "reply_unread":
            Reply.objects.update(read_at=timezone.now())
        campaign.refresh_from_db()
        return address

    return stage


def content_of(response):
    """Read an answer to its end, as a browser does."""
    return b"".join(response.streaming_content) if response.streaming else response.content


def test_every_address_of_the_admin_is_in_the_table():
    found = set()
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "django_hyber":
            names = {pattern.name for pattern in model_admin.get_urls() if pattern.name}
            usual = {f"django_hyber_{model._meta.model_name}_{page}" for page in USUAL}
            found |= {name.removeprefix("django_hyber_") for name in names - usual}

    assert found == set(ADDRESSES)


@every_address
def test_a_look_changes_nothing(scene, stage, name):
    address = stage(name)
    before = rows(), log()

    response = scene.client.get(scene.url(name))

    assert response.status_code == address.looks
    assert content_of(response) is not None
    assert (rows(), log()) == before


@every_address
def test_whoever_lacks_one_permission_is_refused(scene, stage, django_user_model, name):
    address = stage(name)
    data = address.data(scene)
    everything = Permission.objects.filter(content_type__app_label="django_hyber")
    before = rows(), log()
    for lacking in address.permissions:
        user = django_user_model.objects.create_user(f"without {lacking}", is_staff=True)
        implying = [more for more, less in IMPLIED.items() if less == lacking]
        user.user_permissions.set(everything.exclude(codename__in=[lacking, *implying]))
        client = Client()
        client.force_login(user)

        assert client.post(scene.url(name), data).status_code == 403, lacking
        assert address.looks == 405 or client.get(scene.url(name)).status_code == 403, lacking
    assert (rows(), log()) == before


@every_address
def test_the_permissions_named_are_enough(scene, stage, django_user_model, name):
    address = stage(name)
    user = django_user_model.objects.create_user("colleague", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="django_hyber", codename__in=address.permissions)
    )
    BackgroundJob.objects.update(created_by=user)
    scene.client.force_login(user)
    before = rows()

    response = scene.client.post(scene.url(name), address.data(scene))

    assert response.status_code in (200, 302)
    assert content_of(response) is not None
    assert (rows() != before) == address.writes


@every_address
def test_strangers_are_asked_to_log_in(scene, stage, name):
    stage(name)
    before = rows(), log()

    for answer in (Client().get(scene.url(name)), Client().post(scene.url(name))):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")
    assert (rows(), log()) == before


@every_address
def test_a_form_of_another_site_is_refused(scene, stage, admin_user, name):
    stage(name)
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    before = rows(), log()

    assert client.post(scene.url(name)).status_code == 403
    assert (rows(), log()) == before


@every_address
def test_a_second_click_does_no_harm(scene, stage, name):
    address = stage(name)
    data = address.data(scene)
    content_of(scene.client.post(scene.url(name), data))
    after_one, logged = rows(), log()
    if "file" in data:
        data["file"].seek(0)

    second = scene.client.post(scene.url(name), data)

    assert second.status_code in (200, 302)
    assert content_of(second) is not None
    after_two = rows()
    if address.keeps_again:
        kept = after_one.pop("BackgroundJob"), after_two.pop("BackgroundJob")
        assert len(kept[1]) == len(kept[0]) + 1
    assert after_two == after_one
    assert (log() != logged) == address.logs_again


@pytest.mark.parametrize("name", CHANGING)
def test_what_is_done_is_in_the_admin_log(scene, stage, name):
    address = stage(name)

    scene.client.post(scene.url(name), address.data(scene))

    assert bool(log()) == ADDRESSES[name].logs


@every_address
def test_what_is_not_there_is_not_found(scene, name):
    if name in WITHOUT_ROW:
        return
    for pk in (10**6, 10**18, 10**30):
        scene.campaign.pk = scene.reply.pk = scene.job.pk = scene.single.pk = scene.batch.pk = scene.text.pk = pk
        address = scene.url(name)
        assert scene.client.post(address).status_code == 404, pk
        assert scene.client.get(address).status_code in (404, 405), pk


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "name",
    [name for name in CHANGING if name.startswith(("campaign", "batch", "message")) and name != "campaign_import"],
)
def test_two_clicks_of_the_same_moment_are_one(scene, stage, admin_user, settings, name):
    address = stage(name)
    # With a worker that takes its time: what the first click asked for is not over when the second comes.
    settings.TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}
    data = address.data(scene)
    together = threading.Barrier(2)

    def click(_number):
        client = Client()
        client.force_login(admin_user)
        together.wait()
        try:
            return client.post(scene.url(name), data).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(click, range(2))) == [302, 302]

    # A copy is written into the history of both campaigns.
    assert len(log()) == (2 if name == "campaign_copy" else int(address.logs))
    assert Campaign.objects.count() == (2 if name == "campaign_copy" else 1)

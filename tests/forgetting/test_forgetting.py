"""Forgetting is complete: what is planted in every column and store is gone afterwards."""

from __future__ import annotations

import json
from datetime import timedelta

import phonenumbers
import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.management import CommandError
from django.db import models
from django.db.models import JSONField
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
from django_hyber.protocol import SMS
from django_hyber.services import (
    ForgetError,
    apply_delivery_reports,
    campaign_statistics,
    export_number,
    forget_number,
    import_recipients,
    keep_upload,
    purge_personal_data,
    request_job,
)
from tests.management.test_commands import run
from tests.samples import phone, report
from tests.store.models import Order

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "380931239876"
TEXT = "Petrenkivna"
PLANTED = f"{NUMBER} {TEXT}"
OLD = timezone.now() - timedelta(days=400)
MONTH = timedelta(days=30)
UNDELIVERED = {"status": 3, "substatus": 36, "hyber_status": 36024, "error_code": 36024}
#: Columns of text that hold no personal data, and why. A new column has to be purged or explained here.
KEPT = {
    # Written by the staff, for everybody.
    "Campaign": {
        *("name", "tag", "division_code", "account", "variable_defaults", "audience", "number_types"),
        "approval_by",
        *("utm_source", "utm_medium", "utm_campaign"),
        # A random key, and a fingerprint of the texts.
        *("added_by_form", "approval_content"),
    },
    "CampaignChannel": {"options"},
    "Template": {"code", "name", "language"},
    "TemplateVariant": {"language", "approved_text"},
    "TemplateChannel": {"options"},
    "StatusCode": {"account", "name"},
    # Ids, names of channels, accounts, zones and areas.
    "Message": {"account", "sender", "extra_id", "message_id", "channel", "other_channels", "template_version"},
    "Batch": {"sender", "zone", "phone_prefixes", "job_id"},
    "DeliveryReport": {"account", "fingerprint", "hyber_message_id", "extra_id", "channel"},
    "Reply": {"account", "fingerprint", "channel", "media_kind"},
    # An answer about an id that was never used.
    "AccountState": {"account"},
    # Keys of users, times, and ids of tests.
    "Contributor": {"user_key"},
    "TestSender": {"user_key", "sent_at", "latest"},
    "CallbackQuota": {"account"},
    # Ids and statuses.
    "Announcement": {"key", "signal", "events"},
    # The team's own numbers, kept until somebody removes them.
    "TestNumber": {"phone_number", "name", "added_by"},
    # The opt-out list is kept, so that nobody writes to these numbers again.
    "Suppression": {"phone_number", "reason", "added_by"},
    "FormerOptOut": {"phone_number", "reason", "added_by", "ended_reason", "ended_by"},
}


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path


def columns_of(model):
    """The columns that can hold free text."""
    kept = KEPT.get(model.__name__, set())
    for field in model._meta.concrete_fields:
        is_text = isinstance(field, models.CharField | models.TextField | models.FileField | JSONField)
        if is_text and not field.choices and not field.primary_key and field.name not in kept:
            yield field


def plant(model, **values):
    """Create a row with the number and the text in each of its columns."""
    row = model(**values)
    for field in columns_of(model):
        if isinstance(field, models.FileField):
            getattr(row, field.name).save("planted.csv", ContentFile(PLANTED.encode()), save=False)
        elif field.name == "phone_number":
            row.phone_number = NUMBER
        elif isinstance(field, JSONField):
            setattr(row, field.name, {"channels": ["sms"], TEXT: [PLANTED], "rejected": [[2, "", [["a", PLANTED]]]]})
        else:
            setattr(row, field.name, PLANTED[: field.max_length])
    row.save()
    return row


@pytest.fixture
def everywhere():
    """Personal data in every column of every table that can hold it; all of it has ended long ago."""
    campaign = plant(Campaign, name="Sale", status="finished", created_at=OLD, finished_at=OLD)
    campaign_message = plant(
        Message, campaign=campaign, extra_id="1", status="rejected", created_at=OLD, finished_at=OLD
    )
    single = plant(Message, extra_id="2", status="delivered", created_at=OLD, finished_at=OLD)
    keys = {"first_id": campaign_message.pk, "last_id": campaign_message.pk, "size": 1}
    plant(Batch, campaign=campaign, state="done", created_at=OLD, finished_at=OLD, **keys)
    plant(DeliveryReport, message=single, fingerprint="1", received_at=OLD)
    plant(DeliveryReport, fingerprint="2", received_at=OLD)
    plant(Reply, message=single, account="default", fingerprint="1", received_at=OLD)
    plant(UnreadableCallback, kind="reports", received_at=OLD)
    plant(BackgroundJob, kind="import", campaign=campaign, state="done", created_at=OLD, finished_at=OLD)
    plant(AccountState, account="default", failures=1)
    draft = plant(Campaign, name="Never sent", created_at=OLD)
    plant(Message, campaign=draft, extra_id="3", created_at=OLD)
    for model in (Message, Campaign, BackgroundJob):
        log = {
            "user_id": make_user().pk,
            "content_type": ContentType.objects.get_for_model(model),
            "object_id": single.pk,
        }
        LogEntry.objects.create(action_flag=CHANGE, object_repr=PLANTED, change_message=PLANTED, **log)
    LogEntry.objects.update(action_time=OLD)
    return single


def make_user():
    return get_user_model().objects.get_or_create(username="staff", is_staff=True)[0]


def dump():
    """Every table of the project and every file, as one text."""
    rows = [repr(row) for model in apps.get_models() for row in model._base_manager.values()]
    return "\n".join(rows)


def disk(folder):
    return "".join(path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file())


def test_every_text_column_of_every_table_is_purged_or_explained(everywhere):
    planted = {model.__name__ for model in apps.get_app_config("django_hyber").get_models() if any(columns_of(model))}
    found = {name for name in planted if NUMBER in repr(list(apps.get_model("django_hyber", name).objects.values()))}

    assert found == planted


def test_a_purge_leaves_nothing_in_any_table_or_file(everywhere, media):
    assert NUMBER in dump()
    assert TEXT in disk(media)
    purge_personal_data(MONTH)

    assert [line for line in dump().splitlines() if NUMBER in line or TEXT in line] == []
    assert disk(media) == ""


def test_a_dry_run_leaves_everything(everywhere, media):
    before = dump(), disk(media)
    would_be = purge_personal_data(MONTH, dry_run=True)

    assert (dump(), disk(media)) == before
    assert would_be == purge_personal_data(MONTH)
    assert (would_be.jobs, would_be.log_entries, would_be.recipients) == (1, 3, 1)


def test_what_is_young_stays(everywhere, media):
    purge_personal_data(timedelta(days=500))

    assert dump().count(NUMBER) > 10
    assert TEXT in disk(media)


@pytest.mark.parametrize("given", ["093 123 98 76", phonenumbers.parse("+380931239876", None)], ids=["text", "field"])
def test_a_forgotten_number_is_in_no_table_or_file(everywhere, media, given):
    forgotten = forget_number(given)

    assert [line for line in dump().splitlines() if NUMBER in line and "object_repr" not in line] == []
    assert disk(media) == ""
    assert (forgotten.messages, forgotten.reports, forgotten.replies, forgotten.unreadable) == (2, 2, 1, 1)


@pytest.mark.parametrize(
    "written", ["+380 93 123 98 76", "(093) 123-98-76", "tel093\u00a0123\u00a098\u00a076x", "931239876"]
)
def test_a_number_that_is_quoted_in_another_spelling_is_removed(written):
    text = f"Not sent to {written}"
    campaign = Campaign.objects.create(name="Sale", status="paused", status_reason=text, approval_note=text)
    Batch.objects.create(campaign=campaign, first_id=1, last_id=1, size=1, error_text=text, answer_text=text)
    AccountState.objects.create(account="default", failures=1, reason=text)
    UnreadableCallback.objects.create(kind="reports", body=text)
    UnreadableCallback.objects.create(kind="reports", body="Not sent to 380931239877, order 9312")

    assert forget_number(NUMBER).unreadable == 1
    assert dump().count("Not sent to") == 1


def test_forgetting_changes_no_total_and_no_other_number():
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([SMS(text="Hi", alpha_name="Shop", ttl=300)])
    import_recipients(campaign, [{"phone": NUMBER, "name": TEXT}, {"phone": phone(1), "name": "Ivan"}])
    campaign.messages.update(status="delivered", channel="sms", finished_at=timezone.now())
    Campaign.objects.update(status="finished")
    before = campaign_statistics(campaign)
    forget_number(NUMBER)

    assert campaign_statistics(campaign) == before
    assert list(campaign.messages.not_purged().values_list("phone_number", "variables")) == [
        (phone(1), {"name": "Ivan"})
    ]


def test_a_forgotten_number_stays_opted_out_without_a_reason():
    Suppression.objects.create(phone_number=NUMBER, reason=f"{TEXT} has called")

    assert forget_number(NUMBER).is_opted_out
    assert list(Suppression.objects.values_list("phone_number", "reason")) == [(NUMBER, "")]


def test_the_history_of_a_number_that_came_back_goes():
    Suppression.objects.create(phone_number=NUMBER, reason=f"{TEXT} has called")
    Suppression.objects.filter(phone_number=NUMBER).delete()

    assert forget_number(NUMBER).former_opt_outs == 1
    assert not FormerOptOut.objects.exists()


def test_a_number_that_never_opted_out_is_not_put_on_the_list():
    Message.objects.create(phone_number=NUMBER, extra_id="1", status="delivered")

    assert not forget_number(NUMBER).is_opted_out
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("status", ["queued", "sending", "unconfirmed", "accepted"])
def test_a_message_under_way_is_refused_and_nothing_is_changed(status):
    Message.objects.create(phone_number=NUMBER, extra_id="1", status="delivered", variables={"name": TEXT})
    Message.objects.create(phone_number=NUMBER, extra_id="2", status=status)
    before = dump()

    with pytest.raises(ForgetError, match=r"under way \(single messages\)"):
        forget_number(NUMBER)
    assert dump() == before


def test_the_campaign_of_a_message_under_way_is_named():
    campaign = Campaign.objects.create(name="Sale", status="paused")
    Message.objects.create(phone_number=NUMBER, extra_id="1", campaign=campaign)

    with pytest.raises(ForgetError, match="“Sale”"):
        forget_number(NUMBER)


@pytest.mark.parametrize("state", ["waiting", "running"])
@pytest.mark.parametrize("kind", ["import", "export", "removal"])
def test_a_job_under_way_that_may_have_the_number_is_waited_for(kind, state):
    campaign = Campaign.objects.create(name="Sale")
    BackgroundJob.objects.create(kind=kind, campaign=campaign, state=state)

    with pytest.raises(ForgetError, match=kind):
        forget_number(NUMBER)


def test_a_recipient_of_a_draft_is_deleted():
    campaign = Campaign.objects.create(name="Sale")
    import_recipients(campaign, [{"phone": NUMBER}, {"phone": phone(1)}])

    assert forget_number(NUMBER).recipients == 1
    assert list(campaign.messages.values_list("phone_number", flat=True)) == [phone(1)]


def test_files_that_may_contain_it_are_deleted(media):
    campaign = Campaign.objects.create(name="Sale")
    keep_upload(campaign, None, ContentFile(f"phone,name\n{NUMBER},{TEXT}\n".encode(), name=f"{NUMBER}.csv"))
    import_recipients(campaign, [{"phone": NUMBER, "name": TEXT}])
    request_job(BackgroundJob.Kind.EXPORT, campaign, {"format": "csv"}, None)
    assert TEXT in disk(media)

    assert forget_number(NUMBER).jobs == 2
    assert disk(media) == ""
    assert NUMBER not in dump()


def test_a_second_time_finds_nothing(everywhere):
    forget_number(NUMBER)

    assert forget_number(NUMBER).total == 0


@pytest.mark.parametrize("typed", ["", "Olena", "123", "067"])
def test_what_is_no_number_is_refused(typed):
    with pytest.raises(CommandError, match=r"\w"):
        run("hyber_forget", typed)


def test_the_command_tells_the_counts():
    Message.objects.create(phone_number=NUMBER, extra_id="1", status="delivered")
    Suppression.objects.create(phone_number=NUMBER)

    assert run("hyber_forget", "093 123 98 76")[0] == (
        "anonymised: 1 messages, 0 delivery reports, 0 replies; deleted: 0 recipients of drafts, 0 unreadable "
        "callbacks, files of 0 background jobs\nThe number stays on the opt-out list.\n"
    )


def test_an_export_has_everything_and_no_secret(everywhere):
    Message.objects.filter(pk=everywhere.pk).update(content={"channels": ["sms"], "callback_url": "https://x/token/"})
    found = export_number("+380 93 123 98 76")
    text = json.dumps(found, default=str)

    assert found["phone_number"] == NUMBER
    assert [len(found[name]) for name in ("messages", "delivery_reports", "replies")] == [3, 2, 1]
    assert TEXT in text
    assert "token" not in text
    assert found["opted_out"] is None


@pytest.mark.parametrize("name", ["messages", "delivery_reports", "replies", "unreadable_callbacks"])
def test_an_export_has_every_column_that_is_purged(everywhere, name):
    kind = {"messages": Message, "delivery_reports": DeliveryReport, "replies": Reply}.get(name, UnreadableCallback)

    names = {field.name for field in columns_of(kind)} - {"reference_id"}
    assert names <= export_number(NUMBER)[name][0].keys()


def test_an_export_has_what_was_reported_about_a_message():
    columns = {"other_channels": "viber:expired", "hyber_status": 23011, "reported_at": OLD, "total_sms_parts": 2}
    Message.objects.create(phone_number=NUMBER, extra_id="1", template_version="order-shipped uk 3", **columns)
    (message,) = export_number(NUMBER)["messages"]

    assert message.items() >= {**columns, "template_version": "order-shipped uk 3"}.items()


def test_an_export_names_the_object_that_a_message_refers_to():
    order = Order.objects.create(phone=NUMBER)
    message = Message(phone_number=NUMBER, extra_id="1")
    message.reference = order
    message.save()

    assert export_number(NUMBER)["messages"][0]["reference"] == {"model": "store.order", "id": str(order.pk)}


def test_an_export_has_neither_colleagues_nor_the_work_on_a_row():
    Message.objects.create(phone_number=NUMBER, extra_id="1", sender="own-client")
    Suppression.objects.create(phone_number=NUMBER, added_by="olena")

    assert not {"olena", "own-client"} & set(json.dumps(export_number(NUMBER), default=str).split('"'))


@pytest.fixture
def forgotten_message():
    """A message whose number was forgotten after it was delivered."""
    message = Message.objects.create(phone_number=NUMBER, extra_id="1", status="delivered", channel="sms")
    forget_number(NUMBER)
    return message


def test_late_report_of_a_forgotten_number_counts(forgotten_message):
    apply_delivery_reports([report(forgotten_message, clicks=2)])
    forgotten_message.refresh_from_db()

    assert forgotten_message.clicks == 2


@pytest.mark.parametrize("named", ["extra_id", "message_id"])
def test_late_report_does_not_bring_a_forgotten_number_back(forgotten_message, named):
    Message.objects.update(message_id="platform-1")
    ids = {"extra_id": None, "message_id": None} | {named: getattr(Message.objects.get(), named)}
    apply_delivery_reports([report(forgotten_message, text=TEXT, **ids)])

    assert forgotten_message.delivery_reports.count() == 1
    assert [line for line in dump().splitlines() if NUMBER in line or TEXT in line] == []


def test_late_reason_that_quotes_a_forgotten_number_is_not_stored():
    message = Message.objects.create(phone_number=NUMBER, extra_id="1", status="undelivered")
    forget_number(NUMBER)
    apply_delivery_reports([report(message, error_text=f"No route to {NUMBER}", **UNDELIVERED)])

    assert message.delivery_reports.count() == 1
    assert NUMBER not in dump()


def test_late_report_of_an_earlier_run_does_not_bring_a_forgotten_number_back():
    message = Message.objects.create(phone_number=NUMBER, extra_id="2", status="delivered")
    DeliveryReport.objects.create(message=message, account="default", fingerprint="1", extra_id="1", raw={})
    forget_number(NUMBER)
    apply_delivery_reports([report(None, number=NUMBER, extra_id="1", message_id="platform-1")])

    assert message.delivery_reports.count() == 2
    assert NUMBER not in dump()


def test_other_reports_of_the_same_callback_keep_their_numbers(forgotten_message):
    other = Message.objects.create(phone_number=phone(2), extra_id="2", status="accepted")
    apply_delivery_reports([report(forgotten_message), report(other)])

    assert other.delivery_reports.get().raw["number"] == phone(2)


class PageTests:
    URL = "/admin/django_hyber/message/person/"

    def test_the_list_of_messages_leads_there_for_whoever_may(self, client, admin_client):
        assert self.URL in admin_client.get("/admin/django_hyber/message/").content.decode()
        staff = make_user()
        own = Permission.objects.filter(content_type__app_label="django_hyber")
        staff.user_permissions.set(own.exclude(codename="forget_number"))
        client.force_login(staff)
        assert self.URL not in client.get("/admin/django_hyber/message/").content.decode()
        assert client.get(self.URL).status_code == 403

    def test_a_download_is_logged_without_the_number(self, admin_client, everywhere):
        LogEntry.objects.all().delete()
        response = admin_client.post(self.URL, {"number": "093 123 98 76", "download": ""})

        assert json.loads(response.content)["phone_number"] == NUMBER
        assert "no-store" in response["Cache-Control"]
        entry = LogEntry.objects.get()
        assert NUMBER[-4:] not in entry.object_repr + entry.change_message

    def test_nothing_is_removed_before_the_confirmation(self, admin_client, everywhere):
        before = dump()
        page = admin_client.post(self.URL, {"number": NUMBER, "forget": ""})

        assert "Messages: 3" in page.content.decode()
        assert "Remove permanently" in page.content.decode()
        assert dump() == before

    def test_after_the_confirmation_it_is_gone(self, admin_client, everywhere):
        data = {"number": NUMBER, "forget": "", "confirmed": "yes"}
        page = admin_client.post(reverse("admin:django_hyber_message_person"), data, follow=True)

        assert "It was removed. Messages: 3, delivery reports: 2, replies: 1." in page.content.decode()
        assert not Message.objects.filter(phone_number=NUMBER).exists()

    def test_what_is_under_way_is_told_beside_the_field(self, admin_client):
        Message.objects.create(phone_number=NUMBER, extra_id="1")
        page = admin_client.post(self.URL, {"number": NUMBER, "forget": "", "confirmed": "yes"})

        assert "Messages to this number are under way" in page.content.decode()

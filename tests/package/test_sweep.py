"""One row or one step that fails stops neither the other rows nor the other steps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.utils import timezone

from django_hyber import tasks
from django_hyber.jobs import background
from django_hyber.models import Announcement, BackgroundJob, Campaign, DeliveryReport, Message
from django_hyber.protocol import SMS, InvalidMessage
from django_hyber.reconcile import overdue
from django_hyber.reports import early
from django_hyber.sending.message_claim import MessageClaim
from django_hyber.services import CampaignError, dispatch, doubts, fetch_reports, send_message, start_campaign
from django_hyber.signals import message_status_changed
from django_hyber.storage import PrivateFileSystemStorage, hyber_storage
from tests.builders import (
    dispatch_until_finished,
    make_campaign,
    make_doubted_campaign,
    make_known,
    make_waiting_campaign,
)
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
CODE = [SMS(text="Code 1234", alpha_name="SHOP", ttl=300)]
NEVER = "9999-12-31 23:59:59+00:00"
#: As the platform may read it, and Python's reader of ISO 8601 does not.
LENIENT = "9999-12-31 23:59:59 +00:00"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def told():
    """The new statuses that receivers have been told of."""
    heard = []

    def hear(new_status, **kwargs):
        heard.append(new_status)

    message_status_changed.connect(hear)
    yield heard
    message_status_changed.disconnect(hear)


def store(number, **columns):
    content = {"channels": ["sms"], "channel_options": {"sms": CODE[0].to_wire()}}
    columns = {"extra_id": f"own-{number}", "content": content, **columns}
    return Message.objects.create(phone_number=phone(number), **columns)


def store_left(number, **content):
    """A message whose worker has stopped."""
    message = store(number, status="sending", sender="written", attempts=1, lease_until="2020-01-01T00:00:00Z")
    Message.objects.filter(pk=message.pk).update(content={**message.content, **content})
    return message


def read(message):
    message.refresh_from_db()
    return message


def events(caplog):
    return [getattr(record, "event", "") for record in caplog.records]


def fail_for(monkeypatch, module, name, extra_id):
    """Have a function of a module fail for the message with this id."""
    function = getattr(module, name)

    def call(row, *arguments, **options):
        if extra_id in (getattr(row, "extra_id", ""), isinstance(row, dict) and row.get("extra_id")):
            raise ZeroDivisionError
        return function(row, *arguments, **options)

    monkeypatch.setattr(module, name, call)


def test_work_of_an_account_that_was_removed_waits_and_no_task_fails(platform, settings, caplog):
    settings.HYBER["former"] = settings.HYBER["default"]
    message, campaign = store(1, account="former"), make_waiting_campaign([phone(2)], 1)
    Campaign.objects.update(account="former")
    del settings.HYBER["former"]
    tasks.submit_message.call(message.pk)
    tasks.submit_batch.call(campaign.batches.get().pk)

    assert set(events(caplog)) == {"account-invalid"}
    assert read(message).status == "queued"
    assert campaign.batches.get().state == "pending"


@pytest.mark.parametrize("start_time", [NEVER, LENIENT])
def test_message_for_the_year_9999_stops_no_other(platform, settings, start_time):
    settings.HYBER = {"default": settings.HYBER["default"] | {"NOT_FOUND_GRACE": 120}}
    left, waiting = store_left(1, start_time=start_time), store(2)
    dispatch()

    assert read(waiting).status == "accepted"
    assert read(left).status == "unconfirmed"


@pytest.mark.parametrize("start_time", [NEVER, LENIENT])
def test_accepted_message_for_the_year_9999_stops_no_query(platform, start_time):
    for number in (1, 2):
        message = send_message(phone(number, "85"), CODE)
        Message.objects.filter(pk=message.pk).update(accepted_at=timezone.now() - timedelta(hours=1))
    first = Message.objects.order_by("pk").first()
    Message.objects.filter(pk=first.pk).update(content={**first.content, "start_time": start_time})
    platform.flush()

    assert fetch_reports().changed == 1
    assert read(message).status == "delivered"


def test_start_time_more_than_a_year_ahead_is_refused(platform):
    with pytest.raises(InvalidMessage, match="more than a year ahead"):
        send_message(phone(1), CODE, start_time=timezone.now() + timedelta(days=400))

    assert not Message.objects.exists()


def test_campaign_that_starts_in_more_than_a_year_is_not_launched(platform):
    campaign = make_campaign([phone(1)], start_time=timezone.now() + timedelta(days=400))

    with pytest.raises(CampaignError, match="more than a year ahead"):
        start_campaign(campaign)
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_lease_that_cannot_be_recovered_stops_no_other(platform, monkeypatch, caplog):
    bad, good = store_left(1), store_left(2)
    release = MessageClaim.release

    def release_or_fail(claim, only):
        if claim.row.pk == bad.pk:
            raise ZeroDivisionError
        release(claim, only)

    monkeypatch.setattr(MessageClaim, "release", release_or_fail)
    dispatch()

    assert (read(bad).status, read(good).status) == ("sending", "unconfirmed")
    (record,) = (record for record in caplog.records if getattr(record, "event", "") == "row-left-out")
    assert record.extra_id == bad.extra_id


@pytest.mark.parametrize("name", ["_lifetime", "query_message"])
def test_report_that_cannot_be_queried_stops_no_other(platform, monkeypatch, caplog, name):
    for number in (1, 2):
        message = send_message(phone(number, "85"), CODE)
        Message.objects.filter(pk=message.pk).update(accepted_at=timezone.now() - timedelta(hours=1))
    platform.flush()
    fail_for(monkeypatch, overdue, name, Message.objects.order_by("pk").first().extra_id)

    assert fetch_reports().changed == 1
    assert read(message).status == "delivered"
    assert "row-left-out" in events(caplog)


def test_stored_report_that_is_unreadable_stops_no_other(platform, caplog):
    messages = [store(number, status="accepted", accepted_at=timezone.now()) for number in (1, 2)]
    for message in messages:
        is_bad = message is messages[0]
        raw = {} if is_bad else {"extra_id": message.extra_id, "number": message.phone_number, "status": 2}
        DeliveryReport.objects.create(
            account="default", fingerprint=message.extra_id, extra_id=message.extra_id, raw=raw
        )
    dispatch()

    assert (read(messages[0]).status, read(messages[1]).status) == ("accepted", "delivered")
    assert "report-unreadable" in events(caplog)


def test_storage_that_cannot_be_listed_stops_no_signal(platform, told, monkeypatch, caplog):
    message = store(1, status="delivered")
    Announcement.objects.create(
        key="one",
        signal="message_status_changed",
        events=[[message.pk, "accepted", "delivered", ""]],
        attempts=1,
        lease_until="2020-01-01T00:00:00Z",
    )

    def refuse(storage, folder):
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(PrivateFileSystemStorage, "listdir", refuse)
    with pytest.raises(PermissionError):
        dispatch()

    assert told == ["delivered"]
    (record,) = (record for record in caplog.records if getattr(record, "event", "") == "sweep-step-failed")
    assert record.step == "stored files"


@pytest.mark.parametrize(
    "step",
    [
        "unconfirmed.recover_expired_leases",
        "early.rematch_reports",
        "unconfirmed.due_batches",
        "unconfirmed.enqueue_queries",
        "schedule.hand_over_due",
        "runs.settle_all",
        "late_proofs.doubt_proved",
        "cancelling.continue_cancelled",
        "background.recover_jobs",
        "attachments.enqueue_lost",
        "announce_stalls",
        "announce_pending",
        "background.clean_up",
        "delete_some_orphans",
    ],
)
def test_step_that_fails_stops_no_other_and_the_sweep_says_so(platform, monkeypatch, step):
    waiting, old = store(1), background.create_job("uploaded", "import", None, {}, None, None)
    BackgroundJob.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=2))

    def fail(*arguments, **options):
        raise ZeroDivisionError

    monkeypatch.setattr(f"django_hyber.sweep.{step}", fail)
    with pytest.raises(CommandError, match=r"^The sweep is incomplete: ZeroDivisionError$"):
        call_command("hyber_dispatch")

    assert read(waiting).status == "accepted"
    assert BackgroundJob.objects.exists() is (step == "background.clean_up")


def test_first_failure_is_the_one_that_is_raised(platform, monkeypatch):
    def fail_with(error):
        def fail():
            raise error

        return fail

    monkeypatch.setattr("django_hyber.sweep.announce_pending", fail_with(KeyError("second")))
    monkeypatch.setattr("django_hyber.sweep.announce_stalls", fail_with(KeyError("first")))

    with pytest.raises(KeyError, match="first"):
        dispatch()


def test_orphan_that_a_storage_elsewhere_does_not_delete_keeps_no_other(platform, monkeypatch, caplog):
    folder = f"hyber/jobs/{timezone.now() - timedelta(days=3):%Y-%m-%d}"
    for name in ("a.csv", "b.csv"):
        hyber_storage().save(f"{folder}/{name}", ContentFile(b"phone"))
    delete = PrivateFileSystemStorage.delete

    class ClientError(Exception):
        """As the library of an object store raises it."""

    def refuse(storage, name):
        if name.endswith("a.csv"):
            raise ClientError
        delete(storage, name)

    monkeypatch.setattr(PrivateFileSystemStorage, "delete", refuse)
    dispatch()

    assert hyber_storage().listdir(folder)[1] == ["a.csv"]
    assert "file-not-deleted" in events(caplog)


def test_reports_of_one_account_that_cannot_be_matched_stop_no_other(platform, settings, monkeypatch):
    settings.HYBER = {"first": settings.HYBER["default"], "default": settings.HYBER["default"]}
    message = store(1, status="accepted", accepted_at=timezone.now())
    for account, extra_id in (("first", "own-2"), ("default", message.extra_id)):
        DeliveryReport.objects.create(
            account=account, fingerprint=extra_id, extra_id=message.extra_id, raw={"extra_id": extra_id, "status": 2}
        )
    apply_stored = early.apply_stored

    def apply(account, *arguments):
        if account.name == "first":
            raise ZeroDivisionError
        apply_stored(account, *arguments)

    monkeypatch.setattr(early, "apply_stored", apply)
    dispatch()

    assert read(message).status == "delivered"


def test_file_that_cannot_be_deleted_keeps_no_other(platform, monkeypatch, caplog):
    jobs = []
    for number in (1, 2):
        source = ContentFile(b"phone", name=f"people{number}.csv")
        jobs.append(background.create_job("done", "import", None, {}, None, source))
    BackgroundJob.objects.update(finished_at=timezone.now() - timedelta(days=8))
    bad, good = jobs
    delete = PrivateFileSystemStorage.delete

    def refuse(storage, name):
        if name == bad.source.name:
            raise PermissionError(13, "Permission denied", name)
        delete(storage, name)

    monkeypatch.setattr(PrivateFileSystemStorage, "delete", refuse)
    dispatch()

    good.refresh_from_db()
    assert not good.source
    assert "row-left-out" in events(caplog)


def test_unconfirmed_message_that_no_batch_queries_is_found_by_a_sweep(platform, caplog):
    make_known()
    campaign = make_doubted_campaign()
    campaign.batches.update(state="done", doubted_at=None)
    assert not list(doubts(campaign_pk=campaign.pk, only_overdue=False))
    campaign.messages.filter(status="unconfirmed").update(doubted_at=timezone.now() - timedelta(minutes=2))
    dispatch()

    assert "forgotten" in events(caplog)
    assert list(doubts(campaign_pk=campaign.pk, only_overdue=False))
    dispatch_until_finished(campaign)
    assert platform.ledger.duplicates == {}


def test_message_of_a_batch_in_doubt_is_not_queried_on_its_own(platform):
    campaign = make_doubted_campaign()
    long_ago = timezone.now() - timedelta(hours=1)
    campaign.batches.update(doubted_at=long_ago, due_at=timezone.now() + timedelta(hours=1))
    campaign.messages.update(doubted_at=long_ago)
    dispatch()

    assert [doubt.people for doubt in doubts(campaign_pk=campaign.pk, only_overdue=False)] == [3]

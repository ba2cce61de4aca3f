from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core import serializers
from django.core.files.base import ContentFile
from django.core.management import CommandError
from django.utils import timezone

from django_hyber.forgetting import drafts, purge
from django_hyber.models import BackgroundJob, Campaign, DeliveryReport, Message, Reply, Suppression, UnreadableCallback
from django_hyber.protocol import SMS, Viber
from django_hyber.services import (
    CampaignError,
    apply_delivery_reports,
    apply_replies,
    campaign_statistics,
    import_recipients,
    purge_personal_data,
    recount,
    retry_failed,
)
from tests.management.test_commands import run
from tests.samples import phone, report

pytestmark = pytest.mark.django_db

MONTH = timedelta(days=30)
YEAR = timedelta(days=365)
SECRET = "Olena-Petrenko"
NUMBER = phone(77)
TEXTS = {
    "viber": {"text": f"Hi {SECRET}", "ttl": 60},
    "sms": {"text": f"Hi {SECRET}", "alpha_name": "Shop", "ttl": 300},
}
EXPIRED = {"status": 3, "substatus": 35, "hyber_status": 35015}


def make_message(number=77, *, age=YEAR, **values):
    ended = timezone.now() - age
    defaults = {
        "phone_number": phone(number),
        "extra_id": f"own-{number}",
        "status": "accepted",
        "variables": {"name": SECRET},
        "content": {"channels": ["viber", "sms"], "channel_options": TEXTS, "callback_url": f"https://x/{SECRET}"},
        "created_at": ended,
    }
    return Message.objects.create(**defaults | values)


def age_all(age=YEAR):
    then = timezone.now() - age
    Message.objects.update(created_at=then)
    Message.objects.exclude(finished_at=None).update(finished_at=then)
    for model in (DeliveryReport, Reply, UnreadableCallback):
        model.objects.update(received_at=then)


def everything():
    models = (Message, DeliveryReport, Reply, UnreadableCallback)
    return "".join(json.dumps(json.loads(serializers.serialize("json", model.objects.all()))) for model in models)


def answer(message, **values):
    return {
        "phone": message.phone_number,
        "text_from_subscriber": f"I am {SECRET}",
        "file_name": f"{SECRET}.jpg",
        "location": "49.84,24.03",
        "image_url": f"https://media.example/{SECRET}",
        "channel": "viber",
        "message_id": f"platform-{message.extra_id}",
        "extra_id": message.extra_id,
        "time": 1_700_000_000_000,
        **values,
    }


@pytest.fixture
def ended():
    """A message with its report and a reply, all of it a year old."""
    message = make_message()
    apply_delivery_reports([report(message, sent_via="viber", clicks=2)])
    apply_replies([answer(message)])
    age_all()
    message.refresh_from_db()
    return message


def test_nothing_personal_is_left(ended):
    apply_delivery_reports([f"rubbish of {SECRET}", report(None, number=NUMBER, extra_id="nobody")])
    age_all()
    personal = (SECRET, NUMBER, "49.84,24.03")
    assert all(data in everything() for data in personal)
    purge_personal_data(MONTH)

    assert not [data for data in personal if data in everything()]


def test_ids_statuses_and_times_stay(ended):
    history = ended.delivery_reports.get()
    purge_personal_data(MONTH)
    after = Message.objects.get()
    kept = ended.delivery_reports.get()

    for name in ("extra_id", "message_id", "status", "channel", "hyber_status", "clicks", "reported_at", "finished_at"):
        assert getattr(after, name) == getattr(ended, name)
    for name in ("fingerprint", "hyber_message_id", "extra_id", "channel", "status", "reported_at", "received_at"):
        assert getattr(kept, name) == getattr(history, name)
    assert Reply.objects.get().message == ended


def test_error_code_stays_and_its_text_goes():
    ended_at = timezone.now() - YEAR
    message = make_message(status="rejected", error_code=36024, error_text=f"{SECRET} is wrong", finished_at=ended_at)
    purge_personal_data(MONTH)

    message.refresh_from_db()
    assert (message.error_code, message.error_text) == (36024, "")


def test_purged_messages_of_one_campaign_have_no_number():
    campaign = Campaign.objects.create(name="Sale", status="finished")
    for number in (1, 2):
        make_message(number, campaign=campaign, content=None, status="cancelled")
    make_message(3, campaign=campaign, content=None, status="cancelled", age=timedelta())
    purge_personal_data(MONTH)

    assert list(campaign.messages.purged().values_list("phone_number", flat=True)) == [None, None]
    assert campaign.messages.not_purged().get().phone_number == phone(3)


@pytest.mark.parametrize("status", ["queued", "sending", "unconfirmed", "accepted"])
def test_messages_on_their_way_are_left_alone(status):
    message = make_message(status=status)
    apply_delivery_reports([report(message, sent_via="viber", **EXPIRED)])
    Message.objects.update(status=status)
    before = everything()
    purge_personal_data(MONTH)

    assert everything() == before


@pytest.mark.parametrize(
    "status", ["delivered", "seen", "expired", "undelivered", "rejected", "cancelled", "suppressed"]
)
def test_whatever_has_ended_is_purged(status):
    make_message(status=status, finished_at=timezone.now() - YEAR)

    assert purge_personal_data(MONTH).messages == 1


def test_accepted_message_that_was_given_up_is_purged():
    make_message(given_up_at=timezone.now())

    assert purge_personal_data(MONTH).messages == 1


def test_age_counts_from_the_end_of_a_message():
    make_message(1, status="delivered", finished_at=timezone.now() - timedelta(days=29))
    make_message(2, status="delivered", finished_at=timezone.now() - timedelta(days=31))
    purge_personal_data(MONTH)

    assert Message.objects.get(phone_number=phone(1))
    assert not Message.objects.filter(phone_number=phone(2)).exists()


def test_young_replies_reports_and_callbacks_are_left_alone(ended):
    apply_delivery_reports(["rubbish", report(None, extra_id="nobody")])
    Reply.objects.update(received_at=timezone.now())
    purged = purge_personal_data(MONTH)

    assert (purged.replies, purged.waiting_reports, purged.unreadable) == (0, 0, 0)
    assert Reply.objects.get().text


def test_replies_that_nobody_could_match_are_purged_too():
    apply_replies([answer(make_message(), message_id="unknown", extra_id="unknown")])
    age_all()

    assert purge_personal_data(MONTH).replies == 1
    assert Reply.objects.get().phone_number == ""


def test_attachment_of_a_reply_is_deleted(ended, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    reply = Reply.objects.get()
    reply.media_file.save("photo.jpg", ContentFile(b"photo"))
    assert list(tmp_path.rglob("*.jpg"))
    purge_personal_data(MONTH)

    assert not list(tmp_path.rglob("*.jpg"))
    assert not Reply.objects.get().media_file


def test_opted_out_numbers_are_kept(ended):
    Suppression.objects.create(phone_number=ended.phone_number)
    Suppression.objects.update(created_at=timezone.now() - YEAR)
    purge_personal_data(timedelta())

    assert Suppression.objects.get().phone_number == NUMBER


def test_second_purge_finds_nothing(ended):
    apply_delivery_reports(["rubbish"])
    age_all()
    first = purge_personal_data(MONTH)
    second = purge_personal_data(MONTH)

    assert (first.messages, first.reports, first.replies, first.unreadable) == (1, 1, 1, 1)
    assert (second.messages, second.reports, second.replies, second.unreadable) == (0, 0, 0, 0)


def test_late_report_still_counts_and_leaves_no_number(ended, settings):
    settings.HYBER = {"default": {"SEEN_CODES": [23099]}}
    purge_personal_data(MONTH)
    apply_delivery_reports([report(None, number=NUMBER, message_id="platform-own-77", hyber_status=23099)])
    ended.refresh_from_db()

    assert ended.status == "seen"
    assert NUMBER not in everything()


def test_dry_run_counts_the_same_and_writes_nothing(ended):
    apply_delivery_reports(["rubbish", report(None, extra_id="nobody")])
    age_all()
    before = everything()
    would_be = purge_personal_data(MONTH, dry_run=True)

    assert everything() == before
    assert would_be == purge_personal_data(MONTH)
    assert would_be == purge.Purged(messages=1, reports=1, replies=1, waiting_reports=1, unreadable=1)


def test_statistics_are_the_same_and_recount_finds_no_difference(settings):
    settings.HYBER = {"default": {"PRICES": {"viber": "0.45", "sms": "0.98"}}}
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([Viber(text="Hi", ttl=60), SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    import_recipients(campaign, [{"phone": phone(number)} for number in range(5)])
    one, two, three, *_ = campaign.messages.order_by("pk")
    apply_delivery_reports(
        [
            report(one, sent_via="viber", clicks=3),
            report(two, total_sms_parts=3, delivered_sms_parts=2),
            report(three, **EXPIRED),
        ]
    )
    age_all()
    before = campaign_statistics(campaign)
    assert purge_personal_data(MONTH).messages == 3

    assert campaign_statistics(campaign) == before
    assert recount().differences == 0


def test_purged_numbers_are_not_sent_to_again():
    campaign = Campaign.objects.create(name="Sale", status="finished")
    make_message(campaign=campaign, content=None, status="expired", finished_at=timezone.now() - YEAR)
    purge_personal_data(MONTH)

    with pytest.raises(CampaignError, match="failed for this reason"):
        retry_failed(campaign)
    assert campaign.messages.get().status == "expired"


def test_retry_leaves_out_those_whose_number_is_gone():
    campaign = Campaign.objects.create(name="Sale", status="finished")
    make_message(1, campaign=campaign, content=None, status="expired", finished_at=timezone.now() - YEAR)
    make_message(2, campaign=campaign, content=None, status="expired", finished_at=timezone.now())
    purge_personal_data(MONTH)
    retry_failed(campaign)

    assert list(campaign.messages.filter(status="queued").values_list("phone_number", flat=True)) == [phone(2)]


def test_every_range_is_purged(monkeypatch):
    monkeypatch.setattr(purge, "CHUNK", 3)
    monkeypatch.setattr("django_hyber.db.bulk.CHUNK", 3)
    for number in range(10):
        make_message(number)
    apply_delivery_reports([report(message) for message in Message.objects.all()])
    apply_delivery_reports(["rubbish"] * 7)
    apply_replies([answer(message) for message in Message.objects.all()])
    age_all()
    purged = purge_personal_data(MONTH)

    assert (purged.messages, purged.reports, purged.replies, purged.unreadable) == (10, 10, 10, 7)


@pytest.fixture
def old_draft():
    """A draft with two recipients that nobody has touched for a year."""
    campaign = Campaign.objects.create(name="Never sent", number_types=["fixed_line"], approval_note=SECRET)
    import_recipients(campaign, [{"phone": phone(number), "name": SECRET} for number in range(2)])
    age_all()
    Campaign.objects.update(created_at=timezone.now() - YEAR)
    campaign.refresh_from_db()
    return campaign


def test_recipients_of_a_draft_that_nobody_touches_are_deleted_and_its_text_stays(old_draft):
    old_draft.set_channels([SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    assert purge_personal_data(MONTH).recipients == 2

    old_draft.refresh_from_db()
    assert not old_draft.messages.exists()
    assert (old_draft.status, old_draft.number_types, old_draft.approval_note) == ("draft", [], "")
    assert old_draft.channels.count() == 1


def test_dry_run_counts_the_recipients_of_drafts(old_draft):
    assert purge_personal_data(MONTH, dry_run=True).recipients == 2
    assert old_draft.messages.count() == 2


@pytest.mark.parametrize(
    "values",
    [
        {"start_time": timezone.now() + MONTH},
        {"created_at": timezone.now()},
        {"launched_at": timezone.now()},
        {"approval_at": timezone.now()},
        {"status": "scheduled"},
        {"status": "paused"},
    ],
    ids=lambda values: next(iter(values)),
)
def test_draft_that_is_new_planned_withdrawn_or_asked_about_keeps_its_recipients(old_draft, values):
    Campaign.objects.update(**values)

    assert purge_personal_data(MONTH).recipients == 0
    assert old_draft.messages.count() == 2


def test_draft_that_got_a_recipient_keeps_the_others(old_draft):
    import_recipients(old_draft, [{"phone": phone(9)}])

    assert purge_personal_data(MONTH).recipients == 0
    assert old_draft.messages.count() == 3


@pytest.mark.parametrize("job", [{"state": "done"}, {"state": "waiting", "created_at": timezone.now() - YEAR}])
def test_draft_with_a_recent_import_or_one_under_way_keeps_its_recipients(old_draft, job):
    BackgroundJob.objects.create(kind="import", campaign=old_draft, **job)

    assert purge_personal_data(MONTH).recipients == 0


def test_draft_that_somebody_edits_in_the_admin_keeps_its_recipients(old_draft, admin_client):
    form = {
        "name": "Sent soon",
        "account": "default",
        "missing_variables": "refuse",
        "start_time_0": "",
        "start_time_1": "",
    }
    form |= {"channels-TOTAL_FORMS": 0, "channels-INITIAL_FORMS": 0}
    answer = admin_client.post(f"/admin/django_hyber/campaign/{old_draft.pk}/change/", form)
    assert answer.status_code == 302

    assert purge_personal_data(MONTH).recipients == 0
    LogEntry.objects.update(action_time=timezone.now() - YEAR)
    assert purge_personal_data(MONTH).recipients == 2


def test_recipients_of_a_draft_go_together_or_not_at_all(old_draft, monkeypatch):
    monkeypatch.setattr("django_hyber.db.bulk.CHUNK", 1)
    monkeypatch.setattr(drafts, "forget_imports_of_nobody", stop)
    with pytest.raises(KeyboardInterrupt):
        purge_personal_data(MONTH)

    assert old_draft.messages.count() == 2


def stop(campaign):
    raise KeyboardInterrupt


@pytest.mark.parametrize("count", [1, 30])
def test_statements_of_a_range_do_not_grow_with_it(count, django_assert_max_num_queries):
    messages = [make_message(number) for number in range(count)]
    apply_delivery_reports([report(message) for message in messages])
    age_all()

    with django_assert_max_num_queries(20):
        assert purge_personal_data(MONTH).messages == count


def test_command_tells_the_counts(ended):
    line = (
        "anonymised: 1 messages, 1 delivery reports, 1 replies; deleted: 0 recipients of old drafts, "
        "0 waiting reports, 0 unreadable reports, 0 announcements, 0 background jobs, 0 entries of the admin's log\n"
    )

    assert run("hyber_purge", "--older-than", "30", "--dry-run")[0] == f"would be {line}"
    assert run("hyber_purge", "--older-than", "30")[0] == line


@pytest.mark.parametrize("age", ["-1", "1000000", "99999999999999999999"])
def test_command_refuses_an_age_that_cannot_be(db, age):
    with pytest.raises(CommandError, match=f"--older-than: '{age}' is not an integer from 0 to 36,525"):
        run("hyber_purge", "--older-than", age)

"""Retried messages that are not sent after all: they end as they had ended before the retry."""

from __future__ import annotations

from datetime import timedelta

import django
import pytest
from django.utils import timezone

from django_hyber.models import BackgroundJob, Suppression
from django_hyber.reconcile.endings import end_batch_as_not_accepted
from django_hyber.reports.recount import recount
from django_hyber.sending import cancelling
from django_hyber.sending.batch import claim_batch, submit_batch
from django_hyber.sending.corrections.earlier_ends import count_sent_again
from django_hyber.services import (
    apply_delivery_reports,
    campaign_statistics,
    cancel_campaign,
    dispatch,
    export_number,
    purge_personal_data,
    retry_failed,
    send_again,
    start_campaign,
)
from django_hyber.tasks import run_job
from tests.builders import make_campaign, make_due, posts, statuses
from tests.samples import phone, report

pytestmark = pytest.mark.django_db(transaction=True)
FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
EARLIER, LATER = 1_700_000_000_000, 1_700_000_060_000
EXPIRED = {"status": 3, "substatus": 35, "hyber_status": 35015, "error_code": 7, "error_text": "Not found"}
EXPIRED |= {"total_sms_parts": 2, "time": EARLIER}
#: What may differ from before the retry.
WORK = {"_state", "earlier_end", "attempts", "enqueued_at", "due_at"}


@pytest.fixture
def platform(platform, settings):
    """The platform, while nobody works on tasks."""
    settings.TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}
    settings.HYBER = {"default": settings.HYBER["default"] | {"PRICES": {"sms": "1.50", "viber": "0.50"}}}
    return platform


def send_waiting(campaign):
    for batch in campaign.batches.filter(state="pending"):
        submit_batch(batch.pk)
    campaign.refresh_from_db()


def opt_out(number):
    Suppression.objects.create(phone_number=number)


def expire(campaign, **changes):
    for message in campaign.messages.filter(status="accepted"):
        apply_delivery_reports([report(message, **EXPIRED | changes)])


@pytest.fixture
def expired(platform):
    """A finished campaign of four people, for each of whom both channels have expired."""
    campaign = start_campaign(make_campaign([phone(number) for number in range(4)]))
    send_waiting(campaign)
    expire(campaign, sent_via="viber")
    expire(campaign)
    assert (campaign.status, statuses(campaign)) == ("finished", ["expired"] * 4)
    return campaign


def rows(campaign):
    return [
        {name: value for name, value in vars(message).items() if name not in WORK}
        for message in campaign.messages.order_by("pk")
    ]


def test_cancelled_retry_leaves_everything_as_it_was(expired):
    before, figures = rows(expired), campaign_statistics(expired)
    cancel_campaign(retry_failed(expired))

    assert rows(expired) == before
    assert campaign_statistics(expired) == figures
    assert (figures.sent, figures.sent_cost is None) == (4, False)


def test_person_who_has_opted_out_before_the_retry_keeps_the_former_end(expired, platform):
    before, figures = rows(expired), campaign_statistics(expired)
    retry_failed(expired)
    for number in range(4):
        opt_out(phone(number))
    send_waiting(expired)

    assert rows(expired) == before
    assert campaign_statistics(expired) == figures
    assert len(posts(platform)) == 1


def test_retry_that_reaches_nobody_does_not_say_that_nothing_was_sent(expired):
    retry_failed(expired)
    for number in range(4):
        opt_out(phone(number))
    send_waiting(expired)

    assert (expired.status, expired.status_reason) == ("finished", "")


def test_number_that_is_no_longer_allowed_keeps_the_former_end(expired, settings):
    before = rows(expired)
    retry_failed(expired)
    settings.HYBER = {"default": settings.HYBER["default"] | {"ALLOWED_NUMBERS": [phone(3)]}}
    send_waiting(expired)

    assert rows(expired)[:3] == before[:3]
    assert statuses(expired) == ["expired"] * 3 + ["accepted"]


def test_person_over_the_frequency_cap_keeps_the_former_end(expired, settings):
    start_campaign(other := make_campaign([phone(0)]))
    send_waiting(other)
    before = rows(expired)
    retry_failed(expired)
    cap = {"FREQUENCY_CAP": {"messages": 1, "days": 7}}
    settings.HYBER = {"default": settings.HYBER["default"] | cap}
    send_waiting(expired)

    assert rows(expired)[0] == before[0]
    assert statuses(expired) == ["expired"] + ["accepted"] * 3


def test_person_without_a_value_keeps_the_former_end(expired):
    before = rows(expired)
    retry_failed(expired)
    expired.missing_variables = "skip"
    expired.save()
    expired.messages.filter(phone_number=phone(1)).update(variables={})
    send_waiting(expired)

    assert rows(expired)[1] == before[1] | {"variables": {}}
    assert statuses(expired) == ["accepted", "expired", "accepted", "accepted"]


def test_only_messages_that_went_out_count_as_sent_again(expired):
    retry_failed(expired)
    opt_out(phone(0))
    send_waiting(expired)

    assert count_sent_again(expired) == 3
    expire(expired, time=LATER)
    expired.messages.filter(phone_number=phone(3)).update(status="delivered")
    retry_failed(expired)
    send_waiting(expired)
    assert count_sent_again(expired) == 2


def test_third_attempt_keeps_the_end_of_the_second(expired):
    retry_failed(expired)
    send_waiting(expired)
    expire(expired, time=LATER, error_code=8)
    second = rows(expired)
    cancel_campaign(retry_failed(expired))

    assert rows(expired) == second
    assert {message.error_code for message in expired.messages.all()} == {8}


def test_late_report_about_the_former_attempt_counts_once_the_retry_is_cancelled(expired, told_changes):
    first = expired.messages.order_by("pk").first()
    retry_failed(expired)
    apply_delivery_reports([report(first, time=LATER)])
    assert statuses(expired) == ["queued"] * 4
    cancel_campaign(expired)

    assert statuses(expired) == ["delivered"] + ["expired"] * 3
    assert recount().differences == 0
    assert (first.pk, "expired", "delivered") in told_changes


def test_late_report_about_the_former_attempt_counts_for_a_person_who_is_skipped(expired):
    first = expired.messages.order_by("pk").first()
    retry_failed(expired)
    apply_delivery_reports([report(first, time=LATER)])
    opt_out(phone(0))
    send_waiting(expired)

    assert statuses(expired) == ["delivered"] + ["accepted"] * 3


@pytest.mark.parametrize("code", [{}, {"status": 1, "substatus": None, "hyber_status": 77}], ids=["delivered", "seen"])
def test_person_who_has_got_the_former_attempt_after_all_is_not_sent_to_again(expired, platform, settings, code):
    settings.HYBER = {"default": settings.HYBER["default"] | {"SEEN_CODES": [77]}}
    first = expired.messages.order_by("pk").first()
    retry_failed(expired)
    apply_delivery_reports([report(first, time=LATER, **code)])
    send_waiting(expired)

    assert statuses(expired) == ["seen" if code else "delivered"] + ["accepted"] * 3
    assert [len(request["recipients"]) for request in posts(platform)] == [4, 3]
    assert count_sent_again(expired) == 3


def test_second_retry_is_not_sent_to_a_person_who_has_got_the_first_attempt(expired, platform):
    first = expired.messages.order_by("pk").first()
    retry_failed(expired)
    send_waiting(expired)
    apply_delivery_reports([report(first, time=LATER)])
    expire(expired, time=LATER, error_code=8)
    retry_failed(expired)
    send_waiting(expired)

    assert statuses(expired)[1:] == ["accepted"] * 3
    assert [len(request["recipients"]) for request in posts(platform)] == [4, 4, 3]


def test_receivers_hear_of_the_end_that_was_given_back(expired, told_changes):
    retry_failed(expired)
    told_changes.clear()
    cancel_campaign(expired)
    dispatch()

    assert sorted(told_changes) == [
        (pk, "queued", "expired") for pk in expired.messages.order_by("pk").values_list("pk", flat=True)
    ]


def doubt_and_return(campaign):
    """Have the request of a retry end in a doubt, until it is known that the platform has nothing of it."""
    claim = claim_batch(campaign.batches.get(run=2).pk)
    claim.mark_unconfirmed("No answer", timezone.now(), logged="no answer")
    batch = campaign.batches.get(run=2)
    assert end_batch_as_not_accepted(campaign.batches.filter(pk=batch.pk), batch) == 4
    return batch


def test_skipped_person_is_no_proof_that_a_doubted_request_was_accepted(expired):
    retry_failed(expired)
    batch = doubt_and_return(expired)
    opt_out(phone(0))
    submit_batch(batch.pk)

    assert statuses(expired) == ["expired"] + ["accepted"] * 3


def test_report_about_a_doubted_retry_still_finds_its_message(expired):
    retry_failed(expired)
    doubt_and_return(expired)
    again = expired.messages.order_by("pk").first()
    cancel_campaign(expired)
    assert statuses(expired) == ["expired"] * 4
    assert recount(expired).differences == 0
    apply_delivery_reports([report(again, time=LATER)])

    assert statuses(expired) == ["delivered"] + ["expired"] * 3
    assert recount(expired).differences == 0


def test_report_about_a_doubted_retry_leaves_the_others_their_former_ends(expired, platform):
    retry_failed(expired)
    batch = doubt_and_return(expired)
    again = expired.messages.order_by("pk").first()
    cancel_campaign(expired)
    apply_delivery_reports([report(again, time=LATER)])
    dispatch()
    batch.refresh_from_db()

    assert (batch.state, statuses(expired)) == ("done", ["delivered"] + ["expired"] * 3)
    assert len(posts(platform)) == 1


@pytest.fixture
def retried_elsewhere(expired):
    """The campaign is retried by a host whose clock is half an hour ahead."""
    retry_failed(expired)
    expired.batches.filter(run=2).update(created_at=timezone.now() + timedelta(minutes=30))
    return expired


def test_report_before_the_answer_was_lost_is_proof_whatever_clocks_say(retried_elsewhere, platform):
    campaign = retried_elsewhere
    claim = claim_batch(campaign.batches.get(run=2).pk)
    apply_delivery_reports([report(campaign.messages.order_by("pk").first(), time=LATER)])
    claim.mark_unconfirmed("No answer", timezone.now(), logged="no answer")
    batch = campaign.batches.get(run=2)
    send_again(batch, by="anna")
    submit_batch(batch.pk)

    assert len(posts(platform)) == 1
    assert statuses(campaign) == ["delivered"] + ["unconfirmed"] * 3


def test_late_report_about_the_former_attempt_counts_whatever_clocks_say(expired):
    first = expired.messages.order_by("pk").first()
    retry_failed(expired)
    expired.batches.filter(run=2).update(created_at=timezone.now() + timedelta(minutes=30))
    apply_delivery_reports([report(first, time=LATER)])
    cancel_campaign(expired)

    assert statuses(expired) == ["delivered"] + ["expired"] * 3


def test_what_was_sent_again_is_counted_whatever_clocks_say(retried_elsewhere):
    send_waiting(retried_elsewhere)

    assert count_sent_again(retried_elsewhere) == 4


def test_delivery_in_an_earlier_run_is_no_proof_about_a_later_one(expired, platform):
    retry_failed(expired)
    send_waiting(expired)
    apply_delivery_reports([report(expired.messages.order_by("pk").first(), time=LATER)])
    expire(expired, time=LATER)
    retry_failed(expired)
    claim_batch(expired.batches.get(run=3).pk).mark_unconfirmed("No answer", timezone.now(), logged="no answer")
    batch = expired.batches.get(run=3)
    send_again(batch, by="anna")
    submit_batch(batch.pk)

    assert len(posts(platform)) == 3
    assert statuses(expired) == ["delivered"] + ["accepted"] * 3


def test_report_about_a_person_who_was_left_out_since_holds_back_the_others(expired, platform):
    retry_failed(expired)
    batch = doubt_and_return(expired)
    again = expired.messages.order_by("pk").first()
    opt_out(phone(0))
    platform.fault("status", status=429, paths=("bulk",))
    submit_batch(batch.pk)
    assert statuses(expired) == ["expired"] + ["queued"] * 3
    apply_delivery_reports([report(again, time=LATER)])
    make_due(expired)
    submit_batch(batch.pk)

    assert statuses(expired) == ["delivered"] + ["unconfirmed"] * 3
    assert platform.ledger.taken == 4


def test_purge_removes_the_texts_of_the_former_end(expired):
    retry_failed(expired)
    send_waiting(expired)
    expire(expired, time=LATER)
    assert expired.messages.filter(earlier_end__isnull=False).count() == 4
    assert "Not found" in str(export_number(phone(1)))
    purge_personal_data(timedelta())

    assert not expired.messages.filter(earlier_end__isnull=False).exists()


def test_large_retry_is_cancelled_in_the_background(expired, monkeypatch):
    before = rows(expired)
    monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 2)
    monkeypatch.setattr(cancelling, "CHUNK", 3)
    retry_failed(expired)
    cancel_campaign(expired)
    assert statuses(expired) == ["queued"] * 4
    run_job.call(BackgroundJob.objects.get(kind="cancel").pk)

    assert rows(expired) == before

"""A batch is sent again after a doubt and fails, and then a report proves that its first request had been accepted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from django_hyber.conf import get_account
from django_hyber.db.clock import database_time
from django_hyber.models import Batch
from django_hyber.reconcile import endings
from django_hyber.sending.batch import claim_batch
from django_hyber.sending.corrections import late_proofs
from django_hyber.services import (
    CampaignError,
    apply_delivery_reports,
    cancel_campaign,
    dispatch,
    doubts,
    pause_campaign,
    resume_campaign,
    retry_failed,
    send_again,
    start_campaign,
)
from tests.builders import (
    dispatch_until_finished,
    make_campaign,
    make_due,
    make_known,
    send_again_one_by_one,
    statuses,
    sweep_until_all_have,
)
from tests.samples import phone, report

pytestmark = pytest.mark.django_db(transaction=True)
#: Those that the platform has before the campaign in doubt.
KNOWN = 2
HAVE_IT = ("delivered", "accepted")
REFUSED = {"kind": "error", "status": 400, "error_code": 7, "paths": ("bulk",), "count": None}
BUSY = {"kind": "status", "status": 429, "paths": ("bulk",), "count": None}


@pytest.fixture(params=[100, 0], ids=["synchronous", "job"])
def platform(platform, settings, request):
    changes = {"RETRY_DELAY": 0.05, "SYNC_LIMIT": request.param, "MAX_ATTEMPTS": 2, "BREAKER_THRESHOLD": 1_000}
    settings.HYBER = {"default": settings.HYBER["default"] | changes}
    make_known()
    make_known_in_a_campaign()
    return platform


@pytest.fixture(params=[REFUSED, BUSY], ids=["refused", "given up"])
def ended(request):
    return request.param


def make_known_in_a_campaign():
    """Otherwise a message with a report that the platform knows nothing of would be the only one to compare with."""
    campaign = start_campaign(make_campaign([phone(9)]))
    an_hour_ago = timezone.now() - timedelta(hours=1)
    apply_delivery_reports([report(campaign.messages.get())])
    campaign.messages.update(accepted_at=an_hour_ago)
    campaign.batches.update(finished_at=an_hour_ago)


def make_doubted(platform, fault="drop_answer"):
    """A campaign of five, whose only request is in doubt; the platform has it unless the fault says otherwise."""
    platform.fault(fault, paths=("bulk",))
    return start_campaign(make_campaign([phone(number, "93") for number in range(5)]))


def send_again_and_fail(platform, campaign, ended):
    """The platform is believed not to have it, and the next request fails."""
    if not campaign.messages.filter(status="queued").exists():
        send_again_in_vain(campaign)
    platform.fault(**ended)
    campaign.refresh_from_db()
    resume_campaign(campaign)
    dispatch_until_finished(campaign)
    platform.clear_faults()
    assert len(set(statuses(campaign))) == 1
    assert set(campaign.messages.values_list("status", flat=True)) <= {"rejected", "undelivered"}


def send_again_in_vain(campaign):
    pause_campaign(campaign)
    send_again(campaign.batches.get(), by="anna")


def ends(messages):
    return list(messages.order_by("pk").values_list("pk", "status", "error_code", "error_text", "campaign__status"))


def report_one(campaign):
    reported = campaign.messages.order_by("pk").last()
    apply_delivery_reports([report(reported)])
    return campaign.messages.exclude(pk=reported.pk)


def was_sent_once(platform):
    return (platform.ledger.taken, platform.ledger.duplicates) == (5 + KNOWN, {})


def assert_others_are_queried_and_end_as_before(platform, campaign):
    """After a report about one of them; the platform has none of the others."""
    others = report_one(campaign)
    before = ends(others)
    late_proofs.doubt_proved()
    assert set(others.values_list("status", flat=True)) == {"unconfirmed"}
    sweep_until_all_have(campaign, ("delivered", "rejected", "undelivered"))

    assert ends(others) == before
    assert platform.ledger.taken == KNOWN


def test_others_are_queried_and_a_retry_sends_to_none_of_them(platform, ended, told_changes):
    campaign = make_doubted(platform)
    send_again_and_fail(platform, campaign, ended)
    others = report_one(campaign)
    failed = others.values_list("status", flat=True)[0]
    told_changes.clear()
    sweep_until_all_have(campaign, HAVE_IT)

    assert campaign.status == "finished"
    with pytest.raises(CampaignError, match="No message"):
        retry_failed(campaign)
    assert was_sent_once(platform)
    assert not others.exclude(error_text="", error_code=None).exists()
    for pk in others.values_list("pk", flat=True):
        changes = [(old, new) for told_pk, old, new in told_changes if told_pk == pk]
        assert changes == [(failed, "unconfirmed"), ("unconfirmed", "accepted")]


def test_retry_before_the_next_sweep_sends_to_none_of_them(platform, ended):
    campaign = make_doubted(platform)
    send_again_and_fail(platform, campaign, ended)
    report_one(campaign)
    with pytest.raises(CampaignError, match="No message"):
        retry_failed(campaign)
    sweep_until_all_have(campaign, HAVE_IT)

    assert was_sent_once(platform)


def test_those_that_were_not_accepted_end_as_before_and_can_be_retried(platform, ended):
    campaign = make_doubted(platform, "drop_request")
    send_again_and_fail(platform, campaign, ended)
    assert_others_are_queried_and_end_as_before(platform, campaign)
    retry_failed(campaign)
    dispatch_until_finished(campaign)
    assert (platform.ledger.taken, platform.ledger.duplicates) == (4 + KNOWN, {})


@pytest.mark.parametrize("fault", ["drop_answer", "drop_request"])
def test_those_of_a_campaign_that_goes_on_are_not_sent_again_by_themselves(platform, ended, fault):
    campaign = make_doubted(platform, fault)
    send_again_and_fail(platform, campaign, ended)
    others = report_one(campaign)
    retried = others.order_by("pk")[0]
    silent = others.exclude(pk=retried.pk)
    before = ends(silent)
    campaign.messages.filter(pk=retried.pk).update(doubted_at=None)
    retry_failed(campaign)
    dispatch_until_finished(campaign)
    sweep_until_all_have(campaign, (*HAVE_IT, "rejected", "undelivered"))

    # One of them had another doubt, which the report says nothing about.
    assert platform.ledger.taken == KNOWN + 1 + (5 if fault == "drop_answer" else 0)
    if fault == "drop_request":
        assert ends(silent) == before


def test_those_of_a_cancelled_campaign_end_as_before(platform, ended):
    campaign = make_doubted(platform, "drop_request")
    batch = campaign.batches.get()
    send_again_in_vain(campaign)
    waiting = campaign.batches.create(run=1, first_id=0, last_id=0, size=1, due_at="2999-01-01T00:00:00Z")
    platform.fault(**ended)
    campaign.refresh_from_db()
    resume_campaign(campaign)
    for _ in range(3):
        campaign.batches.filter(pk=batch.pk).update(due_at=None)
        dispatch()
    platform.clear_faults()
    campaign.refresh_from_db()
    cancel_campaign(campaign)
    waiting.delete()
    assert_others_are_queried_and_end_as_before(platform, campaign)


def test_those_that_were_sent_again_one_by_one_are_queried_after_a_report(platform, ended):
    campaign = make_doubted(platform)
    send_again_one_by_one(campaign)
    send_again_and_fail(platform, campaign, ended)
    report_one(campaign)
    sweep_until_all_have(campaign, HAVE_IT)

    assert was_sent_once(platform)
    assert set(campaign.batches.values_list("state", flat=True)) == {"done"}


def test_one_by_one_those_that_were_not_accepted_end_as_before(platform, ended):
    campaign = make_doubted(platform, "drop_request")
    send_again_one_by_one(campaign)
    send_again_and_fail(platform, campaign, ended)
    assert_others_are_queried_and_end_as_before(platform, campaign)


def test_report_about_one_half_has_the_other_one_queried_too(platform, ended):
    campaign = make_doubted(platform)
    send_again_in_vain(campaign)
    platform.fault("page", status=413, paths=("bulk",))
    send_again_and_fail(platform, campaign, ended)
    assert campaign.batches.count() == 2
    report_one(campaign)
    sweep_until_all_have(campaign, HAVE_IT)

    assert was_sent_once(platform)


def test_report_about_one_half_proves_nothing_about_the_other_one_if_the_whole_was_only_too_large(platform):
    platform.fault("page", status=413, paths=("bulk",))
    platform.fault(**REFUSED | {"count": 1})
    platform.fault("drop_answer", paths=("bulk",))
    campaign = start_campaign(make_campaign([phone(number) for number in range(5)]))
    assert statuses(campaign) == ["rejected"] * 2 + ["unconfirmed"] * 3
    report_one(campaign)
    late_proofs.doubt_proved()

    assert statuses(campaign)[:2] == ["rejected"] * 2
    sweep_until_all_have(campaign, ("rejected", *HAVE_IT))
    retry_failed(campaign)
    sweep_until_all_have(campaign, HAVE_IT)
    assert was_sent_once(platform)


def test_those_that_were_retried_meanwhile_are_left_alone(platform, ended):
    campaign = make_doubted(platform)
    send_again_and_fail(platform, campaign, ended)
    first = campaign.messages.order_by("pk")[0]
    campaign.messages.filter(pk=first.pk).update(error_code=99)
    retry_failed(campaign, error_codes=[99])
    dispatch_until_finished(campaign)
    report_one(campaign)
    sweep_until_all_have(campaign, HAVE_IT)

    # A person has requested that one.
    assert (platform.ledger.taken, platform.ledger.duplicates) == (6 + KNOWN, {})


def test_without_a_report_they_can_be_retried(platform, ended):
    campaign = make_doubted(platform, "drop_request")
    send_again_and_fail(platform, campaign, ended)
    retry_failed(campaign)
    dispatch_until_finished(campaign)

    assert was_sent_once(platform)


@pytest.mark.parametrize("are_separate", [False, True], ids=["batch", "messages"])
def test_person_who_decides_that_it_was_not_sent_can_retry_it(platform, ended, are_separate):
    campaign = make_doubted(platform)
    send_again_and_fail(platform, campaign, ended)
    before = ends(campaign.messages.all())
    report_one(campaign)
    platform.fault("status", status=503, paths=("reports",), count=None)
    dispatch_until_unconfirmed(campaign, are_separate=are_separate)
    found = list(doubts(campaign_pk=campaign.pk, only_overdue=False))
    assert [(type(doubt.row) is Batch, doubt.fails_again) for doubt in found] == (
        [(False, True)] * 4 if are_separate else [(True, True)]
    )
    assert sum(send_again(doubt.row, by="anna") for doubt in found) == 4

    assert ends(campaign.messages.all())[:4] == before[:4]
    assert not list(doubts(campaign_pk=campaign.pk, only_overdue=False))


def dispatch_until_unconfirmed(campaign, *, are_separate):
    if are_separate:
        dispatch()
        dispatch()
    else:
        late_proofs.doubt_proved()


def test_request_that_was_refused_twice_without_an_answer_is_queried_too(platform):
    campaign = make_doubted(platform)
    for state in ("pending", "failed"):
        batch = campaign.batches.get()
        if batch.state == "pending":
            claim_batch(batch.pk).mark_unconfirmed("Sender is unknown", database_time(), logged="", error_code=9)
        else:
            Batch.objects.filter(pk=batch.pk).update(error_code=9, error_text="Sender is unknown")
        batch.refresh_from_db()
        assert endings.end_batch_as_not_accepted(Batch.objects.filter(pk=batch.pk), batch)
        assert campaign.batches.get().state == state
    assert set(statuses(campaign)) == {"rejected"}
    make_due(campaign)
    dispatch()
    report_one(campaign)
    sweep_until_all_have(campaign, HAVE_IT)

    assert was_sent_once(platform)
    assert campaign.batches.get().sender == get_account("default").sender


def test_those_of_a_first_request_that_were_not_accepted_after_all_end_as_before(platform, ended):
    """It was never in doubt before, so that only its end says which client has sent it."""
    platform.fault(**ended)
    campaign = make_campaign([phone(number) for number in range(3)])
    start_campaign(campaign)
    dispatch_until_finished(campaign)
    [failure] = set(statuses(campaign))
    apply_delivery_reports([report(campaign.messages.order_by("pk")[0])])
    dispatch()
    assert statuses(campaign) == ["delivered", "unconfirmed", "unconfirmed"]
    sweep_until_all_have(campaign, ["delivered", failure], seconds=20)

    assert statuses(campaign) == ["delivered", failure, failure]

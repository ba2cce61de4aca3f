"""Whose report is it? By the platform's id, by ours, by phone and job, and what a message's earlier run left behind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_hyber.campaigns.copy import CopyAudience, copy_once
from django_hyber.models import Batch, Campaign, DeliveryReport, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.reports.early import rematch_reports
from django_hyber.sending.batch import claim_batch
from django_hyber.services import (
    apply_delivery_reports,
    dispatch,
    import_recipients,
    recount,
    retry_failed,
    start_campaign,
)
from tests.builders import make_waiting_campaign
from tests.samples import phone, report

pytestmark = pytest.mark.django_db(transaction=True)

CHANNELS = [Viber(text="Hi", ttl=60), SMS(text="Hi", alpha_name="GMSU", ttl=300)]
EXPIRED = {"status": 3, "substatus": 35, "hyber_status": 35015}
BY_VIBER = {"sent_via": "viber", "hyber_status": 23033}


def make_message(number=1, **values):
    defaults = {"phone_number": phone(1), "extra_id": f"own-{number}", "status": "accepted"}
    return Message.objects.create(**defaults | {"accepted_at": timezone.now()} | values)


def nameless(**values):
    """A report that has the phone, and neither id unless it is given. Its status was reached just now."""
    return report(None, **{"number": phone(1), "message_id": None, "time": milliseconds()} | values)


def milliseconds(**ago):
    return int((timezone.now() - timedelta(**ago)).timestamp() * 1_000)


def apply(*reports):
    return apply_delivery_reports(list(reports))


def status(message):
    message.refresh_from_db()
    return message.status


def waiting():
    return DeliveryReport.objects.filter(message=None).count()


@pytest.mark.parametrize("state", ["sending", "unconfirmed", "accepted"])
@pytest.mark.parametrize("ids", [{}, {"message_id": "new"}, {"message_id": "new", "extra_id": ""}])
def test_report_without_our_id_is_about_the_one_message_that_waits(state, ids):
    message = make_message(status=state)
    result = apply(nameless(**ids))

    assert (result.unknown, result.changed) == (0, 1)
    assert status(message) == "delivered"
    assert message.message_id == ids.get("message_id")
    assert message.delivery_reports.count() == 1


def test_message_that_was_found_by_phone_is_found_by_the_id_of_the_platform_from_then_on():
    message = make_message()
    apply(nameless(message_id="new", sent_via="viber", **EXPIRED))
    make_message(2)
    apply(nameless(message_id="new", time=1_700_000_060_000))

    assert (status(message), message.channel) == ("delivered", "sms")


def test_report_that_may_be_about_two_messages_waits():
    messages = [make_message(1), make_message(2)]
    assert apply(nameless(), nameless(message_id="new")).unknown == 2

    assert [status(message) for message in messages] == ["accepted", "accepted"]


def test_report_that_waited_in_doubt_is_matched_when_the_doubt_is_gone():
    first, second = make_message(1), make_message(2)
    apply(nameless(message_id="new"))
    assert dispatch().matched_reports == 0
    apply(report(first, message_id="of-the-first"))
    assert dispatch().matched_reports == 1

    assert (status(second), second.message_id) == ("delivered", "new")


@pytest.mark.parametrize("state", ["queued", "cancelled", "suppressed", "rejected", "delivered", "expired"])
def test_message_that_does_not_wait_is_not_meant_by_a_phone_alone(state):
    message = make_message(status=state)
    apply(nameless())

    assert status(message) == state
    assert waiting() == 1


def test_report_that_may_be_about_either_of_two_messages_changes_neither():
    given_up = make_message(1, given_up_at=timezone.now())
    message = make_message(2)
    apply(nameless(message_id="new"))

    assert (status(given_up), status(message)) == ("accepted", "accepted")
    assert waiting() == 1


def test_later_report_about_one_campaign_does_not_deliver_the_message_of_another():
    first, second = (Campaign.objects.create(name=name) for name in ("First", "Second"))
    delivered = make_message(1, campaign=first, status="delivered", hyber_status=23011)
    awaiting = make_message(2, campaign=second)
    apply(nameless(message_id="of the first"))

    assert (status(delivered), status(awaiting)) == ("delivered", "accepted")


def test_two_accounts_of_one_client_make_it_unclear_which_message_is_meant(settings):
    settings.HYBER = {"default": {"CLIENT_ID": "7"}, "promo": {"CLIENT_ID": "7"}}
    own, other = make_message(1), make_message(2, account="promo")
    apply(nameless(message_id="new"))

    assert (status(own), status(other)) == ("accepted", "accepted")


def test_account_that_was_renamed_makes_it_unclear_which_message_is_meant(settings):
    settings.HYBER = {"default": {"CLIENT_ID": "7"}, "promo": {"CLIENT_ID": "8"}}
    own, former = make_message(1), make_message(2, account="former")
    apply(nameless(message_id="new"))

    assert (status(own), status(former)) == ("accepted", "accepted")


def test_message_of_another_client_leaves_no_doubt(settings):
    settings.HYBER = {"default": {"CLIENT_ID": "7"}, "promo": {"CLIENT_ID": "8"}}
    own, other = make_message(1), make_message(2, account="promo")
    apply(nameless(message_id="new"))

    assert (status(own), status(other)) == ("delivered", "accepted")


def test_message_that_was_given_up_leaves_no_doubt_for_the_sweep():
    given_up = make_message(1, message_id="old", given_up_at=timezone.now())
    apply(nameless())
    awaiting = make_message(2)
    DeliveryReport.objects.update(received_at=timezone.now())
    rematch_reports()

    assert (status(given_up), status(awaiting)) == ("accepted", "delivered")


def test_message_of_another_account_is_not_meant(settings):
    settings.HYBER = {"default": {}, "promo": {}}
    other = make_message(account="promo")
    apply(nameless())

    assert status(other) == "accepted"


def test_message_that_the_platform_knows_by_another_id_is_not_meant():
    message = make_message(message_id="known")
    apply(nameless(message_id="new"))

    assert status(message) == "accepted"
    assert waiting() == 1


def test_report_with_somebody_elses_id_is_never_matched_by_phone():
    message = make_message()
    apply(nameless(extra_id="not-ours"), nameless(extra_id="not-ours", message_id="new"))

    assert status(message) == "accepted"
    assert waiting() == 2


def test_reports_of_two_messages_to_one_number_are_not_given_to_one():
    message = make_message()
    apply(nameless(message_id="one"), nameless(message_id="two", **EXPIRED))

    assert status(message) == "accepted"
    assert waiting() == 2


def test_report_without_our_id_may_come_after_one_without_theirs():
    message = make_message()
    apply(report(message, message_id=None, **EXPIRED))
    apply(nameless(message_id="new"))

    assert status(message) == "delivered"


@pytest.fixture
def interrupted():
    """A message of which the platform had a report that was stored, and not applied."""
    message = make_message(status="cancelled")
    apply(nameless())
    Message.objects.update(status="accepted")
    return message


def test_waiting_report_without_our_id_is_matched_by_the_sweep(interrupted):
    dispatch()

    assert status(interrupted) == "delivered"


def test_old_waiting_report_is_matched_by_a_recount_and_costs_the_sweeps_nothing(interrupted):
    before = timezone.now() - timedelta(days=2)
    Message.objects.update(created_at=before, accepted_at=before)
    DeliveryReport.objects.update(received_at=before)
    dispatch()
    assert status(interrupted) == "accepted"
    recount(reclassify=True)

    assert status(interrupted) == "delivered"


def test_ids_that_differ_in_case_are_different_ids():
    message = make_message(extra_id="own-a", message_id="platform-a")
    with CaptureQueriesContext(connection) as without:
        rematch_reports()
    apply(report(None, extra_id="OWN-A", number=None), report(None, message_id="PLATFORM-A", number=None))
    with CaptureQueriesContext(connection) as swept:
        assert rematch_reports().matched == 0

    assert status(message) == "accepted"
    assert waiting() == 2
    assert len(swept) == len(without)


# Time


@pytest.mark.parametrize("ids", [{}, {"message_id": "of-another-system"}])
@pytest.mark.parametrize("state", ["sending", "unconfirmed", "accepted"])
def test_report_that_came_before_a_message_is_not_about_it(state, ids):
    apply(nameless(**ids))
    handed_over = {"doubted_at": timezone.now()} if state == "unconfirmed" else {}
    message = make_message(status=state, **{"accepted_at": None} | handed_over)
    apply(nameless(**ids, time=DeliveryReport.objects.get().raw["time"]))

    assert rematch_reports().matched == 0
    assert (status(message), waiting()) == (state, 1)


@pytest.mark.parametrize("column", ["accepted_at", "doubted_at"])
def test_report_that_came_before_a_recipient_was_sent_to_is_not_about_it(column):
    """A campaign may be sent long after its recipients were imported."""
    imported = {"created_at": timezone.now() - timedelta(days=1), "accepted_at": None}
    message = make_message(status="queued", **imported)
    apply(nameless())
    sent_to = {"accepted_at": "accepted", "doubted_at": "unconfirmed"}[column]
    Message.objects.update(status=sent_to, **{column: timezone.now()})

    assert rematch_reports().matched == 0
    assert status(message) == sent_to


@pytest.mark.parametrize(("ago", "state"), [({"hours": 1}, "accepted"), ({"minutes": 5}, "delivered")])
def test_status_that_was_reached_long_before_a_message_is_not_about_it(ago, state):
    """The clock of the platform may differ from ours by some minutes."""
    message = make_message()
    apply(nameless(time=milliseconds(**ago)))

    assert (status(message), rematch_reports().matched) == (state, 0)


def test_reports_that_came_too_early_do_not_hold_up_the_others(monkeypatch):
    apply(*(nameless(number=phone(number)) for number in (2, 3)))
    early = [make_message(number, phone_number=phone(number)) for number in (2, 3)]
    message = make_message(status="cancelled")
    apply(nameless())
    Message.objects.update(status="accepted")
    monkeypatch.setattr("django_hyber.reports.early.CHUNK", 1)
    rematch_reports()

    assert [status(item) for item in (message, *early)] == ["delivered", "accepted", "accepted"]


def test_repetition_of_a_report_is_not_about_the_next_message_to_the_number():
    first = make_message(1)
    item = nameless()
    apply(item)
    second = make_message(2)
    again = apply(item)

    assert (status(first), status(second)) == ("delivered", "accepted")
    assert (again.repeated, again.unknown, again.changed) == (1, 0, 0)


# Jobs


def sent(settings, *, jobs):
    """One campaign to the same number for each job."""
    settings.HYBER = {"default": settings.HYBER["default"] | {"SYNC_LIMIT": 0}}
    messages = []
    for job in jobs:
        campaign = Campaign.objects.create(name=job)
        campaign.set_channels(CHANNELS)
        import_recipients(campaign, [{"phone": phone(1, "93")}, {"phone": phone(2, "93")}])
        start_campaign(campaign)
        campaign.batches.update(job_id=job)
        messages.append(campaign.messages.order_by("pk").first())
    return messages


def about_job(job, **values):
    return report(None, **{"number": phone(1, "93"), "message_id": None, "job_id": job} | values)


def test_job_tells_which_of_two_campaigns_is_meant(platform, settings):
    first, second = sent(settings, jobs=["job-1", "job-2"])
    apply(about_job("job-2"))

    assert (status(first), status(second)) == ("accepted", "delivered")


def test_job_that_is_not_ours_means_nobody(platform, settings):
    [message] = sent(settings, jobs=["job-1"])
    apply(about_job("job-2"))

    assert status(message) == "accepted"
    assert waiting() == 1


def test_job_of_an_earlier_run_does_not_mean_the_message_that_was_sent_again(platform, settings):
    [message] = sent(settings, jobs=["job-1"])
    apply(report(message, **EXPIRED))
    retry_failed(message.campaign)
    Batch.objects.filter(run=2).update(job_id="job-2")
    apply(about_job("job-1"))
    assert status(message) == "accepted"
    apply(about_job("job-2"))

    assert status(message) == "delivered"


def test_job_of_other_numbers_of_the_same_range_means_nobody(platform, settings):
    """Batches of a campaign with a sending window share a range, and part it by the beginnings of the numbers."""
    [message] = sent(settings, jobs=["job-1"])
    own = message.campaign.batches.get()
    own.phone_prefixes = ["380"]
    own.save()
    Batch.objects.create(
        campaign=message.campaign,
        run=2,
        first_id=own.first_id,
        last_id=own.last_id,
        size=1,
        state="done",
        finished_at=timezone.now(),
        job_id="job-2",
        phone_prefixes=["48"],
    )
    apply(about_job("job-2"))
    assert status(message) == "accepted"
    apply(about_job("job-1"))

    assert status(message) == "delivered"


def test_jobs_take_one_statement_more(platform, settings):
    sent(settings, jobs=["job-1", "job-2"])
    with CaptureQueriesContext(connection) as without:
        apply(about_job(None), about_job(None, time=1_700_000_000_001))
    with CaptureQueriesContext(connection) as with_jobs:
        apply(about_job("job-3"), about_job("job-4", time=1_700_000_000_001))

    assert len(with_jobs) <= len(without) + 1


# Earlier runs


@pytest.fixture
def resent(platform):
    """A message that expired, was sent again and is with the platform once more, and the id that it had."""
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels(CHANNELS)
    import_recipients(campaign, [{"phone": phone(1, "93")}])
    start_campaign(campaign)
    message = campaign.messages.get()
    former = {"extra_id": message.extra_id, "message_id": message.message_id, "number": message.phone_number}
    apply(report(None, **former, **EXPIRED))
    retry_failed(campaign)
    message.refresh_from_db()
    assert message.extra_id != former["extra_id"]
    return message, former


@pytest.mark.parametrize("named", ["extra_id", "message_id"])
def test_late_report_about_an_earlier_run_is_history_and_changes_nothing(resent, named):
    message, former = resent
    apply(report(None, number=former["number"], time=1_700_000_060_000, **{"message_id": None, named: former[named]}))

    assert (status(message), message.channel) == ("accepted", "")
    assert message.delivery_reports.count() == 2
    assert waiting() == 0


def test_earlier_run_does_not_say_which_channel_won(resent):
    message, former = resent
    apply(report(None, **former, **BY_VIBER, time=1_700_000_000_001))
    apply(report(message, message_id=message.message_id, time=1_700_000_120_000))
    apply(report(message, message_id=message.message_id, time=1_700_000_180_000, **BY_VIBER))

    assert (status(message), message.channel) == ("delivered", "sms")


def test_late_report_about_an_earlier_run_counts_as_matched(resent):
    _message, former = resent

    assert apply(report(None, **former, time=1_700_000_060_000)).unknown == 0


class TestReportThatIsQuickerThanTheAnswer:
    """The messages of a batch stay queued until the platform has answered its request."""

    @pytest.fixture
    def sent(self, platform):
        campaign = make_waiting_campaign([phone(1)], size=1)
        claim_batch(campaign.batches.get().pk)
        return campaign.messages.get()

    def test_without_our_id_it_waits_if_it_may_be_about_an_older_message(self, sent):
        older = make_message()

        assert apply(nameless(message_id="new")).unknown == 1
        assert [status(older), status(sent)] == ["accepted", "queued"]

    def test_without_our_id_it_is_about_the_message_that_is_being_sent(self, sent):
        assert apply(nameless(message_id="new")).changed == 1
        assert (status(sent), sent.message_id) == ("delivered", "new")

    def test_it_is_not_about_a_message_whose_batch_waits(self, sent):
        sent.campaign.batches.update(state="pending")

        assert apply(nameless(message_id="new")).unknown == 1
        assert status(sent) == "queued"


@pytest.mark.parametrize("is_copied", [False, True], ids=["imported", "copied"])
def test_report_without_our_id_finds_its_message_although_the_clock_of_the_importing_host_is_ahead(
    platform, monkeypatch, is_copied
):
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels(CHANNELS)
    with monkeypatch.context() as ahead:
        ahead.setattr(timezone, "now", lambda now=timezone.now: now() + timedelta(hours=1))
        import_recipients(campaign, [{"phone": phone(1)}])
        if is_copied:
            copy, _is_new = copy_once(campaign, name="Copy", audience=CopyAudience.EVERYBODY, user=None)
            campaign.delete()
            campaign = copy
    start_campaign(campaign)
    message = campaign.messages.get()
    Message.objects.update(message_id=None)
    apply(nameless(message_id="platform-1"))

    assert status(message) == "delivered"

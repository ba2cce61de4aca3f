from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_hyber import tasks
from django_hyber.models import AccountState, Batch, Campaign, Message
from django_hyber.protocol import SMS, HyberClient, ReportNotFound, Viber, WhatsApp
from django_hyber.reconcile import overdue
from django_hyber.sending.pace import pauses
from django_hyber.services import dispatch, fetch_reports, import_recipients, send_message, start_campaign
from tests.builders import make_campaign
from tests.management.test_commands import run
from tests.samples import phone
from tests.truth.clients import in_own_connection

pytestmark = pytest.mark.django_db(transaction=True)

VIBER = Viber(text="Hi", ttl=60)
TEXT = SMS(text="Hi", alpha_name="GMSU", ttl=300)
TTLS = timedelta(seconds=360)
A_WEEK = WhatsApp(text="Hi", ttl=604_800)


def accepted(number, outcome, *, ago, channels=(VIBER, TEXT)):
    message = send_message(phone(number, outcome), list(channels))
    Message.objects.filter(pk=message.pk).update(accepted_at=timezone.now() - ago)
    return message


def queries(sandbox):
    return [request.path for request in sandbox.requests if request.method == "GET"]


def test_message_that_was_never_called_back_gets_its_report(platform):
    message = accepted(1, "85", ago=timedelta(hours=1))
    platform.flush()
    fetched = fetch_reports()

    message.refresh_from_db()
    assert (message.status, message.channel) == ("delivered", "viber")
    assert (fetched.queried, fetched.changed) == (1, 1)
    assert message.delivery_reports.exists()


def test_whole_chain_is_in_the_history(platform):
    message = accepted(1, "90", ago=timedelta(hours=1))
    platform.flush()
    fetch_reports()

    message.refresh_from_db()
    assert (message.status, message.channel) == ("delivered", "sms")
    assert [report.channel for report in message.delivery_reports.order_by("pk")].count("viber") == 1


def test_message_whose_channels_may_still_deliver_is_not_queried(platform):
    accepted(1, "85", ago=TTLS)
    fetch_reports(margin=timedelta(seconds=30))

    assert not queries(platform)


def test_recipients_of_a_campaign_are_queried_too(platform):
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([VIBER, TEXT])
    import_recipients(campaign, [{"phone": phone(1, "85")}, {"phone": phone(2, "89")}])
    start_campaign(campaign)
    campaign.messages.update(accepted_at=timezone.now() - timedelta(hours=1))
    platform.flush()
    fetch_reports()

    assert set(campaign.messages.values_list("status", flat=True)) == {"delivered", "expired"}


def test_campaign_that_starts_later_is_given_its_time(platform):
    start = timezone.now() + timedelta(hours=2)
    campaign = Campaign.objects.create(name="Sale", start_time=start)
    campaign.set_channels([TEXT])
    import_recipients(campaign, [{"phone": phone(1)}])
    start_campaign(campaign)
    campaign.messages.update(accepted_at=timezone.now() - timedelta(hours=1))
    fetch_reports()

    assert not queries(platform)


def test_single_message_that_starts_later_is_given_its_time(platform):
    start = timezone.now() + timedelta(days=10)
    message = send_message(phone(1), [TEXT], start_time=start)
    Message.objects.filter(pk=message.pk).update(accepted_at=timezone.now() - timedelta(days=4))

    assert fetch_reports().given_up == 0
    assert not queries(platform)


def test_message_without_an_answer_is_queried_again_later(platform):
    message = accepted(1, "93", ago=timedelta(hours=1))
    fetch_reports()
    fetch_reports()

    message.refresh_from_db()
    assert message.status == "accepted"
    assert len(queries(platform)) == 1
    assert message.due_at > timezone.now() + timedelta(minutes=9)


def test_message_is_given_up_after_three_days_and_says_so(platform):
    message = accepted(1, "93", ago=timedelta(days=4))
    fetched = fetch_reports()
    assert fetched.given_up == 1

    message.refresh_from_db()
    assert (message.status, message.error_text) == ("accepted", "The platform never reported the result.")
    assert fetch_reports().queried == 0


def test_run_that_began_while_the_one_before_was_queried_is_not_given_up(platform, monkeypatch):
    message = accepted(1, "85", ago=timedelta(days=4))

    def begin_another_run(client, **ids):
        Message.objects.filter(pk=message.pk).update(extra_id="own-2", message_id=None, accepted_at=timezone.now())
        raise ReportNotFound

    monkeypatch.setattr(HyberClient, "fetch_report", begin_another_run)
    fetched = fetch_reports()

    message.refresh_from_db()
    assert (fetched.queried, fetched.given_up, message.given_up_at) == (1, 0, None)


def test_platform_that_does_not_answer_changes_nothing(platform, settings):
    message = accepted(1, "85", ago=timedelta(hours=1))
    settings.HYBER = {"default": settings.HYBER["default"] | {"REPORTS_URL": "http://127.0.0.1:9/closed"}}
    fetch_reports()

    message.refresh_from_db()
    assert message.status == "accepted"
    assert message.due_at


@pytest.fixture
def unreachable(platform, settings):
    def close():
        settings.HYBER = {"default": settings.HYBER["default"] | {"REPORTS_URL": "http://127.0.0.1:9/closed"}}

    return close


def test_three_days_begin_when_the_report_was_due(platform):
    message = accepted(1, "93", ago=timedelta(days=7, hours=1), channels=[A_WEEK])

    assert fetch_reports().given_up == 0
    message.refresh_from_db()
    assert message.due_at < timezone.now() + timedelta(hours=1)


def test_message_is_not_given_up_because_nobody_answers(platform, unreachable):
    accepted(1, "85", ago=timedelta(days=4))
    unreachable()

    assert fetch_reports().given_up == 0


def test_message_about_which_nobody_answers_for_a_month_is_given_up(platform, unreachable):
    accepted(1, "85", ago=timedelta(days=31))
    unreachable()

    assert fetch_reports().given_up == 1


def test_platform_that_takes_no_queries_is_left_alone_until_the_next_time(platform, unreachable):
    for number in range(3):
        accepted(number, "85", ago=timedelta(hours=1))
    unreachable()

    assert fetch_reports().queried == 1


def test_platform_that_asks_to_wait_is_not_queried_before_by_any_kind_of_query(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"SEEN_CODES": [23099]}}
    accepted(1, "85", ago=timedelta(hours=1))
    seen = accepted(2, "91", channels=[CLICKABLE], ago=timedelta(hours=1))
    Message.objects.filter(pk=seen.pk).update(
        status="delivered", channel="viber", finished_at=timezone.now() - timedelta(hours=1)
    )
    platform.fault("status", status=429, retry_after=600, paths=("reports",))
    fetched = fetch_reports(learn_seen=True, learn_clicks=True)
    assert (fetched.queried, fetch_reports(learn_seen=True, learn_clicks=True).queried) == (1, 0)
    state = AccountState.objects.get(host="reports")
    assert state.queries_after > timezone.now() + timedelta(seconds=590)

    message = send_message(phone(3, "94"), [TEXT])
    Message.objects.filter(pk=message.pk).update(due_at=None)
    before = len(platform.requests)
    dispatch()
    assert len(platform.requests) == before


def test_pause_that_an_outcome_query_was_asked_for_is_kept_by_the_queries_of_reports(platform):
    accepted(1, "85", ago=timedelta(hours=1))
    message = send_message(phone(3, "94"), [TEXT])
    platform.fault("status", status=503, retry_after=600, paths=("reports",))
    Message.objects.filter(pk=message.pk).update(due_at=None)
    dispatch()
    assert fetch_reports().queried == 0
    AccountState.objects.update(queries_after=None)
    platform.flush()

    assert (fetch_reports().changed, Message.objects.filter(status="delivered").count()) == (1, 1)


def test_host_that_answers_nothing_but_errors_is_left_alone_after_a_few_queries(platform):
    for number in range(8):
        accepted(number, "85", ago=timedelta(hours=1))
    platform.fault("status", status=500, count=None, paths=("reports",))

    assert fetch_reports(per_second=1_000).queried == pauses.MAX_UNANSWERED


def test_pause_of_the_queries_about_jobs_is_kept_and_delays_no_other(platform, job):
    platform.fault("status", status=503, retry_after=600, paths=("status",))
    accepted(9, "85", ago=timedelta(hours=1))
    platform.flush()
    fetched = fetch_reports()
    assert [state.host for state in AccountState.objects.filter(queries_after__isnull=False)] == ["bulk"]
    assert fetched.changed >= 1
    Batch.objects.update(due_at=None)
    before = len(platform.requests)
    fetch_reports(limit=1)

    assert not any("/status/" in request.path for request in platform.requests[before:])


def test_other_account_is_asked_all_the_same(platform, settings):
    for number in range(3):
        accepted(number, "85", ago=timedelta(hours=1))
    Message.objects.filter(phone_number=phone(2, "85")).update(account="other")
    platform.flush()
    settings.HYBER = {
        "default": settings.HYBER["default"] | {"PASSWORD": "wrong"},
        "other": settings.HYBER["default"],
    }
    fetched = fetch_reports(limit=2)

    assert (fetched.queried, fetched.changed) == (2, 1)


def test_message_of_an_account_that_is_gone_holds_up_no_other(platform, caplog):
    lost, other = (accepted(number, "85", ago=timedelta(hours=1)) for number in (1, 2))
    Message.objects.filter(pk=lost.pk).update(account="gone")
    platform.flush()
    fetch_reports()

    other.refresh_from_db()
    assert other.status == "delivered"
    (record,) = [record for record in caplog.records if record.name == "django_hyber" and record.levelname == "ERROR"]
    assert (record.event, record.account) == ("account-invalid", "gone")


def test_messages_of_an_account_that_is_gone_use_up_no_queries(platform):
    lost = [accepted(number, "85", ago=timedelta(hours=1)).pk for number in range(3)]
    Message.objects.filter(pk__in=lost).update(account="gone")
    other = accepted(3, "85", ago=timedelta(hours=1))
    platform.flush()
    fetched = fetch_reports(limit=2)

    other.refresh_from_db()
    assert (fetched.queried, other.status) == (1, "delivered")


def test_every_message_of_an_account_that_is_gone_is_given_up_after_a_month(platform):
    lost = [accepted(number, "85", ago=timedelta(days=32)).pk for number in range(3)]
    recent = accepted(3, "85", ago=timedelta(days=4)).pk
    Message.objects.filter(pk__in=[*lost, recent]).update(account="gone")

    assert fetch_reports().given_up == 3
    assert set(Message.objects.filter(given_up_at__isnull=False).values_list("pk", flat=True)) == set(lost)


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": -1}, {"limit": -1}, {"margin": -1}])
def test_command_refuses_what_is_no_rate_and_no_limit(db, wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(CommandError, match=f"--{name}"):
        run("hyber_fetch_reports", f"--{name}={value}")
    with pytest.raises(CommandError, match="greater than zero" if name == "rate" else "negative"):
        run("hyber_fetch_reports", **wrong)


def test_queries_are_limited(platform):
    for number in range(3):
        accepted(number, "93", ago=timedelta(hours=1))

    assert fetch_reports(limit=2).queried == 2


def test_command_tells_the_counts(platform):
    accepted(1, "85", ago=timedelta(hours=1))
    platform.flush()

    assert run("hyber_fetch_reports", margin=0)[0].strip() == "1 queried, 1 changed, 0 given up"


@pytest.fixture
def job(platform, settings):
    """Three people in a request that the platform took as a job an hour ago, and of which nothing was called back."""
    settings.HYBER = {"default": settings.HYBER["default"] | {"SYNC_LIMIT": 1}}
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([VIBER, TEXT])
    import_recipients(campaign, [{"phone": phone(number, digits)} for number, digits in enumerate(["00", "90", "89"])])
    start_campaign(campaign)
    platform.flush()
    an_hour_ago = timezone.now() - timedelta(hours=1)
    campaign.messages.update(accepted_at=an_hour_ago)
    campaign.batches.update(finished_at=an_hour_ago)
    return campaign.batches.get()


def test_job_is_queried_as_a_whole(job, platform):
    fetched = fetch_reports()

    assert queries(platform) == [f"/sandbox/status/{job.job_id}"]
    assert (fetched.queried, fetched.changed) == (1, 3)
    ends = job.campaign.messages.order_by("pk").values_list("status", flat=True)
    assert list(ends) == ["delivered", "delivered", "expired"]


def test_job_of_an_account_that_is_gone_holds_up_no_other(job, platform, caplog):
    other = accepted(9, "85", ago=timedelta(hours=1))
    platform.flush()
    Campaign.objects.update(account="gone")
    job.campaign.messages.update(account="gone")
    fetch_reports()

    other.refresh_from_db()
    assert other.status == "delivered"
    assert "gone" in {getattr(record, "account", "") for record in caplog.records}


def test_job_that_the_platform_does_not_know_leaves_its_messages_to_be_queried_one_by_one(job, platform):
    job.campaign.batches.update(job_id="lost")
    fetched = fetch_reports()

    assert fetched.queried == 1 + 3
    assert set(job.campaign.messages.values_list("status", flat=True)) == {"delivered", "expired"}


def test_job_tells_whose_phone_it_is_where_nothing_else_does(job, platform, monkeypatch):
    """Another campaign waits for the same people, and the platform leaves our ids out."""
    as_it_comes = HyberClient.fetch_campaign_status
    monkeypatch.setattr(
        HyberClient,
        "fetch_campaign_status",
        lambda *about: [entry | {"extra_id": "", "message_id": ""} for entry in as_it_comes(*about)],
    )
    other = make_campaign(job.campaign.messages.values_list("phone_number", flat=True), [VIBER, TEXT])
    start_campaign(other)
    fetch_reports(limit=1)

    assert sorted(job.campaign.messages.values_list("status", flat=True)) == ["delivered", "delivered", "expired"]
    assert set(other.messages.values_list("status", flat=True)) == {"accepted"}


def test_job_is_queried_seldom(job, platform):
    job.campaign.messages.update(due_at=timezone.now() + timedelta(days=1))
    job.campaign.batches.update(job_id="lost")
    fetch_reports()
    fetch_reports()

    assert len(queries(platform)) == 1


def test_job_of_which_everything_was_reported_is_not_queried(job, platform):
    job.campaign.messages.update(status="delivered")
    fetch_reports()

    assert queries(platform) == []


def test_job_whose_own_recipients_are_all_reported_is_not_queried_for_those_of_another_zone(job, platform):
    """Batches of a campaign with a sending window share a range of keys."""
    job.campaign.messages.exclude(phone_number=phone(0, "00")).update(status="delivered")
    job.campaign.messages.filter(phone_number=phone(0, "00")).update(
        phone_number="48501234500", due_at=timezone.now() + timedelta(days=1)
    )
    job.campaign.batches.update(phone_prefixes=["380"], zone="Europe/Kyiv")
    fetch_reports()

    assert queries(platform) == []


def test_limit_holds_for_jobs_and_messages_together(job, platform):
    job.campaign.batches.update(job_id="lost")
    fetched = fetch_reports(limit=2)

    assert fetched.queried == 2


def delivered_by_our_count(platform, phone_number, channel):
    """Send a message that we take for delivered an hour ago, and nothing more; the platform may know more."""
    message = send_message(phone_number, [channel])
    platform.flush()
    Message.objects.filter(pk=message.pk).update(
        status="delivered", channel="viber", finished_at=timezone.now() - timedelta(hours=1)
    )
    return message


@pytest.fixture
def delivered_and_seen(platform, settings):
    """Delivered an hour ago by our count, and seen by the platform's."""
    settings.HYBER = {"default": settings.HYBER["default"] | {"SEEN_CODES": [23099]}}
    return delivered_by_our_count(platform, phone(1, "91"), VIBER)


def test_seen_is_learned_where_it_is_requested(delivered_and_seen, platform):
    fetch_reports(learn_seen=True)

    delivered_and_seen.refresh_from_db()
    assert delivered_and_seen.status == "seen"


def test_nobody_is_asked_who_has_seen_it_by_default(delivered_and_seen, platform):
    fetch_reports()

    assert queries(platform) == []


def test_who_has_seen_it_is_not_queried_for_ever(delivered_and_seen, platform):
    Message.objects.update(finished_at=timezone.now() - timedelta(days=3))
    fetch_reports(learn_seen=True)

    assert queries(platform) == []


def test_accounts_without_codes_for_seen_are_not_asked(delivered_and_seen, platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"SEEN_CODES": []}}
    fetch_reports(learn_seen=True)

    assert queries(platform) == []


def test_task_asks_as_the_command_does(platform):
    accepted(1, "85", ago=timedelta(hours=1))
    tasks.fetch_reports.enqueue()

    assert len(queries(platform)) == 1


def test_what_was_delivered_just_now_is_not_queried(delivered_and_seen, platform):
    Message.objects.update(finished_at=timezone.now() - timedelta(minutes=1))
    fetch_reports(learn_seen=True)

    assert queries(platform) == []


def test_nobody_is_asked_who_has_seen_an_sms(delivered_and_seen, platform):
    Message.objects.update(channel="sms")
    fetch_reports(learn_seen=True)

    assert queries(platform) == []


def test_job_that_starts_later_is_given_its_time(job, platform):
    Campaign.objects.update(start_time=timezone.now() - timedelta(minutes=10))
    fetch_reports()

    assert queries(platform) == []


def test_platform_is_asked_by_its_own_id_where_that_is_known(platform):
    known, unknown = accepted(1, "85", ago=timedelta(hours=1)), accepted(2, "85", ago=timedelta(hours=1))
    Message.objects.filter(pk=unknown.pk).update(message_id=None)
    known.refresh_from_db()
    fetch_reports()

    assert sorted(queries(platform)) == sorted(
        [
            f"/sandbox/api/dr/{known.message_id}/advanced",
            f"/sandbox/api/dr/external/{unknown.extra_id}/advanced",
        ]
    )


def test_two_at_once_ask_once(job, platform):
    job.campaign.batches.update(job_id="lost")
    accepted(9, "93", ago=timedelta(hours=1))
    fetch = in_own_connection(fetch_reports)
    with ThreadPoolExecutor(2) as pool:
        fetched = [answer.result() for answer in [pool.submit(fetch), pool.submit(fetch)]]

    assert len(queries(platform)) == sum(each.queried for each in fetched) == 1 + 3 + 1


CLICKABLE = Viber(text="Look: https://shop.example/a", ttl=60, ctr=True)


@pytest.fixture
def delivered_and_clicked(platform):
    """Delivered an hour ago by our count, and clicked twice by the platform's."""
    return delivered_by_our_count(platform, phone(1, "86"), CLICKABLE)


def test_clicks_are_learned_where_they_are_requested(delivered_and_clicked, platform):
    fetch_reports(learn_clicks=True)

    delivered_and_clicked.refresh_from_db()
    assert (delivered_and_clicked.status, delivered_and_clicked.clicks) == ("delivered", 2)


def test_clicks_on_what_was_seen_are_learned_too(delivered_and_clicked, platform):
    Message.objects.update(status="seen")
    fetch_reports(learn_clicks=True)

    delivered_and_clicked.refresh_from_db()
    assert (delivered_and_clicked.status, delivered_and_clicked.clicks) == ("seen", 2)


@pytest.mark.parametrize("options", [{}, {"learn_seen": True}])
def test_nobody_is_queried_for_clicks_by_default(delivered_and_clicked, platform, options):
    fetch_reports(**options)

    assert queries(platform) == []


@pytest.mark.parametrize(("ago", "expected"), [(timedelta(days=13), 1), (timedelta(days=15), 0)])
def test_clicks_are_queried_as_long_as_the_platform_counts_them(delivered_and_clicked, platform, ago, expected):
    Message.objects.update(finished_at=timezone.now() - ago)

    assert fetch_reports(learn_clicks=True).queried == expected


def test_message_whose_clicks_are_not_tracked_is_not_queried(platform):
    message = send_message(phone(1, "86"), [VIBER])
    Message.objects.filter(pk=message.pk).update(status="delivered", finished_at=timezone.now() - timedelta(hours=1))
    fetch_reports(learn_clicks=True)

    assert queries(platform) == []


def test_recipients_of_a_campaign_are_queried_for_clicks_one_by_one_where_there_is_no_job(platform):
    campaign = make_campaign([phone(1, "86"), phone(2, "86")], channels=[CLICKABLE])
    start_campaign(campaign)
    platform.flush()
    Message.objects.update(status="delivered", channel="viber", finished_at=timezone.now() - timedelta(hours=1))
    fetch_reports(learn_clicks=True)

    assert list(campaign.messages.values_list("clicks", flat=True)) == [2, 2]


def test_one_query_tells_the_clicks_of_a_whole_job(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"SYNC_LIMIT": 1}}
    campaign = make_campaign([phone(1, "86"), phone(2, "86")], channels=[CLICKABLE])
    start_campaign(campaign)
    platform.flush()
    an_hour_ago = timezone.now() - timedelta(hours=1)
    campaign.batches.update(finished_at=an_hour_ago)
    Message.objects.update(status="delivered", channel="viber", finished_at=an_hour_ago)
    fetched = fetch_reports(learn_clicks=True)

    assert fetched.queried == 1
    assert [path.split("/")[-2] for path in queries(platform)] == ["status"]
    assert list(campaign.messages.values_list("clicks", flat=True)) == [2, 2]


def test_who_was_delivered_to_is_queried_seldom(delivered_and_clicked, platform):
    Message.objects.update(finished_at=timezone.now() - timedelta(days=1))
    fetch_reports(learn_clicks=True)

    assert Message.objects.get().due_at > timezone.now() + timedelta(hours=23)
    assert fetch_reports(learn_clicks=True).queried == 0


def test_what_was_never_queried_comes_before_what_was(delivered_and_clicked, platform):
    Message.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    never_queried = send_message(phone(2, "86"), [CLICKABLE])
    Message.objects.filter(pk=never_queried.pk).update(
        status="delivered", finished_at=timezone.now() - timedelta(hours=1), message_id=None
    )
    fetch_reports(learn_clicks=True, limit=1)

    assert [path.split("/")[-2] for path in queries(platform)] == [never_queried.extra_id]


def test_command_asks_for_clicks(delivered_and_clicked, platform):
    assert "1 queried" in run("hyber_fetch_reports", "--clicks")[0]


def test_what_waits_is_read_in_pages(platform, monkeypatch):
    """Some never queried, some queried long ago, of which two at the same moment."""
    monkeypatch.setattr(overdue, "CHUNK", 2)
    messages = [accepted(number, "93", ago=timedelta(hours=1)) for number in range(7)]
    now = timezone.now()
    for message, minutes in zip(messages[:4], (3, 2, 2, 1), strict=True):
        Message.objects.filter(pk=message.pk).update(due_at=now - timedelta(minutes=minutes))
    Message.objects.update(message_id=None)
    with CaptureQueriesContext(connection) as statements:
        assert fetch_reports(per_second=1_000).queried == 7

    order = [message.extra_id for message in (*messages[4:], *messages[:4])]
    assert [path.split("/")[-2] for path in queries(platform)] == order
    reads = [query["sql"] for query in statements if query["sql"].startswith("SELECT") and "start_time" in query["sql"]]
    assert reads
    assert all("LIMIT 2" in sql for sql in reads if "extra_id" in sql)

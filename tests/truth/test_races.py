"""What several people, sweeps and workers do in the same second."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_hyber.admin.campaigns import campaign as admin_campaign
from django_hyber.campaigns import copy as copies
from django_hyber.models import BackgroundJob, Batch, Campaign, Message, Suppression
from django_hyber.sending.batch import submit_batch
from django_hyber.services import (
    CampaignError,
    cancel_campaign,
    dispatch,
    forget_number,
    pause_campaign,
    resume_campaign,
    start_campaign,
)
from tests.admin.pages import seen_on, url_of
from tests.builders import dispatch_until_finished, make_campaign, posts, statuses
from tests.samples import phone
from tests.truth.clients import in_own_connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def in_twenty_requests(platform, settings):
    """A campaign of a hundred, five in a request, scheduled so that only a sweep starts it."""
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 5}}
    campaign = make_campaign(
        [phone(number) for number in range(100)], start_time=timezone.now() + timedelta(minutes=30)
    )
    start_campaign(campaign)
    Campaign.objects.update(start_time=timezone.now())
    return campaign


@in_own_connection
def sweep():
    return dispatch()


@in_own_connection
def work(pks):
    for pk in pks:
        submit_batch(pk)


def wait_for_requests(sandbox, count):
    deadline = time.monotonic() + 30
    while len(posts(sandbox)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def taken_once(sandbox, count):
    return (sandbox.ledger.taken, sandbox.ledger.duplicates) == (count, {})


def test_sweeps_and_workers_of_the_same_second_send_to_everybody_once(in_twenty_requests, platform):
    pks = list(Batch.objects.values_list("pk", flat=True))
    with ThreadPoolExecutor(6) as pool:
        sweeps = [pool.submit(sweep) for _ in range(2)]
        workers = [pool.submit(work, order) for order in (pks, pks[::-1], pks[10:], pks[:10])]
    for each in (*sweeps, *workers):
        each.result()
    dispatch_until_finished(in_twenty_requests)

    assert taken_once(platform, 100)
    assert statuses(in_twenty_requests) == ["accepted"] * 100


def test_cancel_after_the_third_of_twenty_requests_stops_the_rest(in_twenty_requests, platform):
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(sweep)
        wait_for_requests(platform, 3)
        cancel_campaign(in_twenty_requests)
        sent = len(posts(platform))
        sending.result()
    dispatch()

    # One request may have been on the wire.
    assert len(posts(platform)) <= sent + 1 < 20
    assert taken_once(platform, 5 * len(posts(platform)))
    assert statuses(in_twenty_requests).count("cancelled") == 100 - 5 * len(posts(platform))


@in_own_connection
def resume(pk):
    resume_campaign(Campaign.objects.get(pk=pk))


def test_ten_quick_pauses_and_resumes_repeat_nobody_and_skip_nobody(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 2}}
    campaign = make_campaign([phone(number) for number in range(200)], start_time=timezone.now() + timedelta(days=1))
    pause_campaign(start_campaign(campaign))
    Campaign.objects.update(start_time=timezone.now())
    with ThreadPoolExecutor(10) as pool:
        for _ in range(10):
            sent = len(posts(platform))
            pool.submit(resume, campaign.pk)
            wait_for_requests(platform, sent + 2)
            pause_campaign(campaign)
    assert Campaign.objects.get().status == "paused"
    resume_campaign(campaign)
    dispatch_until_finished(campaign)

    assert taken_once(platform, 200)
    assert statuses(campaign) == ["accepted"] * 200


def test_who_opts_out_during_a_pause_is_not_written_to(in_twenty_requests, platform):
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(sweep)
        wait_for_requests(platform, 3)
        pause_campaign(in_twenty_requests)
        sending.result()
    waiting = list(in_twenty_requests.messages.filter(status="queued").values_list("phone_number", flat=True)[:10])
    assert len(waiting) == 10
    for mark, number in zip(["+", *[""] * 9], waiting, strict=True):
        Suppression.objects.create(phone_number=mark + number)
    resume_campaign(in_twenty_requests)
    dispatch_until_finished(in_twenty_requests)

    written_to = {str(item["phone_number"]) for body in posts(platform) for item in body["recipients"]}
    assert written_to.isdisjoint(waiting)
    assert taken_once(platform, 90)
    left_out = in_twenty_requests.messages.filter(status="suppressed")
    assert set(left_out.values_list("error_text", flat=True)) == {"The recipient has opted out."}


@in_own_connection
def start(pk):
    try:
        start_campaign(Campaign.objects.get(pk=pk))
    except CampaignError as error:
        return error.messages
    return "started"


def test_parallel_launches_from_code_start_one_run(platform):
    campaign = make_campaign([phone(number) for number in range(20)])
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(start, campaign.pk) for _ in range(4)]
    answers = [answer.result() for answer in answers]

    assert answers.count("started") == 1
    assert all("already been started" in str(answer) for answer in answers if answer != "started")
    assert taken_once(platform, 20)


def test_number_that_is_forgotten_while_its_campaign_is_copied_is_not_in_the_copy(platform, monkeypatch):
    campaign = start_campaign(make_campaign([phone(1)]))
    campaign.messages.update(status="delivered")
    is_copied = threading.Event()

    def copy_slowly(*arguments):
        copy_recipients(*arguments)
        is_copied.set()
        time.sleep(0.3)

    copy_recipients = copies._copy_recipients
    monkeypatch.setattr(copies, "_copy_recipients", copy_slowly)
    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(copy_everybody, campaign.pk)
        assert is_copied.wait(30)
        forget_number(f"+{phone(1)}")
        copying.result()

    assert not Message.objects.filter(phone_number=phone(1)).exists()


@in_own_connection
def copy_everybody(pk):
    campaign = Campaign.objects.get(pk=pk)
    copies.copy_once(campaign, name="Copy", audience=copies.CopyAudience.EVERYBODY, user=None)


def test_draft_that_is_launched_while_it_is_deleted_from_the_list_is_not_sent(platform, admin_client, monkeypatch):
    campaign = make_campaign([phone(1)])
    with ThreadPoolExecutor(1) as pool:

        def launch_first(*arguments):
            launches.append(pool.submit(start, campaign.pk))
            time.sleep(0.3)
            return delete_selected(*arguments)

        launches = []
        delete_selected = admin_campaign.delete_selected
        monkeypatch.setattr(admin_campaign, "delete_selected", launch_first)
        chosen = {"action": "delete_selected", "_selected_action": campaign.pk, "post": "yes"}
        admin_client.post(reverse("admin:django_hyber_campaign_changelist"), chosen)
    (launch,) = launches

    assert "has been deleted in the meantime" in str(launch.result())
    assert not Campaign.objects.exists()
    assert platform.ledger.taken == 0


@in_own_connection
def click(cookies, url, data):
    client = Client(raise_request_exception=False)
    client.cookies = cookies
    return client.post(url, data).status_code


def test_parallel_clicks_on_send_start_one_run(platform, admin_client):
    campaign = make_campaign([phone(number) for number in range(20)])
    seen = seen_on(admin_client.get(url_of(campaign)))
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(click, admin_client.cookies, url_of(campaign), seen) for _ in range(2)]
    assert {answer.result() for answer in answers} == {302}

    assert taken_once(platform, 20)
    assert Campaign.objects.get(pk=campaign.pk).run == 1


def test_parallel_clicks_on_a_test_send_one(platform, admin_client):
    campaign = make_campaign([phone(number) for number in range(2)])
    form = {"numbers": phone(50), "token": "0123456789abcdef", "recipient": ""}
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(click, admin_client.cookies, url_of(campaign, "test"), form) for _ in range(2)]
    assert {answer.result() for answer in answers} == {302}

    assert taken_once(platform, 1)
    assert Message.objects.filter(campaign=None).count() == 1


def test_parallel_clicks_on_check_ask_for_one(platform, admin_client, settings):
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    campaign = make_campaign([phone(number) for number in range(2)])
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(click, admin_client.cookies, url_of(campaign, "preflight_check"), {}) for _ in range(2)]
    assert {answer.result() for answer in answers} == {302}

    assert BackgroundJob.objects.count() == 1

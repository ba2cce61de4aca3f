"""Cancelling a large campaign: the user gets the answer at once, and the messages are cancelled in the background."""

from __future__ import annotations

import django
import pytest
from django.db import OperationalError

from django_hyber.jobs.background import MAX_ATTEMPTS
from django_hyber.jobs.work import JobClaim
from django_hyber.models import BackgroundJob, Campaign, Message
from django_hyber.sending import cancelling
from django_hyber.sending.batch import claim_batch, submit_batch
from django_hyber.services import cancel_campaign, dispatch, forget_number
from django_hyber.signals import message_status_changed
from django_hyber.tasks import run_job
from tests.builders import make_campaign, make_waiting_campaign, posts, statuses
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
PEOPLE = [phone(number) for number in range(10)]


@pytest.fixture
def large(platform, settings, monkeypatch):
    """A campaign that counts as large, while nobody works on tasks."""
    settings.TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}
    monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 4)
    monkeypatch.setattr(cancelling, "CHUNK", 3)
    return make_waiting_campaign(PEOPLE, size=2)


@pytest.fixture
def told():
    """The messages whose cancellation receivers have been told of."""
    pks = []

    def hear(message, new_status, **kwargs):
        pks.append((message.pk, new_status))

    message_status_changed.connect(hear)
    yield pks
    message_status_changed.disconnect(hear)


def job_of(campaign):
    return campaign.jobs.get(kind="cancel")


def test_status_is_there_at_once_and_nothing_goes_out_meanwhile(large, platform):
    cancel_campaign(large)

    assert large.status == "cancelled"
    assert statuses(large) == ["queued"] * 10
    assert set(large.batches.values_list("state", flat=True)) == {"cancelled"}
    for pk in large.batches.values_list("pk", flat=True):
        submit_batch(pk)
    dispatch()
    assert posts(platform) == []


def test_job_cancels_the_messages_and_receivers_hear_of_each_once(large, told):
    cancel_campaign(large)
    run_job.call(job_of(large).pk)

    assert statuses(large) == ["cancelled"] * 10
    job = job_of(large)
    assert (job.state, job.done, job.total) == ("done", 10, 10)
    assert told == []
    dispatch()
    assert sorted(told) == [(pk, "cancelled") for pk in large.messages.order_by("pk").values_list("pk", flat=True)]


def test_job_that_was_cut_off_goes_on_where_it_was(large, monkeypatch):
    cancel_campaign(large)
    written = iter(range(100))

    def fail_at_the_third(claim, **values):
        if next(written) == 2:
            raise OperationalError
        write(claim, **values)

    write = JobClaim.write
    with monkeypatch.context() as cut:
        cut.setattr(JobClaim, "write", fail_at_the_third)
        run_job.call(job_of(large).pk)
    assert statuses(large) == ["cancelled"] * 3 + ["queued"] * 7
    BackgroundJob.objects.update(lease_until="2020-01-01T00:00:00Z")
    run_job.call(job_of(large).pk)

    assert statuses(large) == ["cancelled"] * 10
    assert (job_of(large).done, job_of(large).total) == (10, 10)


class Killed(BaseException):
    """The end of a worker."""


def be_killed(campaign, monkeypatch, *, workers, pages):
    """Have workers of the job die one after the other, each after so many pages."""
    cancel_page = cancelling._cancel_page

    def until_killed(campaign):
        if next(left, None) is None:
            raise Killed
        return cancel_page(campaign)

    for _ in range(workers):
        left = iter(range(pages))
        with monkeypatch.context() as patch:
            patch.setattr(cancelling, "_cancel_page", until_killed)
            with pytest.raises(Killed):
                run_job.call(job_of(campaign).pk)
        BackgroundJob.objects.update(lease_until="2020-01-01T00:00:00Z")


def test_job_that_comes_further_each_time_is_never_given_up(large, monkeypatch):
    monkeypatch.setattr(cancelling, "CHUNK", 1)
    cancel_campaign(large)
    be_killed(large, monkeypatch, workers=MAX_ATTEMPTS + 2, pages=1)
    run_job.call(job_of(large).pk)

    assert (job_of(large).state, job_of(large).attempts) == ("done", MAX_ATTEMPTS + 3)
    assert statuses(large) == ["cancelled"] * 10


def test_job_that_comes_no_further_than_before_is_given_up(large, monkeypatch):
    cancel_campaign(large)
    be_killed(large, monkeypatch, workers=1, pages=1)
    be_killed(large, monkeypatch, workers=MAX_ATTEMPTS, pages=0)
    run_job.call(job_of(large).pk)

    assert (job_of(large).state, job_of(large).error_text) == ("failed", "It was interrupted 5 times.")


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_sweep_cancels_what_a_job_has_left(large, state, told):
    cancel_campaign(large)
    large.jobs.update(state=state)
    for _ in range(4):
        dispatch()

    assert statuses(large) == ["cancelled"] * 10
    assert len(told) == len(set(told)) == 10


def test_sweep_leaves_the_messages_to_a_job_that_is_under_way(large):
    cancel_campaign(large)
    dispatch()

    assert statuses(large) == ["queued"] * 10


def test_number_whose_campaign_the_sweep_has_cancelled_can_be_forgotten(large):
    cancel_campaign(large)
    large.jobs.update(state="failed")
    for _ in range(4):
        dispatch()

    assert forget_number(f"+{PEOPLE[9]}").messages == 1


def test_sweep_keeps_the_messages_of_a_batch_that_is_being_sent(large):
    assert claim_batch(large.batches.order_by("pk")[1].pk)
    cancel_campaign(large)
    large.jobs.update(state="failed")
    for _ in range(4):
        dispatch()

    assert statuses(large) == ["cancelled"] * 2 + ["queued"] * 2 + ["cancelled"] * 6


def test_batch_that_a_worker_is_sending_keeps_its_messages_until_its_answer(large):
    claim = claim_batch(large.batches.order_by("pk")[1].pk)
    claim.confirm()
    cancel_campaign(large)
    run_job.call(job_of(large).pk)

    assert large.on_the_wire == 2
    assert statuses(large) == ["cancelled"] * 2 + ["queued"] * 2 + ["cancelled"] * 6
    claim.put_back("", "no connection", None)
    dispatch()
    assert statuses(large) == ["cancelled"] * 10


def test_message_that_is_queued_while_others_are_cancelled_gets_its_former_end_back(platform, monkeypatch):
    campaign = make_waiting_campaign([phone(1), phone(2)], 2)
    campaign.batches.all().delete()
    end = {"run": 2, "status": "undelivered", "extra_id": "of the first run"}
    campaign.messages.update(earlier_end=end)
    Campaign.objects.update(run=2)
    first, second = campaign.messages.order_by("pk")
    Message.objects.filter(pk=first.pk).update(status="unconfirmed")
    give_back = cancelling.give_back_ends

    def queue_first(*arguments):
        monkeypatch.setattr(cancelling, "give_back_ends", give_back)
        Message.objects.filter(pk=first.pk).update(status="queued", extra_id="of the second run")
        return give_back(*arguments)

    monkeypatch.setattr(cancelling, "give_back_ends", queue_first)
    Message.objects.filter(pk=second.pk).update(earlier_end=None)
    campaign.refresh_from_db()
    cancel_campaign(campaign)

    assert statuses(campaign) == ["undelivered", "cancelled"]


def test_page_of_the_campaign_shows_how_far_it_is(large, admin_client):
    cancel_campaign(large)
    BackgroundJob.objects.update(state="running", done=3, total=10, lease_until="2099-01-01T00:00:00Z")
    page = admin_client.get(f"/admin/django_hyber/campaign/{large.pk}/change/")

    assert "Cancellation of messages" in page.content.decode()
    assert "3 of 10" in page.content.decode()
    assert page.context["progress"].refresh


def test_small_campaign_is_cancelled_at_once(large):
    small = make_campaign(PEOPLE[:3])
    cancel_campaign(small)

    assert statuses(small) == ["cancelled"] * 3
    assert not small.jobs.exists()


def test_large_draft_can_be_cancelled_and_deleted_meanwhile(large):
    draft = make_campaign(PEOPLE)
    cancel_campaign(draft)
    job = job_of(draft)
    Campaign.objects.filter(pk=draft.pk).delete()
    run_job.call(job.pk)

    assert not Message.objects.filter(campaign=draft.pk).exists()

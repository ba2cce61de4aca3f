from __future__ import annotations

import pytest

from django_hyber.db.clock import database_time
from django_hyber.jobs import work
from django_hyber.jobs.work import JobClaim, JobLostError
from django_hyber.models import BackgroundJob

pytestmark = pytest.mark.django_db


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(work, "time", clock)
    return clock


@pytest.fixture
def job():
    return BackgroundJob.objects.create(kind="import", state="running", attempts=2)


def test_progress_is_written_after_many_rows(clock, job):
    claim = JobClaim(job)
    claim.progress(work.ROWS - 1)
    job.refresh_from_db()
    assert job.done == 0

    claim.progress(work.ROWS)
    job.refresh_from_db()
    assert job.done == work.ROWS

    claim.progress(2 * work.ROWS - 1)
    job.refresh_from_db()
    assert job.done == work.ROWS


def test_progress_is_written_after_some_seconds(clock, job):
    claim = JobClaim(job)
    clock.now += work.SECONDS - 0.1
    claim.progress(1)
    job.refresh_from_db()
    assert job.done == 0

    clock.now += 0.1
    claim.progress(2)
    job.refresh_from_db()
    assert job.done == 2

    clock.now += work.SECONDS - 0.1
    claim.progress(3)
    job.refresh_from_db()
    assert job.done == 2


def test_write_renews_the_lease(clock, job):
    JobClaim(job).write(error_text="late")
    job.refresh_from_db()
    left = (job.lease_until - database_time()).total_seconds()

    assert work.LEASE - 10 < left <= work.LEASE
    assert job.error_text == "late"


def test_write_may_renew_the_lease_for_longer(clock, job):
    JobClaim(job).write(seconds=work.LONG_LEASE)
    job.refresh_from_db()

    assert (job.lease_until - database_time()).total_seconds() > work.LONG_LEASE - 10


@pytest.mark.parametrize("change", [{"attempts": 3}, {"state": "stopped"}, {"state": "done"}], ids=str)
def test_worker_whose_job_was_claimed_or_stopped_writes_nothing(clock, job, change):
    claim = JobClaim(job)
    BackgroundJob.objects.filter(pk=job.pk).update(**change)

    with pytest.raises(JobLostError):
        claim.write(done=5)
    with pytest.raises(JobLostError):
        claim.progress(work.ROWS)
    job.refresh_from_db()
    assert (job.done, job.lease_until) == (0, None)

"""The claim of a worker to a background job: a worker that has lost its lease notices at its next write."""

from __future__ import annotations

import time
from typing import Any

from django.db.models import QuerySet

from django_hyber.db import lease
from django_hyber.models import BackgroundJob

#: Seconds that a job may go without progress before another worker claims it.
LEASE = 60
LONG_LEASE = 15 * 60
#: Progress is written after so many rows or seconds, whichever comes first.
ROWS = 10_000
SECONDS = 3


class JobLostError(Exception):
    """The job belongs to another worker, or has ended."""


class JobClaim:
    """The claim of one worker to a job, for one attempt."""

    def __init__(self, job: BackgroundJob) -> None:
        self.pk = job.pk
        self._attempt = job.attempts
        self._done = 0
        self._written_at = time.monotonic()

    def progress(self, done: int) -> None:
        """Write the progress from time to time, which also renews the lease. Raises JobLostError."""
        if done - self._done < ROWS and time.monotonic() - self._written_at < SECONDS:
            return
        self.write(done=done)
        self._done, self._written_at = done, time.monotonic()

    def rows(self) -> QuerySet[BackgroundJob]:
        """Select the job unless it was stopped or another worker has claimed it."""
        return lease.held(BackgroundJob.objects.all(), self.pk, self._attempt).filter(state=BackgroundJob.State.RUNNING)

    def write(self, *, seconds: float = LEASE, **values: Any) -> None:
        """Write to the row of the job and renew the lease. Raises JobLostError."""
        if not lease.renew(self.rows(), seconds, **values):
            raise JobLostError

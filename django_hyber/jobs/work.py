"""The work of background jobs: its registry, the claim of a worker to a job, and helpers for the functions that do it.

A worker that has lost its lease notices at its next write.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.core.files import File
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from django_hyber.db import lease
from django_hyber.db.stored_files import delete_stored
from django_hyber.models import BackgroundJob, Campaign

#: Seconds that a job may go without progress before another worker claims it.
LEASE = 60
LONG_LEASE = 15 * 60
#: Progress is written after so many rows or seconds, whichever comes first.
ROWS = 10_000
SECONDS = 3
KINDS: dict[str, Work] = {}


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


Work = Callable[[BackgroundJob, JobClaim], dict[str, Any]]


def job_kind(kind: str) -> Callable[[Work], Work]:
    """Register the function that does the work of a kind and returns the result of the job.

    The work may be cut off at any point and started again. The module has to be imported by ``django_hyber.tasks``.
    """

    def register(work: Work) -> Work:
        KINDS[kind] = work
        return work

    return register


def campaign_of(job: BackgroundJob) -> Campaign:
    """Return the campaign of a job. Raises ValidationError if it has been deleted."""
    if job.campaign is None:
        raise ValidationError(_("The campaign no longer exists."), code="gone")
    return job.campaign


@contextmanager
def open_source(job: BackgroundJob) -> Iterator[IO[bytes]]:
    """Open the file that a job was given. Raises ValidationError if it has been deleted."""
    try:
        file = job.source.open("rb")
    except FileNotFoundError:
        raise ValidationError(_("The file no longer exists. Import it again."), code="gone") from None
    with file:
        yield file.file


def keep_produced(job: BackgroundJob, claim: JobClaim, file: IO[bytes], suffix: str) -> None:
    """Store the file that a job has written, in place of that of an earlier attempt."""
    earlier = job.produced.name
    file.seek(0)
    job.produced.save(f"{job.kind}.{suffix}", File(file), save=False)
    try:
        claim.write(produced=job.produced.name)
    except JobLostError:
        delete_stored(str(job.produced.name))
        raise
    if earlier:
        delete_stored(earlier)

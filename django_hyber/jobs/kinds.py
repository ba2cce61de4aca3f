"""The registry of background jobs, and helpers for the functions that do their work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.core.files import File
from django.utils.translation import gettext as _

from django_hyber.db.files import delete_stored
from django_hyber.jobs.claims import JobClaim, JobLostError
from django_hyber.models import BackgroundJob, Campaign

Work = Callable[[BackgroundJob, JobClaim], dict[str, Any]]
KINDS: dict[str, Work] = {}


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

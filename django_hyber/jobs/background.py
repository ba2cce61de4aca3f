"""Background jobs: long work with its progress in the database, for pages to show; and how many rows make work long."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.db import DatabaseError
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from django_hyber.db import lease
from django_hyber.db.apart import apart
from django_hyber.db.clock import database_time
from django_hyber.db.stored_files import delete_file
from django_hyber.db.transactions import after_commit, atomic, lock_shared, write_transaction
from django_hyber.jobs.work import KINDS, LEASE, JobClaim, JobLostError
from django_hyber.log_events import LogEvent, log_failure
from django_hyber.models import TEXT_LIMIT, BackgroundJob, Campaign
from django_hyber.models.people import User
from django_hyber.policies.four_eyes import add_contributor
from django_hyber.queueing import enqueue, enqueue_after_commit, run_now

logger = logging.getLogger("django_hyber")

State = BackgroundJob.State
#: How often a job may be interrupted without coming further than before.
MAX_ATTEMPTS = 5
#: The parameter of a job with how far it has come, and the number of attempts until then.
FURTHEST = "furthest"
#: How long the files of finished jobs are kept, and an upload that is not confirmed.
FILES_STAY = timedelta(days=7)
UPLOADS_STAY = timedelta(days=1)
#: How many rows of each kind one sweep handles; the next sweep continues.
LIMIT = 100
#: Work on fewer rows is done in the request: importing, checking, exporting or retrying them takes 1.6 seconds at most,
#: on PostgreSQL, MariaDB and SQLite alike.
IN_BACKGROUND_FROM = 20_000


def request_job(
    kind: str,
    campaign: Campaign | None,
    parameters: Mapping[str, Any],
    user: User | None,
    source: File[Any] | None = None,
) -> BackgroundJob:
    """Request long work. A task begins it after commit; if that task is lost, a sweep enqueues another.

    ``kind`` is one of BackgroundJob.Kind; ``parameters`` are, for IMPORT, those of import_recipients, for RETRY those
    of retry_failed, for EXPORT the ``format``. ``source`` is the file to import, or a file with the keys of
    the messages to RETRY, one per line.
    """
    job = create_job(State.WAITING, kind, campaign, parameters, user, source)
    enqueue_after_commit("run_job", job.pk)
    return job


def create_job(
    state: str,
    kind: str,
    campaign: Campaign | None,
    parameters: Mapping[str, Any],
    user: User | None,
    source: File[Any] | None,
) -> BackgroundJob:
    """Store a job without enqueueing it. Raises Campaign.DoesNotExist if the campaign has been deleted."""
    job = BackgroundJob(
        kind=kind,
        campaign=campaign,
        parameters={"language": get_language(), **parameters},
        state=state,
        created_by_id=user.pk if user and user.is_authenticated else None,
        lease_until=enqueue_again_at(),
    )
    if source:
        job.source.save(source.name or "", source, save=False)
    with write_transaction():
        keep_campaign(campaign)
        job.save()
    return job


def keep_campaign(campaign: Campaign | None) -> None:
    """Let nobody delete the campaign until the end of the transaction. Raises Campaign.DoesNotExist."""
    if campaign and not lock_shared(Campaign.objects.filter(pk=campaign.pk)):
        raise Campaign.DoesNotExist


def begin_confirmed(job: BackgroundJob, user: User | None, *, at_once: bool, **values: Any) -> bool:
    """Let a job begin that was stored until a person confirmed it, and return whether this call did.

    It runs after commit, ``at_once`` or as a task. The user who stored it and ``user``, who confirms it, have
    contributed to the campaign. ``values`` are columns to write. Raises Campaign.DoesNotExist if it has been deleted.
    """
    stored = BackgroundJob.objects.filter(pk=job.pk, state=State.UPLOADED)
    with write_transaction():
        keep_campaign(job.campaign)
        if not stored.update(state=State.WAITING, lease_until=enqueue_again_at(), **values):
            return False
        if job.campaign:
            add_contributor(job.campaign, job.created_by_id)
            add_contributor(job.campaign, user.pk if user else None)
        after_commit(run_now if at_once else enqueue, "run_job", job.pk)
    return True


def stop_job(job: BackgroundJob) -> bool:
    """Stop work that is waiting or running, and return whether this call did it. Work already done is kept."""
    open_jobs = BackgroundJob.objects.open().filter(pk=job.pk)
    # The worker notices at its next write, which is in the transaction of its work.
    if not open_jobs.update(state=State.STOPPED, finished_at=timezone.now(), lease_until=None):
        return False
    delete_file(job, "source")
    return True


def run_job(pk: int) -> None:
    """Do the work of one job, unless another worker holds it or it is done."""
    job = _claim(pk)
    if job is None:
        return
    claim = JobClaim(job)
    with override(job.parameters.get("language")):
        try:
            result = KINDS[job.kind](job, claim)
        except (JobLostError, Campaign.DoesNotExist):
            # The job is deleted with its campaign.
            _log_lost(pk)
        except ValidationError as error:
            _finish(claim, State.FAILED, " ".join(error.messages))
        except (DatabaseError, OSError) as error:
            # The job stays RUNNING, and a sweep recovers it when the lease has expired.
            log_failure(LogEvent.JOB_CUT_OFF, error, "Job %s was cut off", pk, background_job_id=pk)
        except Exception as error:  # noqa: BLE001  it is logged
            log_failure(LogEvent.JOB_FAILED, error, "Job %s has failed", pk, background_job_id=pk)
            _finish(claim, State.FAILED, _("An unexpected error occurred. See the log of the server."))
        else:
            _finish(claim, State.DONE, result=result)


def recover_jobs() -> int:
    """Enqueue the jobs that no worker holds, and return their number."""
    jobs = BackgroundJob.objects.all()
    due = jobs.open().filter(Q(lease_until=None) | lease.has_ended())
    pks = list(due.order_by("pk").values_list("pk", flat=True)[:LIMIT])
    jobs.filter(pk__in=pks, state=State.WAITING).update(lease_until=enqueue_again_at())
    for pk in pks:
        enqueue("run_job", pk)
    return len(pks)


def clean_up() -> None:
    """Delete old uploads, and the files and personal data of old jobs."""
    jobs, now = BackgroundJob.objects.all(), timezone.now()
    for job in jobs.filter(state=State.UPLOADED, created_at__lte=now - UPLOADS_STAY)[:LIMIT]:
        with apart(background_job_id=job.pk):
            job.delete()
    personal = ~Q(produced="") | ~Q(source="") | Q(result__has_key="rejected")
    for job in jobs.filter(personal, finished_at__lte=now - FILES_STAY)[:LIMIT]:
        with apart(background_job_id=job.pk):
            _delete_personal_data(job)


def _claim(pk: int) -> BackgroundJob | None:
    """Claim a waiting job, or one whose worker is presumed dead."""
    jobs = BackgroundJob.objects.all()
    free = Q(state=State.WAITING) | Q(lease.has_ended(), state=State.RUNNING)
    if not lease.claim(jobs.filter(free, pk=pk), LEASE, state=State.RUNNING, error_text=""):
        return None
    job = jobs.select_related("campaign").filter(pk=pk).first()
    if job is None:
        return None
    if _count_attempts(job) <= MAX_ATTEMPTS:
        return job
    _finish(JobClaim(job), State.FAILED, _("It was interrupted %(number)d times.") % {"number": MAX_ATTEMPTS})
    return None


def _count_attempts(job: BackgroundJob) -> int:
    """Return how many attempts have begun since the job came further than ever before: deploys interrupt it too."""
    furthest = job.parameters.get(FURTHEST, {"done": 0, "attempts": 0})
    if job.done > furthest["done"]:
        furthest = {"done": job.done, "attempts": job.attempts - 1}
        JobClaim(job).rows().update(parameters={**job.parameters, FURTHEST: furthest})
    return int(job.attempts - furthest["attempts"])


def _finish(claim: JobClaim, state: str, error_text: str = "", **values: Any) -> None:
    with atomic():
        job = BackgroundJob.objects.filter(pk=claim.pk).first()
        try:
            claim.write(state=state, error_text=error_text[:TEXT_LIMIT], finished_at=timezone.now(), **values)
        except JobLostError:
            _log_lost(claim.pk)
            return
    if job:
        delete_file(job, "source")


def _log_lost(pk: int) -> None:
    text, ids = "Job %s was stopped or claimed by another worker", {"background_job_id": pk}
    logger.warning(text, pk, extra={"event": LogEvent.CLAIM_LOST, **ids})


def _delete_personal_data(job: BackgroundJob) -> None:
    """Keep only the counts of a job."""
    delete_file(job, "source")
    delete_file(job, "produced")
    kept = {name: value for name, value in job.result.items() if name != "rejected"}
    BackgroundJob.objects.filter(pk=job.pk).update(result=kept)


def enqueue_again_at() -> datetime:
    """Return when a sweep may enqueue a waiting job again: its first task may still be on its way."""
    return database_time() + timedelta(seconds=LEASE)


def are_many(count: int | None) -> bool:
    """Return whether work on so many rows belongs in the background; None stands for rows that nobody has counted."""
    return count is None or count >= IN_BACKGROUND_FROM


def is_large(rows: QuerySet[Any]) -> bool:
    """Return whether there are so many rows that work on them belongs in the background; the rest is not counted."""
    return rows.order_by()[:IN_BACKGROUND_FROM].count() == IN_BACKGROUND_FROM

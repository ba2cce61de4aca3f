"""What each kind of background job does. All of it may be cut off anywhere and be started again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from itertools import islice
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.core.files import File
from django.db.models import Q
from django.utils.translation import gettext as _

from django_hyber.engine.ranks import FAILURES
from django_hyber.engine.transactions import database, write_transaction
from django_hyber.models import BackgroundJob, Campaign
from django_hyber.services.campaigns import retry_failed, retry_messages
from django_hyber.services.exporting import CHUNK, export_recipients
from django_hyber.services.import_columns import ColumnChoice
from django_hyber.services.job_progress import LONG_LEASE, JobClaim
from django_hyber.services.preflight import Preflight, preflight
from django_hyber.services.recipient_files import read_rows
from django_hyber.services.recipients import (
    ImportReport,
    RecipientImport,
    RejectedRow,
    newest_recipient,
    number_rows,
    pages_of,
    prepare,
)
from django_hyber.services.rejected_rows import as_cell

#: How many rejected rows the result of an import shows; the file has all of them.
SHOWN_ROWS = 100

Result = dict[str, Any]


def run_import(job: BackgroundJob, claim: JobClaim) -> Result:
    """Import the file page by page. Each page is committed together with the counts, so that no row counts twice.

    Nothing is imported from a file that cannot be read to its end: it is read through once before.
    """
    campaign, using = _campaign(job), database()
    choice = ColumnChoice(**{name: job.parameters[name] for name in _CHOICES if name in job.parameters})
    result: Result = job.result
    with _opened(job) as file, tempfile.TemporaryFile() as rejected_file:
        if not result:
            result = {"newest": newest_recipient(campaign, using), **report_as_json(ImportReport())}
            claim.write(total=_count_rows(file, claim), result=result)
        work = RecipientImport(campaign, choice, _as_report(result), rejected_file)
        with closing(number_rows(file)) as rows:
            for page in pages_of(islice(rows, work.report.total)):
                work.repeat(page)
                claim.progress(0)
            for page in pages_of(rows):
                with write_transaction(using):
                    prepare(campaign, choice, using)
                    work.add(page, result["newest"], using)
                    result |= report_as_json(work.report)
                    claim.write(done=work.report.total, result=result)
        if rejected_file.tell():
            _keep(job, claim, rejected_file, "csv")
    return result


def run_check(job: BackgroundJob, claim: JobClaim) -> Result:
    """Look at the campaign as it would go out."""
    campaign = _campaign(job)
    claim.write(total=campaign.messages.count())
    return preflight_as_json(preflight(campaign, progress=claim.progress))


def run_retry(job: BackgroundJob, claim: JobClaim) -> Result:
    """Send again to those whose messages have failed so."""
    campaign = _campaign(job)
    result: Result = job.result or {"run": campaign.run}
    # In a later run already: an earlier attempt has done it, and was stopped before it could say so.
    if result["run"] == campaign.run:
        claim.write(result=result, lease=LONG_LEASE)
        _retry(campaign, job)
    return result


def _retry(campaign: Campaign, job: BackgroundJob) -> None:
    if not job.source:
        retry_failed(campaign, **{name: job.parameters[name] for name in _FAILURES if name in job.parameters})
        return
    with _opened(job) as file:
        retry_messages(campaign, Q(status__in=FAILURES), map(int, file))


def run_export(job: BackgroundJob, claim: JobClaim) -> Result:
    """Write the file of recipients."""
    campaign, kind = _campaign(job), job.parameters.get("format", "csv")
    recipients = campaign.messages.count()
    claim.write(total=recipients)
    with tempfile.TemporaryFile() as file:
        for number, piece in enumerate(export_recipients(campaign, kind)):
            file.write(piece)
            claim.progress(min(number * CHUNK, recipients))
        _keep(job, claim, file, kind)
    return {"recipients": recipients}


KINDS: Mapping[str, Callable[[BackgroundJob, JobClaim], Result]] = {
    BackgroundJob.Kind.IMPORT: run_import,
    BackgroundJob.Kind.CHECK: run_check,
    BackgroundJob.Kind.RETRY: run_retry,
    BackgroundJob.Kind.EXPORT: run_export,
}
_CHOICES = ("phone_column", "text_column", "variables")
_FAILURES = ("statuses", "error_codes", "reasons")


def preflight_as_json(found: Preflight) -> Result:
    """Return a pre-flight as a job keeps it: amounts and times are texts, problems have a ``code`` and a ``text``."""
    return {
        **asdict(found),
        "problems": _problems(found.problems),
        "warnings": _problems(found.warnings),
        "cost_low": None if found.cost_low is None else str(found.cost_low),
        "cost_high": None if found.cost_high is None else str(found.cost_high),
        "start_time": found.start_time and found.start_time.isoformat(),
    }


def report_as_json(report: ImportReport) -> Result:
    """Return the report of an import as a job keeps it."""
    rejected = [
        [row.row, str(row.reason), {str(name): as_cell(value) for name, value in row.values.items()}]
        for row in report.rejected[:SHOWN_ROWS]
    ]
    return {**vars(report), "rejected": rejected}


def _as_report(result: Result) -> ImportReport:
    rejected = [RejectedRow(row=row, reason=reason, values=values) for row, reason, values in result["rejected"]]
    counts = {name: value for name, value in result.items() if name not in {"newest", "rejected"}}
    return ImportReport(**counts, rejected=rejected)


def _problems(problems: list[ValidationError]) -> list[dict[str, str]]:
    return [{"code": str(problem.code or ""), "text": text} for problem in problems for text in problem.messages]


def _campaign(job: BackgroundJob) -> Campaign:
    if job.campaign is None:
        raise ValidationError(_("The campaign is gone."), code="gone")
    return job.campaign


@contextmanager
def _opened(job: BackgroundJob) -> Iterator[IO[bytes]]:
    try:
        file = job.source.open("rb")
    except FileNotFoundError:
        raise ValidationError(_("The file is gone. Import it again."), code="gone") from None
    with file:
        yield file.file


def _count_rows(file: IO[bytes], claim: JobClaim) -> int:
    count = 0
    for _row in read_rows(file):
        count += 1
        claim.progress(0)
    return count


def _keep(job: BackgroundJob, claim: JobClaim, file: IO[bytes], suffix: str) -> None:
    file.seek(0)
    job.produced.save(f"{job.kind}.{suffix}", File(file), save=False)
    claim.write(produced=job.produced.name)

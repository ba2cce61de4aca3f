"""What each kind of background job does. All of it may be cut off anywhere and be started again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.core.files import File
from django.db.models import Q
from django.utils.translation import gettext as _

from django_hyber.audience.columns import Columns
from django_hyber.audience.export import export_recipients, export_suppressions
from django_hyber.audience.files.file_type import FileFormat
from django_hyber.audience.files.reading import NumberedRow
from django_hyber.audience.imports import ImportReport, RowImport, newest_row, number_rows
from django_hyber.audience.opt_outs import OptOuts, count_opted_out
from django_hyber.audience.recipients import Recipients
from django_hyber.campaigns.lifecycle import retry_failed, retry_messages
from django_hyber.campaigns.preflight import preflight
from django_hyber.campaigns.preflight_json import preflight_as_json
from django_hyber.db.transactions import database
from django_hyber.jobs.claims import LONG_LEASE, JobClaim
from django_hyber.models import BackgroundJob, Campaign, Suppression
from django_hyber.reports.ranks import FAILURES

Result = dict[str, Any]


def run_import(job: BackgroundJob, claim: JobClaim) -> Result:
    """Import the file page by page. Each page is committed together with the counts, so that no row counts twice.

    Without a campaign the numbers go to the opt-out list. Nothing is imported from a file that cannot be read to its
    end: it is read through once before.
    """
    columns = Columns.of(job.parameters)
    destination = Recipients(job.campaign, columns) if job.campaign else OptOuts(job.parameters.get("reason", ""))
    result: Result = job.result
    with _opened(job) as file, tempfile.TemporaryFile() as rejected_file:
        if not result:
            fresh = ImportReport(removed_characters=job.parameters.get("format", {}).get("nuls", 0))
            result = {"newest": newest_row(destination), **fresh.as_json()}
            claim.write(total=_count_rows(_numbered(job, file), claim), result=result)
        report = ImportReport.from_json(result)
        work = RowImport(destination, columns, report, newest=result["newest"], rejected_file=rejected_file)

        def save(report: ImportReport) -> None:
            claim.write(done=report.total, result=result | report.as_json())

        with closing(_numbered(job, file)) as rows:
            work.repeat(islice(rows, report.total), claim.progress)
            work.add(rows, save)
        if rejected_file.tell():
            _keep(job, claim, rejected_file, "csv")
    if job.campaign:
        report.opted_out = count_opted_out(job.campaign.messages.filter(pk__gt=result["newest"]))
    return result | report.as_json()


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
    """Write the file of recipients, or without a campaign that of the opted-out numbers."""
    kind = job.parameters.get("format", "csv")
    rows = (job.campaign.messages if job.campaign else Suppression.objects.using(database())).count()
    claim.write(total=rows)
    export = partial(export_recipients, job.campaign) if job.campaign else export_suppressions
    with tempfile.TemporaryFile() as file:
        file.writelines(export(kind, progress=claim.progress))
        _keep(job, claim, file, kind)
    return {"recipients": rows}


KINDS: Mapping[str, Callable[[BackgroundJob, JobClaim], Result]] = {
    BackgroundJob.Kind.IMPORT: run_import,
    BackgroundJob.Kind.CHECK: run_check,
    BackgroundJob.Kind.RETRY: run_retry,
    BackgroundJob.Kind.EXPORT: run_export,
}
_FAILURES = ("statuses", "error_codes", "reasons")


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


def _numbered(job: BackgroundJob, file: IO[bytes]) -> Generator[NumberedRow, None, None]:
    known = job.parameters.get("format")
    return number_rows(file, FileFormat(**known) if known else None, job.parameters.get("header", ()))


def _count_rows(rows: Iterator[NumberedRow], claim: JobClaim) -> int:
    count = 0
    for _row in rows:
        count += 1
        claim.progress(0)
    return count


def _keep(job: BackgroundJob, claim: JobClaim, file: IO[bytes], suffix: str) -> None:
    file.seek(0)
    job.produced.save(f"{job.kind}.{suffix}", File(file), save=False)
    claim.write(produced=job.produced.name)

"""The background job that imports a file of numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import IO, Any

from django_hyber.audience.columns import ColumnChoice
from django_hyber.audience.files.reading import FileFormat
from django_hyber.audience.import_report import ImportReport, report_as_json, report_from_json
from django_hyber.audience.opt_outs import OptOuts
from django_hyber.audience.recipients import Recipients, count_opted_out
from django_hyber.audience.rows import Destination, Numbered, RowImport, newest_row, number_rows, pages_of
from django_hyber.db.transactions import database, write_transaction
from django_hyber.jobs.claims import JobClaim
from django_hyber.jobs.kinds import job_kind, keep_produced, open_source
from django_hyber.models import BackgroundJob

#: The parameters of a job that say what the columns are.
CHOICES = ("phone_column", "text_column", "variables")


@job_kind(BackgroundJob.Kind.IMPORT)
def run_import(job: BackgroundJob, claim: JobClaim) -> dict[str, Any]:
    """Import the file page by page. Each page is committed together with the counts, so that no row counts twice.

    Without a campaign the numbers go to the opt-out list. Nothing is imported from a file that cannot be read to its
    end: it is read through once before.
    """
    using = database()
    choice = ColumnChoice(**{name: job.parameters[name] for name in CHOICES if name in job.parameters})
    destination = _destination(job, choice)
    result: dict[str, Any] = job.result
    with open_source(job) as file, tempfile.TemporaryFile() as rejected_file:
        if not result:
            fresh = ImportReport(removed_characters=job.parameters.get("format", {}).get("nuls", 0))
            result = {"newest": newest_row(destination, using), **report_as_json(fresh)}
            claim.write(total=_count_rows(_numbered(job, file), claim), result=result)
        work = RowImport(destination, choice, report_from_json(result), rejected_file)
        with closing(_numbered(job, file)) as rows:
            for page in pages_of(islice(rows, work.report.total)):
                work.repeat(page)
                claim.progress(0)
            for page in pages_of(rows):
                with write_transaction(using):
                    destination.prepare(using)
                    work.add(page, result["newest"], using)
                    result |= report_as_json(work.report)
                    claim.write(done=work.report.total, result=result)
        if rejected_file.tell():
            keep_produced(job, claim, rejected_file, "csv")
    if job.campaign:
        result["opted_out"] = count_opted_out(job.campaign, result["newest"])
    return result


def _destination(job: BackgroundJob, choice: ColumnChoice) -> Destination:
    return Recipients(job.campaign, choice) if job.campaign else OptOuts(job.parameters.get("reason", ""))


def _numbered(job: BackgroundJob, file: IO[bytes]) -> Generator[Numbered, None, None]:
    known = job.parameters.get("format")
    return number_rows(file, FileFormat(**known) if known else None, job.parameters.get("header", ()))


def _count_rows(rows: Iterator[Numbered], claim: JobClaim) -> int:
    count = 0
    for _row in rows:
        count += 1
        claim.progress(0)
    return count

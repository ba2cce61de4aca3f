"""The background job that imports rows into a campaign or the opt-out list: those of an uploaded file, or objects."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import closing
from functools import partial
from itertools import islice
from typing import IO, Any

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.columns import Columns
from django_hyber.audience.files.encodings import GarbledSheetError
from django_hyber.audience.files.file_type import FileFormat, ReadNotes, UnreadableFileError
from django_hyber.audience.files.reading import NumberedRow, read_cells, read_rows
from django_hyber.audience.import_numbers import NumberChoice
from django_hyber.audience.imports import ImportReport, RowImport, newest_row, save_counts
from django_hyber.audience.objects import import_objects, is_of_objects
from django_hyber.audience.opt_outs import OptOuts
from django_hyber.audience.recipients import Recipients
from django_hyber.jobs.work import JobClaim, job_kind, keep_produced, open_source
from django_hyber.models import BackgroundJob

#: While the rows are counted, the progress is written, and the lease renewed, after so many.
ROWS_PER_RENEWAL = 1_000
#: In a large file, this is found only after the import was confirmed, when nobody can be asked any more.
GARBLED = _(
    "Letters were garbled before the file was saved, as in row %(row)d (sheet “%(sheet)s”, column “%(column)s”). "
    "Export the table again. If the text is right, upload the file again and choose the encoding UTF-8."
)


@job_kind(BackgroundJob.Kind.IMPORT)
def run_import(job: BackgroundJob, claim: JobClaim) -> dict[str, Any]:
    """Import the file page by page. Each page is committed together with the counts, so that no row counts twice.

    Without a campaign the numbers go to the opt-out list. Nothing is imported from a file that cannot be read to its
    end: it is read through once before. The rows of other jobs are objects of the project.
    """
    if is_of_objects(job):
        return import_objects(job, claim)
    columns = Columns.of(job.parameters)
    notes = ReadNotes()
    destination = _destination(job, columns, NumberChoice.of(job.parameters))
    result: dict[str, Any] = job.result
    with open_source(job) as file, tempfile.TemporaryFile() as rejected_file:
        if not result:
            result = {"newest": newest_row(destination), **ImportReport.of_file(_format_of(job)).as_json()}
            claim.write(total=_count_rows(job, file, claim), result=result)
        report = ImportReport.from_json(result)
        work = RowImport(destination, columns, report, newest=result["newest"], rejected_file=rejected_file)
        with closing(_rows_of(job, file, notes)) as unread:
            rows = work.with_sample(unread)
            work.repeat(islice(rows, report.total), claim.progress)
            work.add(rows, partial(save_counts, claim, result))
        report.take_notes(notes)
        if rejected_file.tell():
            keep_produced(job, claim, rejected_file, "csv")
    if isinstance(destination, Recipients):
        report.opted_out = destination.count_opted_out(result["newest"])
    return result | report.as_json()


def survey_numbers(job: BackgroundJob, phone_column: str) -> ImportReport | None:
    """Return what an import of a column would count and leave out, or None for a file that is too large to wait."""
    if job.parameters.get("rows") is None:
        return None
    columns = Columns(phone_column=phone_column, variables={})
    report = ImportReport()
    with open_source(job) as file, closing(_rows_of(job, file)) as rows:
        RowImport(_destination(job, columns, NumberChoice()), columns, report, newest=0).survey(rows)
    return report


def _destination(job: BackgroundJob, columns: Columns, numbers: NumberChoice) -> Recipients | OptOuts:
    if job.campaign:
        return Recipients(job.campaign, columns, numbers)
    user = job.created_by
    added_by = user.get_username() if user else ""
    return OptOuts(job.parameters.get("reason", ""), added_by, foreign=numbers.foreign)


def _count_rows(job: BackgroundJob, file: IO[bytes], claim: JobClaim) -> int:
    """Return how many rows the file has, as far as it can be read to its end."""
    count = 0
    with closing(read_cells(file, _format_of(job), job.parameters.get("header", ()), ReadNotes())) as rows:
        try:
            for count, _row in enumerate(rows, start=1):
                if count % ROWS_PER_RENEWAL == 0:
                    claim.progress(0)
        except GarbledSheetError as error:
            raise UnreadableFileError(GARBLED, code=error.code, params=error.params) from None
    return count


def _rows_of(job: BackgroundJob, file: IO[bytes], notes: ReadNotes | None = None) -> Generator[NumberedRow, None, None]:
    return read_rows(file, _format_of(job), job.parameters.get("header", ()), notes)


def _format_of(job: BackgroundJob) -> FileFormat | None:
    known = job.parameters.get("format")
    return FileFormat(**known) if known else None

"""Uploaded files of numbers: stored until a person has matched their columns, then imported by a background job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from itertools import islice
from pathlib import PurePath
from typing import IO, Any

from django.core.files.base import ContentFile, File
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from django_hyber.audience.columns import REASON, SAMPLE_ROWS, Columns, guess_phone
from django_hyber.audience.files.encodings import UncertainEncodingError
from django_hyber.audience.files.file_type import FileFormat, ReadNotes, ReadOptions, UnreadableFileError
from django_hyber.audience.files.headers import has_phone_header
from django_hyber.audience.files.reading import (
    file_type,
    first_rows,
    read_rows,
    recognize,
)
from django_hyber.audience.import_numbers import NumberChoice
from django_hyber.db.transactions import write_transaction
from django_hyber.jobs.background import are_many, begin_confirmed, create_job, keep_campaign
from django_hyber.jobs.work import open_source
from django_hyber.models import BackgroundJob, Campaign
from django_hyber.models.people import User
from django_hyber.policies.four_eyes import add_contributor
from django_hyber.protocol import clean_text

State = BackgroundJob.State
MEGABYTE = 1024 * 1024
MAX_BYTES = 100 * MEGABYTE
#: The rows of a larger file are not counted before it is imported, which is then done in the background.
LARGE_BYTES = MEGABYTE
#: A person can do something about these on the page of columns: choose the encoding, the header or the sheet.
CHOOSABLE = frozenset(("uncertain-encoding", "repeated-columns", "no-header-row"))
CHOOSABLE_OF_SHEETS = CHOOSABLE | {"empty", "no-rows", "no-header"}
#: How many rows show where the header is.
TOP_ROWS = 8
TOP_CELLS = 10
MAX_COLUMNS = 200
LONGEST_NAME = 200
SHOWN_ROWS = 5
SHOWN_CHARACTERS = 200
#: What is only shown until the import is confirmed, and what each reading of the file finds out.
SHOWN_ONLY = frozenset(("preview", "top", "encodings"))
READ_BY_LOOK = SHOWN_ONLY | {"wanted", "format", "rows", "problem"}
PASTED_COLUMNS = Columns(phone_column="phone", variables={REASON: REASON})
#: The likeliest separator of pasted text first: a reason may contain a comma.
PASTED_SEPARATORS = "\t;,"


def keep_upload(campaign: Campaign | None, user: User | None, source: File[Any], *, reason: str = "") -> BackgroundJob:
    """Store a file of numbers until its import is confirmed; without that it is deleted after a day.

    Without a campaign the numbers are for the opt-out list, and ``reason`` is for the rows that have none. A file of
    which a person has to choose how it is read is stored too; it cannot be confirmed before ``read_again``.
    Raises UnreadableFileError.
    """
    check_size(source)
    file: IO[bytes] = source.file  # type: ignore[assignment]  # Django's File knows only that it is some file
    parameters = {
        "file_name": clean_text(PurePath(source.name or "").name)[:LONGEST_NAME],
        "reason": reason,
        **_look_into(file, ReadOptions(only_numbers=campaign is None), source.size, campaign),
    }
    # Stored with the ending of what it is: the ending that it came with may be anything, and a web page to a browser.
    kind = parameters.get("format", {}).get("kind", "csv")
    stored = File(file, name=f"upload.{kind}")
    return create_job(State.UPLOADED, BackgroundJob.Kind.IMPORT, campaign, parameters, user, stored)


def check_size(source: File[Any]) -> None:
    """Raise UnreadableFileError for a file that is too large to be stored."""
    if source.size > MAX_BYTES:
        raise UnreadableFileError(
            _("The file is larger than %(most)d MB. Split it into several files."),
            code="too-large",
            params={"most": MAX_BYTES // MEGABYTE},
        )


def keep_pasted(user: User | None, text: str, *, reason: str = "") -> tuple[BackgroundJob, Columns | None]:
    """Store pasted numbers for the opt-out list: one per line, optionally followed by a reason.

    Returns the upload and, unless the first line names columns for a person to match, the columns to confirm.
    Raises UnreadableFileError.
    """
    if not any(map(str.isalpha, text)):
        text = text.replace(",", "\n").replace(";", "\n")
    separator = next((mark for mark in PASTED_SEPARATORS if mark in text), ",")
    first_line = text.strip().split("\n", 1)[0]
    has_header = has_phone_header(first_line.split(separator))
    header = () if has_header else ("phone", REASON)
    content = ContentFile(text.encode("utf-8", "replace"), name="pasted.csv")
    found = FileFormat(kind="csv", encoding="utf-8", separator=separator)
    parameters = {
        "header": header,
        "reason": reason,
        **_preview(content.file, found, header, content.size, None),
    }
    job = create_job(State.UPLOADED, BackgroundJob.Kind.IMPORT, None, parameters, user, content)
    return job, None if has_header else PASTED_COLUMNS


def read_again(job: BackgroundJob, options: ReadOptions, user: User | None = None) -> None:
    """Read a stored file in another way; what is wrong with that is kept with the job.

    The user chooses in this way whom the file has, and becomes a contributor to the campaign.
    """
    if job.campaign:
        with write_transaction():
            keep_campaign(job.campaign)
            add_contributor(job.campaign, user.pk if user else None)
    with open_source(job) as file:
        try:
            options = replace(options, only_numbers=job.campaign is None)
            read = _look_into(file, options, job.source.size, job.campaign)
        except UnreadableFileError as error:
            read = {"wanted": asdict(options), "preview": None, "problem": " ".join(error.messages)}
    parameters = {name: value for name, value in job.parameters.items() if name not in READ_BY_LOOK}
    uploads = BackgroundJob.objects.filter(pk=job.pk, state=State.UPLOADED)
    uploads.update(parameters={**parameters, "format": job.parameters.get("format"), **read})


def describe_format(job: BackgroundJob) -> str:
    """Return how the file of an upload is read, in the reader's language."""
    found = FileFormat(**job.parameters["format"])
    return file_type(found.kind).describe(found)


def is_large_upload(job: BackgroundJob) -> bool:
    """Return whether an upload is imported in the background."""
    return are_many(job.parameters.get("rows"))


def confirm_upload(
    job: BackgroundJob, parameters: Mapping[str, Any], *, at_once: bool = False, user: User | None = None
) -> bool:
    """Import a stored file, ``at_once`` or in the background, and return whether this call started it.

    The parameters are those of import_recipients that say what the columns are and which numbers are taken. The
    user who uploaded the file and ``user``, who confirms its columns, have contributed to the campaign. Raises
    UnreadableFileError for a file of which a person has to choose how it is read.
    """
    if job.parameters.get("problem"):
        raise UnreadableFileError(job.parameters["problem"], code="unreadable")
    known = {name: value for name, value in job.parameters.items() if name not in SHOWN_ONLY}
    chosen = {**Columns.of(parameters).as_parameters(), **NumberChoice.of(parameters).as_parameters()}
    wanted = {**known, **chosen, "language": get_language()}
    return begin_confirmed(job, user, at_once=at_once, parameters=wanted)


def discard_upload(job: BackgroundJob) -> bool:
    """Delete a stored file that has not been confirmed, and return whether this call did."""
    return bool(BackgroundJob.objects.filter(pk=job.pk, state=State.UPLOADED).delete()[0])


def _look_into(file: IO[bytes], options: ReadOptions, n_bytes: int, campaign: Campaign | None) -> dict[str, Any]:
    """Return what the page shows of a file, with the problem if a person can choose to read it in another way.

    Raises UnreadableFileError for other problems.
    """
    wanted = {"wanted": asdict(options)}
    try:
        found = recognize(file, options)
    except UncertainEncodingError as error:
        return wanted | _choice_of_encoding(error)
    known = {**wanted, "format": asdict(found), "top": _top_rows(file, found)}
    try:
        return {**known, **_preview(file, found, (), n_bytes, campaign)}
    except UncertainEncodingError as error:
        return known | _choice_of_encoding(error)
    except UnreadableFileError as error:
        if error.code not in (CHOOSABLE_OF_SHEETS if len(found.sheets) > 1 else CHOOSABLE):
            raise
        return {**known, "preview": None, "problem": " ".join(error.messages)}


def _choice_of_encoding(error: UncertainEncodingError) -> dict[str, Any]:
    choices = [list(choice) for choice in error.choices]
    return {"encodings": choices, "preview": None, "problem": error.question % error.params}


def _top_rows(file: IO[bytes], found: FileFormat) -> list[tuple[int, list[str]]]:
    rows = first_rows(file, found, TOP_ROWS)
    return [(number, [str(cell)[:SHOWN_CHARACTERS] for cell in cells[:TOP_CELLS]]) for number, cells in rows]


def _preview(
    file: IO[bytes], found: FileFormat, header: Sequence[str], n_bytes: int, campaign: Campaign | None
) -> dict[str, Any]:
    """Return what the page shows of a file. A small file is read to its end, which shows that it is readable."""
    notes = ReadNotes()
    with closing(read_rows(file, found, header, notes)) as rows:
        # Those of a large file also show whether it is garbled.
        first = list(islice(rows, SAMPLE_ROWS))
        is_small = n_bytes <= LARGE_BYTES
        count = len(first) + (sum(1 for _row in rows) if is_small else 0)
    if not first:
        raise UnreadableFileError(_("The file has no rows below the names of its columns."), code="no-rows")
    headers = list(first[0][1])
    if len(headers) > MAX_COLUMNS:
        raise UnreadableFileError(
            _("The file has more than %(most)d columns. Keep only those that are needed."),
            code="too-many-columns",
            params={"most": MAX_COLUMNS},
        )
    shown = [[number, [value[:SHOWN_CHARACTERS] for value in values.values()]] for number, values in first[:SHOWN_ROWS]]
    preview = {
        "headers": headers,
        "phone_columns": guess_phone(headers, [[*values.values()] for _number, values in first], campaign),
        "rows": shown,
        "hidden_rows": notes.hidden_rows,
        "hidden_columns": notes.hidden_columns,
        "inexact_columns": notes.inexact_columns,
    }
    return {"format": asdict(found), "preview": preview, "rows": count if is_small else None}

"""What became of the rows of an import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise

from django_hyber.audience.files.rejected import as_cell

#: How many rejected rows a report keeps, and the result of a background job.
KEPT_ROWS = 1_000
SHOWN_ROWS = 100


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A row that was left out. ``row`` counts from 1 and includes the header line of a file."""

    row: int
    reason: str | Promise
    values: Mapping[str, Any]


@dataclass(kw_only=True)
class ImportReport:
    """What became of the rows: ``total`` = ``accepted`` + ``duplicates`` + ``existing`` + ``rejected_count``.

    ``duplicates`` repeat a number of the same source, ``existing`` were there before. ``opted_out`` of the accepted
    recipients will be left out of the sending. ``reasons`` counts the rejected rows by reason, in English for
    translation; ``rejected`` holds the first 1,000 of them: all are in the file that the import was given for them.
    ``removed_characters`` are the NUL characters that were taken out of a text file.
    """

    total: int = 0
    accepted: int = 0
    duplicates: int = 0
    existing: int = 0
    opted_out: int = 0
    rejected_count: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    rejected: list[RejectedRow] = field(default_factory=list)
    ignored_columns: list[str] = field(default_factory=list)
    removed_characters: int = 0


def report_as_json(report: ImportReport) -> dict[str, Any]:
    """Return the report of an import as a job keeps it."""
    # Pairs, because PostgreSQL puts the names of an object into an order of its own.
    rejected = [
        [row.row, str(row.reason), [[str(name), as_cell(value)] for name, value in row.values.items()]]
        for row in report.rejected[:SHOWN_ROWS]
    ]
    return {**vars(report), "rejected": rejected}


def report_from_json(result: Mapping[str, Any]) -> ImportReport:
    """Return the report that a job has kept; after a while it does not tell the rejected rows any more."""
    shown = result.get("rejected", ())
    rejected = [RejectedRow(row=row, reason=reason, values=dict(pairs)) for row, reason, pairs in shown]
    counts = {name: value for name, value in result.items() if name not in {"newest", "rejected"}}
    return ImportReport(**counts, rejected=rejected)

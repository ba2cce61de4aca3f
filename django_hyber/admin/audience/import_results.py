"""What the pages of an import show: how the file is read, how far it is, and what became of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.common.paginators import grouped
from django_hyber.audience.columns import Columns, missing_variables
from django_hyber.audience.files.file_type import FileFormat
from django_hyber.audience.files.reading import file_type
from django_hyber.audience.imports import ImportReport
from django_hyber.models import BackgroundJob
from django_hyber.privacy import MASK, mask_phone

#: Seconds between two looks at an import that is under way.
REFRESH = 1
MOST_DIGITS = 15


class RejectedLine(NamedTuple):
    """A row that was left out, as the page shows it."""

    number: int
    reason: str
    values: str


@dataclass(frozen=True, kw_only=True)
class ImportPage:
    """An import that has been confirmed. ``refresh`` is "" once nothing changes any more by itself."""

    job: BackgroundJob
    report: ImportReport
    is_open: bool
    done: str
    total: str
    reasons: list[tuple[str, int]]
    rejected: list[RejectedLine]
    missing: list[str]
    refresh: str
    summary: str


def import_page(job: BackgroundJob, *, is_masked: bool) -> ImportPage:
    """Return what the page of an import shows."""
    report = ImportReport.from_json(job.result) if job.result else ImportReport()
    is_open = job.is_open
    reasons = sorted(report.reasons.items(), key=lambda item: (-item[1], item[0]))
    rejected = [
        RejectedLine(row.row, str(row.reason), " · ".join(shown_values(list(row.values.values()), is_masked=is_masked)))
        for row in report.rejected
    ]
    return ImportPage(
        job=job,
        report=report,
        is_open=is_open,
        done=str(job.done),
        total=str(job.total or ""),
        reasons=[(_(reason), count) for reason, count in reasons],
        rejected=rejected,
        missing=_missing(job),
        refresh=str(REFRESH) if is_open else "",
        summary=_("Import: %(state)s.") % {"state": job.get_state_display()},
    )


def shown_values(values: Sequence[str], *, is_masked: bool) -> list[str]:
    """Return values of a file, masked for those who may not see personal data."""
    return [_masked(value) for value in values] if is_masked else list(values)


def format_text(parameters: Mapping[str, Any], size: int) -> str:
    """Return how a file is read, as in "CSV, UTF-8, separated by semicolons, 12 rows"."""
    found, rows = FileFormat(**parameters["format"]), parameters["rows"]
    if rows is None:
        length = filesizeformat(size)
    else:
        length = ngettext("%(count)s row", "%(count)s rows", rows) % {"count": grouped(rows)}
    return f"{file_type(found.kind).describe(found)}, {length}"


def _missing(job: BackgroundJob) -> list[str]:
    variables = Columns.of(job.parameters).variables
    return [] if variables is None else missing_variables(variables.values(), job.campaign)


def _masked(value: str) -> str:
    digits = value.removeprefix("+")
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= MOST_DIGITS
    return mask_phone(value) if is_number else MASK if value else ""

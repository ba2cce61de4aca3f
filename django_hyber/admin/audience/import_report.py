"""What the pages of an import show: how its file is read, its result, and values masked for who may not see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.audience.import_numbers import CountedNumbers, counted_numbers
from django_hyber.admin.common.paginators import grouped
from django_hyber.audience.columns import Columns, missing_variables
from django_hyber.audience.imports import ImportReport
from django_hyber.audience.objects import is_of_objects
from django_hyber.audience.uploads import describe_format
from django_hyber.models import BackgroundJob
from django_hyber.privacy import MASK, mask_phone, mask_phones_in

#: Seconds between two polls of an import that is under way.
REFRESH = 1
MOST_DIGITS = 15


class RejectedLine(NamedTuple):
    """A rejected row."""

    number: int
    reason: str
    values: str


@dataclass(frozen=True, kw_only=True)
class ImportPage:
    """A confirmed import. ``refresh`` is "" when nothing can change by itself."""

    job: BackgroundJob
    report: ImportReport
    numbers: CountedNumbers
    is_of_objects: bool
    is_open: bool
    done: str
    total: str
    reasons: list[tuple[str, int]]
    rejected: list[RejectedLine]
    missing: list[str]
    refresh: str
    summary: str

    @property
    def not_added(self) -> int:
        """The valid rows that were not added, for users who must not learn which numbers were there already."""
        return self.report.duplicates + self.report.existing


def import_page(job: BackgroundJob, *, is_masked: bool) -> ImportPage:
    """Return what the page of an import shows."""
    report = ImportReport.from_json(job.result) if job.result else ImportReport()
    is_open = job.is_open
    reasons = sorted(report.reasons.items(), key=lambda item: (-item[1], item[0]))
    rejected = []
    for row in report.rejected:
        values = shown_values(list(row.values.values()), is_masked=is_masked)
        rejected.append(RejectedLine(row.row, mask_phones_in(str(row.reason)), " · ".join(values)))
    return ImportPage(
        job=job,
        report=report,
        numbers=counted_numbers(report),
        is_of_objects=is_of_objects(job),
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


def format_text(job: BackgroundJob) -> str:
    """Return how a file is read, as in "CSV, UTF-8, separated by semicolons, 12 rows"."""
    rows = job.parameters["rows"]
    if rows is None:
        length = filesizeformat(job.source.size)
    else:
        length = ngettext("%(count)s row", "%(count)s rows", rows) % {"count": grouped(rows)}
    return f"{describe_format(job)}, {length}"


def _missing(job: BackgroundJob) -> list[str]:
    variables = Columns.of(job.parameters).variables
    return [] if variables is None else missing_variables(variables.values(), job.campaign)


def _masked(value: str) -> str:
    digits = value.removeprefix("+")
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= MOST_DIGITS
    return mask_phone(value) if is_number else MASK if value else ""

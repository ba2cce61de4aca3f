"""The opt-out list as a whole: lists that come in, and the list that goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import IO, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from django_hyber.audience.columns import ColumnChoice
from django_hyber.audience.export import FORMATS, ExportError, Format, as_time, write_csv
from django_hyber.audience.files.reading import protect, protect_protected
from django_hyber.audience.files.xlsx import MAX_ROWS, Cell, write_workbook
from django_hyber.audience.import_report import ImportReport
from django_hyber.audience.rows import Source, import_rows
from django_hyber.db.pages import table_pages
from django_hyber.db.transactions import database
from django_hyber.models import Suppression
from django_hyber.protocol import InvalidPhone
from django_hyber.protocol.phones.numbers import SEVERAL
from django_hyber.words import home_region

CHUNK = 5_000
REASON = "reason"
LONGEST_REASON = 255
#: As many digits make a phone number, and no reason.
_LEAST_DIGITS = 9


class NewSuppression(NamedTuple):
    """A row as it goes into the table."""

    phone_number: str
    reason: str
    created_at: datetime


class OptOuts:
    """The opt-out list as the destination of an import. ``reason`` is for the rows that tell none."""

    model = Suppression
    columns = NewSuppression._fields

    def __init__(self, reason: str = "") -> None:
        self.region = home_region()
        self._reason = reason[:LONGEST_REASON]
        self._now = timezone.now()

    def prepare(self, using: str) -> None:
        """Nothing stands in the way."""

    def rows(self, using: str) -> QuerySet[Suppression]:
        """Return the list."""
        return Suppression.objects.using(using)

    def as_row(self, phone: str, values: dict[str, str]) -> NewSuppression:
        """Return an entry; a second number in the place of the reason must not get lost as one."""
        reason = values.get(REASON, "").strip()
        if sum(map(str.isdecimal, reason)) >= _LEAST_DIGITS and not any(map(str.isalpha, reason)):
            raise InvalidPhone(SEVERAL)
        return NewSuppression(phone, reason[:LONGEST_REASON] or self._reason, self._now)


def import_suppressions(
    source: Source,
    *,
    phone_column: str = "",
    reason_column: str = "",
    reason: str = "",
    rejected_file: IO[bytes] | None = None,
    progress: Callable[[int], object] | None = None,
) -> ImportReport:
    """Put numbers on the opt-out list: all of the good rows, or nothing if the file is broken.

    ``source`` is an iterable of dicts or an open binary file (CSV, XLSX). ``reason`` is written where the row tells
    none. All rejected rows go to ``rejected_file`` as CSV; ``progress`` is called with the number of rows read so far.

    Raises UnreadableFileError for a file that cannot be read or lacks a column.
    """
    choice = ColumnChoice(phone_column=phone_column, variables={reason_column: REASON} if reason_column else None)
    report, _newest = import_rows(OptOuts(reason), choice, source, rejected_file, progress)
    return report


def export_suppressions(format: Format = "csv") -> Iterator[bytes]:  # noqa: A002  the usual word
    """Return the pieces of a file with every opted-out number, the reason, and since when; it can be imported again.

    The memory that it takes does not grow with the list. No text in it can become a formula, as in export_recipients.

    Raises ValueError for another format, ExportError for more numbers than an XLSX sheet has rows.
    """
    if format not in FORMATS:
        raise ValueError(f"Opted-out numbers are exported as {' or '.join(FORMATS)}, not as {format!r}.")
    if format == "xlsx" and Suppression.objects.using(database()).count() >= MAX_ROWS:
        text = _("An XLSX table has room for %(most)d numbers. Export the list as CSV.")
        raise ExportError(text, code="too-many", params={"most": MAX_ROWS - 1})
    pages = _pages_of_rows(["phone", REASON, _("added at")], protect if format == "csv" else protect_protected)
    return write_csv(pages) if format == "csv" else write_workbook(pages)


def _pages_of_rows(header: list[str], protected: Callable[[str], str]) -> Iterator[list[Sequence[Cell]]]:
    zone = timezone.get_current_timezone()
    plus = protected("+")
    yield [header]
    for page in table_pages(Suppression.objects.using(database()), CHUNK, "phone_number", "reason", "created_at"):
        yield [(plus + phone, protected(reason), as_time(added, zone)) for _pk, phone, reason, added in page]

"""Rows on their way into a table, page by page, and the report of what became of each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import IO, Any, Protocol, cast

from django.db.models import Max, Model, QuerySet
from django.utils.translation import gettext_lazy, gettext_noop

from django_hyber.audience.columns import ColumnChoice, Layout, lay_out
from django_hyber.audience.files.reading import FileFormat, WideRow, read_rows, recognise
from django_hyber.audience.files.rejected import RejectedRowsFile
from django_hyber.audience.import_report import KEPT_ROWS, ImportReport, RejectedRow
from django_hyber.db.bulk import insert_rows
from django_hyber.db.transactions import database, write_transaction
from django_hyber.protocol import InvalidPhone, clean_text, normalize_phone

#: How many rows are written at once.
CHUNK = 5_000
TOO_WIDE = gettext_noop(
    "This row has more values than there are columns. Put a value that holds the separator in quotation marks."
)

Source = IO[bytes] | Iterable[Mapping[str, Any]]
Numbered = tuple[int, Mapping[str, Any]]


class Destination(Protocol):
    """Where the numbers of an import go, read by the rules of ``region``."""

    region: str | None

    @property
    def model(self) -> type[Model]:
        """The table."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of what a row is made of."""

    def prepare(self, using: str) -> None:
        """Lock what must not change until the end of the transaction. Raises ValidationError to refuse."""

    def rows(self, using: str) -> QuerySet[Any]:
        """Return the rows that are there, of which each has a ``phone_number`` of its own."""

    def as_row(self, phone: str, values: dict[str, str]) -> Sequence[Any]:
        """Return the new row. Raises InvalidPhone to reject it."""


class RowImport:
    """The way of rows to their destination, page by page; what became of them is in ``report``."""

    def __init__(
        self,
        destination: Destination,
        choice: ColumnChoice,
        report: ImportReport,
        rejected_file: IO[bytes] | None = None,
    ) -> None:
        self.report = report
        self._destination = destination
        self._choice = choice
        self._rejected_file = RejectedRowsFile(rejected_file) if rejected_file else None
        self._layouts: dict[tuple[str, ...], Layout] = {}

    def add(self, page: Iterable[Numbered], newest: int, using: str) -> None:
        """Write a page of rows; what has a key up to ``newest`` was there before the import."""
        phones: list[str] = []
        rows: list[Sequence[Any]] = []
        for number, values in page:
            self.report.total += 1
            try:
                phone, row = self._read(values)
            except InvalidPhone as error:
                self._reject(number, values, error.reason)
                continue
            phones.append(phone)
            rows.append(row)
        before = self._found_before(phones, newest, using)
        accepted = insert_rows(self._destination.model, self._destination.columns, rows, using)
        existing = sum(phone in before for phone in phones)
        self.report.accepted += accepted
        self.report.existing += existing
        self.report.duplicates += len(rows) - accepted - existing

    def repeat(self, page: Iterable[Numbered]) -> None:
        """Go over rows that an earlier run has added, for their part in the file of rejected rows."""
        for number, values in page:
            try:
                self._read(values)
            except InvalidPhone as error:
                self._write_rejected(number, values, error.reason)

    def _read(self, values: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
        layout = self._layout(values)
        if isinstance(values, WideRow):
            raise InvalidPhone(TOO_WIDE)
        phone = normalize_phone(values[layout.phone], self._destination.region)
        return phone, self._destination.as_row(
            phone, {name: as_text(values[header]) for header, name in layout.variables}
        )

    def _found_before(self, phones: Sequence[str], newest: int, using: str) -> set[str]:
        if not newest or not phones:
            return set()
        known = self._destination.rows(using).filter(pk__lte=newest, phone_number__in=phones)
        return set(known.order_by().values_list("phone_number", flat=True))

    def _reject(self, number: int, values: Mapping[str, Any], reason: str) -> None:
        self.report.rejected_count += 1
        self.report.reasons[reason] = self.report.reasons.get(reason, 0) + 1
        if len(self.report.rejected) < KEPT_ROWS:
            row = RejectedRow(row=number, reason=gettext_lazy(reason), values=dict(values))
            self.report.rejected.append(row)
        self._write_rejected(number, values, reason)

    def _write_rejected(self, number: int, values: Mapping[str, Any], reason: str) -> None:
        if self._rejected_file:
            self._rejected_file.write(number, gettext_lazy(reason), values)

    def _layout(self, values: Mapping[str, Any]) -> Layout:
        headers = tuple(values)
        if headers not in self._layouts:
            layout = self._layouts[headers] = lay_out(headers, self._choice)
            ignored = set(layout.ignored) - set(self.report.ignored_columns)
            self.report.ignored_columns += sorted(ignored)
        return self._layouts[headers]


def import_rows(
    destination: Destination,
    choice: ColumnChoice,
    source: Source,
    rejected_file: IO[bytes] | None = None,
    progress: Callable[[int], object] | None = None,
) -> tuple[ImportReport, int]:
    """Import all rows in one transaction; return the report and the key of the newest row from before."""
    using = database()
    file_format = recognise(cast("IO[bytes]", source)) if hasattr(source, "read") else None
    report = ImportReport(removed_characters=file_format.nuls if file_format else 0)
    work = RowImport(destination, choice, report, rejected_file)
    with write_transaction(using), closing(number_rows(source, file_format)) as rows:
        destination.prepare(using)
        newest = newest_row(destination, using)
        for page in pages_of(rows):
            work.add(page, newest, using)
            if progress:
                progress(work.report.total)
    return work.report, newest


def newest_row(destination: Destination, using: str) -> int:
    """Return the key of the row that was added last, or 0."""
    newest: int | None = destination.rows(using).aggregate(newest=Max("pk"))["newest"]
    return newest or 0


def number_rows(
    source: Source, file_format: FileFormat | None = None, header: Sequence[str] = ()
) -> Generator[Numbered, None, None]:
    """Yield the rows with their numbers."""
    if hasattr(source, "read"):
        yield from read_rows(cast("IO[bytes]", source), file_format, header)
    else:
        yield from enumerate(source, start=1)


def pages_of(rows: Iterator[Numbered]) -> Iterator[list[Numbered]]:
    """Yield the rows in pages."""
    while page := list(islice(rows, CHUNK)):
        yield page


def as_text(value: object) -> str:
    """Return a value of a file as text; spreadsheets make floats of whole numbers."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean_text(str(value))

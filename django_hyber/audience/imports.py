"""The import of rows into a table, page by page, with a report."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import IO, Any, Protocol, cast

from django.db.models import Max, Model, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, gettext_noop

from django_hyber.audience.columns import SAMPLE_ROWS, Columns
from django_hyber.audience.files.cells import ShownText, value_of_code
from django_hyber.audience.files.csv_file import RejectedRowsFile
from django_hyber.audience.files.file_type import FileFormat, ReadNotes, ReadOptions, UnreadableFileError
from django_hyber.audience.files.reading import NumberedRow, UncalculatedRow, WideRow, read_rows, recognize
from django_hyber.audience.import_numbers import NumberReader, NumberRules, count_left_out
from django_hyber.db.bulk import CHUNK, insert_rows
from django_hyber.db.transactions import write_transaction
from django_hyber.jobs.work import JobClaim
from django_hyber.protocol import InvalidPhone, PhoneNumber
from django_hyber.protocol.collector import paused_collector

#: A chunk with so many characters has fewer rows.
CHUNK_CHARACTERS = 8 * 1024 * 1024
#: What is left of a number that a spreadsheet has shown as 3.80671E+11.
ROUNDED = "000000"
#: How many rejected rows a report keeps, and the result of a background job.
KEPT_ROWS = 1_000
KEPT_BY_JOBS = 100
KEPT_CHARACTERS = 4 * 1024 * 1024
TOO_WIDE = gettext_noop(
    "This row has more values than there are columns. Put quotation marks around a value that contains the separator."
)
NO_RESULT = gettext_noop(
    "A formula of this row has no result in the file. Open the table in a spreadsheet, save it, and import it again."
)

Source = IO[bytes] | Iterable[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A row that was left out. ``row`` counts from 1 and includes the header line of a file."""

    row: int
    reason: str | Promise
    values: Mapping[str, str]


@dataclass(kw_only=True)
class ImportReport:
    """The result of an import: ``total`` = ``accepted`` + ``duplicates`` + ``existing`` + ``rejected_count``.

    ``duplicates`` repeat a number of the same source, ``existing`` were there before. ``opted_out`` of the accepted
    recipients will be left out of the sending. ``reasons`` counts the rejected rows by reason, in English for
    translation; ``rejected`` holds the first 1,000 of them: ``rejected_file`` has all of them.
    ``ignored_columns`` have no name for a variable, and ``renamed_columns`` maps headers to the names of variables that
    were found for them. ``removed_characters`` counts the NUL characters that were removed from a text file,
    ``hidden_rows`` the rows that an XLSX sheet hides and ``hidden_columns`` names its hidden columns by their letters;
    both are left out.
    ``inexact_columns`` may be shown otherwise in the sheet. ``unread_sheets`` are its visible sheets beside the one
    that was read.

    ``countries`` and ``number_types`` count all valid numbers, taken or left out, by ISO code and by type, and
    ``rounded`` those that end in six zeros: if there are several, a spreadsheet has probably lost their last digits.
    ``added_keys`` has ranges of keys with the new rows, for ``remove_recipients``; a range begins after its first key.
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
    renamed_columns: dict[str, str] = field(default_factory=dict)
    removed_characters: int = 0
    countries: dict[str, int] = field(default_factory=dict)
    number_types: dict[str, int] = field(default_factory=dict)
    hidden_rows: int = 0
    hidden_columns: list[str] = field(default_factory=list)
    inexact_columns: list[str] = field(default_factory=list)
    added_keys: list[list[int]] = field(default_factory=list)
    unread_sheets: list[str] = field(default_factory=list)
    rounded: int = 0

    @property
    def left_out(self) -> dict[str, int]:
        """The rejected rows with a valid number of a kind that was not switched on, by kind.

        The kinds are the types of numbers, ``country`` (not allowed) and ``foreign`` (doubtful).
        """
        return count_left_out(self.reasons.items())

    @classmethod
    def of_file(cls, file_format: FileFormat | None) -> ImportReport:
        """Return an empty report, with what is known about the file."""
        if file_format is None:
            return cls()
        return cls(removed_characters=file_format.nuls, unread_sheets=file_format.unread_sheets)

    @classmethod
    def from_json(cls, result: Mapping[str, Any]) -> ImportReport:
        """Return the report that a job has stored; the rejected rows are deleted after a while."""
        kept = result.get("rejected", ())
        rejected = [RejectedRow(row=row, reason=reason, values=dict(pairs)) for row, reason, pairs in kept]
        values = {name: result[name] for name in cls.__dataclass_fields__ if name in result}
        return cls(**{**values, "rejected": rejected})

    def as_json(self) -> dict[str, Any]:
        """Return the report as a job stores it."""
        # Pairs, because PostgreSQL does not keep the order of the keys of an object.
        kept = [[row.row, str(row.reason), list(row.values.items())] for row in self.rejected[:KEPT_BY_JOBS]]
        return {**vars(self), "rejected": kept}

    def take_notes(self, notes: ReadNotes) -> None:
        """Add what was noticed while the file was read."""
        self.hidden_rows = notes.hidden_rows
        self.hidden_columns = notes.hidden_columns
        self.inexact_columns = notes.inexact_columns


class Destination(NumberRules, Protocol):
    """The table that an import writes to."""

    @property
    def model(self) -> type[Model]:
        """The table."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns of a row."""

    def prepare(self) -> None:
        """Lock what must not change until the end of the transaction. Raises ValidationError to refuse."""

    def rows(self) -> QuerySet[Any]:
        """Return the existing rows; each has a unique ``phone_number``."""

    def refusal(self, number: PhoneNumber) -> str:
        """Return why the import leaves out a valid number, in English for translation, or an empty string."""

    def as_row(self, phone: str, values: dict[str, str]) -> Sequence[Any]:
        """Return the new row. Raises InvalidPhone to reject it."""


class RowImport:
    """An import of rows into a destination; the result is in ``report``.

    ``newest`` is the key of the newest row before the import: rows up to it existed already.
    """

    def __init__(
        self,
        destination: Destination,
        columns: Columns,
        report: ImportReport,
        *,
        newest: int,
        rejected_file: IO[bytes] | None = None,
    ) -> None:
        self.report = report
        self._destination = destination
        self._columns = columns
        self._newest = newest
        self._rejected_file = RejectedRowsFile(rejected_file) if rejected_file else None
        self._found: dict[tuple[str, ...], tuple[Columns, NumberReader]] = {}
        self._kept_characters = 0
        self._sample: list[NumberedRow] = []

    def with_sample(self, rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
        """Return the same rows. If nobody has named the phone column, the first rows show which it is."""
        if self._columns.phone_column:
            return rows
        self._sample = list(islice(rows, SAMPLE_ROWS))
        return chain(self._sample, rows)

    def add(self, rows: Iterable[NumberedRow], saved: Callable[[ImportReport], object]) -> None:
        """Write the rows, each page in one transaction with a call of ``saved``."""
        for page in pages_of(rows):
            with write_transaction():
                self._destination.prepare()
                self._add_page(page)
                saved(self.report)

    def repeat(self, rows: Iterable[NumberedRow], progress: Callable[[int], object]) -> None:
        """Read rows that an earlier attempt has added, to write the rejected ones to the file again."""
        for number, values in rows:
            try:
                self._read(values, is_counted=False)
            except InvalidPhone as error:
                self._write_rejected(number, values, error.reason)
            progress(self.report.total)

    def survey(self, rows: Iterable[NumberedRow]) -> None:
        """Count the numbers and the rows that would be rejected, and write nothing."""
        for number, values in rows:
            self.report.total += 1
            try:
                self._read(values)
            except InvalidPhone as error:
                self._reject(number, values, error.reason)

    @paused_collector()
    def _add_page(self, page: Iterable[NumberedRow]) -> None:
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
        before = self._found_before(phones)
        last_key = self._last_key()
        accepted = insert_rows(self._destination.model, self._destination.columns, rows)
        if accepted:
            self._note_added(last_key, self._last_key())
        existing = sum(phone in before for phone in phones)
        self.report.accepted += accepted
        self.report.existing += existing
        self.report.duplicates += len(rows) - accepted - existing

    def _last_key(self) -> int:
        """Return the newest key of the whole table, which is found faster than that of some of its rows."""
        newest: int | None = self._destination.model._base_manager.aggregate(newest=Max("pk"))["newest"]
        return newest or 0

    def _note_added(self, after: int, last: int) -> None:
        ranges = self.report.added_keys
        if ranges and ranges[-1][1] == after:
            ranges[-1][1] = last
        else:
            ranges.append([after, last])

    def _read(self, values: Mapping[str, str], *, is_counted: bool = True) -> tuple[str, Sequence[Any]]:
        headers = tuple(values)
        columns, numbers = self._found.get(headers) or self._find_columns(headers, values)
        if isinstance(values, WideRow):
            raise InvalidPhone(TOO_WIDE)
        if isinstance(values, UncalculatedRow) and values.unknown & {columns.phone_column, *(columns.variables or {})}:
            raise InvalidPhone(NO_RESULT)
        phone = numbers.read(values)
        if is_counted:
            self._count(phone)
        destination = self._destination
        refusal = destination.refusal(phone)
        if refusal:
            raise InvalidPhone(refusal)
        variables = columns.variables or {}
        row = destination.as_row(phone.digits, {name: values[header] for header, name in variables.items()})
        return phone.digits, row

    def _count(self, phone: PhoneNumber) -> None:
        countries, types = self.report.countries, self.report.number_types
        countries[phone.country] = countries.get(phone.country, 0) + 1
        types[phone.type] = types.get(phone.type, 0) + 1
        self.report.rounded += phone.digits.endswith(ROUNDED)

    def _find_columns(self, headers: tuple[str, ...], values: Mapping[str, str]) -> tuple[Columns, NumberReader]:
        alike = [[*row.values()] for _number, row in self._sample if tuple(row) == headers]
        columns = self._columns.find(headers, alike or [[*values.values()]], self._destination)
        if self._columns.variables is None:
            self._note_names(headers, columns)
        numbers = NumberReader.of(headers, self._columns, columns.phone_column, self._destination)
        self._found[headers] = columns, numbers
        return columns, numbers

    def _note_names(self, headers: Sequence[str], columns: Columns) -> None:
        named, report = columns.variables or {}, self.report
        used = {columns.phone_column, *named, *report.ignored_columns}
        report.ignored_columns += sorted({*headers} - used)
        guessed = {header: name for header, name in named.items() if header not in {name, columns.text_column}}
        report.renamed_columns.update(guessed)

    def _found_before(self, phones: Sequence[str]) -> set[str]:
        if not self._newest or not phones:
            return set()
        known = self._destination.rows().filter(pk__lte=self._newest, phone_number__in=phones)
        return set(known.order_by().values_list("phone_number", flat=True))

    def _reject(self, number: int, values: Mapping[str, str], reason: str) -> None:
        self.report.rejected_count += 1
        self.report.reasons[reason] = self.report.reasons.get(reason, 0) + 1
        self._kept_characters += sum(map(len, values.values()))
        if len(self.report.rejected) < KEPT_ROWS and self._kept_characters < KEPT_CHARACTERS:
            self.report.rejected.append(RejectedRow(row=number, reason=gettext_lazy(reason), values=values))
        self._write_rejected(number, values, reason)

    def _write_rejected(self, number: int, values: Mapping[str, str], reason: str) -> None:
        if self._rejected_file:
            self._rejected_file.write(number, gettext_lazy(reason), values)


def import_rows(
    destination: Destination,
    columns: Columns,
    source: Source,
    rejected_file: IO[bytes] | None = None,
    progress: Callable[[int], object] | None = None,
    options: ReadOptions | None = None,
) -> tuple[ImportReport, int]:
    """Import all rows in one transaction; return the report and the key of the newest row before it."""
    is_file = hasattr(source, "read")
    if options and not is_file and options.given():
        raise TypeError(f"{min(options.given())}= says how to read a file, and these rows come from none.")
    file_format = recognize(cast("IO[bytes]", source), options) if is_file else None
    report = ImportReport.of_file(file_format)
    notes = ReadNotes()
    with write_transaction(), closing(number_rows(source, file_format, notes)) as rows:
        # Before the newest row is read: no other import may add rows meanwhile.
        destination.prepare()
        newest = newest_row(destination)
        work = RowImport(destination, columns, report, newest=newest, rejected_file=rejected_file)
        try:
            work.add(work.with_sample(rows), lambda report: progress and progress(report.total))
        except UnreadableFileError as error:
            raise _with_hidden_columns(error, notes) from None
        if rejected_file:
            # On a full disk, while the import can still be undone.
            rejected_file.flush()
    report.take_notes(notes)
    return report, newest


def _with_hidden_columns(error: UnreadableFileError, notes: ReadNotes) -> UnreadableFileError:
    """Add the hidden columns: one of them may be the one that is missing."""
    if not notes.hidden_columns:
        return error
    text = gettext_lazy("These columns are hidden in the sheet and are left out: %(columns)s.")
    hidden = UnreadableFileError(text, code="hidden-columns", params={"columns": ", ".join(notes.hidden_columns)})
    return UnreadableFileError([error, hidden])


def save_counts(claim: JobClaim, result: Mapping[str, Any], report: ImportReport) -> None:
    """Add the counts of a page to the result of its job."""
    claim.write(done=report.total, result={**result, **report.as_json()})


def newest_row(destination: Destination) -> int:
    """Return the key of the row that was added last, or 0."""
    newest: int | None = destination.rows().aggregate(newest=Max("pk"))["newest"]
    return newest or 0


def number_rows(
    source: Source, file_format: FileFormat | None = None, notes: ReadNotes | None = None
) -> Generator[NumberedRow, None, None]:
    """Yield the rows with their numbers, and with texts for values."""
    if hasattr(source, "read"):
        yield from read_rows(cast("IO[bytes]", source), file_format, notes=notes)
        return
    for number, values in enumerate(source, start=1):
        # Most values are texts, for which another function call each would be slow.
        row = {
            name: value_of_code(value) if value.__class__ is str else _text_of(value) for name, value in values.items()
        }
        yield number, _without_rest(row, cast("Mapping[Any, Any]", values)[None]) if None in row else row


def _without_rest(row: dict[str, str], rest: Any) -> dict[str, str]:
    """Return a row of csv.DictReader without the values for which there is no column: it has them under None."""
    named = {name: value for name, value in row.items() if name is not None}
    return WideRow(named) if any(value_of_code(str(value)) for value in rest or ()) else named


def _text_of(value: object) -> str:
    if isinstance(value, ShownText):
        # Ready, as the key of an object is.
        return value
    return value_of_code(value) if isinstance(value, str) else ShownText.of(value)


def pages_of(rows: Iterable[NumberedRow]) -> Iterator[list[NumberedRow]]:
    """Yield the rows in pages, which are shorter when the rows are long."""
    rest = iter(rows)
    while page := _next_page(rest):
        yield page


@paused_collector()
def _next_page(rows: Iterator[NumberedRow]) -> list[NumberedRow]:
    page: list[NumberedRow] = []
    characters = 0
    for row in rows:
        page.append(row)
        characters += sum(map(len, row[1].values()))
        if len(page) >= CHUNK or characters >= CHUNK_CHARACTERS:
            break
    return page

"""Files of numbers as rows, whatever their type."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import IO

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.cells import Cells, NumberedCells, clean_value, column_letters, unprotect
from django_hyber.audience.files.csv_file import CsvFile
from django_hyber.audience.files.encodings import SHOWN, EncodingChoice, GarbledSheetError
from django_hyber.audience.files.file_type import FileFormat, FileType, ReadNotes, ReadOptions, UnreadableFileError
from django_hyber.audience.files.garbled import GarbledRows
from django_hyber.audience.files.headers import find_header, read_header
from django_hyber.audience.files.xlsx_file import XlsxFile

#: In the order in which they are tried: CSV accepts any file.
FILE_TYPES: tuple[FileType, ...] = (XlsxFile(), CsvFile())
#: The header is looked for so far down, blank rows included.
TOP_ROWS = 200
#: So many rows show already that a table is garbled; whether it is in others is known at its end.
GARBLED_ROWS = 200
#: How much of the name of a column an error shows.
SHOWN_NAME = 30

NumberedRow = tuple[int, dict[str, str]]


class WideRow(dict[str, str]):
    """A row with more values than columns: which value belongs to which column is unknown."""


class UncalculatedRow(dict[str, str]):
    """A row with formulas whose results are not in the file; ``unknown`` are their columns."""

    unknown: frozenset[str]


def file_type(name: str) -> FileType:
    """Return the type of this name. Raises LookupError."""
    found = {known.name: known for known in FILE_TYPES}
    return found[name]


def recognize(file: IO[bytes], options: ReadOptions | None = None) -> FileFormat:
    """Detect the format of an open binary file, as far as the options do not say it.

    Raises UnreadableFileError, also for an option of another type of files.
    """
    if isinstance(file.read(0), str):
        raise TypeError('The file is open as text. Open it with "rb": open(path, "rb").')
    wanted = options or ReadOptions()
    recognized = (known.recognize(file, wanted) for known in FILE_TYPES)
    found = next(found for found in recognized if found)
    _refuse_options_of_others(found.kind, wanted)
    if wanted.header_row is not None:
        return replace(found, header_row=wanted.header_row)
    return replace(found, header_row=find_header(first_rows(file, found), wanted.phone_column))


def _refuse_options_of_others(kind: str, options: ReadOptions) -> None:
    others = {name: known.name for known in FILE_TYPES if known.name != kind for name in known.own_options}
    if options.encoding and options.encoding.lower() == file_type(kind).only_encoding:
        others.pop("encoding")
    for name in others.keys() & options.given():
        raise UnreadableFileError(
            _("“%(option)s” is for %(other)s files, and this one is %(kind)s. Leave it out."),
            code="unused-option",
            params={"option": name, "other": others[name].upper(), "kind": kind.upper()},
        )


def first_rows(file: IO[bytes], found: FileFormat, count: int = TOP_ROWS) -> list[NumberedCells]:
    """Return the rows at the top of the file as they are, titles and header included."""
    rows: list[NumberedCells] = []
    with closing(file_type(found.kind).read(file, found, ReadNotes())) as read:
        try:
            rows.extend(islice(read, count))
        except UnreadableFileError:
            # Reported when the rows are read: those above the damage still show what the file is.
            return rows
    return rows


def read_rows(
    file: IO[bytes],
    file_format: FileFormat | None = None,
    header: Sequence[str] = (),
    notes: ReadNotes | None = None,
) -> Generator[NumberedRow, None, None]:
    """Yield (row number, values by header) from an open binary file; rows are numbered as a spreadsheet does.

    With a ``header`` the file itself has none. A row with more values than columns is a WideRow. Blank rows are left
    out, and so are the rows above the header; a row of "-" or "#N/A" has no values, but is not blank. Raises
    UnreadableFileError for a file without a header or in no known encoding.
    """
    notes = notes or ReadNotes()
    with closing(read_cells(file, file_format, header, notes)) as rows:
        for number, row in rows:
            names = notes.names
            missing = len(names) - len(row)
            cells = [_as_value(cell) for cell in row]
            if missing > 0:
                cells.extend([""] * missing)
            if isinstance(row, Cells):
                yield number, _uncalculated(names, cells, row.unknown)
                continue
            values = {name: value for name, value in zip(names, cells, strict=False) if name}
            yield number, WideRow(values) if missing < 0 and any(cells[missing:]) else values


def read_cells(
    file: IO[bytes], file_format: FileFormat | None, header: Sequence[str], notes: ReadNotes
) -> Generator[NumberedCells, None, None]:
    """Yield the rows of ``read_rows`` as they are written, which is faster, and note the names of the columns."""
    found = file_format or recognize(file)
    with closing(file_type(found.kind).read(file, found, notes)) as rows:
        notes.names = list(header) or _find_names(rows, found.header_row)
        garbled = GarbledRows() if found.may_be_garbled else None
        if garbled:
            garbled.add(found.header_row, notes.names)
        for number, row in rows:
            # A formula without a result has no text, but is a value.
            if any(map(str.strip, row)) or isinstance(row, Cells):
                if garbled:
                    garbled.add(number, row)
                    if garbled.count == GARBLED_ROWS:
                        _refuse_garbled(garbled, found, notes.names)
                yield number, row
        if garbled:
            _refuse_garbled(garbled, found, notes.names)


def _refuse_garbled(garbled: GarbledRows, found: FileFormat, names: Sequence[str]) -> None:
    cell = garbled.find()
    if cell is None:
        return
    column = names[cell.place] if cell.place < len(names) else ""
    raise GarbledSheetError(
        [EncodingChoice(file_type(found.kind).only_encoding, cell.text.strip()[:SHOWN])],
        row=cell.row,
        sheet=found.sheet,
        column=column[:SHOWN_NAME] or column_letters(cell.place),
    )


def _as_value(cell: str) -> str:
    if cell.__class__ is not str:
        # The text of a number or date is ready.
        return cell
    value = clean_value(cell)
    return unprotect(value) if "'" in value else value


def _uncalculated(names: Sequence[str], cells: Sequence[str], unknown: frozenset[int]) -> UncalculatedRow:
    row = UncalculatedRow((name, cell) for name, cell in zip(names, cells, strict=False) if name)
    row.unknown = frozenset(names[place] for place in unknown if place < len(names))
    return row


def _find_names(rows: Iterator[NumberedCells], header_row: int) -> list[str]:
    for number, row in rows:
        if number == header_row or (not header_row and any(map(clean_value, row))):
            return read_header(row)
        if header_row and number > header_row:
            break
    if not header_row:
        return read_header(())
    raise UnreadableFileError(
        _("Row %(row)d is blank, hidden or not in the file, so it cannot be the header row. Choose another one."),
        code="no-header-row",
        params={"row": header_row},
    )

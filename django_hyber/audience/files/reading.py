"""Files of numbers as rows: CSV in the encodings and with the separators that spreadsheets write, and XLSX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import IO, Any, Literal
from zipfile import BadZipFile, ZipFile

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.encodings import UnreadableFileError, find_encoding
from django_hyber.protocol import clean_text

ZIP_SIGNATURE = b"PK\x03\x04"
#: Of Excel's tables before XLSX, and of those that have a password.
OLE_SIGNATURE = b"\xd0\xcf\x11\xe0"
SEPARATORS = ";\t,"
SNIFFED = 64 * 1024
#: What the parts of an XLSX file may come to: a file of 1 MB can be made to unpack to a thousand.
MAX_UNPACKED = 1024 * 1024 * 1024
#: A text that a spreadsheet could take for a formula, and such a text behind the apostrophe that keeps it from that.
FORMULA = re.compile("'*(?:[\t\r\n]|\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20])")
PROTECTED = re.compile(f"'{FORMULA.pattern}")
#: As many make a phone number, and no name of a column.
_LEAST_DIGITS = 9
_QUOTED = re.compile(r'"[^"]*"?')

Values = dict[str, Any]
NumberedRow = tuple[int, Values]


@dataclass(frozen=True, kw_only=True)
class FileFormat:
    """How a file is to be read. ``other_sheets`` of an XLSX table hold something as well, and are not read.

    ``nuls`` are characters of a text file that are left out: some program has let them in, and no text has them.
    """

    kind: Literal["csv", "xlsx"]
    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    other_sheets: int = 0
    nuls: int = 0


class WideRow(dict[str, Any]):
    """A row with more values than there are columns: nobody can tell which of them belong together."""


def recognise(file: IO[bytes]) -> FileFormat:
    """Find out how an open binary file is to be read. Raises UnreadableFileError."""
    file.seek(0)
    signature = file.read(len(ZIP_SIGNATURE))
    if signature == ZIP_SIGNATURE:
        return _recognise_xlsx(file)
    if signature == OLE_SIGNATURE:
        raise UnreadableFileError(
            _("This is a table of an old Excel, or it has a password. Save it as XLSX without a password, or as CSV."),
            code="old-excel",
        )
    encoding, nuls = find_encoding(file)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    head = text.read(SNIFFED)
    # The file belongs to the caller: closing the text layer would close it.
    text.detach()
    return FileFormat(kind="csv", encoding=encoding, separator=_find_separator(head), nuls=nuls)


def read_rows(
    file: IO[bytes], file_format: FileFormat | None = None, header: Sequence[str] = ()
) -> Generator[NumberedRow, None, None]:
    """Yield (row number, values by header) from an open binary file; rows are numbered as a spreadsheet does.

    With a ``header`` the file itself has none. A row with more values than columns is a WideRow.
    Raises UnreadableFileError for a file without a header or in no known encoding.
    """
    found = file_format or recognise(file)
    rows = _read_xlsx(file) if found.kind == "xlsx" else _read_csv(file, found)
    return _named(rows, header)


def protect(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet could take for a formula; reading a file takes it off."""
    return f"'{text}" if FORMULA.match(text) else text


def protect_protected(text: str) -> str:
    """Put an apostrophe before a text that looks protected, so that it keeps the one it has."""
    return f"'{text}" if PROTECTED.match(text) else text


def _unprotected(value: Any) -> Any:
    return value[1:] if isinstance(value, str) and value[:1] == "'" and PROTECTED.match(value) else value


def _read_csv(file: IO[bytes], found: FileFormat) -> Generator[list[Any], None, None]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=found.encoding, newline="")
    lines = (line.replace("\x00", "") for line in text) if found.nuls else text
    reader = csv.reader(lines, delimiter=found.separator, strict=True)
    good_lines = 0
    try:
        for row in reader:
            yield row
            good_lines = reader.line_num
    except csv.Error:
        raise UnreadableFileError(
            _(
                "The file is not a valid CSV file: the row that begins on line %(line)d cannot be read. Look at its "
                "quotation marks, or save the table as CSV in UTF-8 again."
            ),
            code="csv",
            params={"line": good_lines + 1},
        ) from None
    finally:
        text.detach()


def _find_separator(head: str) -> str:
    lines = _QUOTED.sub("", head).splitlines()
    first_line = next((line for line in lines if line.strip()), "")
    return max(SEPARATORS, key=first_line.count) if any(mark in first_line for mark in SEPARATORS) else ","


def _named(rows: Generator[list[Any], None, None], header: Sequence[str]) -> Generator[NumberedRow, None, None]:
    with closing(rows):
        numbered = enumerate(rows, start=1)
        names = list(header) or _read_header(numbered)
        width = len(names)
        for number, row in numbered:
            if not _has_values(row):
                continue
            padded = row if len(row) >= width else [*row, *[""] * (width - len(row))]
            values = {name: _unprotected(value) for name, value in zip(names, padded, strict=False) if name}
            yield number, WideRow(values) if _has_values(row[width:]) else values


def _read_header(numbered: Iterator[tuple[int, list[Any]]]) -> list[str]:
    first = next((row for _number, row in numbered if _has_values(row)), [])
    names = [clean_text(str(name)).strip() for name in first]
    _check_header(names)
    return names


def _has_values(row: Sequence[Any]) -> bool:
    return any(value not in {"", None} for value in row)


def _check_header(names: Sequence[str]) -> None:
    if not any(names):
        raise UnreadableFileError(_("The file is empty: its first line has to name the columns."), code="empty")
    if any(map(_is_number, names)):
        raise UnreadableFileError(
            _(
                "The first line has to name the columns, and it holds a phone number. Put a line with the names above "
                "it, such as “phone” and “name”."
            ),
            code="no-header",
        )
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise UnreadableFileError(
            _("Several columns have the same name: %(columns)s. Give each a name of its own."),
            code="repeated-columns",
            params={"columns": ", ".join(repeated)},
        )


def _is_number(name: str) -> bool:
    return sum(map(str.isdecimal, name)) >= _LEAST_DIGITS and not any(map(str.isalpha, name))


def _recognise_xlsx(file: IO[bytes]) -> FileFormat:
    try:
        with ZipFile(file) as parts:
            unpacked = sum(part.file_size for part in parts.infolist())
    except BadZipFile:
        raise _unreadable_xlsx() from None
    if unpacked > MAX_UNPACKED:
        raise UnreadableFileError(_("This XLSX table is too large. Save it as CSV in UTF-8."), code="too-large")
    with _workbook(file) as book:
        names = book.sheet_names
    return FileFormat(kind="xlsx", sheet=names[0] if names else "", other_sheets=max(0, len(names) - 1))


def _read_xlsx(file: IO[bytes]) -> Generator[list[Any], None, None]:
    with _workbook(file) as book:
        yield from book.get_sheet_by_index(0).iter_rows()


@contextmanager
def _workbook(file: IO[bytes]) -> Iterator[Any]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415  an extra
    except ImportError:
        raise UnreadableFileError(
            _("XLSX tables need the extra: pip install django-hyber[xlsx]. A CSV file works without it."),
            code="no-xlsx",
        ) from None
    file.seek(0)
    try:
        yield CalamineWorkbook.from_filelike(file)
    except CalamineError:
        raise _unreadable_xlsx() from None


def _unreadable_xlsx() -> UnreadableFileError:
    return UnreadableFileError(
        _("The XLSX table cannot be read. Open it in a spreadsheet and save it again as XLSX, or as CSV in UTF-8."),
        code="xlsx",
    )

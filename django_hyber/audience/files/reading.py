"""Files of numbers as rows, whatever their type."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import IO

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.csv_file import CsvFile
from django_hyber.audience.files.file_type import FileFormat, FileType, UnreadableFileError, unprotect
from django_hyber.audience.files.xlsx_file import XlsxFile
from django_hyber.protocol import clean_text

#: In the order in which they are tried: CSV accepts any file.
FILE_TYPES: tuple[FileType, ...] = (XlsxFile(), CsvFile())
#: A header with so many digits is a phone number.
_LEAST_DIGITS = 9

NumberedRow = tuple[int, dict[str, str]]


class WideRow(dict[str, str]):
    """A row with more values than columns: which value belongs to which column is unknown."""


def file_type(name: str) -> FileType:
    """Return the type of this name. Raises LookupError."""
    found = {known.name: known for known in FILE_TYPES}
    return found[name]


def recognise(file: IO[bytes]) -> FileFormat:
    """Detect the format of an open binary file. Raises UnreadableFileError."""
    recognised = (known.recognise(file) for known in FILE_TYPES)
    return next(found for found in recognised if found)


def read_rows(
    file: IO[bytes], file_format: FileFormat | None = None, header: Sequence[str] = ()
) -> Generator[NumberedRow, None, None]:
    """Yield (row number, values by header) from an open binary file; rows are numbered as a spreadsheet does.

    With a ``header`` the file itself has none. A row with more values than columns is a WideRow.
    Raises UnreadableFileError for a file without a header or in no known encoding.
    """
    found = file_format or recognise(file)
    with closing(file_type(found.kind).read(file, found)) as rows:
        numbered = enumerate(rows, start=1)
        names = list(header) or _read_header(numbered)
        width = len(names)
        for number, row in numbered:
            if not any(row):
                continue
            padded = row if len(row) >= width else [*row, *[""] * (width - len(row))]
            values = {name: unprotect(value) for name, value in zip(names, padded, strict=False) if name}
            yield number, WideRow(values) if any(row[width:]) else values


def _read_header(numbered: Iterator[tuple[int, Sequence[str]]]) -> list[str]:
    first = next((row for _number, row in numbered if any(row)), ())
    names = [clean_text(name).strip() for name in first]
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
    return names


def _is_number(name: str) -> bool:
    return sum(map(str.isdecimal, name)) >= _LEAST_DIGITS and not any(map(str.isalpha, name))

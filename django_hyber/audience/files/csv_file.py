"""CSV, in the encodings and with the separators that spreadsheets use."""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import IO

from django.utils.formats import get_format
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from django_hyber.audience.files.encodings import ENCODING_NAMES, find_encoding
from django_hyber.audience.files.file_type import Cell, FileFormat, FileType, Pages, UnreadableFileError, protect

SEPARATORS = {
    ";": gettext_lazy("separated by semicolons"),
    "\t": gettext_lazy("separated by tabs"),
    ",": gettext_lazy("separated by commas"),
}
#: How many characters show which separator a file has.
SAMPLE = 64 * 1024
_QUOTED = re.compile(r'"[^"]*"?')
#: A cell with one of these is quoted whatever the separator is: some programs split a file at several of them.
_QUOTED_FOR = ",;\t\r\n"


class CsvFile(FileType):
    """Text files, and any file that no other type has recognised."""

    name = "csv"
    content_type = "text/csv; charset=utf-8"
    suffixes = (".csv", ".tsv", ".txt")

    def recognise(self, file: IO[bytes]) -> FileFormat:
        """Find the encoding, by the whole file, and the separator, by its first line."""
        encoding, nuls = find_encoding(file)
        file.seek(0)
        text = io.TextIOWrapper(file, encoding=encoding, newline="")
        sample = text.read(SAMPLE)
        # The file belongs to the caller: closing the text layer would close it.
        text.detach()
        return FileFormat(kind=self.name, encoding=encoding, separator=_find_separator(sample), nuls=nuls)

    def read(self, file: IO[bytes], found: FileFormat) -> Generator[Sequence[str], None, None]:
        """Yield the rows."""
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
                gettext_lazy(
                    "The file is not a valid CSV file: the row that begins on line %(line)d cannot be read. Check "
                    "its quotation marks, or save the table as CSV in UTF-8 again."
                ),
                code="csv",
                params={"line": good_lines + 1},
            ) from None
        finally:
            text.detach()

    def describe(self, found: FileFormat) -> str:
        """As in "CSV, UTF-8, separated by semicolons"."""
        return f"CSV, {ENCODING_NAMES[found.encoding]}, {SEPARATORS[found.separator]}"

    def protect(self, text: str) -> str:
        """Prefix a text that looks like a formula with an apostrophe."""
        return protect(text)

    def write(self, pages: Pages, separator: str = ",") -> Iterator[bytes]:
        """Yield UTF-8 with a byte order mark, by which spreadsheets recognise it."""
        yield BOM_UTF8
        for rows in pages:
            yield _encoded(rows, separator)


class RejectedRowsFile:
    """CSV with the columns of the source first, then the number of the row and why it was rejected.

    Written row by row, with the separator of the reader's language. The last two headers cannot be names of variables.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._columns: tuple[str, ...] | None = None
        self._separator = separator_of_reader()

    def write(self, number: int, reason: str | Promise, values: Mapping[str, str]) -> None:
        """Add a row; the columns are those of the first one."""
        if self._columns is None:
            self._columns = tuple(values)
            header = [*map(protect, self._columns), gettext("row in the file"), gettext("why it was rejected")]
            self._file.write(BOM_UTF8 + _encoded([header], self._separator))
        cells = [protect(values.get(column, "")) for column in self._columns]
        self._file.write(_encoded([[*cells, number, str(reason)]], self._separator))


def separator_of_reader() -> str:
    """Return the separator that spreadsheets in the reader's language expect: where decimals have a comma, ";"."""
    return ";" if get_format("DECIMAL_SEPARATOR", use_l10n=True) == "," else ","


def _find_separator(sample: str) -> str:
    lines = _QUOTED.sub("", sample).splitlines()
    first_line = next((line for line in lines if line.strip()), "")
    return max(SEPARATORS, key=first_line.count) if any(mark in first_line for mark in SEPARATORS) else ","


def _encoded(rows: Iterable[Sequence[Cell]], separator: str) -> bytes:
    lines = _Lines()
    csv.writer(lines, delimiter=separator, lineterminator=_QUOTED_FOR).writerows(rows)
    return "".join(lines).encode()


class _Lines(list[str]):
    """The file of a CSV writer. The writer quotes the cells that contain a character of its line terminator."""

    def write(self, line: str) -> None:
        """Add a line with its real ending."""
        self.append(line.removesuffix(_QUOTED_FOR) + "\r\n")

"""CSV, in the encodings and with the separators that spreadsheets use."""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import IO

from django.utils.formats import get_format
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from django_hyber.audience.files.cells import NumberedCells, protect
from django_hyber.audience.files.encodings import ENCODING_NAMES, find_encoding
from django_hyber.audience.files.file_type import (
    Cell,
    FileFormat,
    FileType,
    Pages,
    ReadNotes,
    ReadOptions,
    UnreadableFileError,
)
from django_hyber.audience.files.headers import has_phone_header
from django_hyber.audience.files.swallowed_rows import RecentRows

SEPARATORS = {
    ";": gettext_lazy("separated by semicolons"),
    "\t": gettext_lazy("separated by tabs"),
    ",": gettext_lazy("separated by commas"),
    "|": gettext_lazy("separated by vertical bars"),
}
BYTE_ORDER_MARK = "\ufeff"
#: The same as words, for those who cannot type a tab.
SEPARATOR_WORDS = {"semicolon": ";", "tab": "\t", "comma": ",", "pipe": "|"}
#: How many characters show which separator a file has.
SAMPLE = 64 * 1024
#: A cell with one of these is quoted whatever the separator is: some programs split a file at several of them.
_QUOTED_FOR = ",;\t\r\n"
SAMPLE_ROWS = 50
#: After so many lines that only look as if values were quoted after a space, none is.
MOST_DOUBTFUL_LINES = 1_000
#: No row is longer: a value is at most half of that.
MAX_ROW = 256 * 1024
#: So many lines without a value in a row are no table; a sheet has a million rows.
MOST_BLANK = 1_000_000
#: Excel's own line about the separator, which is not a part of the table.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[;,\t|]*\r?\n?\Z', re.IGNORECASE)
_WEB_PAGE = re.compile(r"\s*(?:<!doctype html|<html|<head|<meta|<table|<style|<body|<div|<!--)", re.IGNORECASE)
#: Files that are no tables, by how they begin.
_OTHER_KINDS = {b"BEGIN:VCARD": "vCard", b"%PDF-": "PDF", b"{\\rtf": "RTF", b"[{": "JSON", b'{"': "JSON"}
#: A text, with its quotation marks doubled.
_TEXT_FORMULA = re.compile(r'\s*="((?:[^"]|"")*)"\s*', re.DOTALL)
_XML = re.compile(r"\s*<\?xml", re.IGNORECASE)


class CsvFile(FileType):
    """Text files, and any file that no other type has recognized."""

    name = "csv"
    content_type = "text/csv; charset=utf-8"
    suffixes = (".csv", ".tsv", ".txt")
    own_options = frozenset(("encoding", "separator"))

    def recognize(self, file: IO[bytes], options: ReadOptions) -> FileFormat:
        """Find the encoding, by the whole file, and the separator, by the first rows."""
        _refuse_other_kinds(file)
        encoding, nuls = find_encoding(file, options.encoding, only_numbers=options.only_numbers)
        file.seek(0)
        text = io.TextIOWrapper(file, encoding=encoding, newline="")
        sample = text.read(SAMPLE).lstrip(BYTE_ORDER_MARK).replace("\x00", "")
        # The file belongs to the caller: closing the text layer would close it.
        text.detach()
        _refuse_other_text(sample)
        separator = _known_separator(options.separator) if options.separator else _find_separator(sample)
        return FileFormat(
            kind=self.name,
            encoding=encoding,
            separator=separator,
            nuls=nuls,
            has_space_before_quotes=_has_space_before_quotes(file, encoding, separator),
        )

    def read(self, file: IO[bytes], found: FileFormat, notes: ReadNotes) -> Generator[NumberedCells, None, None]:
        """Yield the rows, numbered as a spreadsheet does."""
        file.seek(0)
        text = io.TextIOWrapper(file, encoding=found.encoding, newline="")
        lines = _TableLines(text, has_nuls=bool(found.nuls))
        reader = csv.reader(
            lines, delimiter=found.separator, strict=True, skipinitialspace=found.has_space_before_quotes
        )
        recent = RecentRows(found.separator)
        good_lines = last_filled = 0
        try:
            for number, row in enumerate(reader, start=1):
                if row:
                    last_filled = number
                elif number - last_filled > MOST_BLANK:
                    raise _too_many_blanks(last_filled + lines.skipped + 1)
                if reader.line_num > good_lines + 1 and recent.are_swallowed_by(row):
                    raise _swallowed_rows(good_lines + lines.skipped + 1)
                good_lines = reader.line_num
                lines.length = 0
                if row:
                    recent.add(row)
                if not lines.has_formula:
                    yield number, row
                    continue
                lines.has_formula = False
                yield number, [_shown_by_formula(cell) for cell in row]
        except csv.Error:
            raise _bad_row(good_lines + lines.skipped + 1) from None
        finally:
            text.detach()

    def describe(self, found: FileFormat) -> str:
        """As in "CSV, UTF-8, separated by semicolons"."""
        return f"CSV, {ENCODING_NAMES[found.encoding]}, {SEPARATORS[found.separator]}"

    def protect(self, text: str) -> str:
        """Prefix a text that looks like a formula with an apostrophe."""
        return protect(text)

    def write(self, pages: Pages, separator: str = ",") -> Iterator[bytes]:
        """Yield UTF-8 with a byte order mark, by which spreadsheets recognize it."""
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


class _TableLines:
    """The lines of a text, without those that are not of the table.

    ``length`` is that of the row so far, and ``has_formula`` says whether it may have a formula that shows a text.
    """

    def __init__(self, text: io.TextIOWrapper, *, has_nuls: bool) -> None:
        self.length = 0
        self.skipped = 0
        self.has_formula = False
        self._text = text
        self._has_nuls = has_nuls

    def __iter__(self) -> Iterator[str]:
        readline = self._text.readline
        first = readline(MAX_ROW).lstrip(BYTE_ORDER_MARK)
        self.skipped = 1 if _SEPARATOR_LINE.match(first) else 0
        line = readline(MAX_ROW) if self.skipped else first
        while line:
            self.length += len(line)
            if self.length >= MAX_ROW:
                raise csv.Error
            if '="' in line:
                self.has_formula = True
            yield line.replace("\x00", "") if self._has_nuls else line
            line = readline(MAX_ROW)


def _shown_by_formula(cell: str) -> str:
    """Return what a spreadsheet shows: ="0042" keeps it from reading a number."""
    found = _TEXT_FORMULA.fullmatch(cell)
    return found[1].replace('""', '"') if found else cell


def _too_many_blanks(line: int) -> UnreadableFileError:
    text = gettext_lazy("From line %(line)d on, the file has more than %(most)d blank lines. Delete them.")
    return UnreadableFileError(text, code="blank-lines", params={"line": line, "most": MOST_BLANK})


def _bad_row(line: int) -> UnreadableFileError:
    return UnreadableFileError(
        gettext_lazy(
            "The file is not a valid CSV file: the row that begins on line %(line)d cannot be read. Check "
            "its quotation marks, or save the table as CSV in UTF-8 again."
        ),
        code="csv",
        params={"line": line},
    )


def _swallowed_rows(line: int) -> UnreadableFileError:
    return UnreadableFileError(
        gettext_lazy(
            "The row that begins on line %(line)d contains other rows inside one of its values: that line has an extra "
            "quotation mark. Remove it; if the value is right, save the table as XLSX."
        ),
        code="swallowed-rows",
        params={"line": line},
    )


def _refuse_other_kinds(file: IO[bytes]) -> None:
    file.seek(0)
    start = file.read(100).removeprefix(BOM_UTF8).lstrip()
    kind = next((kind for beginning, kind in _OTHER_KINDS.items() if start.startswith(beginning)), "")
    if kind:
        raise UnreadableFileError(
            gettext_lazy(
                "This is not a table, but a file of the type %(kind)s. Export the contacts as CSV instead, or copy the "
                "table into a spreadsheet and save it as XLSX."
            ),
            code="no-table",
            params={"kind": kind},
        )


def _refuse_other_text(sample: str) -> None:
    if _WEB_PAGE.match(sample) or (_XML.match(sample) and "<html" in sample[:1000].lower()):
        text = gettext_lazy(
            "This is a web page, although its name may end in .xls. Open it in a spreadsheet and save it as XLSX, or "
            "as CSV in UTF-8."
        )
        raise UnreadableFileError(text, code="web-page")
    if _XML.match(sample) or sample.startswith("MIME-Version:"):
        text = gettext_lazy("This is an XML file. Open it in a spreadsheet and save it as XLSX, or as CSV in UTF-8.")
        raise UnreadableFileError(text, code="xml")


def _known_separator(wanted: str) -> str:
    separator = SEPARATOR_WORDS.get(wanted.strip().lower(), wanted)
    if separator not in SEPARATORS:
        raise UnreadableFileError(
            gettext_lazy("There is no separator “%(wanted)s”. Available separators: %(known)s."),
            code="unknown-separator",
            params={"wanted": wanted, "known": ", ".join(SEPARATOR_WORDS)},
        )
    return separator


def _find_separator(sample: str) -> str:
    """Return the separator that says so itself, or makes the most regular table of the first rows."""
    said = _SEPARATOR_LINE.match(sample[: sample.find("\n") + 1])
    if said and said[1] in SEPARATORS:
        return said[1]
    scores = {separator: _score(sample, separator) for separator in SEPARATORS}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best][2] > 1 else ","


def _score(sample: str, separator: str) -> tuple[bool, float, int]:
    """Return whether a header names the phone column among others, the regularity of the rows, and their width."""
    lines = sample.splitlines(keepends=True)
    # The last line of a longer file is cut off.
    lines = lines[:-1] if len(sample) == SAMPLE and len(lines) > 1 else lines
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=_has_quotes_after_space(lines, separator))
    rows: list[list[str]] = []
    # What comes before a broken row shows enough.
    with suppress(csv.Error):
        rows.extend(row for row in islice(reader, SAMPLE_ROWS) if any(row))
    tables = Counter(len(row) for row in rows if len(row) > 1)
    if not tables:
        return (False, 0.0, 1)
    width, count = max(tables.items(), key=lambda item: (item[1], item[0]))
    has_header = any(len(row) > 1 and has_phone_header(row) for row in rows)
    return (has_header, count / len(rows), width)


def _has_space_before_quotes(file: IO[bytes], encoding: str, separator: str) -> bool:
    """Look through the whole file: where nobody skips the space, a quoted separator shifts the values of a row."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        return _has_quotes_after_space(iter(partial(text.readline, MAX_ROW), ""), separator)
    finally:
        text.detach()


def _has_quotes_after_space(lines: Iterable[str], separator: str) -> bool:
    """Return whether a line has a value in quotation marks after a separator and a space."""
    beginning = re.compile(f'{re.escape(separator)} +"')
    may_be = (line for line in lines if f"{separator} " in line and beginning.search(line))
    return any(_is_quoted_after_space(line, separator) for line in islice(may_be, MOST_DOUBTFUL_LINES))


def _is_quoted_after_space(line: str, separator: str) -> bool:
    # With a space behind the marks as well the row cannot be read, but it shows how the file is meant.
    closed = re.sub(rf'" +(?={re.escape(separator)}|[\r\n]|\Z)', '"', line)
    try:
        next(csv.reader([closed], delimiter=separator, skipinitialspace=True, strict=True))
        cells = next(csv.reader([line], delimiter=separator))
    except csv.Error:
        return False
    return any(cell.startswith(" ") and cell.lstrip(" ").startswith('"') for cell in cells[1:])


def _encoded(rows: Iterable[Sequence[Cell]], separator: str) -> bytes:
    lines = _Lines(separator)
    csv.writer(lines, delimiter=separator, lineterminator=lines.ending).writerows(rows)
    return "".join(lines).encode()


class _Lines(list[str]):
    """The file of a CSV writer. The writer quotes the cells that contain a character of its line terminator."""

    def __init__(self, separator: str) -> None:
        super().__init__()
        # Since Python 3.13, the separator must not be in it; cells with the separator are quoted anyway.
        self.ending = _QUOTED_FOR.replace(separator, "")

    def write(self, line: str) -> None:
        """Add a line with its real ending."""
        self.append(line.removesuffix(self.ending) + "\r\n")

"""Recipient files as rows: CSV in the encodings and with the separators that spreadsheets write, and XLSX."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ZIP_SIGNATURE = b"PK\x03\x04"
SEPARATORS = ";\t,"
SNIFFED = 64 * 1024
#: A text that a spreadsheet could take for a formula, and such a text behind the apostrophe that keeps it from that.
FORMULA = re.compile("'*(?:[\t\r\n]|\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20])")
PROTECTED = re.compile(f"'{FORMULA.pattern}")


class UnreadableFileError(ValidationError):
    """A recipient file cannot be read at all; nothing of it has been imported."""


def read_rows(file: IO[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row number, values by header) from an open binary file; rows are numbered as a spreadsheet does.

    Raises UnreadableFileError for a file without a header or in no known encoding.
    """
    file.seek(0)
    if file.read(len(ZIP_SIGNATURE)) == ZIP_SIGNATURE:
        return _read_xlsx(file)
    return _read_csv(file)


def protect(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet could take for a formula; reading a file takes it off."""
    return f"'{text}" if FORMULA.match(text) else text


def protect_protected(text: str) -> str:
    """Put an apostrophe before a text that looks protected, so that it keeps the one it has."""
    return f"'{text}" if PROTECTED.match(text) else text


def _unprotected(value: Any) -> Any:
    return value[1:] if isinstance(value, str) and value[:1] == "'" and PROTECTED.match(value) else value


def _read_csv(file: IO[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    encoding = _find_encoding(file)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        head = text.read(SNIFFED)
        text.seek(0)
        yield from _named(csv.reader(text, delimiter=_find_separator(head), strict=True))
    except csv.Error as error:
        raise UnreadableFileError(
            _("The file is not a valid CSV file: %(problem)s. Save it again as CSV in UTF-8."),
            code="csv",
            params={"problem": error},
        ) from None
    finally:
        # The file belongs to the caller: closing the text layer would close it.
        text.detach()


def _find_encoding(file: IO[bytes]) -> str:
    """Return the first encoding that fits the whole file: a bad byte on the last line must not cost half an import."""
    file.seek(0)
    start = file.read(4)
    for mark, encoding in BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return _verified(file, encoding)
    try:
        return _verified(file, "utf-8")
    except UnreadableFileError:
        return _verified(file, "cp1251")


def _verified(file: IO[bytes], encoding: str) -> str:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while block := file.read(SNIFFED):
            if "\x00" in decoder.decode(block):
                raise _unknown_encoding()
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _unknown_encoding() from None
    return encoding


def _unknown_encoding() -> UnreadableFileError:
    return UnreadableFileError(
        _("The file is neither UTF-8, UTF-16 nor Windows-1251 text, nor an XLSX table. Save it as CSV in UTF-8."),
        code="encoding",
    )


def _find_separator(head: str) -> str:
    first_line = head.splitlines()[0] if head else ""
    return max(SEPARATORS, key=first_line.count) if any(mark in first_line for mark in SEPARATORS) else ","


def _named(rows: Iterator[list[Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    header = next(rows, None)
    names = [str(name if name is not None else "").strip() for name in header or ()]
    _refuse_repeated(names)
    if not any(names):
        raise UnreadableFileError(_("The file is empty: its first line has to name the columns."), code="empty")
    for number, row in enumerate(rows, start=2):
        if any(value not in {"", None} for value in row):
            padded = [*row, *[""] * (len(names) - len(row))]
            yield number, {name: _unprotected(value) for name, value in zip(names, padded, strict=False) if name}


def _refuse_repeated(names: list[str]) -> None:
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise UnreadableFileError(
            _("Several columns have the same name: %(columns)s. Give each a name of its own."),
            code="repeated-columns",
            params={"columns": ", ".join(repeated)},
        )


def _read_xlsx(file: IO[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415  an extra
    except ImportError:
        raise UnreadableFileError(
            _("XLSX tables need the extra: pip install django-hyber[xlsx]. A CSV file works without it."),
            code="no-xlsx",
        ) from None
    file.seek(0)
    try:
        sheet = CalamineWorkbook.from_filelike(file).get_sheet_by_index(0)
        yield from _named(sheet.iter_rows())
    except CalamineError as error:
        raise UnreadableFileError(
            _("The XLSX table cannot be read: %(problem)s"), code="xlsx", params={"problem": error}
        ) from None

"""XLSX: read as the sheet shows it, and written by XlsxWriter, which comes with the extra ``xlsx``."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import IO, TYPE_CHECKING

from django.utils.translation import gettext, gettext_lazy, ngettext

from django_hyber.audience.files.cells import NumberedCells, protect_protected
from django_hyber.audience.files.file_type import (
    Cell,
    FileFormat,
    FileType,
    Pages,
    ReadNotes,
    ReadOptions,
    UnreadableFileError,
)
from django_hyber.audience.files.headers import SEARCHED_ROWS
from django_hyber.audience.files.xlsx_package import Package, Workbook, encrypted, opened, read_workbook
from django_hyber.audience.files.xlsx_rows import read_sheet

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

ZIP_SIGNATURE = b"PK\x03\x04"
#: The signature of the old XLS format, and of files with a password.
OLE_SIGNATURE = b"\xd0\xcf\x11\xe0"
EMPTY_ZIP = b"PK\x05\x06"
ENCRYPTED_PART = "EncryptedPackage".encode("utf-16-le")
OLE_DIRECTORY = 1024 * 1024
SHOWN_SHEETS = 100
#: What one cell can hold.
MAX_CELL = 32_767
BLOCK = 64 * 1024
#: XlsxWriter treats the first as markup, and escapes texts like the second only in part.
_MISREAD = re.compile(r"<r>.*</r>\Z|.*_x[0-9A-Fa-f]{4}_x", re.DOTALL)
_PIECES = re.compile("[^<_]*[<_]|[^<_]+")


class XlsxFile(FileType):
    """Tables of spreadsheets; one visible sheet is read."""

    name = "xlsx"
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    suffixes = (".xlsx",)
    own_options = frozenset(("sheet",))
    only_encoding = "utf-8"
    most_rows = 1_048_576

    def recognize(self, file: IO[bytes], options: ReadOptions) -> FileFormat | None:
        """Recognize ZIP files, and reject the old XLS format."""
        file.seek(0)
        signature = file.read(len(ZIP_SIGNATURE))
        if signature == OLE_SIGNATURE:
            raise encrypted() if ENCRYPTED_PART in file.read(OLE_DIRECTORY) else _old_excel()
        if signature not in {ZIP_SIGNATURE, EMPTY_ZIP}:
            return None
        with opened(file) as package:
            book = read_workbook(package)
            visible = [sheet.name for sheet in book.sheets if sheet.is_visible]
            sheet = _choose_sheet(book, visible, options.sheet)
            if not options.sheet:
                # Programs leave an empty sheet in front: the first one with a row is meant.
                sheet = next((name for name in visible[:SHOWN_SHEETS] if _has_rows(package, book, name)), sheet)
        return FileFormat(
            kind=self.name,
            sheet=sheet,
            sheets=visible[:SHOWN_SHEETS],
            hidden_sheets=len(book.sheets) - len(visible),
            may_be_garbled=not (options.only_numbers or options.encoding),
        )

    def read(self, file: IO[bytes], found: FileFormat, notes: ReadNotes) -> Generator[NumberedCells, None, None]:
        """Yield the visible rows of the sheet."""
        with opened(file) as package:
            book = read_workbook(package)
            yield from read_sheet(package, _part_of(book, found.sheet), book, notes)

    def describe(self, found: FileFormat) -> str:
        """As in "XLSX, sheet “People” (2 other sheets are not read)"."""
        sheet = gettext("sheet “%(name)s”") % {"name": found.sheet}
        count = len({*found.sheets} - {found.sheet}) + found.hidden_sheets
        if not count:
            return f"XLSX, {sheet}"
        others = ngettext("%(count)d other sheet is not read", "%(count)d other sheets are not read", count)
        return f"XLSX, {sheet} ({others % {'count': count}})"

    def protect(self, text: str) -> str:
        """Return the text unchanged, because its cell has the type text, unless reading would strip its apostrophe."""
        return protect_protected(text)

    def write(self, pages: Pages, separator: str = "") -> Iterator[bytes]:
        """Yield the file once all rows are written; until then it is on disk."""
        try:
            from xlsxwriter import Workbook  # noqa: PLC0415  an extra
        except ImportError:
            raise _needs_extra() from None

        def blocks() -> Iterator[bytes]:
            with tempfile.TemporaryFile() as file:
                # The library writes temporary files, and does not remove them after an error.
                with (
                    tempfile.TemporaryDirectory() as folder,
                    Workbook(file, {"constant_memory": True, "tmpdir": folder}) as book,
                ):
                    sheet = book.add_worksheet("Recipients")
                    for number, row in enumerate(row for rows in pages for row in rows):
                        for column, value in enumerate(row):
                            _write_cell(sheet, number, column, value)
                file.seek(0)
                while block := file.read(BLOCK):
                    yield block

        return blocks()


def _write_cell(sheet: Worksheet, row: int, column: int, value: Cell) -> None:
    if value is None or value == "":
        return
    if isinstance(value, int):
        sheet.write_number(row, column, value)
        return
    text = value[:MAX_CELL]
    if _MISREAD.match(text):
        sheet.write_rich_string(row, column, *_PIECES.findall(text))
    else:
        sheet.write_string(row, column, text)


def _part_of(book: Workbook, name: str) -> str:
    return next((sheet.part for sheet in book.sheets if sheet.name == name), "")


def _has_rows(package: Package, book: Workbook, name: str) -> bool:
    with closing(read_sheet(package, _part_of(book, name), book, ReadNotes())) as rows:
        try:
            return any(any(cells) for _number, cells in islice(rows, SEARCHED_ROWS))
        except UnreadableFileError:
            # Reported when the sheet is read.
            return True


def _choose_sheet(book: Workbook, visible: Sequence[str], wanted: str | None) -> str:
    if wanted:
        if wanted in {sheet.name for sheet in book.sheets}:
            return wanted
        raise UnreadableFileError(
            gettext_lazy("There is no sheet “%(wanted)s”. Available sheets: %(known)s."),
            code="no-sheet",
            params={"wanted": wanted, "known": ", ".join(visible[:SHOWN_SHEETS])},
        )
    if visible:
        return visible[0]
    raise UnreadableFileError(
        gettext_lazy(
            "The XLSX table has no visible sheet. Show the sheet that contains the numbers, and save it again."
        ),
        code="no-visible-sheet",
    )


def _old_excel() -> UnreadableFileError:
    text = gettext_lazy(
        "This file was saved by an old version of Excel, or it has a password. Save it as XLSX without a password, or "
        "as CSV."
    )
    return UnreadableFileError(text, code="old-excel")


def _needs_extra() -> UnreadableFileError:
    return UnreadableFileError(
        gettext_lazy("XLSX tables cannot be written on this server: the xlsx extra is not installed. Choose CSV."),
        code="no-xlsx",
    )

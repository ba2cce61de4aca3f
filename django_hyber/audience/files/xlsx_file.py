"""XLSX: read by python-calamine, written by XlsxWriter; both come with the extra ``xlsx``."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from django.utils.translation import gettext, gettext_lazy, ngettext

from django_hyber.audience.files.file_type import (
    Cell,
    FileFormat,
    FileType,
    Pages,
    ShownText,
    UnreadableFileError,
    protect_protected,
)
from django_hyber.protocol import clean_text

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

ZIP_SIGNATURE = b"PK\x03\x04"
#: The signature of the old XLS format, and of files with a password.
OLE_SIGNATURE = b"\xd0\xcf\x11\xe0"
#: The limit of the unpacked size: a malicious file of 1 MB can unpack to a thousand times that.
MAX_UNPACKED = 1024 * 1024 * 1024
#: What one cell can hold.
MAX_CELL = 32_767
BLOCK = 64 * 1024
#: XlsxWriter treats the first as markup, and escapes texts like the second only in part.
_MISREAD = re.compile(r"<r>.*</r>\Z|.*_x[0-9A-Fa-f]{4}_x", re.DOTALL)
_PIECES = re.compile("[^<_]*[<_]|[^<_]+")


class XlsxFile(FileType):
    """Tables of spreadsheets; the first sheet is read."""

    name = "xlsx"
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    suffixes = (".xlsx",)
    most_rows = 1_048_576

    def recognise(self, file: IO[bytes]) -> FileFormat | None:
        """Recognise ZIP files, and reject the old XLS format."""
        file.seek(0)
        signature = file.read(len(ZIP_SIGNATURE))
        if signature == OLE_SIGNATURE:
            text = gettext_lazy(
                "This is a table of an old Excel, or it has a password. Save it as XLSX without a password, or as CSV."
            )
            raise UnreadableFileError(text, code="old-excel")
        if signature != ZIP_SIGNATURE:
            return None
        try:
            with ZipFile(file) as parts:
                unpacked = sum(part.file_size for part in parts.infolist())
        except BadZipFile:
            raise _unreadable() from None
        if unpacked > MAX_UNPACKED:
            text = gettext_lazy("This XLSX table is too large. Save it as CSV in UTF-8.")
            raise UnreadableFileError(text, code="too-large")
        with _opened(file) as book:
            names = book.sheet_names
        return FileFormat(kind=self.name, sheet=names[0] if names else "", other_sheets=max(0, len(names) - 1))

    def read(self, file: IO[bytes], found: FileFormat) -> Generator[Sequence[str], None, None]:
        """Yield the rows of the first sheet."""
        with _opened(file) as book:
            for row in book.get_sheet_by_index(0).iter_rows():
                yield [clean_text(value) if isinstance(value, str) else ShownText.of(value) for value in row]

    def describe(self, found: FileFormat) -> str:
        """As in "XLSX, sheet “People” (2 other sheets are not read)"."""
        sheet = gettext("sheet “%(name)s”") % {"name": found.sheet}
        count = found.other_sheets
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


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[Any]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415  an extra
    except ImportError:
        raise _needs_extra() from None
    file.seek(0)
    try:
        yield CalamineWorkbook.from_filelike(file)
    except CalamineError:
        raise _unreadable() from None


def _needs_extra() -> UnreadableFileError:
    return UnreadableFileError(
        gettext_lazy("XLSX tables need the extra: pip install django-hyber[xlsx]. A CSV file works without it."),
        code="no-xlsx",
    )


def _unreadable() -> UnreadableFileError:
    return UnreadableFileError(
        gettext_lazy(
            "The XLSX table cannot be read. Open it in a spreadsheet and save it again as XLSX, or as CSV in UTF-8."
        ),
        code="xlsx",
    )

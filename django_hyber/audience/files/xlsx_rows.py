"""The rows of a sheet of an XLSX file, with the values as the sheet shows them; memory does not grow with the rows."""

from __future__ import annotations

import re
import tempfile
from array import array
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from datetime import datetime
from functools import lru_cache
from itertools import islice
from xml.etree.ElementTree import Element

from django_hyber.audience.files.cells import Cells, NumberedCells
from django_hyber.audience.files.file_type import ReadNotes
from django_hyber.audience.files.headers import MOST_COLUMNS
from django_hyber.audience.files.shown_values import Shown, TextFormat, find_format, find_text_format, to_serial
from django_hyber.audience.files.xlsx_package import (
    Package,
    Workbook,
    read_children,
    too_large,
    unreadable,
)
from django_hyber.protocol import clean_text

MOST_ROWS = 1_048_576
MOST_CELLS = 16_384
#: What the values of a row may be long together, and all values of a sheet: shared texts are counted at each use.
MAX_ROW = 256 * 1024
MAX_TEXT = 1024 * 1024 * 1024
MAX_NUMBER = 400
#: How many texts of numbers, and of those that cells share, are kept because they repeat.
KEPT_TEXTS = 4_096
READ_AHEAD = 500
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_DIGITS = "0123456789"
_TRUE = frozenset(("1", "true"))
NOT_AVAILABLE = "#N/A"


def read_sheet(package: Package, part: str, book: Workbook, notes: ReadNotes) -> Generator[NumberedCells, None, None]:
    """Yield the visible rows that have cells, with their numbers."""
    found = package.find(part)
    if found is None:
        raise unreadable()
    with closing(SharedTexts(package, _folder(part))) as shared:
        sheet = _Sheet(shared, book, notes)
        for element in read_children(package, found, "sheetData", sheet.find_hidden_columns):
            row = sheet.read_row(element)
            if row:
                yield sheet.number, row


def _folder(part: str) -> str:
    return part.rpartition("/")[0].rpartition("/")[0]


class SharedTexts:
    """The texts that cells refer to by number: on disk, and read only as far as they are needed."""

    def __init__(self, package: Package, folder: str) -> None:
        part = package.find(f"{folder}/sharedStrings.xml")
        self._elements = read_children(package, part, "sst") if part else iter(())
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._ends = array("Q", [0])

    def get(self, number: int) -> str:
        """Return a text. Raises UnreadableFileError if there is none with this number."""
        if number < 0:
            raise unreadable()
        if number >= len(self._ends) - 1:
            self._read_to(number)
        start, end = self._ends[number], self._ends[number + 1]
        self._file.seek(start)
        return self._file.read(end - start).decode()

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _read_to(self, number: int) -> None:
        """Read on until this text, and some more."""
        self._file.seek(self._ends[-1])
        while len(self._ends) - 1 < number + READ_AHEAD:
            element = next(self._elements, None)
            if element is None:
                break
            text = _text_of(element).encode()
            self._file.write(text)
            self._ends.append(self._ends[-1] + len(text))
        if number >= len(self._ends) - 1:
            raise unreadable()


class _Sheet:
    """The reader of the rows of a sheet; ``number`` is that of the row that it has read."""

    def __init__(self, shared: SharedTexts, book: Workbook, notes: ReadNotes) -> None:
        self.number = 0
        self._book = book
        self._notes = notes
        self._shared_text = lru_cache(KEPT_TEXTS)(shared.get)
        self._formats: dict[str, Callable[[str], Shown]] = {}
        self._text_formats: dict[str, TextFormat] = {}
        #: The styles that show texts as they are: nearly all.
        self._plain_styles: set[str] = set()
        self._places: dict[str, int] = {}
        self._hidden: set[int] = set()
        self._total = 0

    def find_hidden_columns(self, sheet: Element) -> None:
        """Read the columns of the sheet, which are described before its rows."""
        described = (column for columns in sheet if columns.tag.endswith("}cols") for column in columns)
        # Each describes one column or more, in their order.
        for column in islice(described, MOST_COLUMNS + 1):
            if column.get("hidden") in _TRUE:
                first, last = max(1, int(column.get("min", "1"))), min(int(column.get("max", "0")), MOST_COLUMNS + 1)
                self._hidden.update(range(first - 1, last))

    def read_row(self, row: Element) -> Sequence[str]:
        """Return the values of a row, none if it is hidden."""
        number = int(row.get("r", self.number + 1))
        if not self.number < number <= MOST_ROWS or len(row) > MOST_CELLS:
            raise unreadable()
        self.number = number
        cells: list[str] = []
        unknown: set[int] = set()
        place = -1
        for cell in row:
            reference = cell.get("r")
            if reference is None:
                place += 1
            else:
                letters = reference.rstrip(_DIGITS)
                known = self._places.get(letters)
                place = self._find_place(letters) if known is None else known
            if place in self._hidden:
                if len(cell):
                    self._notes.hidden.add(place)
                continue
            value = self._read_cell(cell, place)
            if value is None:
                unknown.add(place)
            elif value:
                _put(cells, place, value)
        self._check_length(cells)
        if row.get("hidden") in _TRUE:
            self._notes.hidden_rows += any(cells)
            return ()
        return Cells(cells, frozenset(unknown)) if unknown else cells

    def _find_place(self, letters: str) -> int:
        """Return the place of a column; those after the last that can have a name count as one."""
        if not letters.isascii() or not letters.isalpha() or len(letters) > len("XFD"):
            raise unreadable()
        place = 0
        for letter in letters.upper():
            place = place * 26 + ord(letter) - 64
        if place > MOST_CELLS:
            raise unreadable()
        self._places[letters] = min(place - 1, MOST_COLUMNS)
        return self._places[letters]

    def _read_cell(self, cell: Element, place: int) -> str | None:
        """Return the value of a cell, or None for a formula whose result is not in the file."""
        kind, style = cell.get("t", "n"), cell.get("s", "0")
        written = None
        has_formula = False
        for child in cell:
            tag = child.tag
            if tag.endswith("}v"):
                written = child.text
            elif tag.endswith("}f"):
                has_formula = True
            elif tag.endswith("}is"):
                return self._shown_text(_text_of(child), style, place)
        if written is None:
            return None if has_formula and kind != "str" else ""
        if kind == "s":
            text = self._shared_text(int(written))
            return text if style in self._plain_styles else self._shown_text(text, style, place)
        if kind == "n":
            return self._number_text(written, style, place)
        return self._other_text(written, kind, style, place)

    def _other_text(self, written: str, kind: str, style: str, place: int) -> str:
        if kind == "e":
            # Means no value, whichever error it is, but a row of it is not blank.
            return NOT_AVAILABLE
        if kind == "b":
            return "TRUE" if written.strip() in _TRUE else "FALSE"
        if kind != "d":
            return self._shown_text(_unescaped(written), style, place)
        try:
            moment = datetime.fromisoformat(written.strip())
        except ValueError:
            return _unescaped(written)
        return self._number_text(repr(to_serial(moment, has_1904_dates=self._book.has_1904_dates)), style, place)

    def _shown_text(self, text: str, style: str, place: int) -> str:
        if style in self._plain_styles:
            return text
        found = self._text_formats.get(style) or find_text_format(self._code_of(style))
        if found is None:
            self._plain_styles.add(style)
            return text
        self._text_formats[style] = found
        shown = found.show(text)
        if not shown.is_exact:
            self._notes.inexact.add(place)
        return shown.text

    def _number_text(self, written: str, style: str, place: int) -> str:
        if len(written) > MAX_NUMBER:
            raise unreadable()
        show = self._formats.get(style) or self._find_format(style)
        shown = show(written)
        if not shown.is_exact:
            self._notes.inexact.add(place)
        return shown.text

    def _find_format(self, style: str) -> Callable[[str], Shown]:
        found = find_format(self._code_of(style), has_1904_dates=self._book.has_1904_dates)
        # Numbers without a format are mostly phone numbers, which do not repeat.
        show = self._formats[style] = lru_cache(KEPT_TEXTS)(found.show) if found.sections else found.show
        return show

    def _code_of(self, style: str) -> str | int:
        formats, number = self._book.formats, int(style)
        return formats[number] if 0 <= number < len(formats) else 0

    def _check_length(self, cells: Sequence[str]) -> None:
        length = sum(map(len, cells))
        self._total += length
        if length > MAX_ROW or self._total > MAX_TEXT:
            raise too_large()


def _put(cells: list[str], place: int, value: str) -> None:
    missing = place - len(cells)
    if missing < 0:
        cells[place] = value
        return
    if missing:
        cells.extend([""] * missing)
    cells.append(value)


def _text_of(element: Element) -> str:
    """Return a text, which may be in runs of different fonts, without the signs of its pronunciation."""
    texts = []
    for child in element:
        tag = child.tag
        if tag.endswith("}t"):
            texts.append(_unescaped(child.text or ""))
        elif tag.endswith("}r"):
            # Runs are unescaped one by one: "_x0041_" across two of them is no escape.
            texts += [_unescaped(part.text or "") for part in child if part.tag.endswith("}t")]
    return texts[0] if len(texts) == 1 else "".join(texts)


def _unescaped(text: str) -> str:
    """Return the text of a cell: characters that XML cannot hold are written as in "_x000D_"."""
    if "_x" in text:
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    return clean_text(text)

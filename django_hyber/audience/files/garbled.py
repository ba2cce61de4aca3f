"""Texts that were garbled before the file was saved: read in a wrong encoding, or saved in one without their letters.

Such a file is good UTF-8. It shows by words that are none, and become words if the mistake is undone: "РћР»РµРЅР°" is
"Олена", read as Windows-1251. Nothing is repaired, because the table that it came from still has the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import IO, NamedTuple

from django_hyber.audience.files.readings import IMPLAUSIBLE, MOST_WORDS, WORD, cost_of_word

#: The encodings in which texts are read by mistake, each with the right one.
MISTAKES = (
    *((wrong, "utf-8") for wrong in ("cp1251", "cp1252", "cp1250", "cp866", "koi8-u", "mac-roman", "mac-cyrillic")),
    *((wrong, "cp1251") for wrong in ("cp1252", "cp1250", "cp866", "koi8-u", "mac-roman")),
    *((wrong, right) for wrong in ("cp1251", "cp1252") for right in ("koi8-u", "cp1125")),
)
PLAUSIBLE = 1.0
#: A word of fewer letters can be anything.
LEAST_LETTERS = 2
#: A file is refused if so many of its lines are garbled. One odd row of a list is no reason.
LEAST_LINES = 2
LEAST_PART = 0.1
#: The sign for a lost letter is never meant, so that less of it is enough.
LEAST_PART_LOST = 0.01
LOST = "\ufffd".encode()
_QUESTION_MARKS = re.compile(rb'(?<![^,;\t|"\r\n])(?:\?[ .\'-]{0,2}){4,}(?![^,;\t|"\r\n])')
_CELL_OF_MARKS = re.compile(r"(?:\?[ .'-]{0,2}){4,}")
_WORD_OF_CELL = re.compile("[A-Za-z'\x80-\U0010ffff-]+")
#: Serbian, Kazakh and other words have letters that are rare in Ukraine.
_CYRILLIC = re.compile("[\u0400-\u052f]+")
_BLOCK = 64 * 1024


class GarbledLine(NamedTuple):
    """The number of the first garbled line, and what it says."""

    number: int
    text: bytes


class GarbledCell(NamedTuple):
    """The row and the column of the first garbled cell, and what it says."""

    row: int
    place: int
    text: str


@dataclass
class _Sort:
    """The rows that are garbled in one way. Of all, or of those with special letters, it takes a part to matter."""

    least_part: float
    least: int = LEAST_LINES
    of_all: bool = False
    rows: int = 0
    first: GarbledCell | None = None

    def add(self, number: int, cells: Sequence[str], is_garbled: Callable[[str], object]) -> None:
        place = next((place for place, cell in enumerate(cells) if is_garbled(cell)), None)
        if place is not None:
            self.rows += 1
            self.first = self.first or GarbledCell(number, place, cells[place])

    def matters(self, special: int, count: int) -> bool:
        return _is_enough(self.rows, count if self.of_all else special, count, self.least_part, self.least)


class GarbledRows:
    """What is garbled in the rows of a table, by the rules for the lines of a text file. The header is the first."""

    def __init__(self) -> None:
        self.count = self._special = 0
        self._words = _Sort(LEAST_PART)
        self._lost = _Sort(LEAST_PART_LOST, least=1)
        self._marks = _Sort(LEAST_PART, of_all=True)
        self._judged: dict[str, bool] = {}

    def add(self, number: int, cells: Sequence[str]) -> None:
        """Look at a row."""
        self.count += 1
        text = "\n".join(cells)
        if "??" in text:
            self._marks.add(number, cells, _CELL_OF_MARKS.fullmatch)
        if text.isascii():
            return
        self._special += 1
        if "\ufffd" in text:
            self._lost.add(number, cells, lambda cell: "\ufffd" in cell)
        if any(map(self._judge, _WORD_OF_CELL.findall(text))):
            self._words.add(number, cells, lambda cell: any(map(self._judge, _WORD_OF_CELL.findall(cell))))

    def find(self) -> GarbledCell | None:
        """Return the first garbled cell, if a good part of the rows so far is garbled."""
        sorts = (self._words, self._lost, self._marks)
        return next((sort.first for sort in sorts if sort.first and sort.matters(self._special, self.count)), None)

    def _judge(self, word: str) -> bool:
        if word.isascii():
            return False
        known = self._judged.get(word)
        if known is None and len(self._judged) < MOST_WORDS:
            known = self._judged[word] = "\ufffd" not in word and _is_garbled(word)
        return bool(known)


def find_garbled(file: IO[bytes], words: Iterable[bytes]) -> GarbledLine | None:
    """Return a line of a file if a good part of it is garbled; ``words`` are those in UTF-8 with special letters."""
    found = None
    garbled = {word for word in words if LOST not in word and _is_garbled(word.decode("utf-8", "replace"))}
    if garbled:
        found = _find_lines(file, lambda line: not garbled.isdisjoint(WORD.findall(line)), LEAST_PART)
    if not found and _contains(file, LOST):
        found = _find_lines(file, lambda line: LOST in line, LEAST_PART_LOST, least=1)
    if not found and _contains(file, b"??"):
        found = _find_lines(file, _QUESTION_MARKS.search, LEAST_PART, of_all=True)
    return found


def _is_garbled(word: str) -> bool:
    if cost_of_word(word) < IMPLAUSIBLE or (_CYRILLIC.fullmatch(word) and (word.isupper() or word[1:].islower())):
        return False
    # "оЛЕНА" was written with the wrong key held down.
    limit = min(PLAUSIBLE, cost_of_word(word.swapcase()))
    return any(_is_word(_undo(word, *mistake), limit) for mistake in MISTAKES)


def _is_word(text: str, limit: float) -> bool:
    has_letters = any(letter.isalpha() and not letter.isascii() for letter in text)
    return has_letters and len(text) >= LEAST_LETTERS and cost_of_word(text) < limit


def _undo(word: str, wrong: str, right: str) -> str:
    """Return the text that was read in the wrong encoding instead of the right one, or an empty string."""
    try:
        return word.translate(_bytes_of(wrong)).encode("latin-1").decode(right)
    except UnicodeError:
        return ""


@cache
def _bytes_of(encoding: str) -> dict[int, int]:
    """Return the byte of each character; what has none becomes a character that Latin-1 has not."""
    table = {**dict.fromkeys(range(0xA0, 0x100), 0x100), **{code: code for code in range(0x80, 0xA0)}}
    for byte in range(0x80, 0x100):
        character = bytes((byte,)).decode(encoding, "ignore")
        table.update({ord(character): byte} if character else {})
    return table


def _contains(file: IO[bytes], part: bytes) -> bool:
    file.seek(0)
    return any(part in block for block in iter(lambda: file.read(_BLOCK), b""))


def _find_lines(
    file: IO[bytes],
    is_garbled: Callable[[bytes], object],
    least_part: float,
    *,
    least: int = LEAST_LINES,
    of_all: bool = False,
) -> GarbledLine | None:
    """Return the first garbled line, if there are enough of all lines, or of those with special letters."""
    file.seek(0)
    first = None
    garbled = counted = number = 0
    for number, line in enumerate(iter(lambda: file.readline(_BLOCK), b""), start=1):
        if not of_all and line.isascii():
            continue
        counted += 1
        if is_garbled(line):
            garbled += 1
            first = first or GarbledLine(number, line)
    return first if _is_enough(garbled, counted, number, least_part, least) else None


def _is_enough(garbled: int, counted: int, lines: int, least_part: float, least: int) -> bool:
    # The first line is the header.
    return garbled >= least_part * counted and (garbled >= least or 2 * garbled >= lines - 1)

"""Rows that a stray quotation mark has made a part of a value: people would be missing, and others get their data."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence

from django_hyber.audience.files.cells import normal_text

#: How many rows show how many columns the table has, and in which ones numbers are.
_KEPT_ROWS = 5
_LEAST_DIGITS, _MOST_DIGITS = 9, 15
_SHORTEST, _LONGEST = len("3.8E+11"), 60
_LINK = re.compile(r"\W*(?:tel|sms|smsto|callto):", re.IGNORECASE)
_SCIENTIFIC = re.compile(r"\W*\d[.,]?\d*e\+?\d{1,2}\W*", re.IGNORECASE)
#: Without these, a value has no number; most have none.
_SOME_DIGITS = re.compile(r"(?:\d\D{0,4}){9}|\d[eE]\+?\d")
_BREAK = re.compile("\r\n|[\r\n]")


class RecentRows:
    """The rows before one with a line break in a value, by which rows of the table differ from lines of a text."""

    def __init__(self, separator: str) -> None:
        self._separator = separator
        self._rows: deque[Sequence[str]] = deque(maxlen=_KEPT_ROWS)
        self.add = self._rows.append

    def are_swallowed_by(self, row: Sequence[str]) -> bool:
        """Return whether a value of this row holds rows of the table.

        Their lines have as many cells as rows have, and one of them has a number where rows have theirs.
        """
        found: set[int] = set()
        for place, value in enumerate(row):
            if not (("\n" in value or "\r" in value) and _SOME_DIGITS.search(value)):
                continue
            lines = [text.split(self._separator) for text in _BREAK.split(value)]
            if self._are_rows(lines, place, len(row) - place - 1):
                # The first line begins within its row, with what may be the value itself.
                found.update(column for column in _places_of_numbers(lines[0], place) if column > place)
                found.update(column for line in lines[1:] for column in _places_of_numbers(line))
        if not found:
            return False
        usual = {place for other in self._rows for place in _places_of_numbers(other)}
        return not usual or not usual.isdisjoint(found)

    def _are_rows(self, lines: Sequence[Sequence[str]], before: int, after: int) -> bool:
        """Return whether each line is as wide as a row, with the columns before the first and after the last one."""
        counts = [len(line) for line in lines]
        counts[0] += before
        counts[-1] += after
        widths = {len(other) for other in self._rows}
        # In a table that people write, empty columns at the end may be left out.
        widest = max(widths, default=0)
        return all(count > 1 and (count in widths or 2 * count > widest) for count in counts)


def _places_of_numbers(cells: Sequence[str], first: int = 0) -> Iterator[int]:
    return (place for place, cell in enumerate(cells, start=first) if _may_be_number(cell))


def _may_be_number(cell: str) -> bool:
    """Return whether a cell has the digits of a phone number, in any spelling, and no letters."""
    if not _SHORTEST <= len(cell) <= _LONGEST:
        return False
    text = _LINK.sub("", normal_text(cell), count=1)
    if _SCIENTIFIC.fullmatch(text.strip()):
        return True
    digits = sum(map(str.isdecimal, text))
    return _LEAST_DIGITS <= digits <= _MOST_DIGITS and ":" not in text and not any(map(str.isalpha, text))

"""What a type of table files has to offer, and what all types share."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, ClassVar

from django.core.exceptions import ValidationError

from django_hyber.protocol import clean_text

#: A text that a spreadsheet could take for a formula, and such a text behind the apostrophe that keeps it from that.
FORMULA = re.compile("'*(?:[\t\r\n]|\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20])")
PROTECTED = re.compile(f"'{FORMULA.pattern}")

#: What a cell of a written file can hold.
Cell = str | int | None
Pages = Iterable[Iterable[Sequence[Cell]]]


class UnreadableFileError(ValidationError):
    """A file of numbers cannot be read at all; nothing of it has been imported."""


@dataclass(frozen=True, kw_only=True)
class FileFormat:
    """How a file is to be read; jobs store it as JSON. ``kind`` is the name of its type, the rest is for that type.

    ``other_sheets`` of an XLSX table hold something as well, and are not read. ``nuls`` counts the NUL characters of a
    text file: they are left out.
    """

    kind: str
    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    other_sheets: int = 0
    nuls: int = 0


class ShownText(str):
    """A value that is no text, as text. ``raw`` is the value itself: a phone number that became a date is no number."""

    __slots__ = ("raw",)
    raw: object

    @classmethod
    def of(cls, value: object) -> str:
        """Return any value as text; spreadsheets make floats of whole numbers."""
        if isinstance(value, str):
            return clean_text(value)
        if value is None:
            return ""
        is_whole = isinstance(value, float) and value.is_integer()
        text = cls(int(value) if is_whole else clean_text(str(value)))  # type: ignore[call-overload]
        text.raw = value
        return text


class FileType(ABC):
    """One type of table files. A new one is a subclass in a module of its own, listed in FILE_TYPES."""

    name: ClassVar[str]
    content_type: ClassVar[str]
    #: The endings of file names that a browser offers to choose.
    suffixes: ClassVar[tuple[str, ...]]
    #: How many rows a written file can hold, the header included.
    most_rows: ClassVar[int | None] = None

    @abstractmethod
    def recognise(self, file: IO[bytes]) -> FileFormat | None:
        """Say how the file is to be read, or None if it is of another type. Raises UnreadableFileError."""

    @abstractmethod
    def read(self, file: IO[bytes], found: FileFormat) -> Generator[Sequence[str], None, None]:
        """Yield all rows, blank ones too, with their values as texts. Raises UnreadableFileError."""

    @abstractmethod
    def describe(self, found: FileFormat) -> str:
        """Return how the file is read, in the reader's language."""

    @abstractmethod
    def protect(self, text: str) -> str:
        """Return the text as it has to be written, so that it cannot become a formula and is read back unchanged."""

    @abstractmethod
    def write(self, pages: Pages) -> Iterator[bytes]:
        """Yield a file with these pages of rows, in memory that does not grow with their number."""


def protect(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet could take for a formula; reading a file takes it off."""
    return f"'{text}" if FORMULA.match(text) else text


def protect_protected(text: str) -> str:
    """Put an apostrophe before a text that looks protected, so that it keeps the one it has."""
    return f"'{text}" if PROTECTED.match(text) else text


def unprotect(text: str) -> str:
    """Take the apostrophe off."""
    return text[1:] if text[:1] == "'" and PROTECTED.match(text) else text

"""The interface of a file type; and how a file of any type is to be read, and what was noticed while reading it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar

from django.core.exceptions import ValidationError

from django_hyber.audience.files.cells import NumberedCells, column_letters

#: What a cell of a written file can hold.
Cell = str | int | None
Pages = Iterable[Iterable[Sequence[Cell]]]


class UnreadableFileError(ValidationError):
    """A file of numbers cannot be read at all; nothing of it has been imported."""


@dataclass(frozen=True, kw_only=True)
class FileFormat:
    """How a file is to be read; jobs store it as JSON. ``kind`` is the name of its type, the rest is for that type.

    ``header_row`` is the number of the row that names the columns; 0 stands for the first row that is not blank.
    ``sheets`` names the visible sheets of an XLSX table, ``hidden_sheets`` counts the others. ``nuls`` counts the NUL
    characters of a text file, which are removed; ``has_space_before_quotes`` is set for a text file with lines such as
    ``1, "a", "b"``. With ``may_be_garbled``, the text has not been checked yet: its rows are checked while they are
    read.
    """

    kind: str
    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    sheets: Sequence[str] = ()
    hidden_sheets: int = 0
    header_row: int = 0
    nuls: int = 0
    has_space_before_quotes: bool = False
    may_be_garbled: bool = False

    @property
    def unread_sheets(self) -> list[str]:
        """The visible sheets that are not read."""
        return [name for name in self.sheets if name != self.sheet]


#: The options that do not describe the file.
HINTS = frozenset(("phone_column", "only_numbers"))


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How a person wants a file to be read; what is None is detected. ``phone_column`` helps to find the header.

    With ``only_numbers``, no text of the file is sent to anybody, so garbled text is allowed.
    """

    encoding: str | None = None
    separator: str | None = None
    sheet: str | None = None
    header_row: int | None = None
    phone_column: str = ""
    only_numbers: bool = False

    def given(self) -> dict[str, Any]:
        """Return what a person has said about the file."""
        return {name: value for name, value in vars(self).items() if name not in HINTS and value is not None}


@dataclass
class ReadNotes:
    """What was noticed while reading: hidden rows and columns, and columns that a spreadsheet may show differently."""

    hidden_rows: int = 0
    hidden: set[int] = field(default_factory=set)
    inexact: set[int] = field(default_factory=set)
    names: Sequence[str] = ()

    @property
    def hidden_columns(self) -> list[str]:
        """The letters of the hidden columns that are not empty."""
        return [column_letters(place) for place in sorted(self.hidden)]

    @property
    def inexact_columns(self) -> list[str]:
        """The names of the columns whose values the spreadsheet may show differently."""
        return [name for place, name in enumerate(self.names) if name and place in self.inexact]


class FileType(ABC):
    """One type of table files. A new one is a subclass in its own module, listed in FILE_TYPES."""

    name: ClassVar[str]
    content_type: ClassVar[str]
    #: The endings of the file names that a browser offers.
    suffixes: ClassVar[tuple[str, ...]]
    #: The options of reading that apply to this type only.
    own_options: ClassVar[frozenset[str]]
    #: The encoding of all such files. A person who specifies it confirms that text that looks garbled is right.
    only_encoding: ClassVar[str] = ""
    #: How many rows a written file can hold, the header included.
    most_rows: ClassVar[int | None] = None

    @abstractmethod
    def recognize(self, file: IO[bytes], options: ReadOptions) -> FileFormat | None:
        """Return how to read the file, or None if it is of another type. Raises UnreadableFileError."""

    @abstractmethod
    def read(self, file: IO[bytes], found: FileFormat, notes: ReadNotes) -> Generator[NumberedCells, None, None]:
        """Yield the rows with their numbers, and with their values as texts; blank rows may be left out.

        Raises UnreadableFileError.
        """

    @abstractmethod
    def describe(self, found: FileFormat) -> str:
        """Return how the file is read, in the reader's language."""

    @abstractmethod
    def protect(self, text: str) -> str:
        """Return the text to write: it must not become a formula, and must be read back unchanged."""

    @abstractmethod
    def write(self, pages: Pages, separator: str = ",") -> Iterator[bytes]:
        """Yield a file with these pages of rows, in memory that does not grow with their number.

        ``separator`` is that of a text file.
        """

"""Which column of a file holds the numbers to remove; a file of nothing but numbers needs no header."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import IO

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.columns import (
    SAMPLE_ROWS,
    guess_phone,
    no_phone_column,
    several_phone_columns,
)
from django_hyber.audience.files.file_type import FileFormat, ReadOptions, UnreadableFileError
from django_hyber.audience.files.headers import is_number
from django_hyber.audience.files.reading import first_rows, read_rows, recognise
from django_hyber.models import Campaign


@dataclass(frozen=True, kw_only=True)
class NumberColumns:
    """How to read the numbers of a file; ``header`` is empty if the file has one itself."""

    format: FileFormat
    header: tuple[str, ...] = ()
    phone_column: str


def find_columns(file: IO[bytes], campaign: Campaign) -> NumberColumns:
    """Find the column of numbers by its header, or by the values. Raises UnreadableFileError."""
    found = recognise(file, ReadOptions(only_numbers=True))
    try:
        headers, rows = _first_rows(file, found)
    except UnreadableFileError as error:
        if error.code != "no-header":
            raise
        return _without_header(file, found, error)
    phones = guess_phone(headers, rows, campaign)
    if len(phones) != 1:
        raise several_phone_columns(phones) if phones else no_phone_column(headers)
    return NumberColumns(format=found, phone_column=phones[0])


def _first_rows(file: IO[bytes], found: FileFormat) -> tuple[list[str], Sequence[Sequence[str]]]:
    with closing(read_rows(file, found)) as numbered:
        rows = [values for _number, values in islice(numbered, SAMPLE_ROWS)]
    if not rows:
        raise UnreadableFileError(_("The file has no rows below the names of its columns."), code="no-rows")
    return list(rows[0]), [list(values.values()) for values in rows]


def _without_header(file: IO[bytes], found: FileFormat, error: UnreadableFileError) -> NumberColumns:
    """Name the columns of a file whose first line has one number."""
    first = next(cells for _number, cells in first_rows(file, found) if any(cells))
    numbers = [index for index, value in enumerate(first) if is_number(value)]
    if len(numbers) != 1:
        raise error
    header = tuple(f"column {index}" for index in range(len(first)))
    return NumberColumns(format=found, header=header, phone_column=header[numbers[0]])

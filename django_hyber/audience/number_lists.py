"""The numbers of a list, such as that of recipients to remove, which column holds them, and how each is read.

The column is found by its header or its values; a list of nothing but numbers needs no header.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, cast

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.columns import (
    SAMPLE_ROWS,
    guess_phone,
    no_phone_column,
    region_of,
    several_phone_columns,
)
from django_hyber.audience.countries import country_columns, other_country
from django_hyber.audience.files.cells import ShownText
from django_hyber.audience.files.file_type import FileFormat, ReadOptions, UnreadableFileError
from django_hyber.audience.files.headers import is_number
from django_hyber.audience.files.reading import UncalculatedRow, WideRow, first_rows, read_rows, recognize
from django_hyber.models import Campaign
from django_hyber.protocol import InvalidPhone, parse_phone
from django_hyber.words import bare_digits


@dataclass(frozen=True, kw_only=True)
class NumberColumns:
    """How to read the numbers of a file; ``header`` is empty if the file has one itself."""

    format: FileFormat
    header: tuple[str, ...] = ()
    phone_column: str


def find_columns(file: IO[bytes], campaign: Campaign) -> NumberColumns:
    """Find the column of numbers by its header, or by the values. Raises UnreadableFileError."""
    found = recognize(file, ReadOptions(only_numbers=True))
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


def phones_in(campaign: Campaign, numbers: IO[bytes] | Iterable[str]) -> Generator[str | None, None, None]:
    """Yield the numbers of a list as imports store them, and None for what is no number."""
    if hasattr(numbers, "read"):
        file = cast("IO[bytes]", numbers)
        columns = find_columns(file, campaign)
        yield from read_phones(campaign, file, columns)
        return
    region = region_of(campaign)
    for number in numbers:
        yield as_stored(number, region)


def read_phones(campaign: Campaign, file: IO[bytes], columns: NumberColumns) -> Generator[str | None, None, None]:
    """Yield the numbers of a file as imports store them, and None for a row without one.

    A number beside another country is read as one of that country.
    """
    home = region_of(campaign)
    with closing(read_rows(file, columns.format, columns.header)) as rows:
        for _number, values in rows:
            written = values[columns.phone_column]
            raw = written.raw if isinstance(written, ShownText) else written
            is_unsure = isinstance(values, WideRow | UncalculatedRow)
            country = other_country(values, country_columns(tuple(values)), home)
            yield None if is_unsure else as_stored(raw, country or home)


def as_stored(typed: Any, region: str | None) -> str | None:
    """Return a number, spelled in any way, as imports store it, or None for what is no number."""
    try:
        return parse_phone(typed, region, foreign=True).digits
    except InvalidPhone:
        # It may have been valid when it was imported.
        return bare_digits(str(typed)) or None

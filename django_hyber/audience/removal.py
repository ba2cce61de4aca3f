"""The removal of recipients from a draft: all, those of one import, or those on a list of numbers.

Which column of a list holds the numbers is found by its header or its values; a list of nothing but numbers needs no
header.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, cast

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
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
from django_hyber.audience.files.reading import UncalculatedRow, WideRow, first_rows, read_rows, recognise
from django_hyber.audience.imports import ImportReport
from django_hyber.db.transactions import write_transaction
from django_hyber.errors import CampaignError
from django_hyber.forgetting.drafts import forget_imports_of_nobody
from django_hyber.models import Campaign, Message
from django_hyber.protocol import InvalidPhone, parse_phone
from django_hyber.words import MAX_PHONE_DIGITS

#: How many recipients are deleted at once.
CHUNK = 5_000
Phones = Iterable[str | None]
Progress = Callable[[int], object]


@dataclass(kw_only=True)
class Removed:
    """The result of a removal by a list: ``total`` = ``removed`` + ``not_found`` + ``unreadable``.

    ``not_found`` counts the numbers that are not among the recipients, or that repeat another of the list;
    ``unreadable`` the rows without a phone number. Without a list, ``total`` equals ``removed``.
    """

    total: int = 0
    removed: int = 0
    not_found: int = 0
    unreadable: int = 0


def remove_recipients(
    campaign: Campaign,
    *,
    everybody: bool = False,
    imported: ImportReport | None = None,
    numbers: IO[bytes] | Iterable[str] | None = None,
    progress: Progress | None = None,
) -> Removed:
    """Remove recipients from a campaign that has not been launched: all of them, or none after an error.

    Pass exactly one of these: ``everybody``; ``imported``, the report of an import, for those whom it added; or
    ``numbers``, an iterable of texts or an open binary file (CSV, XLSX), in any notation. A file needs no header if
    only one of its columns has numbers. ``progress`` is called with the number of recipients or rows that are done.

    Raises UnreadableFileError for a file that cannot be read, CampaignError after the launch.
    """
    if [everybody, imported is not None, numbers is not None].count(True) != 1:
        raise ValueError("Exactly one of everybody, imported and numbers says which recipients to remove.")
    removed = Removed()
    with write_transaction():
        lock_draft(campaign)
        if numbers is not None:
            with closing(_phones_in(campaign, numbers)) as phones:
                for listed in pages_of_phones(phones):
                    remove_listed(campaign, listed, removed)
                    _report(progress, removed)
        else:
            for page in pages_of_keys(campaign, ranges_of(imported) if imported else None):
                remove_keys(page, removed)
                _report(progress, removed)
        forget_imports_of_nobody(campaign)
    return removed


def lock_draft(campaign: Campaign) -> None:
    """Lock the campaign until the end of the transaction. Raises CampaignError after the launch."""
    current = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if not current.is_editable:
        problem = ValidationError(_("Recipients can only be removed before the launch."), code="launched")
        raise CampaignError([problem])


def ranges_of(report: ImportReport) -> list[tuple[int, int]]:
    """Return the ranges of keys that an import has added; the first key of each is not part of it."""
    return [(after, last) for after, last in report.added_keys]


def added_by(campaign: Campaign, report: ImportReport) -> int:
    """Count the recipients that an import has added and that are still there."""
    return sum(
        campaign.messages.filter(pk__gt=after, pk__lte=last).order_by().count() for after, last in ranges_of(report)
    )


def pages_of_keys(campaign: Campaign, ranges: Sequence[tuple[int, int]] | None) -> Iterator[list[int]]:
    """Yield keys of recipients, page by page, as long as there are any: each page has to be deleted before the next.

    Without ``ranges``, those of all recipients.
    """
    recipients = campaign.messages.order_by()
    wanted: Iterable[QuerySet[Message]] = (
        [recipients] if ranges is None else (recipients.filter(pk__gt=after, pk__lte=last) for after, last in ranges)
    )
    for rows in wanted:
        while page := list(rows.values_list("pk", flat=True)[:CHUNK]):
            yield page


def remove_keys(page: Sequence[int], removed: Removed) -> int:
    """Delete the recipients with these keys, and return how many there were."""
    count: int = Message.objects.filter(pk__in=page).delete()[1].get(Message._meta.label, 0)
    removed.total += count
    removed.removed += count
    return count


def remove_listed(campaign: Campaign, page: Sequence[str | None], removed: Removed) -> None:
    """Delete the recipients with these numbers; None is a row without a number."""
    phones = {phone for phone in page if phone}
    unreadable = page.count(None)
    rows = list(campaign.messages.filter(phone_number__in=phones).order_by().values_list("pk", flat=True))
    count = remove_keys(rows, Removed()) if rows else 0
    removed.total += len(page)
    removed.removed += count
    removed.unreadable += unreadable
    removed.not_found += len(page) - unreadable - count


def count_listed(campaign: Campaign, phones: Phones) -> Removed:
    """Count what a removal by a list would remove."""
    found = Removed()
    for page in pages_of_phones(phones):
        wanted = {phone for phone in page if phone}
        count = campaign.messages.filter(phone_number__in=wanted).order_by().count()
        found.total += len(page)
        found.removed += count
        found.unreadable += page.count(None)
    # A number that is repeated on another page of the list is counted once, as when it is removed.
    found.not_found = found.total - found.unreadable - found.removed
    return found


def read_phones(
    campaign: Campaign, file: IO[bytes], found: FileFormat, header: Sequence[str], phone_column: str
) -> Generator[str | None, None, None]:
    """Yield the numbers of a file as imports store them, and None for a row without one.

    A number beside another country is read as one of that country.
    """
    home = region_of(campaign)
    with closing(read_rows(file, found, header)) as rows:
        for _number, values in rows:
            written = values[phone_column]
            raw = written.raw if isinstance(written, ShownText) else written
            is_unsure = isinstance(values, WideRow | UncalculatedRow)
            country = other_country(values, country_columns(tuple(values)), home)
            yield None if is_unsure else as_stored(raw, country or home)


def pages_of_phones(phones: Phones) -> Iterator[list[str | None]]:
    """Yield the numbers in pages."""
    phones = iter(phones)
    while page := list(islice(phones, CHUNK)):
        yield page


def as_stored(typed: Any, region: str | None) -> str | None:
    """Return a number, spelled in any way, as imports store it, or None for what is no number."""
    try:
        return parse_phone(typed, region, foreign=True).digits
    except InvalidPhone:
        # It may have been valid when it was imported.
        text = str(typed)
        digits = "".join(character for character in text if character.isascii() and character.isdigit())
        is_number = digits and len(digits) <= MAX_PHONE_DIGITS and not any(map(str.isalpha, text))
        return digits if is_number else None


def _phones_in(campaign: Campaign, numbers: IO[bytes] | Iterable[str]) -> Generator[str | None, None, None]:
    if hasattr(numbers, "read"):
        file = cast("IO[bytes]", numbers)
        columns = find_columns(file, campaign)
        yield from read_phones(campaign, file, columns.format, columns.header, columns.phone_column)
        return
    region = region_of(campaign)
    for number in numbers:
        yield as_stored(number, region)


def _report(progress: Progress | None, removed: Removed) -> None:
    if progress:
        progress(removed.total)


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

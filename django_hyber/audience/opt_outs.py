"""The opt-out list as the destination of an import."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import IO, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from django_hyber.audience.columns import REASON, Columns, region_of
from django_hyber.audience.files.file_type import ReadOptions
from django_hyber.audience.import_numbers import NEAR_HOME
from django_hyber.audience.imports import ImportReport, Source, import_rows
from django_hyber.models import TEXT_LIMIT, Suppression
from django_hyber.protocol import InvalidPhone, PhoneNumber
from django_hyber.protocol.phones.spellings import SEVERAL

#: A text with so many digits is a phone number, not a reason.
_LEAST_DIGITS = 9


class NewSuppression(NamedTuple):
    """A row as it goes into the table."""

    phone_number: str
    reason: str
    created_at: datetime
    added_by: str


class OptOuts:
    """The destination.

    ``reason`` is for the rows that have none, ``added_by`` the user who imports them; ``foreign`` is that of
    ``parse_phone``.
    """

    model = Suppression
    columns = NewSuppression._fields
    #: Somebody has opted out with each of them.
    every_number = True
    wanted = None

    def __init__(self, reason: str = "", added_by: str = "", *, foreign: bool = False) -> None:
        self.region = region_of(None)
        self.foreign = foreign
        self._reason = reason[:TEXT_LIMIT]
        self._added_by = added_by
        self._now = timezone.now()

    def prepare(self) -> None:
        """Lock nothing: the list is always open."""

    def rows(self) -> QuerySet[Suppression]:
        """Return the list."""
        return Suppression.objects.all()

    def refusal(self, number: PhoneNumber) -> str:
        """Refuse a doubtful number, because somebody else would be opted out; numbers of every kind can opt out."""
        return "" if number.is_sure or self.foreign else NEAR_HOME

    def as_row(self, phone: str, values: dict[str, str]) -> NewSuppression:
        """Return an entry. Reject a second number in place of the reason: it must not get lost."""
        reason = values.get(REASON, "").strip()
        if sum(map(str.isdecimal, reason)) >= _LEAST_DIGITS and not any(map(str.isalpha, reason)):
            raise InvalidPhone(SEVERAL)
        return NewSuppression(phone, reason[:TEXT_LIMIT] or self._reason, self._now, self._added_by)


def import_suppressions(
    source: Source,
    *,
    phone_column: str = "",
    reason_column: str = "",
    reason: str = "",
    foreign: bool = False,
    encoding: str | None = None,
    separator: str | None = None,
    sheet: str | None = None,
    header_row: int | None = None,
    rejected_file: IO[bytes] | None = None,
    progress: Callable[[int], object] | None = None,
) -> ImportReport:
    """Put numbers on the opt-out list: all of the good rows, or nothing if the file is broken.

    ``source`` is an iterable of dicts or an open binary file (CSV, XLSX). ``reason`` is written where the row has
    none. ``foreign`` takes doubtful numbers of other countries, as in import_recipients. All rejected rows go to
    ``rejected_file`` as CSV; ``progress`` is called with the number of rows read so far.

    The way to read a file is detected, or given by ``encoding`` (such as "cp1251"), ``separator`` (``,``, ``;``, ``|``
    or a tab), ``sheet`` (its name) and ``header_row`` (the number of the row that names the columns).

    Raises UnreadableFileError for a file that cannot be read or lacks a column.
    """
    columns = Columns(phone_column=phone_column, variables={reason_column: REASON} if reason_column else None)
    options = ReadOptions(
        encoding=encoding,
        separator=separator,
        sheet=sheet,
        header_row=header_row,
        phone_column=phone_column,
        only_numbers=True,
    )
    report, _newest = import_rows(OptOuts(reason, foreign=foreign), columns, source, rejected_file, progress, options)
    return report

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import IO, Any, NamedTuple, cast

from django.core.exceptions import ValidationError
from django.db.models import Max
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_lazy as _

from django_hyber.conf import get_account
from django_hyber.engine.bulk import insert_rows
from django_hyber.engine.identifiers import extra_ids
from django_hyber.engine.transactions import database, write_transaction
from django_hyber.models import Campaign, Message
from django_hyber.protocol import InvalidPhone, clean_text, normalize_phone
from django_hyber.services.campaigns import CampaignError
from django_hyber.services.import_columns import ColumnChoice, Layout, lay_out
from django_hyber.services.recipient_files import read_rows
from django_hyber.services.rejected_rows import RejectedRowsFile

#: How many rows are written at once.
CHUNK = 5_000
#: How many rejected rows a report keeps.
KEPT_ROWS = 1_000

Source = IO[bytes] | Iterable[Mapping[str, Any]]
Numbered = tuple[int, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A row that was left out. ``row`` counts from 1 and includes the header line of a file."""

    row: int
    reason: str | Promise
    values: Mapping[str, Any]


@dataclass(kw_only=True)
class ImportReport:
    """What became of the rows: ``total`` = ``accepted`` + ``duplicates`` + ``existing`` + ``rejected_count``.

    ``duplicates`` repeat a number of the same source, ``existing`` were in the campaign before. ``rejected`` holds the
    first 1,000 of the rejected rows; all of them are in the file that the import was given for them.
    """

    total: int = 0
    accepted: int = 0
    duplicates: int = 0
    existing: int = 0
    rejected_count: int = 0
    rejected: list[RejectedRow] = field(default_factory=list)
    ignored_columns: list[str] = field(default_factory=list)


class NewRecipient(NamedTuple):
    """A row as it goes into the table: the columns that have no default in the database are all here."""

    campaign_id: int
    account: str
    phone_number: str
    extra_id: str
    variables: dict[str, str]
    status: str
    created_at: datetime
    channel: str = ""
    error_text: str = ""
    attempts: int = 0


def import_recipients(
    campaign: Campaign,
    source: Source,
    *,
    phone_column: str = "",
    text_column: str = "",
    variables: Mapping[str, str] | None = None,
    rejected_file: IO[bytes] | None = None,
    progress: Callable[[int], object] | None = None,
) -> ImportReport:
    """Add recipients to a campaign that has not been launched: all of the good rows, or nothing if the file is broken.

    ``source`` is an iterable of dicts or an open binary file (CSV, XLSX). The phone column is found by its header
    (phone, phone_number, телефон, ...) or named; the other columns become variables, or those in ``variables`` (names
    by header). A number is taken once a campaign. ``text_column`` holds a text for each recipient: the campaign then
    has own texts, and its channels none. All rejected rows go to ``rejected_file`` as CSV; ``progress`` is called with
    the number of rows read so far.

    Raises UnreadableFileError for a file that cannot be read or lacks a column, CampaignError after the launch.
    """
    choice = ColumnChoice(phone_column=phone_column, text_column=text_column, variables=variables)
    using = database()
    work = RecipientImport(campaign, choice, ImportReport(), rejected_file)
    with write_transaction(using), closing(number_rows(source)) as rows:
        prepare(campaign, choice, using)
        newest = newest_recipient(campaign, using)
        for page in pages_of(rows):
            work.add(page, newest, using)
            if progress:
                progress(work.report.total)
    return work.report


class RecipientImport:
    """The way of rows into a campaign, page by page; what became of them is in ``report``."""

    def __init__(
        self, campaign: Campaign, choice: ColumnChoice, report: ImportReport, rejected_file: IO[bytes] | None = None
    ) -> None:
        self.report = report
        self._campaign = campaign
        self._choice = choice
        self._region = get_account(campaign.account).default_region
        self._rejected_file = RejectedRowsFile(rejected_file) if rejected_file else None
        self._extra_ids = extra_ids()
        self._layouts: dict[tuple[str, ...], Layout] = {}
        self._now = timezone.now()

    def add(self, page: Iterable[Numbered], newest: int, using: str) -> None:
        """Write a page of rows; recipients up to the key ``newest`` were there before the import."""
        rows = list(self._recipients(page))
        phones = [row.phone_number for row in rows]
        known = Message.objects.using(using).filter(campaign=self._campaign, pk__lte=newest, phone_number__in=phones)
        before = set(known.values_list("phone_number", flat=True)) if newest else set()
        accepted = insert_rows(Message, NewRecipient._fields, rows, using)
        existing = sum(phone in before for phone in phones)
        self.report.accepted += accepted
        self.report.existing += existing
        self.report.duplicates += len(rows) - accepted - existing

    def repeat(self, page: Iterable[Numbered]) -> None:
        """Go over rows that an earlier run has added, for their part in the file of rejected rows."""
        for number, values in page:
            phone = self._phone(number, values, self._layout(values))
            if isinstance(phone, RejectedRow) and self._rejected_file:
                self._rejected_file.write(phone.row, phone.reason, phone.values)

    def _recipients(self, page: Iterable[Numbered]) -> Iterator[NewRecipient]:
        campaign_id, account, status = self._campaign.pk, self._campaign.account, Message.Status.QUEUED.value
        for number, values in page:
            layout = self._layout(values)
            self.report.total += 1
            phone = self._phone(number, values, layout)
            if isinstance(phone, RejectedRow):
                self._reject(phone)
                continue
            variables = {name: _as_text(values[header]) for header, name in layout.variables}
            yield NewRecipient(campaign_id, account, phone, next(self._extra_ids), variables, status, self._now)

    def _phone(self, number: int, values: Mapping[str, Any], layout: Layout) -> str | RejectedRow:
        try:
            return normalize_phone(values[layout.phone], self._region)
        except InvalidPhone as error:
            return RejectedRow(row=number, reason=gettext_lazy(error.reason), values=dict(values))

    def _reject(self, row: RejectedRow) -> None:
        self.report.rejected_count += 1
        if len(self.report.rejected) < KEPT_ROWS:
            self.report.rejected.append(row)
        if self._rejected_file:
            self._rejected_file.write(row.row, row.reason, row.values)

    def _layout(self, values: Mapping[str, Any]) -> Layout:
        headers = tuple(values)
        if headers not in self._layouts:
            layout = self._layouts[headers] = lay_out(headers, self._choice)
            ignored = set(layout.ignored) - set(self.report.ignored_columns)
            self.report.ignored_columns += sorted(ignored)
        return self._layouts[headers]


def prepare(campaign: Campaign, choice: ColumnChoice, using: str) -> None:
    """Lock the campaign, refuse if it has been launched, and note on it that its recipients bring their texts."""
    current = Campaign.objects.using(using).select_for_update().get(pk=campaign.pk)
    if not current.is_editable:
        problem = ValidationError(_("Recipients can only be added before the launch."), code="launched")
        raise CampaignError([problem])
    if choice.text_column and not current.has_own_texts:
        Campaign.objects.using(using).filter(pk=campaign.pk).update(has_own_texts=True)
        campaign.has_own_texts = True


def newest_recipient(campaign: Campaign, using: str) -> int:
    """Return the key of the recipient who was added last, or 0."""
    newest: int | None = Message.objects.using(using).filter(campaign=campaign).aggregate(newest=Max("pk"))["newest"]
    return newest or 0


def number_rows(source: Source) -> Generator[Numbered, None, None]:
    """Yield the rows with their numbers."""
    if hasattr(source, "read"):
        yield from read_rows(cast("IO[bytes]", source))
    else:
        yield from enumerate(source, start=1)


def pages_of(rows: Iterator[Numbered]) -> Iterator[list[Numbered]]:
    """Yield the rows in pages."""
    while page := list(islice(rows, CHUNK)):
        yield page


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return clean_text(value)
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean_text(str(value))

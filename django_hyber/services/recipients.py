from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
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
from django_hyber.protocol import InvalidPhone, check_variable_name, clean_text, normalize_phone
from django_hyber.services.campaigns import CampaignError
from django_hyber.services.recipient_files import UnreadableFileError, read_rows

CHUNK = 5_000
#: In the order of preference: "number" may as well be that of an order.
PHONE_HEADERS = (
    "phone_number",
    "phone",
    "phonenumber",
    "mobile",
    "mobile_phone",
    "msisdn",
    "tel",
    "telephone",
    "телефон",
    "номер_телефону",
    "номер_телефона",
    "мобільний",
    "мобільний_телефон",
    "number",
    "номер",
)


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A row that was left out. ``row`` counts from 1 and includes the header line of a file."""

    row: int
    reason: str | Promise
    values: Mapping[str, Any]


@dataclass(kw_only=True)
class ImportReport:
    """What became of the rows: ``total`` = ``accepted`` + ``duplicates`` + ``existing`` + the rejected ones.

    ``duplicates`` repeat a number of the same source, ``existing`` were in the campaign before.
    """

    total: int = 0
    accepted: int = 0
    duplicates: int = 0
    existing: int = 0
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
    campaign: Campaign, source: IO[bytes] | Iterable[Mapping[str, Any]], *, phone_column: str = ""
) -> ImportReport:
    """Add recipients to a campaign that has not been launched: all of the good rows, or nothing if the file is broken.

    ``source`` is an iterable of dicts or an open binary file (CSV, XLSX). The phone column is found by its header
    (phone, phone_number, телефон, ...) or named; the other columns become variables. A number is taken once a campaign.

    Raises UnreadableFileError for a file that cannot be read or has no phone column, CampaignError after the launch.
    """
    using = database()
    report = ImportReport()
    with write_transaction(using), closing(_numbered(source)) as numbered:
        _refuse_launched(campaign, using)
        newest = Message.objects.using(using).filter(campaign=campaign).aggregate(newest=Max("pk"))["newest"] or 0
        rows = _recipients(campaign, numbered, phone_column, report)
        while chunk := list(islice(rows, CHUNK)):
            _add(campaign, chunk, newest, report, using)
    return report


def _refuse_launched(campaign: Campaign, using: str) -> None:
    current = Campaign.objects.using(using).select_for_update().get(pk=campaign.pk)
    if not current.is_editable:
        problem = ValidationError(_("Recipients can only be added before the launch."), code="launched")
        raise CampaignError([problem])


def _numbered(
    source: IO[bytes] | Iterable[Mapping[str, Any]],
) -> Generator[tuple[int, Mapping[str, Any]], None, None]:
    if hasattr(source, "read"):
        yield from read_rows(cast("IO[bytes]", source))
    else:
        yield from enumerate(source, start=1)


def _recipients(
    campaign: Campaign, rows: Iterable[tuple[int, Mapping[str, Any]]], phone_column: str, report: ImportReport
) -> Iterator[NewRecipient]:
    region = get_account(campaign.account).default_region
    now = timezone.now()
    layouts: dict[tuple[str, ...], Layout] = {}
    for extra_id, (number, values) in zip(extra_ids(), rows, strict=False):
        names = tuple(values)
        if names not in layouts:
            layouts[names] = _lay_out(names, phone_column, report)
        layout = layouts[names]
        report.total += 1
        try:
            phone = normalize_phone(values[layout.phone], region)
        except InvalidPhone as error:
            report.rejected.append(RejectedRow(row=number, reason=gettext_lazy(error.reason), values=dict(values)))
            continue
        variables = {name: _as_text(values[name]) for name in layout.variables}
        yield NewRecipient(campaign.pk, campaign.account, phone, extra_id, variables, Message.Status.QUEUED.value, now)


class Layout(NamedTuple):
    """Which column is the phone and which ones are variables."""

    phone: str
    variables: tuple[str, ...]


def _lay_out(names: Sequence[str], phone_column: str, report: ImportReport) -> Layout:
    phone = _find_phone_column(names, phone_column)
    others = [name for name in names if name != phone]
    usable = tuple(name for name in others if check_variable_name(name) is None)
    ignored = set(others) - set(usable) - set(report.ignored_columns)
    report.ignored_columns += sorted(str(name) for name in ignored)
    return Layout(phone, usable)


def _find_phone_column(names: Sequence[str], phone_column: str) -> str:
    wanted = (_as_header(phone_column),) if phone_column else PHONE_HEADERS
    found = {_as_header(name): name for name in names}
    for header in wanted:
        if header in found:
            return found[header]
    raise UnreadableFileError(
        _('No column holds phone numbers. Call it "phone", or choose one of: %(columns)s.'),
        code="no-phone-column",
        params={"columns": ", ".join(str(name) for name in names)},
    )


def _as_header(name: str) -> str:
    return re.sub(r"[\s-]+", "_", str(name).strip().casefold())


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean_text(str(value))


def _add(campaign: Campaign, rows: Sequence[NewRecipient], newest: int, report: ImportReport, using: str) -> None:
    phones = [row.phone_number for row in rows]
    known = Message.objects.using(using).filter(campaign=campaign, pk__lte=newest, phone_number__in=phones)
    before = set(known.values_list("phone_number", flat=True)) if newest else set()
    accepted = insert_rows(Message, NewRecipient._fields, rows, using)
    existing = sum(phone in before for phone in phones)
    report.accepted += accepted
    report.existing += existing
    report.duplicates += len(rows) - accepted - existing

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.timezone import get_current_timezone
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from django_hyber.audience.files.reading import protect, protect_protected
from django_hyber.audience.files.xlsx import MAX_ROWS, Cell, write_workbook
from django_hyber.db.pages import campaign_pages
from django_hyber.db.transactions import database
from django_hyber.models import Campaign, CampaignChannel, Message
from django_hyber.words import describe_end

CHUNK = 5_000
KNOWN_REASONS = 1_000
Format = Literal["csv", "xlsx"]
FORMATS: tuple[Format, ...] = get_args(Format)


class ExportError(ValidationError):
    """A campaign cannot be exported this way; ``messages`` says why, in the reader's language."""


class Exported(NamedTuple):
    """The columns of a message that an export tells."""

    pk: int
    phone_number: str | None
    variables: dict[str, Any]
    status: str
    channel: str
    error_code: int | None
    error_text: str
    accepted_at: datetime | None
    finished_at: datetime | None
    clicks: int | None
    total_sms_parts: int | None
    delivered_sms_parts: int | None


def export_recipients(campaign: Campaign, format: Format = "csv") -> Iterator[bytes]:  # noqa: A002  the usual word
    """Return the pieces of a file with every recipient, the variables and what became of the message.

    The memory that it takes does not grow with the campaign. The file can be imported again as it is: the phone and the
    variables come back unchanged, and the headers of the other columns cannot be names of variables. CSV is UTF-8 with
    a byte order mark, and a text that a spreadsheet could take for a formula has an apostrophe before it, which the
    import takes off. The texts of an XLSX file are cells of the type text.

    Raises ValueError for another format, ExportError for more recipients than an XLSX sheet has rows.
    """
    if format not in FORMATS:
        raise ValueError(f"Recipients are exported as {' or '.join(FORMATS)}, not as {format!r}.")
    if format == "xlsx" and campaign.messages.count() >= MAX_ROWS:
        text = _("An XLSX table has room for %(most)d recipients. Export this campaign as CSV.")
        raise ExportError(text, code="too-many", params={"most": MAX_ROWS - 1})
    variables = _variables(campaign)
    # A text cell needs no apostrophe, but one that the import would take off needs another.
    as_row = _row_maker(campaign, variables, protect if format == "csv" else protect_protected)
    pages = _pages_of_rows(campaign, _header(variables), as_row)
    return write_csv(pages) if format == "csv" else write_workbook(pages)


def _variables(campaign: Campaign) -> list[str]:
    """Return the names of all variables, in the order of their first appearance."""
    names: dict[str, None] = {}
    for page in campaign_pages(campaign.messages.using(database()), CHUNK, "variables"):
        for _pk, variables in page:
            names |= dict.fromkeys(variables)
    return list(names)


def _header(variables: Sequence[str]) -> list[str]:
    outcome = (
        _("Status (Hyber)"),
        _("Channel (Hyber)"),
        _("Error code (Hyber)"),
        _("Error text (Hyber)"),
        _("Accepted at (Hyber)"),
        _("Finished at (Hyber)"),
        _("Clicks (Hyber)"),
        _("SMS parts (Hyber)"),
        _("Delivered SMS parts (Hyber)"),
    )
    # A variable may be called "phone" where the numbers came from another column; "phone_number" is reserved.
    return ["phone_number" if "phone" in variables else "phone", *variables, *outcome]


def _row_maker(
    campaign: Campaign, variables: Sequence[str], protected: Callable[[str], str]
) -> Callable[[Exported], list[Cell]]:
    # Looked up now: the reader's language and time zone are set only while the answer is being prepared.
    statuses = {value: str(label) for value, label in Message.Status.choices}
    channels = {value: str(label) for value, label in CampaignChannel.Name.choices}
    zone = get_current_timezone()
    plus = protected("+")
    reason = _reasons(campaign.account)

    def as_row(message: Exported) -> list[Cell]:
        return [
            f"{plus}{message.phone_number}" if message.phone_number else "",
            *(protected(_as_text(message.variables.get(name))) for name in variables),
            statuses.get(message.status, message.status),
            protected(channels.get(message.channel, message.channel)),
            message.error_code,
            protected(reason(message.error_code, message.error_text)),
            as_time(message.accepted_at, zone),
            as_time(message.finished_at, zone),
            message.clicks,
            message.total_sms_parts,
            message.delivered_sms_parts,
        ]

    return as_row


def _reasons(account: str) -> Callable[[int | None, str], str]:
    language = get_language() or settings.LANGUAGE_CODE

    # A limited number, because a platform that writes the phone number into the text makes one of each message.
    @lru_cache(KNOWN_REASONS)
    def reason(code: int | None, text: str) -> str:
        with override(language):
            return describe_end(code, text, account)

    return reason


def _pages_of_rows(
    campaign: Campaign, header: list[str], as_row: Callable[[Exported], list[Cell]]
) -> Iterator[list[Sequence[Cell]]]:
    yield [header]
    for page in campaign_pages(campaign.messages.using(database()), CHUNK, *Exported._fields[1:]):
        yield [as_row(Exported(*row)) for row in page]


def write_csv(pages: Iterable[list[Sequence[Cell]]]) -> Iterator[bytes]:
    """Yield a CSV file, a piece for every page of rows."""
    yield BOM_UTF8
    for rows in pages:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        yield text.getvalue().encode()


def _as_text(value: object) -> str:
    return "" if value is None else str(value)


def as_time(moment: datetime | None, zone: tzinfo) -> str:
    """Return a time as exports write it."""
    return moment.astimezone(zone).isoformat(" ", "seconds") if moment else ""

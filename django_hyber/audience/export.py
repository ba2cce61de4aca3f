"""Exports: the recipients of a campaign with their results, or the opt-out list, as a file that can be imported."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.timezone import get_current_timezone
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from django_hyber.audience.columns import REASON
from django_hyber.audience.files.cells import ShownText
from django_hyber.audience.files.file_type import Cell, FileType, UnreadableFileError
from django_hyber.audience.files.reading import file_type
from django_hyber.db.bulk import CHUNK, campaign_pages, table_pages
from django_hyber.db.transactions import write_transaction
from django_hyber.jobs.background import request_job
from django_hyber.jobs.work import LONG_LEASE, JobClaim, job_kind, keep_produced
from django_hyber.models import BackgroundJob, Campaign, CampaignChannel, Message, Suppression
from django_hyber.models.people import User
from django_hyber.reports.outcome import also_delivered
from django_hyber.words import describe_end

KNOWN_REASONS = 1_000
Kind = BackgroundJob.Kind
Format = Literal["csv", "xlsx"]
Separator = Literal[",", ";"]
FORMATS: tuple[Format, ...] = get_args(Format)
SEPARATORS: tuple[Separator, ...] = get_args(Separator)
Progress = Callable[[int], object]


class ExportError(ValidationError):
    """A campaign cannot be exported this way; ``messages`` says why, in the reader's language."""


class Exported(NamedTuple):
    """The columns of a message that are exported."""

    pk: int
    phone_number: str | None
    variables: dict[str, Any]
    status: str
    channel: str
    other_channels: str
    error_code: int | None
    error_text: str
    accepted_at: datetime | None
    finished_at: datetime | None
    clicks: int | None
    total_sms_parts: int | None
    delivered_sms_parts: int | None


def export_recipients(
    campaign: Campaign,
    format: Format = "csv",  # noqa: A002  the usual word
    *,
    separator: Separator = ",",
    progress: Progress | None = None,
) -> Iterator[bytes]:
    """Return the pieces of a file with every recipient, the variables and the result of the message.

    The memory that it takes does not grow with the campaign. The file can be imported again as it is: the phone and the
    variables come back unchanged, and the headers of the other columns cannot be names of variables. The second column
    has the phone number as digits only, for other programs.

    CSV is UTF-8 with a byte order mark, and with ``separator``: Excel expects ";" where decimals have a comma. A text
    that looks like a formula is prefixed with an apostrophe, which the import strips. The texts of an XLSX file are
    cells of the type text; the file is written to a temporary one before its first piece. ``progress`` is called with
    the number of rows written so far.

    Raises ValueError for another format or separator, ExportError for more recipients than an XLSX sheet has rows, and
    if the library that writes XLSX is not installed.
    """
    too_many = _("An XLSX table can contain at most %(most)d recipients. Export this campaign as CSV.")
    kind = _type_for(format, separator, campaign.messages.all(), too_many)
    variables = _variables(campaign)
    as_row = _row_maker(campaign, variables, kind.protect)
    pages = campaign_pages(campaign.messages.all(), CHUNK, *Exported._fields[1:])
    rows = ([as_row(Exported(*row)) for row in page] for page in pages)
    return _write(kind, separator, _header(variables), rows, progress)


def export_suppressions(
    format: Format = "csv",  # noqa: A002  the usual word
    *,
    separator: Separator = ",",
    progress: Progress | None = None,
) -> Iterator[bytes]:
    """Return the pieces of a file with every opted-out number, the reason, and since when; it can be imported again.

    The memory that it takes does not grow with the list. No text in it can become a formula, as in export_recipients.

    Raises ValueError for another format or separator, ExportError for more numbers than an XLSX sheet has rows, and if
    the library that writes XLSX is not installed.
    """
    too_many = _("An XLSX table can contain at most %(most)d numbers. Export the list as CSV.")
    kind = _type_for(format, separator, Suppression.objects.all(), too_many)
    # Read now, as in _row_maker.
    zone = get_current_timezone()
    plus = kind.protect("+")
    pages = table_pages(Suppression.objects.all(), CHUNK, "phone_number", "reason", "created_at")
    rows = (
        [(plus + phone, phone, kind.protect(reason), _as_time(added, zone)) for _pk, phone, reason, added in page]
        for page in pages
    )
    return _write(kind, separator, ["phone", _digits_header(), REASON, _("added at")], rows, progress)


def export_once(campaign: Campaign | None, kind: str, user: User, *, separator: Separator = ",") -> bool:
    """Request an export unless this user already has one under way, and return whether this call did.

    Without a campaign, it is of the opt-out list.
    """
    with write_transaction():
        if campaign:
            # A second click waits here; for the list it makes a second file.
            Campaign.objects.select_for_update().get(pk=campaign.pk)
        open_jobs = BackgroundJob.objects.open().filter(kind=Kind.EXPORT)
        under_way = open_jobs.filter(campaign=campaign, created_by=user.pk)
        wanted = {"format": kind, "separator": separator}
        if any(wanted.items() <= job.parameters.items() for job in under_way):
            return False
        request_job(Kind.EXPORT, campaign, wanted, user)
        return True


@job_kind(Kind.EXPORT)
def run_export(job: BackgroundJob, claim: JobClaim) -> dict[str, Any]:
    """Write the file of recipients, or without a campaign that of the opted-out numbers."""
    kind, separator = job.parameters.get("format", "csv"), job.parameters.get("separator", ",")
    total = (job.campaign.messages if job.campaign else Suppression.objects).count()

    def progress(done: int) -> None:
        if done < total:
            claim.progress(done)
        else:
            # An XLSX file is assembled after its last row.
            claim.write(done=total, seconds=LONG_LEASE)

    claim.write(total=total)
    with tempfile.TemporaryFile() as file:
        file.writelines(
            export_recipients(job.campaign, kind, separator=separator, progress=progress)
            if job.campaign
            else export_suppressions(kind, separator=separator, progress=progress)
        )
        keep_produced(job, claim, file, kind)
    return {"recipients": total}


def _type_for(file_format: str, separator: str, rows: QuerySet[Any], too_many: str) -> FileType:
    if file_format not in FORMATS:
        raise ValueError(f"Files are exported as {' or '.join(FORMATS)}, not as {file_format!r}.")
    if separator not in SEPARATORS:
        raise ValueError(f"The separator is {' or '.join(map(repr, SEPARATORS))}, not {separator!r}.")
    kind = file_type(file_format)
    if kind.most_rows is not None and rows.count() >= kind.most_rows:
        raise ExportError(too_many, code="too-many", params={"most": kind.most_rows - 1})
    return kind


def _write(
    kind: FileType,
    separator: str,
    header: list[str],
    pages: Iterator[Sequence[Sequence[Cell]]],
    progress: Progress | None,
) -> Iterator[bytes]:
    def all_pages() -> Iterator[Sequence[Sequence[Cell]]]:
        yield [header]
        done = 0
        for page in pages:
            yield page
            done += len(page)
            if progress:
                progress(done)

    try:
        return kind.write(all_pages(), separator)
    except UnreadableFileError as error:
        raise ExportError(error.message, code=error.code) from None


def _variables(campaign: Campaign) -> list[str]:
    """Return the names of all variables, in the order of their first appearance."""
    names: dict[str, None] = {}
    for page in campaign_pages(campaign.messages.all(), CHUNK, "variables"):
        for _pk, variables in page:
            names |= dict.fromkeys(variables)
    return list(names)


def _header(variables: Sequence[str]) -> list[str]:
    outcome = (
        _("Status (Hyber)"),
        _("Channel (Hyber)"),
        _("Also delivered by (Hyber)"),
        _("Error code (Hyber)"),
        _("Error text (Hyber)"),
        _("Accepted at (Hyber)"),
        _("Finished at (Hyber)"),
        _("Clicks (Hyber)"),
        _("SMS parts (Hyber)"),
        _("Delivered SMS parts (Hyber)"),
    )
    # A variable may be called "phone" where the numbers came from another column; "phone_number" is reserved.
    return ["phone_number" if "phone" in variables else "phone", _digits_header(), *variables, *outcome]


def _digits_header() -> str:
    """Return the header of the number that other programs can read; it is not one that the import takes for a phone."""
    return _("Phone digits (Hyber)")


def _row_maker(
    campaign: Campaign, variables: Sequence[str], protected: Callable[[str], str]
) -> Callable[[Exported], list[Cell]]:
    # Read now: the reader's language and time zone are reset before the response is streamed.
    statuses = {value: str(label) for value, label in Message.Status.choices}
    channels = {value: str(label) for value, label in CampaignChannel.Name.choices}
    zone = get_current_timezone()
    plus = protected("+")
    reason = _reasons(campaign.account)

    def as_row(message: Exported) -> list[Cell]:
        return [
            f"{plus}{message.phone_number}" if message.phone_number else "",
            message.phone_number or "",
            *(protected(ShownText.of(message.variables.get(name))) for name in variables),
            statuses.get(message.status, message.status),
            protected(channels.get(message.channel, message.channel)),
            protected(", ".join(channels.get(name, name) for name in also_delivered(message.other_channels))),
            message.error_code,
            protected(reason(message.error_code, message.error_text)),
            _as_time(message.accepted_at, zone),
            _as_time(message.finished_at, zone),
            message.clicks,
            message.total_sms_parts,
            message.delivered_sms_parts,
        ]

    return as_row


def _reasons(account: str) -> Callable[[int | None, str], str]:
    language = get_language() or settings.LANGUAGE_CODE

    # Limited: if the platform puts the phone number into the text, each message has its own.
    @lru_cache(KNOWN_REASONS)
    def reason(code: int | None, text: str) -> str:
        with override(language):
            return describe_end(code, text, account)

    return reason


def _as_time(moment: datetime | None, zone: tzinfo) -> str:
    return moment.astimezone(zone).isoformat(" ", "seconds") if moment else ""

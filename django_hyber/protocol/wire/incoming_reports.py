"""Delivery reports from every source: callback, report of one message, campaign status (guide, chapters 3 to 5)."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any, NamedTuple

from django_hyber.protocol.errors import UnreadableReport
from django_hyber.protocol.wire.incoming_values import (
    MAX_ID_LENGTH,
    NO_OBJECT,
    clean_item,
    clean_object,
    to_identifier,
    to_int,
    to_phone,
    to_text,
    to_time,
)

MAX_CHANNEL_LENGTH = 16
#: The parameters that are read of a report.
REPORT_FIELDS = frozenset(
    (
        *("number", "phone_number", "message_id", "extra_id", "job_id", "time", "accepted"),
        *("sent_via", "last_partner", "delivered_via", "status", "substatus", "hyber_status", "error_code"),
        *("error_text", "total_sms_parts", "delivered_sms_parts", "clicks", "matching_template_id"),
    )
)

_NOT_FINAL = (-1, 1)
_DELIVERED = 2
_FAILED = 3
# 26 is "not delivered within the TTL" in an existing client; the samples of the guide have 35.
_EXPIRED_SUBSTATUSES = (35, 26)
_DETAILED_CODES = range(10_000, 100_000)


class ReportState(StrEnum):
    """The state of a channel in a report."""

    PENDING = "pending"
    DELIVERED = "delivered"
    SEEN = "seen"
    EXPIRED = "expired"
    UNDELIVERED = "undelivered"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryReport:
    """One statement of the platform about one message.

    Ids, phone number and channel are empty strings if the report has none. ``time`` is the channel's last action, in
    UTC. ``job_id`` is the job of the message, if known. ``status`` and ``substatus`` are derived from the digits of
    ``hyber_status`` if the report lacks them. ``raw`` is the report as received, without characters that PostgreSQL
    cannot store.
    """

    phone_number: str = field(repr=False)
    message_id: str
    extra_id: str
    job_id: str
    time: datetime | None
    channel: str
    state: ReportState
    status: int | None
    substatus: int | None
    hyber_status: int | None
    error_code: int | None
    error_text: str = field(repr=False)
    total_sms_parts: int | None
    delivered_sms_parts: int | None
    clicks: int | None
    matching_template_id: int | None
    raw: dict[str, Any] = field(repr=False)

    @property
    def code(self) -> int | None:
        """The code of the outcome. ``hyber_status`` of a callback and the error code of a job share the same codes."""
        return self.hyber_status if self.error_code is None else self.error_code


class ParsedReports(NamedTuple):
    """The reports of a body, and its unreadable items (cleaned for storage), each with the reason."""

    reports: list[DeliveryReport]
    unreadable: list[tuple[object, str]]


def parse_report(item: object, *, seen_codes: Container[int] = ()) -> DeliveryReport:
    """Read one report. ``seen_codes`` are the detailed statuses that mean "seen" for this account.

    Raises UnreadableReport unless the item is an object with an id or a phone number.
    """
    raw = _clean(item)
    get = raw.get
    message_id, extra_id = to_identifier(get("message_id")), to_identifier(get("extra_id"))
    phone_number = to_phone(get("number") or get("phone_number"))
    _require_identity(message_id, extra_id, phone_number)
    # Some reports have the code 0 for "no error".
    error_code = to_int(get("error_code")) or None
    hyber_status = to_int(get("hyber_status"))
    if hyber_status is None:
        hyber_status = error_code
    status, substatus = _levels(to_int(get("status")), to_int(get("substatus")), hyber_status)
    return DeliveryReport(
        phone_number=phone_number,
        message_id=message_id,
        extra_id=extra_id,
        job_id=to_identifier(get("job_id")),
        time=to_time(get("time")),
        channel=_channel(raw),
        state=_state(raw, status, substatus, hyber_status, seen_codes),
        status=status,
        substatus=substatus,
        hyber_status=hyber_status,
        error_code=error_code,
        error_text=to_text(get("error_text")),
        total_sms_parts=to_int(get("total_sms_parts")),
        delivered_sms_parts=to_int(get("delivered_sms_parts")),
        clicks=to_int(get("clicks")),
        matching_template_id=to_int(get("matching_template_id")),
        raw=raw,
    )


def parse_reports(payload: object, *, seen_codes: Container[int] = ()) -> ParsedReports:
    """Read a callback body, a report or a campaign status. An unreadable item does not affect the others."""
    reports: list[DeliveryReport] = []
    unreadable: list[tuple[object, str]] = []
    for item in _items(payload):
        # No exception is raised for each item, because a body may have thousands of them.
        if not isinstance(item, dict):
            unreadable.append((clean_item(item), NO_OBJECT))
            continue
        try:
            reports.append(parse_report(item, seen_codes=seen_codes))
        except UnreadableReport as error:
            unreadable.append((clean_item(item), error.reason))
    return ParsedReports(reports, unreadable)


def fingerprint(report: DeliveryReport, account: str = "") -> str:
    """Return 32 hexadecimal digits that identify the reported fact, regardless of the source of the report."""
    facts = (
        account,
        report.message_id,
        report.extra_id,
        report.phone_number,
        report.channel,
        report.time and report.time.timestamp(),
        report.status,
        report.substatus,
        report.hyber_status,
        report.error_code,
        report.total_sms_parts,
        report.delivered_sms_parts,
        report.clicks,
        # Nothing for most reports: a template is a fact of Viber's only.
        *(() if report.matching_template_id is None else (report.matching_template_id,)),
    )
    return blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def _clean(item: object) -> dict[str, Any]:
    try:
        return clean_object(item)
    except ValueError as error:
        raise UnreadableReport(str(error)) from None


def _require_identity(message_id: str, extra_id: str, phone_number: str) -> None:
    if len(message_id) > MAX_ID_LENGTH or len(extra_id) > MAX_ID_LENGTH:
        raise UnreadableReport(f"its id is longer than {MAX_ID_LENGTH} characters")
    if not (message_id or extra_id or phone_number):
        raise UnreadableReport("it has no message_id, extra_id or phone number")


def _channel(raw: dict[str, Any]) -> str:
    name = to_text(raw.get("sent_via") or raw.get("last_partner") or raw.get("delivered_via")).lower()
    # "hyber" is the platform itself: the message has no final status yet, or is blocked.
    return "" if name == "hyber" or len(name) > MAX_CHANNEL_LENGTH else name


def _levels(status: int | None, substatus: int | None, hyber_status: int | None) -> tuple[int | None, int | None]:
    """Derive missing levels from a five-digit code: its first digit is the status, the first two the substatus."""
    if hyber_status is None or hyber_status not in _DETAILED_CODES:
        return status, substatus
    derived = hyber_status // 10_000
    if status is None:
        status = derived
    if substatus is None and status == derived:
        substatus = hyber_status // 1000
    return status, substatus


def _state(
    raw: dict[str, Any],
    status: int | None,
    substatus: int | None,
    hyber_status: int | None,
    seen_codes: Container[int],
) -> ReportState:
    if raw.get("accepted") is False:
        return ReportState.REJECTED
    if hyber_status is not None and hyber_status in seen_codes:
        return ReportState.SEEN
    if status == _DELIVERED:
        return ReportState.DELIVERED
    if status == _FAILED:
        return ReportState.EXPIRED if substatus in _EXPIRED_SUBSTATUSES else ReportState.UNDELIVERED
    if status is None:
        return _state_without_status(raw)
    return ReportState.PENDING if status in _NOT_FINAL else ReportState.UNKNOWN


def _state_without_status(raw: dict[str, Any]) -> ReportState:
    if raw.get("status") not in (None, ""):
        return ReportState.UNKNOWN
    return ReportState.UNDELIVERED if to_int(raw.get("error_code")) else ReportState.PENDING


def _items(payload: object) -> list[object]:
    if isinstance(payload, list):
        return payload
    if not isinstance(payload, dict):
        return [payload]
    messages, reports = payload.get("messages"), payload.get("reports")
    if isinstance(messages, list):
        return messages
    if isinstance(reports, list):
        return _advanced_items(reports, payload)
    return [payload]


def _advanced_items(items: list[object], advanced: dict[str, Any]) -> list[object]:
    """Assign the clicks to the channel that delivered: an advanced report counts them once for all channels."""
    clicks = advanced.get("clicks")
    if clicks is None or not items:
        return items
    winners = [
        index
        for index, item in enumerate(items)
        if isinstance(item, dict) and item.get("last_partner") == advanced.get("delivered_via")
    ]
    winner = winners[-1] if winners else len(items) - 1
    item = items[winner]
    if not isinstance(item, dict):
        return items
    return [*items[:winner], {"clicks": clicks, **item}, *items[winner + 1 :]]

"""The rank table: a status only moves forward, whatever the order of the reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from django_hyber.models import Message
from django_hyber.protocol import DeliveryReport, ReportState

Status = Message.Status

RANKS = MappingProxyType(
    {
        Status.QUEUED: 0,
        Status.SENDING: 1,
        Status.UNCONFIRMED: 1,
        # Not sent as far as known; a report about such a message proves that it was.
        Status.CANCELLED: 1,
        Status.SUPPRESSED: 1,
        Status.ACCEPTED: 2,
        Status.EXPIRED: 3,
        Status.UNDELIVERED: 3,
        Status.REJECTED: 3,
        Status.DELIVERED: 4,
        Status.SEEN: 5,
    }
)
FAILURES = (Status.EXPIRED, Status.UNDELIVERED, Status.REJECTED)
DELIVERIES = (Status.DELIVERED, Status.SEEN)
FINAL = (*FAILURES, *DELIVERIES)
#: How one channel of a message can end. Of several ends that are reported, the last in this list is kept.
ENDS = (*FAILURES, Status.DELIVERED)
#: Statuses that the answer to our request may still change.
BEFORE_ACCEPTANCE = (Status.QUEUED, Status.SENDING, Status.UNCONFIRMED)
#: Not sent as far as known. An answer that comes later than expected may show that it was accepted.
WITHHELD = (Status.CANCELLED, Status.SUPPRESSED)

STATUS_OF_STATE = MappingProxyType(
    {
        ReportState.PENDING: Status.ACCEPTED,
        ReportState.DELIVERED: Status.DELIVERED,
        ReportState.SEEN: Status.SEEN,
        ReportState.EXPIRED: Status.EXPIRED,
        ReportState.UNDELIVERED: Status.UNDELIVERED,
        ReportState.REJECTED: Status.REJECTED,
        ReportState.UNKNOWN: Status.ACCEPTED,
    }
)

_NEVER = datetime.min.replace(tzinfo=UTC)


class Standing(NamedTuple):
    """The reported state of a message, or what it would be after a report."""

    status: str
    time: datetime | None
    hyber_status: int | None
    error_code: int | None
    error_text: str


def status_of(report: DeliveryReport, channels: Sequence[str]) -> Status:
    """Return the status of the message by a report; a failed channel is not final while another one follows."""
    status = STATUS_OF_STATE[report.state]
    if status in FAILURES and report.channel in channels[:-1]:
        return Status.ACCEPTED
    return status


def end_of(report: DeliveryReport) -> Status | None:
    """Return how the channel of the report ended, or None if it has not ended."""
    status = STATUS_OF_STATE[report.state]
    if status in DELIVERIES:
        return Status.DELIVERED
    return status if status in FAILURES else None


def is_forward(old: Standing, new: Standing) -> bool:
    """Return whether ``new`` replaces ``old``.

    The higher rank wins. Of two deliveries the earlier one wins, of any other two the later one. A report without
    a time is the weakest.
    """
    old_rank, new_rank = RANKS[Status(old.status)], RANKS[Status(new.status)]
    if new_rank != old_rank:
        return new_rank > old_rank
    return _weight(new) > _weight(old)


def _weight(standing: Standing) -> tuple[Any, ...]:
    """Order within a rank. The content breaks ties of time, so that the order of arrival does not matter."""
    _, time, hyber_status, error_code, error_text = standing
    seconds = (time or _NEVER).timestamp()
    when = -seconds if standing.status in DELIVERIES else seconds
    codes = tuple((code is not None, code or 0) for code in (hyber_status, error_code))
    return time is not None, when, *codes, error_text, str(standing.status)

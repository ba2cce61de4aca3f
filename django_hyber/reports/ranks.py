"""The rank table: a status only moves forward, whatever the order in which news arrives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from django.utils.translation import gettext_noop

from django_hyber.models import Message
from django_hyber.protocol import DeliveryReport, ReportState

Status = Message.Status

RANKS = MappingProxyType(
    {
        Status.QUEUED: 0,
        Status.SENDING: 1,
        Status.UNCONFIRMED: 1,
        # Not sent as far as we know; a report about such a message shows that it was.
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
#: Where the platform's answer to our own request may still change the status.
BEFORE_ACCEPTANCE = (Status.QUEUED, Status.SENDING, Status.UNCONFIRMED)
#: The error text of a message whose report is not expected any more.
NO_REPORT = gettext_noop("The platform has never reported how it ended.")

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
    """Where a message stands, or would stand after a report."""

    status: str
    time: datetime | None
    hyber_status: int | None
    error_code: int | None
    error_text: str


def status_of(report: DeliveryReport, channels: Sequence[str]) -> Status:
    """Say what a report means for its message; a failed channel is not the end while another one follows."""
    status = STATUS_OF_STATE[report.state]
    if status in FAILURES and report.channel in channels[:-1]:
        return Status.ACCEPTED
    return status


def is_forward(old: Standing, new: Standing) -> bool:
    """Say whether ``new`` replaces ``old``.

    The higher rank wins. Between two deliveries the earlier one counts, between two of anything else the later one: it
    says how it ended. No time is the weakest.
    """
    old_rank, new_rank = RANKS[Status(old.status)], RANKS[Status(new.status)]
    if new_rank != old_rank:
        return new_rank > old_rank
    return _weight(new) > _weight(old)


def _weight(standing: Standing) -> tuple[Any, ...]:
    """Order what has one rank. What is said breaks a tie of times, so that nothing depends on which came first."""
    _, time, hyber_status, error_code, error_text = standing
    seconds = (time or _NEVER).timestamp()
    when = -seconds if standing.status in DELIVERIES else seconds
    codes = tuple((code is not None, code or 0) for code in (hyber_status, error_code))
    return time is not None, when, *codes, error_text, str(standing.status)

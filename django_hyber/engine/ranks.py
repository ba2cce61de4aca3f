"""The rank table: a status only moves forward, whatever the order in which news arrives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from django_hyber.models import Message
from django_hyber.protocol import DeliveryReport, ReportState

Status = Message.Status

RANKS = MappingProxyType(
    {
        Status.QUEUED: 0,
        Status.SENDING: 1,
        Status.UNCONFIRMED: 1,
        # Not sent as far as we know; a report about such a message tells that it was.
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


def status_of(report: DeliveryReport, channels: Sequence[str]) -> Status:
    """Say what a report means for its message; a failed channel is not the end while another one follows."""
    status = STATUS_OF_STATE[report.state]
    if status in FAILURES and report.channel in channels[:-1]:
        return Status.ACCEPTED
    return status


def is_forward(old: tuple[str, datetime | None], new: tuple[str, datetime | None]) -> bool:
    """Say whether ``new`` (status, platform time) replaces ``old``.

    The higher rank wins. Between two failures the later one tells how it ended; between two deliveries the earlier one
    tells which channel won.
    """
    old_rank, new_rank = RANKS[Status(old[0])], RANKS[Status(new[0])]
    if new_rank != old_rank:
        return new_rank > old_rank
    if new[0] not in FINAL:
        return False
    old_time, new_time = old[1] or _NEVER, new[1] or _NEVER
    if new[0] in FAILURES:
        return new_time > old_time
    return new[1] is not None and new_time < old_time

"""Which channels of a message failed, and how: kept with the message, so that a campaign is counted without reports.

The text is ``sms:undelivered,viber:expired``, in the order of the names.
"""

from __future__ import annotations

from django_hyber.models import Message
from django_hyber.protocol import DeliveryReport
from django_hyber.reports.ranks import FAILURES, STATUS_OF_STATE

Status = Message.Status
LONGEST = 128
#: Of two different failures of one channel the one that says more is kept, whichever came first.
_ORDER = (Status.EXPIRED, Status.UNDELIVERED, Status.REJECTED)


def with_failure(failed: str, report: DeliveryReport) -> str:
    """Add what a report says about its channel; the order in which reports come makes no difference."""
    status = STATUS_OF_STATE[report.state]
    if status not in FAILURES or not report.channel or not report.channel.replace("-", "").isalnum():
        return failed
    channels = read_failures(failed)
    known = channels.get(report.channel, status)
    channels[report.channel] = max(known, status, key=_ORDER.index)
    text = ",".join(f"{channel}:{ended}" for channel, ended in sorted(channels.items()))
    return text if len(text) <= LONGEST else failed


def read_failures(failed: str) -> dict[str, Status]:
    """Return how each channel that failed ended."""
    pairs = (item.partition(":") for item in failed.split(",") if item)
    return {channel: Status(status) for channel, _colon, status in pairs}

"""Until when a single message may be handed over: a one-time code that goes out late is worse than none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from django_hyber.db.clock import database_time
from django_hyber.models import Batch, Message
from django_hyber.protocol.channels.validation import START_WITHIN
from django_hyber.words.reasons import TOO_LATE, TOO_LATE_BECAUSE


def deadline_of(row: Message | Batch) -> datetime | None:
    """Return the end of the longest TTL of a single message, counted from its creation or its start time.

    Returns None if there is no limit: a channel has no TTL, or the row is part of a campaign.
    """
    if isinstance(row, Batch) or row.campaign_id:
        return None
    content = row.content or {}
    options = content.get("channel_options") or {}
    ttls = [option.get("ttl") for option in options.values()]
    if not ttls or not all(isinstance(ttl, int) for ttl in ttls):
        return None
    start = max(row.created_at, start_of(row) or row.created_at)
    try:
        return start + timedelta(seconds=max(ttls))
    except OverflowError:
        return None


def is_too_late(row: Message | Batch, moment: datetime | None = None) -> bool:
    """Return whether a single message must not be sent any more, now or at this moment. A batch is never too late.

    The clock is that of the database, because a host whose clock is ahead must not end a message that can be sent.
    """
    deadline = deadline_of(row)
    return deadline is not None and deadline <= (moment or database_time())


def before_deadline(row: Message | Batch, due_at: datetime | None) -> datetime | None:
    """Return when the row is looked at next. A message expires at its deadline, without waiting any longer."""
    deadline = deadline_of(row)
    return min(due_at, deadline) if due_at and deadline else due_at


def describe_lateness(reason: str) -> str:
    """Return the reason of a message that was not sent in time. ``reason`` is why it had to wait, if known."""
    return TOO_LATE_BECAUSE % {"reason": reason} if reason else TOO_LATE


def start_of(row: Message | Batch) -> datetime | None:
    """Return when the platform begins to deliver, or None for at once."""
    return row.campaign.start_time if isinstance(row, Batch) else start_time_of(row.content or {})


def start_time_of(content: Mapping[str, Any]) -> datetime | None:
    """Return the start time of a single message, or None if it has none or an invalid one.

    It is a year ahead at most: one that validation could not read may be so late that no TTL can be added to it.
    """
    try:
        start = parse_datetime(content.get("start_time") or "")
    except ValueError:
        return None
    if start is None:
        return None
    # The platform reads a time without an offset as Kyiv time. The same time in UTC is later, which is safe here.
    return min(start if start.tzinfo else start.replace(tzinfo=UTC), timezone.now() + START_WITHIN)

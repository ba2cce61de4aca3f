"""The start of a doubt: a request was sent, and nothing proves whether the platform accepted it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.utils.dateparse import parse_datetime

from django_hyber.conf import Account
from django_hyber.db import clock

#: The columns of a doubt without queries.
NO_QUERIES: Mapping[str, Any] = MappingProxyType(
    {"not_found_at": None, "asked_at": None, "questions": 0, "unanswered": 0, "answer": "", "answer_text": ""}
)


def begin(account: Account, start_time: datetime | None) -> dict[str, Any]:
    """Return the columns of a doubt that begins now. Call it after the connection was closed.

    "Not found" counts after NOT_FOUND_GRACE. The platform may not process a message before its start time, so the grace
    begins no earlier.
    """
    now = clock.now()
    grace = timedelta(seconds=account.not_found_grace)
    return {**NO_QUERIES, "doubted_at": now, "not_found_after": max(now, start_time or now) + grace}


def start_time_of(content: Mapping[str, Any]) -> datetime | None:
    """Return the start time of a single message, or None if it has none or an invalid one."""
    try:
        start = parse_datetime(content.get("start_time") or "")
    except ValueError:
        return None
    # The platform reads a time without an offset as Kyiv time. The same time in UTC is later, which is safe here.
    return start if start is None or start.tzinfo else start.replace(tzinfo=UTC)

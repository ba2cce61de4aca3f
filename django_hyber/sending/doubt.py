"""How a doubt begins: a request went out, and nothing proves whether the platform took it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.utils.dateparse import parse_datetime

from django_hyber.conf import Account
from django_hyber.db import clock

#: The columns of a doubt about which no question has been asked.
NOTHING_ASKED: Mapping[str, Any] = MappingProxyType(
    {"not_found_at": None, "asked_at": None, "questions": 0, "unanswered": 0, "answer": "", "answer_text": ""}
)


def begin(account: Account, start_time: datetime | None) -> dict[str, Any]:
    """Return the columns of a doubt that begins now, after our own connection was closed.

    "Not found" counts after one grace. A platform may not look at a message before its start time, so the grace begins
    no earlier than that.
    """
    now = clock.now()
    grace = timedelta(seconds=account.not_found_grace)
    return {**NOTHING_ASKED, "doubted_at": now, "not_found_after": max(now, start_time or now) + grace}


def start_time_of(content: Mapping[str, Any]) -> datetime | None:
    """Return when a single message is to start, or None if that is not said in a way that can be read."""
    try:
        start = parse_datetime(content.get("start_time") or "")
    except ValueError:
        return None
    # The platform takes a time without an offset for Kyiv time, which is earlier than the same time in UTC.
    return start if start is None or start.tzinfo else start.replace(tzinfo=UTC)

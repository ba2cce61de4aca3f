"""Retries and back-off, as pure functions."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from django_hyber.conf import Account

LONGEST_DELAY = 900.0


def backoff(attempt: int, base: float) -> float:
    """Return the seconds to wait after this attempt (counted from 1): doubling, capped, without jitter."""
    return min(base * 2.0 ** min(attempt - 1, 30), LONGEST_DELAY)


def next_attempt(account: Account, attempt: int, now: datetime, retry_after: float | None = None) -> datetime:
    """Return the time of the next attempt, never earlier than the platform's ``Retry-After``."""
    # Jitter only adds to the delay, because Retry-After is the minimum.
    delay = max(backoff(attempt, account.retry_delay), retry_after or 0.0)
    return now + timedelta(seconds=delay * random.uniform(1.0, 1.25))  # noqa: S311  spreads load, guards nothing


def should_retry(account: Account, attempt: int) -> bool:
    """Return whether another attempt is allowed after this one."""
    return attempt < account.max_attempts

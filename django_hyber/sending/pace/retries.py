"""When to try again: pure decisions, tested without sleeping."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from django_hyber.conf import Account

LONGEST_DELAY = 900.0


def backoff(attempt: int, base: float) -> float:
    """Return the seconds before the attempt after this one (counted from 1): doubling, capped, without jitter."""
    return min(base * 2.0 ** min(attempt - 1, 30), LONGEST_DELAY)


def next_attempt(account: Account, attempt: int, now: datetime, retry_after: float | None = None) -> datetime:
    """Return when to try again; a platform that names a time (Retry-After) is never asked earlier."""
    # Jitter only adds, so that the named time stays the earliest.
    delay = max(backoff(attempt, account.retry_delay), retry_after or 0.0)
    return now + timedelta(seconds=delay * random.uniform(1.0, 1.25))  # noqa: S311  spreads load, guards nothing


def should_retry(account: Account, attempt: int) -> bool:
    """Say whether another attempt is due after this many."""
    return attempt < account.max_attempts

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django_hyber.conf import get_account
from django_hyber.sending.pace import retries

NOW = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)


def test_back_off_doubles_up_to_its_cap():
    assert [retries.backoff(attempt, 5) for attempt in (1, 2, 3)] == [5, 10, 20]
    assert retries.backoff(60, 5) == retries.LONGEST_DELAY


def test_platform_is_never_asked_before_the_time_that_it_names():
    attempts = [retries.next_attempt(get_account(), 1, NOW, retry_after=100) for _ in range(200)]

    assert min(attempts) >= NOW + timedelta(seconds=100)
    assert max(attempts) <= NOW + timedelta(seconds=125)
    assert len(set(attempts)) > 1

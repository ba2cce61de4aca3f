"""The claim of a row by one worker until its lease ends: a conditional UPDATE, so only one worker gets the row.

For models with ``attempts`` and ``lease_until``. The number of the attempt distinguishes claims: a worker that has lost
its row to another one finds nothing to write to.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import F, Model, Q, QuerySet

from django_hyber.db import clock

Row = TypeVar("Row", bound=Model)


def is_due(now: datetime) -> Q:
    """Select the rows whose next step may be taken now."""
    return Q(due_at=None) | Q(due_at__lte=now)


def claim(due: QuerySet[Row], seconds: float, **values: Any) -> bool:
    """Begin the next attempt of the one due row, write ``values`` with it, and return whether it was due."""
    return bool(due.update(attempts=F("attempts") + 1, lease_until=_end(seconds), **values))


def held(rows: QuerySet[Row], pk: int | str, attempt: int) -> QuerySet[Row]:
    """Select a row unless another worker has claimed it since this attempt."""
    return rows.filter(pk=pk, attempts=attempt)


def renew(mine: QuerySet[Row], seconds: float, **values: Any) -> bool:
    """Extend the lease and return whether the row is still this worker's; ``values`` are written with it.

    Call this right before anything that must not happen twice: a worker that was paused may have lost the row.
    """
    return bool(mine.update(**{"lease_until": _end(seconds), **values}))


def has_ended() -> Q:
    """Select the rows whose worker is presumed dead."""
    return Q(lease_until__lt=clock.now())


def _end(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)

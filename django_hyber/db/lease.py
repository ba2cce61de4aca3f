"""The claim of a row by one worker until its lease ends: a conditional UPDATE, so of two workers only one gets the row.

It is for models with ``attempts`` and ``lease_until``. The number of the attempt tells claims apart: a worker that has
lost its row to another one finds nothing to write to.
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
    """Begin the next attempt of the one row that is due, and say whether it was; ``values`` are written with it."""
    return bool(due.update(attempts=F("attempts") + 1, lease_until=_end(seconds), **values))


def held(rows: QuerySet[Row], pk: int | str, attempt: int) -> QuerySet[Row]:
    """Select a claimed row as long as nobody has claimed it since."""
    return rows.filter(pk=pk, attempts=attempt)


def renew(mine: QuerySet[Row], seconds: float) -> bool:
    """Begin the lease anew, and say whether the row is still this worker's.

    Do so right before what must not be done twice: a worker that stood still may have lost the row meanwhile.
    """
    return bool(mine.update(lease_until=_end(seconds)))


def has_ended() -> Q:
    """Select the rows whose worker is taken for stopped."""
    return Q(lease_until__lt=clock.now())


def _end(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)

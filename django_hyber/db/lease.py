"""Claims with a lease: a conditional UPDATE gives a row to one worker until the lease ends.

The model needs the columns ``attempts`` and ``lease_until``, and ``due_at`` for ``is_due``. Each claim has its own
attempt number, so the updates of a worker whose row was claimed by another one match nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import Combinable

from django_hyber.db.clock import NOW

#: The claimed rows whose request cannot have been written: the sender is set when the claim is confirmed, right before.
NOTHING_WRITTEN = Q(sender="")
Row = TypeVar("Row", bound=Model)


def is_due(moment: datetime | Combinable = NOW) -> Q:
    """Select the rows whose next step is due, now or at this moment."""
    return Q(due_at=None) | Q(due_at__lte=moment)


def claim(due: QuerySet[Row], seconds: float, **values: Any) -> bool:
    """Claim the row and set ``values``. Return False if ``due`` no longer selects it."""
    return bool(due.update(attempts=F("attempts") + 1, lease_until=_end(seconds), **values))


def held(rows: QuerySet[Row], pk: int | str, attempt: int) -> QuerySet[Row]:
    """Select the row, unless another worker has begun a later attempt."""
    return rows.filter(pk=pk, attempts=attempt)


def renew(claimed: QuerySet[Row], seconds: float, **values: Any) -> bool:
    """Renew the lease and set ``values``. Return False if the claim was lost.

    Call it right before an action that must not happen twice: another worker may have claimed the row if this one was
    suspended.
    """
    return bool(claimed.update(**{"lease_until": _end(seconds), **values}))


def has_ended() -> Q:
    """Select the rows whose lease has ended; their worker is considered stopped."""
    return Q(lease_until__lt=NOW)


def _end(seconds: float) -> Combinable:
    return NOW + timedelta(seconds=seconds)

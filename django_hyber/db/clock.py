"""The time by which leases, doubts and graces are measured: the database's, because the clocks of hosts differ.

A worker whose own clock is ahead would end the lease of another one, or a grace of the platform, too early.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType

from django_hyber.db.transactions import db_connection

_QUERIES = MappingProxyType({"postgresql": "SELECT statement_timestamp()", "mysql": "SELECT UTC_TIMESTAMP(6)"})


def now() -> datetime:
    """Return the time of the database server. The file of SQLite is on one machine, whose clock is the only one."""
    connection = db_connection()
    query = _QUERIES.get(connection.vendor)
    if query is None:
        return datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute(query)
        moment: datetime = cursor.fetchone()[0]
    # MariaDB returns it without a time zone.
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

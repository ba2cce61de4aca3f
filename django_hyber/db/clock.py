"""The clock of the database, which is the same for all hosts.

Everything that one host sets and another one waits for is measured by it: leases, graces, and the times at which rows
are due. A host whose own clock is ahead would end them too early, and one whose clock is behind too late.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func, Value
from django.db.models.sql.compiler import SQLCompiler

from django_hyber.db.transactions import db_connection, insisting

#: The time at which a statement began. Django's ``Now`` is the time of the session's zone on MariaDB and MySQL.
_CLOCKS = MappingProxyType({"postgresql": "statement_timestamp()", "mysql": "UTC_TIMESTAMP(6)"})


def database_time() -> datetime:
    """Return the time of the database server.

    The file of SQLite is on one machine, whose clock is the only one.
    """
    connection = db_connection()
    clock = _CLOCKS.get(connection.vendor)
    if clock is None:
        return _own_time()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {clock}")
        moment: datetime = cursor.fetchone()[0]
    # MariaDB returns it without a time zone.
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _own_time() -> datetime:
    return datetime.now(UTC)


#: The same, but it waits for a database that is restarting. For what must be stored and is not retried as a whole.
awaited_time = insisting(database_time)


class DatabaseTime(Func):
    """The time of the database as an expression, which costs no query of its own."""

    arity = 0
    output_field = DateTimeField()

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *args: Any, **kwargs: Any
    ) -> tuple[str, Any]:
        """Return the function of the database, or the time itself for SQLite."""
        clock = _CLOCKS.get(connection.vendor)
        return (clock, []) if clock else compiler.compile(Value(_own_time(), output_field=DateTimeField()))


#: For filters and updates: ``due_at__lte=NOW``, ``NOW + timedelta(minutes=1)``.
NOW = DatabaseTime()

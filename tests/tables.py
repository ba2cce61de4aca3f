"""Empty the tables between tests that commit: what Django's `flush` does, without what makes it slow."""

from __future__ import annotations

from functools import cache

from django.core.management.color import no_style
from django.db import connections

#: What migrations have put there, and no test changes. `flush` empties these too, and fills them again.
KEPT = {"django_content_type", "auth_permission"}
#: TRUNCATE takes half a second and more for files of any size; DELETE leaves dead rows, which every scan reads.
FEW_BYTES = 1_000_000


def empty_tables(test_case):
    """What `TransactionTestCase` does at the end of a test."""
    for alias in test_case._databases_names(include_mirrors=False):
        operations = connections[alias].ops
        operations.execute_sql_flush(statements(alias))


def statements(alias):
    connection, tables = connections[alias], tables_of(alias)
    if connection.vendor != "postgresql":
        return connection.ops.sql_flush(no_style(), filled(connection, tables))
    if size(connection, tables) < FEW_BYTES:
        # The constraints are looked at when the transaction ends, so that the order does not matter.
        return [f"DELETE FROM {connection.ops.quote_name(table)}" for table in filled(connection, tables)]
    # Not only those with rows: no table is truncated without those that refer to it.
    return connection.ops.sql_flush(no_style(), tables)


@cache
def tables_of(alias):
    names = connections[alias].introspection.django_table_names(only_existing=True, include_views=False)
    return sorted(set(names) - KEPT)


def filled(connection, tables):
    """Those that hold a row, by one query: most tests write into a few, and to empty one costs as much as this."""
    quote = connection.ops.quote_name
    looks = [f"SELECT '{name}' FROM (SELECT 1) one WHERE EXISTS (SELECT 1 FROM {quote(name)})" for name in tables]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(looks))
        return [name for (name,) in cursor.fetchall()]


def size(connection, tables):
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relname = ANY(%s)", [tables])
        return cursor.fetchone()[0]

"""Many rows in one statement: the rows travel as one JSON parameter, and no model instance is made.

``bulk_create`` and ``bulk_update`` cost 80 µs and more a row in Python; a campaign has a million rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

Row = Sequence[Any]


def insert_rows(model: type[models.Model], columns: Sequence[str], rows: Sequence[Row], using: str) -> int:
    """Insert the rows, leave out those that break a unique constraint, and return how many were new.

    ``columns`` are attribute names (``campaign_id``). Give the rows in one order wherever the same rows may be inserted
    twice at once: the order of the locks is theirs.
    """
    if not rows:
        return 0
    connection = connections[using]
    fields = [_field(model, column) for column in columns]
    quote = connection.ops.quote_name
    names = ", ".join(quote(_column(field)) for field in fields)
    source = _source(connection, fields)
    verb, ending = _INSERT[connection.vendor]
    selected = ", ".join(_value(connection, field) for field in fields)
    sql = f"{verb} INTO {quote(model._meta.db_table)} ({names}) SELECT {selected} FROM {source} {ending}"  # noqa: S608
    return _execute(connection, sql, fields, rows)


def update_rows(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Row],
    using: str,
    condition: str = "",
) -> int:
    """Update rows by primary key, which is the first of ``columns``, and return how many were found.

    ``condition`` is SQL over ``t`` (the table) and ``r`` (the new values) that a row must meet to be updated.
    """
    if not rows:
        return 0
    connection = connections[using]
    fields = [_field(model, column) for column in columns]
    quote = connection.ops.quote_name
    key, *changed = fields
    prefix = "t." if connection.vendor == "mysql" else ""
    sets = ", ".join(f"{prefix}{quote(_column(field))} = {_value(connection, field)}" for field in changed)
    same_row = f"t.{quote(_column(key))} = {_value(connection, key)}"
    sql = _UPDATE[connection.vendor].format(
        table=quote(model._meta.db_table),
        sets=sets,
        source=_source(connection, fields),
        # Inside CASE, because SQLite would find the rows by an index on the condition's columns, and compare each with
        # every new value.
        match=f"{same_row} AND CASE WHEN {condition} THEN 1 ELSE 0 END = 1" if condition else same_row,
    )
    return _execute(connection, sql, fields, rows)


def _execute(
    connection: BaseDatabaseWrapper, sql: str, fields: Sequence[models.Field[Any, Any]], rows: Sequence[Row]
) -> int:
    count = 0
    with connection.cursor() as cursor:
        for document in _documents(_plain_rows(connection, fields, rows), _LONGEST.get(connection.vendor)):
            cursor.execute(sql, [document])
            count += cursor.rowcount
    return count


def _documents(rows: Sequence[list[Any]], longest: int | None) -> Iterator[str]:
    """Write the rows as one JSON array, or as several where a statement has a limit."""
    document = json.dumps(rows, ensure_ascii=False)
    if longest is None or len(rows) == 1 or len(document.encode()) <= longest:
        yield document
        return
    middle = len(rows) // 2
    yield from _documents(rows[:middle], longest)
    yield from _documents(rows[middle:], longest)


def _field(model: type[models.Model], column: str) -> models.Field[Any, Any]:
    return next(field for field in model._meta.concrete_fields if field.attname == column)


def _column(field: models.Field[Any, Any]) -> str:
    return str(field.column)


def _plain_rows(
    connection: BaseDatabaseWrapper, fields: Sequence[models.Field[Any, Any]], rows: Iterable[Row]
) -> list[list[Any]]:
    times = [index for index, field in enumerate(fields) if isinstance(field, models.DateTimeField)]
    documents = [index for index, field in enumerate(fields) if isinstance(field, models.JSONField)]
    return [_plain(connection, row, times, documents) for row in rows]


def _plain(connection: BaseDatabaseWrapper, row: Row, times: Sequence[int], documents: Sequence[int]) -> list[Any]:
    plain = list(row)
    for index in times:
        value = plain[index]
        if isinstance(value, datetime):
            plain[index] = str(connection.ops.adapt_datetimefield_value(value))
    for index in documents:
        # As text, because MariaDB's JSON_TABLE yields NULL for a nested document.
        plain[index] = None if plain[index] is None else json.dumps(plain[index], ensure_ascii=False)
    return plain


def _source(connection: BaseDatabaseWrapper, fields: Sequence[models.Field[Any, Any]]) -> str:
    if connection.vendor == "mysql":
        columns = ", ".join(
            f"{connection.ops.quote_name(_column(field))} {_json_table_type(connection, field)} PATH '$[{index}]'"
            for index, field in enumerate(fields)
        )
        return f"JSON_TABLE(%s, '$[*]' COLUMNS ({columns})) AS r"
    if connection.vendor == "sqlite":
        columns = ", ".join(
            f"json_extract(value, '$[{index}]') AS {connection.ops.quote_name(_column(field))}"
            for index, field in enumerate(fields)
        )
        return f"(SELECT {columns} FROM json_each(%s)) AS r"  # noqa: S608
    columns = ", ".join(
        f"(value->>{index})::{_cast(connection, field)} AS {connection.ops.quote_name(_column(field))}"
        for index, field in enumerate(fields)
    )
    return f"(SELECT {columns} FROM json_array_elements(%s::json)) AS r"  # noqa: S608


def _json_table_type(connection: BaseDatabaseWrapper, field: models.Field[Any, Any]) -> str:
    return "longtext" if isinstance(field, models.JSONField) else _cast(connection, field)


def _cast(connection: BaseDatabaseWrapper, field: models.Field[Any, Any]) -> str:
    # db_type of an AutoField is its serial type; what a reference to it would use is the plain integer.
    kind = field.rel_db_type(connection) if field.primary_key else field.db_type(connection)
    return str(kind).removesuffix(" CHECK")


def _value(connection: BaseDatabaseWrapper, field: models.Field[Any, Any]) -> str:
    return f"r.{connection.ops.quote_name(_column(field))}"


#: Bytes of rows in one statement. MariaDB takes 16 MB, and quoting the parameter may double it.
_LONGEST = {"mysql": 7_000_000}
_INSERT = {
    "postgresql": ("INSERT", "ON CONFLICT DO NOTHING"),
    # Without a WHERE, SQLite reads ON CONFLICT as the condition of a join.
    "sqlite": ("INSERT", "WHERE true ON CONFLICT DO NOTHING"),
    "mysql": ("INSERT IGNORE", ""),
}
_UPDATE = {
    "postgresql": "UPDATE {table} AS t SET {sets} FROM {source} WHERE {match}",
    "sqlite": "UPDATE {table} AS t SET {sets} FROM {source} WHERE {match}",
    "mysql": "UPDATE {table} AS t JOIN {source} ON {match} SET {sets}",
}

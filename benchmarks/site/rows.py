"""A million rows in a few statements: the database makes them itself."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import JSONField, Model

SERIES = {
    "postgresql": "SELECT n FROM generate_series(1, {count}) AS series(n)",
    "sqlite": "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {count})"
    " SELECT n FROM series",
    "mysql": "SELECT seq AS n FROM seq_1_to_{count}",
}


def insert_rows(model: type[Model], count: int, **expressions: str) -> None:
    """Insert ``count`` rows; an expression may use n, the number of the row. The other columns get their defaults."""
    columns, values, parameters = [], [], []
    for field in model._meta.concrete_fields:
        if field.name in expressions or field.attname in expressions:
            columns.append(field.column)
            values.append(expressions.get(field.attname) or expressions[field.name])
        elif not (field.primary_key or field.null or field.has_db_default()):
            columns.append(field.column)
            values.append("%s")
            parameters.append(field.get_db_prep_save(field.get_default(), connection))
        if columns and columns[-1] == field.column and isinstance(field, JSONField):
            values[-1] = as_json(values[-1])
    names = ", ".join(connection.ops.quote_name(str(column)) for column in columns)
    series = SERIES[connection.vendor].format(count=count)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({names})"
            f" SELECT {', '.join(values)} FROM ({series}) numbers",
            parameters,
        )


def as_json(expression: str) -> str:
    return f"CAST({expression} AS jsonb)" if connection.vendor == "postgresql" else expression


def text(*parts: str) -> str:
    """Join expressions as text; a part in quotes is a constant."""
    if connection.vendor == "mysql":
        return f"CONCAT({', '.join(parts)})"
    return " || ".join(part if part.startswith("'") else f"CAST({part} AS text)" for part in parts)


def padded(expression: str, length: int) -> str:
    """Return the expression of a number with leading zeros."""
    if connection.vendor == "sqlite":
        return f"printf('%%0{length}d', {expression})"
    kind = "char" if connection.vendor == "mysql" else "text"
    return f"LPAD(CAST({expression} AS {kind}), {length}, '0')"


def refresh_statistics() -> None:
    """Do what the servers do by themselves within minutes."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE TABLE django_hyber_message, django_hyber_deliveryreport, django_hyber_reply")


def parameter(value: Any) -> str:
    """Return a constant for an expression."""
    return "'" + str(value).replace("'", "''") + "'"

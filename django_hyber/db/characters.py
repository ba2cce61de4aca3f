"""Characters beyond the Basic Multilingual Plane, such as emoji: MariaDB's ``utf8mb3`` cannot store them.

One of them would make a whole statement fail, with all its rows, or would be lost without a trace.
"""

from __future__ import annotations

import json
import re
from functools import cache

from django_hyber.db.transactions import db_connection
from django_hyber.models import DeliveryReport, Message, Reply, UnreadableCallback

_WIDE = re.compile("[\U00010000-\U0010ffff]")
_NARROW = frozenset({"utf8", "utf8mb3"})
_QUERY = """
    SELECT @@character_set_client, COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name IN (%s, %s, %s, %s) AND character_set_name IN ('utf8', 'utf8mb3')
"""


def storable_text(text: str) -> str:
    """Return the text with a replacement character for each one that the database cannot store."""
    return _WIDE.sub("\ufffd", text) if _is_unstorable(text) else text


def escape_wide(document: str) -> str:
    """Return the JSON document with escapes for such characters. Nothing of it is lost."""
    return _WIDE.sub(lambda match: json.dumps(match[0])[1:-1], document)


def storable_ids(ids: set[str]) -> set[str]:
    """Return the ids without those that no row can have. Some databases would fail to compare them."""
    return {each for each in ids if not _is_unstorable(each)}


def _is_unstorable(text: str) -> bool:
    return not text.isascii() and is_narrow() and _WIDE.search(text) is not None


def is_narrow() -> bool:
    """Return whether there are such characters for this database."""
    connection = db_connection()
    return connection.vendor == "mysql" and _has_narrow_columns(connection.alias, connection.settings_dict["NAME"])


# The character set of a table is changed with the application stopped.
@cache
def _has_narrow_columns(alias: str, name: str) -> bool:
    tables = [model._meta.db_table for model in (DeliveryReport, Message, Reply, UnreadableCallback)]
    connection = db_connection()
    connection.ensure_connection()
    # The driver's cursor: this query is none of those that a project logs or counts.
    with connection.connection.cursor() as cursor:
        cursor.execute(_QUERY, tables)
        client, columns = cursor.fetchone()
    return client in _NARROW or columns > 0

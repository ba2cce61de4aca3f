"""The project's own models as a source of recipients: a queryset of any size, read page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet

from django_hyber.audience.columns import Columns
from django_hyber.audience.files.cells import ShownText
from django_hyber.conf.audiences import Audience
from django_hyber.db.bulk import CHUNK
from django_hyber.models.reference import reference_key

#: The columns of the rows. No variable can be called "phone_number"; the key of the object travels as another variable.
PHONE, KEY = "phone_number", "_reference"


def columns_of(variables: Mapping[str, str], *, reference: bool) -> Columns:
    """Return the columns of the rows of ``rows_of``."""
    names = {name: name for name in variables}
    return Columns(phone_column=PHONE, variables=names | ({KEY: KEY} if reference else {}))


def rows_of(audience: Audience, *, reference: bool) -> Iterator[dict[str, Any]]:
    """Yield the number, the variables and the primary key of each object, in constant memory.

    Querysets with windows, slices, combinations or DISTINCT ON are read in one query: PostgreSQL sends its rows page by
    page, and so does SQLite in a transaction; otherwise all of them are loaded into memory. Raises what
    ``Audience.rows`` does.
    """
    model, names = audience.queryset.model, (PHONE, *audience.variables)
    for row in _values(audience):
        # The row begins with the key and may have more columns behind the last variable.
        values = dict(zip(names, row[1:], strict=False))
        if reference:
            # As it is: other texts are cleaned.
            values[KEY] = ShownText(reference_key(model, row[0]))
        yield values


def keys_of(queryset: QuerySet[Any]) -> Iterator[Any]:
    """Yield the primary key of each object, read in the same way."""
    for row in _values(Audience(queryset=queryset, phone="pk")):
        yield row[0]


def _values(audience: Audience) -> Iterator[tuple[Any, ...]]:
    rows = audience.rows()
    if not audience.has_free_order:
        may_stay_open = connections[rows.db].vendor != "sqlite" or _is_alone(connections[rows.db])
        yield from rows.iterator(chunk_size=CHUNK) if may_stay_open else list(rows)
        return
    if _is_alone(connections[rows.db]):
        yield from rows.order_by().iterator(chunk_size=CHUNK)
        return
    # Page by page: the client of MariaDB would load the whole result into memory.
    rows = rows.order_by("pk") if rows.query.standard_ordering else rows.order_by("pk").reverse()
    page = list(rows[:CHUNK])
    while len(page) == CHUNK:
        last = page[-1][0]
        # A relation to many gives an object several rows, and the page may end between them: they begin the next one.
        has_others = page[0][0] != last
        while has_others and page[-1][0] == last:
            page.pop()
        yield from page if has_others else rows.filter(pk=last)
        page = list((rows.filter(pk__gte=last) if has_others else rows.filter(pk__gt=last))[:CHUNK])
    yield from page


def _is_alone(connection: BaseDatabaseWrapper) -> bool:
    """Return whether nobody else can write while the rows are read.

    In a transaction of SQLite, one query in any order is faster than pages. An open query without a transaction would
    lock out others, and be locked out by them.
    """
    return connection.vendor == "sqlite" and connection.in_atomic_block

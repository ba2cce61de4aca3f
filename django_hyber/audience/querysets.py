"""The project's own models as a source of recipients: a queryset of any size, read page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import QuerySet

from django_hyber.audience.columns import Columns

CHUNK = 5_000
#: The columns of the rows. No variable can be called "phone_number"; the key of the object travels as another variable.
PHONE, KEY = "phone_number", "_reference"


def columns_of(variables: Mapping[str, str] | None, *, reference: bool) -> Columns:
    """Return the columns of the rows of ``rows_of``."""
    names = {name: name for name in variables or {}}
    return Columns(phone_column=PHONE, variables=names | ({KEY: KEY} if reference else {}))


def rows_of(
    queryset: QuerySet[Any], phone: str, variables: Mapping[str, str] | None, *, reference: bool
) -> Iterator[dict[str, Any]]:
    """Yield the number, the variables and the primary key of each object.

    Raises FieldError for a name that is no field, lookup or annotation of the queryset.
    """
    names = [PHONE, *(variables or {}), *([KEY] if reference else [])]
    fields = [phone, *(variables or {}).values()]
    for key, *values in _values(queryset.values_list("pk", *fields)):
        yield dict(zip(names, [*values, key] if reference else values, strict=True))


def _values(rows: QuerySet[Any, tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    if rows.query.is_sliced or rows.query.combinator:
        # These can be neither filtered nor ordered again.
        yield from rows.iterator(chunk_size=CHUNK)
        return
    # Page by page: the client of MariaDB would load the whole result into memory.
    page = list(rows.order_by("pk")[:CHUNK])
    while page:
        yield from page
        page = list(rows.order_by("pk").filter(pk__gt=page[-1][0])[:CHUNK])

"""Large tables a page at a time, in the order of the primary key and in memory that does not grow with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.db import connections
from django.db.models import ExpressionWrapper, F, Model, Q, TextField
from django.db.models.expressions import Combinable

from django_hyber.models import Message

Page = list[tuple[Any, ...]]
_ALL = Q()
#: The variables of messages as the database keeps them, for ``read_documents``.
VARIABLES_TEXT = ExpressionWrapper(F("variables"), output_field=TextField())


def table_pages(model: type[Model], size: int, using: str, *columns: str) -> Iterator[Page]:
    """Yield (primary key, *columns) of all rows, as they are when their page is read."""
    yield from _by_key(model, Q(), size, using, columns)


def campaign_pages(
    campaign_pk: int,
    size: int,
    using: str,
    *columns: str | Combinable,
    condition: Q | Combinable = _ALL,
    **conditions: Any,
) -> Iterator[Page]:
    """Yield (primary key, *columns) of a campaign's messages, or of those that meet the conditions."""
    mine = Q(condition, campaign=campaign_pk, **conditions)
    if connections[using].vendor == "mysql":
        # Its client would take in the whole result at once.
        yield from _by_key(Message, mine, size, using, columns)
        return
    # One query: right after an import, without statistics of it, PostgreSQL would sort the campaign for every page.
    rows = Message.objects.using(using).filter(mine).order_by("pk").values_list("pk", *columns)
    cursor = rows.iterator(chunk_size=size)
    while page := list(islice(cursor, size)):
        yield page


def read_documents(texts: Iterable[str]) -> list[Any]:
    """Read many JSON documents at once, which is twice as fast as one by one."""
    documents: list[Any] = json.loads(f"[{','.join(texts)}]")
    return documents


def _by_key(
    model: type[Model], condition: Q, size: int, using: str, columns: tuple[str | Combinable, ...]
) -> Iterator[Page]:
    rows = model._default_manager.using(using).filter(condition).order_by("pk").values_list("pk", *columns)
    last_id = 0
    while page := list(rows.filter(pk__gt=last_id)[:size]):
        yield page
        last_id = page[-1][0]

"""What could not be understood is kept, for a person to look at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from django.utils import timezone

from django_hyber.conf import Account
from django_hyber.db.bulk import insert_rows
from django_hyber.models import UnreadableCallback
from django_hyber.protocol import clean_text, write_json

COLUMNS = ("kind", "account", "body", "reason", "received_at")
#: So many items of one callback are kept one by one. Millions of them are no reports that somebody will mend.
KEPT_APART = 1_000
#: Characters of a body in one row. MariaDB takes 16 MB in a statement, and a body may be longer.
PIECE = 1_000_000


def store_unreadable(kind: str, account: Account, items: Sequence[tuple[object, str]], using: str) -> int:
    """Keep the items, each with the reason; what is long comes in several pieces, and what is much in arrays."""
    now = timezone.now()
    rows = [
        (kind, account.name, piece, note[:255], now)
        for item, reason in (items if len(items) <= KEPT_APART else _gathered(items))
        for piece, note in _pieces(item if isinstance(item, str) else write_json(item), reason)
    ]
    return insert_rows(UnreadableCallback, COLUMNS, rows, using)


def _gathered(items: Sequence[tuple[object, str]]) -> list[tuple[object, str]]:
    by_reason: dict[str, list[object]] = {}
    for item, reason in items:
        by_reason.setdefault(reason, []).append(item)
    return [(group, f"{reason} ({len(group)} items)") for reason, group in by_reason.items()]


def _pieces(text: str, reason: str) -> Iterator[tuple[str, str]]:
    text = clean_text(text)
    count = max(1, math.ceil(len(text) / PIECE))
    for number in range(count):
        note = reason if count == 1 else f"{reason} (part {number + 1} of {count})"
        yield text[number * PIECE : (number + 1) * PIECE], note

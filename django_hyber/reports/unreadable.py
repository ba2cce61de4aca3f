"""Storage of callbacks that could not be parsed, for inspection."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from django.utils import timezone

from django_hyber.conf import DEFAULT_ACCOUNT, Account, get_account
from django_hyber.db.bulk import insert_rows
from django_hyber.db.transactions import atomic, insisting
from django_hyber.models import TEXT_LIMIT, UnreadableCallback
from django_hyber.protocol import clean_text, write_json
from django_hyber.reports.quota import may_keep_unreadable

COLUMNS = ("kind", "account", "body", "reason", "received_at")
#: How many items of one callback are stored separately; more are grouped by reason.
KEPT_APART = 1_000
#: Characters of a body per row: MariaDB accepts statements of 16 MB, and a body may be longer.
PIECE = 1_000_000


@insisting
def keep_unreadable_items(kind: str, account: Account, items: Sequence[tuple[object, str]]) -> int:
    """Store the items with their reasons: a long item in several rows, very many items as one array per reason.

    Nothing is stored of what exceeds the quota of the account for the day.
    """
    now = timezone.now()
    rows = [
        (kind, account.name, piece, note[:TEXT_LIMIT], now)
        for item, reason in (items if len(items) <= KEPT_APART else _gathered(items))
        for piece, note in _pieces(item if isinstance(item, str) else write_json(item), reason)
    ]
    if not rows or not may_keep_unreadable(account.name, sum(len(row[2]) for row in rows)):
        return 0
    # Many rows are more than one statement; a retry must not repeat the first ones.
    with atomic():
        return insert_rows(UnreadableCallback, COLUMNS, rows)


def keep_unreadable_body(
    kind: UnreadableCallback.Kind, body: bytes, reason: str, account: str = DEFAULT_ACCOUNT
) -> None:
    """Store a callback body that is not valid JSON.

    Bytes that are not UTF-8, and NUL, are stored as escapes such as ``\\xcf``, from which the body can be restored.
    """
    text = body.decode("utf-8", errors="backslashreplace").replace("\x00", r"\x00")
    keep_unreadable_items(kind, get_account(account), [(text, reason)])


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

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from django.db import DatabaseError

from django_hyber.conf import DEFAULT_ACCOUNT, Account, get_account
from django_hyber.db.transactions import database
from django_hyber.models import UnreadableCallback
from django_hyber.protocol import parse_reports
from django_hyber.reports import intake, unreadable

CallbackKind = UnreadableCallback.Kind
#: Items that are read before they are stored, so that memory does not grow with the body.
READ_AT_ONCE = 50_000


@dataclass(frozen=True, kw_only=True)
class ReportsResult:
    """What became of delivery reports. All numbers count reports, but ``changed``, which counts messages.

    ``received`` = ``stored`` + ``repeated`` + ``unreadable``; of the readable ones ``unknown`` wait for their message.
    """

    received: int
    stored: int
    repeated: int
    unknown: int
    unreadable: int
    changed: int


def apply_delivery_reports(raw_reports: Sequence[object], account: str = DEFAULT_ACCOUNT) -> ReportsResult:
    """Store delivery reports as they came and move their messages forward.

    Takes the dicts of any of the platform's spellings: callbacks, simple and detailed reports, campaign status. Repeats
    and late reports change nothing; items that cannot be read are kept apart and cost the others nothing.
    """
    items = raw_reports if isinstance(raw_reports, list) else list(raw_reports)
    results: list[ReportsResult] = []
    trouble: DatabaseError | None = None
    for start in range(0, len(items), READ_AT_ONCE):
        try:
            results.append(_apply(get_account(account), items[start : start + READ_AT_ONCE]))
        except DatabaseError as error:
            # The others are stored all the same.
            trouble = trouble or error
    if trouble:
        raise trouble
    return ReportsResult(
        **{field.name: sum(getattr(result, field.name) for result in results) for field in fields(ReportsResult)}
    )


def _apply(account: Account, items: list[object]) -> ReportsResult:
    using = database()
    parsed = parse_reports(items, seen_codes=account.seen_codes)
    unreadable.store_unreadable(UnreadableCallback.Kind.REPORTS, account, parsed.unreadable, using)
    applied = intake.apply_reports(account, parsed.reports, using)
    return ReportsResult(
        received=len(items),
        stored=applied.stored,
        repeated=applied.repeated,
        unknown=applied.unknown,
        unreadable=len(parsed.unreadable),
        changed=applied.changed,
    )


def keep_unreadable_body(kind: CallbackKind, body: bytes, reason: str, account: str = DEFAULT_ACCOUNT) -> None:
    """Keep a callback body that is not the JSON it should be, so that a person can still read what came.

    What is not UTF-8 stands there byte by byte, as ``\\xcf``: it may be another encoding, and can be read again.
    """
    text = body.decode("utf-8", errors="backslashreplace")
    unreadable.store_unreadable(kind, get_account(account), [(text, reason)], database())

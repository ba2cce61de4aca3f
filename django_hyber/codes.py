"""The status codes that people have explained in the admin, and those that nobody has explained yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from django.core.signals import request_started
from django.db.models import Count, Q, QuerySet

from django_hyber.conf import Account, find_account, find_accounts
from django_hyber.models import DeliveryReport, StatusCode
from django_hyber.protocol import describe

#: The platform's ``status`` of a delivered message.
DELIVERED = 2
#: The dashboard looks for unknown codes in so many of the newest reports.
NEWEST_REPORTS = 1_000


@dataclass(frozen=True, kw_only=True)
class ReportedCode:
    """A status code in the reports of an account; ``name`` is "" if its meaning is unknown.

    ``is_delivery`` says that every report with it has the status "delivered": only such a code can mean "seen".
    """

    account: str
    code: int
    reports: int
    name: str
    means_seen: bool
    is_delivery: bool
    is_stored: bool

    @property
    def is_unknown(self) -> bool:
        """Whether nobody has said what the code means."""
        return not self.name and not self.means_seen


def with_stored_codes(account: Account) -> Account:
    """Return the account with the codes that were entered in the admin, in one query."""
    return _explained(account, list(StatusCode.objects.filter(account=account.name)))


def find_for_reading(name: str) -> Account | None:
    """Return the account with the stored codes, or None; for the rows of a page, all of them in one query."""
    account = find_account(name)
    return _explained(account, [row for row in _of_this_request() if row.account == name]) if account else None


@cache
def _of_this_request() -> tuple[StatusCode, ...]:
    return tuple(StatusCode.objects.all())


def forget_request(**_kwargs: object) -> None:
    """Forget the codes that an earlier request has read."""
    _of_this_request.cache_clear()


request_started.connect(forget_request)


def _explained(account: Account, stored: Sequence[StatusCode]) -> Account:
    if not stored:
        return account
    return replace(
        account,
        seen_codes=account.seen_codes | {row.code for row in stored if row.means_seen},
        code_names={**{row.code: row.name for row in stored if row.name}, **account.code_names},
    )


def find_seen_codes(name: str) -> frozenset[int]:
    """Return the codes that mean "seen" for an account, empty for one that is not configured."""
    account = find_account(name)
    return with_stored_codes(account).seen_codes if account else frozenset()


def reported_codes() -> list[ReportedCode]:
    """Return the codes of all stored reports with their counts, unknown ones first; an index answers it."""
    return _described(DeliveryReport.objects.all())


def count_unknown_codes() -> int:
    """Count the unknown codes in the newest reports."""
    newest = DeliveryReport.objects.order_by("-received_at").values("pk")[:NEWEST_REPORTS]
    recent = DeliveryReport.objects.filter(pk__in=list(newest.values_list("pk", flat=True)))
    return sum(code.is_unknown for code in _described(recent))


def _described(reports: QuerySet[DeliveryReport]) -> list[ReportedCode]:
    rows = reports.exclude(hyber_status=None).order_by().values_list("account", "hyber_status", "status")
    counts: dict[tuple[str, int], Counter[int | None]] = {}
    for name, code, status, count in rows.annotate(reports=Count("account")):
        counts.setdefault((name, code), Counter())[status] += count
    accounts = {account.name: account for account in find_accounts()}
    stored = {(row.account, row.code): row for row in StatusCode.objects.all()}
    found = [_reported(key, statuses, accounts.get(key[0]), stored.get(key)) for key, statuses in counts.items()]
    return sorted(found, key=lambda code: (not code.is_unknown, -code.reports, code.account, code.code))


def _reported(
    key: tuple[str, int], statuses: Counter[int | None], account: Account | None, stored: StatusCode | None
) -> ReportedCode:
    name, code = key
    text = describe(code, account.code_names if account else {})
    return ReportedCode(
        account=name,
        code=code,
        reports=statuses.total(),
        name=text or (stored.name if stored else ""),
        means_seen=bool((account and code in account.seen_codes) or (stored and stored.means_seen)),
        is_delivery=set(statuses) == {DELIVERED},
        is_stored=stored is not None,
    )


def find_reported(account: str, code: int) -> ReportedCode | None:
    """Return the code if a report of the account has it."""
    reports = DeliveryReport.objects.filter(account=account, hyber_status=code)
    return next(iter(_described(reports)), None)


def mark_as_seen(account: str, code: int) -> bool:
    """Store that the code means "seen". Return whether that is new."""
    return _store(account, code, Q(means_seen=True), {"means_seen": True})


def name_code(account: str, code: int, name: str) -> bool:
    """Store what the code means. Return whether that is new."""
    return _store(account, code, Q(name=name), {"name": name})


def _store(account: str, code: int, same: Q, values: dict[str, object]) -> bool:
    own = StatusCode.objects.filter(account=account, code=code)
    if own.filter(same).exists():
        return False
    StatusCode.objects.update_or_create(account=account, code=code, defaults=values)
    return True


def forget_code(account: str, code: int) -> bool:
    """Delete what was entered about the code. Return whether there was anything."""
    return StatusCode.objects.filter(account=account, code=code).delete()[0] > 0


def has_seen_codes(accounts: Sequence[Account]) -> set[str]:
    """Return the names of the accounts with at least one code that means "seen", in one query at most."""
    found = {account.name for account in accounts if account.seen_codes}
    others = [account.name for account in accounts if account.name not in found]
    if others:
        found |= set(StatusCode.objects.filter(account__in=others, means_seen=True).values_list("account", flat=True))
    return found

"""The circuit breaker of an account: trouble with the platform costs one probe at a time, and not a storm.

It opens after several failures in a row, and at once when the platform does not let the account in.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from django_hyber.conf import Account
from django_hyber.db.transactions import insisting
from django_hyber.models import AccountState
from django_hyber.sending.pace import retries

REASON_LIMIT = 255
#: Seconds before a login that was refused is tried again, at first: a person has to do something about it.
HELD_FOR = 60.0


def blocked_until(account: Account) -> datetime | None:
    """Return None when a request may be sent now, or else when to ask again.

    Once the time has come, the first who asks may send: that request tries whether the platform answers again.
    """
    now = timezone.now()
    is_open = Q(failures__gte=account.breaker_threshold) | Q(held_since__isnull=False)
    broken = _states(account.name).filter(is_open)
    row = broken.values_list("blocked_until").first()
    if row is None:
        return None
    until: datetime | None = row[0]
    if until and until > now:
        return until
    # The answer to the probe, or the end of its patience, moves this on.
    next_probe = now + timedelta(seconds=account.connect_timeout + account.read_timeout)
    is_first = broken.filter(Q(blocked_until=None) | Q(blocked_until__lte=now)).update(blocked_until=next_probe)
    return None if is_first else next_probe


def is_blocked(account_name: str) -> bool:
    """Say whether nothing may be sent at this moment, without taking the turn of a probe."""
    return _states(account_name).filter(blocked_until__gt=timezone.now()).exists()


def is_held(account_name: str) -> bool:
    """Say whether the platform did not let the account in when it was last asked."""
    return _states(account_name).filter(held_since__isnull=False).exists()


@insisting
def note_answer(account: Account) -> None:
    """The platform has answered, if only to refuse a message: the way is free."""
    troubled = _states(account.name).filter(Q(failures__gt=0) | Q(held_since__isnull=False))
    troubled.update(failures=0, blocked_until=None, held_since=None, reason="")


@insisting
def note_failure(account: Account, reason: str, retry_after: float | None = None) -> None:
    """The platform has not taken a request, or not answered; after several in a row the account is blocked."""
    beyond = _count_failure(account, reason) - account.breaker_threshold
    if beyond >= 0:
        until = retries.next_attempt(account, beyond + 1, timezone.now(), retry_after)
        _states(account.name).update(blocked_until=until)


@insisting
def hold(account: Account, reason: str) -> datetime:
    """The platform does not let the account in: block it at once, and return when a probe may find it let in again."""
    failures = _count_failure(account, reason)
    until = retries.next_attempt(account, failures, timezone.now(), HELD_FOR)
    _states(account.name).update(blocked_until=until, held_since=Coalesce("held_since", timezone.now()))
    return until


def _count_failure(account: Account, reason: str) -> int:
    AccountState.objects.get_or_create(account=account.name)
    states = _states(account.name)
    states.update(failures=F("failures") + 1, reason=reason[:REASON_LIMIT])
    return states.values_list("failures", flat=True).get()


def _states(account_name: str) -> QuerySet[AccountState]:
    return AccountState.objects.filter(account=account_name)

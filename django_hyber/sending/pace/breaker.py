"""The circuit breaker of an account: an outage of the platform costs one probe at a time, and not a storm."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from django_hyber.conf import Account
from django_hyber.db.transactions import insisting
from django_hyber.models import AccountState
from django_hyber.protocol import HyberError
from django_hyber.sending.pace import retries

REASON_LIMIT = 255


def blocked_until(account: Account, using: str) -> datetime | None:
    """Return None when a request may be sent now, or else when to ask again.

    Once the time has come, the first who asks may send: that request tries whether the platform answers again.
    """
    now = timezone.now()
    broken = _states(account, using).filter(failures__gte=account.breaker_threshold)
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


def is_blocked(account_name: str, using: str) -> bool:
    """Say whether nothing may be sent at this moment, without taking the turn of a probe."""
    return AccountState.objects.using(using).filter(account=account_name, blocked_until__gt=timezone.now()).exists()


@insisting
def note_answer(account: Account, using: str) -> None:
    """The platform has answered, if only to refuse: the way is free."""
    _states(account, using).filter(failures__gt=0).update(failures=0, blocked_until=None, reason="")


@insisting
def note_failure(account: Account, error: HyberError, using: str) -> None:
    """The platform has not taken a request, or not answered; after several in a row the account is blocked."""
    AccountState.objects.using(using).get_or_create(account=account.name)
    states = _states(account, using)
    states.update(failures=F("failures") + 1, reason=str(error)[:REASON_LIMIT])
    failures = states.values_list("failures", flat=True).get()
    beyond = failures - account.breaker_threshold
    if beyond >= 0:
        retry_after: float | None = getattr(error, "retry_after", None)
        states.update(blocked_until=retries.next_attempt(account, beyond + 1, timezone.now(), retry_after))


def _states(account: Account, using: str) -> QuerySet[AccountState]:
    return AccountState.objects.using(using).filter(account=account.name)

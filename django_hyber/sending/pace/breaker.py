"""The circuit breaker: trouble with a host of the platform costs one probe at a time, and not a storm.

It opens after several failures in a row, for the account at this host. A login that the platform refuses holds the
account at all hosts at once.
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

Host = AccountState.Host
REASON_LIMIT = 255
#: Seconds before a login that was refused is tried again, at first: a person has to do something about it.
HELD_FOR = 60.0


def blocked_until(account: Account, host: Host) -> datetime | None:
    """Return None when a request may be sent now, or else when to ask again.

    Once the time has come, the first who asks may send: that request tries whether the platform answers again.
    """
    now = timezone.now()
    is_open = Q(failures__gte=account.breaker_threshold) | Q(held_since__isnull=False)
    for pk, until in _states(account.name, host).filter(is_open).values_list("pk", "blocked_until"):
        if until and until > now:
            return until
        # The answer to the probe, or the end of its patience, moves this on.
        next_probe = now + timedelta(seconds=account.connect_timeout + account.read_timeout)
        is_over = Q(blocked_until=None) | Q(blocked_until__lte=now)
        if not AccountState.objects.filter(is_over, pk=pk).update(blocked_until=next_probe):
            return next_probe
    return None


def is_blocked(account_name: str, host: Host) -> bool:
    """Say whether nothing may be sent at this moment, without taking the turn of a probe."""
    return _states(account_name, host).filter(blocked_until__gt=timezone.now()).exists()


def is_held(account_name: str) -> bool:
    """Say whether the platform refused the login of the account when it was last tried."""
    return AccountState.objects.filter(account=account_name, held_since__isnull=False).exists()


@insisting
def note_answer(account: Account, host: Host) -> None:
    """The platform has answered, if only to refuse a message: the host works, and the login is right."""
    troubled = _states(account.name, host).filter(Q(failures__gt=0) | Q(held_since__isnull=False))
    troubled.update(failures=0, blocked_until=None, held_since=None, reason="")


@insisting
def note_failure(account: Account, host: Host, reason: str, retry_after: float | None = None) -> None:
    """The host has not taken a request, or not answered; after several in a row it is blocked for the account."""
    beyond = _count_failure(account, host, reason) - account.breaker_threshold
    until = retries.next_attempt(account, max(beyond + 1, 1), timezone.now(), retry_after)
    if beyond >= 0:
        AccountState.objects.filter(account=account.name, host=host).update(blocked_until=until)
    # A probe of the login that came to nothing is repeated, and does not wait for an answer any more.
    AccountState.objects.filter(account=account.name, held_since__isnull=False).update(blocked_until=until)


@insisting
def hold(account: Account, reason: str) -> datetime:
    """The platform refuses the login: block all hosts at once, and return when a probe may find it accepted again."""
    failures = _count_failure(account, Host.ALL, reason)
    until = retries.next_attempt(account, failures, timezone.now(), HELD_FOR)
    whole = AccountState.objects.filter(account=account.name, host=Host.ALL)
    whole.update(blocked_until=until, held_since=Coalesce("held_since", timezone.now()))
    return until


def _count_failure(account: Account, host: Host, reason: str) -> int:
    AccountState.objects.get_or_create(account=account.name, host=host)
    states = AccountState.objects.filter(account=account.name, host=host)
    states.update(failures=F("failures") + 1, reason=reason[:REASON_LIMIT])
    return states.values_list("failures", flat=True).get()


def _states(account_name: str, host: Host) -> QuerySet[AccountState]:
    return AccountState.objects.filter(account=account_name, host__in=(Host.ALL, host))

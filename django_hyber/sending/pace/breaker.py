"""The circuit breaker: while a host of the platform fails, only one probe request at a time is sent to it.

It opens after several consecutive failures of an account at this host. If the platform refuses the login, the account
is held at all hosts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from django.db.models import Case, F, PositiveIntegerField, Q, QuerySet, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_noop

from django_hyber.conf import Account
from django_hyber.db.clock import NOW, database_time
from django_hyber.db.transactions import insisting
from django_hyber.models import TEXT_LIMIT, AccountState, Batch, Campaign, Message
from django_hyber.sending.pace import retries

Host = AccountState.Host
#: Seconds before the first retry of a refused login. A user usually has to correct the settings.
HELD_FOR = 60.0
#: The error texts of a single message that waits behind a probe.
BLOCKED = gettext_noop("Waits until the platform answers again.")
HELD = gettext_noop("Waits until the platform accepts the login of the account.")
CLOSED: Mapping[str, Any] = MappingProxyType({"failures": 0, "blocked_until": None, "held_since": None, "reason": ""})


class Hold(NamedTuple):
    """A hold of an account: the time of the next probe, and how many holds were released before."""

    until: datetime
    releases: int


def blocked_until(account: Account, host: Host) -> datetime | None:
    """Return None if a request may be sent now, or otherwise when to check again.

    When that time is reached, the first caller gets None. Its request is the probe.
    """
    is_open = Q(failures__gte=account.breaker_threshold) | Q(held_since__isnull=False)
    for pk, until in _states(account.name, host).filter(is_open).values_list("pk", "blocked_until"):
        now = database_time()
        if until and until > now:
            return until
        # The other callers wait for the longest time that the probe can take.
        next_probe = now + timedelta(seconds=account.connect_timeout + account.read_timeout)
        is_over = Q(blocked_until=None) | Q(blocked_until__lte=now)
        if not AccountState.objects.filter(is_over, pk=pk).update(blocked_until=next_probe):
            return next_probe
    return None


def is_blocked(account_name: str, host: Host) -> bool:
    """Return whether sending is blocked at this moment, without starting a probe."""
    return _states(account_name, host).filter(blocked_until__gt=NOW).exists()


def is_held(account_name: str) -> bool:
    """Return whether the platform refused the last login of the account."""
    return AccountState.objects.filter(account=account_name, held_since__isnull=False).exists()


def note_answer(account: Account, host: Host) -> None:
    """Close the circuit: the platform has answered, even if it rejected the message.

    What has waited for the answer goes on. Without this, it would wait for the longest time that a probe can take.
    """
    if _close(account, host):
        _wake_blocked(account.name)


@insisting
def _close(account: Account, host: Host) -> bool:
    troubled = _states(account.name, host).filter(Q(failures__gt=0) | Q(held_since__isnull=False))
    # MariaDB assigns from left to right, so ``releases`` is first.
    is_held = When(held_since__isnull=False, then=F("releases") + 1)
    releases = Case(is_held, default=F("releases"), output_field=PositiveIntegerField())
    return bool(troubled.update(releases=releases, **CLOSED))


@insisting
def note_failure(account: Account, host: Host, reason: str, retry_after: float | None = None) -> None:
    """Count a failed or unanswered request. Consecutive failures block the host for the account."""
    beyond = _count_failure(account, host, reason) - account.breaker_threshold
    until = retries.next_attempt(account, max(beyond + 1, 1), database_time(), retry_after)
    if beyond >= 0:
        AccountState.objects.filter(account=account.name, host=host).update(blocked_until=until)
    # A failed probe of a refused login is repeated after the same delay.
    AccountState.objects.filter(account=account.name, held_since__isnull=False).update(blocked_until=until)


@insisting
def hold(account: Account, reason: str) -> Hold:
    """Block all hosts after a refused login."""
    failures = _count_failure(account, Host.ALL, reason)
    until = retries.next_attempt(account, failures, database_time(), HELD_FOR)
    whole = AccountState.objects.filter(account=account.name, host=Host.ALL)
    whole.update(blocked_until=until, held_since=Coalesce("held_since", NOW))
    return Hold(until, whole.values_list("releases", flat=True).get())


def was_released_since(account_name: str, releases: int) -> bool:
    """Return whether the account is not held and a request has been accepted since it had this number of releases."""
    states = AccountState.objects.filter(account=account_name, host=Host.ALL, held_since=None)
    return states.filter(releases__gt=releases).exists()


def release(account_name: str) -> bool:
    """Lift the hold of an account whose login was accepted by a check, and let what waited for it go on.

    Returns whether the account was held.
    """
    held = AccountState.objects.filter(account=account_name, host=Host.ALL, held_since__isnull=False)
    if not held.update(**CLOSED):
        return False
    wake(account_name)
    return True


def wake_if_released(account_name: str) -> None:
    """Let go on what has begun to wait while the hold was being lifted: nobody else would see it before its time."""
    if not is_held(account_name):
        wake(account_name)


def wake(account_name: str) -> None:
    """Let what waits for the account go on."""
    # A subquery instead of a join, with which PostgreSQL would not look again at a row after waiting for its lock.
    campaigns = Campaign.objects.filter(account=account_name).values("pk")
    held = Batch.objects.filter(state=Batch.State.PENDING, waits_for=Batch.WaitsFor.ACCOUNT, campaign__in=campaigns)
    held.update(due_at=None, waits_for="", enqueued_at=None)
    waiting = Message.objects.filter(status=Message.Status.QUEUED, campaign=None, account=account_name)
    # After an attempt that counts, the message may be waiting for the time that the platform asked for.
    not_retried = waiting.filter(attempts=F("held_attempts"), due_at__gt=NOW)
    not_retried.update(due_at=None, enqueued_at=None)


@insisting
def _wake_blocked(account_name: str) -> None:
    # Those for which the login was refused keep their time, or one that is always refused would hold up the others.
    campaigns = Campaign.objects.filter(account=account_name).values("pk")
    batches = Batch.objects.filter(state=Batch.State.PENDING, releases_seen=None, campaign__in=campaigns)
    reasons = (Batch.WaitsFor.PLATFORM, Batch.WaitsFor.ACCOUNT)
    batches.filter(waits_for__in=reasons).update(due_at=None, waits_for="", enqueued_at=None)
    messages = Message.objects.filter(status=Message.Status.QUEUED, campaign=None, account=account_name)
    messages.filter(releases_seen=None, error_text__in=(BLOCKED, HELD)).update(due_at=None, enqueued_at=None)


def _count_failure(account: Account, host: Host, reason: str) -> int:
    AccountState.objects.get_or_create(account=account.name, host=host)
    states = AccountState.objects.filter(account=account.name, host=host)
    states.update(failures=F("failures") + 1, reason=reason[:TEXT_LIMIT])
    return states.values_list("failures", flat=True).get()


def _states(account_name: str, host: Host) -> QuerySet[AccountState]:
    return AccountState.objects.filter(account=account_name, host__in=(Host.ALL, host))

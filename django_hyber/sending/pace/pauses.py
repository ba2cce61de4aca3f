"""Pauses of the queries of an account at one of the platform's hosts, which all workers keep.

A pause lasts as long as the platform asked for, or until it may answer again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from django_hyber.conf import Account
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import insisting
from django_hyber.models import AccountState
from django_hyber.protocol import AuthenticationError, HyberError, NotTaken, ReadTimeout

Host = AccountState.Host
#: After these errors, the next query of the account would probably fail too.
PAUSING_ERRORS = (NotTaken, AuthenticationError, ReadTimeout)
#: After this many unanswered queries in a row, the queries of the account are paused, whatever the errors were.
MAX_UNANSWERED = 5
#: Seconds until the next query after an answer without Retry-After. The pause doubles each time.
FIRST_PAUSE = 1.0


def paused_until(account_name: str, host: Host, now: datetime) -> datetime | None:
    """Return when the pause of the account's queries ends, or None if they are not paused."""
    states = _states(account_name, host).filter(queries_after__gt=now)
    return states.values_list("queries_after", flat=True).first()


def paused_accounts(host: Host) -> list[str]:
    """Return the accounts whose queries are paused."""
    paused = AccountState.objects.filter(host=host, queries_after__gt=database_time())
    return list(paused.values_list("account", flat=True))


def lift(account_name: str, host: Host) -> None:
    """End the pause of the account's queries."""
    _states(account_name, host).update(queries_after=None)


@insisting
def note_answer(account: Account, host: Host) -> None:
    """Forget the unanswered queries before this answer."""
    _states(account.name, host).filter(unanswered_queries__gt=0).update(unanswered_queries=0)


@insisting
def note_failure(account: Account, host: Host, error: HyberError) -> bool:
    """Count the unanswered query. Pause the account's queries if the next one would probably fail too.

    Returns whether they are paused.
    """
    AccountState.objects.get_or_create(account=account.name, host=host)
    states = _states(account.name, host)
    states.update(unanswered_queries=F("unanswered_queries") + 1)
    unanswered = states.values_list("unanswered_queries", flat=True).get()
    if isinstance(error, NotTaken):
        wanted = min(FIRST_PAUSE * 2 ** min(unanswered - 1, 10), account.ask_every) if error.retry_after is None else 0
        seconds = max(error.retry_after or 0, wanted)
    elif isinstance(error, PAUSING_ERRORS) or unanswered >= MAX_UNANSWERED:
        seconds = account.ask_every
    else:
        return False
    until = database_time() + timedelta(seconds=seconds)
    states.filter(Q(queries_after=None) | Q(queries_after__lt=until)).update(queries_after=until)
    return True


def _states(account_name: str, host: Host) -> QuerySet[AccountState]:
    return AccountState.objects.filter(account=account_name, host=host)

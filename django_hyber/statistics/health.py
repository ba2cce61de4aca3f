"""The state of the whole installation in a few numbers, for monitoring. Every number is read from an index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from django.db.models import Max, Min, Q, QuerySet
from django.db.models.functions import Coalesce

from django_hyber.conf import account_names, inspect_accounts
from django_hyber.db.clock import database_time
from django_hyber.db.lease import is_due
from django_hyber.models import AccountState, BackgroundJob, Batch, Campaign, Message
from django_hyber.statistics.dashboard import TOO_LONG, all_idle, count_up_to, last_reports, stale

#: With this many messages accepted for longer than SILENT_AFTER and no report since, the callbacks do not arrive.
SILENT_MESSAGES = 20
SILENT_AFTER = timedelta(hours=1)
#: Older messages may be ones that are never reported.
SILENT_WITHIN = timedelta(days=1)
NEWEST_ACCEPTED = 1_000
Status = Message.Status


class Level(IntEnum):
    """What a person has to do; the value is the exit code of ``hyber_status``."""

    HEALTHY = 0
    ATTENTION = 1
    TROUBLE = 2


@dataclass(frozen=True, kw_only=True)
class Health:
    """The state of the installation. Counts end at 10,001.

    ``due`` counts the work that could be done now, and ``oldest_due_seconds`` is the age of the oldest piece of it, 0
    if nothing is due. ``undecided`` are unknown outcomes that need a person; the others are still being resolved.
    ``held_accounts`` have their login refused, ``blocked_hosts`` do not answer, ``paused_queries`` are hosts that are
    not queried about outcomes and reports for now, and ``silent_accounts`` get no reports.
    """

    due: int
    oldest_due_seconds: int
    unconfirmed: int
    undecided: int
    idle_campaigns: Sequence[int]
    held_accounts: Sequence[str]
    blocked_hosts: Sequence[str]
    paused_queries: Sequence[str]
    silent_accounts: Sequence[str]
    setting_errors: Sequence[str]

    @property
    def level(self) -> Level:
        """Trouble if messages are not sent, attention if a person should look, or otherwise healthy."""
        is_stuck = self.oldest_due_seconds > TOO_LONG.total_seconds() or self.idle_campaigns
        if is_stuck or self.held_accounts or self.setting_errors:
            return Level.TROUBLE
        if self.undecided or self.blocked_hosts or self.paused_queries or self.silent_accounts:
            return Level.ATTENTION
        return Level.HEALTHY


def check_health() -> Health:
    """Read the state of the installation."""
    now = database_time()
    counts = stale(now)
    accounts, errors = inspect_accounts()
    names = [account.name for account in accounts]
    # An account that was removed from the settings keeps its state, and nobody can correct its login.
    configured = AccountState.objects.filter(account__in=account_names())
    halted = Q(held_since__isnull=False) | Q(blocked_until__gt=now) | Q(queries_after__gt=now)
    states = list(configured.filter(halted))
    due, reports = _due(now), last_reports()
    due_since = min((moment for moment in _due_since(*due) if moment), default=now)
    return Health(
        due=sum(map(count_up_to, due)),
        oldest_due_seconds=max(0, round((now - due_since).total_seconds())),
        unconfirmed=counts.unconfirmed,
        undecided=counts.batches_to_decide + counts.messages_to_decide,
        idle_campaigns=list(all_idle(now).values_list("pk", flat=True)),
        held_accounts=sorted({state.account for state in states if state.held_since}),
        blocked_hosts=[str(state) for state in states if not state.held_since and _is_later(state.blocked_until, now)],
        paused_queries=[str(state) for state in states if _is_later(state.queries_after, now)],
        silent_accounts=[name for name in names if _is_silent(name, reports.get(name), now)],
        setting_errors=[error.msg for error in errors],
    )


def _is_later(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment > now


def _due(now: datetime) -> list[QuerySet[Any]]:
    """Return the single messages, background jobs and batches that a worker could begin with now."""
    ready = Q(campaign__next_send_at=None) | Q(campaign__next_send_at__lte=now)
    batches = Batch.objects.filter(is_due(now), ready, state=Batch.State.PENDING)
    return [
        Message.objects.filter(is_due(now), campaign=None, status=Status.QUEUED),
        BackgroundJob.objects.open().filter(Q(lease_until=None) | Q(lease_until__lt=now)),
        batches.filter(campaign__status=Campaign.Status.SENDING),
    ]


def _due_since(messages: QuerySet[Any], jobs: QuerySet[Any], batches: QuerySet[Any]) -> Iterator[datetime | None]:
    """Yield since when the oldest work of each kind waits. Batches wait in turn: theirs is the last sign of work."""
    yield messages.aggregate(since=Min(Coalesce("due_at", "created_at")))["since"]
    yield jobs.aggregate(since=Min(Coalesce("lease_until", "created_at")))["since"]
    whole = Batch.objects.filter(campaign__in=batches.values("campaign")).order_by().values("campaign")
    last_work = whole.annotate(since=Coalesce(Max("finished_at"), Min("created_at")))
    yield min((row["since"] for row in last_work), default=None)


def _is_silent(account: str, last_report: datetime | None, now: datetime) -> bool:
    since = max(last_report or now - SILENT_WITHIN, now - SILENT_WITHIN)
    accepted = Message.objects.filter(account=account, status=Status.ACCEPTED).order_by("-pk")
    moments = accepted.values_list("accepted_at", flat=True)[:NEWEST_ACCEPTED]
    return sum(since < moment < now - SILENT_AFTER for moment in moments if moment) >= SILENT_MESSAGES

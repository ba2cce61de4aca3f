"""The order in which the batches of a campaign are sent.

A few batches are sent in parallel, one lane each. A task sends one batch and then enqueues the next one as a new task.
Between two batches of a large campaign, workers can therefore process other tasks, such as one-time codes.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from django_hyber.conf import find_account
from django_hyber.db.lease import is_due
from django_hyber.models import AccountState, Batch, Campaign
from django_hyber.queueing import enqueue_row
from django_hyber.sending.batch import submit_batch
from django_hyber.sending.pace import breaker

logger = logging.getLogger("django_hyber")
State = Batch.State
#: A task that has not started within this time is considered lost.
ENQUEUED_FOR = timedelta(minutes=1)
_local = threading.local()
Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)


def run_lane(pk: int, enqueue: Callable[[int], object]) -> None:
    """Submit a batch and enqueue the next one of its campaign."""
    one_after_another("batches", pk, lambda pk: _submit_and_enqueue_next(pk, enqueue))


def one_after_another(kind: str, item: Item, work: Callable[[Item], object]) -> None:
    """Work on the item, and then on items of the same kind that were enqueued in the meantime.

    A task backend that runs tasks immediately would otherwise nest them hundreds of levels deep.
    """
    waiting: deque[Item] | None = getattr(_local, kind, None)
    if waiting is not None:
        waiting.append(item)
        return
    waiting = deque([item])
    setattr(_local, kind, waiting)
    try:
        while waiting:
            work(waiting.popleft())
    finally:
        setattr(_local, kind, None)


def _submit_and_enqueue_next(pk: int, enqueue: Callable[[int], object]) -> None:
    submit_batch(pk)
    campaign_pk = Batch.objects.filter(pk=pk).values_list("campaign", flat=True).first()
    following = campaign_pk and take_next(campaign_pk)
    if following:
        enqueue(following)


def fill_lanes(campaign_pk: int) -> int:
    """Enqueue due batches of a campaign up to the parallel limit and return their number."""
    count = 0
    while pk := take_next(campaign_pk):
        enqueue_row("submit_batch", Batch.objects.all(), pk)
        count += 1
    return count


def take_next(campaign_pk: int) -> int | None:
    """Mark the campaign's next due batch as enqueued and return its primary key.

    Returns None if no batch is due, the parallel limit is reached, or the campaign or its account must not send now.
    """
    if not _may_send(campaign_pk):
        return None
    pending = Batch.objects.filter(campaign=campaign_pk, state=State.PENDING)
    return mark_first(pending.filter(due(State.PENDING)), pending)


def mark_first(due_rows: QuerySet[Row], rows: QuerySet[Row]) -> int | None:
    """Mark the first due row as enqueued and return its primary key. The row must still be among ``rows``."""
    for pk, enqueued_at in due_rows.order_by("pk").values_list("pk", "enqueued_at")[:10]:
        # If another worker has just enqueued this row, the update matches nothing and the next row is tried.
        if rows.filter(pk=pk, enqueued_at=enqueued_at).update(enqueued_at=timezone.now()):
            return int(pk)
    return None


def due(state: str, name: str = "state") -> Q:
    """Select due rows in this state whose task was not enqueued or is considered lost.

    The worker that claims or postpones a row clears ``enqueued_at``.
    """
    now = timezone.now()
    return Q(is_due(now), Q(enqueued_at=None) | Q(enqueued_at__lt=now - ENQUEUED_FOR), **{name: state})


def _may_send(campaign_pk: int) -> bool:
    now = timezone.now()
    ready = Q(next_send_at=None) | Q(next_send_at__lte=now)
    campaigns = Campaign.objects.filter(ready, pk=campaign_pk, status=Campaign.Status.SENDING)
    name = campaigns.values_list("account", flat=True).first()
    account = find_account(name) if name else None
    if account is None:
        if name:
            logger.error("Campaign %s waits: the settings of account %s are missing or invalid", campaign_pk, name)
        return False
    if breaker.is_blocked(account.name, AccountState.Host.BULK):
        return False
    if AccountState.objects.filter(account=account.name, next_send_at__gt=now).exists():
        return False
    sending = Q(state=State.SENDING, lease_until__gt=now)
    enqueued = Q(state=State.PENDING, enqueued_at__gt=now - ENQUEUED_FOR)
    in_progress = Batch.objects.filter(sending | enqueued, campaign=campaign_pk).count()
    return in_progress < account.parallel_batches

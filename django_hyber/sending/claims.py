"""Who may send a batch of a campaign: one worker, when it is due and nothing forbids it, until a lease ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from django_hyber.conf import Account, get_account
from django_hyber.db.transactions import write_transaction
from django_hyber.models import Batch, Campaign, Message
from django_hyber.sending.pace import breaker, throttle, windows
from django_hyber.sending.pace.retries import is_due
from django_hyber.sending.ranges import members

State = Batch.State
WaitsFor = Batch.WaitsFor


@dataclass(frozen=True, kw_only=True)
class BatchClaim:
    """A batch that this worker alone may send until the lease ends. ``attempt`` tells claims apart."""

    pk: int
    attempt: int
    first_id: int
    last_id: int
    phone_prefixes: Sequence[str]
    campaign: Campaign
    account: Account


def claim_batch(pk: int, using: str) -> BatchClaim | None:
    """Take a due batch of a running campaign, by a conditional UPDATE: only one worker sees a row changed.

    None as well when it must wait: for the sending window, the throttle, or a platform that does not answer.
    """
    now = timezone.now()
    batch = Batch.objects.using(using).filter(is_due(now), pk=pk, state=State.PENDING)
    found = batch.select_related("campaign").first()
    if found is None:
        return None
    account = get_account(found.campaign.account)
    opening = _next_opening(found, now)
    if opening:
        _put_off(pk, opening, WaitsFor.WINDOW, using)
        return None
    with write_transaction(using):
        if not _take(pk, account, now, using):
            return None
        waits_for = WaitsFor.PLATFORM
        until = breaker.blocked_until(account, using)
        if until is None:
            waits_for, until = WaitsFor.THROTTLE, throttle.reserve(found.campaign, account, found.size, using)
        # The claim, and what it took of the throttle, must not outlive a "not now".
        transaction.set_rollback(until is not None, using=using)
    if until:
        _put_off(pk, until, waits_for, using)
        return None
    taken = Batch.objects.using(using).select_related("campaign").get(pk=pk)
    return BatchClaim(
        pk=pk,
        attempt=taken.attempts,
        first_id=taken.first_id,
        last_id=taken.last_id,
        phone_prefixes=taken.phone_prefixes,
        campaign=taken.campaign,
        account=account,
    )


def _next_opening(batch: Batch, now: datetime) -> datetime | None:
    # The platform holds what it is given until the start time, so that is when people are written to.
    start_time = batch.campaign.start_time
    return windows.next_opening(batch.campaign, batch.zone, max(now, start_time) if start_time else now)


def _take(pk: int, account: Account, now: datetime, using: str) -> int:
    sending = Campaign.objects.using(using).filter(status=Campaign.Status.SENDING)
    batches = Batch.objects.using(using).filter(is_due(now), pk=pk, state=State.PENDING, campaign__in=sending)
    return batches.update(
        state=State.SENDING,
        attempts=F("attempts") + 1,
        lease_until=now + timedelta(seconds=account.lease),
        due_at=None,
        waits_for="",
        enqueued_at=None,
    )


def renew(claim: BatchClaim, using: str) -> bool:
    """Begin the lease anew right before the request, and say whether the batch is still this worker's.

    A worker that stood still for longer than its lease, however that came, must not send what others have sent since.
    """
    lease_until = timezone.now() + timedelta(seconds=claim.account.lease)
    return bool(mine(claim, using).filter(state=State.SENDING).update(lease_until=lease_until))


def _put_off(pk: int, until: datetime, waits_for: Batch.WaitsFor, using: str) -> None:
    batches = Batch.objects.using(using).filter(pk=pk, state=State.PENDING)
    batches.update(due_at=until, waits_for=waits_for, error_text="", enqueued_at=None)


def messages_of(claim: BatchClaim, using: str) -> QuerySet[Message]:
    """Return every message that the batch speaks for."""
    condition = members(claim.first_id, claim.last_id, claim.phone_prefixes)
    return Message.objects.using(using).filter(condition, campaign_id=claim.campaign.pk)


def mine(claim: BatchClaim, using: str) -> QuerySet[Batch]:
    """Select the batch as long as nobody has claimed it since."""
    return Batch.objects.using(using).filter(
        pk=claim.pk, attempts=claim.attempt, state__in=(State.SENDING, State.UNCONFIRMED)
    )

"""Sending a batch of a campaign: claim it, send it in one request, record the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q

from django_hyber.announce import announce_stored
from django_hyber.conf import Account
from django_hyber.db import lease
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import database, db_connection, insisting, refuse_transaction, write_transaction
from django_hyber.log_events import LogEvent
from django_hyber.models import AccountState, Batch, Campaign
from django_hyber.protocol import HyberClient
from django_hyber.sending.batch_claim import BatchClaim
from django_hyber.sending.batch_messages import (
    BatchAnswer,
    Outgoing,
    build_body,
    leave_out_reached,
    read_outgoing,
    suppress,
    was_accepted_before,
)
from django_hyber.sending.exchange import get_client, hand_over, working_account
from django_hyber.sending.limits import charge, keep_to_cap
from django_hyber.sending.pace import breaker, schedule
from django_hyber.sending.runs import settle

logger = logging.getLogger("django_hyber")
State = Batch.State
WaitsFor = Batch.WaitsFor


class Wait(NamedTuple):
    """Until when a batch has to wait, and for what."""

    until: datetime
    waits_for: Batch.WaitsFor


@insisting
def claim_batch(pk: int) -> BatchClaim | None:
    """Claim a due batch of a running campaign.

    Returns None if there is none, or if the batch has to wait for the sending window, the throttle, the login of the
    account, or a platform that does not answer.
    """
    refuse_transaction()
    batch = Batch.objects.filter(lease.is_due(), pk=pk, state=State.PENDING)
    found = batch.select_related("campaign").first()
    if found is None:
        return None
    account = working_account(found.campaign.account)
    if account is None:
        return None
    if was_accepted_before(found, found.attempts):
        BatchClaim(row=found, account=account).doubt_again()
        return None
    if schedule.waits_for_window(found, database_time()):
        return None
    claim = _claim_or_wait(found, account)
    if not isinstance(claim, Wait):
        return claim
    is_blocked, waits_for = claim.waits_for == WaitsFor.PLATFORM, claim.waits_for
    schedule.put_off(pk, claim.until, WaitsFor.ACCOUNT if is_blocked and breaker.is_held(account.name) else waits_for)
    if is_blocked and not breaker.is_blocked(account.name, AccountState.Host.BULK):
        # It has ended in the meantime, so nobody else would see the batch before its time.
        schedule.put_off(pk, None, "")
    return None


def _claim_or_wait(found: Batch, account: Account) -> BatchClaim | Wait | None:
    claim, used = None, db_connection().connection
    try:
        with write_transaction():
            if not _claim(found.pk, account):
                return None
            # Read before the commit: a worker that is suspended after it could read the attempt number of another
            # claim.
            claimed = Batch.objects.select_related("campaign").get(pk=found.pk)
            claim = BatchClaim(row=claimed, account=account)
            wait = _reason_to_wait(found, account)
            # A batch that has to wait must keep neither the claim nor its reservation in the throttle.
            transaction.set_rollback(wait is not None, using=database())
    except (OperationalError, InterfaceError):
        if claim:
            claim.release_if_lost(used)
        raise
    return wait or claim


def _reason_to_wait(batch: Batch, account: Account) -> Wait | None:
    until = breaker.blocked_until(account, AccountState.Host.BULK)
    if until:
        return Wait(until, WaitsFor.PLATFORM)
    until = schedule.reserve(batch.campaign, account, batch.size)
    return Wait(until, WaitsFor.THROTTLE) if until else None


def _claim(pk: int, account: Account) -> bool:
    sending = Campaign.objects.filter(status=Campaign.Status.SENDING)
    batches = Batch.objects.filter(lease.is_due(), pk=pk, state=State.PENDING, campaign__in=sending)
    values = {
        "state": State.SENDING,
        # Set again right before a request is written.
        "sender": "",
        # By its size before anybody is left out. A part of an unconfirmed request stays what the whole was.
        "is_job": ExpressionWrapper(
            Q(size__gt=account.sync_limit) | Q(is_job=True, doubted_at__isnull=False), output_field=BooleanField()
        ),
        "due_at": None,
        "waits_for": "",
        "enqueued_at": None,
    }
    return lease.claim(batches, account.lease, **values)


def submit_batch(pk: int, client: HyberClient | None = None) -> None:
    """Send a batch to the platform. Does nothing if the batch is not due, is claimed, or has to wait."""
    claim = claim_batch(pk)
    if claim is None:
        return
    hand_over(partial(_post, claim, client), claim)
    announce_stored(claim.left_out)
    settle(claim.row.campaign.pk)


def _choose(claim: BatchClaim) -> Sequence[Outgoing]:
    """Return the messages to send. If there are none, the batch has been ended or set aside."""
    account, messages = claim.account, claim.row.messages()
    suppress(account, messages, claim.leave_out)
    if claim.row.campaign.run > 1:
        leave_out_reached(account, messages, claim.leave_out)
    keep_to_cap(account, messages, claim.leave_out)
    outgoing = read_outgoing(claim.row.campaign, account, messages, claim.leave_out)
    exceeded = charge(account, claim.row, claim.rows(), outgoing)
    if exceeded:
        text, pk = "Campaign %s is paused: %s", claim.row.campaign_id
        logger.warning(text, pk, exceeded, extra={"event": LogEvent.SPENDING_LIMIT, **claim.log_ids})
        claim.set_aside(exceeded)
        return ()
    if not outgoing:
        claim.end_empty()
    return outgoing


def _post(claim: BatchClaim, client: HyberClient | None, before_write: Callable[[], None]) -> BatchAnswer | None:
    outgoing = _choose(claim)
    if not outgoing:
        return None
    campaign, client = claim.row.campaign, client or get_client(claim.account)
    body = build_body(campaign, claim.account, [item.recipient for item in outgoing])
    if len(outgoing) <= claim.account.sync_limit:
        send = client.send_batch_sync if campaign.has_own_texts else client.send_broadcast_sync
        return BatchAnswer(outgoing, send(body, before_write=before_write), "")
    send_job = client.send_batch if campaign.has_own_texts else client.send_broadcast
    return BatchAnswer(outgoing, None, send_job(body, before_write=before_write))

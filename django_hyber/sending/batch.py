"""A batch of a campaign on its way: claimed, sent in one request, and all its answers recorded at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError
from django.utils import timezone

from django_hyber.announce import Change, announce_changes
from django_hyber.conf import Account
from django_hyber.db.transactions import database, insisting, lock, write_transaction
from django_hyber.models import Batch, Campaign, Message
from django_hyber.protocol import APIError, AuthenticationError, HyberClient, NotTaken, OutcomeUnknown, SyncEntry
from django_hyber.reports.early import apply_waiting_reports
from django_hyber.sending.answers import Outgoing, accept_all, record_entries
from django_hyber.sending.body import build_body, read_outgoing, suppress
from django_hyber.sending.claims import BatchClaim, claim_batch, messages_of, mine, renew
from django_hyber.sending.clients import get_client
from django_hyber.sending.pace import breaker, retries
from django_hyber.sending.runs import settle
from django_hyber.sending.single import GAVE_UP, TEXT_LIMIT, describe

logger = logging.getLogger("django_hyber")
Status = Message.Status
State = Batch.State


def submit_batch(pk: int, client: HyberClient | None = None) -> None:
    """Hand a batch to the platform; do nothing when it is not due, is taken or must not be sent now."""
    using = database()
    claim = claim_batch(pk, using)
    if claim is None:
        return
    suppress(claim, using)
    outgoing = read_outgoing(claim, using)
    if outgoing:
        _send(claim, outgoing, client or get_client(claim.account), using)
    else:
        _finish(claim, using, State.DONE)
    settle(claim.campaign.pk, using)


def _send(claim: BatchClaim, outgoing: Sequence[Outgoing], client: HyberClient, using: str) -> None:
    try:
        body = build_body(claim.campaign, claim.account, [item.recipient for item in outgoing])
    except ValueError as error:
        _hold_campaign(claim, error, using)
        return
    if not renew(claim, using):
        logger.warning("Batch %s was taken over before it went out, and is left to whoever has it now", claim.pk)
        return
    try:
        entries, job_id = _post(claim, client, body, len(outgoing))
    except NotTaken as error:
        breaker.note_failure(claim.account, error, using)
        _postpone(claim, error, using)
    except AuthenticationError as error:
        _hold_campaign(claim, error, using)
    except APIError as error:
        breaker.note_answer(claim.account, using)
        _reject(claim, error, using)
    except OutcomeUnknown as error:
        breaker.note_failure(claim.account, error, using)
        _doubt(claim, error, using)
    else:
        breaker.note_answer(claim.account, using)
        _record(claim, outgoing, entries, job_id, using)


def _post(
    claim: BatchClaim, client: HyberClient, body: dict[str, Any], recipients: int
) -> tuple[list[SyncEntry] | None, str]:
    """Send the request; return either the entries of a synchronous answer or the id of a job."""
    is_small = recipients <= claim.account.sync_limit
    if claim.campaign.has_own_texts:
        return (client.send_batch_sync(body), "") if is_small else (None, client.send_batch(body))
    return (client.send_broadcast_sync(body), "") if is_small else (None, client.send_broadcast(body))


@insisting
def _record(
    claim: BatchClaim, outgoing: Sequence[Outgoing], entries: list[SyncEntry] | None, job_id: str, using: str
) -> None:
    with write_transaction(using):
        if not _finish(claim, using, State.DONE, job_id=job_id):
            logger.warning(
                "Batch %s was taken over before its answer came; the answer is recorded all the same", claim.pk
            )
        lock(messages_of(claim, using))
        if entries is None:
            accept_all(outgoing, using)
        else:
            record_entries(outgoing, entries, claim.account.not_found_grace, using)
    if entries:
        _apply_waiting(claim.account, [entry.message_id for entry in entries if entry.message_id], using)


def _apply_waiting(account: Account, message_ids: Sequence[str], using: str) -> None:
    try:
        apply_waiting_reports(account, message_ids, using)
    except DatabaseError:
        logger.exception("Reports that came early wait for the next sweep")


@insisting
def _postpone(claim: BatchClaim, error: NotTaken, using: str) -> None:
    now = timezone.now()
    if not retries.should_retry(claim.account, claim.attempt):
        text = GAVE_UP % {"attempts": claim.attempt, "reason": describe(error)}
        _fail(claim, Status.UNDELIVERED, text[:TEXT_LIMIT], None, using)
        return
    _put_back(claim, describe(error), retries.next_attempt(claim.account, claim.attempt, now, error.retry_after), using)


@insisting
def _hold_campaign(claim: BatchClaim, error: AuthenticationError | ValueError, using: str) -> None:
    """Stop here and let a person mend the settings, which would fail every batch, or what no request can say."""
    reason = str(error)[:TEXT_LIMIT]
    _put_back(claim, reason, None, using)
    campaigns = Campaign.objects.using(using).filter(pk=claim.campaign.pk, status=Campaign.Status.SENDING)
    campaigns.update(status=Campaign.Status.PAUSED, status_reason=reason)


def _put_back(claim: BatchClaim, reason: str, due_at: datetime | None, using: str) -> None:
    """The batch waits again; a sweep that doubted it meanwhile was wrong, so its messages wait again too."""
    with write_transaction(using):
        moved = mine(claim, using).update(
            state=State.PENDING,
            error_text=reason,
            lease_until=None,
            not_found_after=None,
            due_at=due_at,
            waits_for=Batch.WaitsFor.RETRY if due_at else "",
        )
        if moved:
            _move_messages(claim, Status.UNCONFIRMED, Status.QUEUED, using, error_text="")


@insisting
def _reject(claim: BatchClaim, error: APIError, using: str) -> None:
    _fail(claim, Status.REJECTED, describe(error), error.error_code, using)


@insisting
def _doubt(claim: BatchClaim, error: OutcomeUnknown, using: str) -> None:
    logger.warning("Outcome unknown for batch %s: %s", claim.pk, type(error).__name__)
    doubt_batch(claim, describe(error), using)


def doubt_batch(claim: BatchClaim, reason: str, using: str) -> None:
    """The platform may or may not have the batch: from now on only its own reports can tell (design.md, rule 3)."""
    now = timezone.now()
    with write_transaction(using):
        moved = mine(claim, using).update(
            state=State.UNCONFIRMED,
            error_text=reason,
            lease_until=None,
            not_found_after=now + timedelta(seconds=claim.account.not_found_grace),
            due_at=now + timedelta(seconds=claim.account.retry_delay),
        )
        if moved:
            _move_messages(claim, Status.QUEUED, Status.UNCONFIRMED, using, error_text=reason)


def _fail(claim: BatchClaim, status: Status, text: str, code: int | None, using: str) -> None:
    """End the batch and its messages, unless others have taken it over: then it is for their request to decide."""
    with write_transaction(using):
        if not _finish(claim, using, State.FAILED, error_code=code, error_text=text):
            return
        changes = {"error_text": text, "error_code": code, "finished_at": timezone.now()}
        for old in (Status.QUEUED, Status.UNCONFIRMED):
            _move_messages(claim, old, status, using, **changes)


def _move_messages(claim: BatchClaim, old: Status, new: Status, using: str, **values: object) -> None:
    waiting = messages_of(claim, using).filter(status=old)
    pks = lock(waiting)
    waiting.update(status=new, **values)
    announce_changes([Change(pk, old, new) for pk in pks], using)


def _finish(claim: BatchClaim, using: str, state: State, **values: object) -> bool:
    """End the batch; say whether it was still this worker's."""
    now = timezone.now()
    ended = mine(claim, using).update(
        state=state,
        finished_at=now,
        lease_until=None,
        not_found_after=None,
        due_at=None,
        **({"error_text": ""} | values),
    )
    return bool(ended)

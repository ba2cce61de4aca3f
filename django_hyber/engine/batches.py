"""A batch of a campaign on its way: claim, check consent, send one request, record all its answers at once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.conf import Account, get_account, get_callback_url
from django_hyber.engine import breaker, retries, throttle, windows
from django_hyber.engine.answers import Outgoing, accept_all, record_entries
from django_hyber.engine.campaigns import settle
from django_hyber.engine.clients import get_client
from django_hyber.engine.messages import BLOCKED, GAVE_UP, OPTED_OUT, TEXT_LIMIT, describe
from django_hyber.engine.notifications import Change, announce_changes
from django_hyber.engine.pages import VARIABLES_TEXT, read_documents
from django_hyber.engine.ranges import members
from django_hyber.engine.transactions import database, insisting, lock, write_transaction
from django_hyber.engine.variables import OWN_TEXT, complete_variables
from django_hyber.engine.waiting import apply_waiting_reports
from django_hyber.models import Batch, Campaign, Message, Suppression
from django_hyber.protocol import (
    APIError,
    AuthenticationError,
    BatchMessage,
    HyberClient,
    NotTaken,
    OutcomeUnknown,
    Recipient,
    SyncEntry,
    batch_body,
    broadcast_body,
    find_variables,
)

logger = logging.getLogger("django_hyber")
Status = Message.Status
State = Batch.State
NO_VALUE = gettext_noop("Left out: a value for the text is missing.")
OUT_OF_HOURS = gettext_noop("Waits for the sending window.")


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
    if not _renew(claim, using):
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


def claim_batch(pk: int, using: str) -> BatchClaim | None:
    """Take a due batch of a running campaign, by a conditional UPDATE: only one worker sees a row changed.

    None as well when it must wait: for the sending window, the throttle, or a platform that does not answer.
    """
    now = timezone.now()
    batch = Batch.objects.using(using).filter(_is_due(now), pk=pk, state=State.PENDING)
    found = batch.select_related("campaign").first()
    if found is None:
        return None
    account = get_account(found.campaign.account)
    opening = _next_opening(found, now)
    if opening:
        _put_off(pk, opening, OUT_OF_HOURS, using)
        return None
    with write_transaction(using):
        if not _take(pk, account, now, using):
            return None
        reason = BLOCKED
        until = breaker.blocked_until(account, using)
        if until is None:
            reason, until = "", throttle.reserve(found.campaign, account, found.size, using)
        # The claim, and what it took of the throttle, must not outlive a "not now".
        transaction.set_rollback(until is not None, using=using)
    if until:
        _put_off(pk, until, reason, using)
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


def _is_due(now: datetime) -> Q:
    return Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)


def _take(pk: int, account: Account, now: datetime, using: str) -> int:
    sending = Campaign.objects.using(using).filter(status=Campaign.Status.SENDING)
    batches = Batch.objects.using(using).filter(_is_due(now), pk=pk, state=State.PENDING, campaign__in=sending)
    return batches.update(
        state=State.SENDING,
        attempts=F("attempts") + 1,
        lease_until=now + timedelta(seconds=account.lease),
        next_attempt_at=None,
        enqueued_at=None,
    )


def _renew(claim: BatchClaim, using: str) -> bool:
    """Begin the lease anew right before the request, and say whether the batch is still this worker's.

    A worker that stood still for longer than its lease, however that came, must not send what others have sent since.
    """
    lease_until = timezone.now() + timedelta(seconds=claim.account.lease)
    return bool(_mine(claim, using).filter(state=State.SENDING).update(lease_until=lease_until))


def _put_off(pk: int, until: datetime, reason: str, using: str) -> None:
    batches = Batch.objects.using(using).filter(pk=pk, state=State.PENDING)
    batches.update(next_attempt_at=until, error_text=reason, enqueued_at=None)


def messages_of(claim: BatchClaim, using: str) -> QuerySet[Message]:
    """Return every message that the batch speaks for."""
    condition = members(claim.first_id, claim.last_id, claim.phone_prefixes)
    return Message.objects.using(using).filter(condition, campaign_id=claim.campaign.pk)


def suppress(claim: BatchClaim, using: str) -> None:
    """Take out who has opted out, at the last moment before sending."""
    opted_out = Suppression.objects.using(using).values("phone_number")
    waiting = messages_of(claim, using).filter(status=Status.QUEUED, phone_number__in=opted_out)
    if waiting.exists():
        _leave_out(waiting, OPTED_OUT, using)


def _leave_out(waiting: QuerySet[Message], reason: str, using: str) -> None:
    with write_transaction(using):
        pks = lock(waiting)
        waiting.update(status=Status.SUPPRESSED, error_text=reason, finished_at=timezone.now())
        announce_changes([Change(pk, Status.QUEUED, Status.SUPPRESSED) for pk in pks], using)


def read_outgoing(claim: BatchClaim, using: str) -> list[Outgoing]:
    """Read what is still to be sent, without making a model instance per row; who lacks a value may be left out."""
    campaign = claim.campaign
    waiting = messages_of(claim, using).filter(status=Status.QUEUED)
    rows = list(waiting.order_by("pk").values_list("pk", "phone_number", "extra_id", VARIABLES_TEXT))
    used = used_values(campaign)
    outgoing, incomplete = [], []
    for (pk, phone, extra_id, _text), values in zip(rows, read_documents(row[-1] for row in rows), strict=True):
        variables = complete_variables(campaign, used, values)
        # The launch check has seen a text for everybody; whoever has lost it since must not cost the others theirs.
        if variables is None or (campaign.has_own_texts and not variables.get(OWN_TEXT)):
            incomplete.append(pk)
        else:
            outgoing.append(Outgoing(pk, Recipient(phone, extra_id, variables)))
    if incomplete:
        _leave_out(waiting.filter(pk__in=incomplete), NO_VALUE, using)
    return outgoing


def _post(
    claim: BatchClaim, client: HyberClient, body: dict[str, Any], recipients: int
) -> tuple[list[SyncEntry] | None, str]:
    """Send the request; return either the entries of a synchronous answer or the id of a job."""
    is_small = recipients <= claim.account.sync_limit
    if claim.campaign.has_own_texts:
        return (client.send_batch_sync(body), "") if is_small else (None, client.send_batch(body))
    return (client.send_broadcast_sync(body), "") if is_small else (None, client.send_broadcast(body))


def build_body(campaign: Campaign, account: Account, recipients: Iterable[Recipient]) -> dict[str, Any]:
    """Build the request that hands these recipients over. Raises ValueError for a phone that is not all digits."""
    options: dict[str, Any] = {
        "callback_url": get_callback_url(account),
        "start_time": campaign.start_time_on_wire(timezone.now()),
        "tag": campaign.tag or campaign.name[:64],
        "division_code": campaign.division_code,
        "phone_as_number": account.phone_as_number,
    }
    if campaign.has_own_texts:
        texts = (BatchMessage(phone, extra_id, values[OWN_TEXT]) for phone, extra_id, values in recipients)
        return batch_body(texts, campaign.get_channels(), **options)
    return broadcast_body(recipients, campaign.get_channels(), **options)


def used_values(campaign: Campaign) -> list[str]:
    """Return the names of the values that go out: what no text uses is nobody else's business."""
    return sorted(find_variables(campaign.get_channels()) | ({OWN_TEXT} if campaign.has_own_texts else set()))


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


def _put_back(claim: BatchClaim, reason: str, next_attempt_at: datetime | None, using: str) -> None:
    """The batch waits again; a sweep that doubted it meanwhile was wrong, so its messages wait again too."""
    with write_transaction(using):
        moved = _mine(claim, using).update(
            state=State.PENDING, error_text=reason, lease_until=None, next_attempt_at=next_attempt_at
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
        moved = _mine(claim, using).update(
            state=State.UNCONFIRMED,
            error_text=reason,
            lease_until=now + timedelta(seconds=claim.account.not_found_grace),
            next_attempt_at=now + timedelta(seconds=claim.account.retry_delay),
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
    ended = _mine(claim, using).update(
        state=state, finished_at=now, lease_until=None, next_attempt_at=None, **({"error_text": ""} | values)
    )
    return bool(ended)


def _mine(claim: BatchClaim, using: str) -> QuerySet[Batch]:
    return Batch.objects.using(using).filter(
        pk=claim.pk, attempts=claim.attempt, state__in=(State.SENDING, State.UNCONFIRMED)
    )

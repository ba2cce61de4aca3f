"""A batch of a campaign on its way: claimed by one worker, sent in one request, and its answer recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple

from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from django_hyber.announce import Change, announce_changes
from django_hyber.conf import Account, get_account
from django_hyber.db import lease
from django_hyber.db.transactions import insisting, lock, refuse_transaction, write_transaction
from django_hyber.models import AccountState, Batch, Campaign, Message
from django_hyber.protocol import HyberClient, SyncEntry
from django_hyber.reports.early import apply_waiting_reports
from django_hyber.sending import doubt
from django_hyber.sending.batch_messages import (
    Outgoing,
    accept_all,
    build_body,
    read_outgoing,
    record_entries,
    suppress,
)
from django_hyber.sending.exchange import ClaimLost, get_client, hand_over
from django_hyber.sending.pace import breaker, schedule, throttle
from django_hyber.sending.runs import settle

logger = logging.getLogger("django_hyber")
State = Batch.State
Status = Message.Status
WaitsFor = Batch.WaitsFor
NOTHING_LEFT = {"lease_until": None, "doubted_at": None, "not_found_after": None, "due_at": None, "waits_for": ""}
ALWAYS = Q()


class BatchAnswer(NamedTuple):
    """What was sent and taken: with the entries of a synchronous answer, or else the id of a job."""

    outgoing: Sequence[Outgoing]
    entries: Sequence[SyncEntry] | None
    job_id: str


@dataclass(frozen=True, kw_only=True)
class BatchClaim:
    """A batch, as it was read by the one worker that may send it until its lease ends."""

    batch: Batch
    account: Account

    @property
    def attempt(self) -> int:
        """How many times it has been claimed, which tells claims apart."""
        return self.batch.attempts

    @property
    def host(self) -> AccountState.Host:
        """Campaigns go to a host of their own."""
        return AccountState.Host.BULK

    @property
    def counted_attempts(self) -> int:
        """How many of its attempts the platform let the account in for."""
        return self.batch.attempts - self.batch.held_attempts

    def rows(self) -> QuerySet[Batch]:
        """Select the batch as long as nobody has claimed it since."""
        batches = lease.held(Batch.objects.all(), self.batch.pk, self.attempt)
        return batches.filter(state__in=(State.SENDING, State.UNCONFIRMED))

    def messages(self) -> QuerySet[Message]:
        """Return every message that the batch speaks for."""
        return Message.objects.filter(self.batch.members(), campaign_id=self.batch.campaign_id)

    def confirm(self) -> None:
        """Renew the lease right before the request is written, if the campaign still sends. Raises ClaimLost."""
        sending = self.rows().filter(state=State.SENDING, campaign__status=Campaign.Status.SENDING)
        if not lease.renew(sending, self.account.lease):
            raise ClaimLost(f"Batch {self.batch.pk} was claimed by another worker, or its campaign stopped, unsent")

    @insisting
    def record(self, answer: BatchAnswer) -> None:
        """End the batch, and give every message what the platform has answered about it."""
        with write_transaction():
            is_ours = self.finish(State.DONE, job_id=answer.job_id)
            lock(self.messages())
            outgoing = answer.outgoing
            if not is_ours:
                logger.warning("Batch %s was claimed by another worker before its answer came", self.batch.pk)
                # A message with a new id is in another run, about which this answer says nothing.
                current = dict(self.messages().values_list("pk", "extra_id"))
                outgoing = [item for item in outgoing if current.get(item.pk) == item.recipient.extra_id]
            if answer.entries is None:
                accept_all(outgoing)
            else:
                record_entries(outgoing, answer.entries, self._begin_doubt())
        if answer.entries:
            _apply_waiting(self.account, [entry.message_id for entry in answer.entries if entry.message_id])

    @insisting
    def put_back(self, waits_for: Batch.WaitsFor | Literal[""], reason: str, due_at: datetime | None) -> None:
        """Queue the batch again; if a sweep has marked it unconfirmed meanwhile, its messages are queued again too."""
        with write_transaction():
            held = F("held_attempts") + int(waits_for != WaitsFor.RETRY)
            changes = NOTHING_LEFT | {"due_at": due_at, "waits_for": waits_for, "held_attempts": held}
            if self.rows().update(state=State.PENDING, error_text=reason, **changes):
                self._move(Status.UNCONFIRMED, Status.QUEUED, error_text="")

    @insisting
    def set_aside(self, reason: str) -> None:
        """Pause the campaign for a person. In one commit, or the batch would be sent again at once."""
        with write_transaction():
            self.put_back("", reason, None)
            campaigns = Campaign.objects.filter(pk=self.batch.campaign_id, status=Campaign.Status.SENDING)
            campaigns.update(status=Campaign.Status.PAUSED, status_reason=reason)

    @insisting
    def split(self, reason: str) -> None:
        """Queue the batch again as two halves; reject the message of a batch that has only one."""
        with write_transaction():
            changes = NOTHING_LEFT | {"held_attempts": F("held_attempts") + 1, "error_text": reason}
            if not self.rows().update(**changes):
                return
            self._move(Status.UNCONFIRMED, Status.QUEUED, error_text="")
            queued = list(self.messages().filter(status=Status.QUEUED).order_by("pk").values_list("pk", flat=True))
            half = len(queued) // 2
            if not half:
                self.end(Status.REJECTED, reason, None)
                return
            batch, middle = self.batch, queued[half]
            self.rows().update(state=State.PENDING, last_id=middle - 1, size=half)
            Batch.objects.create(
                campaign_id=batch.campaign_id,
                run=batch.run,
                first_id=middle,
                last_id=batch.last_id,
                size=len(queued) - half,
                zone=batch.zone,
                phone_prefixes=batch.phone_prefixes,
                error_text=reason,
            )
        logger.warning("Batch %s is too large for the platform: it is sent in two halves", batch.pk)

    @insisting
    def end(self, status: Message.Status, reason: str, error_code: int | None) -> None:
        """End the batch and its messages without their having been taken."""
        with write_transaction():
            if not self.finish(State.FAILED, error_code=error_code, error_text=reason):
                return
            changes = {"error_text": reason, "error_code": error_code, "finished_at": timezone.now()}
            for old in (Status.QUEUED, Status.UNCONFIRMED):
                self._move(old, status, **changes)

    @insisting
    def mark_unconfirmed(
        self, reason: str, ask_at: datetime, only: Q = ALWAYS, *, error_code: int | None = None
    ) -> None:
        """The platform may or may not have it: from now on only its own reports can show what became of it."""
        begun = self._begin_doubt()
        known = {"error_text": reason, "error_code": error_code, "due_at": ask_at, "lease_until": None, "waits_for": ""}
        mine = lease.held(Batch.objects.all(), self.batch.pk, self.attempt).filter(only)
        with write_transaction():
            # A sweep was earlier: the doubt goes on, and its graces begin with the end of the connection.
            again = {name: value for name, value in begun.items() if name != "doubted_at"}
            if mine.filter(state=State.UNCONFIRMED).update(**again, **known):
                return
            # Also if "not found" has queued it again meanwhile, as long as nobody has claimed it since.
            doubted = mine.filter(state__in=(State.PENDING, State.SENDING))
            if not doubted.update(state=State.UNCONFIRMED, **begun, **known):
                return
            self._move(Status.QUEUED, Status.UNCONFIRMED, error_text=reason, **begun | {"not_found_after": None})
        logger.warning("Outcome unknown for batch %s: %s", self.batch.pk, reason)

    def _begin_doubt(self) -> dict[str, Any]:
        return doubt.begin(self.account, self.batch.campaign.start_time)

    def finish(self, state: Batch.State, **values: object) -> bool:
        """End the batch alone, and say whether it was still this worker's."""
        changes = {"error_text": "", "finished_at": timezone.now(), **NOTHING_LEFT, **values}
        return bool(self.rows().update(state=state, **changes))

    def _move(self, old: Status, new: Status, **values: object) -> None:
        waiting = self.messages().filter(status=old)
        pks = lock(waiting)
        waiting.update(status=new, **values)
        announce_changes([Change(pk, old, new) for pk in pks])


def claim_batch(pk: int) -> BatchClaim | None:
    """Claim a due batch of a running campaign.

    None as well when it must wait: for the sending window, the throttle, or a platform that does not answer.
    """
    refuse_transaction()
    now = timezone.now()
    batch = Batch.objects.filter(lease.is_due(now), pk=pk, state=State.PENDING)
    found = batch.select_related("campaign").first()
    if found is None:
        return None
    account = get_account(found.campaign.account)
    try:
        opening = _next_opening(found, now)
    except schedule.UnknownZoneError:
        # The window is kept: at a guess, people could be written to at night.
        logger.warning("Batch %s waits: this machine does not know the time zone %s", pk, found.zone)
        _put_off(pk, now + schedule.ZONE_RETRY, WaitsFor.WINDOW, schedule.UNKNOWN_ZONE)
        return None
    if opening:
        _put_off(pk, opening, WaitsFor.WINDOW)
        return None
    with write_transaction():
        if not _claim(pk, account, now):
            return None
        # Read before the commit: a worker that stands still after it would take the next claim for its own.
        claimed = Batch.objects.select_related("campaign").get(pk=pk)
        waits_for = WaitsFor.PLATFORM
        until = breaker.blocked_until(account, AccountState.Host.BULK)
        if until is None:
            waits_for, until = WaitsFor.THROTTLE, throttle.reserve(found.campaign, account, found.size)
        # The claim, and what it took of the throttle, must not outlive a "not now".
        transaction.set_rollback(until is not None)
    if until:
        is_held = waits_for == WaitsFor.PLATFORM and breaker.is_held(account.name)
        _put_off(pk, until, WaitsFor.ACCOUNT if is_held else waits_for)
        return None
    return BatchClaim(batch=claimed, account=account)


def _next_opening(batch: Batch, now: datetime) -> datetime | None:
    # The platform holds what it is given until the start time, so that is when people are written to.
    start_time = batch.campaign.start_time
    return schedule.next_opening(batch.campaign, batch.zone, max(now, start_time) if start_time else now)


def _claim(pk: int, account: Account, now: datetime) -> bool:
    sending = Campaign.objects.filter(status=Campaign.Status.SENDING)
    batches = Batch.objects.filter(lease.is_due(now), pk=pk, state=State.PENDING, campaign__in=sending)
    return lease.claim(batches, account.lease, state=State.SENDING, due_at=None, waits_for="", enqueued_at=None)


def _put_off(pk: int, until: datetime, waits_for: Batch.WaitsFor, reason: str = "") -> None:
    batches = Batch.objects.filter(pk=pk, state=State.PENDING)
    batches.update(due_at=until, waits_for=waits_for, error_text=reason, enqueued_at=None)


def _apply_waiting(account: Account, message_ids: Sequence[str]) -> None:
    try:
        apply_waiting_reports(account, message_ids)
    except DatabaseError:
        logger.exception("Reports that came early wait for the next sweep")


def submit_batch(pk: int, client: HyberClient | None = None) -> None:
    """Hand a batch to the platform; do nothing when it is not due, is taken or must not be sent now."""
    claim = claim_batch(pk)
    if claim is None:
        return
    suppress(claim.messages())
    outgoing = read_outgoing(claim.batch.campaign, claim.messages())
    if outgoing:
        hand_over(partial(_post, claim, client, outgoing), claim)
    else:
        claim.finish(Batch.State.DONE)
    settle(claim.batch.campaign.pk)


def _post(
    claim: BatchClaim, client: HyberClient | None, outgoing: Sequence[Outgoing], before_write: Callable[[], None]
) -> BatchAnswer:
    campaign, client = claim.batch.campaign, client or get_client(claim.account)
    body = build_body(campaign, claim.account, [item.recipient for item in outgoing])
    if len(outgoing) <= claim.account.sync_limit:
        send = client.send_batch_sync if campaign.has_own_texts else client.send_broadcast_sync
        return BatchAnswer(outgoing, send(body, before_write=before_write), "")
    send_job = client.send_batch if campaign.has_own_texts else client.send_broadcast
    return BatchAnswer(outgoing, None, send_job(body, before_write=before_write))

"""Sending a single message: claim it, send it, record the answer. No transaction is open during the request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.announce import Change, announce_changes, announcing
from django_hyber.conf import Account, get_account, get_callback_url
from django_hyber.db import lease
from django_hyber.db.transactions import insisting, refuse_transaction
from django_hyber.models import AccountState, Batch, Message, Suppression
from django_hyber.protocol import HyberClient, channels_from_wire, single_body
from django_hyber.reports.early import apply_waiting_reports
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE
from django_hyber.sending.exchange import ClaimLost, begin_doubt, get_client, hand_over, start_time_of
from django_hyber.sending.pace import breaker, retries

logger = logging.getLogger("django_hyber")
Status = Message.Status
OPTED_OUT = gettext_noop("The recipient has opted out.")
BLOCKED = gettext_noop("Waits until the platform answers again.")
HELD = gettext_noop("Waits until the platform accepts the login of the account.")
RELEASED = {"lease_until": None, "not_found_after": None, "due_at": None}
ALWAYS = Q()


@dataclass(frozen=True, kw_only=True)
class MessageClaim:
    """A single message that this worker has claimed. No other worker may send it until the lease ends."""

    message: Message
    account: Account

    @property
    def attempt(self) -> int:
        """The number of this claim of the message; each claim has its own."""
        return self.message.attempts

    @property
    def host(self) -> AccountState.Host:
        """The platform has a separate host for single messages."""
        return AccountState.Host.SINGLE

    @property
    def counted_attempts(self) -> int:
        """The attempts that count: not those for which the platform refused the login."""
        return self.message.attempts - self.message.held_attempts

    def rows(self) -> QuerySet[Message]:
        """Select the message, unless another worker has claimed it or a report has advanced its status."""
        return self._of_this_run().filter(status__in=BEFORE_ACCEPTANCE)

    def _of_this_run(self) -> QuerySet[Message]:
        # Each run has a new extra id, so a late answer to an earlier run matches nothing.
        same_run = Message.objects.filter(extra_id=self.message.extra_id)
        return lease.held(same_run, self.message.pk, self.attempt)

    def confirm(self) -> None:
        """Renew the lease right before the request is written. Raises ClaimLost."""
        if not lease.renew(self.rows().filter(status=Status.SENDING), self.account.lease):
            raise ClaimLost(f"Message {self.message.extra_id} was not sent: another worker claimed it")

    @insisting
    def record(self, answer: str) -> None:
        """Store the platform's id. If a report arrived before the answer, the message keeps its newer status."""
        known: dict[str, Any] = {"message_id": answer, "accepted_at": timezone.now(), **RELEASED}
        with announcing():
            moved = self.rows().update(status=Status.ACCEPTED, error_code=None, error_text="", **known)
            if moved:
                announce_changes([Change(self.message.pk, Status.SENDING, Status.ACCEPTED)])
        if not moved:
            self._of_this_run().update(**known)
        apply_waiting_reports(self.account, [answer])

    @insisting
    def put_back(self, waits_for: Batch.WaitsFor | Literal[""], reason: str, due_at: datetime | None) -> None:
        """Queue the message again. Only a RETRY counts as an attempt."""
        held = F("held_attempts") + int(waits_for != Batch.WaitsFor.RETRY)
        changes = RELEASED | {"due_at": due_at}
        self.rows().update(status=Status.QUEUED, error_text=reason, held_attempts=held, **changes)

    def set_aside(self, reason: str) -> None:
        """Queue the message again with a growing delay, until a user has fixed the cause."""
        self.put_back("", reason, retries.next_attempt(self.account, self.attempt, timezone.now()))

    def split(self, reason: str) -> None:
        """Reject the message: a single message cannot be split."""
        self.end(Status.REJECTED, reason, None)

    @insisting
    def end(self, status: Message.Status, reason: str, error_code: int | None) -> None:
        """Give the message its final status."""
        with announcing():
            moved = self.rows().update(
                status=status, error_code=error_code, error_text=reason, finished_at=timezone.now(), **RELEASED
            )
            if moved:
                announce_changes([Change(self.message.pk, Status.SENDING, status)])

    @insisting
    def mark_unconfirmed(
        self, reason: str, query_at: datetime, only: Q = ALWAYS, *, error_code: int | None = None
    ) -> None:
        """Record that the outcome is unknown: it is decided by the platform's report, queried from ``query_at``."""
        begun = begin_doubt(self.account, start_time_of(self.message.content or {}))
        known = {"error_text": reason, "error_code": error_code, "due_at": query_at, "lease_until": None}
        with announcing():
            if not self.rows().filter(only).update(status=Status.UNCONFIRMED, **begun, **known):
                return
            announce_changes([Change(self.message.pk, Status.SENDING, Status.UNCONFIRMED)])
        logger.warning("Outcome unknown for message %s: %s", self.message.extra_id, reason)


def submit_message(pk: int, client: HyberClient | None = None) -> None:
    """Send a queued single message to the platform. Does nothing if it is not due or another worker claimed it."""
    claim = claim_message(pk)
    if claim is None:
        return
    if _must_not_be_sent(claim):
        claim.end(Status.SUPPRESSED, OPTED_OUT, None)
        return
    hand_over(partial(_post, claim, client), claim)


def _post(claim: MessageClaim, client: HyberClient | None, before_write: Callable[[], None]) -> str:
    message, client = claim.message, client or get_client(claim.account)
    body = build_body(claim.account, message.phone_number or "", message.extra_id, message.content or {})
    return client.send_single(body, before_write=before_write)


def _must_not_be_sent(claim: MessageClaim) -> bool:
    """Whether the recipient has opted out of transactional messages too (SUPPRESS_TRANSACTIONAL)."""
    if not claim.account.suppress_transactional:
        return False
    return Suppression.objects.filter(phone_number=claim.message.phone_number).exists()


def claim_message(pk: int) -> MessageClaim | None:
    """Claim a due message, or postpone it while its account is blocked."""
    refuse_transaction()
    is_due = lease.is_due(timezone.now())
    waiting = Message.objects.filter(is_due, pk=pk, status=Status.QUEUED, campaign=None)
    message = waiting.first()
    if message is None:
        return None
    account = get_account(message.account)
    blocked_until = breaker.blocked_until(account, AccountState.Host.SINGLE)
    if blocked_until:
        reason = HELD if breaker.is_held(account.name) else BLOCKED
        waiting.update(due_at=blocked_until, error_text=reason, enqueued_at=None)
        return None
    unclaimed = lease.held(waiting, pk, message.attempts)
    if not lease.claim(unclaimed, account.lease, status=Status.SENDING, due_at=None, enqueued_at=None):
        return None
    message.attempts += 1
    return MessageClaim(message=message, account=account)


def build_body(account: Account, phone_number: str, extra_id: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Build the request from the stored content. The callback URL is added here, so its token is never stored."""
    options = dict(content)
    channels = channels_from_wire(options.pop("channels"), options.pop("channel_options"))
    options.setdefault("callback_url", get_callback_url(account))
    return single_body(
        phone_number=phone_number,
        extra_id=extra_id,
        channels=channels,
        phone_as_number=account.phone_as_number,
        **options,
    )

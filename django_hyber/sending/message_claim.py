"""The claim of a single message: what its worker may do with it, and the results for it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from django_hyber.announce import Change, announce_changes, announcing
from django_hyber.conf import Account
from django_hyber.db import lease
from django_hyber.db.transactions import database_time, insisting
from django_hyber.log_events import LogEvent
from django_hyber.models import TEXT_LIMIT, AccountState, Batch, Message
from django_hyber.policies.allowed_numbers import has_opted_out
from django_hyber.reports.early import apply_waiting_reports
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE, WITHHELD
from django_hyber.sending.exchange import SAME_ID, ClaimLost, begin_doubt
from django_hyber.sending.pace import retries
from django_hyber.sending.pace.deadline import before_deadline, describe_lateness, is_too_late, start_time_of

logger = logging.getLogger("django_hyber")
Status = Message.Status
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
    def log_ids(self) -> dict[str, Any]:
        """The ids that log events have."""
        return {"extra_id": self.message.extra_id, "account": self.account.name}

    @property
    def host(self) -> AccountState.Host:
        """The platform has a separate host for single messages."""
        return AccountState.Host.SINGLE

    @property
    def counted_attempts(self) -> int:
        """The attempts that count: not those for which the platform refused the login."""
        return self.message.attempts - self.message.held_attempts

    @property
    def releases_seen(self) -> int | None:
        """The number of releases of the account when the login was last refused for it, or None if it never was."""
        return self.message.releases_seen

    def rows(self) -> QuerySet[Message]:
        """Select the message, unless another worker has claimed it or a report has advanced its status."""
        return self._of_this_run().filter(status__in=BEFORE_ACCEPTANCE)

    def _of_this_run(self) -> QuerySet[Message]:
        # Each run has a new extra id, so a late answer to an earlier run matches nothing.
        same_run = Message.objects.filter(extra_id=self.message.extra_id)
        return lease.held(same_run, self.message.pk, self.attempt)

    def confirm(self) -> None:
        """Renew the lease right before the request is written. Raises ClaimLost if it must not be written now."""
        if is_too_late(self.message):
            raise ClaimLost(f"Message {self.message.extra_id} was not sent: its TTL is over")
        if has_opted_out(self.account, self.message):
            raise ClaimLost(f"Message {self.message.extra_id} was not sent: its recipient has opted out")
        ours = self.rows().filter(status=Status.SENDING)
        if not lease.renew(ours, self.account.lease, sender=self.account.sender):
            raise ClaimLost(f"Message {self.message.extra_id} was not sent: another worker claimed it")

    @insisting
    def record(self, answer: str) -> None:
        """Store the platform's id. If a report arrived before the answer, the message keeps its newer status.

        An id that another message has is of an answer to another request, so the outcome is unknown.
        """
        others = Message.objects.filter(account=self.account.name, message_id=answer).exclude(pk=self.message.pk)
        if others.exists():
            self.mark_unconfirmed(SAME_ID, database_time(), logged=SAME_ID)
            return
        known: dict[str, Any] = {"message_id": answer, "accepted_at": timezone.now(), **RELEASED}
        accepted = {"error_code": None, "error_text": "", "finished_at": None, **known}
        if not self._move(Status.ACCEPTED, accepted, changing=(*BEFORE_ACCEPTANCE, *WITHHELD)):
            self._of_this_run().update(**known)
        apply_waiting_reports(self.account, [answer])

    @insisting
    def put_back(self, waits_for: Batch.WaitsFor | Literal[""], reason: str, due_at: datetime | None) -> None:
        """Queue the message again. Only a RETRY counts as an attempt, and one that would come too late ends it."""
        is_retry = waits_for == Batch.WaitsFor.RETRY
        if is_retry and due_at and is_too_late(self.message, due_at - timezone.now()):
            self.end(Status.EXPIRED, describe_lateness(reason)[:TEXT_LIMIT], None)
        else:
            held = F("held_attempts") + int(waits_for != Batch.WaitsFor.RETRY)
            self._queue(reason, due_at, held_attempts=held)

    @insisting
    def release(self, only: Q) -> None:
        """Queue the message again after its worker has stopped before the request."""
        held = F("held_attempts") + 1
        self._move(Status.QUEUED, RELEASED | {"error_text": "", "held_attempts": held}, only & lease.NOTHING_WRITTEN)

    def wait_for_release(self, reason: str, due_at: datetime, releases: int) -> None:
        """Queue the message again after the login was refused."""
        self._queue(reason, due_at, held_attempts=F("held_attempts") + 1, releases_seen=releases)

    def set_aside(self, reason: str) -> None:
        """Queue the message again with a growing delay, until a user has fixed the cause."""
        self.put_back("", reason, retries.next_attempt(self.account, self.attempt, timezone.now()))

    @insisting
    def _queue(self, reason: str, due_at: datetime | None, **values: Any) -> None:
        changes = RELEASED | {"due_at": before_deadline(self.message, due_at), "error_text": reason, **values}
        # Of the doubt about an earlier request, if there was one: this one was not sent.
        self._move(Status.QUEUED, changes | {"doubted_at": self.message.doubted_at})

    def split(self, reason: str) -> bool:
        """Return False: a single message cannot be split."""
        return False

    @insisting
    def end(self, status: Message.Status, reason: str, error_code: int | None) -> None:
        """Give the message its final status."""
        ended = {"error_code": error_code, "error_text": reason, "finished_at": timezone.now()}
        self._move(status, {**RELEASED, **ended})

    @insisting
    def mark_unconfirmed(
        self, reason: str, query_at: datetime, only: Q = ALWAYS, *, logged: str, error_code: int | None = None
    ) -> None:
        """Record that the outcome is unknown: it is decided by the platform's report, queried from ``query_at``."""
        begun = begin_doubt(self.account, start_time_of(self.message.content or {}))
        begun["sender"] = self.message.sender or self.account.sender
        known = {"error_text": reason, "error_code": error_code, "due_at": query_at, "lease_until": None}
        if self._move(Status.UNCONFIRMED, begun | known, only):
            logger.warning(
                "Outcome unknown for message %s: %s",
                self.message.extra_id,
                logged,
                extra={"event": LogEvent.OUTCOME_UNKNOWN, **self.log_ids},
            )

    def _move(
        self,
        status: Message.Status,
        values: Mapping[str, object],
        only: Q = ALWAYS,
        changing: Collection[Message.Status] = BEFORE_ACCEPTANCE,
    ) -> bool:
        """Give the message this status and announce it. Return False if the claim was lost or a report came first."""
        for old in changing:
            with announcing():
                if self._of_this_run().filter(only, status=old).update(status=status, **values):
                    if status != old:
                        announce_changes([Change(self.message.pk, old, status)])
                    return True
        return False


def end_late(waiting: QuerySet[Message], message: Message) -> None:
    """Let a message expire that is too late to be claimed."""
    reason = describe_lateness(message.error_text)[:TEXT_LIMIT]
    ended = {"error_text": reason, "finished_at": timezone.now(), "due_at": None, "enqueued_at": None}
    with announcing():
        if waiting.update(status=Status.EXPIRED, **ended):
            announce_changes([Change(message.pk, Status.QUEUED, Status.EXPIRED)])

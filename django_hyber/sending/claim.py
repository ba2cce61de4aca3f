"""A claim: what a worker may do with the message or batch that it has claimed, and the results of its request.

What differs for single messages and batches is in ``message_claim`` and ``batch_claim``.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, TypeVar

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_noop

from django_hyber.conf import Account
from django_hyber.db import lease
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import insisting, is_lost
from django_hyber.log_events import LogEvent
from django_hyber.models import TEXT_LIMIT, AccountState, Batch, Message
from django_hyber.sending.pace.deadline import before_deadline, describe_lateness, is_too_late, start_of

logger = logging.getLogger("django_hyber")
Row = TypeVar("Row", Message, Batch)
Answer = TypeVar("Answer")
WaitsFor = Batch.WaitsFor
SAME_ID = gettext_noop("The platform's answer has the id of another message.")
#: The columns of a claim that has ended.
RELEASED = {"lease_until": None, "not_found_after": None, "due_at": None}
ALWAYS = Q()
#: Messages of which no report says how they ended: their end is from the answer to a request, or from us.
UNREPORTED = Q(reported_at=None, hyber_status=None)
#: The columns of a doubt without queries.
NO_QUERIES: Mapping[str, Any] = MappingProxyType(
    {"not_found_at": None, "queried_at": None, "queries": 0, "unanswered_queries": 0, "answer": "", "answer_text": ""}
)


class ClaimLost(Exception):  # noqa: N818  it says what happened
    """The message or batch must not be sent now: something has changed since it was claimed. Nothing was sent."""


@dataclass(frozen=True, kw_only=True)
class Claim(ABC, Generic[Row, Answer]):
    """A single message, or a batch with all its messages, that this worker has claimed.

    No other worker may send it until the lease ends. Once another worker has claimed the same row, only ``record``
    still has an effect.
    """

    #: The host of the platform that receives the request.
    host: ClassVar[AccountState.Host]
    #: Selects the rows whose worker may send them.
    is_sending: ClassVar[Q]

    row: Row
    account: Account

    @property
    def counted_attempts(self) -> int:
        """The attempts that count: not those for which the platform refused the login."""
        return self.row.attempts - self.row.held_attempts

    @property
    @abstractmethod
    def log_ids(self) -> dict[str, Any]:
        """The ids that log events have."""

    @abstractmethod
    def rows(self) -> QuerySet[Row]:
        """Select the row while the results of this claim apply to it."""

    @abstractmethod
    def confirm(self) -> None:
        """Verify everything once more and renew the lease, right before the request is written. Raises ClaimLost."""

    @abstractmethod
    def record(self, answer: Answer) -> None:
        """Store the platform's answer to an accepted request."""

    @abstractmethod
    def set_aside(self, reason: str) -> None:
        """Queue it again after a failure on our side or of a proxy, which a user has to fix."""

    @abstractmethod
    def end(self, status: Message.Status, reason: str, error_code: int | None) -> None:
        """Give it this final status."""

    def renew(self) -> None:
        """Renew the lease and set the sender: from now on, the request may have been written. Raises ClaimLost."""
        if not lease.renew(self.rows().filter(self.is_sending), self.account.lease, sender=self.account.sender):
            raise ClaimLost("another worker claimed it")

    def split(self, reason: str) -> bool:
        """Queue it again in two halves. Return False if it has only one message, without any change."""
        return False

    @insisting
    def put_back(self, waits_for: WaitsFor | Literal[""], reason: str, due_at: datetime | None) -> None:
        """Queue it again. Only a RETRY counts as an attempt, and one that would come too late ends it."""
        if waits_for == WaitsFor.RETRY and due_at and is_too_late(self.row, due_at):
            self.end(Message.Status.EXPIRED, describe_lateness(reason)[:TEXT_LIMIT], None)
        else:
            self._queue(waits_for, reason, due_at)

    @insisting
    def wait_for_release(self, reason: str, due_at: datetime, releases: int) -> None:
        """Queue it again after the login was refused. ``releases`` is the number of releases of the account so far."""
        self._queue(WaitsFor.ACCOUNT, reason, due_at, releases_seen=releases)

    @insisting
    def release(self, only: Q) -> None:
        """Queue it again after its worker has stopped before the request."""
        self._queue("", "", None, only & lease.NOTHING_WRITTEN)

    def release_if_lost(self, connection: Any) -> None:
        """Release it if this connection of the driver has broken off: the claim may be committed, for one lease."""
        if is_lost(connection):
            self.release(ALWAYS)

    def _queue(self, waits_for: str, reason: str, due_at: datetime | None, only: Q = ALWAYS, **values: Any) -> bool:
        """Queue it again and set ``values``. Return False if the claim was lost."""
        again = {
            "due_at": before_deadline(self.row, due_at),
            "error_text": reason,
            "held_attempts": F("held_attempts") + int(waits_for != WaitsFor.RETRY),
            # Of the doubt about an earlier request, if there was one: this one was not sent.
            "doubted_at": self.row.doubted_at,
        }
        return self._write_queued(waits_for, {**RELEASED, **again, **values}, only)

    @abstractmethod
    def _write_queued(self, waits_for: str, values: Mapping[str, Any], only: Q) -> bool:
        """Queue the row with these values. Return False if the claim was lost."""

    @insisting
    def mark_unconfirmed(
        self,
        reason: str,
        query_at: datetime,
        only: Q = ALWAYS,
        *,
        logged: str,
        error_code: int | None = None,
        **same: Any,
    ) -> None:
        """Record that the outcome is unknown. The platform's reports are first queried at ``query_at``.

        ``logged`` is the reason for the log, without what the platform wrote. ``same`` are the columns to keep where
        the doubt about an earlier request goes on.
        """
        known = {"error_text": reason, "error_code": error_code, "due_at": query_at, "lease_until": None}
        if self._write_unconfirmed({**self._begin_doubt(), **same}, known, only):
            logger.warning(
                "Outcome unknown for %s: %s",
                self,
                logged,
                extra={"event": LogEvent.OUTCOME_UNKNOWN, **self.log_ids},
            )

    def _begin_doubt(self) -> dict[str, Any]:
        """Return the columns of a doubt about this request, with the sender by which it was sent."""
        sender = self.row.sender or self.account.sender
        return {**begin_doubt(self.account, start_of(self.row)), "sender": sender}

    @abstractmethod
    def _write_unconfirmed(self, doubt: Mapping[str, Any], known: Mapping[str, Any], only: Q) -> bool:
        """Mark the row as unconfirmed. Return False if it was already, or the claim was lost."""


def begin_doubt(account: Account, start_time: datetime | None) -> dict[str, Any]:
    """Return the columns of a doubt that begins now. Call it after the connection was closed.

    "Not found" counts after NOT_FOUND_GRACE. The platform may not process a message before its start time, so the grace
    begins no earlier.
    """
    now = database_time()
    grace = timedelta(seconds=account.not_found_grace)
    return {**NO_QUERIES, "doubted_at": now, "not_found_after": max(now, start_time or now) + grace}

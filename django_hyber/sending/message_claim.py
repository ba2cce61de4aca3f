"""The claim of a single message: what its worker may do with it, and the results for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from django_hyber.announce import Change, announce_changes, announcing
from django_hyber.db import lease
from django_hyber.db.clock import NOW, awaited_time, database_time
from django_hyber.db.transactions import insisting
from django_hyber.models import TEXT_LIMIT, AccountState, Message
from django_hyber.policies.allowed_numbers import has_opted_out
from django_hyber.reports.early import apply_waiting_reports
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE, FAILURES, WITHHELD
from django_hyber.sending.claim import RELEASED, SAME_ID, UNREPORTED, Claim, ClaimLost
from django_hyber.sending.pace import retries
from django_hyber.sending.pace.deadline import describe_lateness, is_too_late

Status = Message.Status
#: As a sweep and a query move a message meanwhile: it is not missed between two updates.
IN_ORDER = (Status.SENDING, Status.UNCONFIRMED, Status.QUEUED)


class MessageClaim(Claim[Message, str]):
    """A single message that this worker has claimed."""

    host = AccountState.Host.SINGLE
    is_sending = Q(status=Status.SENDING)

    def __str__(self) -> str:
        return f"message {self.row.extra_id}"

    @property
    def log_ids(self) -> dict[str, Any]:
        """The ids that log events have."""
        return {"extra_id": self.row.extra_id, "account": self.account.name}

    def rows(self) -> QuerySet[Message]:
        """Select the message, unless another worker has claimed it or a report has advanced its status."""
        return self._held().filter(status__in=BEFORE_ACCEPTANCE)

    def _of_this_run(self) -> QuerySet[Message]:
        # Each run has a new extra id, so a late answer to an earlier run matches nothing.
        return Message.objects.filter(pk=self.row.pk, extra_id=self.row.extra_id)

    def _held(self) -> QuerySet[Message]:
        return lease.held(self._of_this_run(), self.row.pk, self.row.attempts)

    def confirm(self) -> None:
        """Renew the lease right before the request is written. Raises ClaimLost if it must not be written now."""
        if is_too_late(self.row):
            raise ClaimLost("its TTL is over")
        if has_opted_out(self.account, self.row):
            raise ClaimLost("its recipient has opted out")
        self.renew()

    @insisting
    def record(self, answer: str) -> None:
        """Store the platform's id. If a report arrived before the answer, the message keeps its newer status.

        The platform has the message, even if another worker has claimed it since: that one writes nothing more, and the
        failure of a second request was none. An id that another message has is of an answer to another request, so the
        outcome is unknown.
        """
        others = Message.objects.filter(account=self.account.name, message_id=answer).exclude(pk=self.row.pk)
        if others.exists():
            self.mark_unconfirmed(SAME_ID, database_time(), logged=SAME_ID)
            return
        known: dict[str, Any] = {"message_id": answer, "accepted_at": NOW, **RELEASED}
        accepted = {"error_code": None, "error_text": "", "finished_at": None, **known}
        unreported = self._of_this_run().filter(UNREPORTED)
        if not self._move(unreported, Status.ACCEPTED, accepted, changing=(*IN_ORDER, *WITHHELD, *FAILURES)):
            self._of_this_run().update(**known)
        apply_waiting_reports(self.account, [answer])

    def set_aside(self, reason: str) -> None:
        """Queue the message again with a growing delay, until a user has fixed the cause."""
        self.put_back("", reason, retries.next_attempt(self.account, self.row.attempts, awaited_time()))

    @insisting
    def end(self, status: Message.Status, reason: str, error_code: int | None) -> None:
        """Give the message its final status."""
        ended = {"error_code": error_code, "error_text": reason, "finished_at": timezone.now()}
        self._move(self._held(), status, {**RELEASED, **ended})

    def _write_queued(self, _waits_for: str, values: Mapping[str, Any], only: Q) -> bool:
        return self._move(self._held().filter(only), Status.QUEUED, values)

    def _write_unconfirmed(self, doubt: Mapping[str, Any], known: Mapping[str, Any], only: Q) -> bool:
        return self._move(self._held().filter(only), Status.UNCONFIRMED, {**doubt, **known})

    def _move(
        self,
        rows: QuerySet[Message],
        status: Message.Status,
        values: Mapping[str, object],
        changing: Collection[Message.Status] = IN_ORDER,
    ) -> bool:
        """Give the message this status and announce it. Return False if the claim was lost or a report came first."""
        for old in changing:
            with announcing():
                if rows.filter(status=old).update(status=status, **values):
                    if status != old:
                        announce_changes([Change(self.row.pk, old, status)])
                    return True
        return False


def end_late(waiting: QuerySet[Message], message: Message) -> None:
    """Let a message expire that is too late to be claimed."""
    reason = describe_lateness(message.error_text)[:TEXT_LIMIT]
    ended = {"error_text": reason, "finished_at": timezone.now(), "due_at": None, "enqueued_at": None}
    with announcing():
        if waiting.update(status=Status.EXPIRED, **ended):
            announce_changes([Change(message.pk, Status.QUEUED, Status.EXPIRED)])

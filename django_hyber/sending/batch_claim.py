"""The claim of a batch: what its worker may do with it, and the results for it and for its messages."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.announce import Change, announce_changes, announce_notice, store_changes
from django_hyber.conf import Account
from django_hyber.db import lease
from django_hyber.db.transactions import (
    database_time,
    insisting,
    lock,
    lock_shared,
    lock_unread,
    write_transaction,
)
from django_hyber.log_events import LogEvent
from django_hyber.models import AccountState, Announcement, Batch, Campaign, Message
from django_hyber.reports.early import apply_waiting_or_leave
from django_hyber.sending.batch_messages import (
    NOTHING,
    BatchAnswer,
    accept_all,
    have_opted_out,
    record_entries,
    was_accepted,
)
from django_hyber.sending.earlier_ends import give_back_ends
from django_hyber.sending.exchange import ClaimLost, begin_doubt

logger = logging.getLogger("django_hyber")
State = Batch.State
Status = Message.Status
WaitsFor = Batch.WaitsFor
RELEASED = {"lease_until": None, "doubted_at": None, "not_found_after": None, "due_at": None, "waits_for": ""}
ALWAYS = Q()
ACCEPTED_SINCE = gettext_noop("A report has shown since that the request had been accepted.")


@dataclass(frozen=True, kw_only=True)
class BatchClaim:
    """A batch that this worker has claimed. No other worker may send it until the lease ends."""

    batch: Batch
    account: Account
    #: The stored events about those who are left out. Receivers may be slow, so they are called after the request.
    left_out: list[str] = field(default_factory=list)

    @property
    def attempt(self) -> int:
        """The number of this claim of the batch; each claim has its own."""
        return self.batch.attempts

    @property
    def log_ids(self) -> dict[str, Any]:
        """The ids that log events have."""
        return {"batch_id": self.batch.pk, "campaign_id": self.batch.campaign_id, "account": self.account.name}

    @property
    def host(self) -> AccountState.Host:
        """The platform has a separate host for campaigns."""
        return AccountState.Host.BULK

    @property
    def counted_attempts(self) -> int:
        """The attempts that count: not those for which the platform refused the login."""
        return self.batch.attempts - self.batch.held_attempts

    @property
    def releases_seen(self) -> int | None:
        """The number of releases of the account when the login was last refused for it, or None if it never was."""
        return self.batch.releases_seen

    def rows(self) -> QuerySet[Batch]:
        """Select the batch, unless another worker has claimed it since."""
        batches = lease.held(Batch.objects.all(), self.batch.pk, self.attempt)
        return batches.filter(state__in=(State.SENDING, State.UNCONFIRMED))

    def confirm(self) -> None:
        """Renew the lease right before the request is written. Raises ClaimLost if it must not be written now.

        Waits for a transaction that is stopping the campaign, and such a transaction waits for this one. After it, the
        batch counts as being sent.
        """
        pk, since = self.batch.pk, (self.batch.lease_until or database_time()) - timedelta(seconds=self.account.lease)
        with write_transaction():
            if not lock_shared(Campaign.objects.filter(pk=self.batch.campaign_id, status=Campaign.Status.SENDING)):
                raise ClaimLost(f"Batch {pk} was not sent: the campaign was stopped")
            if have_opted_out(self.batch.messages(), since):
                raise ClaimLost(f"Batch {pk} was not sent: a recipient has opted out since it was claimed")
            if self.batch.doubted_at and was_accepted(self.batch):
                raise ClaimLost(f"Batch {pk} was not sent: an earlier request was accepted")
            ours = self.rows().filter(state=State.SENDING)
            if not lease.renew(ours, self.account.lease, sender=self.account.sender):
                raise ClaimLost(f"Batch {pk} was not sent: another worker claimed it")

    def leave_out(self, waiting: QuerySet[Message], reason: str) -> None:
        """Suppress queued messages for this reason, or give those that were retried their former end.

        Raises ClaimLost if another worker may be sending them.
        """
        with write_transaction():
            if not lock_shared(self.rows().filter(state=State.SENDING)):
                raise ClaimLost(f"Batch {self.batch.pk} was not sent: another worker claimed it")
            pks = lock(waiting)
            ended = {change.pk: change for change in give_back_ends(self.batch.campaign, pks)}
            waiting.update(status=Status.SUPPRESSED, error_text=reason, finished_at=timezone.now())
            keys = store_changes([ended.get(pk) or Change(pk, Status.QUEUED, Status.SUPPRESSED) for pk in pks])
        self.left_out.extend(keys)

    @insisting
    def end_empty(self) -> None:
        """End a batch with nobody left to send to. A sweep may have taken its worker for a stopped one meanwhile."""
        with write_transaction():
            if lock_shared(self.rows().filter(state=State.SENDING)):
                self.finish(State.DONE, cost=None)
            else:
                self.put_back("", "", None)

    @insisting
    def record(self, answer: BatchAnswer) -> None:
        """Mark the batch as done and record the platform's answer for each message."""
        with write_transaction():
            is_ours = self.finish(State.DONE, job_id=answer.job_id)
            lock_unread(self.batch.messages())
            outgoing = answer.outgoing
            if not is_ours:
                logger.warning(
                    "Batch %s was claimed by another worker before its answer arrived",
                    self.batch.pk,
                    extra={"event": LogEvent.CLAIM_LOST, **self.log_ids},
                )
                # A message with a new id belongs to another run; this answer does not apply to it.
                current = dict(self.batch.messages().values_list("pk", "extra_id"))
                outgoing = [item for item in outgoing if current.get(item.pk) == item.recipient.extra_id]
            if answer.entries is None:
                accept_all(outgoing)
            else:
                record_entries(outgoing, answer.entries, self._begin_doubt())
        if answer.entries:
            apply_waiting_or_leave(self.account, [entry.message_id for entry in answer.entries if entry.message_id])

    @insisting
    def put_back(self, waits_for: Batch.WaitsFor | Literal[""], reason: str, due_at: datetime | None) -> None:
        """Queue the batch again, and its messages too if a sweep has marked them as unconfirmed."""
        self._queue(reason, waits_for=waits_for, due_at=due_at)

    @insisting
    def release(self, only: Q) -> None:
        """Queue the batch again after its worker has stopped before a request."""
        self._queue("", waits_for="", only=only & lease.NOTHING_WRITTEN)

    @insisting
    def wait_for_release(self, reason: str, due_at: datetime, releases: int) -> None:
        """Queue the batch again after the login was refused."""
        self._queue(reason, waits_for=WaitsFor.ACCOUNT, due_at=due_at, releases_seen=releases)

    def _queue(self, reason: str, *, waits_for: Batch.WaitsFor | Literal[""], only: Q = ALWAYS, **values: Any) -> None:
        held = F("held_attempts") + int(waits_for != WaitsFor.RETRY)
        # Of the doubt about an earlier request, if there was one: this one was not sent.
        doubted_at = self.batch.doubted_at
        changes = RELEASED | {"waits_for": waits_for, "held_attempts": held, "error_text": reason, **values}
        with write_transaction():
            if self.rows().filter(only).update(state=State.PENDING, **changes | {"doubted_at": doubted_at}):
                self._move(Status.UNCONFIRMED, Status.QUEUED, error_text="", doubted_at=doubted_at)

    @insisting
    def set_aside(self, reason: str) -> None:
        """Pause the campaign until a user resumes it.

        One transaction covers both updates: a batch queued in a running campaign would be sent again at once.
        """
        with write_transaction():
            self.put_back("", reason, None)
            campaigns = Campaign.objects.filter(pk=self.batch.campaign_id, status=Campaign.Status.SENDING)
            if campaigns.update(status=Campaign.Status.PAUSED, status_reason=reason):
                announce_notice(self.batch.campaign_id, Announcement.Notice.PAUSED)

    @insisting
    def split(self, reason: str) -> bool:
        """Queue the batch again as two halves. Return False if it has only one message, without any change."""
        waiting = self.batch.messages().filter(status__in=(Status.QUEUED, Status.UNCONFIRMED))
        with write_transaction():
            doubted = {"doubted_at": self.batch.doubted_at}
            changes = RELEASED | doubted | {"held_attempts": F("held_attempts") + 1, "error_text": reason}
            pks = list(waiting.order_by("pk").values_list("pk", flat=True))
            half = len(pks) // 2
            if not half:
                return False
            if not self.rows().update(**changes):
                return True
            self._move(Status.UNCONFIRMED, Status.QUEUED, error_text="", **doubted)
            batch, middle = self.batch, pks[half]
            self.rows().update(state=State.PENDING, last_id=middle - 1, size=half)
            Batch.objects.create(
                campaign_id=batch.campaign_id,
                run=batch.run,
                first_id=middle,
                last_id=batch.last_id,
                size=len(pks) - half,
                zone=batch.zone,
                phone_prefixes=batch.phone_prefixes,
                error_text=reason,
                cut_from=batch.cut_from or batch.pk,
                proofs_seen=batch.proofs_seen,
                is_job=batch.is_job,
                **doubted,
            )
        logger.warning(
            "Batch %s is too large for the platform and was split into two",
            batch.pk,
            extra={"event": LogEvent.BATCH_SPLIT, **self.log_ids},
        )
        return True

    @insisting
    def end(self, status: Message.Status, reason: str, error_code: int | None) -> None:
        """Mark the batch as failed and give its messages the final status."""
        with write_transaction():
            if not self.finish(State.FAILED, error_code=error_code, error_text=reason):
                return
            changes = {
                "error_text": reason,
                "error_code": error_code,
                "finished_at": timezone.now(),
                "doubted_at": None,
            }
            for old in (Status.QUEUED, Status.UNCONFIRMED):
                self._move(old, status, **changes)

    def doubt_again(self) -> None:
        """Record that the outcome of the earlier request is unknown after all: a report says that it was accepted."""
        pending = Q(state=State.PENDING)
        # Of the unconfirmed request: the account may have another client by now, with which attempts have failed.
        sender = self.batch.messages().filter(status=Status.QUEUED).values_list("sender", flat=True).first()
        same = {"doubted_at": self.batch.doubted_at, **({"sender": sender} if sender else {})}
        self.mark_unconfirmed(ACCEPTED_SINCE, database_time(), pending, logged=ACCEPTED_SINCE, same=same)

    @insisting
    def mark_unconfirmed(
        self,
        reason: str,
        query_at: datetime,
        only: Q = ALWAYS,
        *,
        logged: str,
        error_code: int | None = None,
        same: Mapping[str, Any] = NOTHING,
    ) -> None:
        """Record that the outcome is unknown: it is decided by the platform's reports, queried from ``query_at``.

        ``same`` is what stays of the doubt about an earlier request that goes on.
        """
        begun = {**self._begin_doubt(), **same}
        known = {
            "error_text": reason,
            "error_code": error_code,
            "due_at": query_at,
            "enqueued_at": None,
            "lease_until": None,
            "waits_for": "",
        }
        batch = lease.held(Batch.objects.all(), self.batch.pk, self.attempt).filter(only)
        with write_transaction():
            # A sweep has already marked it: the doubt continues, and the grace starts at the end of the connection.
            again = {name: value for name, value in begun.items() if name != "doubted_at"}
            if batch.filter(state=State.UNCONFIRMED).update(**again, **known):
                return
            # A "not found" may have queued the batch again in the meantime; that does not matter unless it was claimed.
            doubted = batch.filter(state__in=(State.PENDING, State.SENDING))
            if not doubted.update(state=State.UNCONFIRMED, **begun, **known):
                return
            self._move(Status.QUEUED, Status.UNCONFIRMED, error_text=reason, **begun | {"not_found_after": None})
        logger.warning(
            "Outcome unknown for batch %s: %s",
            self.batch.pk,
            logged,
            extra={"event": LogEvent.OUTCOME_UNKNOWN, **self.log_ids},
        )

    def _begin_doubt(self) -> dict[str, Any]:
        begun = begin_doubt(self.account, self.batch.campaign.start_time)
        return {**begun, "sender": self.batch.sender or self.account.sender}

    def finish(self, state: Batch.State, **values: object) -> bool:
        """End the batch without changing its messages. Return False if another worker has claimed it."""
        changes = {"error_text": "", "finished_at": timezone.now(), **RELEASED, **values}
        return bool(self.rows().update(state=state, **changes))

    def _move(self, old: Status, new: Status, **values: object) -> None:
        waiting = self.batch.messages().filter(status=old)
        pks = lock(waiting)
        waiting.update(status=new, **values)
        announce_changes([Change(pk, old, new) for pk in pks])

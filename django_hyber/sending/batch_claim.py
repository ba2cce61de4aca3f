"""The claim of a batch: what its worker may do with it, and the results for it and for its messages."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.announce import Change, announce_changes, announce_notice, store_changes
from django_hyber.db import lease
from django_hyber.db.clock import NOW, database_time
from django_hyber.db.transactions import insisting, lock, lock_shared, lock_unread, write_transaction
from django_hyber.log_events import LogEvent
from django_hyber.models import TEXT_LIMIT, AccountState, Announcement, Batch, Campaign, Message
from django_hyber.reports.acceptance import Doubted, note_proof
from django_hyber.reports.early import apply_waiting_or_leave
from django_hyber.reports.intake import chunks
from django_hyber.reports.ranks import FAILURES
from django_hyber.sending.batch_messages import (
    NO_DOUBT,
    BatchAnswer,
    accept_all,
    have_opted_out,
    record_entries,
    refusal_of_all,
    was_accepted,
    was_accepted_before,
)
from django_hyber.sending.claim import RELEASED, UNREPORTED, Claim, ClaimLost
from django_hyber.sending.corrections.earlier_ends import give_back_ends

logger = logging.getLogger("django_hyber")
State = Batch.State
Status = Message.Status
ENDED = {**RELEASED, "doubted_at": None, "waits_for": ""}
ACCEPTED_SINCE = gettext_noop("A report has shown since that the request had been accepted.")


@dataclass(frozen=True, kw_only=True)
class BatchClaim(Claim[Batch, BatchAnswer]):
    """A batch that this worker has claimed."""

    host = AccountState.Host.BULK
    is_sending = Q(state=State.SENDING)

    #: The stored events about those who are left out. Receivers may be slow, so they are called after the request.
    left_out: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"batch {self.row.pk}"

    @property
    def log_ids(self) -> dict[str, Any]:
        """The ids that log events have."""
        return {"batch_id": self.row.pk, "campaign_id": self.row.campaign_id, "account": self.account.name}

    def rows(self) -> QuerySet[Batch]:
        """Select the batch, unless another worker has claimed it since."""
        batches = lease.held(Batch.objects.all(), self.row.pk, self.row.attempts)
        return batches.filter(state__in=(State.SENDING, State.UNCONFIRMED))

    def confirm(self) -> None:
        """Renew the lease right before the request is written. Raises ClaimLost if it must not be written now.

        Waits for a transaction that is stopping the campaign, and such a transaction waits for this one. After it, the
        batch counts as being sent.
        """
        since = (self.row.lease_until or database_time()) - timedelta(seconds=self.account.lease)
        with write_transaction():
            if not lock_shared(Campaign.objects.filter(pk=self.row.campaign_id, status=Campaign.Status.SENDING)):
                raise ClaimLost("the campaign was stopped")
            if have_opted_out(self.row.messages(), since):
                raise ClaimLost("a recipient has opted out since it was claimed")
            if was_accepted_before(self.row, self.row.attempts - 1):
                raise ClaimLost("an earlier request was accepted")
            self.renew()

    def leave_out(self, waiting: QuerySet[Message], reason: str) -> None:
        """Suppress queued messages for this reason, or give those that were retried their former end.

        Raises ClaimLost if another worker may be sending them.
        """
        with write_transaction():
            if not lock_shared(self.rows().filter(self.is_sending)):
                raise ClaimLost("another worker claimed it")
            pks = lock(waiting)
            ended = {change.pk: change for change in give_back_ends(self.row.campaign, pks)}
            waiting.update(status=Status.SUPPRESSED, error_text=reason, finished_at=timezone.now())
            keys = store_changes([ended.get(pk) or Change(pk, Status.QUEUED, Status.SUPPRESSED) for pk in pks])
        self.left_out.extend(keys)

    @insisting
    def end_empty(self) -> None:
        """End a batch with nobody left to send to. A sweep may have taken its worker for a stopped one meanwhile."""
        with write_transaction():
            if lock_shared(self.rows().filter(self.is_sending)):
                self.finish(State.DONE, cost=None)
            else:
                self.put_back("", "", None)

    @insisting
    def record(self, answer: BatchAnswer) -> None:
        """Mark the batch as done and record the platform's answer for each message.

        If a repeated request is rejected for all of them, the doubt about the earlier one is kept, as ``end`` does.
        """
        doubt = {"doubted_at": self.row.doubted_at}
        refusal = refusal_of_all(answer) if self.row.doubted_at else None
        with write_transaction():
            if refusal:
                known = {"error_code": refusal.error_code, "error_text": refusal.error_text[:TEXT_LIMIT]}
                is_ours = self.finish(State.FAILED, failed_as=Status.REJECTED, **known, **doubt)
            else:
                is_ours = self.finish(State.DONE, job_id=answer.job_id)
            lock_unread(self.row.messages())
            outgoing = answer.outgoing
            if not is_ours:
                logger.warning(
                    "Batch %s was claimed by another worker before its answer arrived",
                    self.row.pk,
                    extra={"event": LogEvent.CLAIM_LOST, **self.log_ids},
                )
                # A message with a new id belongs to another run; this answer does not apply to it.
                current = dict(self.row.messages().values_list("pk", "extra_id"))
                outgoing = [item for item in outgoing if current.get(item.pk) == item.recipient.extra_id]
            if answer.entries is None:
                accept_all(outgoing)
                accepted: Collection[int] = {item.pk for item in outgoing}
            else:
                of_rejected = {**NO_DOUBT, **doubt} if refusal else NO_DOUBT
                accepted = record_entries(outgoing, answer.entries, self._begin_doubt(), of_rejected)
            if not is_ours:
                self._note_accepted(accepted)
        if answer.entries:
            apply_waiting_or_leave(self.account, [entry.message_id for entry in answer.entries if entry.message_id])

    def _note_accepted(self, accepted: Collection[int]) -> None:
        """Note that the platform has these messages, for those of them that have failed with a later request."""
        failed = self.row.messages().filter(UNREPORTED, status__in=FAILURES, doubted_at__isnull=False).order_by("pk")
        rows = failed.values_list("pk", "phone_number", "doubted_at")
        doubted = [Doubted(self.row.campaign_id, *row) for row in rows]
        for chunk in chunks([message for message in doubted if message.pk in accepted]):
            note_proof(chunk)

    def _write_queued(self, waits_for: str, values: Mapping[str, Any], only: Q) -> bool:
        """Queue the batch, and its messages too if a sweep has marked them as unconfirmed."""
        with write_transaction():
            if not self.rows().filter(only).update(state=State.PENDING, waits_for=waits_for, **values):
                return False
            self._move(Status.UNCONFIRMED, Status.QUEUED, error_text="", doubted_at=self.row.doubted_at)
            return True

    @insisting
    def set_aside(self, reason: str) -> None:
        """Pause the campaign until a user resumes it.

        One transaction covers both updates: a batch queued in a running campaign would be sent again at once.
        """
        with write_transaction():
            self.put_back("", reason, None)
            campaigns = Campaign.objects.filter(pk=self.row.campaign_id, status=Campaign.Status.SENDING)
            if campaigns.update(status=Campaign.Status.PAUSED, status_reason=reason):
                announce_notice(self.row.campaign_id, Announcement.Notice.PAUSED)

    @insisting
    def split(self, reason: str) -> bool:
        """Queue the batch again as two halves. Return False if it has only one message, without any change."""
        waiting = self.row.messages().filter(status__in=(Status.QUEUED, Status.UNCONFIRMED))
        with write_transaction():
            pks = list(waiting.order_by("pk").values_list("pk", flat=True))
            half = len(pks) // 2
            if not half:
                return False
            batch, middle = self.row, pks[half]
            if not self._queue("", reason, None, last_id=middle - 1, size=half):
                return True
            Batch.objects.create(
                campaign_id=batch.campaign_id,
                run=batch.run,
                first_id=middle,
                last_id=batch.last_id,
                size=len(pks) - half,
                zone=batch.zone,
                phone_prefixes=batch.phone_prefixes,
                error_text=reason,
                # A request that was only too large was not accepted: a report about one half proves nothing about the
                # other.
                cut_from=batch.cut_from or (batch.pk if batch.doubted_at else None),
                proofs_seen=batch.proofs_seen,
                is_job=batch.is_job,
                doubted_at=batch.doubted_at,
                # Its messages were in these requests, none of which counts.
                attempts=batch.attempts,
                held_attempts=batch.attempts,
            )
        logger.warning(
            "Batch %s is too large for the platform and was split into two",
            batch.pk,
            extra={"event": LogEvent.BATCH_SPLIT, **self.log_ids},
        )
        return True

    @insisting
    def end(self, status: Message.Status, reason: str, error_code: int | None) -> None:
        """Mark the batch as failed and give its messages the final status.

        It can be doubted: a report may still prove that this request, or an unconfirmed one before it, was accepted.
        """
        doubt = {"doubted_at": self.row.doubted_at or database_time()}
        # Only this client finds the messages, if they are queried. Those of an earlier doubt have the client of that.
        sender = {} if self.row.doubted_at else {"sender": self.account.sender}
        with write_transaction():
            if not self.finish(State.FAILED, error_code=error_code, error_text=reason, failed_as=status, **doubt):
                return
            if was_accepted(self.row):
                # The report was quicker than this answer, and had nothing to prove then.
                Batch.objects.filter(pk=self.row.cut_from or self.row.pk).update(proofs=F("proofs") + 1, proved_at=NOW)
            changes = {
                "error_text": reason,
                "error_code": error_code,
                "finished_at": timezone.now(),
                **doubt,
                **sender,
            }
            for old in (Status.QUEUED, Status.UNCONFIRMED):
                self._move(old, status, **changes)

    def doubt_again(self) -> None:
        """Record that the outcome of the earlier request is unknown after all: a report says that it was accepted."""
        pending = Q(state=State.PENDING)
        # Of the unconfirmed request: the account may have another client by now, with which attempts have failed.
        sender = self.row.messages().filter(status=Status.QUEUED).values_list("sender", flat=True).first()
        # A request that the platform seemed to put off had no doubt.
        same: dict[str, Any] = {
            name: value for name, value in (("doubted_at", self.row.doubted_at), ("sender", sender)) if value
        }
        self.mark_unconfirmed(ACCEPTED_SINCE, database_time(), pending, logged=ACCEPTED_SINCE, **same)

    def _write_unconfirmed(self, doubt: Mapping[str, Any], known: Mapping[str, Any], only: Q) -> bool:
        known = {**known, "enqueued_at": None, "waits_for": ""}
        batch = lease.held(Batch.objects.all(), self.row.pk, self.row.attempts).filter(only)
        with write_transaction():
            # A sweep has already marked it: the doubt continues, and the grace starts at the end of the connection.
            again = {name: value for name, value in doubt.items() if name != "doubted_at"}
            if batch.filter(state=State.UNCONFIRMED).update(**again, **known):
                return False
            # A "not found" may have queued the batch again in the meantime; that does not matter unless it was claimed.
            doubted = batch.filter(state__in=(State.PENDING, State.SENDING))
            if not doubted.update(state=State.UNCONFIRMED, **doubt, **known):
                return False
            for_each = {**doubt, "not_found_after": None, "error_text": known["error_text"]}
            self._move(Status.QUEUED, Status.UNCONFIRMED, **for_each)
            return True

    def finish(self, state: Batch.State, **values: object) -> bool:
        """End the batch without changing its messages. Return False if another worker has claimed it."""
        changes = {"error_text": "", "finished_at": NOW, **ENDED, **values}
        return bool(self.rows().update(state=state, **changes))

    def _move(self, old: Status, new: Status, **values: object) -> None:
        waiting = self.row.messages().filter(status=old)
        pks = lock(waiting)
        waiting.update(status=new, **values)
        announce_changes([Change(pk, old, new) for pk in pks])

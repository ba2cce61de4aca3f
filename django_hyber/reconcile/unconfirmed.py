"""Resolving unknown outcomes by querying the platform's reports.

After the answer to a large request was lost, tens of thousands of messages may have to be queried. Only a few queries
are enqueued at a time, and each one enqueues the next as a new task. Workers can therefore send one-time codes between
two queries, and a platform that does not answer receives only a few queries.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from django.db.models import F, Max, Q, QuerySet
from django.utils.translation import gettext_noop

from django_hyber.conf import Account
from django_hyber.db import lease
from django_hyber.db.apart import apart
from django_hyber.db.clock import NOW, database_time
from django_hyber.db.transactions import insisting
from django_hyber.models import ANSWER_LIMIT, LONE, Batch, Message
from django_hyber.queueing import ENQUEUED_FOR, due_to_enqueue, enqueue, enqueue_row, mark_first, one_after_another
from django_hyber.reconcile import endings, outcome_queries
from django_hyber.reconcile.proof import (
    SAMPLE,
    Answer,
    Evidence,
    Proof,
    QueryResult,
    after_query,
    after_round,
    is_round_complete,
    next_query_at,
    parts_grace,
)
from django_hyber.sending.batch_claim import BatchClaim
from django_hyber.sending.batch_messages import was_accepted
from django_hyber.sending.claim import Claim, Row
from django_hyber.sending.exchange import stand_in, working_account
from django_hyber.sending.message_claim import MessageClaim
from django_hyber.sending.pace.pauses import Host, paused_accounts, paused_until
from django_hyber.sending.runs import settle

Status = Message.Status
State = Batch.State
LEASE_ENDED = gettext_noop("The worker that was sending it has stopped.")
WITHOUT_ACCOUNT = gettext_noop(
    "The worker that was sending it has stopped, and the settings of its account are missing or invalid."
)
#: How many queries may be enqueued at a time.
MAX_ENQUEUED = 4
#: How many queries may follow one enqueued by a sweep. If the backend runs tasks immediately, the sweep waits for them.
MAX_FOLLOWING = 250
#: How many messages of a batch are queried before "not found" counts. A single one that is found is proof.
EARLY_SAMPLE = 3
#: How many additional messages may be queried in place of those without an answer.
SPARES = 5
#: A message with this many unanswered queries in a row can be left out of the sample.
MAX_UNANSWERED = 3
#: Seconds after which the queries about a batch continue in a new task, so that other tasks can run.
TURN_SECONDS = 1.0
#: Answers that depend only on the controls or the account, so every other message would get the same.
CONTROLS_FAILED = (Answer.NO_CONTROL, Answer.NOT_EVEN_KNOWN, Answer.OTHER_CLIENT)


class _Sampled(enum.Enum):
    """The result of querying a sample of a batch."""

    FOUND = enum.auto()
    #: The time of the task was used up; the rest can be queried immediately.
    IN_PART = enum.auto()
    ENOUGH = enum.auto()


class Member(NamedTuple):
    """A message of an unconfirmed batch, with the results of its queries."""

    pk: int
    extra_id: str
    unanswered_queries: int
    queried_at: datetime | None
    answer: str


def recover_expired_leases() -> None:
    """Queue again what stopped workers have claimed, or mark it as unconfirmed if the platform may have accepted it."""
    now = database_time()
    left = Q(lease.has_ended(), status=Status.SENDING)
    for message in list(Message.objects.filter(left)):
        _recover(MessageClaim, message, message.account, left, now)
    left = Q(lease.has_ended(), state=State.SENDING)
    for batch in list(Batch.objects.filter(left).select_related("campaign")):
        _recover(BatchClaim, batch, batch.campaign.account, left, now)


def _recover(claim_of: type[Claim[Row, Any]], row: Row, account_name: str, left: Q, now: datetime) -> None:
    account = working_account(account_name)
    # An account may be removed before its last request has ended. A person can then decide about it.
    reason = LEASE_ENDED if account else WITHOUT_ACCOUNT
    claim = claim_of(row=row, account=account or stand_in(account_name))
    with apart(**claim.log_ids):
        claim.release(left)
        claim.mark_unconfirmed(reason, now, left, logged=reason)


def query_in_turn(pk: int, following: int) -> None:
    """Query the outcome of a message, then enqueue the query of the next one."""
    one_after_another("queries", (pk, following), lambda item: _query_and_enqueue_next(*item))


def _query_and_enqueue_next(pk: int, following: int) -> None:
    resolve_message(pk)
    next_pk = take_next(after=pk) if following else None
    if next_pk:
        enqueue("resolve_message", next_pk, following - 1)


def query_batch(pk: int) -> None:
    """Query the outcome of a batch for up to TURN_SECONDS, and enqueue the rest of its queries."""
    one_after_another("unconfirmed batches", pk, _query_batch_and_enqueue_rest)


def _query_batch_and_enqueue_rest(pk: int) -> None:
    if resolve_batch(pk):
        enqueue("resolve_batch", pk)


def enqueue_queries() -> int:
    """Enqueue queries of single messages up to MAX_ENQUEUED and return their number."""
    pk, count = 0, 0
    for _ in range(count_free_slots()):
        found = take_next(after=pk)
        if not found:
            break
        enqueue_row("resolve_message", Message.objects.all(), found, MAX_FOLLOWING)
        pk, count = found, count + 1
    return count


@insisting
def take_next(after: int = 0) -> int | None:
    """Mark the next message to query as enqueued and return its primary key."""
    due = Message.objects.filter(LONE, due_to_enqueue(Status.UNCONFIRMED, "status"), pk__gt=after)
    due = due.exclude(account__in=paused_accounts(Host.REPORTS))
    return mark_first(due.order_by("pk"), Message.objects.filter(LONE))


def count_free_slots() -> int:
    """Return how many more queries may be enqueued."""
    enqueued = Message.objects.filter(LONE, enqueued_at__gt=NOW - ENQUEUED_FOR)
    return max(0, MAX_ENQUEUED - enqueued.count())


def due_batches() -> QuerySet[Batch]:
    """Return the unconfirmed batches whose query is due."""
    due = Batch.objects.filter(due_to_enqueue(State.UNCONFIRMED))
    return due.exclude(campaign__account__in=paused_accounts(Host.REPORTS))


def resolve_message(pk: int) -> None:
    """Query the outcome of a message that is not part of an unconfirmed batch.

    Does nothing if the query is not due or another worker claimed it.
    """
    message = Message.objects.filter(LONE, pk=pk).first()
    account = working_account(message.account) if message else None
    if message is None or account is None:
        return
    # If the message has been sent again in the meantime, a late answer does not apply to it.
    doubted = Message.objects.filter(
        LONE, pk=pk, extra_id=message.extra_id, attempts=message.attempts, doubted_at=message.doubted_at
    )
    queried_at = database_time()
    if not outcome_queries.claim_outcome_query(doubted, account, message, queried_at):
        return
    answer, result = outcome_queries.query_outcome(
        account, message.extra_id, message.sender, queried_at, in_campaign=message.campaign_id is not None
    )
    if answer is None:
        endings.end_message_as_accepted(doubted)
        _note_found(message, account)
    else:
        evidence = _read_evidence(message, account)
        if answer is Answer.NOT_FOUND and queried_at >= evidence.round_begins:
            evidence = _postponed_for_request(evidence, message, account)
        proof, evidence = after_query(evidence, answer, queried_at)
        _write(
            doubted,
            **_query_columns(answer, result, queried_at),
            not_found_after=evidence.not_found_after,
            not_found_at=evidence.not_found_at,
            due_at=next_query_at(evidence, account.ask_every, queried_at),
        )
        if proof is Proof.NOT_ACCEPTED:
            endings.end_message_as_not_accepted(doubted, message)
    if message.campaign_id:
        settle(message.campaign_id)


def resolve_batch(pk: int) -> bool:
    """Query the outcome of an unconfirmed batch by a sample of its messages.

    The platform accepts a request as a whole or not at all. Within an accepted request it may still reject messages,
    so each message is then queried separately, unless its report arrives first. Returns whether more queries can be
    sent immediately, in a new task.
    """
    batch = Batch.objects.filter(pk=pk, state=State.UNCONFIRMED).select_related("campaign").first()
    account = working_account(batch.campaign.account) if batch else None
    if batch is None or account is None:
        return False
    # If the batch has been sent again in the meantime, a late answer does not apply to it.
    doubted = Batch.objects.filter(
        pk=pk,
        state=State.UNCONFIRMED,
        attempts=batch.attempts,
        doubted_at=batch.doubted_at,
        not_found_after=batch.not_found_after,
    )
    queried_at = database_time()
    if not outcome_queries.claim_outcome_query(doubted, account, batch, queried_at):
        return False
    has_more = _BatchInDoubt(batch, account, doubted).query(queried_at)
    settle(batch.campaign_id)
    return has_more


@dataclass(frozen=True)
class _BatchInDoubt:
    """An unconfirmed batch, as read by the worker that claimed its query.

    ``doubted`` selects the batch while this doubt lasts.
    """

    batch: Batch
    account: Account
    doubted: QuerySet[Batch]

    def query(self, queried_at: datetime) -> bool:
        """Query some of its messages, then act on all answers so far. Return whether to continue immediately."""
        evidence = _read_evidence(self.batch, self.account)
        sampled = _Sampled.FOUND if was_accepted(self.batch) else self._query_sample(evidence, queried_at)
        if sampled is _Sampled.FOUND:
            until = database_time() + _parts_grace(self.batch, self.account)
            endings.resolve_separately(self.doubted, self.batch, self.account, until)
            return False
        if sampled is _Sampled.IN_PART:
            return bool(_write(self.doubted, due_at=None, enqueued_at=NOW))
        members = self._members()
        others = [member for member in members if not _was_not_found(member, evidence)]
        proof = Proof.NOTHING
        if is_round_complete(len(members) - len(others), len(members)):
            proof, evidence = after_round(evidence, database_time())
        elif all(member.unanswered_queries >= MAX_UNANSWERED for member in others):
            # Too few messages get an answer for a complete sample. The others can still be resolved separately.
            endings.resolve_separately(self.doubted, self.batch, self.account)
            return False
        due_at = next_query_at(evidence, self.account.ask_every, queried_at)
        _write(self.doubted, not_found_at=evidence.not_found_at, due_at=due_at)
        if proof is Proof.NOT_ACCEPTED:
            endings.end_batch_as_not_accepted(self.doubted, self.batch)
        return False

    def _query_sample(self, evidence: Evidence, queried_at: datetime) -> _Sampled:
        """Query until a message is found, enough are not found, or the next query would have the same result."""
        members = self._members()
        needed = EARLY_SAMPLE
        if queried_at >= evidence.round_begins:
            needed = min(SAMPLE, len(members)) - sum(_was_not_found(member, evidence) for member in members)
        begun = time.monotonic()
        for member in _sample(members, evidence, needed + SPARES):
            now = database_time()
            answer, result = outcome_queries.query_outcome(
                self.account, member.extra_id, self.batch.sender, now, in_campaign=True
            )
            if answer is None:
                return _Sampled.FOUND
            _write(self.doubted, **_query_columns(answer, result, now))
            self._record(member, evidence, answer, result, now)
            needed -= answer is not Answer.NO_ANSWER
            if needed <= 0 or answer in CONTROLS_FAILED or paused_until(self.account.name, Host.REPORTS, now):
                break
            if time.monotonic() - begun > TURN_SECONDS:
                return _Sampled.IN_PART
        return _Sampled.ENOUGH

    def _record(
        self, member: Member, evidence: Evidence, answer: Answer, result: QueryResult, queried_at: datetime
    ) -> None:
        queried = endings.in_doubt(self.batch).filter(pk=member.pk, extra_id=member.extra_id)
        _write(queried, **_query_columns(answer, result, queried_at))
        if answer is Answer.NOT_FOUND and queried_at >= evidence.not_found_after:
            _write(queried.filter(not_found_at=None), not_found_at=queried_at)

    def _members(self) -> list[Member]:
        rows = endings.in_doubt(self.batch).order_by("pk").values_list(*Member._fields)
        return [Member._make(row) for row in rows]


@insisting
def _write(rows: QuerySet[Batch] | QuerySet[Message], **values: Any) -> int:
    return rows.update(**values)


def _read_evidence(row: Message | Batch, account: Account) -> Evidence:
    grace = timedelta(seconds=account.not_found_grace)
    # An unconfirmed batch or message always has ``not_found_after``.
    not_found_after = row.not_found_after or database_time() + grace
    return Evidence(
        since=row.doubted_at or not_found_after - grace,
        not_found_after=not_found_after,
        grace=grace,
        not_found_at=row.not_found_at,
    )


def _query_columns(answer: Answer, result: QueryResult, queried_at: datetime) -> dict[str, object]:
    is_unanswered = answer is Answer.NO_ANSWER and not result.is_not_found
    return {
        "queried_at": queried_at,
        "queries": F("queries") + 1,
        "unanswered_queries": F("unanswered_queries") + 1 if is_unanswered else 0,
        "answer": answer,
        "answer_text": result.text[:ANSWER_LIMIT],
    }


def _was_not_found(member: Member, evidence: Evidence) -> bool:
    """Whether the message was "not found" in this round."""
    is_in_round = member.queried_at is not None and member.queried_at >= evidence.round_begins
    return is_in_round and member.answer == Answer.NOT_FOUND


def _sample(members: Sequence[Member], evidence: Evidence, count: int) -> Iterator[Member]:
    """Yield messages spread over the batch. Those with few unanswered queries come first, then those never queried."""

    def rank(member: Member) -> tuple[int, bool]:
        return member.unanswered_queries, member.queried_at is not None

    waiting = sorted((member for member in members if not _was_not_found(member, evidence)), key=rank)
    for _rank, group in groupby(waiting, key=rank):
        equal = list(group)
        chosen = equal[:: max(1, len(equal) // count)][:count] if count > 0 else []
        yield from chosen
        count -= len(chosen)


def _postponed_for_request(evidence: Evidence, message: Message, account: Account) -> Evidence:
    """Postpone the time from which "not found" counts while the platform may still be processing the request."""
    batch = endings.request_in_doubt(message)
    if batch is None:
        return evidence
    counts_from = max(filter(None, (batch.not_found_after, evidence.not_found_after)))
    if counts_from <= database_time():
        # Messages that were sent again in the meantime are no longer part of this doubt.
        of_the_request = batch.messages().filter(doubted_at=batch.doubted_at)
        latest = of_the_request.aggregate(latest=Max("accepted_at"))["latest"]
        # By the clock of the host that has applied the report, and by that of the database.
        found = max(filter(None, (latest, batch.proved_at)), default=None)
        counts_from = max(counts_from, found + _parts_grace(batch, account)) if found else counts_from
    is_still_first = evidence.not_found_at is not None and evidence.not_found_at >= counts_from
    return replace(
        evidence, not_found_after=counts_from, not_found_at=evidence.not_found_at if is_still_first else None
    )


def _note_found(message: Message, account: Account) -> None:
    """Record that a message of the request was found: the platform may still be processing the others."""
    batch = endings.request_in_doubt(message)
    if batch:
        later = database_time() + _parts_grace(batch, account)
        _write(Batch.objects.filter(pk=batch.pk, state=State.DONE), not_found_after=later)


def _parts_grace(batch: Batch, account: Account) -> timedelta:
    return parts_grace(timedelta(seconds=account.not_found_grace), is_job=batch.is_job)

"""The unknown outcome: the platform is asked for its own report, and nothing is guessed.

There may be ten thousands of messages to ask about, after the answer to a large request was lost. A few questions are
under way at once, and each, when it is answered, gives the next one to a task of its own: a one-time code gets its turn
between two questions, and a platform that does not answer is asked a few things and not all of them.
"""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.conf import Account, find_account
from django_hyber.db import clock, lease
from django_hyber.models import LONE, Batch, Message
from django_hyber.queueing import nudge
from django_hyber.reconcile import asking, endings
from django_hyber.reconcile.proof import (
    SAMPLE,
    Answer,
    Doubt,
    Proof,
    Reply,
    after_question,
    after_round,
    ask_again_at,
    is_round_complete,
    parts_grace,
)
from django_hyber.sending import lanes
from django_hyber.sending.batch import BatchClaim
from django_hyber.sending.runs import settle
from django_hyber.sending.single import MessageClaim

logger = logging.getLogger("django_hyber")
Status = Message.Status
State = Batch.State
LEASE_ENDED = gettext_noop("The worker that was sending it has stopped.")
#: How many questions may wait for a worker.
AT_ONCE = 4
#: How many may follow one that a sweep has enqueued. Where tasks run at once, the sweep has other things to do as well.
IN_A_ROW = 250
#: How many messages of a batch are asked about while "not found" would not count yet: any one that is found will do.
EARLY_SAMPLE = 3
#: How many more than needed may be asked about at once, in place of those about which no answer comes.
SPARE = 5
#: After so many questions without an answer, another message of the batch is asked about instead.
FAILING = 3
#: Seconds after which the questions about a batch let other work have its turn.
TURN = 1.0
#: What the controls show, and what every other message would be answered with as well.
NO_BETTER = (Answer.NO_CONTROL, Answer.NOT_EVEN_KNOWN)


class _Sampled(enum.Enum):
    """How the questions about a sample of a batch have ended."""

    FOUND = enum.auto()
    #: The turn was over, and more can be asked at once.
    IN_PART = enum.auto()
    ENOUGH = enum.auto()


class Member(NamedTuple):
    """A message of a batch in doubt."""

    pk: int
    extra_id: str
    unanswered: int
    asked_at: datetime | None
    answer: str


def recover_expired_leases() -> None:
    """Put what stopped workers were sending among the unconfirmed: it may be with the platform already."""
    now = timezone.now()
    has_ended = lease.has_ended()
    messages = Message.objects.filter(has_ended, status=Status.SENDING)
    for message in list(messages):
        account = _account(message.account)
        if account:
            is_left = Q(has_ended, status=Status.SENDING)
            MessageClaim(message=message, account=account).mark_unconfirmed(LEASE_ENDED, now, only=is_left)
    left = Batch.objects.filter(has_ended, state=State.SENDING)
    for batch in list(left.select_related("campaign")):
        account = _account(batch.campaign.account)
        if account:
            is_left = Q(has_ended, state=State.SENDING)
            BatchClaim(batch=batch, account=account).mark_unconfirmed(LEASE_ENDED, now, only=is_left)


def ask_in_turn(pk: int, following: int, enqueue: Callable[[int, int], object]) -> None:
    """Ask about a message and, once that is answered, enqueue the question about the next one."""
    lanes.one_after_another("questions", (pk, following), lambda item: _ask_and_go_on(*item, enqueue))


def _ask_and_go_on(pk: int, following: int, enqueue: Callable[[int, int], object]) -> None:
    resolve_message(pk)
    next_pk = take_next(after=pk) if following else None
    if next_pk:
        enqueue(next_pk, following - 1)


def ask_about_batch(pk: int, enqueue: Callable[[int], object]) -> None:
    """Ask about a batch for a moment, and enqueue the rest of the questions."""
    lanes.one_after_another("batches in doubt", pk, lambda pk: resolve_batch(pk) and enqueue(pk))


def fill_questions() -> int:
    """Enqueue as many questions as may wait for a worker, and return how many were enqueued."""
    pk, count = 0, 0
    for _ in range(count_room()):
        found = take_next(after=pk)
        if not found:
            break
        nudge("resolve_message", Message.objects.all(), found, IN_A_ROW)
        pk, count = found, count + 1
    return count


def take_next(after: int = 0) -> int | None:
    """Mark the next message to ask about as enqueued and return its primary key."""
    due = Message.objects.filter(LONE, lanes.due(Status.UNCONFIRMED, "status"), pk__gt=after)
    return lanes.mark_first(due.exclude(account__in=asking.silent_accounts()), Message.objects.filter(LONE))


def count_room() -> int:
    """Return how many more questions may be enqueued."""
    since = timezone.now() - lanes.ENQUEUED_FOR
    return max(0, AT_ONCE - Message.objects.filter(LONE, enqueued_at__gt=since).count())


def due_batches() -> QuerySet[Batch]:
    """Return the batches that are to be asked about now."""
    due = Batch.objects.filter(lanes.due(State.UNCONFIRMED))
    return due.exclude(campaign__account__in=asking.silent_accounts())


def resolve_message(pk: int) -> None:
    """Ask about one message that is in doubt by itself; do nothing when it is not due or another worker asks."""
    message = Message.objects.filter(LONE, pk=pk).first()
    account = _account(message.account) if message else None
    if message is None or account is None:
        return
    # An answer may come so late that the message has been sent again meanwhile: it is not about that.
    doubted = Message.objects.filter(
        LONE, pk=pk, extra_id=message.extra_id, attempts=message.attempts, doubted_at=message.doubted_at
    )
    asked_at = clock.now()
    if not asking.take_turn_of(doubted, account, message, asked_at):
        return
    answer, reply = asking.ask(account, message.extra_id, asked_at)
    if answer is None:
        endings.end_message_as_taken(doubted)
        _note_known(message, account)
    else:
        doubt = _doubt_about(message, account)
        if answer is Answer.NOT_FOUND and asked_at >= doubt.round_begins:
            doubt = _with_its_request(doubt, message, account)
        proof, doubt = after_question(doubt, answer, asked_at)
        doubted.update(
            **_noted(answer, reply, asked_at),
            not_found_after=doubt.not_found_after,
            not_found_at=doubt.not_found_at,
            due_at=ask_again_at(doubt, account.ask_every, asked_at),
        )
        if proof is Proof.NOT_TAKEN:
            endings.end_message_as_not_taken(doubted, message)
    if message.campaign_id:
        settle(message.campaign_id)


def resolve_batch(pk: int) -> bool:
    """Ask about an unconfirmed batch by a sample of its messages: the platform reads a request whole or not at all.

    When it has read it, some messages may still have been refused, so each is asked about, unless its report is first.
    Returns whether there is more to ask at once: other work gets its turn in between.
    """
    batch = Batch.objects.filter(pk=pk, state=State.UNCONFIRMED).select_related("campaign").first()
    account = _account(batch.campaign.account) if batch else None
    if batch is None or account is None:
        return False
    # An answer may come so late that the batch has been sent again meanwhile: it is not about that.
    doubted = Batch.objects.filter(
        pk=pk,
        state=State.UNCONFIRMED,
        attempts=batch.attempts,
        doubted_at=batch.doubted_at,
        not_found_after=batch.not_found_after,
    )
    asked_at = clock.now()
    if not asking.take_turn_of(doubted, account, batch, asked_at):
        return False
    goes_on = _BatchInDoubt(batch, account, doubted).ask(asked_at)
    settle(batch.campaign_id)
    return goes_on


@dataclass(frozen=True)
class _BatchInDoubt:
    """A batch in doubt, as it was read by the one worker that asks about it now.

    ``doubted`` selects it as long as this doubt goes on.
    """

    batch: Batch
    account: Account
    doubted: QuerySet[Batch]

    def ask(self, asked_at: datetime) -> bool:
        """Ask about some of its messages, do what follows from all answers up to now, and return whether to go on."""
        doubt = _doubt_about(self.batch, self.account)
        sampled = _Sampled.FOUND if endings.was_taken(self.batch) else self._ask_about_sample(doubt, asked_at)
        if sampled is _Sampled.FOUND:
            until = clock.now() + _parts_grace(self.batch, self.account)
            endings.leave_to_messages(self.doubted, self.batch, self.account, until)
            return False
        if sampled is _Sampled.IN_PART:
            return bool(self.doubted.update(due_at=None, enqueued_at=timezone.now()))
        members = self._members()
        others = [member for member in members if not _is_shown(member, doubt)]
        proof = Proof.NOTHING
        if is_round_complete(len(members) - len(others), len(members)):
            proof, doubt = after_round(doubt, clock.now())
        elif all(member.unanswered >= FAILING for member in others):
            # Too few can be asked about for a sample. Those that are not found can still be proved one by one.
            endings.leave_to_messages(self.doubted, self.batch, self.account)
            return False
        due_at = ask_again_at(doubt, self.account.ask_every, asked_at)
        self.doubted.update(not_found_at=doubt.not_found_at, due_at=due_at)
        if proof is Proof.NOT_TAKEN:
            endings.end_batch_as_not_taken(self.doubted, self.batch)
        return False

    def _ask_about_sample(self, doubt: Doubt, asked_at: datetime) -> _Sampled:
        """Ask until enough messages were not found, one of them was, or the next question would fare no better."""
        members = self._members()
        needed = EARLY_SAMPLE
        if asked_at >= doubt.round_begins:
            needed = min(SAMPLE, len(members)) - sum(_is_shown(member, doubt) for member in members)
        begun = time.monotonic()
        for member in _sample(members, doubt, needed + SPARE):
            now = clock.now()
            answer, reply = asking.ask(self.account, member.extra_id, now)
            if answer is None:
                return _Sampled.FOUND
            self.doubted.update(**_noted(answer, reply, now))
            self._note(member, doubt, answer, reply, now)
            needed -= answer is not Answer.NO_ANSWER
            if needed <= 0 or answer in NO_BETTER or asking.silent_until(self.account.name, now):
                break
            if time.monotonic() - begun > TURN:
                return _Sampled.IN_PART
        return _Sampled.ENOUGH

    def _note(self, member: Member, doubt: Doubt, answer: Answer, reply: Reply, asked_at: datetime) -> None:
        asked = endings.in_doubt(self.batch).filter(pk=member.pk, extra_id=member.extra_id)
        asked.update(**_noted(answer, reply, asked_at))
        if answer is Answer.NOT_FOUND and asked_at >= doubt.not_found_after:
            asked.filter(not_found_at=None).update(not_found_at=asked_at)

    def _members(self) -> list[Member]:
        rows = endings.in_doubt(self.batch).order_by("pk").values_list(*Member._fields)
        return [Member._make(row) for row in rows]


def _doubt_about(row: Message | Batch, account: Account) -> Doubt:
    grace = timedelta(seconds=account.not_found_grace)
    # What is in doubt always has the time from which "not found" counts.
    not_found_after = row.not_found_after or clock.now() + grace
    return Doubt(
        since=row.doubted_at or not_found_after - grace,
        not_found_after=not_found_after,
        grace=grace,
        not_found_at=row.not_found_at,
    )


def _noted(answer: Answer, reply: Reply, asked_at: datetime) -> dict[str, object]:
    is_silent = answer is Answer.NO_ANSWER and not reply.is_not_found
    return {
        "asked_at": asked_at,
        "questions": F("questions") + 1,
        "unanswered": F("unanswered") + 1 if is_silent else 0,
        "answer": answer,
        "answer_text": reply.text[: asking.TEXT_LIMIT],
    }


def _is_shown(member: Member, doubt: Doubt) -> bool:
    """Say whether the message was "not found" in this round."""
    is_in_round = member.asked_at is not None and member.asked_at >= doubt.round_begins
    return is_in_round and member.answer == Answer.NOT_FOUND


def _sample(members: Sequence[Member], doubt: Doubt, count: int) -> Iterator[Member]:
    """Yield messages from all over the batch, first those with the fewest questions without an answer, then the new."""

    def standing(member: Member) -> tuple[int, bool]:
        return member.unanswered, member.asked_at is not None

    waiting = sorted((member for member in members if not _is_shown(member, doubt)), key=standing)
    for _standing, group in groupby(waiting, key=standing):
        alike = list(group)
        chosen = alike[:: max(1, len(alike) // count)][:count] if count > 0 else []
        yield from chosen
        count -= len(chosen)


def _with_its_request(doubt: Doubt, message: Message, account: Account) -> Doubt:
    """Let "not found" count later while the platform works off the request that the message was in."""
    batch = _lost_batch(message)
    if batch is None:
        return doubt
    counts_from = max(filter(None, (batch.not_found_after, doubt.not_found_after)))
    if counts_from <= clock.now():
        # Those that were sent again meanwhile are not of this doubt any more.
        of_the_request = endings.messages_of(batch).filter(doubted_at=batch.doubted_at)
        latest = of_the_request.aggregate(latest=Max("accepted_at"))["latest"]
        counts_from = max(counts_from, latest + _parts_grace(batch, account)) if latest else counts_from
    is_still_first = doubt.not_found_at is not None and doubt.not_found_at >= counts_from
    return replace(doubt, not_found_after=counts_from, not_found_at=doubt.not_found_at if is_still_first else None)


def _note_known(message: Message, account: Account) -> None:
    """Another message of a request became known: the platform still works it off."""
    batch = _lost_batch(message)
    if batch:
        later = clock.now() + _parts_grace(batch, account)
        Batch.objects.filter(pk=batch.pk, state=State.DONE).update(not_found_after=later)


def _parts_grace(batch: Batch, account: Account) -> timedelta:
    return parts_grace(timedelta(seconds=account.not_found_grace), is_job=batch.size > account.sync_limit)


def _lost_batch(message: Message) -> Batch | None:
    """Return the batch that the message was in when its answer was lost, if it was in one."""
    if message.campaign_id is None or message.doubted_at is None:
        return None
    return Batch.objects.filter(
        campaign=message.campaign_id,
        first_id__lte=message.pk,
        last_id__gte=message.pk,
        state=State.DONE,
        doubted_at=message.doubted_at,
    ).first()


def _account(name: str) -> Account | None:
    """Return the account, or None for one whose settings are missing or wrong: others must not wait for it."""
    account = find_account(name)
    if account is None:
        logger.error("Work of the account %s waits: its settings are missing or wrong", name)
    return account

"""What proves that the platform did or did not accept a request. The functions here send no query and write nothing.

The platform's answer about an unknown id is not documented. A wrong URL answers "not found" about every id, and a slow
platform about messages that it has just accepted. A "not found" therefore counts only if two control queries confirm
it. Two of them, a grace apart, are proof.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django_hyber.models.doubt import DoubtModel

Answer = DoubtModel.Answer
#: How many messages of a batch must be "not found" before the batch counts as not accepted. A few could all have been
#: rejected within an accepted request.
SAMPLE = 20
#: A platform that processes a request in parts may not have reached a message that is "not found". Such an answer
#: counts only after this many graces have passed since the last message of the request was found. The status of a job
#: does not say whether the job is finished. A synchronous request is processed faster: its sender waits for the answer.
JOB_GRACES, SYNC_GRACES = 30, 5
#: The interval between two queries is the age of the doubt divided by AGE_DIVISOR: at least ASK_EVERY, and at most
#: MAX_FACTOR times ASK_EVERY.
AGE_DIVISOR, MAX_FACTOR = 10, 20


class Known(enum.StrEnum):
    """The platform's answer about a message that it has certainly accepted."""

    FOUND = "found"
    NOT_FOUND = "not-found"
    NO_ANSWER = "no-answer"
    #: There is no such message yet.
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class QueryResult:
    """The answer to one query. ``text`` is the HTTP status and error code of a "not found", or the error."""

    is_found: bool = False
    is_not_found: bool = False
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Controls:
    """The answers to the two control queries: about an id that was never used, and about an accepted message."""

    unknown: str
    known: Known


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evidence about a message or batch with an unknown outcome.

    "Not found" counts from ``not_found_after``. ``not_found_at`` is the time of the first one that counted.
    """

    since: datetime
    not_found_after: datetime
    grace: timedelta
    not_found_at: datetime | None = None

    @property
    def round_begins(self) -> datetime:
        """The time from which a "not found" counts for the current round. There are two rounds."""
        return self.not_found_after if self.not_found_at is None else self.not_found_at + self.grace


class Proof(enum.Enum):
    """What has been proved."""

    NOTHING = enum.auto()
    NOT_ACCEPTED = enum.auto()


def judge(result: QueryResult, controls: Controls) -> Answer:
    """Return NOT_FOUND if the controls confirm the "not found", or otherwise the reason why they do not."""
    if not result.is_not_found or not controls.unknown or controls.known is Known.NO_ANSWER:
        return Answer.NO_ANSWER
    if result.text != controls.unknown:
        return Answer.UNLIKE_UNKNOWN
    if controls.known is Known.NONE:
        return Answer.NO_CONTROL
    return Answer.NOT_FOUND if controls.known is Known.FOUND else Answer.NOT_EVEN_KNOWN


def after_query(evidence: Evidence, answer: Answer, queried_at: datetime) -> tuple[Proof, Evidence]:
    """Return what a query about a single message has proved, and the updated evidence."""
    if answer is not Answer.NOT_FOUND or queried_at < evidence.round_begins:
        return Proof.NOTHING, evidence
    return after_round(evidence, queried_at)


def after_round(evidence: Evidence, ended_at: datetime) -> tuple[Proof, Evidence]:
    """Return what a round in which every answer was "not found" has proved, and the updated evidence."""
    if evidence.not_found_at is not None:
        return Proof.NOT_ACCEPTED, evidence
    return Proof.NOTHING, replace(evidence, not_found_at=ended_at)


def is_round_complete(not_found: int, in_doubt: int) -> bool:
    """Whether enough messages of a batch were "not found" in this round."""
    return not_found >= min(SAMPLE, in_doubt) > 0


def parts_grace(grace: timedelta, *, is_job: bool) -> timedelta:
    """Return how long, after one message of a request was found, a "not found" about the others does not count."""
    return (JOB_GRACES if is_job else SYNC_GRACES) * grace


def is_rejection(error_code: int | None, not_taken_code: int | None) -> bool:
    """Whether a request that was not accepted was rejected: the one before it ended with the same error code."""
    return error_code is not None and error_code == not_taken_code


def query_interval(ask_every: float, age: timedelta) -> timedelta:
    """Return the interval between two queries. It grows with the age of the doubt."""
    least = timedelta(seconds=ask_every)
    return min(max(least, age / AGE_DIVISOR), MAX_FACTOR * least)


def next_query_at(evidence: Evidence, ask_every: float, queried_at: datetime) -> datetime:
    """Return when the next query is due: after the interval, or at the start of the next round if that is earlier."""
    later = queried_at + query_interval(ask_every, queried_at - evidence.since)
    return min(later, evidence.round_begins) if evidence.round_begins > queried_at else later

"""What counts as proof that the platform has something, or has not. Nothing here asks or writes: it only decides.

How the platform answers about an id that it does not know is documented nowhere. A wrong address answers "not found"
about everything, and a slow platform about what it took a minute ago. So "not found" is believed only beside two
controls, and only twice.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django_hyber.models.doubt import DoubtModel

Answer = DoubtModel.Answer
#: How many messages of a batch must be unknown to the platform before the batch counts as not taken. A few alone could
#: all have been refused inside a request that was taken.
SAMPLE = 20
#: While the platform works a request off in parts, "not found" proves nothing: not until so many graces after the last
#: of its messages became known. The status of a job does not say whether the job is done. A synchronous request is
#: worked off while its sender waits, and a little longer.
JOB_GRACES, SYNC_GRACES = 30, 5
#: The time between two questions is such a part of the age of the doubt, from ASK_EVERY up to so many times of it.
RARER, LONGEST_PAUSE = 10, 20


class Known(enum.StrEnum):
    """What the platform answers about a message that it surely has."""

    FOUND = "found"
    NOT_FOUND = "not-found"
    NO_ANSWER = "no-answer"
    #: There is no such message yet.
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer. ``text`` is what can be compared of a "not found", or else what went wrong."""

    is_found: bool = False
    is_not_found: bool = False
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Controls:
    """What the platform answers at the same time about an id that was never used, and about a known message."""

    unknown: str
    known: Known


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """What is known about a message or a batch. "Not found" counts from ``not_found_after`` on.

    ``not_found_at`` is when it was believed for the first time.
    """

    since: datetime
    not_found_after: datetime
    grace: timedelta
    not_found_at: datetime | None = None

    @property
    def round_begins(self) -> datetime:
        """Return from when on a question counts: for the first round, or for the second one."""
        return self.not_found_after if self.not_found_at is None else self.not_found_at + self.grace


class Proof(enum.Enum):
    """What has been proved."""

    NOTHING = enum.auto()
    TAKEN = enum.auto()
    NOT_TAKEN = enum.auto()


def judge(reply: Reply, controls: Controls) -> Answer:
    """Say whether a "not found" is believed, and if not, why."""
    if not reply.is_not_found or not controls.unknown or controls.known is Known.NO_ANSWER:
        return Answer.NO_ANSWER
    if reply.text != controls.unknown:
        return Answer.UNLIKE_UNKNOWN
    if controls.known is Known.NONE:
        return Answer.NO_CONTROL
    return Answer.NOT_FOUND if controls.known is Known.FOUND else Answer.NOT_EVEN_KNOWN


def after_question(doubt: Doubt, answer: Answer, asked_at: datetime) -> tuple[Proof, Doubt]:
    """Return what a question about a single message has proved, and what is known after it."""
    if answer is not Answer.NOT_FOUND or asked_at < doubt.round_begins:
        return Proof.NOTHING, doubt
    return after_round(doubt, asked_at)


def after_round(doubt: Doubt, ended_at: datetime) -> tuple[Proof, Doubt]:
    """Return what a round has proved in which everything was "not found"."""
    if doubt.not_found_at is not None:
        return Proof.NOT_TAKEN, doubt
    return Proof.NOTHING, replace(doubt, not_found_at=ended_at)


def is_round_complete(not_found: int, in_doubt: int) -> bool:
    """Say whether enough messages of a batch were "not found" in this round."""
    return not_found >= min(SAMPLE, in_doubt) > 0


def parts_grace(grace: timedelta, *, is_job: bool) -> timedelta:
    """Return how long silence about the other messages of a request proves nothing after one became known."""
    return (JOB_GRACES if is_job else SYNC_GRACES) * grace


def is_refusal(error_code: int | None, not_taken_code: int | None) -> bool:
    """Say whether a request that was not taken was refused: the one before it ended with the same error code."""
    return error_code is not None and error_code == not_taken_code


def pause(ask_every: float, age: timedelta) -> timedelta:
    """Return the time between two questions, which grows with the age of the doubt."""
    least = timedelta(seconds=ask_every)
    return min(max(least, age / RARER), LONGEST_PAUSE * least)


def ask_again_at(doubt: Doubt, ask_every: float, asked_at: datetime) -> datetime:
    """Return when the next question is due: at the beginning of the next round, if that is earlier."""
    later = asked_at + pause(ask_every, asked_at - doubt.since)
    return min(later, doubt.round_begins) if doubt.round_begins > asked_at else later

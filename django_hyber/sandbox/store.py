"""The messages that were taken, in columns: a million of them must fit into the memory of a laptop.

Messages of one request that share an outcome form a group, and all of a group goes through its steps together,
so that a message itself is a row of four columns and nothing else.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import uuid4

from django_hyber.sandbox.outcomes import Outcome
from django_hyber.sandbox.plans import Fact, Step
from django_hyber.sandbox.validation import Order, Recipient


@dataclass(slots=True, eq=False, kw_only=True)
class Group:
    """`times` says what happened so far and when, in epoch milliseconds."""

    order: Order
    outcome: Outcome
    begins_at: float
    steps: tuple[Step, ...] = ()
    rows: list[int] = field(default_factory=list)
    times: dict[Fact, int] = field(default_factory=dict)

    def record(self, fact: Fact, now: float) -> None:
        """Note that a fact happened; later facts always get later times."""
        earliest = max(self.times.values(), default=0) + 1
        # A new dict, because answers read the old one in other threads.
        self.times = {**self.times, fact: max(int(now * 1000), earliest)}

    @property
    def result(self) -> Fact | None:
        """The final fact so far: a later one (seen) stands over an earlier one (delivered)."""
        return max((fact for fact in self.times if fact.final), key=self.times.__getitem__, default=None)


class Message(NamedTuple):
    """One row, read."""

    message_id: str
    phone: str
    extra_id: str | None
    sms_parts: int
    group: Group


@dataclass(frozen=True, kw_only=True)
class Job:
    """What `/status/{job_id}` tells about."""

    rows: range
    refused: list[dict[str, object]]


class MessageStore:
    """Rows are found by message id (which holds the row number), extra id (the latest one) or job id."""

    def __init__(self) -> None:
        self._prefix = f"{str(uuid4())[:14]}5{str(uuid4())[15:24]}"
        self._phones = array("Q")
        self._extra_ids: list[str | None] = []
        self._sms_parts = bytearray()
        self._groups: list[Group] = []
        self._by_extra_id: dict[str, int] = {}
        self.jobs: dict[str, Job] = {}
        self.duplicates: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def distinct(self) -> int:
        """How many different extra ids were taken."""
        return len(self._by_extra_id)

    def add(self, recipients: Sequence[Recipient], groups: Iterable[Group]) -> range:
        """Take recipients, each with its group, and return their rows."""
        first = len(self)
        rows = range(first, first + len(recipients))
        for row, recipient, group in zip(rows, recipients, groups, strict=True):
            group.rows.append(row)
            self._groups.append(group)
            if recipient.extra_id is not None:
                self._index(recipient.extra_id, row)
        self._phones.extend([recipient.phone for recipient in recipients])
        self._extra_ids.extend([recipient.extra_id for recipient in recipients])
        self._sms_parts.extend([recipient.sms_parts for recipient in recipients])
        return rows

    def add_job(self, rows: range, refused: list[dict[str, object]]) -> str:
        """Remember a mass request and return its job id."""
        job_id = str(uuid4())
        self.jobs[job_id] = Job(rows=rows, refused=refused)
        return job_id

    def read(self, row: int) -> Message:
        """Read one row."""
        return Message(
            f"{self._prefix}{row:012x}",
            str(self._phones[row]),
            self._extra_ids[row],
            self._sms_parts[row],
            self._groups[row],
        )

    def by_message_id(self, message_id: str) -> Message | None:
        """Find a message by the id it was answered with."""
        prefix, number = message_id[:24], message_id[24:]
        try:
            row = int(number, 16)
        except ValueError:
            return None
        found = prefix == self._prefix and len(number) == 12 and 0 <= row < len(self)  # noqa: PLR2004 - a UUID's node
        return self.read(row) if found else None

    def by_extra_id(self, extra_id: str) -> Message | None:
        """Find the latest message with this extra id."""
        row = self._by_extra_id.get(extra_id)
        return None if row is None else self.read(row)

    def _index(self, extra_id: str, row: int) -> None:
        if extra_id in self._by_extra_id:
            self.duplicates[extra_id] = self.duplicates.get(extra_id, 1) + 1
        self._by_extra_id[extra_id] = row

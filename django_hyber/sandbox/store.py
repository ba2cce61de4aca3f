"""The accepted messages, stored in columns, so that a million of them fit into the memory of a laptop.

Messages of one request with the same outcome form a group. The steps belong to the group, so a message is only a row of
four columns.
"""

import heapq
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import Condition, Thread
from typing import Final, NamedTuple
from uuid import uuid4

from django_hyber.sandbox.number_outcomes import Fact, NumberOutcome, Step
from django_hyber.sandbox.orders import Order, ValidRecipient


@dataclass(slots=True, eq=False, kw_only=True)
class MessageGroup:
    """Messages with a common outcome. `times` has the facts so far, with their epoch milliseconds.

    Until `visible_at`, in epoch seconds, GETs answer as for unknown ids. With `fails`, they answer with an error.
    """

    order: Order
    outcome: NumberOutcome
    begins_at: float
    visible_at: float = 0.0
    fails: bool = False
    steps: tuple[Step, ...] = ()
    rows: list[int] = field(default_factory=list)
    times: dict[Fact, int] = field(default_factory=dict)

    def record(self, fact: Fact, now: float) -> None:
        """Record the time of a fact. Later facts always get later times."""
        earliest = max(self.times.values(), default=0) + 1
        # A new dict, because other threads may be reading the old one.
        self.times = {**self.times, fact: max(int(now * 1000), earliest)}

    @property
    def result(self) -> Fact | None:
        """The latest final fact: "seen" replaces "delivered"."""
        return max((fact for fact in self.times if fact.final), key=self.times.__getitem__, default=None)


class StoredMessage(NamedTuple):
    """A message, as read from the columns."""

    message_id: str
    phone: str
    extra_id: str | None
    sms_parts: int
    group: MessageGroup


@dataclass(frozen=True, kw_only=True)
class JobMessages:
    """The messages listed by `/status/{job_id}`."""

    rows: range
    refused: list[dict[str, object]]


class MessageStore:
    """Finds rows by message id (which contains the row number), extra id (the latest row) or job id."""

    def __init__(self) -> None:
        self._prefix = f"{str(uuid4())[:14]}5{str(uuid4())[15:24]}"
        self._phones = array("Q")
        self._extra_ids: list[str | None] = []
        self._sms_parts = bytearray()
        self._groups: list[MessageGroup] = []
        self._by_extra_id: dict[str, int] = {}
        self.jobs: dict[str, JobMessages] = {}
        self.duplicates: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def distinct(self) -> int:
        """The number of different extra ids."""
        return len(self._by_extra_id)

    def add(self, recipients: Sequence[ValidRecipient], groups: Iterable[MessageGroup]) -> range:
        """Add recipients with their groups, and return their rows."""
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
        """Add a mass request, and return its job id."""
        job_id = str(uuid4())
        self.jobs[job_id] = JobMessages(rows=rows, refused=refused)
        return job_id

    def read(self, row: int) -> StoredMessage:
        """Read one row."""
        return StoredMessage(
            f"{self._prefix}{row:012x}",
            str(self._phones[row]),
            self._extra_ids[row],
            self._sms_parts[row],
            self._groups[row],
        )

    def by_message_id(self, message_id: str) -> StoredMessage | None:
        """Find a message by its message id."""
        prefix, number = message_id[:24], message_id[24:]
        try:
            row = int(number, 16)
        except ValueError:
            return None
        found = prefix == self._prefix and len(number) == 12 and 0 <= row < len(self)  # noqa: PLR2004 - a UUID's node
        return self.read(row) if found else None

    def by_extra_id(self, extra_id: str) -> StoredMessage | None:
        """Find the latest message with this extra id."""
        row = self._by_extra_id.get(extra_id)
        return None if row is None else self.read(row)

    def _index(self, extra_id: str, row: int) -> None:
        if extra_id in self._by_extra_id:
            self.duplicates[extra_id] = self.duplicates.get(extra_id, 1) + 1
        self._by_extra_id[extra_id] = row


# Maximum seconds between two readings of the clock, which may be adjusted or replaced by a test.
MAX_WAIT: Final = 0.2


class Scheduler:
    """Calls `run_step(group, step)` for one step at a time, in the order of their times."""

    def __init__(self, run_step: Callable[[MessageGroup, Step], None], clock: Callable[[], float]) -> None:
        self._run_step = run_step
        self._clock = clock
        self._numbers = count()
        self._due: list[tuple[float, int, MessageGroup, Step]] = []
        self._changed = Condition()
        self._closed = False
        self._thread = Thread(target=self._run, name="hyber-sandbox-scheduler", daemon=True)
        self._thread.start()

    def add(self, group: MessageGroup) -> None:
        """Schedule the steps of a group."""
        with self._changed:
            for step in group.steps:
                heapq.heappush(self._due, (group.begins_at + step.after, next(self._numbers), group, step))
            self._changed.notify_all()

    def flush(self) -> int:
        """Run all pending steps now, and return their number."""
        with self._changed:
            return self._run_until(float("inf"))

    def wait_empty(self, timeout: float) -> bool:
        """Wait until no step is pending."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due, timeout)

    def close(self) -> None:
        """Drop pending steps and stop the thread."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                self._run_until(self._clock())
                self._changed.wait(self._seconds_to_wait())

    def _seconds_to_wait(self) -> float | None:
        if not self._due:
            return None
        return min(max(self._due[0][0] - self._clock(), 0), MAX_WAIT)

    def _run_until(self, moment: float) -> int:
        steps = 0
        while self._due and self._due[0][0] <= moment:
            _, _, group, step = heapq.heappop(self._due)
            self._run_step(group, step)
            steps += 1
        if steps:
            self._changed.notify_all()
        return steps

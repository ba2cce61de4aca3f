"""Makes the steps of every group happen when they are due."""

import heapq
from collections.abc import Callable
from itertools import count
from threading import Condition, Thread
from typing import Final

from django_hyber.sandbox.plans import Step
from django_hyber.sandbox.store import Group

# The clock may be a test's, or be set by hand: look at it again after this many seconds at the latest.
LONGEST_NAP: Final = 0.2


class Scheduler:
    """`happen(group, step)` is called for one step at a time, in the order in which they are due."""

    def __init__(self, happen: Callable[[Group, Step], None], clock: Callable[[], float]) -> None:
        self._happen = happen
        self._clock = clock
        self._numbers = count()
        self._due: list[tuple[float, int, Group, Step]] = []
        self._changed = Condition()
        self._closed = False
        self._thread = Thread(target=self._run, name="hyber-sandbox-scheduler", daemon=True)
        self._thread.start()

    def add(self, group: Group) -> None:
        """Plan all the steps of a group."""
        with self._changed:
            for step in group.steps:
                heapq.heappush(self._due, (group.begins_at + step.after, next(self._numbers), group, step))
            self._changed.notify_all()

    def flush(self) -> int:
        """Let everything happen now that is due or still to come; returns the number of steps."""
        with self._changed:
            return self._run_until(float("inf"))

    def wait_empty(self, timeout: float) -> bool:
        """Wait until nothing is left to happen."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due, timeout)

    def close(self) -> None:
        """Drop what is left and end the thread."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                self._run_until(self._clock())
                self._changed.wait(self._nap())

    def _nap(self) -> float | None:
        if not self._due:
            return None
        return min(max(self._due[0][0] - self._clock(), 0), LONGEST_NAP)

    def _run_until(self, moment: float) -> int:
        steps = 0
        while self._due and self._due[0][0] <= moment:
            _, _, group, step = heapq.heappop(self._due)
            self._happen(group, step)
            steps += 1
        if steps:
            self._changed.notify_all()
        return steps

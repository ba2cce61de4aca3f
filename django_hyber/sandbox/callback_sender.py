"""Sends delivery reports: of single messages immediately as objects, of mass requests as arrays at intervals.

See chapter 4 of the guide.
"""

import heapq
import json
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import count
from threading import Condition, Thread
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from django_hyber.sandbox.ledger import CallbackCounts
from django_hyber.sandbox.number_outcomes import Fact
from django_hyber.sandbox.store import MessageGroup

logger = logging.getLogger(__name__)

TIMEOUT: Final = 10.0
RETRY_DELAYS: Final = (0.2, 0.5, 1.0, 2.0)

Render = Callable[[int, Fact], dict[str, Any]]


@dataclass(slots=True, kw_only=True, eq=False)
class Callback:
    """The reports of one POST. They are rendered only when it is sent."""

    url: str
    reports: list[tuple[int, Fact]]
    attempts: int = 0
    settled: bool = False


class CallbackSender:
    """Sends callbacks in one thread per host and kind, so that a campaign does not delay the report of a single one."""

    def __init__(self, render: Render, *, report_batch: int, report_interval: float) -> None:
        self.counts = CallbackCounts()
        self.render = render
        self.report_batch = report_batch
        self.report_interval = report_interval
        self.changed = Condition()
        self.closed = False
        self._pending = 0
        self._lanes: dict[tuple[str, str, bool], Lane] = {}

    def add(self, group: MessageGroup, fact: Fact) -> None:
        """Report a fact for all messages of a group."""
        with self.changed:
            lane = self._lane(group)
            if lane is not None:
                lane.add(group.order.callback_url or "", group.rows, fact)
                self._count_in(group)

    def deliver_now(self, group: MessageGroup, fact: Fact) -> None:
        """Report a fact, and wait until the callback is answered or times out."""
        callback = Callback(url=group.order.callback_url or "", reports=[(row, fact) for row in group.rows])
        with self.changed:
            lane = self._lane(group)
            if lane is not None:
                lane.push(callback, due=0)
                self._count_in(group)
                self.changed.wait_for(lambda: callback.settled or self.closed, TIMEOUT)

    def wait_empty(self, timeout: float) -> bool:
        """Wait until every report is answered or given up."""
        with self.changed:
            return self.changed.wait_for(lambda: not self._pending, timeout)

    def close(self) -> None:
        """Drop pending reports. A request in progress may finish."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        for lane in self._lanes.values():
            lane.join(TIMEOUT)

    def settle(self, callback: Callback, *, answered: bool) -> None:
        """Count a callback that was answered or given up."""
        with self.changed:
            self._pending -= len(callback.reports)
            if answered:
                self.counts.answered_200 += 1
                self.counts.reports += len(callback.reports)
            else:
                self.counts.failed += 1
            callback.settled = True
            self.changed.notify_all()

    def _count_in(self, group: MessageGroup) -> None:
        self._pending += len(group.rows)
        self.changed.notify_all()

    def _lane(self, group: MessageGroup) -> "Lane | None":
        """Return the thread for a group, or None if the group has no callback URL."""
        if self.closed or group.order.callback_url is None:
            return None
        target = urlsplit(group.order.callback_url)
        key = (target.scheme, target.netloc, group.order.kind != "single")
        if key not in self._lanes:
            self._lanes[key] = Lane(self, target, mass=key[2])
            self._lanes[key].start()
        return self._lanes[key]


class Lane(Thread):
    """Sends to one host over one connection. The sender's condition guards its fields."""

    def __init__(self, sender: CallbackSender, target: SplitResult, *, mass: bool) -> None:
        super().__init__(name=f"hyber-sandbox-callbacks-{target.hostname}", daemon=True)
        self._sender = sender
        self._mass = mass
        self._connection = _connection(target)
        self._numbers = count()
        self._waiting: dict[str, deque[tuple[int, Fact]]] = {}
        self._ready: list[tuple[float, int, Callback]] = []
        self._next_batch_at = 0.0

    def add(self, url: str, rows: list[int], fact: Fact) -> None:
        """Queue reports: of mass requests for the next interval, single ones immediately."""
        if self._mass:
            self._waiting.setdefault(url, deque()).extend((row, fact) for row in rows)
            return
        for row in rows:
            self.push(Callback(url=url, reports=[(row, fact)]), due=0)

    def push(self, callback: Callback, *, due: float) -> None:
        """Queue a callback for a time of the monotonic clock."""
        heapq.heappush(self._ready, (due, next(self._numbers), callback))

    def run(self) -> None:
        """Send until the sender is closed."""
        while (callback := self._next_callback()) is not None:
            self._send(callback)
        self._connection.close()

    def _next_callback(self) -> Callback | None:
        with self._sender.changed:
            while not self._sender.closed:
                now = time.monotonic()
                if self._waiting and self._next_batch_at <= now:
                    self._pack(now)
                if self._ready and self._ready[0][0] <= now:
                    return heapq.heappop(self._ready)[2]
                self._sender.changed.wait(self._seconds_to_wait(now))
            return None

    def _seconds_to_wait(self, now: float) -> float | None:
        moments = [self._ready[0][0]] if self._ready else []
        if self._waiting:
            moments.append(self._next_batch_at)
        return max(min(moments) - now, 0) if moments else None

    def _pack(self, now: float) -> None:
        size = self._sender.report_batch
        for url, waiting in self._waiting.items():
            reports = list(waiting)
            for start in range(0, len(reports), size):
                self.push(Callback(url=url, reports=reports[start : start + size]), due=0)
        self._waiting = {}
        self._next_batch_at = now + self._sender.report_interval

    def _send(self, callback: Callback) -> None:
        status = self._post(callback)
        callback.attempts += 1
        if status == 200:  # noqa: PLR2004 - the only status in the guide
            self._sender.settle(callback, answered=True)
        elif (status is None or status >= 500) and callback.attempts <= len(RETRY_DELAYS):  # noqa: PLR2004 - 5xx
            with self._sender.changed:
                self.push(callback, due=time.monotonic() + RETRY_DELAYS[callback.attempts - 1])
        else:
            logger.warning("callback given up reports=%d attempts=%d", len(callback.reports), callback.attempts)
            self._sender.settle(callback, answered=False)

    def _post(self, callback: Callback) -> int | None:
        """Return the HTTP status, or None without an answer."""
        with self._sender.changed:
            self._sender.counts.sent += 1
        target = urlsplit(callback.url)
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        try:
            self._connection.request("POST", path, self._body(callback), {"Content-Type": "application/json"})
            with self._connection.getresponse() as response:
                response.read()
                return response.status
        except (OSError, HTTPException, ValueError) as error:
            logger.info("callback not answered: %s", type(error).__name__)
            self._connection.close()
            return None

    def _body(self, callback: Callback) -> bytes:
        reports = [self._sender.render(row, fact) for row, fact in callback.reports]
        return json.dumps(reports if self._mass else reports[0], separators=(",", ":")).encode()


def _connection(target: SplitResult) -> HTTPConnection:
    make = HTTPSConnection if target.scheme == "https" else HTTPConnection
    return make(target.hostname or "", target.port, timeout=TIMEOUT)

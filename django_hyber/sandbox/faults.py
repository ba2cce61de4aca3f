"""Faults: which requests they affect, and how."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from random import Random
from threading import Lock
from typing import Final, NamedTuple, Protocol, TypedDict

from django_hyber.sandbox.answers import (
    INTERNAL_ERROR,
    SandboxAnswer,
    error_answer,
    half,
    half_then_reset,
    last,
    late,
    nothing,
    page,
    reset,
    silence,
    trickle,
)

SINGLE: Final = "single"
BULK: Final = "bulk"
STATUS: Final = "status"
REPORTS: Final = "reports"
# The POST of a single message, that of a mass request, the GET of a campaign's status and that of a message's report.
PATHS: Final = (SINGLE, BULK, STATUS, REPORTS)


@dataclass(frozen=True, kw_only=True)
class Visibility:
    """How GETs answer about the messages of a request. Times are in seconds after it was accepted."""

    hidden_for: float = 0.0
    second_half_after: float = 0.0
    fails: bool = False


VISIBLE: Final = Visibility()


class Take(Protocol):
    """Serves the request without the fault: accepts its messages, or answers the query."""

    def __call__(self, visibility: Visibility = VISIBLE) -> SandboxAnswer:
        """Return the answer."""


class FaultOptions(TypedDict, total=False):
    """The optional fields of a fault."""

    paths: tuple[str, ...]
    count: int | None
    idle: float
    share: float
    seed: int
    per_second: int | None
    taken: bool
    status: int
    seconds: float
    retry_after: int | None
    error_code: int


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A kind of fault with its options, and the requests that it affects (the options from `paths` on).

    It affects requests to `paths`, on connections that were `idle` for this time, a random `share` of them, and only
    those above a rate of `per_second`. It ends after `count` requests, or never if that is None.
    """

    kind: str
    taken: bool = False
    status: int = 502
    seconds: float = 30.0
    retry_after: int | None = None
    error_code: int = INTERNAL_ERROR
    paths: tuple[str, ...] = (SINGLE, BULK)
    count: int | None = 1
    idle: float = 0.0
    share: float = 1.0
    seed: int = 0
    per_second: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        if unknown := set(self.paths) - set(PATHS):
            raise ValueError(f"paths: {min(unknown)!r} is not one of {', '.join(PATHS)}")
        # Interim answers have no body.
        lowest = 100 if self.kind == "status" else 200
        if not lowest <= self.status <= 599:  # noqa: PLR2004 - the last of HTTP
            raise ValueError(f"status must be from {lowest} to 599")
        if not (0 <= self.share <= 1 and 0 <= self.seconds < math.inf and 0 <= self.idle < math.inf):
            raise ValueError("share must be from 0 to 1, seconds and idle must not be negative")
        if self.count is not None and self.count < 0:
            raise ValueError("count must not be negative")
        for option in fields(self):
            unused = option.name in _KIND_OPTIONS and option.name not in self.definition.options
            if unused and getattr(self, option.name) != option.default:
                raise ValueError(f"{self.kind} does not use {option.name}")

    @property
    def definition(self) -> "FaultKind":
        """The definition of the kind."""
        return KINDS[self.kind]

    def answer(self, take: Take) -> SandboxAnswer:
        """Answer a request affected by this fault."""
        return self.definition.answer(self, take)

    def visibility(self) -> Visibility:
        """Return how GETs answer about messages affected by this fault."""
        make = _VISIBILITIES.get(self.kind)
        return VISIBLE if make is None else make(self.seconds)


class FaultKind(NamedTuple):
    """A kind of fault with the `options` that it uses. Without `arrives`, requests are neither read nor recorded."""

    sentence: str
    answer: Callable[[Fault, Take], SandboxAnswer]
    options: tuple[str, ...] = ()
    arrives: bool = True


def _headers(fault: Fault) -> dict[str, str]:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    if 300 <= fault.status < 400:  # noqa: PLR2004 - redirections
        headers["Location"] = "/moved"
    if fault.status == 401:  # noqa: PLR2004 - HTTP demands the header with this one
        headers["WWW-Authenticate"] = 'Basic realm="Hyber sandbox"'
    return headers


def _down(_fault: Fault, _take: Take) -> SandboxAnswer:
    return SandboxAnswer(503)


def _status(fault: Fault, take: Take) -> SandboxAnswer:
    if fault.taken:
        take()
    answer = SandboxAnswer(fault.status, headers=_headers(fault))
    # The interim answer is not followed by a final one.
    return answer._replace(deliver=last) if fault.status < 200 else answer  # noqa: PLR2004 - interim


def _page(fault: Fault, take: Take) -> SandboxAnswer:
    if fault.taken:
        take()
    return page(fault.status, _headers(fault))


def _error(fault: Fault, take: Take) -> SandboxAnswer:
    if fault.taken:
        take()
    answer = error_answer(fault.status, fault.error_code, "The sandbox is set up to answer with this error")
    return answer._replace(headers=_headers(fault))


def _drop_request(_fault: Fault, _take: Take) -> SandboxAnswer:
    return SandboxAnswer(0, deliver=nothing)


def _reset_request(_fault: Fault, _take: Take) -> SandboxAnswer:
    return SandboxAnswer(0, deliver=reset)


def _silent_request(fault: Fault, _take: Take) -> SandboxAnswer:
    return SandboxAnswer(0, deliver=silence(fault.seconds))


def _drop_answer(_fault: Fault, take: Take) -> SandboxAnswer:
    return take()._replace(deliver=nothing)


def _silent(fault: Fault, take: Take) -> SandboxAnswer:
    return take()._replace(deliver=silence(fault.seconds))


def _late_answer(fault: Fault, take: Take) -> SandboxAnswer:
    return take()._replace(deliver=late(fault.seconds))


def _trickle(fault: Fault, take: Take) -> SandboxAnswer:
    return take()._replace(deliver=trickle(fault.seconds, with_head=False))


def _trickle_head(fault: Fault, take: Take) -> SandboxAnswer:
    return take()._replace(deliver=trickle(fault.seconds, with_head=True))


def _half_answer(_fault: Fault, take: Take) -> SandboxAnswer:
    return take()._replace(deliver=half)


def _reset_answer(_fault: Fault, take: Take) -> SandboxAnswer:
    return take()._replace(deliver=half_then_reset)


def _not_json(_fault: Fault, take: Take) -> SandboxAnswer:
    take()
    return page(200)


def _empty(_fault: Fault, take: Take) -> SandboxAnswer:
    take()
    return SandboxAnswer(200)


def _query_fault(fault: Fault, take: Take) -> SandboxAnswer:
    return take(fault.visibility())


KINDS: Final[dict[str, FaultKind]] = {
    "down": FaultKind("HTTP 503 without a body; nothing is accepted", _down),
    "status": FaultKind(
        "the HTTP status given as status, without a body; after 1xx the connection is closed",
        _status,
        ("status", "taken", "retry_after"),
    ),
    "page": FaultKind(
        "the same with an HTML page, as proxies answer; 3xx with a Location",
        _page,
        ("status", "taken", "retry_after"),
    ),
    "error": FaultKind(
        "the same with an error of the platform as JSON: error_code and error_text",
        _error,
        ("status", "taken", "retry_after", "error_code"),
    ),
    "drop_request": FaultKind("the connection is closed; nothing is accepted", _drop_request),
    "reset_request": FaultKind(
        "the connection is reset (RST) before the body is read; nothing is accepted", _reset_request, arrives=False
    ),
    "silent_request": FaultKind(
        "the body is not read and nothing is answered for seconds, then the connection is closed; nothing is accepted",
        _silent_request,
        ("seconds",),
        arrives=False,
    ),
    "drop_answer": FaultKind("the messages are accepted, then the connection is closed", _drop_answer),
    "silent": FaultKind(
        "the messages are accepted; after seconds the connection is closed without an answer", _silent, ("seconds",)
    ),
    "late_answer": FaultKind("the messages are accepted, and answered after seconds", _late_answer, ("seconds",)),
    "trickle": FaultKind(
        "the messages are accepted, and the body of the answer is sent byte by byte within seconds",
        _trickle,
        ("seconds",),
    ),
    "trickle_head": FaultKind(
        "the messages are accepted, and the answer is sent byte by byte within seconds, including its head",
        _trickle_head,
        ("seconds",),
    ),
    "half_answer": FaultKind(
        "the messages are accepted; half of the body is sent, then the connection is closed", _half_answer
    ),
    "reset_answer": FaultKind(
        "the messages are accepted; half of the body is sent, then the connection is reset (RST)", _reset_answer
    ),
    "not_json": FaultKind("the messages are accepted, and answered with HTTP 200 and an HTML page", _not_json),
    "empty": FaultKind("the messages are accepted, and answered with HTTP 200 and no body", _empty),
    "late_report": FaultKind(
        "the messages are accepted and answered; for seconds a GET answers as for an unknown id",
        _query_fault,
        ("seconds",),
    ),
    "never_found": FaultKind(
        "the messages are accepted and answered; a GET always answers as for an unknown id", _query_fault
    ),
    "failing_report": FaultKind(
        "the messages are accepted and answered; a GET of their reports always answers HTTP 500", _query_fault
    ),
    "parts": FaultKind(
        "the messages are accepted; the second half of a mass request is known and sent only after seconds",
        _query_fault,
        ("seconds",),
    ),
}
_KIND_OPTIONS: Final = frozenset(name for kind in KINDS.values() for name in kind.options)
_VISIBILITIES: Final[dict[str, Callable[[float], Visibility]]] = {
    "late_report": lambda seconds: Visibility(hidden_for=seconds),
    "never_found": lambda _: Visibility(hidden_for=math.inf),
    "failing_report": lambda _: Visibility(fails=True),
    "parts": lambda seconds: Visibility(second_half_after=seconds),
}


@dataclass
class _ActiveFault:
    """An active fault, with its counters."""

    fault: Fault
    left: float
    chance: Random
    let_through: deque[float] = field(default_factory=deque)

    def hits(self, path: str, idle: float, now: float) -> bool:
        fault = self.fault
        if path not in fault.paths or idle < fault.idle:
            return False
        if fault.per_second is not None and not self._is_beyond(fault.per_second, now):
            return False
        if self.chance.random() >= fault.share:
            return False
        self.left -= 1
        return True

    def _is_beyond(self, limit: int, now: float) -> bool:
        while self.let_through and self.let_through[0] <= now - 1:
            self.let_through.popleft()
        if len(self.let_through) >= limit:
            return True
        self.let_through.append(now)
        return False


class Faults:
    """The active faults. The oldest one that applies to a request is used."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: list[_ActiveFault] = []
        self._lock = Lock()

    def __len__(self) -> int:
        """Count the requests that will still be affected. A fault without a count counts as one."""
        with self._lock:
            return sum(1 if waiting.left == math.inf else int(waiting.left) for waiting in self._waiting)

    def add(self, fault: Fault) -> None:
        """Activate a fault."""
        left = math.inf if fault.count is None else fault.count
        if not left:
            return
        with self._lock:
            self._waiting.append(_ActiveFault(fault, left, Random(fault.seed)))  # noqa: S311 - to be repeatable

    def clear(self) -> None:
        """End all faults."""
        with self._lock:
            self._waiting.clear()

    def choose(self, path: str, idle: float) -> Fault | None:
        """Return the fault that affects a request, if any."""
        with self._lock:
            for waiting in self._waiting:
                if waiting.hits(path, idle, self._clock()):
                    self._waiting = [other for other in self._waiting if other.left]
                    return waiting.fault
        return None

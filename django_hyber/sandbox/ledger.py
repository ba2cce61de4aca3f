"""The ledger: counts of requests, messages and callbacks of the sandbox, for tests."""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any, Final

KEPT_REQUESTS: Final = 500
KEPT_BODY: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class RecordedRequest:
    """A request without its Authorization header. A long body is shortened; `body_size` is its full size in bytes."""

    method: str
    path: str
    headers: Mapping[str, str]
    authorized: bool
    body: str
    body_size: int

    def as_dict(self) -> dict[str, Any]:
        """Return the request in the format of `GET /_sandbox/requests`."""
        return asdict(self)


@dataclass(kw_only=True)
class CallbackCounts:
    """Counts of callbacks, including retries. `failed` were given up; `reports` are the reports answered with 200."""

    sent: int = 0
    answered_200: int = 0
    failed: int = 0
    reports: int = 0


@dataclass(kw_only=True)
class Ledger:
    """`taken` and `refused` count accepted and rejected messages; `duplicates` counts uses of repeated extra ids."""

    requests: int = 0
    taken: int = 0
    refused: int = 0
    distinct: int = 0
    duplicates: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    callbacks: CallbackCounts = field(default_factory=CallbackCounts)

    def as_dict(self) -> dict[str, Any]:
        """Return the ledger in the format of `GET /_sandbox/ledger`."""
        return asdict(self)


class RequestLog:
    """A log of the latest requests."""

    def __init__(self) -> None:
        self._requests: deque[RecordedRequest] = deque(maxlen=KEPT_REQUESTS)
        self._lock = Lock()
        self.total = 0

    def add(self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, authorized: bool) -> None:
        """Record a request without its credentials."""
        shown = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        request = RecordedRequest(
            method=method,
            path=path,
            headers=shown,
            authorized=authorized,
            body=body[:KEPT_BODY].decode(errors="replace"),
            body_size=len(body),
        )
        with self._lock:
            self.total += 1
            self._requests.append(request)

    def last(self, limit: int = KEPT_REQUESTS) -> list[RecordedRequest]:
        """Return the latest requests, the oldest first."""
        with self._lock:
            return list(self._requests)[-limit:] if limit else []

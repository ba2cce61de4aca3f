"""The account of what the sandbox was asked and what it did, for tests to read."""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any, Final

KEPT_REQUESTS: Final = 500
KEPT_BODY: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class RecordedRequest:
    """`headers` lack Authorization; of a long body only the beginning is kept, `body_size` is the whole in bytes."""

    method: str
    path: str
    headers: Mapping[str, str]
    authorized: bool
    body: str
    body_size: int

    def as_dict(self) -> dict[str, Any]:
        """Shape the request for `GET /_sandbox/requests`."""
        return asdict(self)


@dataclass(kw_only=True)
class CallbackCounts:
    """Counts of callback requests, repeats included; `failed` were given up, `reports` are the reports answered 200."""

    sent: int = 0
    answered_200: int = 0
    failed: int = 0
    reports: int = 0


@dataclass(kw_only=True)
class Ledger:
    """`taken` counts messages, `refused` those answered with an error, `duplicates` how often an extra id was taken."""

    requests: int = 0
    taken: int = 0
    refused: int = 0
    distinct: int = 0
    duplicates: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    callbacks: CallbackCounts = field(default_factory=CallbackCounts)

    def as_dict(self) -> dict[str, Any]:
        """Shape the ledger for `GET /_sandbox/ledger`."""
        return asdict(self)


class RequestLog:
    """The last requests."""

    def __init__(self) -> None:
        self._requests: deque[RecordedRequest] = deque(maxlen=KEPT_REQUESTS)
        self._lock = Lock()
        self.total = 0

    def add(self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, authorized: bool) -> None:
        """Record a request, without its secrets."""
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
        """The last requests, oldest first."""
        with self._lock:
            return list(self._requests)[-limit:] if limit else []

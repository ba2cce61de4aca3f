"""The URLs under `/_sandbox/`: the ledger, the recorded requests, reset, faults and flush."""

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

from django_hyber.sandbox.answers import NOT_FOUND, Answer
from django_hyber.sandbox.ledger import KEPT_REQUESTS
from django_hyber.sandbox.platform import FAULT_KINDS, Fault, Platform

CONTROL_PREFIX: Final = "/_sandbox/"
FLUSH_TIMEOUT: Final = 30.0


class Controlled(Protocol):
    """The part of the server that is controlled."""

    platform: Platform

    def reset(self) -> None:
        """Forget everything."""


def control(server: Controlled, method: str, url: str, body: bytes) -> Answer:
    """Answer one control request."""
    parts = urlsplit(url)
    platform = server.platform
    match method, parts.path.removeprefix(CONTROL_PREFIX):
        case "GET", "ledger":
            return Answer(200, platform.ledger.as_dict())
        case "GET", "requests":
            return _requests(platform, parse_qs(parts.query))
        case "POST", "reset":
            server.reset()
            return Answer(200, {"reset": True})
        case "POST", "faults":
            return _faults(platform, body)
        case "POST", "flush":
            steps = platform.flush()
            return Answer(200, {"steps": steps, "idle": platform.wait_idle(FLUSH_TIMEOUT)})
    return NOT_FOUND


def read_fault(data: Mapping[str, Any]) -> tuple[Fault, int]:
    """Read a fault and the number of POSTs it is for; raises ValueError."""
    kind = data.get("kind", "status" if "status" in data else None)
    if kind not in FAULT_KINDS:
        raise ValueError(f"kind must be one of {', '.join(FAULT_KINDS)}")
    fault = Fault(kind=kind, status=int(data.get("status", 502)), seconds=float(data.get("seconds", 30)))
    return fault, int(data.get("count", 1))


def _requests(platform: Platform, query: Mapping[str, list[str]]) -> Answer:
    limit = query.get("limit", [str(KEPT_REQUESTS)])[0]
    if not limit.isdecimal():
        return Answer(400, {"error": "limit must be a number"})
    return Answer(200, {"requests": [request.as_dict() for request in platform.requests.last(int(limit))]})


def _faults(platform: Platform, body: bytes) -> Answer:
    try:
        fault, times = read_fault(json.loads(body))
    except (ValueError, TypeError, AttributeError) as error:
        return Answer(400, {"error": str(error)})
    platform.faults.extend([fault] * times)
    return Answer(200, {"faults": len(platform.faults)})

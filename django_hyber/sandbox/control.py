"""The URLs under `/_sandbox/`: the ledger, the recorded requests, reset, flush, faults and unknown ids."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

from django_hyber.sandbox.answers import NOT_FOUND, SandboxAnswer
from django_hyber.sandbox.faults import Fault
from django_hyber.sandbox.ledger import KEPT_REQUESTS
from django_hyber.sandbox.platform import Platform

CONTROL_PREFIX: Final = "/_sandbox/"
FLUSH_TIMEOUT: Final = 30.0


class Controlled(Protocol):
    """The part of the server used by the control URLs."""

    platform: Platform

    def reset(self) -> None:
        """Discard all state."""


class Call(NamedTuple):
    """A control request."""

    server: Controlled
    query: Mapping[str, list[str]]
    body: bytes


def control(server: Controlled, method: str, url: str, body: bytes) -> SandboxAnswer:
    """Answer a control request."""
    parts = urlsplit(url)
    serve = _CALLS.get((method, parts.path.removeprefix(CONTROL_PREFIX)))
    if serve is None:
        return NOT_FOUND
    try:
        return SandboxAnswer(200, serve(Call(server, parse_qs(parts.query), body)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return SandboxAnswer(400, {"error": str(error)})


def read_fault(data: Mapping[str, Any]) -> Fault:
    """Read a fault from JSON. Raises ValueError or TypeError."""
    if unknown := data.keys() - _OPTIONS.keys():
        raise ValueError(f"{min(unknown)!r} is not an option of faults; these are: {', '.join(_OPTIONS)}")
    given = {"kind": "status", **data} if "status" in data else data
    return Fault(**{name: _OPTIONS[name](value) for name, value in given.items()})


def _number_or_null(value: Any) -> int | None:
    return None if value is None else int(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("taken must be true or false")
    return value


def _names(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


_OPTIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "kind": str,
    "taken": _flag,
    "status": int,
    "seconds": float,
    "retry_after": _number_or_null,
    "error_code": int,
    "paths": _names,
    "count": _number_or_null,
    "idle": float,
    "share": float,
    "seed": int,
    "per_second": _number_or_null,
}


def _ledger(call: Call) -> object:
    return call.server.platform.ledger.as_dict()


def _requests(call: Call) -> object:
    limit = call.query.get("limit", [str(KEPT_REQUESTS)])[0]
    if not limit.isdecimal():
        raise ValueError("limit must be a number")
    return {"requests": [request.as_dict() for request in call.server.platform.requests.last(int(limit))]}


def _reset(call: Call) -> object:
    call.server.reset()
    return {"reset": True}


def _flush(call: Call) -> object:
    platform = call.server.platform
    return {"steps": platform.flush(), "idle": platform.wait_idle(FLUSH_TIMEOUT)}


def _add_fault(call: Call) -> object:
    faults = call.server.platform.faults
    faults.add(read_fault(json.loads(call.body)))
    return {"faults": len(faults)}


def _clear_faults(call: Call) -> object:
    call.server.platform.faults.clear()
    return {"faults": 0}


def _answer_unknown_ids(call: Call) -> object:
    how = json.loads(call.body)["answer"]
    call.server.platform.answer_unknown_ids(how)
    return {"answer": how}


_CALLS: Final[dict[tuple[str, str], Callable[[Call], object]]] = {
    ("GET", "ledger"): _ledger,
    ("GET", "requests"): _requests,
    ("POST", "reset"): _reset,
    ("POST", "flush"): _flush,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "unknown_ids"): _answer_unknown_ids,
}

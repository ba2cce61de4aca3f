"""HTTP answers: their error codes, and how they are written to the connection."""

import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http.client import responses
from threading import Event
from typing import Final, NamedTuple

PHONE_INCORRECT: Final = 36024
# The platform's list of parameter errors is not public. None of its known codes starts with a 9.
PARAMETER_INCORRECT: Final = 99001
MESSAGE_UNKNOWN: Final = 99002
INTERNAL_ERROR: Final = 99003


class ParameterError(Exception):
    """Rejects a request or one of its recipients with the `error_code` and `error_text` of the answer."""

    def __init__(self, text: str, *, code: int = PARAMETER_INCORRECT) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    def as_dict(self) -> dict[str, object]:
        """Return the error in the platform's format."""
        return {"error_code": self.code, "error_text": self.text}


def phone_error() -> ParameterError:
    """Return the only error whose code and text are in the guide."""
    return ParameterError("Phone number incorrect", code=PHONE_INCORRECT)


@dataclass(frozen=True)
class Wire:
    """The connection to a client. `closed` ends all pauses when the sandbox is closed or reset."""

    connection: socket.socket
    closed: Event

    def send(self, data: bytes) -> None:
        """Send bytes immediately."""
        self.connection.sendall(data)

    def pause(self, seconds: float) -> None:
        """Pause the answer."""
        self.closed.wait(seconds)

    def reset(self) -> None:
        """Close the connection with RST. A normal close would send FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())


# Writes head and body, and returns whether the connection stays open.
Deliver = Callable[[Wire, bytes, bytes], bool]


def whole(wire: Wire, head: bytes, body: bytes) -> bool:
    """Write the answer normally."""
    wire.send(head + body)
    return True


def last(wire: Wire, head: bytes, body: bytes) -> bool:
    """Write the answer and close the connection."""
    wire.send(head + body)
    return False


def nothing(_wire: Wire, _head: bytes, _body: bytes) -> bool:
    """Close the connection without an answer."""
    return False


def half(wire: Wire, head: bytes, body: bytes) -> bool:
    """Close the connection in the middle of the body."""
    wire.send(head + body[: len(body) // 2])
    return False


def half_then_reset(wire: Wire, head: bytes, body: bytes) -> bool:
    """Reset the connection in the middle of the body."""
    half(wire, head, body)
    wire.reset()
    return False


def reset(wire: Wire, _head: bytes, _body: bytes) -> bool:
    """Reset the connection without an answer."""
    wire.reset()
    return False


def silence(seconds: float) -> Deliver:
    """Send nothing for the given seconds, then close the connection."""

    def deliver(wire: Wire, _head: bytes, _body: bytes) -> bool:
        wire.pause(seconds)
        return False

    return deliver


def late(seconds: float) -> Deliver:
    """Write the answer after the given seconds."""

    def deliver(wire: Wire, head: bytes, body: bytes) -> bool:
        wire.pause(seconds)
        return whole(wire, head, body)

    return deliver


def trickle(seconds: float, *, with_head: bool) -> Deliver:
    """Write the body, or also the head, byte by byte, evenly over the given seconds."""

    def deliver(wire: Wire, head: bytes, body: bytes) -> bool:
        at_once, slowly = (b"", head + body) if with_head else (head, body)
        wire.send(at_once)
        sent, ends = 0, time.monotonic() + seconds
        # A long body may have more bytes than steps fit into the time. The rest is then sent at once.
        while sent < len(slowly) and time.monotonic() < ends:
            wire.send(slowly[sent : sent + 1])
            wire.pause(seconds / len(slowly))
            sent += 1
        wire.send(slowly[sent:])
        return True

    return deliver


class SandboxAnswer(NamedTuple):
    """An HTTP answer. The body is `payload` as JSON, or `html`, or empty."""

    status: int
    payload: object = None
    headers: Mapping[str, str] = {}
    html: str = ""
    deliver: Deliver = whole

    def render(self) -> tuple[bytes, bytes]:
        """Return head and body as bytes."""
        body = self.html if self.payload is None else json.dumps(self.payload, separators=(",", ":"))
        data = body.encode()
        headers = {"Server": "HyberSandbox", "Date": formatdate(usegmt=True), **self.headers}
        if data:
            headers["Content-Type"] = "text/html; charset=utf-8" if self.payload is None else "application/json"
        # Interim answers have neither a body nor a Content-Length.
        if self.status >= 200:  # noqa: PLR2004 - the first final status
            headers["Content-Length"] = str(len(data))
        lines = [f"HTTP/1.1 {self.status} {responses.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1"), data


def error_answer(status: int, code: int, text: str) -> SandboxAnswer:
    """Answer with an error of the platform."""
    return SandboxAnswer(status, {"error_code": code, "error_text": text})


def page(status: int, headers: Mapping[str, str] = {}) -> SandboxAnswer:
    """Answer with the HTML of a proxy."""
    title = f"{status} {responses.get(status, '')}"
    html = f"<html><head><title>{title}</title></head><body><h1>{title}</h1><hr>proxy</body></html>\n"
    return SandboxAnswer(status, headers=headers, html=html)


NOT_FOUND: Final = SandboxAnswer(404)

# The platform's answer to a GET for an unknown id is not documented. Any of these is possible.
UNKNOWN_ID_ANSWERS: Final[dict[str, SandboxAnswer]] = {
    "404": NOT_FOUND,
    "404-json": error_answer(404, MESSAGE_UNKNOWN, "Message not found"),
    "404-page": page(404),
    "200-empty": SandboxAnswer(200),
    "200-error": error_answer(200, MESSAGE_UNKNOWN, "Message not found"),
    "400-error": error_answer(400, MESSAGE_UNKNOWN, "Message not found"),
}

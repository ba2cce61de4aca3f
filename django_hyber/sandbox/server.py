"""The HTTP side: one server plays the three hosts of the platform, and `/_sandbox/` serves tests."""

import json
import logging
import sys
from base64 import b64encode
from collections.abc import Callable
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from threading import Lock
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from django_hyber.sandbox.control import CONTROL_PREFIX, control
from django_hyber.sandbox.platform import DROPPED, NOT_FOUND, Answer, Fault, Platform, Settings

logger = logging.getLogger(__name__)

MAX_BODY: Final = 64 * 1024 * 1024


class Route(NamedTuple):
    """The one method of a URL and what answers it; `serve` gets the body of the request."""

    method: str
    serve: Callable[[bytes], Answer]


def find_route(path: str, client_id: str, platform: Platform) -> Route | None:
    """Find what answers a path of the platform."""
    first, *rest = [unquote(segment) for segment in path.split("/")[1:]] or [""]
    if first != client_id:
        return None
    return _sending_route(rest, platform) or _telling_route(rest, platform)


def _sending_route(segments: list[str], platform: Platform) -> Route | None:
    match segments:
        case []:
            return Route("POST", lambda body: platform.send("single", body))
        case ["batch" | "broadcast" as kind]:
            return Route("POST", lambda body: platform.send(kind, body))
        case ["batch" | "broadcast" as kind, "sync"]:
            return Route("POST", lambda body: platform.send(kind, body, sync=True))
    return None


def _telling_route(segments: list[str], platform: Platform) -> Route | None:
    match segments:
        case ["status", job_id]:
            return Route("GET", lambda _: platform.campaign_status(job_id))
        case ["api", "dr", "external", extra_id, "simple" | "advanced" as form]:
            return Route("GET", lambda _: platform.report_by_extra_id(extra_id, form))
        case ["api", "dr", message_id, "simple" | "advanced" as form]:
            return Route("GET", lambda _: platform.report_by_message_id(message_id, form))
    return None


class SandboxServer(ThreadingHTTPServer):
    """Knows its open connections, so that closing the server ends them too."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], settings: Settings) -> None:
        self.settings = settings
        self.platform = Platform(settings)
        self._connections: set[socket] = set()
        self._connections_lock = Lock()
        credentials = b64encode(f"{settings.login}:{settings.password}".encode()).decode()
        self._authorization = f"Basic {credentials}"
        try:
            super().__init__(address, Handler)
        except OSError:
            self.platform.close()
            raise

    def is_authorized(self, header: str) -> bool:
        """Check an Authorization header."""
        return compare_digest(header.encode(), self._authorization.encode())

    def reset(self) -> None:
        """Forget everything and start with a new platform."""
        old, self.platform = self.platform, Platform(self.settings)
        old.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong in a handler; that a client left early is nothing special."""
        error = sys.exception()
        if isinstance(error, ConnectionError):
            logger.debug("client left: %s", error)
        else:
            logger.error("a request was not answered", exc_info=error)

    def close(self) -> None:
        """Stop serving, end the connections and drop what was not yet reported."""
        # Where the end of the listening socket is not noticed, the next look at the flag is that of `serve_forever`.
        _hang_up(self.socket)
        self.shutdown()
        with self._connections_lock:
            for connection in self._connections:
                _hang_up(connection)
        self.platform.close()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """Reads one request, lets the platform answer it, and writes the answer."""

    server: SandboxServer
    server_version = "HyberSandbox"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 75
    # The answer goes out in one piece and at once.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Serve reports and the status of campaigns."""
        self._serve()

    def do_POST(self) -> None:
        """Serve messages."""
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Log at debug level instead of to stderr."""
        logger.debug(format, *args)

    def _serve(self) -> None:
        platform = self.server.platform
        body = self._read_body()
        if body is None:
            self._write(Answer(413))
            return
        path = urlsplit(self.path).path
        if path.startswith(CONTROL_PREFIX):
            self._write(control(self.server, self.command, self.path, body))
            return
        # A request that began before a reset belongs to what was forgotten.
        self._write(self._answer(platform, path, body))

    def _answer(self, platform: Platform, path: str, body: bytes) -> Answer:
        authorized = self.server.is_authorized(self.headers.get("Authorization", ""))
        platform.requests.add(self.command, self.path, dict(self.headers), body, authorized=authorized)
        route = find_route(path, self.server.settings.client_id, platform)
        if route is None:
            return NOT_FOUND
        if self.command != route.method:
            return Answer(405, headers={"Allow": route.method})
        if self.command == "POST" and platform.faults:
            fault = platform.faults.popleft()
            return _fail(platform, fault, lambda: self._checked(route, body, authorized=authorized))
        return self._checked(route, body, authorized=authorized)

    def _checked(self, route: Route, body: bytes, *, authorized: bool) -> Answer:
        if not authorized:
            return Answer(401, headers={"WWW-Authenticate": 'Basic realm="Hyber sandbox"'})
        if self.command == "POST" and self.headers.get_content_type() != "application/json":
            return Answer(415)
        return route.serve(body)

    def _read_body(self) -> bytes | None:
        """Read the body; None if its size is not given or beyond reason."""
        try:
            size = int(self.headers.get("Content-Length", "0"))
        except ValueError:
            return None
        if not 0 <= size <= MAX_BODY or "Transfer-Encoding" in self.headers:
            return None
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionAbortedError("the body ended early")
        return body

    def _write(self, answer: Answer) -> None:
        if answer is DROPPED:
            self.close_connection = True
            return
        body = b"" if answer.payload is None else json.dumps(answer.payload, separators=(",", ":")).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if body:
            self.send_header("Content-Type", "application/json")
        if answer.status == 413:  # noqa: PLR2004 - the rest of such a request cannot be read
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _fail(platform: Platform, fault: Fault, serve: Callable[[], Answer]) -> Answer:
    if fault.kind == "down":
        return Answer(503)
    if fault.kind == "status":
        return Answer(fault.status)
    if fault.kind != "drop_request":
        serve()
    if fault.kind == "silent":
        platform.closed.wait(fault.seconds)
    return DROPPED


def _hang_up(connection: socket) -> None:
    try:
        connection.shutdown(SHUT_RDWR)
    except OSError as error:
        logger.debug("connection was gone already: %s", error)

"""The HTTP server: it takes the place of the platform's three hosts, and has control URLs at `/_sandbox/`."""

import logging
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from threading import Lock, Thread
from typing import Any, Final, NamedTuple, Self, Unpack
from urllib.parse import unquote, urlsplit

from django_hyber.sandbox.answers import NOT_FOUND, SandboxAnswer, Wire, last
from django_hyber.sandbox.control import CONTROL_PREFIX, control
from django_hyber.sandbox.faults import BULK, REPORTS, SINGLE, STATUS, VISIBLE, Fault, FaultOptions, Visibility
from django_hyber.sandbox.ledger import Ledger, RecordedRequest
from django_hyber.sandbox.platform import Platform, Settings

logger = logging.getLogger(__name__)

MAX_BODY: Final = 64 * 1024 * 1024


class Route(NamedTuple):
    """The method of a URL, its name in the paths of faults, and the function that answers."""

    method: str
    path: str
    serve: Callable[[bytes, Visibility], SandboxAnswer]


def find_route(path: str, client_id: str, platform: Platform) -> Route | None:
    """Return the route of a path of the platform."""
    first, *rest = [unquote(segment) for segment in path.split("/")[1:]] or [""]
    if first != client_id:
        return None
    return _sending_route(rest, platform) or _query_route(rest, platform)


def _sending_route(segments: list[str], platform: Platform) -> Route | None:
    match segments:
        case []:
            return Route("POST", SINGLE, lambda body, visibility: platform.send("single", body, visibility))
        case ["batch" | "broadcast" as kind]:
            return Route("POST", BULK, lambda body, visibility: platform.send(kind, body, visibility))
        case ["batch" | "broadcast" as kind, "sync"]:
            return Route("POST", BULK, lambda body, visibility: platform.send(kind, body, visibility, sync=True))
    return None


def _query_route(segments: list[str], platform: Platform) -> Route | None:
    match segments:
        case ["status", job_id]:
            return Route("GET", STATUS, lambda *_: platform.campaign_status(job_id))
        case ["api", "dr", "external", extra_id, "simple" | "advanced" as form]:
            return Route("GET", REPORTS, lambda *_: platform.report_by_extra_id(extra_id, form))
        case ["api", "dr", message_id, "simple" | "advanced" as form]:
            return Route("GET", REPORTS, lambda *_: platform.report_by_message_id(message_id, form))
    return None


class SandboxServer(ThreadingHTTPServer):
    """Tracks its open connections, which are closed together with the server."""

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
        """Replace the platform, discarding all state."""
        old, self.platform = self.platform, Platform(self.settings)
        old.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Add the connection to the open ones."""
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Remove the connection from the open ones."""
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error of a handler. A client that disconnects early is not an error."""
        error = sys.exception()
        if isinstance(error, ConnectionError):
            logger.debug("client disconnected: %s", error)
        else:
            logger.error("a request was not answered", exc_info=error)

    def close(self) -> None:
        """Stop serving, close the connections and drop pending reports."""
        # On systems that do not report the closed listening socket, `serve_forever` checks the flag at its next poll.
        _disconnect(self.socket)
        self.shutdown()
        with self._connections_lock:
            for connection in self._connections:
                _disconnect(connection)
        self.platform.close()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """Reads a request, gets the platform's answer, and writes it."""

    server: SandboxServer
    protocol_version = "HTTP/1.1"
    timeout = 75
    # Writes are not buffered.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Start measuring the idle time of the connection."""
        super().setup()
        self._idle_since = time.monotonic()

    def do_GET(self) -> None:
        """Answer queries of reports and of campaign statuses."""
        self._serve()

    def do_POST(self) -> None:
        """Accept messages."""
        self._serve()

    def do_DELETE(self) -> None:
        """Answer control requests with this method."""
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Log at debug level instead of to stderr."""
        logger.debug(format, *args)

    def _serve(self) -> None:
        platform, path = self.server.platform, urlsplit(self.path).path
        route = find_route(path, self.server.settings.client_id, platform)
        fault = None
        if route is not None and route.method == self.command:
            fault = platform.faults.choose(route.path, time.monotonic() - self._idle_since)
        if fault is not None and not fault.definition.arrives:
            self._write(platform, fault.answer(lambda _=VISIBLE: NOT_FOUND))
            return
        body = self._read_body()
        if body is None:
            # The size of the body is unknown, so no further request can be read from the connection.
            self._write(platform, SandboxAnswer(413, headers={"Connection": "close"}, deliver=last))
        elif path.startswith(CONTROL_PREFIX):
            self._write(platform, control(self.server, self.command, self.path, body))
        else:
            # A request that started before a reset belongs to the old platform.
            self._write(platform, self._answer(platform, route, fault, body))

    def _answer(self, platform: Platform, route: Route | None, fault: Fault | None, body: bytes) -> SandboxAnswer:
        authorized = self.server.is_authorized(self.headers.get("Authorization", ""))
        platform.requests.add(self.command, self.path, dict(self.headers), body, authorized=authorized)
        if route is None:
            return NOT_FOUND
        if self.command != route.method:
            return SandboxAnswer(405, headers={"Allow": route.method})

        def take(visibility: Visibility = VISIBLE) -> SandboxAnswer:
            if not authorized:
                return SandboxAnswer(401, headers={"WWW-Authenticate": 'Basic realm="Hyber sandbox"'})
            if self.command == "POST" and self.headers.get_content_type() != "application/json":
                return SandboxAnswer(415)
            return route.serve(body, visibility)

        return take() if fault is None else fault.answer(take)

    def _read_body(self) -> bytes | None:
        """Read the body. Returns None if its size is missing or too large."""
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

    def _write(self, platform: Platform, answer: SandboxAnswer) -> None:
        self.log_request(answer.status)
        stays_open = answer.deliver(Wire(self.connection, platform.closed), *answer.render())
        self.close_connection = self.close_connection or not stays_open
        self._idle_since = time.monotonic()


def _disconnect(connection: socket) -> None:
    try:
        connection.shutdown(SHUT_RDWR)
    except OSError as error:
        logger.debug("connection was already closed: %s", error)


class Sandbox:
    """A local stand-in for the platform. It serves between `start()` and `close()`, or within a `with` block.

    Times are in seconds. `time_scale` is a factor for every TTL, `latency` is the time until a channel delivers, and
    `clock` returns epoch seconds. `unknown_id` selects the answer to a GET for an unknown id. `fault_seconds` is the
    duration of faults selected by phone numbers. With port 0, a free port is used.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        client_id: str = "sandbox",
        login: str = "sandbox",
        password: str = "sandbox",  # noqa: S107 - not a secret
        latency: float = 0.05,
        time_scale: float = 0.01,
        report_batch: int = 1000,
        report_interval: float = 0.2,
        callbacks: bool = True,
        errors_as_200: bool = False,
        report_each_channel: bool = False,
        unknown_id: str = "404",
        fault_seconds: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._address = (host, port)
        self._settings = Settings(
            client_id=client_id,
            login=login,
            password=password,
            latency=latency,
            time_scale=time_scale,
            report_batch=report_batch,
            report_interval=report_interval,
            callbacks=callbacks,
            errors_as_200=errors_as_200,
            report_each_channel=report_each_channel,
            unknown_id=unknown_id,
            fault_seconds=fault_seconds,
            clock=clock,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def start(self) -> None:
        """Bind the port and serve. Raises OSError if the port is in use."""
        self._server = SandboxServer(self._address, self._settings)
        self._thread = Thread(target=self._server.serve_forever, args=[0.05], name="hyber-sandbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving. Pending reports are dropped."""
        self._server.close()
        self._thread.join()

    @property
    def origin(self) -> str:
        """The scheme, host and port."""
        return f"http://{self._address[0]}:{self._server.server_port}"

    @property
    def url(self) -> str:
        """The URL of single messages, and the prefix of the others: origin and client id."""
        return f"{self.origin}/{self._settings.client_id}"

    @property
    def ledger(self) -> Ledger:
        """The current counts of messages and callbacks."""
        return self._server.platform.ledger

    @property
    def requests(self) -> list[RecordedRequest]:
        """The latest requests, the oldest first."""
        return self._server.platform.requests.last()

    def reset(self) -> None:
        """Discard messages, requests, faults and pending reports."""
        self._server.reset()

    def fault(self, kind: str, **options: Unpack[FaultOptions]) -> None:
        """Add a fault. By default it affects the next POST; see docs/sandbox.rst for kinds and options."""
        self._server.platform.faults.add(Fault(kind=kind, **options))

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._server.platform.faults.clear()

    def answer_unknown_ids(self, how: str) -> None:
        """Set the answer to a GET for an unknown id, until the next reset."""
        self._server.platform.answer_unknown_ids(how)

    def flush(self) -> int:
        """Run all pending steps now, and return their number."""
        return self._server.platform.flush()

    def wait_idle(self, timeout: float = 10.0) -> bool:
        """Wait until every report is answered or given up. Returns False after the timeout."""
        return self._server.platform.wait_idle(timeout)

"""The HTTP side: one server plays the three hosts of the platform, and `/_sandbox/` serves tests."""

import json
import logging
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from threading import Lock, Thread
from typing import Any, Final, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from django_hyber.sandbox.answers import DROPPED, NOT_FOUND, Answer
from django_hyber.sandbox.control import CONTROL_PREFIX, control
from django_hyber.sandbox.ledger import Ledger, RecordedRequest
from django_hyber.sandbox.platform import Fault, FaultKind, Platform, Settings

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


class Sandbox:
    """A local platform; serves between `start()` and `close()`, or inside a `with` block.

    Times are in seconds. `time_scale` shortens every TTL, `latency` is what a channel needs to deliver, `clock`
    returns epoch seconds. Port 0 takes a free one.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        client_id: str = "sandbox",
        login: str = "sandbox",
        password: str = "sandbox",  # noqa: S107 - nobody's secret
        latency: float = 0.05,
        time_scale: float = 0.01,
        report_batch: int = 1000,
        report_interval: float = 0.2,
        callbacks: bool = True,
        errors_as_200: bool = False,
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
            clock=clock,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def start(self) -> None:
        """Bind the port and serve; raises OSError if the port is taken."""
        self._server = SandboxServer(self._address, self._settings)
        self._thread = Thread(target=self._server.serve_forever, args=[0.05], name="hyber-sandbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving; reports not yet sent are dropped."""
        self._server.close()
        self._thread.join()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{self._address[0]}:{self._server.server_port}"

    @property
    def url(self) -> str:
        """The URL of single messages, and the beginning of all others: origin and client id."""
        return f"{self.origin}/{self._settings.client_id}"

    @property
    def ledger(self) -> Ledger:
        """The account of what was asked and done, up to now."""
        return self._server.platform.ledger

    @property
    def requests(self) -> list[RecordedRequest]:
        """The last requests, oldest first."""
        return self._server.platform.requests.last()

    def reset(self) -> None:
        """Forget messages, requests, faults and reports not yet sent."""
        self._server.reset()

    def fault(self, kind: FaultKind, *, count: int = 1, status: int = 502, seconds: float = 30.0) -> None:
        """Let the next POSTs fail; see docs/sandbox.rst for the kinds."""
        self._server.platform.faults.extend([Fault(kind, status, seconds)] * count)

    def flush(self) -> int:
        """Let everything happen now that is due or still to come; returns the number of steps."""
        return self._server.platform.flush()

    def wait_idle(self, timeout: float = 10.0) -> bool:
        """Wait until every report was answered or given up; False if that took too long."""
        return self._server.platform.wait_idle(timeout)

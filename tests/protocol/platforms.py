"""Small servers on real sockets: one that answers HTTP as told, and one that misbehaves below HTTP."""

import json
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    method: str
    path: str
    headers: dict
    body: bytes
    client: tuple

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Platform:
    """Answers every request with the same status, headers and body, and remembers what was asked.

    A body may be made from the request by a function.
    """

    status: int = 200
    headers: dict = field(default_factory=dict)
    body: object = b""
    requests: list = field(default_factory=list)
    url: str = ""

    def answer_to(self, request):
        body = self.body(request) if callable(self.body) else self.body
        return body if isinstance(body, bytes) else json.dumps(body).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        platform = self.server.platform
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, self.path, dict(self.headers), body, self.client_address)
        platform.requests.append(request)
        answer = platform.answer_to(request)
        self.send_response(platform.status)
        for name, value in {"Content-Length": str(len(answer)), **platform.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self):
        self.do_POST()

    def log_message(self, *args):
        """Keep the output of the tests clean."""


@contextmanager
def serve(tls=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.platform = platform = Platform()
    scheme = "http"
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    platform.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def accept(*behaviours):
    """Give each connection, in turn, to one behaviour: a function of the connected socket. Yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        for behave in behaviours:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                behave(connection)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        # Wakes accept() up; close() alone would not.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def answering(data, finish=lambda connection: None):
    """Read a request, send these bytes, and finish."""

    def behave(connection):
        read_request(connection)
        connection.sendall(data)
        finish(connection)

    return behave


def in_tls(tls, behave):
    """Behave so after a TLS handshake."""

    def secured(connection):
        with tls.wrap_socket(connection, server_side=True) as wrapped:
            behave(wrapped)

    return secured


def read_request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head, body


def await_hang_up(connection):
    """Say nothing more until the other side has gone, and for ten seconds at most."""
    connection.settimeout(10)
    with suppress(OSError):
        while connection.recv(65536):
            continue


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()

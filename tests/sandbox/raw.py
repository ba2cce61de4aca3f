"""A client that sees what is on the wire: bytes, pauses, and how a connection ends."""

import json
import socket
import time
from base64 import b64encode
from urllib.parse import urlsplit

CREDENTIALS = b64encode(b"sandbox:sandbox").decode()


class RawClient:
    """One connection. `pieces` holds what each read has given, and `end` is how the last answer ended."""

    def __init__(self, sandbox):
        self.target = urlsplit(sandbox.url)
        self.socket = socket.create_connection((self.target.hostname, self.target.port), timeout=5)

    def close(self):
        self.socket.close()

    def send(self, path="", body=None):
        method, data = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
        head = (
            f"{method} {self.target.path}{path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Basic {CREDENTIALS}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + data)

    def receive(self):
        """Read until the connection is closed or reset, or the answer is complete."""
        self.pieces, self.end = [], "complete"
        began = time.monotonic()
        while not self._is_complete():
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                self.end = "reset"
                break
            if not piece:
                self.end = "closed"
                break
            self.pieces.append(piece)
        self.seconds = time.monotonic() - began
        return self

    def ask(self, path="", body=None):
        self.send(path, body)
        return self.receive()

    @property
    def head(self):
        return b"".join(self.pieces).partition(b"\r\n\r\n")[0].decode()

    @property
    def body(self):
        return b"".join(self.pieces).partition(b"\r\n\r\n")[2]

    @property
    def status(self):
        return int(self.head.split()[1])

    @property
    def headers(self):
        return dict(line.split(": ", 1) for line in self.head.split("\r\n")[1:])

    @property
    def json(self):
        return json.loads(self.body)

    def _is_complete(self):
        has_head = b"\r\n\r\n" in b"".join(self.pieces)
        return has_head and len(self.body) == int(self.headers.get("Content-Length", -1))

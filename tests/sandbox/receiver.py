"""A host that delivery reports are called back to."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Keeps every body it is sent; `statuses` are the answers to the next callbacks, then 200."""

    def __init__(self):
        self.bodies = []
        self.statuses = []
        self.connections = set()
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/reports/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05])
        self._thread.start()

    @property
    def reports(self):
        return [report for body in self.bodies for report in (body if isinstance(body, list) else [body])]

    def wait_for(self, reports, timeout=30):
        deadline = time.monotonic() + timeout
        while len(self.reports) < reports and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.reports

    def close(self):
        # Wakes the server, which otherwise sees the flag of `shutdown` at its next look only.
        self._server.socket.shutdown(socket.SHUT_RDWR)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.receiver.statuses.pop(0) if self.receiver.statuses else 200
        if status == 200:
            self.receiver.bodies.append(json.loads(body))
            self.receiver.connections.add(self.client_address)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        """Keep the output of the tests clean."""

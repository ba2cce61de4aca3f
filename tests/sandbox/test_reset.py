"""One sandbox serves many tests: after a reset nothing from before it is reported, counted or waited for."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from django_hyber.sandbox.ledger import Ledger
from django_hyber.sandbox.server import Handler
from django_hyber.sandbox.store import MAX_WAIT
from tests.conftest import LOGIN, PASSWORD
from tests.sandbox.bodies import broadcast, single


class SlowReceiver:
    """Lets callbacks wait until `answer` is called."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.connections = []

    def accept(self):
        connection, _ = self.listener.accept()
        connection.settimeout(5)
        self.connections.append(connection)
        return connection.recv(65536)

    def answer(self):
        self.connections[-1].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def close(self):
        for each in (self.listener, *self.connections):
            each.close()


@pytest.fixture
def slow_receiver():
    receiver = SlowReceiver()
    receiver.listener.settimeout(5)
    yield receiver
    receiver.close()


def test_steps_that_are_due_later_do_not_happen(start, receiver):
    now = [time.time()]
    api = start(latency=3600, clock=lambda: now[0])
    api.post(json=single(callback_url=receiver.url))
    api.post("/broadcast", json=broadcast("90", "91", callback_url=receiver.url))
    api.sandbox.reset()
    assert api.sandbox.wait_idle(0)
    assert api.sandbox.flush() == 0
    now[0] += 4 * 3600
    time.sleep(2 * MAX_WAIT)
    assert receiver.bodies == []


def test_callback_on_its_way_has_ended_when_the_reset_returns(api, slow_receiver):
    api.post(json=single(callback_url=slow_receiver.url))
    assert slow_receiver.accept()
    with ThreadPoolExecutor(1) as pool:
        reset = pool.submit(api.sandbox.reset)
        time.sleep(0.05)
        assert not reset.done()
        slow_receiver.answer()
        reset.result(5)
    assert api.sandbox.ledger.callbacks.sent == 0


def test_callback_that_failed_is_not_repeated(api, receiver):
    receiver.statuses = [503]
    api.post(json=single(callback_url=receiver.url))
    deadline = time.monotonic() + 5
    while receiver.statuses and time.monotonic() < deadline:
        time.sleep(0.005)
    api.sandbox.reset()
    time.sleep(0.3)
    assert receiver.bodies == []


def test_silent_request_ends(api):
    api.sandbox.fault("silent", seconds=30)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.post, json=single())
        while not api.sandbox.ledger.taken:
            time.sleep(0.005)
        api.sandbox.reset()
        with pytest.raises(requests.ConnectionError):
            waiting.result(5)


def test_request_that_began_before_is_not_counted(api, monkeypatch):
    begun, read_body = threading.Event(), Handler._read_body

    def announce_and_read(handler):
        begun.set()
        return read_body(handler)

    monkeypatch.setattr(Handler, "_read_body", announce_and_read)
    body = json.dumps(single()).encode()
    address = urlsplit(api.sandbox.origin)
    with socket.create_connection((address.hostname, address.port), timeout=5) as client:
        client.sendall(b"POST /sandbox HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert begun.wait(5)
        api.sandbox.reset()
        client.sendall(body)
        assert client.recv(65536).startswith(b"HTTP/1.1 401")
    assert api.sandbox.requests == []


@pytest.mark.parametrize("turn", ["first", "second"])
def test_shared_sandbox_is_empty_whatever_the_test_before_left(sandbox, receiver, turn):
    assert sandbox.requests == []
    assert sandbox.ledger.as_dict() == Ledger().as_dict()
    assert sandbox.flush() == 0
    session = requests.Session()
    session.auth = (LOGIN, PASSWORD)
    # A fault that was left, or the memory of this number, would answer otherwise.
    assert session.post(sandbox.url, json=single("98"), timeout=5).status_code == 503
    assert session.post(sandbox.url, json=single(extra_id=turn, callback_url=receiver.url), timeout=5).ok
    for kind in ("silent", "status", "down"):
        sandbox.fault(kind)
    with pytest.raises(requests.ReadTimeout):
        session.post(sandbox.url, json=single(), timeout=0.2)

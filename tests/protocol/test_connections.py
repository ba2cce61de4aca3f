"""The connection under an exchange: one deadline, the last check before the first byte, an owner and an age."""

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from contextlib import contextmanager, suppress
from http.client import HTTPException

import pytest
import requests

from django_hyber.protocol import NotTaken, ReadTimeout, RequestTooLarge, UnreadableResponse, connections
from tests.protocol import platforms
from tests.protocol.platforms import answering, in_tls

BODY = {"phone_number": 380671234567}
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"message_id": "m1"}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SHORT = {"connect_timeout": 0.3, "read_timeout": 0.3}
DEADLINE = 0.6


def trickling(*parts, read=platforms.read_request):
    """Send some bytes at once, and the rest byte by byte for longer than any deadline here."""

    def behave(connection):
        read(connection)
        connection.sendall(parts[0])
        with suppress(OSError):
            for byte in parts[1]:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

    return behave


@contextmanager
def ends_at_the_deadline(error):
    started = time.monotonic()
    with pytest.raises(error):
        yield
    assert time.monotonic() - started < DEADLINE + 3


class TestDeadline:
    @pytest.mark.parametrize(
        "parts",
        [
            (b"", b"HTTP/1.1 200 OK\r\n" * 10),
            (b"HTTP/1.1 200 OK\r\n", b"X-Padding: 0123456789\r\n" * 10),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n", b" " * 200),
            (b"HTTP/1.1 200 OK\r\n\r\n", b" " * 200),
            (CHUNKED, b"1\r\n \r\n" * 40),
            (CHUNKED + b"1;", b"extension" * 20),
        ],
        ids=["status line", "headers", "interim answers", "body", "body without length", "chunks", "chunk size"],
    )
    def test_answer_that_trickles_in_ends_at_the_deadline(self, make_client, parts):
        with platforms.accept(trickling(*parts)) as port, ends_at_the_deadline(ReadTimeout):
            make_client(f"http://127.0.0.1:{port}", **SHORT).send_single(BODY)

    @pytest.mark.parametrize("parts", [(b"", b"HTTP/1.1 200 OK\r\n" * 10), (CHUNKED, b"1\r\n \r\n" * 40)])
    def test_so_does_one_over_tls(self, make_client, tls, certificate, monkeypatch, parts):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        behave = in_tls(tls, trickling(*parts))
        with platforms.accept(behave) as port, ends_at_the_deadline(ReadTimeout):
            make_client(f"https://127.0.0.1:{port}", **SHORT).send_single(BODY)

    def test_so_does_a_report(self, make_client):
        with platforms.accept(trickling(CHUNKED, b"1\r\n \r\n" * 40)) as port, ends_at_the_deadline(ReadTimeout):
            make_client(f"http://127.0.0.1:{port}", **SHORT).fetch_report(extra_id="a")

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_request_that_is_read_too_slowly_ends_at_the_deadline(
        self, make_client, tls, certificate, monkeypatch, scheme
    ):
        def read_slowly(connection):
            with suppress(OSError):
                for _ in range(40):
                    connection.recv(4096)
                    time.sleep(0.05)

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        behave = in_tls(tls, read_slowly) if scheme == "https" else read_slowly
        with platforms.accept(behave) as port, ends_at_the_deadline(ReadTimeout):
            make_client(f"{scheme}://127.0.0.1:{port}", **SHORT).send_batch(b"x" * 20_000_000)

    def test_proxy_that_trickles_is_not_waited_for(self, make_client, monkeypatch):
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        behave = trickling(b"HTTP/1.1 200 OK\r\n", b"X-Padding: 0123456789\r\n" * 10)
        with platforms.accept(behave) as port:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
            with ends_at_the_deadline(NotTaken):
                make_client("https://hyber.example", **SHORT).send_single(BODY)

    def test_wait_for_data_ends_with_the_read_timeout(self, make_client):
        started = time.monotonic()
        behave = trickling(b"", b"", read=platforms.await_hang_up)
        with platforms.accept(behave) as port, pytest.raises(ReadTimeout):
            make_client(f"http://127.0.0.1:{port}", connect_timeout=30, read_timeout=0.3).send_single(BODY)
        assert time.monotonic() - started < 2

    def test_address_that_never_answers_leaves_time_for_the_next(self, make_client, platform, monkeypatch):
        port = int(platform.url.rpartition(":")[2])
        listener = socket.create_server(("127.0.0.2", port), backlog=0)
        waiting = [socket.socket() for _ in range(2)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.2", port))
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *rest, **options: [
                found
                for address in (["127.0.0.2", "127.0.0.1"] if host == "hyber.example" else [host])
                for found in real(address, *rest, **options)
            ],
        )
        platform.body = {"message_id": "m"}
        try:
            assert make_client(f"http://hyber.example:{port}", connect_timeout=1).send_single(BODY) == "m"
        finally:
            for one in (listener, *waiting):
                one.close()

    def test_threads_with_a_client_each_keep_their_own_deadlines(self, make_client):
        fast = [answering(OK)] * 3
        with platforms.accept(trickling(b"", b"HTTP/1.1 200 OK\r\n" * 10)) as slow, platforms.accept(*fast) as port:
            lost = []

            def send_slowly():
                try:
                    make_client(f"http://127.0.0.1:{slow}", **SHORT).send_single(BODY)
                except ReadTimeout as error:
                    lost.append(error)

            thread = threading.Thread(target=send_slowly)
            thread.start()
            for _ in fast:
                assert make_client(f"http://127.0.0.1:{port}").send_single(BODY) == "m1"
            thread.join()
        assert len(lost) == 1


class TestLimit:
    @staticmethod
    def send(make_client, method, head, *parts, argument=BODY):
        def behave(connection):
            platforms.read_request(connection)
            with suppress(OSError):
                for part in (head, *parts):
                    connection.sendall(part)

        with platforms.accept(behave) as port:
            return getattr(make_client(f"http://127.0.0.1:{port}"), method)(argument)

    def test_answer_with_a_length_is_read_up_to_the_limit(self, make_client):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n"
        with pytest.raises(UnreadableResponse, match="longer than 1,048,576 bytes") as caught:
            self.send(make_client, "send_single", head, b" " * 2_000_000)
        assert caught.value.http_status == 200

    def test_answer_without_end_is_read_up_to_the_limit(self, make_client):
        chunks = [b"10000\r\n" + b" " * 0x10000 + b"\r\n"] * 100
        with pytest.raises(UnreadableResponse, match="longer"):
            self.send(make_client, "send_single", CHUNKED, *chunks)

    def test_compressed_answer_is_measured_by_what_comes_out_of_it(self, make_client):
        bomb = gzip.compress(b" " * 200_000_000, compresslevel=1)
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
        with pytest.raises(UnreadableResponse, match="longer than 67,108,864 bytes"):
            self.send(make_client, "send_broadcast_sync", head, bomb)

    @pytest.mark.parametrize("layers", [1, 2])
    def test_compressed_answer_is_never_in_memory_as_a_whole(self, make_client, layers):
        bomb = gzip.compress(b" " * 200_000_000, compresslevel=9)
        bomb = bomb if layers == 1 else gzip.compress(bomb)
        encoding = b", ".join([b"gzip"] * layers)
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(bomb))
        tracemalloc.start()
        try:
            with pytest.raises(UnreadableResponse, match="longer than 1,048,576 bytes"):
                self.send(make_client, "send_single", head, bomb)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert peak < 10_000_000

    def test_answer_about_as_many_recipients_as_a_request_takes_is_read(self, make_client):
        entry = {
            "phone_number": 380671234567,
            "extra_id": "e" * 64,
            "message_id": "m" * 36,
            "accepted": False,
            "error_code": 36024,
            "error_text": "т" * 100,
        }
        data = json.dumps({"messages": [entry] * 50_000}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data)
        assert len(self.send(make_client, "send_batch_sync", head, data)) == 50_000

    @pytest.mark.parametrize("size", [1, 70_000])
    def test_answer_of_the_greatest_length_is_read_in_whatever_pieces_it_comes(self, make_client, size):
        data = b'{"message_id": "m1"}'.ljust(1024**2)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data)
        assert self.send(make_client, "send_single", head, data[:size], data[size:]) == "m1"

    def test_status_of_a_large_campaign_is_read(self, make_client):
        data = json.dumps({"messages": [{"error_text": "x" * 1_000}] * 2_000}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data)
        assert len(self.send(make_client, "fetch_campaign_status", head, data, argument="job")) == 2_000

    @pytest.mark.parametrize(
        ("status", "error"),
        [(b"413 Content Too Large", RequestTooLarge), (b"503 Busy\r\nRetry-After: 7", NotTaken)],
        ids=["too large", "later"],
    )
    def test_what_the_status_proves_is_proved_however_long_the_body(self, make_client, status, error):
        head = b"HTTP/1.1 %s\r\nContent-Length: 2000000\r\n\r\n" % status
        with pytest.raises(error):
            self.send(make_client, "send_single", head, b" " * 2_000_000)


class TestReuse:
    @pytest.fixture
    def send(self, platform, client):
        platform.body = {"message_id": "m"}

        def send():
            client.send_single(BODY)
            return platform.requests[-1].client

        return send

    def test_connection_that_has_been_idle_is_not_used_again(self, send, monkeypatch):
        monkeypatch.setattr(connections, "MAX_IDLE", 0.2)
        first = send()
        assert send() == first
        time.sleep(0.25)
        assert send() != first

    def test_idleness_begins_with_the_end_of_the_answer(self, send, platform, monkeypatch):
        monkeypatch.setattr(connections, "MAX_IDLE", 0.3)
        platform.body = lambda request: time.sleep(0.4) or {"message_id": "m"}
        assert send() == send()

    def test_answer_after_an_interim_one_is_not_read_as_that_to_the_next_request(self, make_client):
        late = answering(b"HTTP/1.1 102 Processing\r\n\r\n", platforms.await_hang_up)
        with platforms.accept(late, answering(OK)) as port:
            client = make_client(f"http://127.0.0.1:{port}")
            with pytest.raises(UnreadableResponse, match="not final"):
                client.send_single(BODY)
            assert client.send_single(BODY) == "m1"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork()")
    def test_forked_processes_do_not_read_the_answers_of_each_other(self, platform):
        def answer(request):
            time.sleep(0.01)
            return {"message_id": f"id-{request.json['extra_id']}"}

        platform.body = answer
        run = subprocess.run(
            [sys.executable, "-c", FORKING, platform.url], capture_output=True, text=True, timeout=60, check=False
        )
        assert (run.returncode, run.stderr) == (0, "")
        assert len(platform.requests) == 51


FORKING = """
import os, sys, traceback
from django_hyber.protocol import HyberClient

client = HyberClient(client_id="1", login="a", password="b", api_url=sys.argv[1])

def send(name):
    extra_id = f"{name}-{os.getpid()}"
    answer = client.send_single({"extra_id": extra_id})
    assert answer == f"id-{extra_id}", answer

send("before")
children = []
for _ in range(4):
    pid = os.fork()
    if not pid:
        try:
            for number in range(10):
                send(number)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    children.append(pid)
for number in range(10):
    send(number)
sys.exit(any(os.waitpid(pid, 0)[1] for pid in children))
"""


class Wire:
    """One connection that the client has opened, and what it has written to it."""

    def __init__(self):
        self.is_open = threading.Event()
        self.written = b""
        self.ended = threading.Event()

    def __call__(self, connection):
        self.is_open.set()
        connection.settimeout(10)
        with suppress(OSError):
            while data := connection.recv(65536):
                self.written += data
        self.ended.set()

    def assert_unwritten(self):
        assert self.is_open.wait(10)
        assert self.ended.wait(10)
        assert self.written == b""


class TestLastCheck:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_comes_after_connecting_and_before_the_first_byte(self, make_client, tls, certificate, monkeypatch, scheme):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        wire, seen = Wire(), []

        def check():
            assert wire.is_open.wait(10)
            time.sleep(0.1)
            seen.append(wire.written)

        behave = in_tls(tls, wire) if scheme == "https" else wire
        with platforms.accept(behave) as port, pytest.raises(ReadTimeout):
            make_client(f"{scheme}://127.0.0.1:{port}", **SHORT).send_single(BODY, before_write=check)
        assert seen == [b""]
        assert wire.written.startswith(b"POST ")

    @pytest.mark.parametrize("method", ["single", "batch", "batch_sync", "broadcast", "broadcast_sync"])
    def test_every_kind_of_request_has_one(self, client, platform, method):
        with pytest.raises(ZeroDivisionError):
            getattr(client, f"send_{method}")(BODY, before_write=lambda: 1 / 0)
        assert platform.requests == []

    @pytest.mark.parametrize(
        "error",
        [
            ValueError("no"),
            OSError("no"),
            BrokenPipeError(32, "no"),
            ConnectionResetError(104, "no"),
            TimeoutError("no"),
            requests.ConnectionError("no"),
            HTTPException("no"),
            NotTaken(reason="no"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_what_it_raises_goes_to_the_caller_and_nothing_is_written(self, make_client, error):
        def check():
            raise error

        wire = Wire()
        with platforms.accept(wire, answering(OK)) as port:
            client = make_client(f"http://127.0.0.1:{port}")
            with pytest.raises(type(error)) as caught:
                client.send_single(BODY, before_write=check)
            assert caught.value is error
            assert error.__cause__ is None
            wire.assert_unwritten()
            assert client.send_single(BODY) == "m1"

    def test_nothing_is_written_to_a_connection_that_was_used_before(self, make_client):
        wire = Wire()
        with platforms.accept(answering(OK, wire)) as port:
            client = make_client(f"http://127.0.0.1:{port}")
            assert client.send_single(BODY) == "m1"
            with pytest.raises(ZeroDivisionError):
                client.send_single(BODY, before_write=lambda: 1 / 0)
            wire.assert_unwritten()

    def test_does_not_come_while_there_is_no_connection(self, make_client):
        checks = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(NotTaken):
            make_client(f"http://127.0.0.1:{port}").send_single(BODY, before_write=lambda: checks.append(1))
        assert checks == []

    def test_does_not_come_for_a_body_that_json_cannot_say(self, client):
        checks = []
        with pytest.raises(TypeError):
            client.send_single({"text": object()}, before_write=lambda: checks.append(1))
        assert checks == []

    def test_that_takes_too_long_does_not_count_any_more(self, make_client, monkeypatch):
        monkeypatch.setattr(connections, "MAX_CHECK_AGE", 0.1)
        wire = Wire()
        with platforms.accept(wire) as port:
            with pytest.raises(NotTaken, match="last check"):
                make_client(f"http://127.0.0.1:{port}").send_single(BODY, before_write=lambda: time.sleep(0.15))
            wire.assert_unwritten()

    def test_that_uses_up_the_deadline_leaves_no_time_to_write(self, make_client):
        wire = Wire()
        with platforms.accept(wire) as port:
            with pytest.raises(NotTaken, match="no time"):
                make_client(f"http://127.0.0.1:{port}", **SHORT).send_single(BODY, before_write=lambda: time.sleep(0.7))
            wire.assert_unwritten()

    @pytest.mark.parametrize(("seconds", "expected"), [(0, "m1"), (0.7, "NotTaken")])
    def test_of_a_process_that_is_stopped_meanwhile(self, seconds, expected):
        wire = Wire()
        with platforms.accept(answering(OK) if expected == "m1" else wire) as port:
            process = subprocess.Popen(
                [sys.executable, "-c", STOPPING, f"http://127.0.0.1:{port}"], stdout=subprocess.PIPE, text=True
            )
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            time.sleep(seconds)
            process.send_signal(signal.SIGCONT)
            assert process.communicate(timeout=60)[0].strip() == expected
            if expected != "m1":
                wire.assert_unwritten()

    def test_comes_after_the_proxy_has_connected(self, make_client, tls, certificate, monkeypatch):
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        wire = Wire()

        def tunnel(connection):
            head, _ = platforms.read_request(connection)
            assert head.startswith(b"CONNECT 127.0.0.1:443 ")
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            in_tls(tls, wire)(connection)

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with platforms.accept(tunnel) as port:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
            with pytest.raises(ZeroDivisionError):
                make_client("https://127.0.0.1").send_single(BODY, before_write=lambda: 1 / 0)
            wire.assert_unwritten()

    def test_comes_before_a_proxy_is_asked_to_forward(self, make_client, monkeypatch):
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        wire = Wire()
        with platforms.accept(wire) as port:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
            with pytest.raises(ZeroDivisionError):
                make_client("http://hyber.example").send_single(BODY, before_write=lambda: 1 / 0)
            wire.assert_unwritten()


STOPPING = """
import os, signal, sys
from django_hyber.protocol import HyberClient, NotTaken, connections

connections.MAX_CHECK_AGE = 0.5
client = HyberClient(client_id="1", login="a", password="b", api_url=sys.argv[1])
try:
    print(client.send_single({}, before_write=lambda: os.kill(os.getpid(), signal.SIGSTOP)))
except NotTaken:
    print("NotTaken")
"""


def test_request_goes_out_in_one_piece(make_client):
    pieces = []

    def behave(connection):
        pieces.append(connection.recv(65536))
        connection.sendall(OK)

    with platforms.accept(behave) as port:
        assert make_client(f"http://127.0.0.1:{port}").send_single(BODY) == "m1"
    assert pieces[0].endswith(b'{"phone_number":380671234567}')


@pytest.mark.parametrize("scheme", ["socks5", "SOCKS5h"])
def test_socks_proxies_are_refused_before_anything_is_sent(make_client, monkeypatch, scheme):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"{scheme}://127.0.0.1:9")
    with pytest.raises(NotTaken, match="InvalidProxyURL"):
        make_client("http://hyber.example").send_single(BODY)

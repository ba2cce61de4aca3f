"""Connections that fail, each at another moment: was the request taken or not?"""

import base64
import gzip
import logging
import socket
import threading
import time
import traceback
from concurrent.futures import Future
from contextlib import ExitStack

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_hyber.protocol import ConnectionLost, HyberError, NotTaken, OutcomeUnknown, ReadTimeout, RequestTooLarge
from tests.protocol import platforms
from tests.protocol.conftest import LOGIN, PASSWORD
from tests.protocol.platforms import answering

BODY = {"phone_number": 380671234567, "channel_options": {"sms": {"text": "one-time code 4711"}}}
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"message_id": "m1"}'


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def send_to(make_client, port, scheme="http", **options):
    return make_client(f"{scheme}://127.0.0.1:{port}", **options).send_single(BODY)


HEADS = st.sampled_from(
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n2\r\n\x1f\x8b\r\n",
        b"HTTP/1.1 503 Busy\r\nRetry-After: ",
        b"HTTP/1.1 ",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=HEADS, rest=st.binary(max_size=50))
def test_whatever_comes_back_is_an_outcome(make_client, head, rest):
    with platforms.accept(answering(head + rest)) as port, pytest.raises(HyberError):
        send_to(make_client, port)


class TestSurelyNotTaken:
    def test_refused_connection(self, make_client):
        with pytest.raises(NotTaken) as caught:
            send_to(make_client, closed_port())
        assert caught.value.retry_after is None
        assert "ConnectionRefusedError" in str(caught.value)

    def test_unknown_host(self, make_client):
        with pytest.raises(NotTaken, match="gaierror"):
            make_client("http://no-such-host.invalid").send_single(BODY)

    @pytest.mark.parametrize("host", ["", "a" * 64 + ".example", "a..example", "127.0.0.1:99999", "*", "[::1"])
    def test_host_that_no_name_can_have(self, make_client, host):
        with pytest.raises(NotTaken):
            make_client(f"http://{host}").send_single(BODY)

    def test_connection_that_is_not_made_in_time(self, make_client):
        with ExitStack() as stack:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for _ in range(2):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            with pytest.raises(NotTaken):
                send_to(make_client, listener.getsockname()[1], connect_timeout=0.2)

    def test_proxy_that_is_not_there(self, make_client, monkeypatch):
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed_port()}")
        for scheme in ("http", "https"):
            with pytest.raises(NotTaken):
                make_client(f"{scheme}://hyber.example").send_single(BODY)

    def test_proxy_that_refuses_the_tunnel(self, make_client, monkeypatch):
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with platforms.accept(answering(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")) as port:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
            with pytest.raises(NotTaken):
                make_client("https://hyber.example").send_single(BODY)

    def test_certificate_that_is_not_trusted(self, make_client, tls):
        with platforms.serve(tls) as platform, pytest.raises(NotTaken, match="SSLCertVerificationError"):
            make_client(platform.url).send_single(BODY)
        assert platform.requests == []

    @pytest.mark.parametrize(
        "behave",
        [
            lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            lambda connection: connection.recv(1),
            lambda connection: (connection.recv(4096), platforms.reset(connection)),
            lambda connection: (connection.recv(4096), connection.shutdown(socket.SHUT_RDWR)),
        ],
        ids=["speaks no TLS", "closes", "resets", "ends"],
    )
    def test_handshake_that_fails(self, make_client, behave):
        with platforms.accept(behave) as port, pytest.raises(NotTaken):
            send_to(make_client, port, "https")

    def test_handshake_that_never_ends(self, make_client):
        with platforms.accept(platforms.await_hang_up) as port, pytest.raises(NotTaken):
            send_to(make_client, port, "https", connect_timeout=0.2, read_timeout=0.2)

    def test_answer_that_breaks_off_after_it_asked_to_come_back(self, make_client):
        head = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 20\r\n\r\nbusy"
        with platforms.accept(answering(head)) as port, pytest.raises(NotTaken) as caught:
            send_to(make_client, port)
        assert caught.value.retry_after == 7.0


class TestOutcomeUnknown:
    @pytest.mark.parametrize(
        "behave",
        [
            answering(b""),
            answering(b"", platforms.reset),
            answering(b"HTTP/1.1 20"),
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n"),
            answering(OK[:-5]),
            answering(OK[:-5], platforms.reset),
            answering(b"nonsense\r\n\r\n"),
            answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n" + OK[-20:-5]),
            answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + OK[-20:]),
        ],
        ids=[
            "closed without an answer",
            "reset without an answer",
            "half a status line",
            "contradicting headers",
            "half a body",
            "reset in the body",
            "no HTTP",
            "broken chunk",
            "half a chunk",
            "broken compression",
        ],
    )
    def test_connection_that_breaks_after_the_request(self, make_client, behave):
        with platforms.accept(behave) as port, pytest.raises(ConnectionLost) as caught:
            send_to(make_client, port)
        assert "unknown" in str(caught.value)

    def test_answer_that_breaks_off_says_how(self, make_client):
        with platforms.accept(answering(OK[:-5])) as port, pytest.raises(ConnectionLost, match="IncompleteRead"):
            send_to(make_client, port)

    def test_answer_that_ends_in_its_headers(self, make_client):
        with platforms.accept(answering(b"HTTP/1.1 200 OK\r\nContent-Le")) as port, pytest.raises(OutcomeUnknown):
            send_to(make_client, port)

    def test_reset_while_a_large_body_is_being_sent(self, make_client):
        def behave(connection):
            connection.recv(1000)
            platforms.reset(connection)

        with platforms.accept(behave) as port, pytest.raises(ConnectionLost):
            make_client(f"http://127.0.0.1:{port}").send_batch(b"x" * 20_000_000)

    def test_answer_that_comes_before_the_whole_request_was_read_counts(self, make_client):
        def behave(connection):
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")

        with platforms.accept(behave) as port, pytest.raises(RequestTooLarge):
            make_client(f"http://127.0.0.1:{port}").send_batch(b"x" * 20_000_000)

    @pytest.mark.parametrize("sent", [b"", OK[:10], OK[:-5]], ids=["nothing", "half a header", "half a body"])
    def test_answer_that_does_not_come_in_time(self, make_client, sent):
        behave = answering(sent, platforms.await_hang_up)
        with platforms.accept(behave) as port, pytest.raises(ReadTimeout):
            send_to(make_client, port, read_timeout=0.2)

    @pytest.mark.parametrize("finish", [lambda connection: None, platforms.reset], ids=["closes", "resets"])
    def test_tls_connection_that_breaks_after_the_request(self, make_client, monkeypatch, tls, certificate, finish):
        def behave(connection):
            with tls.wrap_socket(connection, server_side=True) as secured:
                platforms.read_request(secured)
                finish(secured)

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with platforms.accept(behave) as port, pytest.raises(ConnectionLost):
            send_to(make_client, port, "https")

    def test_tls_record_that_is_broken_after_the_request(self, make_client, monkeypatch, tls, certificate):
        def behave(connection):
            descriptor = socket.socket(fileno=socket.dup(connection.fileno()))
            with descriptor, tls.wrap_socket(connection, server_side=True) as secured:
                platforms.read_request(secured)
                descriptor.sendall(b"\x17\x03\x03\x00\x20" + b"\x00" * 32)
                platforms.await_hang_up(descriptor)

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with platforms.accept(behave) as port, pytest.raises(ConnectionLost):
            send_to(make_client, port, "https")

    def test_an_earlier_failure_that_the_caller_is_handling_does_not_count(self, make_client):
        with platforms.accept(answering(b"")) as port:
            try:
                requests.post(f"http://127.0.0.1:{closed_port()}", timeout=2)
            except requests.ConnectionError:
                with pytest.raises(ConnectionLost, match="RemoteDisconnected"):
                    send_to(make_client, port)

    def test_an_earlier_failure_does_not_count_in_the_body_either(self, make_client):
        with platforms.accept(answering(OK[:-5])) as port:
            try:
                Future().result(timeout=0)
            except TimeoutError:
                with pytest.raises(ConnectionLost):
                    send_to(make_client, port)


def test_a_trusted_certificate_works(make_client, monkeypatch, tls, certificate):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with platforms.serve(tls) as platform:
        platform.body = {"message_id": "m"}
        assert make_client(platform.url).send_single(BODY) == "m"


def test_a_slow_but_complete_answer_is_an_answer(make_client):
    def behave(connection):
        platforms.read_request(connection)
        for start in range(0, len(OK), 8):
            connection.sendall(OK[start : start + 8])
            time.sleep(0.01)

    with platforms.accept(behave) as port:
        assert send_to(make_client, port) == "m1"


def test_a_compressed_answer_is_read(make_client):
    data = gzip.compress(b'{"message_id": "m1"}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data)
    with platforms.accept(answering(head + data)) as port:
        assert send_to(make_client, port) == "m1"


def test_a_connection_that_the_platform_closed_meanwhile_is_replaced(make_client):
    closed = threading.Event()

    def close(connection):
        connection.close()
        closed.set()

    with platforms.accept(answering(OK, close), answering(OK)) as port:
        client = make_client(f"http://127.0.0.1:{port}")
        assert client.send_single(BODY) == "m1"
        assert closed.wait(10)
        assert client.send_single(BODY) == "m1"


def secrets():
    token = base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
    return PASSWORD, PASSWORD.encode().decode("latin-1"), token


def shown_to_an_error_reporter(error):
    """The texts and local variables along the traceback of an error and of all that it points to."""
    while error is not None:
        yield str(error)
        yield repr(error)
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if not frame.f_code.co_filename.endswith(("test_client_failures.py", "conftest.py")):
                yield from (repr(value) for value in frame.f_locals.values())
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    "behave",
    [answering(b""), answering(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"), answering(b"HTTP/1.1")],
)
def test_credentials_are_in_no_text_log_or_frame(make_client, behave, caplog):
    caplog.set_level(logging.DEBUG)
    with platforms.accept(behave) as port, pytest.raises(Exception, match=r".") as caught:
        send_to(make_client, port)
    shown = " ".join([*shown_to_an_error_reporter(caught.value), caplog.text])
    assert caplog.records
    for secret in secrets():
        assert secret not in shown
    assert "380671234567" not in str(caught.value)
    assert "4711" not in str(caught.value)


def test_credentials_are_in_no_frame_of_what_the_last_check_raises(make_client):
    def check():
        raise LookupError

    with platforms.accept(platforms.await_hang_up) as port, pytest.raises(LookupError) as caught:
        make_client(f"http://127.0.0.1:{port}").send_single(BODY, before_write=check)
    shown = " ".join(shown_to_an_error_reporter(caught.value))
    assert "Exchange" in shown
    for secret in secrets():
        assert secret not in shown

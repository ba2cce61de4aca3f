from __future__ import annotations

import io
import re
import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from django_hyber.protocol.download import PORTS, DownloadFailed, download, is_public
from tests.protocol import platforms

PUBLIC = ["8.8.8.8", "193.0.0.1", "2001:4860:4860::8888", "64:ff9b::808:808"]
NOT_PUBLIC = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "168.63.129.16",
    "192.0.0.192",
    "64:ff9b::a83f:8110",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "localhost",
    "",
]
LOOPBACK = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f000001", "0"]


def anywhere(address):
    return True


def fetch(url, **changes):
    """Download with short limits from wherever it is, and return the bytes."""
    target = io.BytesIO()
    limits = {"max_bytes": 1_000_000, "connect_timeout": 2, "read_timeout": 2, "deadline": 5, "is_allowed": anywhere}
    size = download(url, target, **limits | changes)
    assert size == len(target.getvalue())
    return target.getvalue()


def fails(reason):
    return pytest.raises(DownloadFailed, match=f"^{re.escape(reason)}$")


def resolve_to(monkeypatch, *addresses):
    """Let every name resolve to these addresses; return the names that were asked for."""
    asked = []
    original = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        asked.append(host)
        names = addresses if len(asked) == 1 else [host]
        return [found for name in names for found in original(name, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_all_other_addresses_are_not(address):
    assert not is_public(address)


@pytest.mark.parametrize("host", LOOPBACK)
def test_by_default_our_own_machine_is_refused_however_it_is_written(platform, host):
    port = platform.url.rpartition(":")[2]

    with fails("the host is not on the public internet"):
        download(f"http://{host}:{port}/file", io.BytesIO(), max_bytes=10)

    assert not platform.requests


#: Our own machine and the services of clouds, in the spellings that browsers, libraries and proxies know.
SPELLINGS = [
    *("127.0.0.1.", "LOCALHOST", "localhost.", "localhost%2e", "127.000.000.001", "0177.0.0.1", "0x7f.1", "127.0.1"),
    *("017700000001", "0x0", "１２７.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①", "ⓛocalhost", "[0:0:0:0:0:0:0:1]"),
    *("[::ffff:7f00:1]", "[::ffff:0:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::1%25lo]", "2852039166", "0xa9fea9fe"),
    *("0251.0376.0251.0376", "[::ffff:169.254.169.254]", "[64:ff9b::169.254.169.254]", "8.8.8.8@127.0.0.1"),
    *("8.8.8.8:80@localhost", "8.8.8.8%40127.0.0.1", "127.0.0.1#8.8.8.8", "127.0.0.1;8.8.8.8", "127.0.0.1\\@127.0.0.1"),
    *("127.0.0.1\t", "127.0.0.1\r\nHost: 8.8.8.8", " 127.0.0.1", "127.0.0.1\x00.example"),
]


def test_no_spelling_of_an_address_inside_is_fetched(platform):
    port = platform.url.rpartition(":")[2]
    addresses = [f"[{address}]" if ":" in address else address for address in NOT_PUBLIC if address]
    hosts = {*addresses, *LOOPBACK, *SPELLINGS}
    assert len(hosts) >= 72
    fetched = []
    for host in hosts:
        with suppress(DownloadFailed):
            download(f"http://{host}:{port}/", io.BytesIO(), max_bytes=10, connect_timeout=0.5, read_timeout=0.5)
            fetched.append(host)

    assert fetched == []
    assert not platform.requests


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["8.8.8.8", "192.168.0.1"], ["::1"]])
def test_a_name_that_leads_into_a_private_network_is_refused(monkeypatch, addresses):
    resolve_to(monkeypatch, *addresses)

    with fails("the host is not on the public internet"):
        download("https://media.example/file", io.BytesIO(), max_bytes=10)


def test_the_connection_goes_to_the_address_that_was_checked(platform, monkeypatch):
    port = platform.url.rpartition(":")[2]
    asked = resolve_to(monkeypatch, "127.0.0.1")
    checked = []
    platform.body = b"x"

    fetch(f"http://media.example:{port}/f", is_allowed=lambda address: not checked.append(address))

    assert checked == ["127.0.0.1"]
    assert asked.count("media.example") == 1
    assert (platform.requests[0].path, platform.requests[0].headers["Host"]) == ("/f", f"media.example:{port}")


def test_an_address_of_ipv6_stands_in_brackets_in_the_host_header(platform, monkeypatch):
    port = platform.url.rpartition(":")[2]
    asked = resolve_to(monkeypatch, "127.0.0.1")
    platform.body = b"x"

    assert fetch(f"http://[2001:DB8::A]:{port}/f") == b"x"
    assert asked[0] == "2001:db8::a"
    assert platform.requests[0].headers["Host"] == f"[2001:db8::a]:{port}"


def test_the_port_of_the_scheme_is_not_in_the_host_header(platform, monkeypatch):
    monkeypatch.setitem(PORTS, "http", int(platform.url.rpartition(":")[2]))
    platform.body = b"x"

    assert fetch("http://127.0.0.1/f") == b"x"
    assert platform.requests[0].headers["Host"] == "127.0.0.1"


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_without_a_port_the_connection_goes_to_that_of_the_scheme(monkeypatch, scheme, port):
    tried = []

    def refuse(address, timeout):
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    with fails("no connection"):
        fetch(f"{scheme}://127.0.0.1/f")

    assert tried == [("127.0.0.1", port)]


@pytest.mark.parametrize("limits", [{"connect_timeout": 0.2, "deadline": 30}, {"connect_timeout": 30, "deadline": 0.2}])
def test_an_address_that_never_answers_is_left_in_time(monkeypatch, limits):
    started = time.monotonic()
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        # Nothing listens at the second one.
        resolve_to(monkeypatch, "127.0.0.1", "127.0.0.2")
        with fails("no connection"):
            fetch(f"http://media.example:{listener.getsockname()[1]}/f", **limits)
    assert time.monotonic() - started < 10


def test_the_next_address_is_tried_when_the_first_does_not_answer(platform, monkeypatch):
    resolve_to(monkeypatch, "::1", "127.0.0.1")
    platform.body = b"x"

    assert fetch(f"http://media.example:{platform.url.rpartition(':')[2]}/f") == b"x"


def test_the_file_comes_whole_and_nothing_of_ours_goes_along(platform):
    platform.body = bytes(range(256)) * 1_000

    assert fetch(f"{platform.url}/a%20b/файл one.jpg?sig=a%2Fb&x=ж") == platform.body
    request = platform.requests[0]
    assert request.method == "GET"
    assert request.path == "/a%20b/%D1%84%D0%B0%D0%B9%D0%BB%20one.jpg?sig=a%2Fb&x=%D0%B6"
    assert {name.lower() for name in request.headers} == {"host", "user-agent", "accept-encoding"}
    assert request.headers["User-Agent"] == "django-hyber"


def test_characters_with_a_meaning_in_an_address_stay_as_they_are(platform):
    written = "/a%2B+,;:@!$&'()*=-._~?q=a+b%26c&at=12:30/@!$'()*,;"

    fetch(platform.url + written)

    assert platform.requests[0].path == written


def test_proxies_are_not_asked(platform, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    platform.body = b"x"

    assert fetch(platform.url) == b"x"
    assert platform.requests[0].path == "/"


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://media.example/f", "//media.example/f", "", "http://", "x"]
)
def test_other_schemes_are_refused(url):
    with fails("the URL does not begin with https:// or http://"):
        fetch(url)


@pytest.mark.parametrize("url", ["http://[::1/f", "http://h:99999/f", "http://a..b/f", f"http://{'a' * 70}.ua/f"])
def test_what_is_no_url_is_refused(url):
    with fails("the URL cannot be read"):
        fetch(url)


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/f", "http://nul\x00/f", "http://a b/f"])
def test_a_host_that_cannot_be_found_is_told(url):
    with fails("the name of the host cannot be resolved"):
        fetch(url)


@pytest.mark.parametrize("status", [300, 301, 307, 399])
def test_redirects_are_not_followed(platform, status):
    platform.status = status
    platform.headers = {"Location": f"{platform.url}/elsewhere"}

    with fails(f"HTTP {status}, and redirects are not followed"):
        fetch(platform.url)
    assert len(platform.requests) == 1


@pytest.mark.parametrize("status", [204, 206, 299, 400, 404, 500])
def test_anything_but_the_file_is_a_failure(platform, status):
    platform.status = status

    with fails(f"HTTP {status}"):
        fetch(platform.url)


@pytest.mark.parametrize(("size", "is_taken"), [(0, True), (100, True), (101, False)])
def test_the_limit_is_on_the_bytes(platform, size, is_taken):
    platform.body = b"x" * size

    if is_taken:
        assert len(fetch(platform.url, max_bytes=100)) == size
    else:
        with fails("it is larger than 100 bytes"):
            fetch(platform.url, max_bytes=100)


def test_a_file_without_a_length_is_cut_off_at_the_limit():
    sent = []

    def behave(connection):
        platforms.read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError):
            while True:
                connection.sendall(b"x" * 65536)
                sent.append(65536)

    target = io.BytesIO()
    with platforms.accept(behave) as port, fails("it is larger than 1000000 bytes"):
        download(f"http://127.0.0.1:{port}/", target, max_bytes=1_000_000, is_allowed=anywhere)

    assert len(target.getvalue()) <= 1_000_000
    assert sum(sent) < 20_000_000


def answer(head, *, then=None):
    def behave(connection):
        platforms.read_request(connection)
        connection.sendall(head)
        if then:
            then(connection)

    return behave


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"no HTTP at all\r\n\r\n",
        b"",
    ],
)
def test_a_broken_answer_is_no_file(head):
    with platforms.accept(answer(head)) as port, pytest.raises(DownloadFailed):
        fetch(f"http://127.0.0.1:{port}/")


def test_a_refused_connection_is_told():
    with fails("no connection"):
        fetch("http://127.0.0.1:1/")


def test_silence_ends_with_the_read_timeout():
    with (
        platforms.accept(answer(b"", then=lambda connection: connection.recv(1))) as port,
        fails("the transfer failed (TimeoutError)"),
    ):
        fetch(f"http://127.0.0.1:{port}/", read_timeout=0.2)


def drip(connection):
    with suppress(OSError):
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
    ],
)
def test_a_server_that_drips_is_left_at_the_deadline(head):
    started = time.monotonic()
    with platforms.accept(answer(head, then=drip)) as port, fails("it took too long"):
        fetch(f"http://127.0.0.1:{port}/", deadline=0.5)
    # It would drip for ever; the deadline is half a second, and the machine may be busy.
    assert time.monotonic() - started < 15


def test_a_connection_that_is_gone_at_the_deadline_is_left_quietly(monkeypatch):
    is_read = threading.Event()

    class SlowFile(io.BytesIO):
        def write(self, data):
            is_read.set()
            time.sleep(0.6)
            return super().write(data)

    def reset(connection):
        is_read.wait(5)
        platforms.reset(connection)

    reported = []
    monkeypatch.setattr(threading, "excepthook", reported.append)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    with platforms.accept(answer(head, then=reset)) as port, fails("it took too long"):
        download(f"http://127.0.0.1:{port}/", SlowFile(), max_bytes=1, deadline=0.3, is_allowed=anywhere)

    assert reported == []


def test_a_process_that_ends_does_not_wait_for_the_deadline_of_a_download():
    waits = []

    def behave(connection):
        platforms.read_request(connection)
        waits.extend(not thread.daemon for thread in threading.enumerate() if isinstance(thread, threading.Timer))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with platforms.accept(behave) as port:
        fetch(f"http://127.0.0.1:{port}/")

    assert waits == [False]


def test_over_tls_the_name_decides_and_not_the_address(tls, certificate, monkeypatch):
    names = []
    tls.sni_callback = lambda connection, name, context: names.append(name)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with platforms.serve(tls=tls) as platform:
        platform.body = b"secret"
        assert fetch(platform.url) == b"secret"
        port = platform.url.rpartition(":")[2]
        resolve_to(monkeypatch, "127.0.0.1")
        # The certificate is good for 127.0.0.1 only.
        with fails("the transfer failed (SSLCertVerificationError)"):
            fetch(f"https://media.example:{port}/")

    assert names[-1] == "media.example"


def test_an_unknown_authority_is_not_trusted(tls, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with platforms.serve(tls=tls) as platform, fails("the transfer failed (SSLCertVerificationError)"):
        fetch(platform.url)


def test_a_handshake_that_never_ends_is_left_at_the_deadline():
    with (
        platforms.accept(lambda connection: connection.recv(65536) and connection.recv(65536)) as port,
        fails("it took too long"),
    ):
        fetch(f"https://127.0.0.1:{port}/", deadline=0.3)


def test_the_failure_holds_nothing_of_the_url(platform):
    platform.status = 404

    with pytest.raises(DownloadFailed) as caught:
        fetch(f"{platform.url}/path-of-380671234567?token=secret")

    assert (str(caught.value), caught.value.reason) == ("HTTP 404", "HTTP 404")
    assert "secret" not in repr(caught.value)

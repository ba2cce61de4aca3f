"""Download a file from a URL of a third party, protected against server-side request forgery.

The host name is resolved once, and the connection uses one of the checked addresses, so a changed DNS answer has no
effect. Redirects are not followed. Proxies are not used, because they would resolve the name again.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from threading import Event, Timer
from time import monotonic
from typing import IO, NamedTuple
from urllib.parse import quote, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from django_hyber.protocol.errors import HyberError

CHUNK = 64 * 1024
PORTS = {"http": 80, "https": 443}

# Metadata services of clouds at addresses that count as public: Azure; Oracle, whose address Python treats as special
# only since 2024.
_OF_CLOUDS = (IPv4Network("168.63.129.16/32"), IPv4Network("192.0.0.0/24"))
_NAT64 = IPv6Network("64:ff9b::/96")
_SAFE_IN_URL = "/?%:@!$&'()*+,;="


class DownloadFailed(HyberError):  # noqa: N818 - named as the other errors are
    """The file could not be downloaded. ``reason`` contains no part of the URL."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class _Destination(NamedTuple):
    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet.

    Private, loopback, link-local, multicast and reserved addresses do not, nor do IPv6 addresses that embed an IPv4
    address. With the prefix of NAT64, the embedded IPv4 address is checked.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        if found in _NAT64:
            return is_public(str(IPv4Address(int(found) & 0xFFFFFFFF)))
        if found.ipv4_mapped or found.sixtofour or found.teredo or found.is_site_local:
            return False
    elif any(found in network for network in _OF_CLOUDS):
        return False
    return found.is_global and not (found.is_multicast or found.is_reserved)


def download(
    url: str,
    target: IO[bytes],
    *,
    max_bytes: int,
    connect_timeout: float = 10.0,
    read_timeout: float = 30.0,
    deadline: float = 120.0,
    is_allowed: Callable[[str], bool] = is_public,
) -> int:
    """Write the file to ``target`` and return its size. The request contains no credentials.

    Timeouts are in seconds: for connecting to each address, for each wait for data, and for everything after the name
    is resolved. ``is_allowed`` must accept every IP address of the host. Raises DownloadFailed.
    """
    destination = _read_url(url)
    addresses = _resolve(destination, is_allowed)
    ends_at = monotonic() + deadline
    with closing(_connect(destination, addresses, connect_timeout, ends_at)) as connection:
        connection.settimeout(read_timeout)
        with _shut_down_at(connection, ends_at) as is_over:
            try:
                size = _transfer(connection, destination, target, max_bytes)
            except (OSError, HTTPException, ValueError) as error:
                raise DownloadFailed(_explain(error, is_over)) from None
            # An answer without a length seems complete if the connection was shut down.
            if is_over.is_set():
                raise DownloadFailed("it took too long")
    return size


def _read_url(url: str) -> _Destination:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port
    except ValueError:
        raise DownloadFailed("the URL cannot be read") from None
    if parts.scheme not in PORTS or not host:
        raise DownloadFailed("the URL does not begin with https:// or http://")
    query = f"?{parts.query}" if parts.query else ""
    target = quote((parts.path or "/") + query, safe=_SAFE_IN_URL)
    return _Destination(parts.scheme, host, PORTS[parts.scheme] if port is None else port, target)


def _resolve(destination: _Destination, is_allowed: Callable[[str], bool]) -> list[str]:
    try:
        found = socket.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        raise DownloadFailed("the name of the host cannot be resolved") from None
    addresses = list(dict.fromkeys(str(socket_address[0]) for *_, socket_address in found))
    if not all(is_allowed(address) for address in addresses):
        raise DownloadFailed("the host is not on the public internet")
    return addresses


def _connect(destination: _Destination, addresses: list[str], timeout: float, ends_at: float) -> socket.socket:
    for address in addresses:
        remaining = ends_at - monotonic()
        if remaining <= 0:
            break
        try:
            connection = socket.create_connection((address, destination.port), min(timeout, remaining))
        except OSError:
            continue
        return _secure(connection, destination.host) if destination.scheme == "https" else connection
    raise DownloadFailed("no connection")


def _secure(connection: socket.socket, host: str) -> ssl.SSLSocket:
    # The same certificate authorities as in the client.
    context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH)
    # The handshake follows when the timer of the deadline runs.
    return context.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)


@contextmanager
def _shut_down_at(connection: socket.socket, ends_at: float) -> Iterator[Event]:
    """Shut the connection down at the deadline. A socket timeout would restart with every byte."""
    is_over = Event()

    def shut_down() -> None:
        is_over.set()
        with suppress(OSError):
            # The method of SSLSocket would remove the TLS state while the other thread is reading.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = Timer(ends_at - monotonic(), shut_down)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    finally:
        timer.cancel()


def _transfer(connection: socket.socket, destination: _Destination, target: IO[bytes], max_bytes: int) -> int:
    if isinstance(connection, ssl.SSLSocket):
        connection.do_handshake()
    http = HTTPConnection(destination.host, destination.port)
    http.sock = connection
    http.request("GET", destination.target, headers={"Host": destination.authority, "User-Agent": "django-hyber"})
    with http.getresponse() as response:
        if response.status != HTTPStatus.OK:
            is_redirect = HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST
            raise DownloadFailed(f"HTTP {response.status}{', and redirects are not followed' if is_redirect else ''}")
        return _copy(response, target, max_bytes)


def _copy(response: HTTPResponse, target: IO[bytes], max_bytes: int) -> int:
    too_large = f"it is larger than {max_bytes} bytes"
    if response.length is not None and response.length > max_bytes:
        raise DownloadFailed(too_large)
    size = 0
    while chunk := response.read(CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise DownloadFailed(too_large)
        target.write(chunk)
    if response.length:
        raise IncompleteRead(b"")
    return size


def _explain(error: Exception, is_over: Event) -> str:
    return "it took too long" if is_over.is_set() else f"the transfer failed ({type(error).__name__})"

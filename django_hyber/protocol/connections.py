"""Connections to the platform that know which exchange they serve, who opened them and how long they have been idle.

By itself urllib3 limits each wait for data, so an answer that trickles in may take hours. It connects while it writes,
and it reuses a connection after any idleness and in a forked process. Here an exchange has one deadline. The connection
is opened first, then the caller is asked once more, then the whole request is written at once.
"""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidProxyURL
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import create_connection

from django_hyber.protocol.errors import NotTaken

#: Seconds of idleness after which a connection is not used again. Servers keep one open for 5 seconds or more, and a
#: balancer may forget it without a word.
MAX_IDLE = 4.0
#: Seconds between the last check and the first byte. Milliseconds are usual, so more means that the process was stopped
#: in between, or the database kept it waiting, and what was checked may not hold any more.
MAX_CHECK_AGE = 5.0

#: A clock that nobody sets, and that goes on while the machine sleeps where the system has such a one.
clock = partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic


class Stopped(Exception):  # noqa: N818 - it carries an error past urllib3, which would take an OSError for one of its own
    """The exchange ended before anything was written; ``error`` says why."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(error)


class Exchange:
    """One request and its answer: until when it may last, and whether the platform may have a byte of it."""

    def __init__(
        self, connect_timeout: float, read_timeout: float, before_write: Callable[[], None] | None = None
    ) -> None:
        self._connected_by = clock() + connect_timeout
        self._ends_at = self._connected_by + read_timeout
        self._read_timeout = read_timeout
        self._before_write = before_write
        self.is_written = False

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Make it the exchange that this thread's connections serve."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def time_to_connect(self) -> float:
        """Return the seconds that are left for connecting. Raises TimeoutError if there are none."""
        return _positive(self._connected_by - clock())

    def time_to_write(self) -> float:
        """Return the seconds that are left for all the rest."""
        return _positive(self._ends_at - clock())

    def time_to_read(self) -> float:
        """Return how long to wait for the next bytes, of a proxy that connects or of the platform that answers."""
        if self.is_written:
            return min(self._read_timeout, self.time_to_write())
        return self.time_to_connect()

    def begin(self) -> None:
        """Ask the caller once more; after that, a byte may be with the platform. Raises Stopped."""
        asked_at = clock()
        try:
            if self._before_write:
                self._before_write()
        except Exception as error:  # noqa: BLE001 - of whatever kind it is, it goes to the caller as it is
            raise Stopped(error) from None
        # From before the check, because a process is most often stopped while it waits for an answer.
        if self._before_write and clock() - asked_at > MAX_CHECK_AGE:
            raise Stopped(NotTaken(reason="the last check before writing was too long ago"))
        if clock() > self._ends_at:
            raise Stopped(NotTaken(reason="no time was left to write the request"))
        self.is_written = True


_current: ContextVar[Exchange] = ContextVar("exchange")


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise TimeoutError
    return seconds


class _Incoming(io.RawIOBase):
    """What comes in on a connection. Each wait ends with the exchange: a timeout alone begins again with every byte."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket, exchange: Exchange) -> None:
        self._raw = raw
        self._connection = connection
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        self._connection.settimeout(self._exchange.time_to_read())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, connection: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(connection, *arguments, **options)
        self.fp = io.BufferedReader(_Incoming(self.fp.detach(), connection, _current.get()))


class _Connection(HTTPConnection):
    response_class = _Response
    idle_since = 0.0
    _owner = 0
    _unwritten: list[bytes] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the next request may use it: in the process that opened it, and not after a long idleness."""
        is_ours = self._owner == os.getpid()
        return is_ours and clock() - self.idle_since < MAX_IDLE and super().is_connected

    def connect(self) -> None:
        """Connect to the platform, through the proxy and with TLS if need be."""
        super().connect()
        self._owner = os.getpid()

    def _new_conn(self) -> socket.socket:
        """Try the addresses of the host. One that never answers leaves the others their share of the time."""
        exchange = _current.get()
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise OSError("No host can have this name.") from error
        for left, (*_, address) in zip(range(len(found), 0, -1), found, strict=True):
            try:
                share = exchange.time_to_connect() / left
                host, port = str(address[0]), int(address[1])
                opened = create_connection((host, port), share, self.source_address, self.socket_options)
                # For the proxy and TLS.
                opened.settimeout(exchange.time_to_connect())
            except OSError:
                if left == 1:
                    raise
            else:
                return opened
        raise OSError("The host has no address.")

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> None:
        """Write the request in one go, after the last check."""
        parts: list[bytes] = []
        self._unwritten = parts
        try:
            super().request(method, url, *arguments, **options)
        finally:
            self._unwritten = None
        data = b"".join(parts)
        exchange = _current.get()
        exchange.begin()
        self.sock.settimeout(exchange.time_to_write())
        self.send(data)

    def send(self, data: Any) -> None:
        """Write, or keep what belongs to a request until all of it is there."""
        if self._unwritten is None:
            super().send(data)
        else:
            self._unwritten.append(data)


class _SecureConnection(_Connection, HTTPSConnection):
    """The same with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def _validate_conn(self, conn: Any) -> None:
        """Connect before the request: urllib3 does so for HTTPS only."""
        if conn.is_closed:
            conn.connect()
        super()._validate_conn(conn)

    def _put_conn(self, conn: Any) -> None:
        if conn:
            conn.idle_since = clock()
        super()._put_conn(conn)


class _SecurePool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class Adapter(HTTPAdapter):
    """An adapter of requests whose pools hold these connections. SOCKS proxies are not supported."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools of the hosts that are reached directly."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Make the pools of the hosts that are reached through a proxy."""
        if proxy.lower().startswith("socks"):
            raise InvalidProxyURL("SOCKS proxies are not supported.")
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

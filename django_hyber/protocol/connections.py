"""Connections to the platform with one deadline for the whole exchange.

The timeout of urllib3 applies to each wait for data, so a slow answer may take hours. It also reuses connections after
any idle time and in forked processes. Here the steps are separate: connect, call ``before_write``, then write the whole
request at once. An idle connection is reused only for a short time and by the process that opened it.
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

from django_hyber.protocol.errors import CHECKED_TOO_EARLY, NO_TIME_LEFT, NotTaken

#: Idle seconds after which a connection is not reused. Servers close one after 5 seconds or more, and a load balancer
#: may drop it without notice.
MAX_IDLE = 4.0
#: Maximum seconds from the last check to the first byte. Milliseconds are usual. If it takes longer, the process was
#: suspended or waited for the database, and the result of the check may be outdated.
MAX_CHECK_AGE = 5.0

#: A monotonic clock. Where the system supports it, the clock continues while the machine is suspended.
clock = partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic


class Stopped(Exception):  # noqa: N818 - wraps errors that urllib3 would otherwise handle, such as OSError
    """The exchange ended before anything was written. ``error`` is the reason."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(error)


class Exchange:
    """One request and its answer: its deadline, and whether any byte of it may have been written."""

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
        """Make this the current exchange of the thread's connections."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def time_to_connect(self) -> float:
        """Return the remaining seconds for connecting. Raises TimeoutError if there are none."""
        return _positive(self._connected_by - clock())

    def time_to_write(self) -> float:
        """Return the remaining seconds of the exchange. Raises TimeoutError if there are none."""
        return _positive(self._ends_at - clock())

    def time_to_read(self) -> float:
        """Return the seconds to wait for the next bytes, from a proxy during connecting or from the platform."""
        if self.is_written:
            return min(self._read_timeout, self.time_to_write())
        return self.time_to_connect()

    def begin(self) -> None:
        """Call ``before_write``. After this, bytes of the request may have been written. Raises Stopped."""
        called_at = clock()
        try:
            if self._before_write:
                self._before_write()
        except Exception as error:  # noqa: BLE001 - any exception is passed to the caller
            raise Stopped(error) from None
        # Measured from the start of the check: a process is usually suspended while it waits for the database.
        if self._before_write and clock() - called_at > MAX_CHECK_AGE:
            raise Stopped(NotTaken(reason=CHECKED_TOO_EARLY))
        if clock() > self._ends_at:
            raise Stopped(NotTaken(reason=NO_TIME_LEFT))
        self.is_written = True


_current: ContextVar[Exchange] = ContextVar("exchange")


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise TimeoutError
    return seconds


class _Incoming(io.RawIOBase):
    """The incoming bytes of a connection. Waits end at the deadline; a socket timeout would restart with every byte."""

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
        """Whether it can be reused: by the process that opened it, and only after a short idle time."""
        is_ours = self._owner == os.getpid()
        return is_ours and clock() - self.idle_since < MAX_IDLE and super().is_connected

    def connect(self) -> None:
        """Connect to the platform, through the proxy and with TLS if required."""
        super().connect()
        self._owner = os.getpid()

    def _new_conn(self) -> socket.socket:
        """Try the addresses of the host. Each gets a share of the time, so one without an answer does not use it up."""
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
                # The timeout of the handshakes with the proxy and of TLS.
                opened.settimeout(exchange.time_to_connect())
            except OSError:
                if left == 1:
                    raise
            else:
                return opened
        raise OSError("The host has no address.")

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> None:
        """Run the last check, then write the whole request at once."""
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
        """Write the data, or collect it until the request is complete."""
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
    """An adapter for requests with pools of these connections. SOCKS proxies are not supported."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Set up pools for direct connections."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Set up pools for connections through a proxy."""
        if proxy.lower().startswith("socks"):
            raise InvalidProxyURL("SOCKS proxies are not supported.")
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

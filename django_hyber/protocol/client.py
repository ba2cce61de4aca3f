"""The HTTP client. Every answer and every failure becomes a value or an exception of the errors module.

The client does not retry. Its callers retry requests that were certainly not accepted, and query the outcome of others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache, wraps
from http import HTTPStatus
from importlib import metadata
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeAlias, TypeVar
from urllib.parse import quote

import requests
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError

from django_hyber.protocol.collector import paused_collector
from django_hyber.protocol.connections import Adapter, Exchange, Stopped
from django_hyber.protocol.errors import (
    BROKEN_BECAUSE,
    NO_CONNECTION_BECAUSE,
    TOO_LONG,
    ConnectionLost,
    HyberError,
    NotTaken,
    OutcomeUnknown,
    ReadTimeout,
    UnreadableResponse,
)
from django_hyber.protocol.outcomes import HttpAnswer, read_answer, read_report
from django_hyber.protocol.wire.responses import SyncEntry, parse_job_id, parse_message_id, parse_messages, parse_sync

API_URL = "https://api-v2-{site}.hyber.im/{client_id}"
BULK_URL = "https://proxy-{site}.hyber.im/{client_id}"
REPORTS_URL = "https://dr-v2-{site}.hyber.im/{client_id}"
#: Maximum size of an answer in bytes, after decompression. An id or a report has a few hundred.
MAX_ANSWER = 1024**2
#: The same for an answer about up to 50,000 recipients. Each has about 300 bytes, plus the error text of a rejection.
MAX_LONG_ANSWER = 64 * 1024**2

#: A request body: a mapping, or JSON that is already encoded.
Body: TypeAlias = Mapping[str, Any] | bytes
#: A function of the caller that runs right before the request is written.
Check: TypeAlias = Callable[[], None]

_CHUNK = 64 * 1024

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_Method: TypeAlias = Callable[Concatenate["HyberClient", _Parameters], _Result]


def _forgetting_the_body(method: _Method[_Parameters, _Result]) -> _Method[_Parameters, _Result]:
    """Raise its errors without its frames. Error trackers collect their variables: numbers and texts of the body."""

    @wraps(method)
    def send(client: HyberClient, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        try:
            return method(client, *args, **kwargs)
        except HyberError as error:
            failure = error.with_traceback(None)
        del args, kwargs
        raise failure

    return send


class HyberClient:
    """One account at GMS Hyber.

    An empty ``site`` removes ``-{site}`` from the host names. Each of the three URLs can be overridden. Timeouts are in
    seconds: one for connecting, one for each wait for data. Their sum is the deadline of a whole exchange, from
    connecting to the last byte of the answer. A body is a mapping or encoded JSON. A custom session provides headers,
    proxies and certificates, but not connections.

    ``before_write`` is called after the body is encoded and the connection is open, right before the first byte is
    written. If it raises an exception, nothing is written and the exception is passed on. If it takes so long that its
    result may be outdated, nothing is written and NotTaken is raised.

    All methods raise NotTaken, APIError or OutcomeUnknown; see the errors module.
    """

    def __init__(
        self,
        *,
        client_id: str,
        login: str,
        password: str,
        site: str = "",
        api_url: str = API_URL,
        bulk_url: str = BULK_URL,
        reports_url: str = REPORTS_URL,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        session: requests.Session | None = None,
    ) -> None:
        # Encoded here, because requests would encode str as Latin-1.
        self._auth = HTTPBasicAuth(login.encode(), password.encode())
        # Error trackers collect the variables of a function in which an exception is raised.
        del password
        self.client_id = client_id
        self.login = login
        self.api_url = build_url(api_url, site=site, client_id=client_id)
        self.bulk_url = build_url(bulk_url, site=site, client_id=client_id).rstrip("/")
        self.reports_url = build_url(reports_url, site=site, client_id=client_id).rstrip("/")
        self._timeout = (connect_timeout, read_timeout)
        self._session = session or requests.Session()
        self._adapter = Adapter()

    def __repr__(self) -> str:
        return f"HyberClient(client_id={self.client_id!r}, login={self.login!r}, password='***')"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        self._adapter.close()
        self._session.close()

    @_forgetting_the_body
    def send_single(self, body: Body, *, before_write: Check | None = None) -> str:
        """Send to one recipient and return the message id."""
        answer = self._post(self.api_url, body, before_write)
        return parse_message_id(read_answer(answer), http_status=answer.status)

    @_forgetting_the_body
    def send_batch(self, body: Body, *, before_write: Check | None = None) -> str:
        """Send a batch and return the job id."""
        return self._send_job("batch", body, before_write)

    @_forgetting_the_body
    def send_batch_sync(self, body: Body, *, before_write: Check | None = None) -> list[SyncEntry]:
        """Send a batch and wait for the message ids."""
        return self._send_and_wait("batch/sync", body, before_write)

    @_forgetting_the_body
    def send_broadcast(self, body: Body, *, before_write: Check | None = None) -> str:
        """Send a broadcast and return the job id."""
        return self._send_job("broadcast", body, before_write)

    @_forgetting_the_body
    def send_broadcast_sync(self, body: Body, *, before_write: Check | None = None) -> list[SyncEntry]:
        """Send a broadcast and wait for the message ids."""
        return self._send_and_wait("broadcast/sync", body, before_write)

    def fetch_campaign_status(self, job_id: str) -> list[Any]:
        """Return the raw entries of a job, for parse_report. Also raises ReportNotFound."""
        answer = self._get(f"{self.bulk_url}/status/{quote(job_id, safe='')}", limit=MAX_LONG_ANSWER)
        return parse_messages(read_report(answer), http_status=answer.status)

    def fetch_report(
        self, *, message_id: str | None = None, extra_id: str | None = None, advanced: bool = False
    ) -> Any:
        """Return the raw report of a message, for parse_reports. Also raises ReportNotFound.

        Pass either the platform's id or our own. If our own id was used twice, it is undocumented which report the
        platform returns. An advanced report has one entry per attempted channel.
        """
        if bool(message_id) == bool(extra_id):
            raise ValueError("Pass either message_id or extra_id.")
        path = quote(message_id, safe="") if message_id else f"external/{quote(extra_id or '', safe='')}"
        return read_report(self._get(f"{self.reports_url}/api/dr/{path}/{'advanced' if advanced else 'simple'}"))

    def check(self) -> int:
        """Send a GET to the URL of single messages, which sends no message, and return the HTTP status.

        The status is 405 if the account works. Raises AuthenticationError for wrong credentials, and UnreadableResponse
        if a proxy or firewall forbids the request.
        """
        return self._check(self.api_url)

    def check_bulk(self) -> int:
        """Do the same with a URL of campaigns."""
        return self._check(f"{self.bulk_url}/broadcast")

    def _check(self, url: str) -> int:
        answer = self._get(url)
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            read_answer(answer)
        return answer.status

    def _send_job(self, path: str, body: Body, before_write: Check | None) -> str:
        answer = self._post(f"{self.bulk_url}/{path}", body, before_write)
        return parse_job_id(read_answer(answer), http_status=answer.status)

    def _send_and_wait(self, path: str, body: Body, before_write: Check | None) -> list[SyncEntry]:
        answer = self._post(f"{self.bulk_url}/{path}", body, before_write, limit=MAX_LONG_ANSWER)
        with paused_collector():
            return parse_sync(read_answer(answer), http_status=answer.status)

    def _post(self, url: str, body: Body, before_write: Check | None, *, limit: int = MAX_ANSWER) -> HttpAnswer:
        data = body if isinstance(body, bytes) else encode_body(body)
        return self._exchange("POST", url, data, limit, before_write)

    def _get(self, url: str, *, limit: int = MAX_ANSWER) -> HttpAnswer:
        return self._exchange("GET", url, None, limit)

    def _exchange(
        self, method: str, url: str, data: bytes | None, limit: int, before_write: Check | None = None
    ) -> HttpAnswer:
        exchange = Exchange(*self._timeout, before_write)
        outer = sys.exception()
        failure: Exception
        try:
            with exchange.under_way(), closing(self._send(method, url, data)) as response:
                return _receive(response, limit, outer)
        except Stopped as stopped:
            failure = stopped.error
        except (OSError, HTTPError) as error:
            failure = _explain(error, outer, is_written=exchange.is_written)
        # Raised here, outside of requests, so that error reports contain none of its frames with the credentials.
        raise failure

    def _send(self, method: str, url: str, data: bytes | None) -> requests.Response:
        """Send without the session, which would follow redirects and might use other adapters."""
        headers = {"Accept": "application/json", "User-Agent": _user_agent()}
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = self._session.prepare_request(
            requests.Request(method, url, headers=headers, data=data, auth=self._auth)
        )
        environment = self._session.merge_environment_settings(
            request.url or url, proxies={}, stream=True, verify=None, cert=None
        )
        return self._adapter.send(request, timeout=self._timeout, **environment)  # type: ignore[arg-type]


def build_url(template: str, *, site: str, client_id: str) -> str:
    """Fill in the placeholders for site and client id. Raises ValueError if the URL is not http(s)."""
    url = template if site else template.replace("-{site}", "")
    url = url.replace("{site}", site).replace("{client_id}", quote(client_id, safe=""))
    if not url.lower().startswith(("https://", "http://")):
        raise ValueError("The URLs of the platform must begin with https://.")
    return url


def encode_body(body: Mapping[str, Any]) -> bytes:
    """Encode a request body as compact UTF-8 JSON. Raises ValueError or TypeError for values that JSON lacks."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Only lone surrogates cannot be encoded; their Python escape is also valid in JSON.
    return text.encode("utf-8", "backslashreplace")


@cache
def _user_agent() -> str:
    try:
        return f"django-hyber/{metadata.version('django-hyber')}"
    except metadata.PackageNotFoundError:
        return "django-hyber"


def _receive(response: requests.Response, limit: int, outer: BaseException | None) -> HttpAnswer:
    """Read the answer up to a maximum size."""
    status, headers = response.status_code, response.headers
    parts: list[bytes] = []
    size = 0
    # The final answer would follow the interim one, so this connection cannot be reused.
    stream = response.raw.stream(_CHUNK, decode_content=True) if status >= HTTPStatus.OK else ()
    try:
        for part in stream:
            size += len(part)
            if size > limit:
                reason = TOO_LONG % {"limit": f"{limit:,}"}
                return HttpAnswer(status=status, headers=headers, failure=UnreadableResponse(status, reason))
            parts.append(part)
    except (OSError, HTTPError) as error:
        return HttpAnswer(status=status, headers=headers, failure=_lost(_root_cause(error, outer)))
    return HttpAnswer(status=status, headers=headers, content=b"".join(parts))


def _explain(error: Exception, outer: BaseException | None, *, is_written: bool) -> HyberError:
    cause = _root_cause(error, outer)
    return _lost(cause) if is_written else NotTaken(reason=NO_CONNECTION_BECAUSE % {"error": type(cause).__name__})


def _lost(cause: BaseException) -> OutcomeUnknown:
    if isinstance(cause, TimeoutError):
        return ReadTimeout()
    return ConnectionLost(BROKEN_BECAUSE % {"error": type(cause).__name__})


def _root_cause(error: BaseException, outer: BaseException | None) -> BaseException:
    """Return the first exception in the chain, without those that the caller was already handling."""
    while error.__context__ is not None and error.__context__ is not outer:
        error = error.__context__
    return error

"""The HTTP client. Every answer and every failure becomes a value or one of the errors of the errors module.

Nothing is repeated here: a caller repeats what surely was not taken, and asks about the rest.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache
from http import HTTPStatus
from importlib import metadata
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import quote

import requests
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError

from django_hyber.protocol.connections import Adapter, Exchange, Stopped
from django_hyber.protocol.errors import (
    ConnectionLost,
    HyberError,
    NotTaken,
    OutcomeUnknown,
    ReadTimeout,
    UnreadableResponse,
)
from django_hyber.protocol.outcomes import Answer, read_answer, read_report
from django_hyber.protocol.wire.responses import SyncEntry, parse_job_id, parse_message_id, parse_messages, parse_sync

API_URL = "https://api-v2-{site}.hyber.im/{client_id}"
BULK_URL = "https://proxy-{site}.hyber.im/{client_id}"
REPORTS_URL = "https://dr-v2-{site}.hyber.im/{client_id}"
#: How many bytes of an answer are read, after decompression. An id or a report takes a few hundred.
MAX_ANSWER = 1024**2
#: For an answer about up to 50,000 recipients. Each of them takes some 300 bytes, and a refused one its text as well.
MAX_LONG_ANSWER = 64 * 1024**2

#: A request body: a mapping, or JSON that is already encoded.
Body: TypeAlias = Mapping[str, Any] | bytes
#: What a caller does at the last moment before the request is written.
Check: TypeAlias = Callable[[], None]

_CHUNK = 64 * 1024


class HyberClient:
    """One account at GMS Hyber.

    An empty ``site`` drops ``-{site}`` from the hosts; each of the three URLs may be replaced in full. Timeouts are
    seconds: for connecting, and for each wait for data. Together they are the deadline of a whole exchange, from
    connecting to the last byte of the answer. Bodies are mappings, or JSON that is already encoded. A session of your
    own brings headers, proxies and certificates; the connections are always the client's.

    ``before_write`` is called when the body is encoded and the connection is open, right before the first byte. What
    it raises goes to the caller as it is, and nothing is written. Nothing is written either when it took so long that
    its result may be out of date: that is NotTaken.
    Every call raises NotTaken, APIError or OutcomeUnknown (see the errors module for what each allows).
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
        self.client_id = client_id
        self.login = login
        self.api_url = build_url(api_url, site=site, client_id=client_id)
        self.bulk_url = build_url(bulk_url, site=site, client_id=client_id).rstrip("/")
        self.reports_url = build_url(reports_url, site=site, client_id=client_id).rstrip("/")
        self._timeout = (connect_timeout, read_timeout)
        self._session = session or requests.Session()
        self._adapter = Adapter()
        # As bytes, because requests would encode text as Latin-1.
        self._auth = HTTPBasicAuth(login.encode(), password.encode())

    def __repr__(self) -> str:
        return f"HyberClient(client_id={self.client_id!r}, login={self.login!r}, password='***')"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._adapter.close()
        self._session.close()

    def send_single(self, body: Body, *, before_write: Check | None = None) -> str:
        """Send to one person and return the message id."""
        answer = self._post(self.api_url, body, before_write)
        return parse_message_id(read_answer(answer), http_status=answer.status)

    def send_batch(self, body: Body, *, before_write: Check | None = None) -> str:
        """Send a batch and return the job id."""
        return self._send_job("batch", body, before_write)

    def send_batch_sync(self, body: Body, *, before_write: Check | None = None) -> list[SyncEntry]:
        """Send a batch and wait for the message ids."""
        return self._send_and_wait("batch/sync", body, before_write)

    def send_broadcast(self, body: Body, *, before_write: Check | None = None) -> str:
        """Send a broadcast and return the job id."""
        return self._send_job("broadcast", body, before_write)

    def send_broadcast_sync(self, body: Body, *, before_write: Check | None = None) -> list[SyncEntry]:
        """Send a broadcast and wait for the message ids."""
        return self._send_and_wait("broadcast/sync", body, before_write)

    def fetch_campaign_status(self, job_id: str) -> list[Any]:
        """Return the entries of a job as they came, for parse_report. Raises ReportNotFound as well."""
        answer = self._get(f"{self.bulk_url}/status/{quote(job_id, safe='')}", limit=MAX_LONG_ANSWER)
        return parse_messages(read_report(answer), http_status=answer.status)

    def fetch_report(
        self, *, message_id: str | None = None, extra_id: str | None = None, advanced: bool = False
    ) -> Any:
        """Return the report of one message as it came, for parse_reports. Raises ReportNotFound as well.

        Give either the platform's id or our own; if our own was ever used twice, the platform does not say whose
        report it returns. An advanced report has one entry for each channel that was tried.
        """
        if bool(message_id) == bool(extra_id):
            raise ValueError("Give either message_id or extra_id.")
        path = quote(message_id, safe="") if message_id else f"external/{quote(extra_id or '', safe='')}"
        return read_report(self._get(f"{self.reports_url}/api/dr/{path}/{'advanced' if advanced else 'simple'}"))

    def check(self) -> int:
        """Ask the single-message URL for an answer without sending anything, and return its HTTP status.

        A working account answers 405. Raises AuthenticationError for wrong credentials, and UnreadableResponse when
        something in between forbids the request.
        """
        answer = self._get(self.api_url)
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            read_answer(answer)
        return answer.status

    def _send_job(self, path: str, body: Body, before_write: Check | None) -> str:
        answer = self._post(f"{self.bulk_url}/{path}", body, before_write)
        return parse_job_id(read_answer(answer), http_status=answer.status)

    def _send_and_wait(self, path: str, body: Body, before_write: Check | None) -> list[SyncEntry]:
        answer = self._post(f"{self.bulk_url}/{path}", body, before_write, limit=MAX_LONG_ANSWER)
        return parse_sync(read_answer(answer), http_status=answer.status)

    def _post(self, url: str, body: Body, before_write: Check | None, *, limit: int = MAX_ANSWER) -> Answer:
        data = body if isinstance(body, bytes) else encode_body(body)
        return self._exchange("POST", url, data, limit, before_write)

    def _get(self, url: str, *, limit: int = MAX_ANSWER) -> Answer:
        return self._exchange("GET", url, None, limit)

    def _exchange(
        self, method: str, url: str, data: bytes | None, limit: int, before_write: Check | None = None
    ) -> Answer:
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
        # Raised out here so that no error report shows the frames of requests, whose variables hold the credentials.
        raise failure

    def _send(self, method: str, url: str, data: bytes | None) -> requests.Response:
        """Send past the session, which would follow redirects and may have adapters of its own."""
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
    """Put the site and the client id into a URL that has places for them. Raises ValueError if it is not http(s)."""
    url = template if site else template.replace("-{site}", "")
    url = url.replace("{site}", site).replace("{client_id}", quote(client_id, safe=""))
    if not url.lower().startswith(("https://", "http://")):
        raise ValueError("The URLs of the platform must begin with https://.")
    return url


def encode_body(body: Mapping[str, Any]) -> bytes:
    """Encode a request body as compact UTF-8 JSON. Raises ValueError or TypeError for what JSON cannot say."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Only lone surrogates cannot be encoded, and their Python escape is their JSON escape.
    return text.encode("utf-8", "backslashreplace")


@cache
def _user_agent() -> str:
    try:
        return f"django-hyber/{metadata.version('django-hyber')}"
    except metadata.PackageNotFoundError:
        return "django-hyber"


def _receive(response: requests.Response, limit: int, outer: BaseException | None) -> Answer:
    """Read the answer as it comes, up to so many bytes."""
    status, headers = response.status_code, response.headers
    parts: list[bytes] = []
    size = 0
    # What follows an interim answer is the final one, so nothing else may be read from this connection.
    stream = response.raw.stream(_CHUNK, decode_content=True) if status >= HTTPStatus.OK else ()
    try:
        for part in stream:
            size += len(part)
            if size > limit:
                reason = f"the answer is longer than {limit:,} bytes"
                return Answer(status=status, headers=headers, failure=UnreadableResponse(status, reason))
            parts.append(part)
    except (OSError, HTTPError) as error:
        return Answer(status=status, headers=headers, failure=_lost(_root_cause(error, outer)))
    return Answer(status=status, headers=headers, content=b"".join(parts))


def _explain(error: Exception, outer: BaseException | None, *, is_written: bool) -> HyberError:
    cause = _root_cause(error, outer)
    return _lost(cause) if is_written else NotTaken(reason=f"no connection, {type(cause).__name__}")


def _lost(cause: BaseException) -> OutcomeUnknown:
    if isinstance(cause, TimeoutError):
        return ReadTimeout()
    return ConnectionLost(f"the connection broke before the whole answer had come ({type(cause).__name__})")


def _root_cause(error: BaseException, outer: BaseException | None) -> BaseException:
    """Return the first of the errors that led to this one, apart from what the caller was already handling."""
    while error.__context__ is not None and error.__context__ is not outer:
        error = error.__context__
    return error

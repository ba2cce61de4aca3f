"""The HTTP client. Every answer and every failure becomes a value or one of the errors of the errors module.

Nothing is repeated here: a caller repeats what surely was not taken, and asks about the rest.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from importlib import metadata
from time import time
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import quote

import requests
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError

from django_hyber.protocol.errors import (
    APIError,
    AuthenticationError,
    ConnectionLost,
    HyberError,
    NotTaken,
    ReadTimeout,
    ReportNotFound,
    TooManyRequests,
    UnreadableResponse,
)
from django_hyber.protocol.wire.json_text import read_json
from django_hyber.protocol.wire.responses import SyncEntry, parse_job_id, parse_message_id, parse_messages, parse_sync
from django_hyber.protocol.wire.values import clean_text, is_error_code, to_int, to_text

API_URL = "https://api-v2-{site}.hyber.im/{client_id}"
BULK_URL = "https://proxy-{site}.hyber.im/{client_id}"
REPORTS_URL = "https://dr-v2-{site}.hyber.im/{client_id}"

_AUTHENTICATION_STATUSES = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_BUSY_STATUSES = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_MAX_KEPT_BODY = 2000
_NEVER_SENT = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)
_NOT_JSON = object()
_SECONDS = re.compile(r"[0-9]{1,9}")


class HyberClient:
    """One account at GMS Hyber.

    An empty ``site`` drops ``-{site}`` from the hosts; each of the three URLs may be replaced in full. Timeouts are
    seconds: for the connection, and for each wait for data. Bodies are mappings, or JSON that is already encoded.
    A session of your own, for a bigger pool, say, must not repeat requests by itself.
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
        self._session.close()

    def send_single(self, body: Mapping[str, Any] | bytes) -> str:
        """Send to one person and return the message id."""
        response = self._post(self.api_url, body)
        return parse_message_id(_read(response), http_status=response.status_code)

    def send_batch(self, body: Mapping[str, Any] | bytes) -> str:
        """Send a batch and return the job id."""
        return self._send_job("batch", body)

    def send_batch_sync(self, body: Mapping[str, Any] | bytes) -> list[SyncEntry]:
        """Send a batch and wait for the message ids."""
        return self._send_and_wait("batch/sync", body)

    def send_broadcast(self, body: Mapping[str, Any] | bytes) -> str:
        """Send a broadcast and return the job id."""
        return self._send_job("broadcast", body)

    def send_broadcast_sync(self, body: Mapping[str, Any] | bytes) -> list[SyncEntry]:
        """Send a broadcast and wait for the message ids."""
        return self._send_and_wait("broadcast/sync", body)

    def fetch_campaign_status(self, job_id: str) -> list[Any]:
        """Return the entries of a job as they came, for parse_report. Raises ReportNotFound as well."""
        response = self._get(f"{self.bulk_url}/status/{quote(job_id, safe='')}")
        return parse_messages(_read_report(response), http_status=response.status_code)

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
        return _read_report(self._get(f"{self.reports_url}/api/dr/{path}/{'advanced' if advanced else 'simple'}"))

    def check(self) -> int:
        """Ask the single-message URL for an answer without sending anything, and return its HTTP status.

        A working account answers 405. Raises AuthenticationError for wrong credentials.
        """
        response = self._get(self.api_url)
        if response.status_code in _AUTHENTICATION_STATUSES:
            _read(response)
        return response.status_code

    def _send_job(self, path: str, body: Mapping[str, Any] | bytes) -> str:
        response = self._post(f"{self.bulk_url}/{path}", body)
        return parse_job_id(_read(response), http_status=response.status_code)

    def _send_and_wait(self, path: str, body: Mapping[str, Any] | bytes) -> list[SyncEntry]:
        response = self._post(f"{self.bulk_url}/{path}", body)
        return parse_sync(_read(response), http_status=response.status_code)

    def _post(self, url: str, body: Mapping[str, Any] | bytes) -> requests.Response:
        return self._request("POST", url, body if isinstance(body, bytes) else encode_body(body))

    def _get(self, url: str) -> requests.Response:
        return self._request("GET", url, None)

    def _request(self, method: str, url: str, data: bytes | None) -> requests.Response:
        headers = {"Accept": "application/json", "User-Agent": _user_agent()}
        if data is not None:
            headers["Content-Type"] = "application/json"
        outer = sys.exception()
        try:
            return self._session.request(
                method,
                url,
                data=data,
                headers=headers,
                auth=self._auth,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except (requests.RequestException, HTTPError) as error:
            failure = _explain(_chain(error, outer))
        # Raised out here so that no error report shows the frames of requests, whose variables hold the credentials.
        raise failure


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


def _explain(errors: list[BaseException]) -> HyberError:
    cause = type(errors[-1]).__name__
    if isinstance(errors[0], requests.ConnectTimeout) or any(map(_came_from_connecting, errors)):
        return NotTaken(reason=f"no connection, {cause}")
    if isinstance(errors[0], _NEVER_SENT):
        return NotTaken(reason=f"the request could not be made, {cause}")
    if isinstance(errors[0], requests.Timeout):
        return ReadTimeout()
    return ConnectionLost(f"the connection broke before the whole answer had come ({cause})")


def _chain(error: BaseException | None, outer: BaseException | None) -> list[BaseException]:
    """List an error and what led to it, up to what the caller was already handling."""
    errors = []
    while error is not None and error is not outer:
        errors.append(error)
        error = error.__context__
    return errors


def _came_from_connecting(error: BaseException) -> bool:
    """Tell whether the error was raised inside urllib3's connect(), before a byte of the request was written.

    That covers addresses, refusals, TLS handshakes and proxies alike, while the types of the errors do not tell
    a handshake from a connection that broke later.
    """
    return any(
        frame.f_code.co_name == "connect" and str(frame.f_globals.get("__name__")).startswith("urllib3.")
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def _read(response: requests.Response) -> Any:
    """Return the body of a success; everything else is raised, the most certain first."""
    status = response.status_code
    payload = _decode(response)
    described = payload if isinstance(payload, dict) else {}
    if status in _AUTHENTICATION_STATUSES:
        raise _refusal(AuthenticationError, response, described)
    if is_error_code(described.get("error_code")):
        raise _refusal(TooManyRequests if status == HTTPStatus.TOO_MANY_REQUESTS else APIError, response, described)
    if not _is_success(response):
        _raise_http_error(response, described)
    if payload is _NOT_JSON:
        raise UnreadableResponse(status, "the answer is not JSON")
    return payload


def _read_report(response: requests.Response) -> Any:
    """Return the body of a report. How an unknown id is answered is not documented: 404, nothing, or an error body."""
    status = response.status_code
    try:
        payload = None if _is_success(response) and not response.content.strip() else _read(response)
    except AuthenticationError:
        raise
    except APIError as error:
        if not _says_not_found(error):
            raise
        raise ReportNotFound(status, error.error_code, error.error_text) from None
    if not payload:
        raise ReportNotFound(status)
    return payload


def _is_success(response: requests.Response) -> bool:
    return HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES


def _says_not_found(error: APIError) -> bool:
    if error.http_status == HTTPStatus.NOT_FOUND:
        return True
    # Trouble on the platform's side says nothing about the message.
    troubled = (
        error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.http_status == HTTPStatus.TOO_MANY_REQUESTS
    )
    return error.error_code is not None and not troubled


def _decode(response: requests.Response) -> Any:
    try:
        return read_json(response.content)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _refusal(kind: type[APIError], response: requests.Response, described: dict[str, Any]) -> APIError:
    error = kind(
        response.status_code,
        to_int(described.get("error_code")),
        to_text(described.get("error_text")),
        clean_text(response.content[:_MAX_KEPT_BODY].decode("utf-8", "replace")),
    )
    if isinstance(error, TooManyRequests):
        error.retry_after = _retry_after(response)
    return error


def _raise_http_error(response: requests.Response, described: dict[str, Any]) -> NoReturn:
    status = response.status_code
    if status in _BUSY_STATUSES:
        raise NotTaken(_retry_after(response), f"HTTP {status}")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        raise UnreadableResponse(status, "the answer is an HTTP error without an error of the platform")
    if status < HTTPStatus.BAD_REQUEST:
        described = {"error_text": "the answer is a redirect, which is never followed. Check the URL."}
    raise _refusal(APIError, response, described)


def _retry_after(response: requests.Response) -> float | None:
    """Read Retry-After, which is a number of seconds or a date."""
    value = response.headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, OverflowError):
        return None

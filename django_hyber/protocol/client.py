"""The HTTP client. Every answer and every failure becomes a value or one of the errors of the errors module.

Nothing is repeated here: a caller repeats what surely was not taken, and asks about the rest.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from importlib import metadata
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import requests
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError

from django_hyber.protocol.errors import (
    ConnectionLost,
    HyberError,
    NotTaken,
    ReadTimeout,
)
from django_hyber.protocol.outcomes import Answer, read_answer, read_report
from django_hyber.protocol.wire.responses import SyncEntry, parse_job_id, parse_message_id, parse_messages, parse_sync

API_URL = "https://api-v2-{site}.hyber.im/{client_id}"
BULK_URL = "https://proxy-{site}.hyber.im/{client_id}"
REPORTS_URL = "https://dr-v2-{site}.hyber.im/{client_id}"

_NEVER_SENT = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)


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
        answer = self._post(self.api_url, body)
        return parse_message_id(read_answer(answer), http_status=answer.status)

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
        answer = self._get(f"{self.bulk_url}/status/{quote(job_id, safe='')}")
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

    def _send_job(self, path: str, body: Mapping[str, Any] | bytes) -> str:
        answer = self._post(f"{self.bulk_url}/{path}", body)
        return parse_job_id(read_answer(answer), http_status=answer.status)

    def _send_and_wait(self, path: str, body: Mapping[str, Any] | bytes) -> list[SyncEntry]:
        answer = self._post(f"{self.bulk_url}/{path}", body)
        return parse_sync(read_answer(answer), http_status=answer.status)

    def _post(self, url: str, body: Mapping[str, Any] | bytes) -> Answer:
        return self._request("POST", url, body if isinstance(body, bytes) else encode_body(body))

    def _get(self, url: str) -> Answer:
        return self._request("GET", url, None)

    def _request(self, method: str, url: str, data: bytes | None) -> Answer:
        headers = {"Accept": "application/json", "User-Agent": _user_agent()}
        if data is not None:
            headers["Content-Type"] = "application/json"
        outer = sys.exception()
        try:
            response = self._session.request(
                method,
                url,
                data=data,
                headers=headers,
                auth=self._auth,
                timeout=self._timeout,
                allow_redirects=False,
            )
            return Answer(status=response.status_code, headers=response.headers, content=response.content)
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

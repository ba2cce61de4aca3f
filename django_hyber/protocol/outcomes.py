"""What an HTTP answer means: accepted, rejected, or unknown.

Proxies, firewalls and load balancers may answer too, with any status. Therefore only JSON in the platform's format is a
rejection; with any other error, the outcome is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus
from time import time
from typing import Any

from django_hyber.protocol.channels.problems import gettext_noop
from django_hyber.protocol.errors import (
    APIError,
    AuthenticationError,
    NotTaken,
    OutcomeUnknown,
    ReportNotFound,
    RequestTooLarge,
    TooManyRequests,
    UnreadableResponse,
)
from django_hyber.protocol.wire.incoming_values import (
    MAX_ID_LENGTH,
    clean_text,
    is_error_code,
    to_identifier,
    to_int,
    to_text,
)
from django_hyber.protocol.wire.json_text import read_json

_MAX_KEPT_BODY = 2000
_NOT_JSON = object()
_SECONDS = re.compile(r"[0-9]{1,9}")
#: In seconds. Proxies write years for "never", but whether the platform answers again is worth a look every hour.
_LONGEST_WAIT = 3_600.0
_CONTRADICTION = gettext_noop("the answer is an error, but it names messages that the platform has accepted")
_REASONS: dict[int, str] = {
    HTTPStatus.FORBIDDEN: gettext_noop(
        "the answer is not from the platform. Check firewalls and proxies, and ask GMS whether the IP address of this"
        " server has to be registered"
    ),
    HTTPStatus.NOT_FOUND: gettext_noop("this URL does not seem to exist. Check it, and any proxies"),
    HTTPStatus.REQUEST_TIMEOUT: gettext_noop("the server reports that the request did not arrive in time"),
}


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """An HTTP answer. If only its status and headers were received, ``failure`` is the reason."""

    status: int
    headers: Mapping[str, str]
    #: Not in the repr, because it contains personal data.
    content: bytes = field(default=b"", repr=False)
    failure: OutcomeUnknown | None = None

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_client_error(self) -> bool:
        """Whether the status is 4xx."""
        return HTTPStatus.BAD_REQUEST <= self.status < HTTPStatus.INTERNAL_SERVER_ERROR

    @cached_property
    def payload(self) -> Any:
        """The JSON in the body, or ``_NOT_JSON``."""
        try:
            return read_json(self.content)
        except (ValueError, RecursionError):
            return _NOT_JSON

    @property
    def fields(self) -> dict[str, Any]:
        """The payload if it is a JSON object, otherwise an empty dict."""
        return self.payload if isinstance(self.payload, dict) else {}

    @property
    def has_error_code(self) -> bool:
        """Whether the body has the code of an error, which JSON of a proxy may have too."""
        return is_error_code(self.fields.get("error_code"))

    @property
    def is_own_error(self) -> bool:
        """Whether the body is an error in the platform's format: a number as its code, and a text."""
        code, text = self.fields.get("error_code"), self.fields.get("error_text")
        return bool(to_int(code)) and isinstance(text, str) and bool(text.strip())

    @property
    def names_messages(self) -> bool:
        """Whether the body has an id or a list of messages, which the platform has only for what it has accepted."""
        return any(self.fields.get(key) for key in ("message_id", "job_id", "messages", "reports"))

    @property
    def retry_after(self) -> float | None:
        """The seconds of Retry-After, which may be a number or a date; an hour at most."""
        value = self.headers.get("Retry-After", "").strip()
        if _SECONDS.fullmatch(value):
            return min(float(value), _LONGEST_WAIT)
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time()
        except (ValueError, OverflowError):
            return None
        return min(max(0.0, seconds), _LONGEST_WAIT)


def read_answer(answer: HttpAnswer) -> Any:
    """Return the JSON of a successful POST. Raises NotTaken, APIError or OutcomeUnknown."""
    if answer.names_messages and (answer.has_error_code or not answer.is_success):
        raise UnreadableResponse(answer.status, _CONTRADICTION, *_code_and_text(answer))
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        raise RequestTooLarge(*_details(answer), is_from_platform=answer.is_own_error)
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE and answer.retry_after is not None:
        raise NotTaken(answer.retry_after, f"HTTP {answer.status}")
    _raise_for_account(answer)
    # A router or a timer decides on a 404 or 408, so it does not prove a rejection, regardless of the body.
    by_router = answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_TIMEOUT)
    if answer.is_own_error and (answer.is_success or (answer.is_client_error and not by_router)):
        raise APIError(*_details(answer))
    if answer.is_success and not answer.has_error_code:
        return _read_success(answer)
    raise _unknown_outcome(answer)


def read_report(answer: HttpAnswer) -> Any:
    """Return the JSON of a report requested with GET. Raises ReportNotFound, NotTaken or OutcomeUnknown.

    The answer for an unknown id is not documented. It may be 404, an empty body, or an error of the platform.
    """
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        raise NotTaken(answer.retry_after, f"HTTP {answer.status}")
    _raise_for_account(answer)
    if answer.failure:
        raise answer.failure
    not_about_id = (HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_TIMEOUT)
    is_about_id = answer.is_success or (answer.is_client_error and answer.status not in not_about_id)
    if answer.names_messages and not answer.is_success:
        raise _unknown_outcome(answer)
    # A failed message may have its error code in its report. A proxy's code is recognized by the control queries.
    if answer.has_error_code and is_about_id and not answer.names_messages:
        code = answer.fields["error_code"]
        error_code = to_int(code) or to_identifier(code)[:MAX_ID_LENGTH] or None
        raise ReportNotFound(answer.status, error_code, to_text(answer.fields.get("error_text")))
    if answer.status == HTTPStatus.NOT_FOUND:
        raise ReportNotFound(answer.status)
    if not answer.is_success:
        raise _unknown_outcome(answer)
    report = _read_success(answer) if answer.content.strip() else None
    if not report:
        raise ReportNotFound(answer.status)
    return report


def _raise_for_account(answer: HttpAnswer) -> None:
    """Raise AuthenticationError or TooManyRequests if the platform accepts no request of the account now."""
    if answer.status == HTTPStatus.UNAUTHORIZED or (answer.status == HTTPStatus.FORBIDDEN and answer.is_own_error):
        raise AuthenticationError(*_details(answer))
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise TooManyRequests(answer.retry_after, *_code_and_text(answer))


def _read_success(answer: HttpAnswer) -> Any:
    if answer.failure:
        raise answer.failure
    if answer.payload is _NOT_JSON:
        raise UnreadableResponse(answer.status, gettext_noop("the answer is not JSON"))
    return answer.payload


def _details(answer: HttpAnswer) -> tuple[int, int | None, str, str]:
    """Return the arguments of an APIError."""
    start = answer.content[:_MAX_KEPT_BODY].decode("utf-8", "replace")
    return answer.status, *_code_and_text(answer), clean_text(start)


def _unknown_outcome(answer: HttpAnswer) -> OutcomeUnknown:
    return answer.failure or UnreadableResponse(answer.status, _reason(answer), *_code_and_text(answer))


def _code_and_text(answer: HttpAnswer) -> tuple[int | None, str]:
    # The code of a proxy must not count as an error of the platform that is repeated.
    code = to_int(answer.fields.get("error_code")) if answer.is_own_error else None
    return code, to_text(answer.fields.get("error_text"))


def _reason(answer: HttpAnswer) -> str:
    if answer.status < HTTPStatus.OK:
        return gettext_noop("the answer is not final")
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        return gettext_noop("the answer is a redirect, which is never followed. Check the URL")
    if answer.is_own_error:
        return gettext_noop(
            "the platform reports an error, but its status does not show whether it accepted the request"
        )
    if answer.has_error_code:
        return gettext_noop("the answer has an error code without a text, so it may be from a proxy")
    return _REASONS.get(answer.status, gettext_noop("the answer is an HTTP error without an error of the platform"))

"""What an answer of the platform proves.

Proxies, firewalls and balancers answer as well, with any status. So only the platform's own JSON is a refusal, and an
answer that proves nothing leaves the outcome unknown.
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
from django_hyber.protocol.wire.json_text import read_json
from django_hyber.protocol.wire.values import MAX_ID_LENGTH, clean_text, is_error_code, to_identifier, to_int, to_text

_MAX_KEPT_BODY = 2000
_NOT_JSON = object()
_SECONDS = re.compile(r"[0-9]{1,9}")
_REASONS: dict[int, str] = {
    HTTPStatus.FORBIDDEN: "the answer is not the platform's own. Check the firewalls and proxies on the way, and ask"
    " GMS whether the IP address of this server has to be registered",
    HTTPStatus.NOT_FOUND: "nothing seems to be at this URL. Check it, and the proxies on the way",
    HTTPStatus.REQUEST_TIMEOUT: "the server says that the request did not arrive in time",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer. ``failure`` says why the body is not known when only the status and the headers came."""

    status: int
    headers: Mapping[str, str]
    #: Not in the repr, because it names people.
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
        """The JSON in the body, or a mark of its own if there is none."""
        try:
            return read_json(self.content)
        except (ValueError, RecursionError):
            return _NOT_JSON

    @property
    def fields(self) -> dict[str, Any]:
        """The payload if it is an object, or an empty one."""
        return self.payload if isinstance(self.payload, dict) else {}

    @property
    def is_own_error(self) -> bool:
        """Whether the body is an error in the platform's own form."""
        return is_error_code(self.fields.get("error_code"))

    @property
    def retry_after(self) -> float | None:
        """The seconds of Retry-After, which is a number or a date."""
        value = self.headers.get("Retry-After", "").strip()
        if _SECONDS.fullmatch(value):
            return float(value)
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time())
        except (ValueError, OverflowError):
            return None


def read_answer(answer: Answer) -> Any:
    """Return the JSON of a success in answer to a POST. Raises NotTaken, APIError or OutcomeUnknown."""
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        raise _refusal(RequestTooLarge, answer)
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE and answer.retry_after is not None:
        raise NotTaken(answer.retry_after, f"HTTP {answer.status}")
    _raise_for_account(answer)
    # What comes of a 404 or 408 is decided by routers and timers, whatever the body says.
    by_router = answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_TIMEOUT)
    if answer.is_own_error and (answer.is_success or (answer.is_client_error and not by_router)):
        raise _refusal(APIError, answer)
    if answer.is_success and not answer.is_own_error:
        return _read_success(answer)
    raise _doubt(answer)


def read_report(answer: Answer) -> Any:
    """Return the JSON of a report in answer to a GET. Raises ReportNotFound, NotTaken or OutcomeUnknown.

    How an unknown id is answered is not documented: 404, nothing, or an error of the platform.
    """
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        raise NotTaken(answer.retry_after, f"HTTP {answer.status}")
    _raise_for_account(answer)
    if answer.failure:
        raise answer.failure
    is_about_id = answer.is_success or (answer.is_client_error and answer.status != HTTPStatus.REQUEST_TIMEOUT)
    if answer.is_own_error and is_about_id:
        code = answer.fields["error_code"]
        error_code = to_int(code) or to_identifier(code)[:MAX_ID_LENGTH] or None
        raise ReportNotFound(answer.status, error_code, to_text(answer.fields.get("error_text")))
    if answer.status == HTTPStatus.NOT_FOUND:
        raise ReportNotFound(answer.status)
    if not answer.is_success:
        raise _doubt(answer)
    report = _read_success(answer) if answer.content.strip() else None
    if not report:
        raise ReportNotFound(answer.status)
    return report


def _raise_for_account(answer: Answer) -> None:
    """Raise AuthenticationError or TooManyRequests if the platform accepts nothing of the account now."""
    if answer.status == HTTPStatus.UNAUTHORIZED or (answer.status == HTTPStatus.FORBIDDEN and answer.is_own_error):
        raise _refusal(AuthenticationError, answer)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise TooManyRequests(answer.retry_after, *_code_and_text(answer))


def _read_success(answer: Answer) -> Any:
    if answer.failure:
        raise answer.failure
    if answer.payload is _NOT_JSON:
        raise UnreadableResponse(answer.status, "the answer is not JSON")
    return answer.payload


def _refusal(kind: type[APIError], answer: Answer) -> APIError:
    start = answer.content[:_MAX_KEPT_BODY].decode("utf-8", "replace")
    return kind(answer.status, *_code_and_text(answer), clean_text(start))


def _doubt(answer: Answer) -> OutcomeUnknown:
    return answer.failure or UnreadableResponse(answer.status, _reason(answer), *_code_and_text(answer))


def _code_and_text(answer: Answer) -> tuple[int | None, str]:
    return to_int(answer.fields.get("error_code")), to_text(answer.fields.get("error_text"))


def _reason(answer: Answer) -> str:
    if answer.status < HTTPStatus.OK:
        return "the answer is not a final one"
    if answer.status < HTTPStatus.BAD_REQUEST:
        return "the answer is a redirect, which is never followed. Check the URL"
    if answer.is_own_error:
        return "the platform reports an error with a status that leaves open whether it took the request"
    return _REASONS.get(answer.status, "the answer is an HTTP error without an error of the platform")

"""The exceptions of the package, by whether the request can be retried.

HyberError
├── InvalidMessage (ValueError)      rejected here, before anything was sent
├── NotTaken                         certainly not accepted by the platform: safe to retry
│   └── TooManyRequests              HTTP 429
├── APIError                         rejected by the platform: a retry without changes does not help
│   ├── AuthenticationError          the platform refuses the login
│   └── RequestTooLarge              a smaller request may be accepted
├── OutcomeUnknown                   possibly accepted: query the report before a retry
│   ├── ReadTimeout
│   ├── ConnectionLost
│   └── UnreadableResponse
├── ReportNotFound                   the platform has no report, or not yet
├── UnreadableReport (ValueError)    the item is not a delivery report
└── UnreadableReply (ValueError)     the item is not a user reply

The texts contain no credentials, phone numbers or message texts, so they may be logged.
"""
# ruff: noqa: N818 - the names state what happened, which reads well in except clauses

from __future__ import annotations

from collections.abc import Iterable

from django_hyber.protocol.channels.problems import Problem

MAX_ERROR_TEXT = 200


class HyberError(Exception):
    """Base class of the exceptions of this package."""


class InvalidMessage(HyberError, ValueError):
    """The message violates rules of the channels, listed in ``problems``."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return " ".join(str(problem) for problem in self.problems if problem.is_error)


class NotTaken(HyberError):
    """The platform has not accepted the request: nothing was written, or it answered to retry later.

    ``retry_after`` is the delay in seconds that the platform requested, if any.
    """

    def __init__(self, retry_after: float | None = None, reason: str = "no connection") -> None:
        self.retry_after = retry_after
        self.reason = reason
        super().__init__(retry_after, reason)

    def __str__(self) -> str:
        return f"The platform did not accept the request ({self.reason}). It can be retried."


class TooManyRequests(NotTaken):
    """HTTP 429, with the platform's error if there is one."""

    def __init__(self, retry_after: float | None = None, error_code: int | None = None, error_text: str = "") -> None:
        super().__init__(retry_after, "HTTP 429")
        self.error_code = error_code
        self.error_text = error_text
        self.args = (retry_after, error_code, error_text)


class APIError(HyberError):
    """The platform rejected the request. ``error_code`` is None if it is not a number; ``body`` is shortened."""

    def __init__(self, http_status: int, error_code: int | None = None, error_text: str = "", body: str = "") -> None:
        self.http_status = http_status
        self.error_code = error_code
        self.error_text = error_text
        self.body = body
        # repr() omits the body, which may quote the request.
        super().__init__(http_status, error_code)

    def __str__(self) -> str:
        return f"The platform rejected the request {_describe_answer(self)}"


class AuthenticationError(APIError):
    """HTTP 401, or 403 with the platform's error format."""

    def __str__(self) -> str:
        return (
            f"{super().__str__()} Check the login, password and client id, and ask GMS whether the IP address of this"
            " server has to be registered."
        )


class RequestTooLarge(APIError):
    """HTTP 413, from the platform or a proxy."""

    def __str__(self) -> str:
        return f"{super().__str__()} It is too large: split it."


class OutcomeUnknown(HyberError):
    """The request was sent, but there is no usable answer."""

    def __init__(self, reason: str = "there is no usable answer") -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"It is unknown whether the platform accepted the request: {self.reason}."


class ReadTimeout(OutcomeUnknown):
    """The answer did not arrive before the deadline."""

    def __init__(self, reason: str = "the answer did not arrive in time") -> None:
        super().__init__(reason)


class ConnectionLost(OutcomeUnknown):
    """The connection broke while the request was written or the answer was read."""

    def __init__(self, reason: str = "the connection broke before the answer was complete") -> None:
        super().__init__(reason)


class UnreadableResponse(OutcomeUnknown):
    """The answer shows neither acceptance nor rejection. It may contain an error of the platform."""

    def __init__(
        self,
        http_status: int = 200,
        reason: str = "the answer has an unexpected form",
        error_code: int | None = None,
        error_text: str = "",
    ) -> None:
        self.http_status = http_status
        self.error_code = error_code
        self.error_text = error_text
        super().__init__(reason)
        self.args = (http_status, reason, error_code)

    def __str__(self) -> str:
        return f"{super().__str__()[:-1]} {_describe_answer(self)}"


class ReportNotFound(HyberError):
    """A GET was answered with HTTP 404, an empty body or an error.

    The platform does not document its answer for an unknown id. With a wrong URL, every id gets such an answer.
    """

    def __init__(self, http_status: int = 404, error_code: int | str | None = None, error_text: str = "") -> None:
        self.http_status = http_status
        self.error_code = error_code
        self.error_text = error_text
        super().__init__(http_status, error_code, error_text)

    @property
    def answer(self) -> tuple[int, int | str | None]:
        """The status and error, for comparison with the answer about another id."""
        return self.http_status, self.error_code

    def __str__(self) -> str:
        code = "" if self.error_code is None else f", error {self.error_code}"
        return f"The platform has no report for this id (HTTP {self.http_status}{code})."


class UnreadableReport(HyberError, ValueError):
    """The item is not a delivery report; see ``reason``."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class UnreadableReply(HyberError, ValueError):
    """The item is not a user reply; see ``reason``."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def _describe_answer(error: APIError | UnreadableResponse) -> str:
    code = "" if error.error_code is None else f", error {error.error_code}"
    text = f": {error.error_text[:MAX_ERROR_TEXT]}" if error.error_text else "."
    return f"(HTTP {error.http_status}{code}){text}"

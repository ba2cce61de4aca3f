"""What can go wrong, from the caller's point of view: may the request be repeated?

HyberError
├── InvalidMessage (ValueError)      refused here, before anything was sent
├── NotTaken                         surely not taken by the platform: safe to repeat
│   └── TooManyRequests              HTTP 429
├── APIError                         refused by the platform in its own form: repeating it unchanged does not help
│   ├── AuthenticationError          the platform does not accept the account
│   └── RequestTooLarge              a smaller request may be accepted
├── OutcomeUnknown                   perhaps taken: ask for the report before repeating
│   ├── ReadTimeout
│   ├── ConnectionLost
│   └── UnreadableResponse
├── ReportNotFound                   the platform has no report, or not yet
├── UnreadableReport (ValueError)    what came is not a delivery report
└── UnreadableReply (ValueError)     what came is not a user reply

The texts hold no credentials, phone numbers or message texts, so they may be logged.
"""
# ruff: noqa: N818 - the names say what happened, and callers read them in except clauses

from __future__ import annotations

from collections.abc import Iterable

from django_hyber.protocol.channels.problems import Problem

MAX_ERROR_TEXT = 200


class HyberError(Exception):
    """Root of all errors of this package."""


class InvalidMessage(HyberError, ValueError):
    """The message breaks the rules of the channels; ``problems`` says which."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return " ".join(str(problem) for problem in self.problems if problem.is_error)


class NotTaken(HyberError):
    """No byte of the request was written, or the platform asked to come back later.

    ``retry_after`` is the platform's wish in seconds, if it gave one.
    """

    def __init__(self, retry_after: float | None = None, reason: str = "no connection") -> None:
        self.retry_after = retry_after
        self.reason = reason
        super().__init__(retry_after, reason)

    def __str__(self) -> str:
        return f"The platform did not take the request ({self.reason}). It can be repeated."


class TooManyRequests(NotTaken):
    """HTTP 429, with the error of the platform if it gave one."""

    def __init__(self, retry_after: float | None = None, error_code: int | None = None, error_text: str = "") -> None:
        super().__init__(retry_after, "HTTP 429")
        self.error_code = error_code
        self.error_text = error_text
        self.args = (retry_after, error_code, error_text)


class APIError(HyberError):
    """The platform said no, in its own form. ``error_code`` is None if it is no number; ``body`` is cut."""

    def __init__(self, http_status: int, error_code: int | None = None, error_text: str = "", body: str = "") -> None:
        self.http_status = http_status
        self.error_code = error_code
        self.error_text = error_text
        self.body = body
        # The rest is left out of repr(): a body may quote what was sent.
        super().__init__(http_status, error_code)

    def __str__(self) -> str:
        return f"The platform refused the request {_describe_answer(self)}"


class AuthenticationError(APIError):
    """HTTP 401, or 403 in the platform's own form."""

    def __str__(self) -> str:
        return (
            f"{super().__str__()} Check the login, password and client id, and ask GMS whether the IP address of this"
            " server has to be registered."
        )


class RequestTooLarge(APIError):
    """HTTP 413, from the platform or from a proxy in between."""

    def __str__(self) -> str:
        return f"{super().__str__()} It is too large: split it."


class OutcomeUnknown(HyberError):
    """The request went out and no usable answer came back."""

    def __init__(self, reason: str = "no usable answer came back") -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"It is unknown whether the platform took the request: {self.reason}."


class ReadTimeout(OutcomeUnknown):
    """The answer did not come in time."""

    def __init__(self, reason: str = "the answer did not come in time") -> None:
        super().__init__(reason)


class ConnectionLost(OutcomeUnknown):
    """The connection broke after the request had started, or in the middle of the answer."""

    def __init__(self, reason: str = "the connection broke before the whole answer had come") -> None:
        super().__init__(reason)


class UnreadableResponse(OutcomeUnknown):
    """An answer came, but it proves neither yes nor no. An error of the platform in it is kept."""

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
    """HTTP 404, an empty answer or an error body in answer to a GET.

    How the platform answers about an unknown id is not documented, and a wrong URL answers so about every id.
    """

    def __init__(self, http_status: int = 404, error_code: int | str | None = None, error_text: str = "") -> None:
        self.http_status = http_status
        self.error_code = error_code
        self.error_text = error_text
        super().__init__(http_status, error_code, error_text)

    @property
    def answer(self) -> tuple[int, int | str | None]:
        """Exactly what came, to be compared with the answer about another id."""
        return self.http_status, self.error_code

    def __str__(self) -> str:
        code = "" if self.error_code is None else f", error {self.error_code}"
        return f"The platform has no report for this id (HTTP {self.http_status}{code})."


class UnreadableReport(HyberError, ValueError):
    """One item is not a delivery report; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class UnreadableReply(HyberError, ValueError):
    """One item is not a user reply; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def _describe_answer(error: APIError | UnreadableResponse) -> str:
    code = "" if error.error_code is None else f", error {error.error_code}"
    text = f": {error.error_text[:MAX_ERROR_TEXT]}" if error.error_text else "."
    return f"(HTTP {error.http_status}{code}){text}"

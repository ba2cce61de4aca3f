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

The texts contain no credentials, phone numbers or message texts, so they may be logged. What the platform wrote is in
``error_text`` and ``explanation``: it may quote the request.
"""
# ruff: noqa: N818 - the names state what happened, which reads well in except clauses

from __future__ import annotations

from collections.abc import Iterable

from django_hyber.protocol.channels.problems import Problem, gettext_noop

MAX_ERROR_TEXT = 200
# The texts of the exceptions. They are stored in English and translated where they are shown.
NOT_TAKEN = gettext_noop("The platform did not accept the request (%(reason)s). It can be retried.")
REJECTED = gettext_noop("The platform rejected the request (%(answer)s).")
REJECTED_WITH_TEXT = gettext_noop("The platform rejected the request (%(answer)s): %(text)s")
LOGIN_REFUSED = gettext_noop(
    "%(rejection)s Check the login, password and client id, and ask GMS whether the IP address of this server has to be"
    " registered."
)
TOO_LARGE = gettext_noop("%(rejection)s It is too large: split it.")
TOO_LARGE_FOR_PROXY = gettext_noop(
    "A server in between refused the request as too large (%(answer)s); the answer is not from the platform. Check the"
    " size limits of proxies and firewalls."
)
UNKNOWN = gettext_noop("It is unknown whether the platform accepted the request: %(reason)s.")
UNREADABLE = gettext_noop("It is unknown whether the platform accepted the request: %(reason)s (%(answer)s).")
UNREADABLE_WITH_TEXT = gettext_noop(
    "It is unknown whether the platform accepted the request: %(reason)s (%(answer)s): %(text)s"
)
ANSWER = "HTTP %(status)s"
ANSWER_WITH_CODE = gettext_noop("HTTP %(status)s, error %(code)s")
# The reasons in these texts.
NO_CONNECTION = gettext_noop("no connection")
NO_CONNECTION_BECAUSE = gettext_noop("no connection, %(error)s")
CHECKED_TOO_EARLY = gettext_noop("the last check before sending was too long ago")
NO_TIME_LEFT = gettext_noop("no time was left to send the request")
NO_ANSWER = gettext_noop("there is no usable answer")
TIMED_OUT = gettext_noop("the answer did not arrive in time")
BROKEN = gettext_noop("the connection broke before the answer was complete")
BROKEN_BECAUSE = gettext_noop("the connection broke before the answer was complete (%(error)s)")
UNEXPECTED_FORM = gettext_noop("the answer has an unexpected form")
TOO_LONG = gettext_noop("the answer is longer than %(limit)s bytes")
#: The texts with parameters, those with the longest beginning first.
TEMPLATES = (
    LOGIN_REFUSED,
    TOO_LARGE,
    TOO_LARGE_FOR_PROXY,
    NOT_TAKEN,
    REJECTED_WITH_TEXT,
    REJECTED,
    UNREADABLE_WITH_TEXT,
    UNREADABLE,
    UNKNOWN,
    ANSWER_WITH_CODE,
    NO_CONNECTION_BECAUSE,
    BROKEN_BECAUSE,
    TOO_LONG,
)


class HyberError(Exception):
    """Base class of the exceptions of this package."""

    @property
    def explanation(self) -> str:
        """The text together with what the platform wrote, for people who may see numbers and texts."""
        return str(self)


class InvalidMessage(HyberError, ValueError):
    """The message violates rules of the channels, listed in ``problems``."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return " ".join(str(problem) for problem in self.problems if problem.is_error)


class NotTaken(HyberError):
    """The platform has not accepted the request: nothing was written, or it answered to retry later.

    ``retry_after`` is the delay in seconds that the platform requested, if any; an hour at most.
    """

    def __init__(self, retry_after: float | None = None, reason: str = NO_CONNECTION) -> None:
        self.retry_after = retry_after
        self.reason = reason
        super().__init__(retry_after, reason)

    def __str__(self) -> str:
        return NOT_TAKEN % {"reason": self.reason}


class TooManyRequests(NotTaken):
    """HTTP 429, with the platform's error if there is one."""

    def __init__(self, retry_after: float | None = None, error_code: int | None = None, error_text: str = "") -> None:
        super().__init__(retry_after, "HTTP 429")
        self.error_code = error_code
        self.error_text = error_text
        self.args = (retry_after, error_code)


class APIError(HyberError):
    """The platform rejected the request. ``error_code`` is None if it is not a number; ``body`` is shortened."""

    def __init__(self, http_status: int, error_code: int | None = None, error_text: str = "", body: str = "") -> None:
        self.http_status = http_status
        self.error_code = error_code
        self.error_text = error_text
        self.body = body
        # repr() omits text and body, which may quote the request.
        super().__init__(http_status, error_code)

    def __str__(self) -> str:
        return self._describe("")

    @property
    def explanation(self) -> str:
        """The text together with what the platform wrote."""
        return self._describe(self.error_text)

    def _describe(self, quote: str) -> str:
        return _with_answer(self, quote, REJECTED, REJECTED_WITH_TEXT)


class AuthenticationError(APIError):
    """HTTP 401, or 403 with the platform's error format."""

    def _describe(self, quote: str) -> str:
        return LOGIN_REFUSED % {"rejection": super()._describe(quote)}


class RequestTooLarge(APIError):
    """HTTP 413. Only with the platform's error format is it from the platform, otherwise from a proxy."""

    def __init__(
        self,
        http_status: int = 413,
        error_code: int | None = None,
        error_text: str = "",
        body: str = "",
        *,
        is_from_platform: bool = True,
    ) -> None:
        super().__init__(http_status, error_code, error_text, body)
        self.is_from_platform = is_from_platform

    def _describe(self, quote: str) -> str:
        if not self.is_from_platform:
            return TOO_LARGE_FOR_PROXY % {"answer": ANSWER % {"status": self.http_status}}
        return TOO_LARGE % {"rejection": super()._describe(quote)}


class OutcomeUnknown(HyberError):
    """The request was sent, but there is no usable answer."""

    def __init__(self, reason: str = NO_ANSWER) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return UNKNOWN % {"reason": self.reason}


class ReadTimeout(OutcomeUnknown):
    """The answer did not arrive before the deadline."""

    def __init__(self, reason: str = TIMED_OUT) -> None:
        super().__init__(reason)


class ConnectionLost(OutcomeUnknown):
    """The connection broke while the request was written or the answer was read."""

    def __init__(self, reason: str = BROKEN) -> None:
        super().__init__(reason)


class UnreadableResponse(OutcomeUnknown):
    """The answer shows neither acceptance nor rejection. It may contain an error of the platform."""

    def __init__(
        self,
        http_status: int = 200,
        reason: str = UNEXPECTED_FORM,
        error_code: int | None = None,
        error_text: str = "",
    ) -> None:
        self.http_status = http_status
        self.error_code = error_code
        self.error_text = error_text
        super().__init__(reason)
        self.args = (http_status, reason, error_code)

    def __str__(self) -> str:
        return self._describe("")

    @property
    def explanation(self) -> str:
        """The text together with what the platform wrote."""
        return self._describe(self.error_text)

    def _describe(self, quote: str) -> str:
        return _with_answer(self, quote, UNREADABLE, UNREADABLE_WITH_TEXT, reason=self.reason)


class ReportNotFound(HyberError):
    """A GET was answered with HTTP 404, an empty body or an error.

    The platform does not document its answer for an unknown id. With a wrong URL, every id gets such an answer.
    """

    def __init__(self, http_status: int = 404, error_code: int | str | None = None, error_text: str = "") -> None:
        self.http_status = http_status
        self.error_code = error_code
        self.error_text = error_text
        super().__init__(http_status, error_code)

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


def _with_answer(error: APIError | UnreadableResponse, quote: str, template: str, with_text: str, **values: str) -> str:
    answer = ANSWER if error.error_code is None else ANSWER_WITH_CODE
    values["answer"] = answer % {"status": error.http_status, "code": error.error_code}
    return with_text % {**values, "text": quote[:MAX_ERROR_TEXT]} if quote else template % values

"""One request to the platform: its outcome, and what the outcome means for the message or batch that was sent."""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Generic, Literal, Protocol, TypeVar

from django.db import InterfaceError, OperationalError
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber import outbox
from django_hyber.conf import Account, find_account
from django_hyber.db.transactions import database_time
from django_hyber.log_events import LogEvent
from django_hyber.models import TEXT_LIMIT, AccountState, Batch, Message
from django_hyber.models.message import new_extra_id
from django_hyber.protocol import (
    APIError,
    AuthenticationError,
    HyberClient,
    HyberError,
    NotTaken,
    OutcomeUnknown,
    ReportNotFound,
    RequestTooLarge,
    UnreadableResponse,
    describe_traceback,
)
from django_hyber.sending.pace import breaker, pauses, retries
from django_hyber.words.reasons import GAVE_UP

logger = logging.getLogger("django_hyber")
Answer = TypeVar("Answer")
Answer_contra = TypeVar("Answer_contra", contravariant=True)
Status = Message.Status
WaitsFor = Batch.WaitsFor
SAME_ID = gettext_noop("The platform's answer has the id of another message.")
#: Until a request whose login was refused is tried again, another one has gone first and shows whose fault it is.
OTHERS_FIRST = timedelta(seconds=5)
_local = threading.local()
#: The columns of a doubt without queries.
NO_QUERIES: Mapping[str, Any] = MappingProxyType(
    {"not_found_at": None, "asked_at": None, "questions": 0, "unanswered": 0, "answer": "", "answer_text": ""}
)


class Kind(enum.Enum):
    """What is known after a request."""

    ACCEPTED = enum.auto()
    REJECTED = enum.auto()
    #: Rejected as too large: smaller requests may be accepted.
    TOO_LARGE = enum.auto()
    #: The same from a proxy, which may not reject anybody.
    TOO_LARGE_FOR_PROXY = enum.auto()
    #: The platform refused the login, so it accepts no request of the account.
    HELD = enum.auto()
    #: Certainly not accepted: the request can be retried.
    NOT_ACCEPTED = enum.auto()
    #: Only the platform's report can show whether it was accepted.
    UNKNOWN = enum.auto()
    #: Nothing was sent, because there was nobody to send to.
    NOTHING = enum.auto()


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[Answer]):
    """The outcome of a request. ``answer`` is set if it was accepted; ``retry_after`` is in seconds.

    ``refusal`` is the platform's text if the login was refused with HTTP 403, which may be about this request alone.
    ``logged`` is the reason without what the platform wrote, which may quote the request.
    """

    kind: Kind
    answer: Answer | None = None
    reason: str = ""
    refusal: str = ""
    logged: str = ""
    error_code: int | None = None
    retry_after: float | None = None


class ClaimLost(Exception):  # noqa: N818  it says what happened
    """The message or batch must not be sent now: something has changed since it was claimed. Nothing was sent."""


class Target(Protocol[Answer_contra]):
    """What was sent: the claim of a single message or of a batch with all its messages.

    Once another worker has claimed the same row, only ``record`` still has an effect.
    """

    @property
    def account(self) -> Account:
        """The account that sends."""

    @property
    def log_ids(self) -> Mapping[str, Any]:
        """The ids that log events have."""

    @property
    def host(self) -> AccountState.Host:
        """The host of the platform that receives the request."""

    @property
    def counted_attempts(self) -> int:
        """The attempts that count: not those for which the platform refused the login."""

    @property
    def releases_seen(self) -> int | None:
        """The number of releases of the account when the login was last refused for it, or None if it never was."""

    def record(self, answer: Answer_contra) -> None:
        """Store the platform's answer to an accepted request."""

    def put_back(self, waits_for: Batch.WaitsFor | Literal[""], reason: str, due_at: datetime | None) -> None:
        """Queue it again. Only a RETRY counts as an attempt."""

    def wait_for_release(self, reason: str, due_at: datetime, releases: int) -> None:
        """Queue it again after the login was refused. ``releases`` is the number of releases of the account so far."""

    def set_aside(self, reason: str) -> None:
        """Queue it again after a failure on our side or of a proxy, which a user has to fix."""

    def confirm(self) -> None:
        """Verify everything once more and renew the lease, right before the request is written. Raises ClaimLost."""

    def split(self, reason: str) -> bool:
        """Queue it again in two halves. Return False if it has only one message, without any change."""

    def end(self, status: Message.Status, reason: str, error_code: int | None) -> None:
        """Give it this final status."""

    def mark_unconfirmed(self, reason: str, query_at: datetime, *, logged: str, error_code: int | None = None) -> None:
        """Record that the outcome is unknown. The platform's reports are first queried at ``query_at``.

        ``logged`` is the reason for the log, without what the platform wrote.
        """


def hand_over(request: Callable[[Callable[[], None]], Answer | None], target: Target[Answer]) -> None:
    """Make the request and act on its outcome. Call it right after the claim: nothing else is done in between.

    ``request`` receives a function that it calls right before its first byte is written. It returns None without this
    call if there is nothing to send, and has then ended the target. An error before that call is a failure on our side:
    nothing was sent. If the database failed, it is tried again soon; otherwise the target is set aside. After an error
    past that call, the outcome is unknown.
    """
    is_written = False

    def before_write() -> None:
        nonlocal is_written
        target.confirm()
        is_written = True

    try:
        outcome = exchange(lambda: request(before_write))
    except ClaimLost as error:
        logger.warning("%s", error, extra={"event": LogEvent.CLAIM_LOST, **target.log_ids})
        target.put_back("", "", None)
    except Exception as error:  # noqa: BLE001  it is logged
        logger.error(  # noqa: TRY400
            "A request failed on our side\n%s",
            describe_traceback(error),
            extra={"event": LogEvent.REQUEST_FAILED, **target.log_ids},
        )
        if is_written:
            act_on(Outcome(kind=Kind.UNKNOWN, reason=describe(error), logged=type(error).__name__), target)
        elif isinstance(error, (OperationalError, InterfaceError)):
            # A restart, a deadlock or a locked file is over soon, and there is nothing that a user could fix.
            target.put_back("", "", timezone.now() + timedelta(seconds=target.account.retry_delay))
        else:
            target.set_aside(describe(error))
    else:
        act_on(outcome, target)


def exchange(request: Callable[[], Answer | None]) -> Outcome[Answer]:
    """Make the request and return its outcome."""
    try:
        answer = request()
        return Outcome(kind=Kind.NOTHING if answer is None else Kind.ACCEPTED, answer=answer)
    except NotTaken as error:
        return Outcome(kind=Kind.NOT_ACCEPTED, reason=describe(error), retry_after=error.retry_after)
    except AuthenticationError as error:
        # It explains more than the platform's answer.
        refusal = describe(error) if error.http_status == HTTPStatus.FORBIDDEN else ""
        reason = error.explanation[:TEXT_LIMIT]
        return Outcome(kind=Kind.HELD, reason=reason, refusal=refusal, error_code=error.error_code)
    except RequestTooLarge as error:
        kind = Kind.TOO_LARGE if error.is_from_platform else Kind.TOO_LARGE_FOR_PROXY
        return Outcome(kind=kind, reason=describe(error), error_code=error.error_code)
    except APIError as error:
        return Outcome(kind=Kind.REJECTED, reason=describe(error), error_code=error.error_code)
    except OutcomeUnknown as error:
        error_code = error.error_code if isinstance(error, UnreadableResponse) else None
        return Outcome(kind=Kind.UNKNOWN, reason=describe(error), error_code=error_code, logged=str(error))


def act_on(outcome: Outcome[Answer], target: Target[Answer]) -> None:
    """Update the account's circuit breaker and the target."""
    account, reason, now = target.account, outcome.reason, timezone.now()
    if outcome.kind is Kind.NOTHING:
        return
    if outcome.answer is not None:
        breaker.note_answer(account, target.host)
        target.record(outcome.answer)
    elif outcome.kind in (Kind.TOO_LARGE, Kind.TOO_LARGE_FOR_PROXY) and target.split(reason):
        return
    elif outcome.kind in (Kind.REJECTED, Kind.TOO_LARGE):
        breaker.note_answer(account, target.host)
        target.end(Status.REJECTED, reason, outcome.error_code)
    elif outcome.kind is Kind.TOO_LARGE_FOR_PROXY:
        logger.error("%s", reason, extra={"event": LogEvent.REQUEST_TOO_LARGE, **target.log_ids})
        target.set_aside(reason)
    elif outcome.kind is Kind.HELD and _is_at_fault_itself(outcome, target):
        target.end(Status.REJECTED, outcome.refusal, outcome.error_code)
    elif outcome.kind is Kind.HELD:
        hold = breaker.hold(account, reason)
        target.wait_for_release(reason, hold.until + OTHERS_FIRST, hold.releases)
        breaker.wake_if_released(account.name)
    elif outcome.kind is Kind.NOT_ACCEPTED:
        breaker.note_failure(account, target.host, reason, outcome.retry_after)
        if retries.should_retry(account, target.counted_attempts):
            next_at = retries.next_attempt(account, target.counted_attempts, now, outcome.retry_after)
            target.put_back(WaitsFor.RETRY, reason, next_at)
        else:
            text = GAVE_UP % {"attempts": target.counted_attempts, "reason": reason}
            target.end(Status.UNDELIVERED, text[:TEXT_LIMIT], None)
    else:
        breaker.note_failure(account, target.host, reason)
        query_at = database_time() + timedelta(seconds=account.retry_delay)
        target.mark_unconfirmed(reason, query_at, error_code=outcome.error_code, logged=outcome.logged)


def _is_at_fault_itself(outcome: Outcome[Answer], target: Target[Answer]) -> bool:
    """Whether HTTP 403 is about this request and not about the login.

    The same request was answered like this before, another one was accepted in the meantime, and a query with the same
    login is answered now.
    """
    account, seen = target.account, target.releases_seen
    if not outcome.refusal or seen is None:
        return False
    return breaker.was_released_since(account.name, seen) and _is_login_accepted(account)


def _is_login_accepted(account: Account) -> bool:
    """Query an id that was never used. Without an answer, nothing is known."""
    reports = AccountState.Host.REPORTS
    if pauses.paused_until(account.name, reports, database_time()):
        return False
    try:
        get_client(account).fetch_report(extra_id=new_extra_id())
    except ReportNotFound:
        pauses.note_answer(account, reports)
        return True
    except HyberError as error:
        pauses.note_failure(account, reports, error)
        return False
    return True


def begin_doubt(account: Account, start_time: datetime | None) -> dict[str, Any]:
    """Return the columns of a doubt that begins now. Call it after the connection was closed.

    "Not found" counts after NOT_FOUND_GRACE. The platform may not process a message before its start time, so the grace
    begins no earlier.
    """
    now = database_time()
    grace = timedelta(seconds=account.not_found_grace)
    return {**NO_QUERIES, "doubted_at": now, "not_found_after": max(now, start_time or now) + grace}


def working_account(name: str) -> Account | None:
    """Return the account, or None if its settings are missing or invalid: its work waits, that of others goes on."""
    account = find_account(name)
    if account is None:
        logger.error(
            "Account %s waits: its settings are missing or invalid",
            name,
            extra={"event": LogEvent.ACCOUNT_INVALID, "account": name},
        )
    return account


def describe(error: Exception) -> str:
    """Return the platform's error text, or otherwise that of the exception, cut to the length of the column."""
    return (getattr(error, "error_text", "") or str(error) or type(error).__name__)[:TEXT_LIMIT]


def get_client(account: Account) -> HyberClient:
    """Return this thread's client of the account. It keeps its connections open between requests.

    In tests it is the outbox.
    """
    client_class = outbox.OutboxClient if outbox.is_active() else HyberClient
    clients: dict[str, tuple[Account, HyberClient]] = _local.__dict__.setdefault("clients", {})
    known = clients.get(account.name)
    if known and known[0] == account and type(known[1]) is client_class:
        return known[1]
    if known:
        known[1].close()
    client = client_class(
        client_id=account.client_id,
        login=account.login,
        # Not a variable here: error trackers collect those.
        password=account.password,
        site=account.site,
        api_url=account.api_url,
        bulk_url=account.bulk_url,
        reports_url=account.reports_url,
        connect_timeout=account.connect_timeout,
        read_timeout=account.read_timeout,
    )
    clients[account.name] = (account, client)
    return client

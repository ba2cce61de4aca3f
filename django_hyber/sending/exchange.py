"""One request to the platform: its outcome, and what the outcome means for the message or batch that was sent."""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Generic

from django.db import InterfaceError, OperationalError

from django_hyber import outbox
from django_hyber.conf import Account, find_account
from django_hyber.db.clock import awaited_time, database_time
from django_hyber.log_events import LogEvent, log_failure
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
)
from django_hyber.sending.claim import Answer, Claim, ClaimLost
from django_hyber.sending.pace import breaker, pauses, retries
from django_hyber.words.reasons import GAVE_UP

logger = logging.getLogger("django_hyber")
Status = Message.Status
WaitsFor = Batch.WaitsFor
#: A request whose login was refused is tried again this long after the probe: another one goes first, and shows whether
#: the refusal was about this request.
OTHERS_FIRST = timedelta(seconds=5)
_local = threading.local()


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


def hand_over(request: Callable[[Callable[[], None]], Answer | None], claim: Claim[Any, Answer]) -> None:
    """Make the request and act on its outcome. Call it right after the claim: nothing else is done in between.

    ``request`` receives a function that it calls right before its first byte is written. It returns None without this
    call if there is nothing to send, and has then ended the row. An error before that call is a failure on our side:
    nothing was sent. If the database failed, it is tried again soon; otherwise the row is set aside. After an error
    past that call, the outcome is unknown.
    """
    is_written = False

    def before_write() -> None:
        nonlocal is_written
        claim.confirm()
        is_written = True

    try:
        outcome = exchange(lambda: request(before_write))
    except ClaimLost as error:
        logger.warning("Nothing sent for %s: %s", claim, error, extra={"event": LogEvent.CLAIM_LOST, **claim.log_ids})
        claim.put_back("", "", None)
    except Exception as error:  # noqa: BLE001  it is logged
        log_failure(LogEvent.REQUEST_FAILED, error, "A request failed on our side", **claim.log_ids)
        if is_written:
            act_on(Outcome(kind=Kind.UNKNOWN, reason=describe(error), logged=type(error).__name__), claim)
        elif isinstance(error, (OperationalError, InterfaceError)):
            # A restart, a deadlock or a locked file is over soon, and there is nothing that a user could fix.
            claim.put_back("", "", awaited_time() + timedelta(seconds=claim.account.retry_delay))
        else:
            claim.set_aside(describe(error))
    else:
        act_on(outcome, claim)


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


def act_on(outcome: Outcome[Answer], claim: Claim[Any, Answer]) -> None:
    """Update the account's circuit breaker and the row."""
    account, reason = claim.account, outcome.reason
    if outcome.kind is Kind.NOTHING:
        return
    if outcome.answer is not None:
        breaker.note_answer(account, claim.host)
        claim.record(outcome.answer)
    elif outcome.kind in (Kind.TOO_LARGE, Kind.TOO_LARGE_FOR_PROXY) and claim.split(reason):
        return
    elif outcome.kind in (Kind.REJECTED, Kind.TOO_LARGE):
        breaker.note_answer(account, claim.host)
        claim.end(Status.REJECTED, reason, outcome.error_code)
    elif outcome.kind is Kind.TOO_LARGE_FOR_PROXY:
        logger.error("%s", reason, extra={"event": LogEvent.REQUEST_TOO_LARGE, **claim.log_ids})
        claim.set_aside(reason)
    elif outcome.kind is Kind.HELD and _is_at_fault_itself(outcome, claim):
        claim.end(Status.REJECTED, outcome.refusal, outcome.error_code)
    elif outcome.kind is Kind.HELD:
        hold = breaker.hold(account, reason)
        claim.wait_for_release(reason, hold.until + OTHERS_FIRST, hold.releases)
        breaker.wake_if_released(account.name)
    elif outcome.kind is Kind.NOT_ACCEPTED:
        breaker.note_failure(account, claim.host, reason, outcome.retry_after)
        if retries.should_retry(account, claim.counted_attempts):
            next_at = retries.next_attempt(account, claim.counted_attempts, awaited_time(), outcome.retry_after)
            claim.put_back(WaitsFor.RETRY, reason, next_at)
        else:
            text = GAVE_UP % {"attempts": claim.counted_attempts, "reason": reason}
            claim.end(Status.UNDELIVERED, text[:TEXT_LIMIT], None)
    else:
        breaker.note_failure(account, claim.host, reason)
        query_at = awaited_time() + timedelta(seconds=account.retry_delay)
        claim.mark_unconfirmed(reason, query_at, error_code=outcome.error_code, logged=outcome.logged)


def _is_at_fault_itself(outcome: Outcome[Answer], claim: Claim[Any, Answer]) -> bool:
    """Whether HTTP 403 is about this request and not about the login.

    The same request was answered like this before, another one was accepted in the meantime, and a query with the same
    login is answered now.
    """
    account, seen = claim.account, claim.row.releases_seen
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


def stand_in(name: str) -> Account:
    """Return an account for what may have been sent, and whose settings are missing or invalid by now.

    Its NOT_FOUND_GRACE is unknown, so "not found" counts only after an hour.
    """
    return Account(name=name, not_found_grace=3_600)


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

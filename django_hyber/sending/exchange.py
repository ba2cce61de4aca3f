"""One exchange with the platform: what its outcome is, and what follows for the message or batch that was sent."""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Literal, Protocol, TypeVar

from django.utils import timezone

from django_hyber.conf import Account
from django_hyber.models import AccountState, Batch, Message
from django_hyber.protocol import (
    APIError,
    AuthenticationError,
    HyberClient,
    NotTaken,
    OutcomeUnknown,
    RequestTooLarge,
    UnreadableResponse,
)
from django_hyber.sending.pace import breaker, retries

logger = logging.getLogger("django_hyber")
Answer = TypeVar("Answer")
Answer_contra = TypeVar("Answer_contra", contravariant=True)
Status = Message.Status
WaitsFor = Batch.WaitsFor
TEXT_LIMIT = 255
GAVE_UP = "Not handed over after %(attempts)d attempts: %(reason)s"
_local = threading.local()


class Kind(enum.Enum):
    """What is known after a request."""

    TAKEN = enum.auto()
    REFUSED = enum.auto()
    #: Surely not, and not at all in one piece.
    TOO_LARGE = enum.auto()
    #: The platform does not let the account in: nothing that it sends can be taken now.
    HELD = enum.auto()
    #: Surely not, so it can be repeated.
    NOT_TAKEN = enum.auto()
    #: Perhaps: only the platform's own report can show it.
    UNKNOWN = enum.auto()


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[Answer]):
    """How an exchange ended. ``answer`` is what came back when it was taken, ``retry_after`` is in seconds."""

    kind: Kind
    answer: Answer | None = None
    reason: str = ""
    error_code: int | None = None
    retry_after: float | None = None


class ClaimLost(Exception):  # noqa: N818  it says what happened
    """The message or batch must not be sent now: another worker has it, or its campaign was stopped."""


class Target(Protocol[Answer_contra]):
    """What was sent: the claim of a single message, or that of a batch, which stands for all its messages.

    Once another worker has claimed it, nothing changes any more, except that the answer is still recorded.
    """

    @property
    def account(self) -> Account:
        """Whose request it was."""

    @property
    def host(self) -> AccountState.Host:
        """Which host of the platform the request goes to."""

    @property
    def counted_attempts(self) -> int:
        """How many of its attempts count: not those at which the platform did not let the account in."""

    def record(self, answer: Answer_contra) -> None:
        """Store what the platform has answered about what it took."""

    def put_back(self, waits_for: Batch.WaitsFor | Literal[""], reason: str, due_at: datetime | None) -> None:
        """Queue it again. The attempt counts if the platform was asked to take it (RETRY)."""

    def set_aside(self, reason: str) -> None:
        """Queue it again, so that a person can correct what keeps it from being sent."""

    def confirm(self) -> None:
        """Renew the lease right before the request is written. Raises ClaimLost."""

    def split(self, reason: str) -> None:
        """Queue it again in two halves, or reject what cannot be divided."""

    def end(self, status: Message.Status, reason: str, error_code: int | None) -> None:
        """End it with this failure."""

    def mark_unconfirmed(self, reason: str, ask_at: datetime, *, error_code: int | None = None) -> None:
        """Leave it to the platform's reports, which are first asked for at ``ask_at``."""


def hand_over(request: Callable[[Callable[[], None]], Answer], target: Target[Answer]) -> None:
    """Make the request and do what follows from its outcome.

    The request is given a function to call right before it writes its first byte. Until then, whatever fails is our own
    failure and nothing was sent: the target is set aside with the reason. From then on, the platform may have it.
    """
    is_written = False

    def before_write() -> None:
        nonlocal is_written
        target.confirm()
        is_written = True

    try:
        outcome = exchange(lambda: request(before_write))
    except ClaimLost as error:
        logger.warning("%s", error)
        target.put_back("", "", None)
    except Exception as error:
        logger.exception("A request has failed for a reason of our own")
        if is_written:
            act_on(Outcome(kind=Kind.UNKNOWN, reason=describe(error)), target)
        else:
            target.set_aside(describe(error))
    else:
        act_on(outcome, target)


def exchange(request: Callable[[], Answer]) -> Outcome[Answer]:
    """Make the request, and say what is known after it."""
    try:
        return Outcome(kind=Kind.TAKEN, answer=request())
    except NotTaken as error:
        return Outcome(kind=Kind.NOT_TAKEN, reason=describe(error), retry_after=error.retry_after)
    except AuthenticationError as error:
        # Its own text says where to look.
        return Outcome(kind=Kind.HELD, reason=str(error)[:TEXT_LIMIT])
    except RequestTooLarge as error:
        return Outcome(kind=Kind.TOO_LARGE, reason=describe(error))
    except APIError as error:
        return Outcome(kind=Kind.REFUSED, reason=describe(error), error_code=error.error_code)
    except OutcomeUnknown as error:
        error_code = error.error_code if isinstance(error, UnreadableResponse) else None
        return Outcome(kind=Kind.UNKNOWN, reason=describe(error), error_code=error_code)


def act_on(outcome: Outcome[Answer], target: Target[Answer]) -> None:
    """Do what follows from the outcome, for the account and for what was sent."""
    account, reason, now = target.account, outcome.reason, timezone.now()
    if outcome.answer is not None:
        breaker.note_answer(account, target.host)
        target.record(outcome.answer)
    elif outcome.kind is Kind.REFUSED:
        breaker.note_answer(account, target.host)
        target.end(Status.REJECTED, reason, outcome.error_code)
    elif outcome.kind is Kind.TOO_LARGE:
        target.split(reason)
    elif outcome.kind is Kind.HELD:
        target.put_back(WaitsFor.ACCOUNT, reason, breaker.hold(account, reason))
    elif outcome.kind is Kind.NOT_TAKEN:
        breaker.note_failure(account, target.host, reason, outcome.retry_after)
        if retries.should_retry(account, target.counted_attempts):
            again_at = retries.next_attempt(account, target.counted_attempts, now, outcome.retry_after)
            target.put_back(WaitsFor.RETRY, reason, again_at)
        else:
            text = GAVE_UP % {"attempts": target.counted_attempts, "reason": reason}
            target.end(Status.UNDELIVERED, text[:TEXT_LIMIT], None)
    else:
        breaker.note_failure(account, target.host, reason)
        ask_at = now + timedelta(seconds=account.retry_delay)
        target.mark_unconfirmed(reason, ask_at, error_code=outcome.error_code)


def describe(error: Exception) -> str:
    """Return what the platform said, or else what happened, cut to what the column holds."""
    return (getattr(error, "error_text", "") or str(error) or type(error).__name__)[:TEXT_LIMIT]


def get_client(account: Account) -> HyberClient:
    """Return this thread's client of the account; its connections are kept open between requests."""
    clients: dict[str, tuple[dict[str, object], HyberClient]] = _local.__dict__.setdefault("clients", {})
    arguments = _arguments(account)
    known = clients.get(account.name)
    if known and known[0] == arguments:
        return known[1]
    if known:
        known[1].close()
    client = HyberClient(**arguments)  # type: ignore[arg-type]
    clients[account.name] = (arguments, client)
    return client


def _arguments(account: Account) -> dict[str, object]:
    names = (
        "client_id login password site api_url bulk_url reports_url connect_timeout read_timeout"  # as in HyberClient
    )
    return {name: getattr(account, name) for name in names.split()}

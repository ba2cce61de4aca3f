"""A single message on its way: claim, send, record. No transaction is open while the platform is asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber import announce
from django_hyber.announce import Change
from django_hyber.conf import Account, get_account, get_callback_url
from django_hyber.db.transactions import database, insisting
from django_hyber.models import Message, Suppression
from django_hyber.protocol import (
    APIError,
    HyberClient,
    HyberError,
    NotTaken,
    OutcomeUnknown,
    channels_from_wire,
    single_body,
)
from django_hyber.reports.early import apply_waiting_reports
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE
from django_hyber.sending.clients import get_client
from django_hyber.sending.pace import breaker, retries

logger = logging.getLogger("django_hyber")
Status = Message.Status
TEXT_LIMIT = 255
OPTED_OUT = gettext_noop("The recipient has opted out.")
BLOCKED = gettext_noop("Waits until the platform answers again.")
GAVE_UP = "Not handed over after %(attempts)d attempts: %(reason)s"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A message that this worker alone may send until the lease ends. ``attempt`` tells claims apart."""

    pk: int
    attempt: int
    lease_until: datetime
    account: Account
    phone_number: str
    extra_id: str
    content: Mapping[str, Any]


def submit_message(pk: int, client: HyberClient | None = None) -> None:
    """Hand a queued single message to the platform; do nothing when it is not due or another worker has it."""
    using = database()
    claim = claim_message(pk, using)
    if claim is None:
        return
    if _must_not_be_sent(claim, using):
        _settle(claim, Status.SUPPRESSED, using, error_text=OPTED_OUT)
        return
    client = client or get_client(claim.account)
    body = build_body(claim.account, claim.phone_number, claim.extra_id, claim.content)
    if timezone.now() >= claim.lease_until:
        # Whoever stood still for so long must not send what others have sent since.
        logger.warning("Message %s did not go out within its lease, and is left to the sweep", claim.extra_id)
        return
    try:
        message_id = client.send_single(body)
    except NotTaken as error:
        breaker.note_failure(claim.account, error, using)
        _postpone(claim, error, using)
    except APIError as error:
        breaker.note_answer(claim.account, using)
        _settle(claim, Status.REJECTED, using, error_code=error.error_code, error_text=describe(error))
    except OutcomeUnknown as error:
        breaker.note_failure(claim.account, error, using)
        _doubt(claim, error, using)
    else:
        breaker.note_answer(claim.account, using)
        record_acceptance(claim, message_id, using)


def _must_not_be_sent(claim: Claim, using: str) -> bool:
    """A single message answers to something that its recipient did; SUPPRESS_TRANSACTIONAL stops these too."""
    if not claim.account.suppress_transactional:
        return False
    return Suppression.objects.using(using).filter(phone_number=claim.phone_number).exists()


def claim_message(pk: int, using: str) -> Claim | None:
    """Take a due message by a conditional UPDATE: of two workers only one sees a row changed.

    While the platform does not answer, the message is put off instead.
    """
    now = timezone.now()
    rows = Message.objects.using(using).filter(pk=pk)
    waiting = rows.filter(retries.is_due(now), status=Status.QUEUED, campaign=None)
    account_name = waiting.values_list("account", flat=True).first()
    if account_name is None:
        return None
    account = get_account(account_name)
    blocked_until = breaker.blocked_until(account, using)
    if blocked_until:
        waiting.update(next_attempt_at=blocked_until, error_text=BLOCKED, enqueued_at=None)
        return None
    lease_until = now + timedelta(seconds=account.lease)
    taken = waiting.update(
        status=Status.SENDING,
        attempts=F("attempts") + 1,
        lease_until=lease_until,
        next_attempt_at=None,
        enqueued_at=None,
    )
    if not taken:
        return None
    message = rows.get()
    return Claim(
        pk=pk,
        attempt=message.attempts,
        lease_until=lease_until,
        account=account,
        phone_number=message.phone_number or "",
        extra_id=message.extra_id,
        content=message.content or {},
    )


def build_body(account: Account, phone_number: str, extra_id: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Build the request from the stored content; our own callback URL is added here, so no token is ever stored."""
    options = dict(content)
    channels = channels_from_wire(options.pop("channels"), options.pop("channel_options"))
    options.setdefault("callback_url", get_callback_url(account))
    return single_body(
        phone_number=phone_number,
        extra_id=extra_id,
        channels=channels,
        phone_as_number=account.phone_as_number,
        **options,
    )


@insisting
def record_acceptance(claim: Claim, message_id: str, using: str) -> None:
    """Store the platform's id. A report may have overtaken the answer: then the status is already further on."""
    now = timezone.now()
    mine = Message.objects.using(using).filter(pk=claim.pk, attempts=claim.attempt)
    known: dict[str, Any] = {"message_id": message_id, "accepted_at": now, "lease_until": None, "next_attempt_at": None}
    moved = mine.filter(status__in=BEFORE_ACCEPTANCE).update(
        status=Status.ACCEPTED, error_code=None, error_text="", **known
    )
    if moved:
        announce.announce_changes([Change(claim.pk, Status.SENDING, Status.ACCEPTED)], using)
    else:
        mine.update(**known)
    apply_waiting_reports(claim.account, [message_id], using)


def describe(error: HyberError) -> str:
    """Return what the platform said, or else what happened, cut to what the column holds."""
    return (getattr(error, "error_text", "") or str(error))[:TEXT_LIMIT]


@insisting
def _postpone(claim: Claim, error: NotTaken, using: str) -> None:
    if not retries.should_retry(claim.account, claim.attempt):
        text = GAVE_UP % {"attempts": claim.attempt, "reason": describe(error)}
        _settle(claim, Status.UNDELIVERED, using, error_text=text[:TEXT_LIMIT])
        return
    _mine(claim, using).update(
        status=Status.QUEUED,
        error_text=describe(error),
        lease_until=None,
        next_attempt_at=retries.next_attempt(claim.account, claim.attempt, timezone.now(), error.retry_after),
    )


@insisting
def _doubt(claim: Claim, error: OutcomeUnknown, using: str) -> None:
    """The platform may or may not have it: from now on only its own report can tell (design.md, rule 3)."""
    logger.warning("Outcome unknown for message %s: %s", claim.extra_id, type(error).__name__)
    now = timezone.now()
    moved = _mine(claim, using).update(
        status=Status.UNCONFIRMED,
        error_text=describe(error),
        lease_until=now + timedelta(seconds=claim.account.not_found_grace),
        next_attempt_at=now + timedelta(seconds=claim.account.retry_delay),
    )
    if moved:
        announce.announce_changes([Change(claim.pk, Status.SENDING, Status.UNCONFIRMED)], using)


@insisting
def _settle(claim: Claim, status: Status, using: str, error_text: str, error_code: int | None = None) -> None:
    moved = _mine(claim, using).update(
        status=status,
        error_code=error_code,
        error_text=error_text,
        finished_at=timezone.now(),
        lease_until=None,
        next_attempt_at=None,
    )
    if moved:
        announce.announce_changes([Change(claim.pk, Status.SENDING, status)], using)


def _mine(claim: Claim, using: str) -> QuerySet[Message]:
    return Message.objects.using(using).filter(pk=claim.pk, attempts=claim.attempt, status__in=BEFORE_ACCEPTANCE)

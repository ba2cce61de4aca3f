"""Sending a single message: claim it, send it, record the answer. No transaction is open during the request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError

from django_hyber.conf import Account
from django_hyber.conf.addresses import get_callback_url
from django_hyber.db import lease
from django_hyber.db.transactions import db_connection, insisting, refuse_transaction
from django_hyber.models import AccountState, Message
from django_hyber.policies.allowed_numbers import reason_to_skip
from django_hyber.protocol import HyberClient, channels_from_wire, single_body
from django_hyber.sending.exchange import get_client, hand_over, working_account
from django_hyber.sending.message_claim import MessageClaim, end_late
from django_hyber.sending.once import LANGUAGE
from django_hyber.sending.pace import breaker
from django_hyber.sending.pace.deadline import before_deadline, is_too_late

Status = Message.Status


def submit_message(pk: int, client: HyberClient | None = None) -> None:
    """Send a queued single message to the platform. Does nothing if it is not due or another worker claimed it."""
    claim = claim_message(pk)
    if claim is None:
        return
    hand_over(partial(_post, claim, client), claim)


def _post(claim: MessageClaim, client: HyberClient | None, before_write: Callable[[], None]) -> str | None:
    message, client = claim.row, client or get_client(claim.account)
    reason = reason_to_skip(claim.account, message)
    if reason:
        claim.end(Status.SUPPRESSED, reason, None)
        return None
    body = build_body(claim.account, message.phone_number or "", message.extra_id, message.content or {})
    return client.send_single(body, before_write=before_write)


@insisting
def claim_message(pk: int) -> MessageClaim | None:
    """Claim a due message, or postpone it while its account is blocked. A message that is too late expires."""
    refuse_transaction()
    waiting = Message.objects.filter(lease.is_due(), pk=pk, status=Status.QUEUED, campaign=None)
    message = waiting.first()
    if message is None:
        return None
    if is_too_late(message):
        end_late(waiting, message)
        return None
    account = working_account(message.account)
    if account is None:
        return None
    blocked_until = breaker.blocked_until(account, AccountState.Host.SINGLE)
    if blocked_until:
        reason = breaker.HELD if breaker.is_held(account.name) else breaker.BLOCKED
        until = before_deadline(message, blocked_until)
        waiting.update(due_at=until, error_text=reason, enqueued_at=None)
        if not breaker.is_blocked(account.name, AccountState.Host.SINGLE):
            # It has ended in the meantime, so nobody else would see the message before its time.
            Message.objects.filter(pk=pk, status=Status.QUEUED, due_at=until).update(due_at=None)
        return None
    unclaimed = lease.held(waiting, pk, message.attempts)
    # The sender is set again right before the request is written.
    values = {"status": Status.SENDING, "sender": "", "due_at": None, "enqueued_at": None}
    message.attempts += 1
    message.sender = ""
    claim, used = MessageClaim(row=message, account=account), db_connection().connection
    try:
        return claim if lease.claim(unclaimed, account.lease, **values) else None
    except (OperationalError, InterfaceError):
        claim.release_if_lost(used)
        raise


def build_body(account: Account, phone_number: str, extra_id: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Build the request from the stored content. The callback URL is added here, so its token is never stored."""
    options = {name: value for name, value in content.items() if name != LANGUAGE}
    channels = channels_from_wire(options.pop("channels"), options.pop("channel_options"))
    if "callback_url" not in options:
        options["callback_url"] = get_callback_url(account)
    return single_body(
        phone_number=account.redirect_to or phone_number,
        extra_id=extra_id,
        channels=channels,
        phone_as_number=account.phone_as_number,
        **options,
    )

"""Lifting the hold of an account whose login was accepted by a check."""

from __future__ import annotations

from django.db.models import F
from django.utils import timezone

from django_hyber.models import Batch, Campaign, Message
from django_hyber.sending.pace import breaker


def release(account_name: str) -> bool:
    """Lift the hold of the account, and let what waited for it go on. Return whether the account was held."""
    if not breaker.lift_hold(account_name):
        return False
    wake(account_name)
    return True


def wake_if_released(account_name: str) -> None:
    """Let go on what has begun to wait while the hold was being lifted: nobody else would see it before its time."""
    if not breaker.is_held(account_name):
        wake(account_name)


def wake(account_name: str) -> None:
    """Let what waits for the account go on."""
    # A subquery instead of a join, with which PostgreSQL would not look again at a row after waiting for its lock.
    campaigns = Campaign.objects.filter(account=account_name).values("pk")
    held = Batch.objects.filter(state=Batch.State.PENDING, waits_for=Batch.WaitsFor.ACCOUNT, campaign__in=campaigns)
    held.update(due_at=None, waits_for="", enqueued_at=None)
    waiting = Message.objects.filter(status=Message.Status.QUEUED, campaign=None, account=account_name)
    # After an attempt that counts, the message may be waiting for the time that the platform asked for.
    not_retried = waiting.filter(attempts=F("held_attempts"), due_at__gt=timezone.now())
    not_retried.update(due_at=None, enqueued_at=None)

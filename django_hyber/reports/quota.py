"""How much that nobody can use is stored for an account in a day: anyone with its token could fill the disk with it."""

from __future__ import annotations

import logging

from django.db.models import F
from django.utils import timezone

from django_hyber.db.transactions import insisting
from django_hyber.log_events import LogEvent
from django_hyber.models import CallbackQuota

logger = logging.getLogger("django_hyber")
#: Characters of unreadable callbacks, and reports that match no message. Another system of the same account may get a
#: million reports a day here.
UNREADABLE_A_DAY = 100_000_000
UNMATCHED_A_DAY = 2_000_000


def may_keep_unreadable(account: str, characters: int) -> bool:
    """Count unreadable text, and return whether it may be stored."""
    return _count(account, "unreadable", characters, UNREADABLE_A_DAY)


def may_keep_unmatched(account: str, reports: int) -> bool:
    """Count reports without a message, and return whether they may stay stored."""
    return _count(account, "unmatched", reports, UNMATCHED_A_DAY)


@insisting
def _count(account: str, column: str, amount: int, most: int) -> bool:
    today = timezone.now().date()
    quota, is_new = CallbackQuota.objects.get_or_create(account=account, day=today)
    if is_new:
        CallbackQuota.objects.filter(account=account, day__lt=today).delete()
    rows = CallbackQuota.objects.filter(pk=quota.pk, **{f"{column}__lte": most - amount})
    if rows.update(**{column: F(column) + amount}):
        return True
    logger.error(
        "The account %s has got too many unusable callbacks today: the rest is not stored",
        account,
        extra={"event": LogEvent.CALLBACK_FLOOD, "account": account},
    )
    return False

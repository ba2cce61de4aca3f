"""The throttle, in recipients a minute: each request sets the time of the next one in a row that workers share."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from django_hyber.conf import Account
from django_hyber.models import AccountState, Campaign

#: A throttled campaign sends this many batches a minute, so that its traffic is even.
BATCHES_A_MINUTE = 4
#: How much unused time a late sweep may catch up.
CREDIT = timedelta(minutes=1)


def per_minute(campaign: Campaign, account: Account | None) -> int | None:
    """Return the lower throttle of campaign and account, or None if neither has one."""
    limits = (campaign.throttle, account.throttle if account else None)
    return min((limit for limit in limits if limit), default=None)


def batch_size(campaign: Campaign, account: Account) -> int:
    """Return the number of recipients in one request."""
    limit = per_minute(campaign, account)
    if limit is None:
        return account.batch_size
    return min(account.batch_size, max(1, limit // BATCHES_A_MINUTE))


def reserve(campaign: Campaign, account: Account, recipients: int) -> datetime | None:
    """Reserve this many recipients and return None, or return the time to try again.

    Call it inside a transaction, and roll back if a time is returned: the campaign's reservation may have succeeded
    before the account's failed.
    """
    if campaign.throttle:
        own = Campaign.objects.filter(pk=campaign.pk)
        until = _reserve(own, campaign.throttle, recipients)
        if until:
            return until
    if account.throttle:
        AccountState.objects.get_or_create(account=account.name, host=AccountState.Host.ALL)
        shared = AccountState.objects.filter(account=account.name, host=AccountState.Host.ALL)
        return _reserve(shared, account.throttle, recipients)
    return None


def _reserve(rows: QuerySet[Campaign] | QuerySet[AccountState], per_minute: int, recipients: int) -> datetime | None:
    now = timezone.now()
    next_send_at: datetime | None = rows.select_for_update().values_list("next_send_at", flat=True).get()
    if next_send_at and next_send_at > now:
        return next_send_at
    since = max(next_send_at, now - CREDIT) if next_send_at else now
    rows.update(next_send_at=since + timedelta(minutes=recipients / per_minute))
    return None

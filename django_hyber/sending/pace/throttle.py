"""Recipients a minute: each request moves on the time of the next one, in a row that all workers share."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from django_hyber.conf import Account
from django_hyber.models import AccountState, Campaign

#: Batches of a throttled campaign are this part of a minute's recipients, so that they leave evenly.
BATCHES_A_MINUTE = 4
#: What sweeps that come late may catch up with.
CREDIT = timedelta(minutes=1)


def per_minute(campaign: Campaign, account: Account | None) -> int | None:
    """Return the slower of the throttles of campaign and account, None without any."""
    limits = (campaign.throttle, account.throttle if account else None)
    return min((limit for limit in limits if limit), default=None)


def batch_size(campaign: Campaign, account: Account) -> int:
    """Return how many recipients go into one request."""
    limit = per_minute(campaign, account)
    if limit is None:
        return account.batch_size
    return min(account.batch_size, max(1, limit // BATCHES_A_MINUTE))


def reserve(campaign: Campaign, account: Account, recipients: int) -> datetime | None:
    """Take room for so many recipients and return None, or take none and return when there will be some.

    Call it inside a transaction, and roll that back when there is no room: the campaign may have had it and the account
    not.
    """
    if campaign.throttle:
        own = Campaign.objects.filter(pk=campaign.pk)
        until = _take_room(own, campaign.throttle, recipients)
        if until:
            return until
    if account.throttle:
        AccountState.objects.get_or_create(account=account.name, host=AccountState.Host.ALL)
        shared = AccountState.objects.filter(account=account.name, host=AccountState.Host.ALL)
        return _take_room(shared, account.throttle, recipients)
    return None


def _take_room(rows: QuerySet[Campaign] | QuerySet[AccountState], per_minute: int, recipients: int) -> datetime | None:
    now = timezone.now()
    next_send_at: datetime | None = rows.select_for_update().values_list("next_send_at", flat=True).get()
    if next_send_at and next_send_at > now:
        return next_send_at
    since = max(next_send_at, now - CREDIT) if next_send_at else now
    rows.update(next_send_at=since + timedelta(minutes=recipients / per_minute))
    return None

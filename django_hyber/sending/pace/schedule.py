"""A campaign that starts later is held here, where it can still be stopped, until shortly before its start."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.conf import Account, find_account, get_account
from django_hyber.models import Campaign

Status = Campaign.Status
MISSED = gettext_noop("Its start was missed while nothing ran here. Look whether it may still go out, then resume it.")


def is_early(campaign: Campaign, now: datetime) -> bool:
    """Say whether the campaign has to be held until its hand-over is due."""
    moment = hand_over_time(campaign)
    return moment is not None and moment > now


def hand_over_time(campaign: Campaign) -> datetime | None:
    """Return when a campaign that starts later is handed over, or None for one that starts at once."""
    if campaign.start_time is None:
        return None
    account = get_account(campaign.account)
    return campaign.start_time - _lead_time(account, is_throttled=bool(campaign.throttle))


def _lead_time(account: Account, *, is_throttled: bool) -> timedelta:
    """What leaves before the start reaches everybody at the start: with a throttle, nothing may pile up until then."""
    return timedelta(seconds=0 if is_throttled or account.throttle else account.lead_time)


def hand_over_due() -> int:
    """Let the campaigns go whose time has come, and return how many; one that has missed its start waits for a person.

    The platform gets the start time with every request, so a hand-over that takes a while still starts on the minute.
    """
    now = timezone.now()
    scheduled = Campaign.objects.filter(status=Status.SCHEDULED)
    gone = 0
    for name in list(scheduled.order_by().values_list("account", flat=True).distinct()):
        account = find_account(name)
        if account is None:
            # They wait for it; those of others go.
            continue
        own = scheduled.filter(account=name)
        missed = own.filter(start_time__lt=now - timedelta(seconds=account.schedule_grace))
        missed.update(status=Status.PAUSED, status_reason=MISSED)
        for is_throttled in (False, True):
            due = own.filter(throttle__isnull=not is_throttled)
            moment = now + _lead_time(account, is_throttled=is_throttled)
            gone += due.filter(start_time__lte=moment).update(status=Status.SENDING)
    return gone

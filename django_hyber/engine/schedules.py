"""A campaign that starts later is held here, where it can still be stopped, until shortly before its start."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.conf import find_account, get_account
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
    return campaign.start_time - timedelta(seconds=get_account(campaign.account).lead_time)


def hand_over_due(using: str) -> int:
    """Let the campaigns go whose time has come, and return how many; one that has missed its start waits for a person.

    The platform gets the start time with every request, so a hand-over that takes a while still starts on the minute.
    """
    now = timezone.now()
    scheduled = Campaign.objects.using(using).filter(status=Status.SCHEDULED)
    gone = 0
    for name in list(scheduled.order_by().values_list("account", flat=True).distinct()):
        account = find_account(name)
        if account is None:
            # They wait for it; those of others go.
            continue
        own = scheduled.filter(account=name)
        missed = own.filter(start_time__lt=now - timedelta(seconds=account.schedule_grace))
        missed.update(status=Status.PAUSED, status_reason=MISSED)
        gone += own.filter(start_time__lte=now + timedelta(seconds=account.lead_time)).update(status=Status.SENDING)
    return gone

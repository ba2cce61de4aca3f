"""The schedule of a campaign: its start, rate, sending window and estimated end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from django_hyber.conf import find_account
from django_hyber.models import Campaign
from django_hyber.sending.pace import schedule

#: For a campaign that would take more sending windows than this, no end is estimated.
MAX_WINDOWS = 400


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """The schedule of a campaign if it were launched now.

    ``start`` is None for at once. Until ``held_until`` it waits here and can be withdrawn; None if it would not wait.
    ``per_minute`` is the slower of the throttles of campaign and account. In the project's time zone, ``opens_at`` is
    when the sending window opens, None if it is open at the start, and ``end`` the estimated time of the last message,
    None if unknown. ``is_endless`` if it would take more than MAX_WINDOWS days.
    """

    start: datetime | None
    held_until: datetime | None
    per_minute: int | None
    opens_at: datetime | None
    end: datetime | None
    is_endless: bool

    def takes_days(self, now: datetime) -> bool:
        """Return whether throttle and sending window stretch the campaign over more than a day."""
        begin = self.opens_at or self.start or now
        return self.is_endless or (self.end is not None and self.end - begin > timedelta(days=1))


def timetable_of(campaign: Campaign, people: int, now: datetime) -> Timetable:
    """Return the schedule of the campaign for so many people."""
    account = find_account(campaign.account)
    per_minute = schedule.per_minute(campaign, account)
    is_early = account is not None and schedule.is_early(campaign, now)
    start = campaign.start_time if campaign.start_time and campaign.start_time > now else None
    begin = start or now
    is_slow = per_minute is not None and people > 0
    end = _end(campaign, begin, timedelta(minutes=people / per_minute)) if per_minute and people else None
    return Timetable(
        start=start,
        held_until=schedule.hand_over_time(campaign) if is_early else None,
        per_minute=per_minute,
        opens_at=schedule.next_opening(campaign, "", begin),
        end=end,
        is_endless=is_slow and end is None,
    )


def _end(campaign: Campaign, begin: datetime, work: timedelta) -> datetime | None:
    moment, left = begin, work
    for _window in range(MAX_WINDOWS):
        moment = schedule.next_opening(campaign, "", moment) or moment
        closing = _closing(campaign, moment)
        if closing is None or moment + left <= closing:
            return moment + left
        moment, left = closing, left - (closing - moment)
    return None


def _closing(campaign: Campaign, moment: datetime) -> datetime | None:
    """Return when the window that is open at this moment closes, or None without a window."""
    if campaign.window_end is None:
        return None
    local = timezone.localtime(moment, timezone.get_default_timezone())
    day = local.date() if local.time() < campaign.window_end else local.date() + timedelta(days=1)
    return datetime.combine(day, campaign.window_end, tzinfo=local.tzinfo).astimezone(moment.tzinfo)

"""The schedule of a campaign: its start, rate, sending window and estimated end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django_hyber.conf import find_account
from django_hyber.models import Campaign
from django_hyber.sending.pace import schedule


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """The schedule of a campaign if it were launched now.

    ``start`` is None for at once. Until ``held_until`` it waits here and can be withdrawn; None if it would not wait.
    ``per_minute`` is the slower of the throttles of campaign and account. In the project's time zone, ``opens_at`` is
    when the sending window opens, None if it is open at the start, ``end`` the estimated time of the last message, None
    if unknown, and ``closes_at`` when the window closes before that, None if it does not. ``is_endless`` if it would
    take more than MAX_WINDOWS days.
    """

    start: datetime | None
    held_until: datetime | None
    per_minute: int | None
    opens_at: datetime | None
    end: datetime | None
    closes_at: datetime | None
    is_endless: bool

    def is_stretched(self, now: datetime) -> bool:
        """Return whether a closed window interrupts the sending, as over a night, or it takes more than a day."""
        begin = self.opens_at or self.start or now
        takes_days = self.end is not None and self.end - begin > timedelta(days=1)
        return self.is_endless or self.closes_at is not None or takes_days


def timetable_of(campaign: Campaign, people: int, now: datetime) -> Timetable:
    """Return the schedule of the campaign for so many people."""
    account = find_account(campaign.account)
    per_minute = schedule.per_minute(campaign, account)
    is_early = account is not None and schedule.is_early(campaign, now)
    start = campaign.start_time if campaign.start_time and campaign.start_time > now else None
    begin = start or now
    is_slow = per_minute is not None and people > 0
    work = timedelta(minutes=people / per_minute) if per_minute else timedelta()
    end, closes_at = schedule.work_end(campaign, "", begin, work) if is_slow else (None, None)
    return Timetable(
        start=start,
        held_until=schedule.hand_over_time(campaign) if is_early else None,
        per_minute=per_minute,
        opens_at=schedule.next_opening(campaign, "", begin),
        end=end,
        closes_at=closes_at,
        is_endless=is_slow and end is None,
    )

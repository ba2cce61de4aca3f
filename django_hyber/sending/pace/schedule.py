"""When a campaign may go out by the clock: its start, and the hours in which its recipients may be written to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import timezone
from django.utils.translation import gettext_noop
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.tzdata import TIMEZONE_DATA

from django_hyber.conf import Account, find_account, get_account
from django_hyber.models import Campaign

Status = Campaign.Status
MISSED = gettext_noop("Its start was missed while nothing ran here. Look whether it may still go out, then resume it.")
NORTH_AMERICA = "1"
AREA_CODE = 3
LONGEST_COUNTRY_CODE = 3
UNKNOWN_ZONE = gettext_noop("This machine does not know the time zone. Install the Python package tzdata.")
#: When to look again for a time zone that this machine did not know.
ZONE_RETRY = timedelta(minutes=5)


class UnknownZoneError(Exception):
    """A time zone that cannot be read on this machine."""


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


class ZoneGroup(NamedTuple):
    """Messages of one range whose recipients live by one clock; ``zone`` is "" for the project's own."""

    zone: str
    first_id: int
    last_id: int
    size: int
    phone_prefixes: list[str]


def zone_of(prefix: str) -> str:
    """Return the time zone of the numbers that begin so, or "" when the prefix does not tell one zone."""
    zones = TIMEZONE_DATA.get(prefix, ())
    return zones[0] if len(zones) == 1 else ""


@lru_cache(maxsize=4_096)
def prefix_of(head: str) -> str:
    """Return what of a number tells its time zone: its country code, and in North America its area code too.

    No such prefix is the beginning of another one. ``head`` is the first four digits of the number.
    """
    if head.startswith(NORTH_AMERICA):
        return head[: len(NORTH_AMERICA) + AREA_CODE]
    for length in range(1, LONGEST_COUNTRY_CODE + 1):
        if int(head[:length] or 0) in COUNTRY_CODE_TO_REGION_CODE:
            return head[:length]
    return head[:LONGEST_COUNTRY_CODE]


def group_by_zone(rows: Iterable[tuple[int, str]]) -> list[ZoneGroup]:
    """Group (primary key, phone number), given in the order of the keys, by the time zone of the number."""
    members: dict[str, list[int]] = {}
    prefixes: dict[str, set[str]] = {}
    for pk, phone_number in rows:
        prefix = prefix_of(phone_number[:4])
        zone = zone_of(prefix)
        members.setdefault(zone, []).append(pk)
        prefixes.setdefault(zone, set()).add(prefix)
    return [ZoneGroup(zone, pks[0], pks[-1], len(pks), sorted(prefixes[zone])) for zone, pks in members.items()]


def next_opening(campaign: Campaign, zone: str, moment: datetime) -> datetime | None:
    """Return None when people in this zone may be written to at this moment, or else when they may next.

    A window whose end is not after its beginning goes over midnight. Raises UnknownZoneError for a zone without data.
    """
    start, end = campaign.window_start, campaign.window_end
    if start is None or end is None:
        return None
    clock = _clock(zone)
    local = moment.astimezone(clock)
    if _is_within(local.time(), start, end):
        return None
    day = local.date() if local.time() < start else local.date() + timedelta(days=1)
    opening = datetime.combine(day, start, tzinfo=clock).astimezone(UTC)
    if opening <= moment:
        # In the night in which clocks are put back, this time of day comes a second time.
        opening = datetime.combine(day, start.replace(fold=1), tzinfo=clock).astimezone(UTC)
    return opening.astimezone(moment.tzinfo)


def _clock(zone: str) -> tzinfo:
    try:
        return ZoneInfo(zone) if zone else timezone.get_default_timezone()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZoneError(zone) from None


def _is_within(now: time, start: time, end: time) -> bool:
    if start < end:
        return start <= now < end
    return now >= start or now < end

"""The schedule of a campaign: its start time, the sending window in the time zone of each recipient, and the throttle.

The throttle is in recipients a minute: each request sets the time of the next one in a row that workers share.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import DateTimeField, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_noop
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.tzdata import TIMEZONE_DATA

from django_hyber.announce import announce_notice
from django_hyber.conf import Account, find_account
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import write_transaction
from django_hyber.log_events import LogEvent
from django_hyber.models import AccountState, Announcement, Batch, Campaign

logger = logging.getLogger("django_hyber")
Status = Campaign.Status
MISSED = gettext_noop(
    "The start was missed because the background process was not running. Check whether the campaign may still be "
    "sent, then resume it."
)
NORTH_AMERICA = "1"
AREA_CODE = 3
LONGEST_COUNTRY_CODE = 3
UNKNOWN_ZONE = gettext_noop("The time zone is not installed on this server. Install the Python package tzdata.")
#: How long a batch waits before its time zone is looked up again.
ZONE_RETRY = timedelta(minutes=5)
#: A throttled campaign sends this many batches a minute, so that its traffic is even.
BATCHES_A_MINUTE = 4
#: For work that would take more sending windows than this, no end is estimated.
MAX_WINDOWS = 400
#: How much unused time a late sweep may catch up.
CREDIT = timedelta(minutes=1)


class UnknownZoneError(Exception):
    """A time zone that cannot be read on this machine."""


def is_early(campaign: Campaign, now: datetime) -> bool:
    """Return whether the hand-over of the campaign is not due yet."""
    moment = hand_over_time(campaign)
    return moment is not None and moment > now


def hand_over_time(campaign: Campaign) -> datetime | None:
    """Return when the campaign is handed over to the platform, or None if it has no start time."""
    if campaign.start_time is None:
        return None
    account = find_account(campaign.account)
    # While the settings of the account are missing or invalid, the campaign waits for them in any case.
    lead_time = _lead_time(account, is_throttled=bool(campaign.throttle)) if account else timedelta(0)
    return campaign.start_time - lead_time


def _lead_time(account: Account, *, is_throttled: bool) -> timedelta:
    """Return how long before its start a campaign is handed over.

    The platform delivers at the start time what it received earlier. That would bypass a throttle.
    """
    return timedelta(seconds=0 if is_throttled or account.throttle else account.lead_time)


def hand_over_due() -> int:
    """Start scheduled campaigns that are due, and return their number. Campaigns that missed their start are paused.

    Every request carries the start time, so a long hand-over does not delay the delivery.
    """
    now = database_time()
    scheduled = Campaign.objects.filter(status=Status.SCHEDULED)
    count = 0
    for name in list(scheduled.order_by().values_list("account", flat=True).distinct()):
        account = find_account(name)
        if account is None:
            # These campaigns wait for their account; those of other accounts start.
            continue
        own = scheduled.filter(account=name)
        missed = own.filter(start_time__lt=now - timedelta(seconds=account.schedule_grace))
        for pk in list(missed.order_by("pk").values_list("pk", flat=True)):
            _pause_missed(missed.filter(pk=pk), pk)
        for is_throttled in (False, True):
            due = own.filter(throttle__isnull=not is_throttled)
            moment = now + _lead_time(account, is_throttled=is_throttled)
            begun_at = Coalesce("begun_at", Value(now, DateTimeField()))
            begun = {"status": Status.SENDING, "sending_since": now, "begun_at": begun_at}
            count += due.filter(start_time__lte=moment).update(**begun)
    return count


def _pause_missed(missed: QuerySet[Campaign], pk: int) -> None:
    with write_transaction():
        if missed.update(status=Status.PAUSED, status_reason=MISSED):
            announce_notice(pk, Announcement.Notice.PAUSED)


class ZoneGroup(NamedTuple):
    """Messages of one range whose recipients share a time zone; ``zone`` is "" for the project's time zone."""

    zone: str
    first_id: int
    last_id: int
    size: int
    phone_prefixes: list[str]


def zone_of(prefix: str) -> str:
    """Return the time zone of numbers with this prefix, or "" if there is more than one."""
    zones = TIMEZONE_DATA.get(prefix, ())
    return zones[0] if len(zones) == 1 else ""


@lru_cache(maxsize=4_096)
def prefix_of(head: str) -> str:
    """Return the prefix that determines the time zone: the country code, and in North America also the area code.

    ``head`` is the first four digits of a number. No prefix starts with another one.
    """
    if head.startswith(NORTH_AMERICA):
        return head[: len(NORTH_AMERICA) + AREA_CODE]
    for length in range(1, LONGEST_COUNTRY_CODE + 1):
        if int(head[:length] or 0) in COUNTRY_CODE_TO_REGION_CODE:
            return head[:length]
    return head[:LONGEST_COUNTRY_CODE]


def group_by_zone(rows: Iterable[tuple[int, str]]) -> list[ZoneGroup]:
    """Group (primary key, phone number) pairs by the time zone of the number. The pairs must be sorted by key."""
    members: dict[str, list[int]] = {}
    prefixes: dict[str, set[str]] = {}
    for pk, phone_number in rows:
        prefix = prefix_of(phone_number[:4])
        zone = zone_of(prefix)
        members.setdefault(zone, []).append(pk)
        prefixes.setdefault(zone, set()).add(prefix)
    return [ZoneGroup(zone, pks[0], pks[-1], len(pks), sorted(prefixes[zone])) for zone, pks in members.items()]


def next_opening(campaign: Campaign, zone: str, moment: datetime) -> datetime | None:
    """Return None if the sending window is open in this zone at ``moment``, or otherwise when it opens next.

    A window whose end is not after its beginning spans midnight. Raises UnknownZoneError for a zone without data.
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
        # When clocks are set back, this time of day occurs twice.
        opening = datetime.combine(day, start.replace(fold=1), tzinfo=clock).astimezone(UTC)
    return opening.astimezone(moment.tzinfo)


class WorkEnd(NamedTuple):
    """When some work ends, None after MAX_WINDOWS, and when the sending window first closes on it, None if never."""

    end: datetime | None
    closes_at: datetime | None


def waits_for_window(batch: Batch, now: datetime) -> bool:
    """Postpone the batch if its sending window is closed, or if its time zone is unknown: a guess may mean night."""
    start_time = batch.campaign.start_time
    try:
        # The platform delivers no earlier than the start time, so the window is checked for that time.
        opening = next_opening(batch.campaign, batch.zone, max(now, start_time) if start_time else now)
    except UnknownZoneError:
        ids = {"batch_id": batch.pk, "campaign_id": batch.campaign_id, "zone": batch.zone}
        text = "Batch %s waits: the time zone %s is not installed on this machine"
        logger.warning(text, batch.pk, batch.zone, extra={"event": LogEvent.ZONE_UNKNOWN, **ids})
        put_off(batch.pk, now + ZONE_RETRY, Batch.WaitsFor.WINDOW, UNKNOWN_ZONE)
        return True
    if opening:
        put_off(batch.pk, opening, Batch.WaitsFor.WINDOW)
    return opening is not None


def put_off(pk: int, until: datetime | None, waits_for: Batch.WaitsFor | Literal[""], reason: str = "") -> None:
    """Let a pending batch wait."""
    batches = Batch.objects.filter(pk=pk, state=Batch.State.PENDING)
    batches.update(due_at=until, waits_for=waits_for, error_text=reason, enqueued_at=None)


def work_end(campaign: Campaign, zone: str, begin: datetime, work: timedelta) -> WorkEnd:
    """Return when work that lasts so long ends, if it goes on only while the sending window is open in this zone.

    Raises UnknownZoneError for a zone without data.
    """
    moment, left, closes_at = begin, work, None
    for _window in range(MAX_WINDOWS):
        moment = next_opening(campaign, zone, moment) or moment
        closing = _next_closing(campaign, zone, moment)
        if closing is None or moment + left <= closing:
            return WorkEnd(moment + left, closes_at)
        closes_at = closes_at or closing
        moment, left = closing, left - (closing - moment)
    return WorkEnd(None, closes_at)


def _next_closing(campaign: Campaign, zone: str, moment: datetime) -> datetime | None:
    """Return when the window that is open at this moment closes, or None without a window."""
    if campaign.window_end is None:
        return None
    local = moment.astimezone(_clock(zone))
    day = local.date() if local.time() < campaign.window_end else local.date() + timedelta(days=1)
    return datetime.combine(day, campaign.window_end, tzinfo=local.tzinfo).astimezone(moment.tzinfo)


def _clock(zone: str) -> tzinfo:
    try:
        return ZoneInfo(zone) if zone else timezone.get_default_timezone()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZoneError(zone) from None


def _is_within(now: time, start: time, end: time) -> bool:
    if start < end:
        return start <= now < end
    return now >= start or now < end


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
        return _reserve(AccountState.lock_whole(account.name), account.throttle, recipients)
    return None


def _reserve(rows: QuerySet[Campaign] | QuerySet[AccountState], per_minute: int, recipients: int) -> datetime | None:
    now = database_time()
    next_send_at: datetime | None = rows.select_for_update().values_list("next_send_at", flat=True).get()
    if next_send_at and next_send_at > now:
        return next_send_at
    since = max(next_send_at, now - CREDIT) if next_send_at else now
    rows.update(next_send_at=since + timedelta(minutes=recipients / per_minute))
    return None

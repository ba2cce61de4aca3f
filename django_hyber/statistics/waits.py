"""What a campaign waits for, and its rate: read from its batches, which are few, not from its messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Min, Q, Sum
from django.utils import timezone

from django_hyber.conf import find_account, get_account
from django_hyber.models import LONE, AccountState, Batch, Campaign
from django_hyber.reconcile.decisions import overdue
from django_hyber.reconcile.overdue import lifetime_of
from django_hyber.reconcile.report_queries import GIVE_UP_AFTER
from django_hyber.sending.pace import schedule

#: The rate is measured over the last minutes only, for a better estimate of the end.
RATE_WINDOW = timedelta(minutes=5)
Status = Campaign.Status
State = Batch.State
WaitsFor = Batch.WaitsFor
Host = AccountState.Host


class Standstill(StrEnum):
    """Why a part of a campaign does not progress at the moment."""

    SCHEDULED = "scheduled"
    PAUSED = "paused"
    HELD = "held"
    SETTINGS = "settings"
    BLOCKED = "blocked"
    THROTTLE = "throttle"
    WINDOW = "window"
    ZONE = "zone"
    RETRY = "retry"
    QUEUED = "queued"
    ON_THE_WIRE = "on-the-wire"
    UNCONFIRMED = "unconfirmed"
    BATCHES_TO_DECIDE = "batches-to-decide"
    MESSAGES_TO_DECIDE = "messages-to-decide"
    REPORTS = "reports"


#: Nobody knows how long these last.
STOPPING = (Standstill.HELD, Standstill.SETTINGS, Standstill.BLOCKED)


@dataclass(frozen=True, kw_only=True)
class CampaignWait:
    """One thing the campaign waits for: how many recipients are affected, until when, and why, if known."""

    standstill: Standstill
    people: int = 0
    until: datetime | None = None
    reason: str = ""
    zone: str = ""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The rate of requests. ``per_minute`` is None if unknown, ``left`` if the end cannot be estimated."""

    per_minute: int | None
    left: timedelta | None


class Batches(NamedTuple):
    """The batches of one state, time zone and reason to wait, counted by the database."""

    state: str
    zone: str
    waits_for: str
    reason: str
    people: int
    due: datetime | None
    since: datetime
    lately: int


def read_batches(campaign: Campaign, now: datetime) -> list[Batches]:
    """Count the batches of the current run in one query; ``lately`` counts recipients sent within RATE_WINDOW."""
    ended = Q(finished_at__gte=now - RATE_WINDOW, state=State.DONE)
    rows = campaign.batches.filter(run=campaign.run).order_by().values_list("state", "zone", "waits_for", "error_text")
    counted = rows.annotate(
        people=Sum("size"),
        due=Min("due_at"),
        since=Min("created_at"),
        lately=Sum("size", filter=ended, default=0),
    )
    return [Batches(*row) for row in counted]


def pace_of(
    campaign: Campaign, batches: Sequence[Batches], now: datetime, waits: Sequence[CampaignWait] = ()
) -> Pace | None:
    """Return the rate of a campaign that is being sent, and the time left at this rate.

    Closed sending windows are a part of the time left. While the account of the campaign cannot send, no end is
    estimated.
    """
    if campaign.status != Status.SENDING:
        return None
    begun = min((row.since for row in batches), default=now)
    minutes = max(min(RATE_WINDOW, now - begun).total_seconds(), 1) / 60
    per_minute = round(sum(row.lately for row in batches) / minutes)
    throttle = schedule.per_minute(campaign, find_account(campaign.account))
    if throttle:
        # In the first minute, the first batches alone would make a rate that is not kept.
        per_minute = min(per_minute, throttle)
    rate = per_minute or throttle
    is_stopped = any(wait.standstill in STOPPING for wait in waits)
    left = _time_left(campaign, batches, rate, now) if rate and not is_stopped else None
    return Pace(per_minute=per_minute or None, left=left)


def _time_left(campaign: Campaign, batches: Sequence[Batches], rate: int, now: datetime) -> timedelta | None:
    """Return how long the rest takes: one time zone after the other, in the order in which their windows open."""
    rest: Counter[str] = Counter()
    for row in batches:
        if row.state in (State.PENDING, State.SENDING):
            rest[row.zone] += row.people
    end: datetime | None = now
    try:
        openings = {zone: schedule.next_opening(campaign, zone, now) or now for zone in rest}
        for zone in sorted(rest, key=lambda zone: (openings[zone], zone)):
            if end is not None:
                end = schedule.work_end(campaign, zone, end, timedelta(minutes=rest[zone] / rate)).end
    except schedule.UnknownZoneError:
        return None
    return end - now if end is not None and rest else None


def waits_of(
    campaign: Campaign, batches: Sequence[Batches], *, accepted: int, unconfirmed: int, now: datetime
) -> list[CampaignWait]:
    """Return what a campaign waits for, the most important first.

    ``accepted`` of its messages lack a final report, and the outcome of ``unconfirmed`` ones is unknown.
    """
    waits = [*_of_campaign(campaign, now)]
    if campaign.status == Status.SENDING:
        waits += _of_requests(batches, now)
    on_the_wire = _people(batches, State.SENDING)
    if on_the_wire:
        waits.append(CampaignWait(standstill=Standstill.ON_THE_WIRE, people=on_the_wire))
    waits += _of_unconfirmed(batches)
    if unconfirmed:
        waits += _of_decisions(campaign, now)
    if accepted and _may_be_reported(campaign, now):
        waits.append(CampaignWait(standstill=Standstill.REPORTS, people=accepted))
    return waits


def _of_campaign(campaign: Campaign, now: datetime) -> Iterator[CampaignWait]:
    if campaign.status == Status.SCHEDULED:
        yield CampaignWait(standstill=Standstill.SCHEDULED, until=campaign.start_time)
    if campaign.status == Status.PAUSED:
        yield CampaignWait(standstill=Standstill.PAUSED, reason=campaign.status_reason)
    if campaign.status in (Status.SCHEDULED, Status.SENDING, Status.PAUSED):
        yield from _of_account(campaign, now)


def _of_account(campaign: Campaign, now: datetime) -> Iterator[CampaignWait]:
    try:
        get_account(campaign.account)
    except ImproperlyConfigured as error:
        yield CampaignWait(standstill=Standstill.SETTINGS, reason=str(error))
    states = AccountState.objects.filter(account=campaign.account, host__in=(Host.ALL, Host.BULK))
    for state in states:
        if state.held_since:
            yield CampaignWait(standstill=Standstill.HELD, until=state.blocked_until, reason=state.reason)
        elif state.blocked_until and state.blocked_until > now:
            yield CampaignWait(standstill=Standstill.BLOCKED, until=state.blocked_until, reason=state.reason)
    if campaign.status != Status.SENDING:
        return
    moments = [campaign.next_send_at, *(state.next_send_at for state in states)]
    until = max((moment for moment in moments if moment and moment > now), default=None)
    if until:
        yield CampaignWait(standstill=Standstill.THROTTLE, until=until)


def _of_requests(batches: Sequence[Batches], now: datetime) -> Iterator[CampaignWait]:
    pending = [row for row in batches if row.state == State.PENDING]
    later = [row for row in pending if row.due and row.due > now and row.waits_for in (WaitsFor.WINDOW, WaitsFor.RETRY)]
    queued = _people(pending, State.PENDING) - _people(later, State.PENDING)
    if queued:
        yield CampaignWait(standstill=Standstill.QUEUED, people=queued)
    for row in sorted(later):
        if row.waits_for == WaitsFor.WINDOW:
            zone = row.zone or timezone.get_default_timezone_name()
            kind = Standstill.ZONE if row.reason else Standstill.WINDOW
            yield CampaignWait(standstill=kind, people=row.people, until=row.due, zone=zone, reason=row.reason)
        else:
            yield CampaignWait(standstill=Standstill.RETRY, people=row.people, until=row.due, reason=row.reason)


def _of_unconfirmed(batches: Sequence[Batches]) -> Iterator[CampaignWait]:
    people = _people(batches, State.UNCONFIRMED)
    if people:
        reason = next((row.reason for row in batches if row.state == State.UNCONFIRMED and row.reason), "")
        yield CampaignWait(standstill=Standstill.UNCONFIRMED, people=people, reason=reason)


def _of_decisions(campaign: Campaign, now: datetime) -> Iterator[CampaignWait]:
    batches = campaign.batches.filter(overdue(now), state=State.UNCONFIRMED)
    people = batches.aggregate(people=Sum("size", default=0))["people"]
    if people:
        yield CampaignWait(standstill=Standstill.BATCHES_TO_DECIDE, people=people)
    alone = campaign.messages.filter(LONE, overdue(now)).count()
    if alone:
        yield CampaignWait(standstill=Standstill.MESSAGES_TO_DECIDE, people=alone)


def _people(batches: Sequence[Batches], state: str) -> int:
    return sum(row.people for row in batches if row.state == state)


def _may_be_reported(campaign: Campaign, now: datetime) -> bool:
    """Return whether the platform is still queried: until days after the TTL of the last message."""
    if campaign.finished_at is None:
        return True
    begun = max(campaign.finished_at, campaign.start_time or campaign.finished_at)
    return now < begun + lifetime_of(campaign) + GIVE_UP_AFTER

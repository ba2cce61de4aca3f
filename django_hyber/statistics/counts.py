from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, F, Max, Min, Q, Sum

from django_hyber.conf import find_prices
from django_hyber.models import Campaign, CampaignChannel, Message
from django_hyber.reports.outcome import read_failures
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE, DELIVERIES, FAILURES

Status = Message.Status
#: What the platform has certainly accepted. Not UNDELIVERED: the message may never have reached the platform.
ACCEPTED = (Status.ACCEPTED, Status.EXPIRED, *DELIVERIES)
#: Not sent yet, skipped, or cancelled in time.
NOT_SENT = (*BEFORE_ACCEPTANCE, Status.SUPPRESSED, Status.CANCELLED)
ACCEPTED_AND_FAILED = (Status.EXPIRED, Status.UNDELIVERED)


@dataclass(frozen=True, kw_only=True)
class ChannelStatistics:
    """The results of one channel; ``channel`` is "" where the platform did not name one.

    A message that went on to the next channel counts in each that tried it. ``accepted`` are those whose end on this
    channel is known: ``delivered``, ``expired`` and ``undelivered`` add up to it, and ``delivered`` includes ``seen``.
    A delivery counts for the channel that won.

    ``clicked`` counts messages, ``clicks`` every click on them. Of the parts of delivered SMS, ``total_parts`` were
    sent and ``delivered_parts`` delivered; ``partly_delivered`` messages lack some. ``cost`` is None without a price.
    """

    channel: str
    accepted: int
    delivered: int
    seen: int
    expired: int
    undelivered: int
    rejected: int
    clicks: int
    clicked: int
    total_parts: int
    delivered_parts: int
    partly_delivered: int
    cost: Decimal | None


@dataclass(frozen=True, kw_only=True)
class StatusCounts:
    """Messages counted by status. A missing status is 0."""

    statuses: Mapping[str, int]

    def count(self, *statuses: str) -> int:
        """Return how many have one of these statuses."""
        return sum(self.statuses.get(status, 0) for status in statuses)

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.statuses.values())

    @property
    def waiting(self) -> int:
        """How many have not been handed over, as far as known."""
        return self.count(*BEFORE_ACCEPTANCE)

    @property
    def sent(self) -> int:
        """How many have been handed over, whatever the result; without those skipped or cancelled."""
        return self.total - self.count(*NOT_SENT)

    @property
    def delivered(self) -> int:
        """How many were delivered, seen or not."""
        return self.count(*DELIVERIES)

    @property
    def seen(self) -> int:
        """How many were opened."""
        return self.count(Status.SEEN)

    @property
    def failed(self) -> int:
        """How many failed."""
        return self.count(*FAILURES)

    @property
    def expired(self) -> int:
        """How many expired."""
        return self.count(Status.EXPIRED)

    @property
    def undelivered(self) -> int:
        """How many failed for another reason."""
        return self.count(Status.UNDELIVERED)

    @property
    def rejected(self) -> int:
        """How many were refused before sending."""
        return self.count(Status.REJECTED)


@dataclass(frozen=True, kw_only=True)
class CampaignStatistics(StatusCounts):
    """The results of a campaign. Each stage includes the next: ``total`` >= ``accepted`` >= ``delivered`` >= ``seen``.

    ``statuses`` has every status of a message, and its numbers add up to ``total``. ``channels`` has the campaign's
    channels in their order, then any others that reports name. ``cost`` is None when a channel has no price.
    ``first_end`` and ``last_end`` are when the first and the last message was delivered or failed.
    """

    accepted: int
    clicks: int
    clicked: int
    total_parts: int
    delivered_parts: int
    partly_delivered: int
    channels: Sequence[ChannelStatistics]
    cost: Decimal | None
    first_end: datetime | None
    last_end: datetime | None


class Counted(NamedTuple):
    """The messages that have one status, one channel and the same failed channels, counted by the database."""

    status: str
    channel: str
    failed_channels: str
    messages: int
    first_end: datetime | None
    last_end: datetime | None
    clicks: int
    clicked: int
    total_parts: int
    delivered_parts: int
    partly_delivered: int
    unreported_parts: int


def campaign_statistics(campaign: Campaign) -> CampaignStatistics:
    """Count a campaign from its messages, in two or three queries whatever its size.

    The cost is by the account's PRICES, of what has been delivered: per message, and per part of an SMS; parts that the
    platform did not report count as one.
    """
    counted = _count_messages(campaign)
    return _statistics(campaign, counted, _count_accepted(campaign, counted))


def _count_messages(campaign: Campaign) -> list[Counted]:
    """Count the messages of a campaign in one query, which the index of these columns answers without the rows."""
    is_partial = Q(delivered_sms_parts__lt=F("total_sms_parts"))
    unreported = Q(total_sms_parts=None) | Q(total_sms_parts=0)
    rows = campaign.messages.order_by().values_list("status", "channel", "failed_channels")
    # Never the primary key, which is not in that index on every database.
    counted = rows.annotate(
        messages=Count("*"),
        first=Min("finished_at"),
        last=Max("finished_at"),
        clicks_sum=Sum("clicks", default=0),
        clicked=Count("campaign", filter=Q(clicks__gt=0)),
        parts=Sum("total_sms_parts", default=0),
        delivered_parts=Sum("delivered_sms_parts", default=0),
        partial=Count("campaign", filter=is_partial),
        unreported=Count("campaign", filter=unreported),
    )
    return [Counted(*row) for row in counted]


def _count_accepted(campaign: Campaign, counted: Sequence[Counted]) -> int:
    """Count what the platform has accepted: some undelivered messages were given up before."""
    accepted = sum(row.messages for row in counted if row.status in ACCEPTED)
    if any(row.status == Status.UNDELIVERED for row in counted):
        accepted += campaign.messages.filter(status=Status.UNDELIVERED, accepted_at__isnull=False).count()
    return accepted


def _statistics(campaign: Campaign, counted: Sequence[Counted], accepted: int) -> CampaignStatistics:
    """Add up the counts."""
    statuses: Counter[str] = Counter()
    for row in counted:
        statuses[row.status] += row.messages
    channels = _channels(campaign, counted)
    ended = [row for row in counted if row.status in (*DELIVERIES, *FAILURES)]
    return CampaignStatistics(
        accepted=accepted,
        clicks=sum(row.clicks for row in counted),
        clicked=sum(row.clicked for row in counted),
        total_parts=sum(channel.total_parts for channel in channels),
        delivered_parts=sum(channel.delivered_parts for channel in channels),
        partly_delivered=sum(channel.partly_delivered for channel in channels),
        statuses={status: statuses[status] for status in Status.values},
        channels=channels,
        cost=_sum(channel.cost for channel in channels if channel.channel or channel.delivered),
        first_end=min((row.first_end for row in ended if row.first_end), default=None),
        last_end=max((row.last_end for row in ended if row.last_end), default=None),
    )


def _channels(campaign: Campaign, counted: Sequence[Counted]) -> list[ChannelStatistics]:
    prices = find_prices(campaign.account)
    delivered: dict[str, list[Counted]] = {}
    failed: dict[str, Counter[str]] = {}
    for row in counted:
        if row.status in DELIVERIES:
            delivered.setdefault(row.channel, []).append(row)
        for channel, status in _failures(row):
            failed.setdefault(channel, Counter())[status] += row.messages
    own = [channel.channel for channel in campaign.channels.all()]
    # Results without a channel come last.
    others = sorted(delivered.keys() | failed.keys(), key=lambda name: (name == "", name))
    return [
        _channel(name, delivered.get(name, ()), failed.get(name, Counter()), prices.get(name))
        for name in dict.fromkeys([*own, *others])
    ]


def _failures(row: Counted) -> list[tuple[str, str]]:
    """Return where and how these messages failed; the channel that delivered has not failed."""
    known = read_failures(row.failed_channels)
    if row.status in DELIVERIES:
        known.pop(row.channel, None)
    failures: list[tuple[str, str]] = list(known.items())
    if row.status in FAILURES and row.status not in known.values():
        failures.append(("", row.status))
    return failures


def _channel(name: str, rows: Sequence[Counted], failed: Mapping[str, int], price: Decimal | None) -> ChannelStatistics:
    delivered = sum(row.messages for row in rows)
    paid = (
        sum(row.total_parts + row.unreported_parts for row in rows) if name == CampaignChannel.Name.SMS else delivered
    )
    return ChannelStatistics(
        channel=name,
        accepted=delivered + sum(failed.get(status, 0) for status in ACCEPTED_AND_FAILED),
        delivered=delivered,
        seen=sum(row.messages for row in rows if row.status == Status.SEEN),
        expired=failed.get(Status.EXPIRED, 0),
        undelivered=failed.get(Status.UNDELIVERED, 0),
        rejected=failed.get(Status.REJECTED, 0),
        clicks=sum(row.clicks for row in rows),
        clicked=sum(row.clicked for row in rows),
        total_parts=sum(row.total_parts for row in rows),
        delivered_parts=sum(row.delivered_parts for row in rows),
        partly_delivered=sum(row.partly_delivered for row in rows),
        cost=None if price is None else price * paid,
    )


def _sum(costs: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total

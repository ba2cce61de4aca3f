from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, F, Q, Sum

from django_hyber.conf import find_account
from django_hyber.engine.ranks import DELIVERIES
from django_hyber.models import Campaign, CampaignChannel, Message

Status = Message.Status
#: What the platform has taken for certain. A message that was given up before it got there is undelivered too.
TAKEN = (Status.ACCEPTED, Status.EXPIRED, *DELIVERIES)


@dataclass(frozen=True, kw_only=True)
class ChannelStatistics:
    """What one channel has delivered; ``channel`` is "" for deliveries of which the platform did not name it.

    ``delivered`` includes ``seen``. ``clicked`` counts messages, ``clicks`` every click on them. Of the parts of SMS,
    ``total_parts`` went out and ``delivered_parts`` arrived; ``partly_delivered`` messages lack some. ``cost`` is None
    without a price.
    """

    channel: str
    delivered: int
    seen: int
    clicks: int
    clicked: int
    total_parts: int
    delivered_parts: int
    partly_delivered: int
    cost: Decimal | None


@dataclass(frozen=True, kw_only=True)
class CampaignStatistics:
    """How a campaign goes. Each stage includes the next: ``total`` >= ``accepted`` >= ``delivered`` >= ``seen``.

    ``statuses`` has every status of a message, and its numbers add up to ``total``. ``channels`` has the campaign's
    channels in their order, then any others that have delivered. ``cost`` is None when a channel has no price.
    """

    total: int
    accepted: int
    delivered: int
    seen: int
    expired: int
    undelivered: int
    rejected: int
    clicks: int
    clicked: int
    statuses: Mapping[str, int]
    channels: Sequence[ChannelStatistics]
    cost: Decimal | None


class Counted(NamedTuple):
    """The messages that have one status and one channel, counted by the database."""

    status: str
    channel: str
    messages: int
    accepted: int
    clicks: int
    clicked: int
    total_parts: int
    delivered_parts: int
    partly_delivered: int
    untold_parts: int


def campaign_statistics(campaign: Campaign) -> CampaignStatistics:
    """Count a campaign from its messages, in two queries whatever its size.

    The cost is by the account's PRICES, of what has been delivered: per message, and per part of an SMS; parts that the
    platform did not tell count as one. A message counts once, for the channel that won.
    """
    counted = _count(campaign)
    statuses: Counter[str] = Counter()
    for row in counted:
        statuses[row.status] += row.messages
    channels = _channels(campaign, [row for row in counted if row.status in DELIVERIES])
    return CampaignStatistics(
        total=statuses.total(),
        accepted=sum(_accepted(row) for row in counted),
        delivered=sum(statuses[status] for status in DELIVERIES),
        seen=statuses[Status.SEEN],
        expired=statuses[Status.EXPIRED],
        undelivered=statuses[Status.UNDELIVERED],
        rejected=statuses[Status.REJECTED],
        clicks=sum(row.clicks for row in counted),
        clicked=sum(row.clicked for row in counted),
        statuses={status: statuses[status] for status in Status.values},
        channels=channels,
        cost=_sum(channel.cost for channel in channels),
    )


def _count(campaign: Campaign) -> list[Counted]:
    is_partial = Q(delivered_sms_parts__lt=F("total_sms_parts"))
    untold = Q(total_sms_parts=None) | Q(total_sms_parts=0)
    rows = campaign.messages.order_by().values_list("status", "channel")
    counted = rows.annotate(
        messages=Count("pk"),
        accepted=Count("accepted_at"),
        clicks_sum=Sum("clicks", default=0),
        clicked=Count("pk", filter=Q(clicks__gt=0)),
        parts=Sum("total_sms_parts", default=0),
        delivered_parts=Sum("delivered_sms_parts", default=0),
        partial=Count("pk", filter=is_partial),
        untold=Count("pk", filter=untold),
    )
    return [Counted(*row) for row in counted]


def _accepted(row: Counted) -> int:
    if row.status in TAKEN:
        return row.messages
    return row.accepted if row.status == Status.UNDELIVERED else 0


def _channels(campaign: Campaign, delivered: Sequence[Counted]) -> list[ChannelStatistics]:
    prices = _prices(campaign.account)
    own = campaign.channels.order_by("position", "id").values_list("channel", flat=True)
    names = dict.fromkeys([*own, *sorted(row.channel for row in delivered)])
    return [_channel(name, [row for row in delivered if row.channel == name], prices.get(name)) for name in names]


def _channel(name: str, rows: Sequence[Counted], price: Decimal | None) -> ChannelStatistics:
    delivered = sum(row.messages for row in rows)
    paid = sum(row.total_parts + row.untold_parts for row in rows) if name == CampaignChannel.Name.SMS else delivered
    return ChannelStatistics(
        channel=name,
        delivered=delivered,
        seen=sum(row.messages for row in rows if row.status == Status.SEEN),
        clicks=sum(row.clicks for row in rows),
        clicked=sum(row.clicked for row in rows),
        total_parts=sum(row.total_parts for row in rows),
        delivered_parts=sum(row.delivered_parts for row in rows),
        partly_delivered=sum(row.partly_delivered for row in rows),
        cost=None if price is None else price * paid,
    )


def _prices(account: str) -> Mapping[str, Decimal]:
    known = find_account(account)
    return known.prices if known else {}


def _sum(costs: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total

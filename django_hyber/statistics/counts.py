"""The results of campaigns, accounts and periods. Every figure is defined here once, and counted from the messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django_hyber.codes import has_seen_codes
from django_hyber.conf import Account, find_account
from django_hyber.conf.readers import TEMPLATE_PRICE
from django_hyber.models import Campaign, Message
from django_hyber.reconcile.seen_and_clicks import REPORT_SEEN
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE, DELIVERIES, FAILURES
from django_hyber.statistics.tally import SMS, VIBER, Counted, Tally, add_up, count_messages, count_never_accepted

Status = Message.Status
#: What the platform has certainly accepted. Not UNDELIVERED: the message may never have reached the platform.
ACCEPTED = (Status.ACCEPTED, Status.EXPIRED, *DELIVERIES)
#: Not sent yet, skipped, or cancelled in time.
NOT_SENT = (*BEFORE_ACCEPTANCE, Status.SUPPRESSED, Status.CANCELLED)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The figures that a channel, a campaign and a period have in common. All but the parts and clicks are messages.

    ``tried`` are those whose end is known: ``delivered``, or ``not_delivered``. A channel before the one that
    delivered, or that reported, was tried and did not deliver; ``inferred`` are those of the channel that the platform
    has not reported on. ``seen`` and ``clicked`` are of ``delivered``, and ``clicks`` counts every click. 0 of ``seen``
    means something only if it ``reports_seen``.

    Of SMS, ``total_parts`` were sent and ``delivered_parts`` delivered, ``partly_delivered`` messages lack some; parts
    that were not reported count as one. ``cost`` is that of what was delivered, ``sent_cost`` that of all that was
    tried, by PRICES; None without a price. ``matched`` Viber messages had the text of an approved template, and
    ``unmatched`` ones did not.
    """

    tried: int
    not_delivered: int
    clicks: int
    clicked: int
    total_parts: int
    delivered_parts: int
    partly_delivered: int
    matched: int
    unmatched: int
    reports_seen: bool
    cost: Decimal | None
    sent_cost: Decimal | None


@dataclass(frozen=True, kw_only=True)
class ChannelStatistics(Figures):
    """The results of one channel; ``channel`` is "" where the platform did not name one.

    A message that went on to the next channel counts in each that tried it, and one that several delivered in each of
    them. ``seen`` and ``clicked`` count for the channel that won.
    ``expired`` and ``undelivered`` are what was reported: with ``inferred`` they add up to ``not_delivered``, except
    for messages that this channel refused before the next one was tried.
    """

    channel: str
    delivered: int
    seen: int
    expired: int
    undelivered: int
    rejected: int
    inferred: int

    @property
    def accepted(self) -> int:
        """The same as ``tried``."""
        return self.tried


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
class Results(StatusCounts, Figures):
    """The results of many messages. ``statuses`` has every status of a message.

    ``channels`` has the channels of the campaigns in their order, then any others that reports name. ``currency`` is
    that of the costs.
    """

    channels: Sequence[ChannelStatistics]
    currency: str


@dataclass(frozen=True, kw_only=True)
class CampaignStatistics(Results):
    """The results of a campaign. Each stage includes the next: ``total`` >= ``accepted`` >= ``delivered`` >= ``seen``.

    The numbers of ``statuses`` add up to ``total``. ``first_end`` and ``last_end`` are when the first and the last
    message was delivered or failed.
    """

    accepted: int
    first_end: datetime | None
    last_end: datetime | None


@dataclass(frozen=True, kw_only=True)
class Payer:
    """Who pays: the prices and the currency of an account, and whether it knows a code that means "seen"."""

    prices: Mapping[str, Decimal]
    currency: str
    knows_seen: bool


def campaign_statistics(campaign: Campaign) -> CampaignStatistics:
    """Count a campaign from its messages, in two to four queries whatever its size."""
    [statistics] = compare_campaigns([campaign])
    return statistics


def compare_campaigns(campaigns: Sequence[Campaign]) -> list[CampaignStatistics]:
    """Count campaigns from their messages, in as many queries as for one."""
    messages = Message.objects.filter(campaign__in=campaigns)
    counted = count_messages(messages)
    own: dict[int | None, list[Counted]] = {campaign.pk: [] for campaign in campaigns}
    for row in counted:
        own[row.campaign].append(row)
    never_accepted = count_never_accepted(messages, counted)
    payers = find_payers({campaign.account for campaign in campaigns})
    return [
        _of_campaign(campaign, own[campaign.pk], never_accepted.get(campaign.pk, 0), payers[campaign.account])
        for campaign in campaigns
    ]


def find_payers(accounts: Iterable[str]) -> dict[str, Payer]:
    """Return who pays by the name of the account, with one query at most."""
    found: dict[str, Account | None] = {name: find_account(name) for name in accounts}
    seen = has_seen_codes([account for account in found.values() if account])
    return {
        name: Payer(
            prices=account.prices if account else {},
            currency=account.currency if account else "",
            knows_seen=name in seen,
        )
        for name, account in found.items()
    }


def _of_campaign(campaign: Campaign, rows: Sequence[Counted], never_accepted: int, payer: Payer) -> CampaignStatistics:
    chain = [channel.channel for channel in campaign.channels.all()]
    ended = [row for row in rows if row.status in (*DELIVERIES, *FAILURES)]
    return CampaignStatistics(
        **summed([(row, chain) for row in rows], payer, own=chain, never_accepted=never_accepted),
        accepted=sum(row.messages for row in rows if row.status in (*ACCEPTED, Status.UNDELIVERED)) - never_accepted,
        first_end=min((row.first_end for row in ended if row.first_end), default=None),
        last_end=max((row.last_end for row in ended if row.last_end), default=None),
    )


def summed(
    rows: Sequence[tuple[Counted, Sequence[str]]], payer: Payer, *, own: Sequence[str], never_accepted: int
) -> dict[str, Any]:
    """Return the fields of ``Results``; each row comes with its chain of channels."""
    statuses: Counter[str] = Counter()
    for row, _chain in rows:
        statuses[row.status] += row.messages
    tallies, tried = add_up(rows, never_accepted)
    # Results without a channel come last.
    others = sorted(tallies.keys() - set(own), key=lambda name: (name == "", name))
    channels = [_channel(name, tallies.get(name, Tally()), payer) for name in (*own, *others)]
    priced = [channel for channel in channels if channel.channel or channel.delivered]
    added = ("clicks", "clicked", "total_parts", "delivered_parts", "partly_delivered", "matched", "unmatched")
    return {
        "statuses": {status: statuses[status] for status in Status.values},
        "channels": channels,
        "currency": payer.currency,
        "tried": tried,
        "not_delivered": tried - sum(statuses[status] for status in DELIVERIES),
        "reports_seen": any(channel.reports_seen for channel in channels),
        "cost": _sum((channel.cost, channel.delivered) for channel in priced),
        "sent_cost": _sum((channel.sent_cost, channel.tried) for channel in priced),
        **{name: sum(getattr(channel, name) for channel in channels) for name in added},
    }


def _channel(name: str, tally: Tally, payer: Payer) -> ChannelStatistics:
    return ChannelStatistics(
        channel=name,
        tried=tally.tried,
        delivered=tally.delivered,
        not_delivered=tally.tried - tally.delivered,
        seen=tally.seen,
        expired=tally.expired,
        undelivered=tally.undelivered,
        rejected=tally.rejected,
        inferred=tally.inferred,
        clicks=tally.clicks,
        clicked=tally.clicked,
        total_parts=tally.sent_parts,
        delivered_parts=tally.delivered_parts,
        partly_delivered=tally.partly_delivered,
        matched=tally.matched,
        unmatched=tally.unmatched,
        reports_seen=tally.seen > 0 or (payer.knows_seen and name in REPORT_SEEN),
        cost=_cost(name, tally.paid_parts if name == SMS else tally.delivered, tally.delivered_matched, payer),
        sent_cost=_cost(name, tally.sent_parts if name == SMS else tally.tried, tally.tried_matched, payer),
    )


def _cost(name: str, units: int, matched: int, payer: Payer) -> Decimal | None:
    price = payer.prices.get(name)
    if price is None:
        return None
    if name == VIBER and TEMPLATE_PRICE in payer.prices:
        return price * (units - matched) + payer.prices[TEMPLATE_PRICE] * matched
    return price * units


def _sum(costs: Iterable[tuple[Decimal | None, int]]) -> Decimal | None:
    """Return the sum of the first of (cost, messages), or None if one is unknown and there are messages."""
    counted = [cost for cost, messages in costs if cost is not None or messages]
    known = [cost for cost in counted if cost is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(counted) else None

"""What each channel did with messages, added up from groups of equal messages that the database has counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum

from django_hyber.models import CampaignChannel, Message
from django_hyber.models.message import MATCHED, UNMATCHED
from django_hyber.reports.outcome import also_delivered, read_ends
from django_hyber.reports.ranks import DELIVERIES, FAILURES

Status = Message.Status
SMS, VIBER = CampaignChannel.Name.SMS.value, CampaignChannel.Name.VIBER.value
#: What the messages are grouped by: the first columns of their index, and of ``Counted``.
KEYS = ("campaign", "status", "channel", "other_channels")


class Counted(NamedTuple):
    """The messages of one campaign with one status, one channel and the same other channels, counted.

    The times are those at which the first and the last of them ended, if they were asked for.
    """

    campaign: int | None
    status: str
    channel: str
    other_channels: str
    messages: int
    clicks: int
    clicked: int
    total_parts: int
    delivered_parts: int
    partly_delivered: int
    unreported_parts: int
    matched: int
    unmatched: int
    first_end: datetime | None = None
    last_end: datetime | None = None


@dataclass(kw_only=True)
class Tally:
    """What one channel did; the fields are those of ``ChannelStatistics``.

    ``tried_matched`` and ``delivered_matched`` are the ``matched`` ones that Viber tried and delivered. ``sent_parts``
    and ``delivered_parts`` are parts of SMS, and ``paid_parts`` all parts of delivered SMS.
    """

    tried: int = 0
    delivered: int = 0
    seen: int = 0
    expired: int = 0
    undelivered: int = 0
    rejected: int = 0
    inferred: int = 0
    clicks: int = 0
    clicked: int = 0
    sent_parts: int = 0
    paid_parts: int = 0
    delivered_parts: int = 0
    partly_delivered: int = 0
    matched: int = 0
    unmatched: int = 0
    tried_matched: int = 0
    delivered_matched: int = 0


class Attempts(NamedTuple):
    """The channels that tried a message.

    ``delivered`` are those that delivered it: seldom more than one. ``reported`` is how each of those ended that did
    not. The platform has not reported on the ``inferred`` ones: it tries a channel only after those before it.
    ``refused`` are channels that rejected the message without trying.
    """

    delivered: list[str]
    reported: dict[str, Status]
    inferred: list[str]
    refused: list[str]


def count_messages(messages: QuerySet[Message]) -> list[Counted]:
    """Count messages in one query, which the index of these columns answers without the rows.

    Choose them by their campaigns and times only, and leave out statuses afterwards: PostgreSQL then finds the groups
    in the order of the index. With a list of statuses it hashes every message, which takes half as long again.
    """
    ends = {"first": Min("finished_at"), "last": Max("finished_at")}
    return [Counted(*row) for row in _grouped(messages, *KEYS).annotate(**ends)]


def count_never_accepted(messages: QuerySet[Message], rows: Iterable[Counted]) -> dict[int | None, int]:
    """Return by campaign how many of the undelivered messages the platform has never accepted.

    ``rows`` are these messages, counted. What was reported on has been accepted, so only the others are read.
    """
    if not any(row.status == Status.UNDELIVERED and not row.other_channels for row in rows):
        return {}
    never_accepted = messages.filter(status=Status.UNDELIVERED, channel="", other_channels="", accepted_at=None)
    return dict(never_accepted.order_by().values_list("campaign").annotate(count=Count("*")))


def count_without_ends(messages: QuerySet[Message]) -> list[Counted]:
    """Count messages as ``count_messages`` does, but for the times."""
    return [Counted(*row) for row in _grouped(messages, *KEYS)]


def count_by_chain(messages: QuerySet[Message]) -> list[tuple[Counted, Any]]:
    """Count single messages without the times, grouped by their channels too, in order."""
    return [(Counted(*row), chain) for chain, *row in _grouped(messages, "content__channels", *KEYS)]


def _grouped(messages: QuerySet[Message], *keys: str) -> QuerySet[Message, Any]:
    # Never the primary key, which is not in that index on every database.
    return (
        messages.order_by()
        .values_list(*keys)
        .annotate(
            messages=Count("*"),
            clicks_sum=Sum("clicks", default=0),
            clicked=Count("status", filter=Q(clicks__gt=0)),
            parts=Sum("total_sms_parts", default=0),
            delivered_parts=Sum("delivered_sms_parts", default=0),
            partial=Count("status", filter=Q(delivered_sms_parts__lt=F("total_sms_parts"))),
            unreported=Count("*") - Count("status", filter=Q(total_sms_parts__gt=0)),
            matched=Count("status", filter=MATCHED),
            unmatched=Count("status", filter=UNMATCHED),
        )
    )


def attempts_of(row: Counted, chain: Sequence[str]) -> Attempts:
    """Return what is known about the channels of these messages; ``chain`` are those of the campaign, in order."""
    delivered = also_delivered(row.other_channels)
    if row.status in DELIVERIES:
        delivered.append(row.channel)
    reported = {name: end for name, end in read_ends(row.other_channels).items() if name not in delivered}
    reached = [*delivered, *(name for name, status in reported.items() if status != Status.REJECTED)]
    last = max((chain.index(name) for name in reached if name in chain), default=0)
    before = [name for name in chain[:last] if name not in delivered]
    refused = [name for name, status in reported.items() if status == Status.REJECTED and name not in before]
    tried = {name: status for name, status in reported.items() if name not in refused}
    if row.status in FAILURES and row.status not in reported.values():
        # The final report named no channel.
        if row.status == Status.REJECTED:
            refused.append("")
        else:
            tried[""] = Status(row.status)
    return Attempts(delivered, tried, [name for name in before if name not in reported], refused)


def add_up(rows: Sequence[tuple[Counted, Sequence[str]]], never_accepted: int = 0) -> tuple[dict[str, Tally], int]:
    """Return what each channel did, and how many messages were tried and have ended.

    Each row comes with its chain of channels. ``never_accepted`` undelivered messages were never taken by the platform.
    """
    tallies: dict[str, Tally] = {}
    tried = -never_accepted
    for row, chain in rows:
        attempts = attempts_of(row, chain)
        for name in attempts.delivered:
            _add_delivery(tallies.setdefault(name, Tally()), name, row)
        for name, status in attempts.reported.items():
            _add_failure(tallies.setdefault(name, Tally()), name, status, row)
        for name in attempts.inferred:
            _add_failure(tallies.setdefault(name, Tally()), name, None, row)
        for name in attempts.refused:
            tallies.setdefault(name, Tally()).rejected += row.messages
        if row.matched or row.unmatched:
            viber = tallies.setdefault(VIBER, Tally())
            viber.matched += row.matched
            viber.unmatched += row.unmatched
        # A message that still goes on to another channel has not been tried to the end.
        if row.status in DELIVERIES or (row.status in FAILURES and (attempts.reported or attempts.inferred)):
            tried += row.messages
    if never_accepted:
        tallies[""].tried -= never_accepted
        tallies[""].undelivered -= never_accepted
    return tallies, tried


def _add_delivery(tally: Tally, name: str, row: Counted) -> None:
    tally.tried += row.messages
    tally.delivered += row.messages
    # A person looks at a message once, whatever else was delivered.
    if name == row.channel:
        tally.seen += row.messages if row.status == Status.SEEN else 0
        tally.clicks += row.clicks
        tally.clicked += row.clicked
    if name == VIBER:
        tally.tried_matched += row.matched
        tally.delivered_matched += row.matched
    if name == SMS:
        tally.sent_parts += row.total_parts + row.unreported_parts
        tally.paid_parts += row.total_parts + row.unreported_parts
        tally.delivered_parts += row.delivered_parts + row.unreported_parts
        tally.partly_delivered += row.partly_delivered


def _add_failure(tally: Tally, name: str, status: Status | None, row: Counted) -> None:
    tally.tried += row.messages
    if status is None:
        tally.inferred += row.messages
    elif status == Status.EXPIRED:
        tally.expired += row.messages
    elif status == Status.UNDELIVERED:
        tally.undelivered += row.messages
    else:
        tally.rejected += row.messages
    if name == VIBER:
        tally.tried_matched += row.matched
    if name == SMS:
        tally.sent_parts += row.total_parts + row.unreported_parts

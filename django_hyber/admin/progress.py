"""How campaigns go: every number is counted from the messages when it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from django_hyber.admin.lists import BigTableList
from django_hyber.models import Batch, Campaign, CampaignChannel, Message

DELIVERIES = (Message.Status.DELIVERED, Message.Status.SEEN)
SHOWN_BATCHES = 50


@dataclass(frozen=True, kw_only=True)
class Share:
    """How many messages have a status, or were delivered by a channel; ``percent`` of all, rounded."""

    name: str
    label: str
    count: int
    percent: int


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What the page of a launched campaign shows."""

    total: int
    delivered: int
    delivered_percent: int
    statuses: list[Share]
    channels: list[Share]
    batches: list[Batch]
    has_more_batches: bool


class CampaignList(BigTableList):
    """The list of campaigns, with the numbers of the campaigns on the page counted in one query."""

    def get_results(self, request: HttpRequest) -> None:
        """Count the recipients of the campaigns that are shown, and of no others."""
        super().get_results(request)
        campaigns = list(self.result_list)
        counts = count_recipients(campaign.pk for campaign in campaigns)
        for campaign in campaigns:
            campaign.recipients, campaign.delivered = counts.get(campaign.pk, (0, 0))
        self.result_list = campaigns


def count_recipients(campaign_pks: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Return (recipients, delivered) by campaign; campaigns without recipients are left out."""
    # With every status named and told apart, the index of statuses and campaigns answers.
    rows = Message.objects.filter(campaign__in=list(campaign_pks), status__in=Message.Status.values)
    counted = rows.order_by().values_list("status", "campaign").annotate(count=Count("pk"))
    numbers: dict[int, tuple[int, int]] = {}
    for status, pk, count in counted:
        total, delivered = numbers.get(pk, (0, 0))
        numbers[pk] = (total + count, delivered + (count if status in DELIVERIES else 0))
    return numbers


def progress_of(campaign: Campaign) -> Progress:
    """Count the messages of a campaign by status and delivering channel, and list its batches."""
    rows = campaign.messages.order_by().values_list("status", "channel").annotate(count=Count("pk"))
    by_status: Counter[str] = Counter()
    by_channel: Counter[str] = Counter()
    for status, channel, count in rows:
        by_status[status] += count
        by_channel[channel] += count if status in DELIVERIES else 0
    total = by_status.total()
    delivered = by_channel.total()
    batches = list(_by_urgency(campaign.batches.all())[: SHOWN_BATCHES + 1])
    return Progress(
        total=total,
        delivered=delivered,
        delivered_percent=_percent(delivered, total),
        statuses=_shares(Message.Status.choices, by_status, total),
        channels=_shares(CampaignChannel.Name.choices, by_channel, total),
        batches=batches[:SHOWN_BATCHES],
        has_more_batches=len(batches) > SHOWN_BATCHES,
    )


def _shares(choices: Iterable[tuple[str, Any]], counts: Mapping[str, int], total: int) -> list[Share]:
    return [
        Share(name=name, label=str(label), count=counts[name], percent=_percent(counts[name], total))
        for name, label in choices
        if counts[name]
    ]


def _by_urgency(batches: QuerySet[Batch]) -> QuerySet[Batch]:
    return batches.annotate(is_done=Q(state=Batch.State.DONE)).order_by("is_done", "pk")


def _percent(part: int, total: int) -> int:
    return round(100 * part / total) if total else 0

"""The table of results by channel on the page of a campaign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

from django_hyber.admin.campaigns.preflight_texts import amount_text
from django_hyber.admin.common.base import EMPTY
from django_hyber.admin.common.paginators import grouped
from django_hyber.services import CampaignStatistics, ChannelStatistics
from django_hyber.words import name_of_channel

Counts = ChannelStatistics | CampaignStatistics


class Line(NamedTuple):
    """A row of the table: a cell for each channel, then one for the campaign."""

    name: str
    label: str
    cells: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class StatisticsTable:
    """``columns`` are name and label of each channel; each line has one more cell, for the campaign."""

    columns: Sequence[tuple[str, str]]
    lines: Sequence[Line]


def statistics_table(statistics: CampaignStatistics) -> StatisticsTable:
    """Return the numbers of the channels and of the campaign, a line for each kind of number."""
    rows: list[Counts] = [*statistics.channels, statistics]
    return StatisticsTable(
        columns=[(channel.channel, channel_label(channel.channel)) for channel in statistics.channels],
        lines=[*_counts(rows), *_parts(rows), Line("cost", _("Cost"), [_cost(item) for item in rows])],
    )


def channel_label(name: str) -> str:
    """Return the label of a channel, or a text if the platform did not name one."""
    return name_of_channel(name) or _("not reported")


def _counts(rows: Sequence[Counts]) -> Iterator[Line]:
    labels = {
        "accepted": _("Accepted"),
        "delivered": _("Delivered"),
        "seen": _("Seen"),
        "expired": _("Expired"),
        "undelivered": _("Undelivered"),
        "rejected": _("Rejected"),
        "clicks": _("Clicks"),
        "clicked": _("People who clicked"),
    }
    for name, label in labels.items():
        yield Line(name, label, [grouped(getattr(item, name)) for item in rows])


def _parts(rows: Sequence[Counts]) -> Iterator[Line]:
    if not any(item.total_parts for item in rows):
        return
    yield Line("total_parts", _("SMS parts sent"), [_of_sms(item, item.total_parts) for item in rows])
    yield Line("delivered_parts", _("SMS parts delivered"), [_of_sms(item, item.delivered_parts) for item in rows])
    yield Line("partly_delivered", _("Partly delivered"), [_of_sms(item, item.partly_delivered) for item in rows])


def _of_sms(item: Counts, number: int) -> str:
    return grouped(number) if item.total_parts else EMPTY


def _cost(item: Counts) -> str:
    return EMPTY if item.cost is None else amount_text(item.cost)

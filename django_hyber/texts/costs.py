"""What messages may cost by the prices of the account."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django_hyber.conf.readers import TEMPLATE_PRICE
from django_hyber.models import Campaign
from django_hyber.protocol import RenderedTexts
from django_hyber.texts.check import OWN_TEXT

Prices = Mapping[str, Decimal]


def without_price(channels: Iterable[str], prices: Prices) -> list[str]:
    """Return the channels that have no price in the settings."""
    return [channel for channel in channels if channel not in prices]


def cost_range(
    channels: Collection[str], prices: Prices, segments: Mapping[tuple[Any, int], int], recipients: int
) -> tuple[Decimal, Decimal]:
    """Return the least and the most that it costs to reach everybody by one of the channels, each of which has a price.

    ``segments`` counts the recipients by encoding and number of SMS segments.
    """
    possible = {name: prices[name] for name in channels}
    if "viber" in possible and TEMPLATE_PRICE in prices:
        # Whether a text matches an approved template is known only after it was sent.
        possible[TEMPLATE_PRICE] = prices[TEMPLATE_PRICE]
    sms = possible.pop("sms", None)
    if sms is None:
        return min(possible.values()) * recipients, max(possible.values()) * recipients
    low = high = Decimal(0)
    for (_encoding, number), people in segments.items():
        costs = [*possible.values(), sms * number]
        low += min(costs) * people
        high += max(costs) * people
    return low, high


def cost_of_attempts(
    channels: Collection[str], prices: Prices, segments: Mapping[tuple[Any, int], int], recipients: int
) -> Decimal:
    """Return the most that it costs to try every channel for everybody, if each attempt is paid for."""
    return sum((cost_range([name], prices, segments, recipients)[1] for name in channels), Decimal(0))


def most_cost(campaign: Campaign, prices: Prices, values: Sequence[Mapping[str, str]]) -> Decimal:
    """Return the most that messages to recipients with these values may cost. Every channel must have a price."""
    channels = campaign.get_channels()
    names = sorted({name for row in values for name in row})
    if campaign.has_own_texts:
        channels = [replace(channel, text=f"%{OWN_TEXT}%") for channel in channels]  # type: ignore[call-arg]
    texts = RenderedTexts(channels, names)
    texts.add([tuple(row.get(name, "") for name in names) for row in values])
    return cost_range([channel.name for channel in channels], prices, texts.segments, len(values))[1]

"""Our rows against the sandbox's table of outcomes and its ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from django_hyber.models import Campaign, DeliveryReport, Message, UnreadableCallback
from django_hyber.sandbox import outcome_for
from shop.demo.orders import CUSTOMERS, ShippedOrder, shipped_orders, single_messages
from shop.demo.recipients import End, end_for

CONTROL_TIMEOUT = 60


@dataclass(frozen=True, kw_only=True)
class Row:
    """One outcome of the sandbox's table: how many recipients have it, and how many have ended as they must."""

    outcome: str
    end: End
    recipients: int
    reached: int


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number that both sides know."""

    name: str
    sandbox: int
    ours: int


@dataclass(frozen=True, kw_only=True)
class Results:
    """All that the closing table shows."""

    rows: list[Row]
    figures: list[Figure]
    orders: list[ShippedOrder]
    problems: list[str] = field(default_factory=list)


def count_reached(campaign: Campaign) -> int:
    """Count the messages that have ended as they must, those of the orders included."""
    messages = _ends(campaign)
    reached = sum(end_for(phone) == end for phone, end in messages)
    return reached + sum(order.is_as_it_should_be for order in shipped_orders())


def collect(campaign: Campaign, recipients: int, sandbox_origin: str) -> Results:
    """Let everything happen that the sandbox still has to report, then compare."""
    requests.post(f"{sandbox_origin}/_sandbox/flush", timeout=CONTROL_TIMEOUT).raise_for_status()
    ledger = requests.get(f"{sandbox_origin}/_sandbox/ledger", timeout=CONTROL_TIMEOUT).json()
    rows, figures, orders = _rows(campaign), _figures(ledger), shipped_orders()
    problems = [
        *_row_problems(rows, recipients),
        *(f"{item.name}: the sandbox says {item.sandbox}, we say {item.ours}." for item in figures if not _agree(item)),
        *_order_problems(orders),
        *_ends_of_campaign(campaign),
    ]
    return Results(rows=rows, figures=figures, orders=orders, problems=problems)


def _ends(campaign: Campaign) -> list[tuple[str, End]]:
    rows = Message.objects.filter(campaign=campaign).values_list("phone_number", "status", "channel")
    return [(phone, End(status=status, channel=channel)) for phone, status, channel in rows]


def _rows(campaign: Campaign) -> list[Row]:
    recipients: Counter[str] = Counter()
    reached: Counter[str] = Counter()
    ends = {}
    for phone, end in _ends(campaign):
        outcome = outcome_for(phone).name
        ends[outcome] = end_for(phone)
        recipients[outcome] += 1
        reached[outcome] += end == ends[outcome]
    return [
        Row(outcome=outcome, end=ends[outcome], recipients=count, reached=reached[outcome])
        for outcome, count in recipients.most_common()
    ]


def _figures(ledger: dict[str, Any]) -> list[Figure]:
    taken = Message.objects.exclude(accepted_at=None).count()
    return [
        Figure(name="Messages taken", sandbox=ledger["taken"], ours=taken),
        Figure(name="Different messages taken", sandbox=ledger["distinct"], ours=taken),
        Figure(name="Messages taken twice", sandbox=len(ledger["duplicates"]), ours=0),
        Figure(name="Callbacks not answered", sandbox=ledger["callbacks"]["failed"], ours=0),
        Figure(name="Reports without a message", sandbox=0, ours=DeliveryReport.objects.filter(message=None).count()),
        Figure(name="Reports not understood", sandbox=0, ours=UnreadableCallback.objects.count()),
    ]


def _agree(figure: Figure) -> bool:
    return figure.sandbox == figure.ours


def _row_problems(rows: Sequence[Row], recipients: int) -> list[str]:
    found = sum(row.recipients for row in rows)
    problems = [] if found == recipients else [f"The campaign has {found} recipients, not {recipients}."]
    return problems + [
        f"{row.outcome}: {row.recipients - row.reached} of {row.recipients} are not {row.end}."
        for row in rows
        if row.reached < row.recipients
    ]


def _order_problems(orders: Sequence[ShippedOrder]) -> list[str]:
    sent = single_messages()
    problems = [] if sent == len(CUSTOMERS) else [f"{sent} shipping notices were sent, not {len(CUSTOMERS)}."]
    return problems + [
        f"{item.order}: the notice is noted as {item.noted}, not {item.end}."
        for item in orders
        if not item.is_as_it_should_be
    ]


def _ends_of_campaign(campaign: Campaign) -> list[str]:
    campaign.refresh_from_db()
    if campaign.status == Campaign.Status.FINISHED:
        return []
    return [f"The campaign is {campaign.status}, not finished."]

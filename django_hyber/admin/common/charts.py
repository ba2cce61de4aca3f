"""The geometry of the charts: the templates draw it as SVG, with the same numbers in a table.

Lengths are texts, because a template would localize numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from django_hyber.models import Message

Status = Message.Status
#: From the best status to the worst, then those of messages that have not been sent.
BAR_ORDER = (
    Status.SEEN,
    Status.DELIVERED,
    Status.ACCEPTED,
    Status.UNCONFIRMED,
    Status.EXPIRED,
    Status.UNDELIVERED,
    Status.REJECTED,
    Status.SUPPRESSED,
    Status.CANCELLED,
    Status.SENDING,
    Status.QUEUED,
)
#: The width of a bar, in its own units; the page stretches it.
BAR = 1_000
#: The least width of a share that is not zero, so that it stays visible.
LEAST = 4
COLUMN = 10
HEIGHT = 100
FUNNEL_WIDTH = 200
FUNNEL_STEP = 32


@dataclass(frozen=True, kw_only=True)
class Share:
    """One part of a whole: ``name`` for style sheets and links, ``label`` and ``share`` for people."""

    name: str
    label: str
    count: int
    share: str


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A share as a part of a bar or a ring."""

    item: Share
    start: str
    length: str
    gap: str = ""


@dataclass(frozen=True, kw_only=True)
class FunnelStage:
    """One step of a funnel, with its share of the whole; ``of_which`` is its share of the step that it is a part of."""

    item: Share
    of_which: str
    points: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One column of a chart over time, the failures on top of the deliveries."""

    label: str
    delivered: int
    failed: int
    x: str
    delivered_y: str
    delivered_height: str
    failed_y: str
    failed_height: str


def percent(part: int, whole: int) -> str:
    """Return a percentage. Only the whole is shown as 100 %, and only nothing as 0 %."""
    if not whole or part in (0, whole):
        return "100 %" if whole and part == whole else "0 %"
    tenths = min(999, max(1, round(1_000 * part / whole)))
    digits = 0 if tenths % 10 == 0 else 1
    return f"{number_format(tenths / 10, digits)} %"


def full_tenths(part: int, whole: int) -> int:
    """Return how many tenths of the whole are complete: a screen reader announces only these, not every number."""
    return 10 * part // whole if whole else 0


def by_status(statuses: Mapping[str, int]) -> list[tuple[str, object, int]]:
    """Return name, label and count of each status, in the order of the bars.

    Everywhere else, "delivered" includes "seen". Here it does not, and if any message was seen, its label says so.
    """
    is_seen = bool(statuses.get(Status.SEEN))
    labels = {Status.DELIVERED: _("delivered, not seen")} if is_seen else {}
    return [(status.value, labels.get(status, status.label), statuses.get(status, 0)) for status in BAR_ORDER]


def shares(items: Iterable[tuple[str, object, int]], whole: int) -> list[Share]:
    """Return the shares of the items whose count is not zero."""
    return [
        Share(name=name, label=str(label), count=count, share=percent(count, whole))
        for name, label, count in items
        if count
    ]


def stacked_bar(items: Sequence[Share]) -> list[Piece]:
    """Place the shares side by side."""
    total = sum(item.count for item in items)
    pieces = []
    start = 0.0
    widths = [max(LEAST, BAR * item.count / total) for item in items]
    shrink = BAR / sum(widths) if widths else 1
    for item, width in zip(items, widths, strict=True):
        pieces.append(Piece(item=item, start=_number(start), length=_number(width * shrink)))
        start += width * shrink
    return pieces


def donut(items: Sequence[Share]) -> list[Piece]:
    """Place the shares around a circle of circumference 100 (radius 15.9155), clockwise from the top."""
    total = sum(item.count for item in items)
    pieces = []
    start = 0.0
    for item in items:
        length = 100 * item.count / total
        # SVG begins the dashes of a circle at its right; 25 of its 100 units move the beginning to the top.
        pieces.append(
            Piece(item=item, start=_number((125 - start) % 100), length=_number(length), gap=_number(100 - length))
        )
        start += length
    return pieces


def funnel(stages: Sequence[tuple[str, object, int, str]]) -> list[FunnelStage]:
    """Draw each stage, given with its ``of_which``, as wide as its share, narrowing down to the next."""
    whole = stages[0][2] if stages else 0
    widths = [FUNNEL_WIDTH * stage[2] / whole if whole else 0 for stage in stages]
    drawn = []
    for number, (name, label, count, of_which) in enumerate(stages):
        below = widths[number + 1] if number + 1 < len(stages) else widths[number]
        drawn.append(
            FunnelStage(
                item=Share(name=name, label=str(label), count=count, share=percent(count, whole)),
                of_which=of_which,
                points=_trapezium(widths[number], below, number * FUNNEL_STEP),
            )
        )
    return drawn


def columns(items: Sequence[tuple[str, int, int]]) -> list[Bar]:
    """Place a column for each (label, delivered, failed); the highest takes the full height."""
    highest = max((delivered + failed for _, delivered, failed in items), default=0) or 1
    bars = []
    for number, (label, delivered, failed) in enumerate(items):
        good, bad = HEIGHT * delivered / highest, HEIGHT * failed / highest
        bars.append(
            Bar(
                label=label,
                delivered=delivered,
                failed=failed,
                x=str(number * COLUMN + 1),
                delivered_y=_number(HEIGHT - good),
                delivered_height=_number(good),
                failed_y=_number(HEIGHT - good - bad),
                failed_height=_number(bad),
            )
        )
    return bars


def _trapezium(top: float, bottom: float, y: int) -> str:
    middle = FUNNEL_WIDTH / 2
    # An empty stage is a line of one unit, so that it stays visible.
    top, bottom = max(top, 1) / 2, max(bottom, 1) / 2
    low = y + FUNNEL_STEP - 2
    corners = ((middle - top, y), (middle + top, y), (middle + bottom, low), (middle - bottom, low))
    return " ".join(f"{_number(x)},{_number(height)}" for x, height in corners)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")

"""The table of figures: a line for each figure, a column for each channel or campaign."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.common import charts
from django_hyber.admin.common.model_admins import amount_text
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.times import EMPTY
from django_hyber.services import ChannelStatistics, Results
from django_hyber.words import name_of_channel

Counts = ChannelStatistics | Results


class Cell(NamedTuple):
    """A figure with its share, and whether a part of it is inferred."""

    text: str
    share: str = ""
    is_inferred: bool = False


class Note(NamedTuple):
    """A sentence below the table."""

    text: str
    is_inferred: bool


class Line(NamedTuple):
    """A row of the table; ``share_of`` says what the shares in it are of."""

    name: str
    label: str
    cells: Sequence[Cell]
    share_of: str = ""


@dataclass(frozen=True, kw_only=True)
class StatisticsTable:
    """``columns`` are name and label of each channel; each line has one more cell, for all of them.

    ``notes`` say why messages were not delivered, by channel.
    """

    columns: Sequence[tuple[str, str]]
    lines: Sequence[Line]
    notes: Sequence[Note]


def statistics_table(results: Results, tracked: Collection[str]) -> StatisticsTable:
    """Return the figures of the channels and of all together; clicks are counted on the ``tracked`` channels."""
    rows: list[Counts] = [*results.channels, results]
    is_tracked = [channel.channel in tracked for channel in results.channels]
    return StatisticsTable(
        columns=[(channel.channel, channel_label(channel.channel)) for channel in results.channels],
        lines=figure_lines(rows, [*is_tracked, any(is_tracked)], [results.currency] * len(rows)),
        notes=[_note(channel) for channel in results.channels if channel.not_delivered],
    )


def figure_lines(rows: Sequence[Counts], is_tracked: Sequence[bool], currencies: Sequence[str]) -> list[Line]:
    """Return a line for each figure; the three sequences have an item for each column."""
    pairs = list(zip(rows, is_tracked, strict=True))
    of_tried, of_delivered = _("share of tried"), _("share of delivered")
    money = list(zip(rows, currencies, strict=True))
    return [
        Line("tried", _("Tried"), [Cell(grouped(item.tried)) for item in rows]),
        Line("delivered", _("Delivered"), [_share(item.delivered, item.tried) for item in rows], of_tried),
        Line("not_delivered", _("Not delivered"), [_not_delivered(item) for item in rows], of_tried),
        Line("rejected", _("Rejected"), [Cell(grouped(item.rejected)) for item in rows]),
        Line("seen", _("Seen"), [seen_cell(item) for item in rows], of_delivered),
        Line("clicked", _("Clicked"), [clicked_cell(item, is_tracked=to) for item, to in pairs], of_delivered),
        Line("clicks", _("Clicks"), [_clicks(item, is_tracked=tracked) for item, tracked in pairs]),
        *_templates(rows),
        *_parts(rows),
        Line(
            "sent_cost", _("Cost of what was sent"), [Cell(amount_text(item.sent_cost, name)) for item, name in money]
        ),
        Line("cost", _("Cost of what was delivered"), [Cell(amount_text(item.cost, name)) for item, name in money]),
    ]


def channel_label(name: str) -> str:
    """Return the label of a channel, or a text if the platform did not name one."""
    return name_of_channel(name) or _("not reported")


def seen_cell(item: Counts) -> Cell:
    """Return how many were seen, or a dash where that is not reported."""
    return _share(item.seen, item.delivered) if item.reports_seen else Cell(EMPTY)


def clicked_cell(item: Counts, *, is_tracked: bool) -> Cell:
    """Return how many were clicked, or a dash where clicks are not tracked."""
    return _share(item.clicked, item.delivered) if is_tracked or item.clicked else Cell(EMPTY)


def _clicks(item: Counts, *, is_tracked: bool) -> Cell:
    return Cell(grouped(item.clicks) if is_tracked or item.clicks else EMPTY)


def _share(part: int, whole: int) -> Cell:
    return Cell(grouped(part), charts.percent(part, whole) if whole else "")


def _not_delivered(item: Counts) -> Cell:
    inferred = item.inferred if isinstance(item, ChannelStatistics) else 0
    return _share(item.not_delivered, item.tried)._replace(is_inferred=inferred > 0)


def _note(channel: ChannelStatistics) -> Note:
    name, inferred = channel_label(channel.channel), channel.inferred
    text = _("%(channel)s, not delivered: %(expired)s expired, %(others)s failed otherwise.") % {
        "channel": name,
        "expired": grouped(channel.expired),
        "others": grouped(channel.not_delivered - channel.expired - inferred),
    }
    if not inferred:
        return Note(text, is_inferred=False)
    why = ngettext(
        "%(count)s is inferred: a later channel was tried, so this one had failed, but the platform sent no report "
        "about it.",
        "%(count)s are inferred: a later channel was tried, so this one had failed, but the platform sent no report "
        "about it.",
        inferred,
    )
    return Note(f"{text} {why % {'count': grouped(inferred)}}", is_inferred=True)


def _templates(rows: Sequence[Counts]) -> Iterator[Line]:
    if not any(item.matched or item.unmatched for item in rows):
        return
    yield Line("matched", _("Approved template"), [_of_viber(item, item.matched) for item in rows])
    yield Line("unmatched", _("No approved template"), [_of_viber(item, item.unmatched) for item in rows])


def _of_viber(item: Counts, number: int) -> Cell:
    return Cell(grouped(number) if item.matched or item.unmatched else EMPTY)


def _parts(rows: Sequence[Counts]) -> Iterator[Line]:
    if not any(item.total_parts for item in rows):
        return
    yield Line("total_parts", _("SMS parts sent"), [_of_sms(item, item.total_parts) for item in rows])
    yield Line("delivered_parts", _("SMS parts delivered"), [_of_sms(item, item.delivered_parts) for item in rows])
    yield Line("partly_delivered", _("Partly delivered"), [_of_sms(item, item.partly_delivered) for item in rows])


def _of_sms(item: Counts, number: int) -> Cell:
    return Cell(grouped(number) if item.total_parts else EMPTY)

"""Two to five campaigns side by side: one table, and one chart of their rates, clicks and costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponseBase, HttpResponseRedirect
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from django_hyber.admin.common import charts
from django_hyber.admin.common.desk import Desk
from django_hyber.admin.common.model_admins import amount_text
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.times import short_time
from django_hyber.admin.statistics.table import Cell, Line, figure_lines
from django_hyber.models import Campaign
from django_hyber.services import CampaignStatistics, compare_campaigns
from django_hyber.statistics.progress import tracked_channels

FEWEST, MOST = 2, 5
#: The longest text of a selection: five primary keys.
LONGEST = 100


class Compared(NamedTuple):
    """A campaign with its figures; ``style`` is that of its bars."""

    campaign: Campaign
    numbers: CampaignStatistics
    is_tracked: bool
    style: str
    url: str


class ComparedBar(NamedTuple):
    """A bar of the chart: its campaign, how long it is of a thousand, and its value in words."""

    name: str
    style: str
    length: str
    text: str


@dataclass(frozen=True)
class ComparedFigure:
    """The bars of one figure."""

    label: str
    bars: Sequence[ComparedBar]


def compare_selected(desk: Desk, chosen: QuerySet[Campaign]) -> HttpResponseRedirect | None:
    """Lead from the list to the page of the chosen campaigns."""
    launched = chosen.exclude(status=Campaign.Status.DRAFT).order_by("pk")
    pks = list(launched.values_list("pk", flat=True)[: MOST + 1])
    if not FEWEST <= len(pks) <= MOST:
        text = _("Select from %(fewest)s to %(most)s campaigns that have been launched; drafts have no figures.")
        desk.message_user(text % {"fewest": FEWEST, "most": MOST}, messages.WARNING)
        return None
    return HttpResponseRedirect(f"{desk.url('compare')}?{urlencode({'ids': ','.join(map(str, pks))})}")


def compare_view(desk: Desk) -> HttpResponseBase:
    """Show the campaigns that the address names."""
    campaigns = _named(desk.request.GET.get("ids", ""))
    if len(campaigns) < FEWEST:
        text = _("Nothing to compare: select from %(fewest)s to %(most)s campaigns in the list.")
        desk.message_user(text % {"fewest": FEWEST, "most": MOST}, messages.WARNING)
        return desk.redirect()
    compared = _compared(desk, campaigns)
    return desk.render(
        "statistics/compare",
        _("Compare campaigns"),
        compared=compared,
        lines=_lines(compared),
        groups=list(_groups(compared)),
    )


def _named(text: str) -> list[Campaign]:
    given = [int(part) for part in text[:LONGEST].split(",") if part.isascii() and part.isdigit() and len(part) < 19]  # noqa: PLR2004 - what fits the column
    launched = Campaign.objects.filter(pk__in=given[:MOST]).exclude(status=Campaign.Status.DRAFT)
    return list(launched.prefetch_related("channels").order_by("pk"))


def _compared(desk: Desk, campaigns: Sequence[Campaign]) -> list[Compared]:
    return [
        Compared(campaign, numbers, bool(tracked_channels(campaign)), f"compared-{place}", desk.of(campaign).home)
        for place, (campaign, numbers) in enumerate(zip(campaigns, compare_campaigns(campaigns), strict=True), start=1)
    ]


def _lines(compared: Sequence[Compared]) -> list[Line]:
    numbers = [each.numbers for each in compared]
    return [
        Line("status", _("Status"), [Cell(each.campaign.get_status_display()) for each in compared]),
        Line("launched", _("Started"), [Cell(short_time(each.campaign.started_at)) for each in compared]),
        Line("total", _("Recipients"), [Cell(grouped(item.total)) for item in numbers]),
        Line("sent", _("Sent"), [Cell(grouped(item.sent)) for item in numbers]),
        Line("accepted", _("Accepted"), [Cell(grouped(item.accepted)) for item in numbers]),
        *figure_lines(numbers, [each.is_tracked for each in compared], [item.currency for item in numbers]),
    ]


def _groups(compared: Sequence[Compared]) -> Iterator[ComparedFigure]:
    """Yield the rates, then clicks and cost. What a campaign does not report, or what has no price, has no bar."""
    yield _rates(_("Delivered, of those tried"), compared, lambda each: (each.numbers.delivered, each.numbers.tried))
    seen = [each for each in compared if each.numbers.reports_seen]
    if seen:
        yield _rates(_("Seen, of those delivered"), seen, lambda each: (each.numbers.seen, each.numbers.delivered))
    clicked = [each for each in compared if each.is_tracked or each.numbers.clicked]
    if clicked:
        label = _("Clicked, of those delivered")
        yield _rates(label, clicked, lambda each: (each.numbers.clicked, each.numbers.delivered))
        clicks = [(each, each.numbers.clicks, grouped(each.numbers.clicks)) for each in clicked]
        yield _amounts(_("Clicks"), clicks)
    currencies = {each.numbers.currency for each in compared}
    paid = [
        (each, cost, amount_text(cost, each.numbers.currency))
        for each in compared
        if (cost := each.numbers.cost) is not None
    ]
    if paid and len(currencies) == 1:
        yield _amounts(_("Cost of what was delivered"), paid)


def _rates(label: str, compared: Sequence[Compared], of: Callable[[Compared], tuple[int, int]]) -> ComparedFigure:
    bars = []
    for each in compared:
        part, whole = of(each)
        length = charts.BAR * part / whole if whole else 0
        bars.append(ComparedBar(str(each.campaign), each.style, f"{length:.1f}", charts.percent(part, whole)))
    return ComparedFigure(label, bars)


def _amounts(label: str, amounts: Sequence[tuple[Compared, int | Decimal, str]]) -> ComparedFigure:
    highest = max(amount for _each, amount, _text in amounts) or 1
    bars = [
        ComparedBar(str(each.campaign), each.style, f"{charts.BAR * float(amount) / float(highest):.1f}", text)
        for each, amount, text in amounts
    ]
    return ComparedFigure(label, bars)

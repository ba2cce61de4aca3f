"""What is wrong with a campaign, with the way to mend it: a word of advice, and links to where it is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext_lazy

from django_hyber.models import Campaign
from django_hyber.words.options import CHANNEL_NAMES, label_of

#: What the text of a problem does not say itself.
ADVICE = {
    "account": gettext_lazy("Choose one of the accounts in the settings."),
    "blank": gettext_lazy("Fill it in, or take it away."),
    "changed": gettext_lazy("Look at it again."),
    "importing": gettext_lazy("Wait until it has ended, then look again."),
    "required": gettext_lazy("Fill it in."),
    "too-long": gettext_lazy("Shorten it."),
    "too-many-segments": gettext_lazy("Shorten it, or do without the characters that make it UCS-2."),
}
RECIPIENTS = ("import", "")
CHANNELS = ("change", "channels-group")
MISSING_VALUES = ("change", "id_missing_variables")
#: The page of the campaign and the place on it where a problem is mended, by its code.
PLACES: dict[str, list[tuple[str, str]]] = {
    "account": [("change", "id_account")],
    "importing": [RECIPIENTS],
    "missing-variable": [RECIPIENTS, MISSING_VALUES],
    "no-channels": [CHANNELS],
    "no-recipients": [RECIPIENTS],
    "nobody": [RECIPIENTS],
    "past-start-time": [("change", "id_start_time_0")],
    "unfilled-variables": [CHANNELS],
}
LABELS = {
    "": gettext_lazy("Import recipients"),
    "channels-group": gettext_lazy("Channels"),
    "id_account": gettext_lazy("Account"),
    "id_missing_variables": gettext_lazy("Missing values"),
    "id_start_time_0": gettext_lazy("Start time"),
}


class Link(NamedTuple):
    """Where something is done."""

    label: str
    url: str


class ProblemLine(NamedTuple):
    """A problem in words, with what can be done about it."""

    text: str
    advice: str
    links: list[Link]


def problem_lines(campaign: Campaign, problems: Iterable[ValidationError], *, may_change: bool) -> list[ProblemLine]:
    """Return the problems with links for those who may change the campaign."""
    channels = [channel.channel for channel in campaign.channels.all()]
    return [
        ProblemLine(
            text=text,
            advice=str(ADVICE.get(str(problem.code), "")),
            links=_links(campaign, problem, channels) if may_change else [],
        )
        for problem in problems
        for text in problem.messages
    ]


def _links(campaign: Campaign, problem: Any, channels: Sequence[str]) -> list[Link]:
    channel = getattr(problem, "channel", "")
    if channel in channels:
        place = f"channels-{channels.index(channel)}"
        field = problem.field
        label = ", ".join(str(part) for part in (CHANNEL_NAMES[channel], field and label_of(field)) if part)
        return [Link(label, _url(campaign, "change", f"id_{place}-{field}" if field else place))]
    return [
        Link(str(LABELS[anchor]), _url(campaign, page, anchor)) for page, anchor in PLACES.get(str(problem.code), [])
    ]


def _url(campaign: Campaign, page: str, anchor: str) -> str:
    url = reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk])
    return f"{url}#{anchor}" if anchor else url

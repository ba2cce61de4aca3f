"""The preview, lengths and problems of each channel, while its text is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django_hyber.models import Campaign, Message
from django_hyber.protocol import (
    Channel,
    Problem,
    channel_from_wire,
    field_rules,
    find_encoded_links,
    find_misspelled_variables,
    find_variables,
    tag_links,
    validate_channels,
)
from django_hyber.protocol.channels.problems import gettext_noop, warning
from django_hyber.texts.check import complete_variables
from django_hyber.texts.measure import Measure, measure
from django_hyber.texts.preview import Preview, preview, rendered, used_variables
from django_hyber.texts.samples import Sample, fill_in, known_columns

Content = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Composition:
    """One channel for one recipient. ``problems`` ignore fields that are still empty."""

    preview: Preview
    measures: Mapping[str, Measure]
    problems: Sequence[Problem]

    def problems_of(self, field: str) -> list[Problem]:
        """Return the problems of a field; "" is the channel as a whole."""
        return [problem for problem in self.problems if problem.field == field]


@dataclass(frozen=True, kw_only=True)
class Composed:
    """All channels in order. ``is_left_out`` says that the recipient lacks a value and is skipped."""

    channels: Sequence[Composition]
    variables: Sequence[str]
    is_left_out: bool


def compose(campaign: Campaign, contents: Iterable[Content], sample: Sample, columns: Sequence[str]) -> Composed:
    """Compose channels (name and options, in their order) that need not be saved, with the values of the sample.

    ``columns`` are the variables that the recipients are known to have; empty when there are no recipients yet.
    """
    parameters = campaign.link_parameters
    channels = [tag_links(channel_from_wire(name, options), parameters) for name, options in contents]
    own_text = campaign.has_own_texts
    used = used_variables(channels, own_text=own_text)
    values = fill_in(campaign, used, sample)
    filled = [rendered(channel, values or sample.variables, own_text=own_text) for channel in channels]
    problems = list(_problems(channels, filled, own_text=own_text))
    known = {*columns, *_defaults(campaign)} if columns else None
    compositions = [
        Composition(
            preview=preview(seen),
            measures={item.field: item for item in measure(seen)},
            problems=[
                *(problem for problem in problems if _is_about(problem, channel)),
                *_variable_problems(channel, known, own_text=own_text),
            ],
        )
        for channel, seen in zip(channels, filled, strict=True)
    ]
    return Composed(channels=compositions, variables=sorted(used), is_left_out=values is None)


def compose_saved(campaign: Campaign, sample: Sample) -> Composed:
    """Compose the channels of a campaign as they are stored."""
    contents = [(channel.channel, channel.options) for channel in campaign.channels.all()]
    return compose(campaign, contents, sample, known_columns(campaign))


def sent_previews(message: Message) -> list[Preview]:
    """Return what the recipient of a message sees of each channel; empty if its content was purged or is invalid."""
    campaign = message.campaign
    if message.phone_number is None:
        return []
    if campaign is None:
        content = message.content or {}
        options = content.get("channel_options", {})
        channels = [channel_from_wire(name, options.get(name, {})) for name in content.get("channels", ())]
        return [preview(channel) for channel in channels]
    channels, own_text = campaign.get_channels(), campaign.has_own_texts
    values = complete_variables(campaign, used_variables(channels, own_text=own_text), message.variables)
    return [preview(rendered(channel, values or message.variables, own_text=own_text)) for channel in channels]


def _problems(channels: Sequence[Channel], filled: Sequence[Channel], *, own_text: bool) -> Iterator[Problem]:
    written = validate_channels(channels, text_from_recipient=own_text, variables=not own_text)
    yield from written
    known = {(problem.channel, problem.field, problem.code) for problem in written}
    for problem in validate_channels(filled):
        if (problem.channel, problem.field, problem.code) not in known:
            yield problem


def _is_about(problem: Problem, channel: Channel) -> bool:
    if problem.channel != channel.name:
        return False
    return not problem.is_error or bool(getattr(channel, problem.field, None))


def _variable_problems(channel: Channel, known: set[str] | None, *, own_text: bool) -> Iterator[Problem]:
    for rule in field_rules(type(channel)):
        alone = [channel_from_wire(channel.name, {rule.name: getattr(channel, rule.name)})]
        found = find_misspelled_variables(alone) + ([] if own_text else find_encoded_links(alone))
        template = gettext_noop("The recipients have no column “%(name)s”.")
        unknown = sorted(find_variables(alone) - known) if known is not None else ()
        found += [warning("unknown-variable", template, name=name) for name in unknown]
        yield from (replace(problem, channel=channel.name, field=rule.name) for problem in found)


def _defaults(campaign: Campaign) -> Iterable[str]:
    if campaign.missing_variables != Campaign.MissingVariables.DEFAULT:
        return ()
    return [name for name, text in campaign.variable_defaults.items() if text]

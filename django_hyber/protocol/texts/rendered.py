"""What a broadcast becomes for each of its recipients, checked without building every text.

Most of it is arithmetic on the lengths of the values: to render and validate the channels for each of a million people
would take 40 µs a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from django_hyber.protocol.channels.checks import check_alpha_name, check_extension, segments_problem
from django_hyber.protocol.channels.content import SMS, Channel, FieldRule, Viber, field_rules
from django_hyber.protocol.channels.fields import check_value, length_problem
from django_hyber.protocol.channels.problems import Problem
from django_hyber.protocol.texts.segment_meter import SegmentMeter, Segments
from django_hyber.protocol.texts.sms import MAX_SEGMENTS
from django_hyber.protocol.texts.templates import Template, Values

Check = Callable[[Sequence[Values]], Iterator["Finding"]]


class Finding(NamedTuple):
    """A problem that ``recipients`` have; ``example`` is how it is with the first of them."""

    example: Problem
    recipients: int


class RenderedTexts:
    """The channels of a broadcast as its recipients get them, who are added page by page.

    ``names`` is the order in which the values of a recipient are given; none of them may be empty. ``segments`` counts
    the recipients by encoding and number of SMS segments; ``ucs2`` has the first characters that made a text UCS-2, by
    the variable whose values hold them ("" is the text itself).
    """

    def __init__(self, channels: Iterable[Channel], names: Sequence[str]) -> None:
        self.segments: Counter[Segments] = Counter()
        self._found: dict[tuple[str, str, str], Finding] = {}
        self._checks: list[Check] = []
        self._meter: SegmentMeter | None = None
        order = {name: index for index, name in enumerate(names)}
        for channel in channels:
            if isinstance(channel, SMS) and isinstance(channel.text, str):
                self._meter = SegmentMeter(Template(channel.text, order), names, click_tracking=bool(channel.ctr))
            self._checks += _compile(channel, order)

    def add(self, rows: Sequence[Values], *, times: int = 1) -> None:
        """Take in the values of more recipients; each row stands for so many of them."""
        if self._meter:
            for key, number in self._meter.measure(rows).items():
                self.segments[key] += number * times
        for check in self._checks:
            for example, number in check(rows):
                place = (example.channel, example.field, example.code)
                first, before = self._found.get(place, (example, 0))
                self._found[place] = Finding(first, before + number * times)

    @property
    def ucs2(self) -> dict[str, str]:
        """What made texts UCS-2, so far."""
        return self._meter.ucs2 if self._meter and any(key[0] == "UCS-2" for key in self.segments) else {}

    @property
    def findings(self) -> list[Finding]:
        """What is wrong so far, the most frequent first."""
        over = {key: count for key, count in self.segments.items() if key[1] > MAX_SEGMENTS}
        too_many = [Finding(segments_problem(*key), sum(over.values())) for key in list(over)[:1]]
        return sorted([*self._found.values(), *too_many], key=lambda finding: -finding.recipients)


def _compile(channel: Channel, order: Mapping[str, int]) -> Iterator[Check]:
    for rule in field_rules(type(channel)):
        text = getattr(channel, rule.name)
        template = Template(text if isinstance(text, str) else "", order)
        if not template.names:
            continue
        if rule.kind == "text" and "".join(template.literals).strip():
            if rule.max_length is not None:
                yield partial(_check_lengths, channel, rule, template)
        else:
            # With nothing around its values the text may be blank; and an address has a form besides its length.
            yield partial(_check_texts, channel, rule, template)
        special = _SPECIAL.get((type(channel), rule.name))
        if special:
            yield partial(_check_specially, special, template)


def _check_lengths(channel: Channel, rule: FieldRule, template: Template, rows: Sequence[Values]) -> Iterator[Finding]:
    limit = rule.max_length or 0
    room = limit - template.fixed_length
    over = [length for length in template.lengths(rows) if length > room]
    if over:
        problem = length_problem(over[0] + template.fixed_length, limit)
        yield Finding(replace(problem, channel=channel.name, field=rule.name), len(over))


def _check_texts(channel: Channel, rule: FieldRule, template: Template, rows: Sequence[Values]) -> Iterator[Finding]:
    for text in template.render(rows):
        problem = check_value(rule, text)
        if problem:
            yield Finding(replace(problem, channel=channel.name, field=rule.name), 1)


def _check_specially(
    check: Callable[[str], Iterator[Problem]], template: Template, rows: Sequence[Values]
) -> Iterator[Finding]:
    for text in template.render(rows):
        for problem in check(text):
            yield Finding(problem, 1)


_SPECIAL = {(SMS, "alpha_name"): check_alpha_name, (Viber, "file_name"): check_extension}

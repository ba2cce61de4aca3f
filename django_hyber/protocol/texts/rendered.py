"""The texts of a broadcast, rendered for each recipient, validated and counted in SMS segments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from django_hyber.protocol.channels.content import SMS, Channel, FieldRule, Viber, field_rules
from django_hyber.protocol.channels.fields import check_texts
from django_hyber.protocol.channels.problems import Problem
from django_hyber.protocol.channels.validation import check_alpha_name, check_extension, segments_problem
from django_hyber.protocol.texts.sms import MAX_SEGMENTS, Encoding, foreign_characters, measure_all, track_links
from django_hyber.protocol.texts.variables import split_template

#: The values of one recipient, in the order of the given names.
Values = tuple[str, ...]
Segments = tuple[Encoding, int]

_CHECKS: dict[tuple[type[Channel], str], Callable[[str], Iterator[Problem]]] = {
    (SMS, "alpha_name"): check_alpha_name,
    (Viber, "file_name"): check_extension,
}
#: Limits for collecting the characters that cause UCS-2: recipients per page, and characters per source.
_LOOKED_AT = 1_000
_KEPT = 12


class TextFinding(NamedTuple):
    """A problem, the number of ``recipients`` with it, and the first of them as an ``example``."""

    example: Problem
    recipients: int


class RenderedTexts:
    """The channels of a broadcast, rendered for recipients that are added page by page.

    ``names`` is the order of a recipient's values, none of which may be empty. ``segments`` counts the recipients by
    encoding and number of SMS segments. ``ucs2`` has the first characters that caused UCS-2, by the variable that
    contains them ("" for the text itself).
    """

    def __init__(self, channels: Iterable[Channel], names: Sequence[str]) -> None:
        self.segments: Counter[Segments] = Counter()
        self.ucs2: dict[str, str] = {}
        self._found: dict[tuple[str, str, str], TextFinding] = {}
        fields = [
            _Field(channel, rule, getattr(channel, rule.name), names)
            for channel in channels
            for rule in field_rules(type(channel))
            if isinstance(getattr(channel, rule.name), str)
        ]
        self._fields = [field for field in fields if field.names or field.is_sms_text]

    def add(self, rows: Sequence[Values], *, times: int = 1, is_counted: bool = True) -> None:
        """Add the values of recipients. Each row counts ``times``.

        Without ``is_counted``, the texts are only checked: their segments are not counted.
        """
        for field in self._fields:
            texts = field.render(rows)
            for problem in field.problems(texts):
                self._note(problem, times)
            if field.is_sms_text:
                self._count_segments(field, rows, texts, times, is_counted=is_counted)

    def refuses(self, values: Values) -> bool:
        """Return whether there is a problem with the values of this recipient. Nothing is counted."""
        for field in self._fields:
            texts = field.render([values])
            if next(field.problems(texts), None):
                return True
            if field.is_sms_text and field.measure([values], texts)[0][1] > MAX_SEGMENTS:
                return True
        return False

    @property
    def findings(self) -> list[TextFinding]:
        """The problems found so far, the most frequent first."""
        return sorted(self._found.values(), key=lambda finding: -finding.recipients)

    def _note(self, problem: Problem, recipients: int) -> None:
        place = (problem.channel, problem.field, problem.code)
        first, before = self._found.get(place, (problem, 0))
        self._found[place] = TextFinding(first, before + recipients)

    def _count_segments(
        self, sms: _Field, rows: Sequence[Values], texts: Sequence[str], times: int, *, is_counted: bool
    ) -> None:
        keys = sms.measure(rows, texts)
        for key, number in Counter(keys).items():
            if key[1] > MAX_SEGMENTS:
                self._note(segments_problem(key[1]), number * times)
            if is_counted:
                self.segments[key] += number * times
        if not is_counted:
            return
        ucs2_rows = [row for row, key in zip(rows, keys, strict=True) if key[0] == "UCS-2"]
        for place, text in sms.sources(ucs2_rows[:_LOOKED_AT]) if ucs2_rows else ():
            found = "".join(dict.fromkeys(self.ucs2.get(place, "") + foreign_characters(text)))
            if found:
                self.ucs2[place] = found[:_KEPT]


class _Field:
    """A text of a channel, with or without variables."""

    def __init__(self, channel: Channel, rule: FieldRule, text: str, names: Sequence[str]) -> None:
        self.channel, self.rule = channel, rule
        self.is_sms_text = isinstance(channel, SMS) and rule.name == "text"
        self.is_tracked = isinstance(channel, SMS) and bool(channel.ctr)
        self.check = _CHECKS.get((type(channel), rule.name))
        self.literals, self.names = split_template(text)
        self._places = [names.index(name) for name in self.names]
        # Filling a format string takes a third of the time of searching for the variables again.
        self._format = "%s".join(literal.replace("%", "%%") for literal in self.literals)

    def render(self, rows: Sequence[Values]) -> list[str]:
        """Return the text of each recipient."""
        if not self._places:
            return ["".join(self.literals)] * len(rows)
        # With a single index, itemgetter returns the item itself; the % operator accepts that too.
        return list(map(self._format.__mod__, map(itemgetter(*self._places), rows)))

    def problems(self, texts: Sequence[str]) -> Iterator[Problem]:
        """Yield the problems of rendered texts."""
        if not self.names:
            # It was validated with its channel, before recipients are added.
            return
        for problem in check_texts(self.rule, texts):
            yield replace(problem, channel=self.channel.name, field=self.rule.name)
        if self.check:
            yield from chain.from_iterable(map(self.check, texts))

    def measure(self, rows: Sequence[Values], texts: Sequence[str]) -> list[Segments]:
        """Return the encoding and the number of segments of each text, which is rendered from these values."""
        characters = set("".join(source for _name, source in self.sources(rows)))
        if self.is_tracked:
            return measure_all(list(map(track_links, texts)), characters)
        return measure_all(texts, characters, "UCS-2" if foreign_characters("".join(self.literals)) else None)

    def sources(self, rows: Sequence[Values]) -> Iterator[tuple[str, str]]:
        """Yield the sources of characters: the text itself (with the name ""), and each variable's values."""
        yield "", "".join(map(track_links, self.literals) if self.is_tracked else self.literals)
        for name, place in zip(self.names, self._places, strict=True):
            yield name, "".join(row[place] for row in rows)

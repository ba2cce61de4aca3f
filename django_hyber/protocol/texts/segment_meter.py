"""The SMS segments of one text with the values of many recipients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django_hyber.protocol.texts.sms import (
    GSM_BASIC,
    GSM_EXTENDED,
    Encoding,
    count_segments,
    find_links,
    segment_bounds,
    track_links,
)
from django_hyber.protocol.texts.templates import Template, Values

Segments = tuple[Encoding, int]

_GSM = GSM_BASIC | GSM_EXTENDED
# Stands where a value will; like most characters of values it belongs to the address before it.
_GAP = "\x00"
#: Of so many recipients, and so many characters of each place, it is kept what made their texts UCS-2.
_LOOKED_AT = 1_000
_KEPT = 12


class SegmentMeter:
    """Tells encoding and number of segments for each recipient, nearly always without making the text.

    ``names`` is the order in which the values come. ``ucs2`` are the characters that made texts UCS-2, by the name of
    the variable whose values have brought them ("" for the text itself).
    """

    def __init__(self, template: Template, names: Sequence[str], *, click_tracking: bool) -> None:
        self.ucs2: dict[str, str] = {}
        self._noted = 0
        self._places = [(name, names.index(name)) for name in dict.fromkeys(template.names)]
        self._template = template
        self._click_tracking = click_tracking
        self._needs_text = click_tracking and not _links_are_fixed(_GAP.join(template.literals))
        fixed = "".join(map(track_links, template.literals) if click_tracking else template.literals)
        self._length = len(fixed)
        self._is_gsm = _GSM.issuperset(fixed)
        self._doubled = {"GSM-7": _count_doubled("GSM-7", fixed), "UCS-2": _count_doubled("UCS-2", fixed)}
        self._keep("", fixed)

    def measure(self, rows: Sequence[Values]) -> Counter[Segments]:
        """Count the recipients by encoding and segments."""
        values = list(self._template.values(rows))
        encoding = self._shared_encoding("".join(values))
        if encoding is None:
            return Counter(map(self._measure, values, rows))
        counts: Counter[Segments] = Counter()
        for length, recipients in Counter(map(len, values)).items():
            segments, _most = segment_bounds(encoding, self._length + length, 0)
            counts[encoding, segments] += recipients
        return counts

    def _shared_encoding(self, values: str) -> Encoding | None:
        """Return the encoding of all texts with these values if, beside it, only their lengths count."""
        encoding: Encoding = "GSM-7" if self._is_gsm else "UCS-2"
        if self._needs_text or self._doubled[encoding]:
            return None
        if self._click_tracking and (":" in values or "/" in values):
            return None
        if encoding == "GSM-7":
            return encoding if GSM_BASIC.issuperset(values) else None
        return encoding if self._noted >= _LOOKED_AT and not _count_doubled(encoding, values) else None

    def _measure(self, values: str, row: Values) -> Segments:
        encoding: Encoding
        if self._needs_text or (self._click_tracking and (":" in values or "/" in values)):
            text = track_links(self._render(row))
            encoding = "GSM-7" if _GSM.issuperset(text) else "UCS-2"
            length, doubled = len(text), _count_doubled(encoding, text)
        else:
            encoding = "GSM-7" if self._is_gsm and _GSM.issuperset(values) else "UCS-2"
            length = self._length + len(values)
            doubled = self._doubled[encoding] + _count_doubled(encoding, values)
        if encoding == "UCS-2" and self._noted < _LOOKED_AT:
            self._note(row)
        fewest, most = segment_bounds(encoding, length, doubled)
        if fewest == most:
            return encoding, fewest
        return encoding, count_segments(self._render(row), click_tracking=self._click_tracking).segments

    def _note(self, row: Values) -> None:
        self._noted += 1
        for name, index in self._places:
            self._keep(name, row[index])

    def _keep(self, place: str, text: str) -> None:
        if _GSM.issuperset(text):
            return
        foreign = dict.fromkeys(character for character in self.ucs2.get(place, "") + text if character not in _GSM)
        self.ucs2[place] = "".join(foreign)[:_KEPT]

    def _render(self, row: Values) -> str:
        return next(self._template.render([row]))


def _links_are_fixed(text: str) -> bool:
    """Whether no value without a colon or slash can begin, lengthen or shorten a link of this text."""
    links = find_links(text)
    return not any(_GAP in link for link in links) and text.count("://") == "".join(links).count("://")


def _count_doubled(encoding: Encoding, text: str) -> int:
    """Count the characters that take two units."""
    if encoding == "UCS-2":
        return 0 if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2 - len(text)
    return 0 if GSM_BASIC.issuperset(text) else sum(map(text.count, GSM_EXTENDED))

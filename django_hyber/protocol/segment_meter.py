"""The SMS segments of one text with the values of many recipients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django_hyber.protocol.sms import (
    GSM_BASIC,
    GSM_EXTENDED,
    Encoding,
    count_segments,
    find_links,
    segment_bounds,
    track_links,
)
from django_hyber.protocol.templates import Template, Values

Segments = tuple[Encoding, int]

_GSM = GSM_BASIC | GSM_EXTENDED
# Stands where a value will; like most characters of values it belongs to the address before it.
_GAP = "\x00"


class SegmentMeter:
    """Tells encoding and number of segments for each recipient, nearly always without making the text."""

    def __init__(self, template: Template, *, click_tracking: bool) -> None:
        self._template = template
        self._click_tracking = click_tracking
        self._needs_text = click_tracking and not _links_are_fixed(_GAP.join(template.literals))
        fixed = "".join(map(track_links, template.literals) if click_tracking else template.literals)
        self._length = len(fixed)
        self._is_gsm = _GSM.issuperset(fixed)
        self._extended = sum(map(fixed.count, GSM_EXTENDED))
        self._surrogates = _count_surrogates(fixed)

    def measure(self, rows: Sequence[Values]) -> Counter[Segments]:
        """Count the recipients by encoding and segments."""
        return Counter(map(self._measure, self._template.values(rows), rows))

    def _measure(self, values: str, row: Values) -> Segments:
        if self._needs_text or (self._click_tracking and (":" in values or "/" in values)):
            return self._measure_text(row)
        length = self._length + len(values)
        if self._is_gsm and _GSM.issuperset(values):
            is_basic = GSM_BASIC.issuperset(values)
            extended = self._extended if is_basic else self._extended + sum(map(values.count, GSM_EXTENDED))
            return self._bounded("GSM-7", length, extended, row)
        return self._bounded("UCS-2", length, self._surrogates + _count_surrogates(values), row)

    def _bounded(self, encoding: Encoding, length: int, doubled: int, row: Values) -> Segments:
        fewest, most = segment_bounds(encoding, length, doubled)
        return (encoding, fewest) if fewest == most else self._measure_text(row)

    def _measure_text(self, row: Values) -> Segments:
        [text] = self._template.render([row])
        count = count_segments(text, click_tracking=self._click_tracking)
        return count.encoding, count.segments


def _links_are_fixed(text: str) -> bool:
    """Whether no value without a colon or slash can begin, lengthen or shorten a link of this text."""
    links = find_links(text)
    return not any(_GAP in link for link in links) and text.count("://") == "".join(links).count("://")


def _count_surrogates(text: str) -> int:
    """Count the characters that UTF-16 takes two units for."""
    return 0 if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2 - len(text)

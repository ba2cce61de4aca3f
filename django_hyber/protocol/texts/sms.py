"""Counting SMS segments (guide, chapter 7): GSM 03.38 if every character is in its tables, UCS-2 otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

MAX_SEGMENTS = 5

Encoding = Literal["GSM-7", "UCS-2"]

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("\f^{}\\[~]|€")

_GSM_LIMITS = (160, 153)
_UCS2_LIMITS = (70, 67)
_LIMITS = {"GSM-7": _GSM_LIMITS, "UCS-2": _UCS2_LIMITS}
_GSM_CHARACTERS = GSM_BASIC | GSM_EXTENDED
_LAST_OF_BMP = "\uffff"
# The platform replaces each URL by a link of this length when clicks are tracked (guide, chapter 8).
_TRACKED_LINK = "x" * 28
_URL = re.compile(r"https?://\S*[^\s.,;:!?)\]}'\"»]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class SegmentCount:
    """How a text goes out: ``length`` and ``units_left`` (until the next segment) are septets or UTF-16 units.

    ``ucs2_characters`` are the characters that forced UCS-2, each once, in the order of the text.
    """

    encoding: Encoding
    length: int
    segments: int
    units_left: int
    ucs2_characters: str = ""

    @property
    def fits(self) -> bool:
        """Whether the platform takes the text."""
        return self.segments <= MAX_SEGMENTS


def count_segments(text: str, *, click_tracking: bool = False) -> SegmentCount:
    """Count the segments of a text; with click tracking every URL counts as the 28 characters that will replace it."""
    if click_tracking:
        text = track_links(text)
    characters = set(text)
    foreign = characters - _GSM_CHARACTERS
    if foreign:
        doubles = {character for character in characters if character > _LAST_OF_BMP}
        segments, length, left = _split(text, doubles, *_UCS2_LIMITS)
    else:
        segments, length, left = _split(text, characters & GSM_EXTENDED, *_GSM_LIMITS)
    return SegmentCount(
        encoding="UCS-2" if foreign else "GSM-7",
        length=length,
        segments=segments,
        units_left=left,
        ucs2_characters="".join(dict.fromkeys(character for character in text if character in foreign)),
    )


def split_segments(text: str) -> list[str]:
    """Return the text cut into its segments, as many as ``count_segments`` counts; the phone joins them again."""
    count = count_segments(text)
    if count.segments <= 1:
        return [text] if text else []
    is_gsm = count.encoding == "GSM-7"
    _alone, many = _LIMITS[count.encoding]
    segments, start, used = [], 0, 0
    for position, character in enumerate(text):
        is_double = character in GSM_EXTENDED if is_gsm else character > _LAST_OF_BMP
        width = 2 if is_double else 1
        if used + width > many:
            segments.append(text[start:position])
            start, used = position, 0
        used += width
    return [*segments, text[start:]]


def track_links(text: str) -> str:
    """Put a link as long as those of the platform in place of every URL."""
    return _URL.sub(_TRACKED_LINK, text)


def find_links(text: str) -> list[str]:
    """Return the URLs that the platform would replace when it tracks clicks."""
    return _URL.findall(text)


def segment_bounds(encoding: Encoding, length: int, doubled: int) -> tuple[int, int]:
    """Return the fewest and the most segments that a text of this length can take.

    ``doubled`` of its characters take two units, so that a unit may stay empty at the end of each segment; only then,
    and not for all lengths, it depends on the text itself.
    """
    alone, many = _LIMITS[encoding]
    units = length + doubled
    if units <= alone:
        return min(units, 1), min(units, 1)
    return -(-units // many), -(-units // (many - 1 if doubled else many))


def _split(text: str, doubles: Iterable[str], alone: int, many: int) -> tuple[int, int, int]:
    """Return segments, length and units left, given which characters take two units."""
    doubled = {character: text.count(character) for character in doubles}
    length = len(text) + sum(doubled.values())
    if length <= alone:
        return min(length, 1), length, alone - length
    if not doubled:
        return -(-length // many), length, -length % many
    segments, used = 1, 0
    for character in text:
        width = 2 if character in doubled else 1
        # Neither an escape pair nor a surrogate pair is cut in two.
        if used + width > many:
            segments, used = segments + 1, 0
        used += width
    return segments, length, many - used

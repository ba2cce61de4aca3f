"""Counting SMS segments (guide, chapter 7): GSM 03.38 if every character is in its tables, UCS-2 otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MAX_SEGMENTS = 5

Encoding = Literal["GSM-7", "UCS-2"]

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("\f^{}\\[~]|€")

#: What a single SMS takes, and each segment of a longer one.
_LIMITS: dict[Encoding, tuple[int, int]] = {"GSM-7": (160, 153), "UCS-2": (70, 67)}
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
    encoding = encoding_of(text)
    segments, length, left = _split(text, encoding)
    return SegmentCount(
        encoding=encoding,
        length=length,
        segments=segments,
        units_left=left,
        ucs2_characters="".join(dict.fromkeys(foreign_characters(text))) if encoding == "UCS-2" else "",
    )


def measure(text: str) -> tuple[Encoding, int]:
    """Return encoding and number of segments: of a SegmentCount, what is needed of a million texts."""
    encoding = encoding_of(text)
    return encoding, _split(text, encoding)[0]


def encoding_of(text: str) -> Encoding:
    """Return how a text goes out."""
    return "GSM-7" if _GSM_CHARACTERS.issuperset(text) else "UCS-2"


def foreign_characters(text: str) -> str:
    """Return the characters of a text that GSM-7 does not have, in their order."""
    return "".join(character for character in text if character not in _GSM_CHARACTERS)


def split_segments(text: str) -> list[str]:
    """Return the text cut into its segments, as many as ``count_segments`` counts; the phone joins them again."""
    count = count_segments(text)
    if count.segments <= 1:
        return [text] if text else []
    return _cut(text, count.encoding)


def track_links(text: str) -> str:
    """Put a link as long as those of the platform in place of every URL."""
    return _URL.sub(_TRACKED_LINK, text)


def _split(text: str, encoding: Encoding) -> tuple[int, int, int]:
    """Return segments, length and units left."""
    alone, many = _LIMITS[encoding]
    if encoding == "UCS-2":
        length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    else:
        length = len(text) + sum(map(text.count, GSM_EXTENDED))
    if length <= alone:
        return min(length, 1), length, alone - length
    if length == len(text):
        return -(-length // many), length, -length % many
    # Neither an escape pair nor a surrogate pair is cut in two: a segment may end with an empty unit.
    pieces = _cut(text, encoding)
    return len(pieces), length, many - sum(_width(character, encoding) for character in pieces[-1])


def _cut(text: str, encoding: Encoding) -> list[str]:
    _alone, many = _LIMITS[encoding]
    pieces, start, used = [], 0, 0
    for position, character in enumerate(text):
        width = _width(character, encoding)
        if used + width > many:
            pieces.append(text[start:position])
            start, used = position, 0
        used += width
    return [*pieces, text[start:]]


def _width(character: str, encoding: Encoding) -> int:
    return 2 if (character in GSM_EXTENDED if encoding == "GSM-7" else character > _LAST_OF_BMP) else 1

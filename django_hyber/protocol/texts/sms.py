"""Counting SMS segments (guide, chapter 7): GSM 03.38 if every character is in its tables, UCS-2 otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import repeat
from typing import Literal

MAX_SEGMENTS = 5

Encoding = Literal["GSM-7", "UCS-2"]

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("\f^{}\\[~]|€")

#: The capacity of a single SMS, and of each segment of a longer one.
_LIMITS: dict[Encoding, tuple[int, int]] = {"GSM-7": (160, 153), "UCS-2": (70, 67)}
_GSM_CHARACTERS = GSM_BASIC | GSM_EXTENDED
_LAST_OF_BMP = "\uffff"
# With click tracking, the platform replaces each URL by a link of this length (guide, chapter 8).
_TRACKED_LINK = "x" * 28
_URL = re.compile(r"https?://\S*[^\s.,;:!?)\]}'\"»]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class SegmentCount:
    """The segments of a text. ``length`` and ``units_left`` (in the last segment) are septets or UTF-16 units.

    ``ucs2_characters`` are the characters that require UCS-2, each once, in the order of the text.
    """

    encoding: Encoding
    length: int
    segments: int
    units_left: int
    ucs2_characters: str = ""

    @property
    def fits(self) -> bool:
        """Whether the platform accepts a text of this length."""
        return self.segments <= MAX_SEGMENTS


def count_segments(text: str, *, click_tracking: bool = False) -> SegmentCount:
    """Count the segments of a text. With click tracking, every URL counts as the 28 characters that will replace it."""
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
    """Return the encoding and the number of segments, faster than ``count_segments``."""
    encoding = encoding_of(text)
    return encoding, _split(text, encoding)[0]


def measure_all(
    texts: Sequence[str], characters: Set[str], encoding: Encoding | None = None
) -> list[tuple[Encoding, int]]:
    """Measure many texts, of which these are all ``characters``. Give the ``encoding`` if it is known to be the same.

    Unless a character counts twice, the encoding and the number of characters decide, and most texts share them.
    """
    if not GSM_EXTENDED.isdisjoint(characters) or max(characters, default="") > _LAST_OF_BMP:
        return list(map(measure, texts))
    if characters <= GSM_BASIC:
        encoding = "GSM-7"
    sizes = list(zip(repeat(encoding) if encoding else map(encoding_of, texts), map(len, texts), strict=False))
    measures = {size: (size[0], _segments(*size)) for size in set(sizes)}
    return [measures[size] for size in sizes]


def encoding_of(text: str) -> Encoding:
    """Return the encoding in which a text is sent."""
    return "GSM-7" if _GSM_CHARACTERS.issuperset(text) else "UCS-2"


def foreign_characters(text: str) -> str:
    """Return the characters of a text that are not in GSM-7, in the order of the text."""
    return "".join(character for character in text if character not in _GSM_CHARACTERS)


def split_segments(text: str) -> list[str]:
    """Split the text into its segments, as counted by ``count_segments``."""
    count = count_segments(text)
    if count.segments <= 1:
        return [text] if text else []
    return _cut(text, count.encoding)


def track_links(text: str) -> str:
    """Replace every URL with a link of the length of the platform's links."""
    return _URL.sub(_TRACKED_LINK, text)


def _split(text: str, encoding: Encoding) -> tuple[int, int, int]:
    """Return segments, length and units left."""
    alone, many = _LIMITS[encoding]
    if encoding == "UCS-2":
        length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    else:
        length = len(text) + sum(map(text.count, GSM_EXTENDED))
    if length <= alone or length == len(text):
        return _segments(encoding, length), length, alone - length if length <= alone else -length % many
    # Escape pairs and surrogate pairs are not split, so a segment may end with an unused unit.
    pieces = _cut(text, encoding)
    return len(pieces), length, many - sum(_width(character, encoding) for character in pieces[-1])


def _segments(encoding: Encoding, length: int) -> int:
    """Return the number of segments of a text without characters that count twice, or of a single segment."""
    alone, many = _LIMITS[encoding]
    return min(length, 1) if length <= alone else -(-length // many)


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

"""The ways in which the words of a text file can be read, and how likely each is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from operator import ne
from typing import IO

from django_hyber.audience.files.plausibility import WORD, costs_of_words

#: What is taken off the trust in an encoding because it is rarer than Windows-1251. Those that are least common are
#: no rivals of another in which the words are as good.
RARITY = {
    "cp1251": 0.0,
    "cp1250": 0.05,
    "cp1252": 0.05,
    "cp866": 0.05,
    "cp1125": 0.05,
    "koi8-u": 0.05,
    "mac-cyrillic": 0.1,
    "cp1254": 0.1,
    "iso8859-5": 0.1,
    "iso8859-2": 0.15,
    "mac-roman": 0.2,
    "cp1257": 0.3,
}
#: By how much the best reading must be better than another, and what it may cost.
MARGIN = 0.2
ACCEPTABLE = 1.0
MOST_WORDS = 5_000
BLOCK = 64 * 1024
_CONTROL = re.compile("[\x80-\x9f]")


@dataclass(frozen=True)
class Reading:
    """The words of a file in one encoding, and what each costs."""

    encoding: str
    texts: Sequence[str]
    costs: Sequence[float]

    @cached_property
    def cost(self) -> float:
        """How unlikely it is."""
        return RARITY[self.encoding] + sum(self.costs) / len(self.costs)

    @property
    def is_acceptable(self) -> bool:
        """Whether these are words."""
        return self.cost < ACCEPTABLE

    def is_better(self, other: Reading) -> bool:
        """Return whether the words that the other one has otherwise are better here, or there are none."""
        differ = [*map(ne, self.texts, other.texts)]
        if not any(differ):
            return True
        gain = (sum(compress(other.costs, differ)) - sum(compress(self.costs, differ))) / sum(differ)
        gain += RARITY[other.encoding] - RARITY[self.encoding]
        # A letter on its own is one of every alphabet: 0xAC is "¬" or "м".
        return gain >= MARGIN and any(len(text) > 1 for text in self.texts)


def find_words(file: IO[bytes]) -> list[bytes]:
    """Return the different words of the file that have other letters than those of ASCII, as far as it has many."""
    file.seek(0)
    words: dict[bytes, None] = {}
    while len(words) < MOST_WORDS and (block := file.read(BLOCK)):
        found = WORD.findall(block + file.readline(BLOCK))
        words.update(dict.fromkeys(word for word in found if not word.isascii()))
    return list(words)


def find_readings(words: Sequence[bytes]) -> list[Reading]:
    """Return the readings in the encodings that have all the letters, the likeliest first."""
    readings = (_read(words, encoding) for encoding in RARITY) if words else ()
    return sorted((reading for reading in readings if reading), key=lambda reading: reading.cost)


def _read(words: Sequence[bytes], encoding: str) -> Reading | None:
    try:
        texts = [word.decode(encoding) for word in words]
    except UnicodeDecodeError:
        return None
    if any(map(_CONTROL.search, texts)):
        return None
    return Reading(encoding, texts, costs_of_words(texts))

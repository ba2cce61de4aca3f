"""How the words of a text file can be read, and how likely each reading is.

A likely word has the letters of one script, in one of the usual cases.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from operator import ne
from typing import IO

#: A word in any encoding that has the letters of ASCII.
WORD = re.compile(rb"[A-Za-z'\x80-\xff-]+")
#: The letters of Ukrainian and Russian from the most to the least frequent.
_CYRILLIC = "оаинеітврлскмдупьягзйхчбюшжєцїщфыґэёъ"
_COST = {letter: place / len(_CYRILLIC) for place, letter in enumerate(_CYRILLIC)}
_CYRILLIC_VOWELS = frozenset("аеєиіїоуюяыэё")
#: The letters with marks of the Latin languages of Europe.
_LANGUAGES = tuple(
    map(
        frozenset,
        (
            *("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíľĺňóôŕšťúýž", "áéíóöőúüű", "ăâîșțşţ", "čćđšž"),
            *("äöüßéë", "àâæçèéêëîïôœùûüÿ", "áéíïñóúü", "ãâáàçéêíóôõú", "àèéìîòóùú", "åäöæøé"),
            *("çğıöşüâîû", "ąčęėįšųūž", "āčēģīķļņšūž"),
        ),
    )
)
_LATIN = frozenset().union(*_LANGUAGES)
_MARKS = frozenset("'’ʼ`-")
#: Punctuation that stands before, after or alone between words.
_PUNCTUATION = frozenset("«»“”„‘’‚–—…§°€₴·•©®™ \u00a0")
#: More consonants or vowels than that do not follow each other in most words.
_LONGEST_RUN = 3
#: Words of one sign are common, and so are words beside which a quotation mark stands.
_SIGNS = frozenset("№")
IMPLAUSIBLE = 2.0
#: What a word costs that is of another language than most.
_MIXED = 0.8
_UNKNOWN = 0.3
_GLUED = 0.5
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
#: After so many different words, others are not judged.
MOST_WORDS = 5_000
BLOCK = 64 * 1024
_CONTROL = re.compile("[\x80-\x9f]")


def cost_of_word(word: str) -> float:
    """Return how unlikely the word is, from 0 to IMPLAUSIBLE."""
    if word in _SIGNS:
        return _UNKNOWN
    bare = word.strip("".join(_PUNCTUATION))
    is_glued = bool(bare) and (word[0] in _PUNCTUATION) != (word[-1] in _PUNCTUATION)
    return min(IMPLAUSIBLE, _cost_of_bare(bare) + (_GLUED if is_glued else 0))


def costs_of_words(words: Sequence[str]) -> list[float]:
    """Return how unlikely each word is in a list: hardly any has letters of many Latin languages."""
    marked = [{letter for letter in _lower(word) if letter in _LATIN} for word in words]
    main = max(_LANGUAGES, key=lambda language: sum(bool(letters) and letters <= language for letters in marked))
    return [
        cost_of_word(word) + (0 if letters <= main else _MIXED) for word, letters in zip(words, marked, strict=True)
    ]


def _lower(text: str) -> str:
    """Return small letters, one for each letter: Python makes two of the Turkish "İ"."""
    return text.lower().replace("i\u0307", "i")


def _cost_of_bare(part: str) -> float:
    letters = "".join(char for char in part if char not in _MARKS)
    if not letters:
        return _UNKNOWN
    if not letters.isalpha() or not _has_usual_case(part):
        return IMPLAUSIBLE
    lower = _lower(letters)
    if any(char in _COST for char in lower):
        return _cost_of_cyrillic(lower)
    return _cost_of_latin(lower)


def _has_usual_case(part: str) -> bool:
    """Return whether it is written as in "Олена", "олена", "ОЛЕНА" or "Анна-Марія"."""
    for piece in part.replace("’", "'").replace("ʼ", "'").split("-"):
        letters = piece.replace("'", "")
        if letters and not (letters.islower() or letters.isupper() or letters[1:].islower()):
            return False
    return True


def _cost_of_cyrillic(letters: str) -> float:
    if any(letter not in _COST for letter in letters):
        return IMPLAUSIBLE
    kinds = "".join("v" if letter in _CYRILLIC_VOWELS else "c" for letter in letters)
    runs = sum(kinds.count(kind * (_LONGEST_RUN + 1)) for kind in "vc")
    lonely = 0.5 if len(letters) > _LONGEST_RUN and len(set(kinds)) == 1 else 0
    return min(IMPLAUSIBLE, sum(_COST[letter] for letter in letters) / len(letters) + 0.3 * runs + lonely)


def _cost_of_latin(letters: str) -> float:
    marked = [letter for letter in letters if not letter.isascii()]
    if any(letter not in _LATIN for letter in marked):
        return IMPLAUSIBLE
    if len(marked) == len(letters):
        return IMPLAUSIBLE if len(letters) > 1 else 1.0
    if any("LATIN" not in unicodedata.name(letter, "") for letter in letters):
        return IMPLAUSIBLE
    return _UNKNOWN


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

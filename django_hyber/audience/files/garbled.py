"""How the words of a text file can be read, and whether they were garbled before it was saved.

A likely word has the letters of one script, in one of the usual cases. A garbled file was read in a wrong encoding, or
saved in one without its letters, and is good UTF-8 now. It shows by words that are none, and become words if the
mistake is undone: "РћР»РµРЅР°" is "Олена", read as Windows-1251. Nothing is repaired, because the table that it came
from still has the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import compress
from operator import ne
from typing import IO, NamedTuple

#: A word in any encoding that has the letters of ASCII.
WORD = re.compile(rb"[A-Za-z'\x80-\xff-]+")
#: The letters of Ukrainian and Russian from the most to the least frequent.
_CYRILLIC_LETTERS = "оаинеітврлскмдупьягзйхчбюшжєцїщфыґэёъ"
_COST = {letter: place / len(_CYRILLIC_LETTERS) for place, letter in enumerate(_CYRILLIC_LETTERS)}
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
#: The encodings in which texts are read by mistake, each with the right one.
MISTAKES = (
    *((wrong, "utf-8") for wrong in ("cp1251", "cp1252", "cp1250", "cp866", "koi8-u", "mac-roman", "mac-cyrillic")),
    *((wrong, "cp1251") for wrong in ("cp1252", "cp1250", "cp866", "koi8-u", "mac-roman")),
    *((wrong, right) for wrong in ("cp1251", "cp1252") for right in ("koi8-u", "cp1125")),
)
PLAUSIBLE = 1.0
#: A word of fewer letters can be anything.
LEAST_LETTERS = 2
#: A file is refused if so many of its lines are garbled. One odd row of a list is no reason.
LEAST_LINES = 2
LEAST_PART = 0.1
#: The sign for a lost letter is never meant, so that less of it is enough.
LEAST_PART_LOST = 0.01
LOST = "\ufffd".encode()
_QUESTION_MARKS = re.compile(rb'(?<![^,;\t|"\r\n])(?:\?[ .\'-]{0,2}){4,}(?![^,;\t|"\r\n])')
_CELL_OF_MARKS = re.compile(r"(?:\?[ .'-]{0,2}){4,}")
_WORD_OF_CELL = re.compile("[A-Za-z'\x80-\U0010ffff-]+")
#: Serbian, Kazakh and other words have letters that are rare in Ukraine.
_CYRILLIC = re.compile("[\u0400-\u052f]+")
_BLOCK = 64 * 1024


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


class GarbledLine(NamedTuple):
    """The number of the first garbled line, and what it says."""

    number: int
    text: bytes


class GarbledCell(NamedTuple):
    """The row and the column of the first garbled cell, and what it says."""

    row: int
    place: int
    text: str


@dataclass
class _Sort:
    """The rows that are garbled in one way. Of all, or of those with special letters, it takes a part to matter."""

    least_part: float
    least: int = LEAST_LINES
    of_all: bool = False
    rows: int = 0
    first: GarbledCell | None = None

    def add(self, number: int, cells: Sequence[str], is_garbled: Callable[[str], object]) -> None:
        place = next((place for place, cell in enumerate(cells) if is_garbled(cell)), None)
        if place is not None:
            self.rows += 1
            self.first = self.first or GarbledCell(number, place, cells[place])

    def matters(self, special: int, count: int) -> bool:
        return _is_enough(self.rows, count if self.of_all else special, count, self.least_part, self.least)


class GarbledRows:
    """What is garbled in the rows of a table, by the rules for the lines of a text file. The header is the first."""

    def __init__(self) -> None:
        self.count = self._special = 0
        self._words = _Sort(LEAST_PART)
        self._lost = _Sort(LEAST_PART_LOST, least=1)
        self._marks = _Sort(LEAST_PART, of_all=True)
        self._judged: dict[str, bool] = {}

    def add(self, number: int, cells: Sequence[str]) -> None:
        """Look at a row."""
        self.count += 1
        text = "\n".join(cells)
        if "??" in text:
            self._marks.add(number, cells, _CELL_OF_MARKS.fullmatch)
        if text.isascii():
            return
        self._special += 1
        if "\ufffd" in text:
            self._lost.add(number, cells, lambda cell: "\ufffd" in cell)
        if any(map(self._judge, _WORD_OF_CELL.findall(text))):
            self._words.add(number, cells, lambda cell: any(map(self._judge, _WORD_OF_CELL.findall(cell))))

    def find(self) -> GarbledCell | None:
        """Return the first garbled cell, if a good part of the rows so far is garbled."""
        sorts = (self._words, self._lost, self._marks)
        return next((sort.first for sort in sorts if sort.first and sort.matters(self._special, self.count)), None)

    def _judge(self, word: str) -> bool:
        if word.isascii():
            return False
        known = self._judged.get(word)
        if known is None and len(self._judged) < MOST_WORDS:
            known = self._judged[word] = "\ufffd" not in word and _is_garbled(word)
        return bool(known)


def find_garbled(file: IO[bytes], words: Iterable[bytes]) -> GarbledLine | None:
    """Return a line of a file if a good part of it is garbled; ``words`` are those in UTF-8 with special letters."""
    found = None
    garbled = {word for word in words if LOST not in word and _is_garbled(word.decode("utf-8", "replace"))}
    if garbled:
        found = _find_lines(file, lambda line: not garbled.isdisjoint(WORD.findall(line)), LEAST_PART)
    if not found and _contains(file, LOST):
        found = _find_lines(file, lambda line: LOST in line, LEAST_PART_LOST, least=1)
    if not found and _contains(file, b"??"):
        found = _find_lines(file, _QUESTION_MARKS.search, LEAST_PART, of_all=True)
    return found


def _is_garbled(word: str) -> bool:
    if cost_of_word(word) < IMPLAUSIBLE or (_CYRILLIC.fullmatch(word) and (word.isupper() or word[1:].islower())):
        return False
    # "оЛЕНА" was written with the wrong key held down.
    limit = min(PLAUSIBLE, cost_of_word(word.swapcase()))
    return any(_is_word(_undo(word, *mistake), limit) for mistake in MISTAKES)


def _is_word(text: str, limit: float) -> bool:
    has_letters = any(letter.isalpha() and not letter.isascii() for letter in text)
    return has_letters and len(text) >= LEAST_LETTERS and cost_of_word(text) < limit


def _undo(word: str, wrong: str, right: str) -> str:
    """Return the text that was read in the wrong encoding instead of the right one, or an empty string."""
    try:
        return word.translate(_bytes_of(wrong)).encode("latin-1").decode(right)
    except UnicodeError:
        return ""


@cache
def _bytes_of(encoding: str) -> dict[int, int]:
    """Return the byte of each character; what has none becomes a character that Latin-1 has not."""
    table = {**dict.fromkeys(range(0xA0, 0x100), 0x100), **{code: code for code in range(0x80, 0xA0)}}
    for byte in range(0x80, 0x100):
        character = bytes((byte,)).decode(encoding, "ignore")
        table.update({ord(character): byte} if character else {})
    return table


def _contains(file: IO[bytes], part: bytes) -> bool:
    file.seek(0)
    return any(part in block for block in iter(lambda: file.read(_BLOCK), b""))


def _find_lines(
    file: IO[bytes],
    is_garbled: Callable[[bytes], object],
    least_part: float,
    *,
    least: int = LEAST_LINES,
    of_all: bool = False,
) -> GarbledLine | None:
    """Return the first garbled line, if there are enough of all lines, or of those with special letters."""
    file.seek(0)
    first = None
    garbled = counted = number = 0
    for number, line in enumerate(iter(lambda: file.readline(_BLOCK), b""), start=1):
        if not of_all and line.isascii():
            continue
        counted += 1
        if is_garbled(line):
            garbled += 1
            first = first or GarbledLine(number, line)
    return first if _is_enough(garbled, counted, number, least_part, least) else None


def _is_enough(garbled: int, counted: int, lines: int, least_part: float, least: int) -> bool:
    # The first line is the header.
    return garbled >= least_part * counted and (garbled >= least or 2 * garbled >= lines - 1)

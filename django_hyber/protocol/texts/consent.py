"""Whether a reply opts its sender out of messages, or back in.

A reply opts out if its first word is one of OPENING_WORDS, if its last sentence is nothing else, or if, without
FILLERS, it is nothing but one of the stop words. So "Stop, thanks", "No. Stop." and "please do not send me any more"
opt out, "bus stop" and "cancel my order" do not. A reply opts back in only if, without FILLERS, it is nothing but one
of the start words.

Texts are compared without case, punctuation, emoji, accents, invisible characters and held-down keys. In a word that
mixes alphabets, or letters and digits, a letter also matches those that look or sound like it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache
from itertools import chain, groupby

from django_hyber.protocol.texts import consent_words

#: Opt-out requests are short. Of a longer text, only the beginning is read.
LONGEST = 500
OPENING_WORDS = frozenset(chain.from_iterable(consent_words.OPENING.values()))
FILLERS = frozenset(chain.from_iterable(consent_words.FILLERS.values()))
STOP_WORDS = tuple(dict.fromkeys(chain.from_iterable((*consent_words.OPENING.values(), *consent_words.WHOLE.values()))))
START_WORDS = tuple(dict.fromkeys(chain.from_iterable(consent_words.BACK.values())))

_APOSTROPHES = re.compile("['\u2018\u2019\u02bc`´]")
_SENTENCE_END = re.compile(r"[.!?\n]+")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
#: A letter that is repeated for emphasis, or by a key that was held down.
_HELD = re.compile(r"(.)\1{2,}|(.)\2+\Z")
_LATIN, _CYRILLIC, _DIGIT = re.compile("[a-z]"), re.compile("[\u0400-\u04ff]"), re.compile("[0-9]")
#: Letters of other alphabets that look like Latin ones, and Russian spelling.
_SAME = str.maketrans("ѕјοτρσς\u2010ё", "sjotpss-е")
#: What can stand for a letter in a word of mixed alphabets.
_ALIKE = {
    "а": "a",
    "б": "b6",
    "в": "bvw",
    "г": "gh",
    "д": "d",
    "е": "e",
    "є": "e",
    "з": "z3",
    "и": "uiyі",
    "і": "i1lи",
    "ї": "iі",
    "й": "yjiи",
    "к": "k",
    "л": "l",
    "м": "m",
    "н": "hn",
    "о": "o0",
    "п": "pn",
    "р": "pr",
    "с": "cs",
    "т": "t",
    "у": "yu",
    "ф": "f",
    "х": "xh",
    "ц": "c",
    "ч": "4",
    "ь": "b",
    "a": "а",
    "b": "вь",
    "c": "с",
    "e": "е",
    "h": "н",
    "i": "і1l",
    "k": "к",
    "l": "1",
    "m": "м",
    "n": "пн",
    "o": "о0",
    "p": "рп",
    "r": "рг",
    "s": "с5",
    "t": "т",
    "u": "иу",
    "x": "х",
    "y": "у",
}


class Consent(Enum):
    """What a reply asks for."""

    OUT = "out"
    BACK = "back"


def read_consent(
    text: str, stop_words: Sequence[str] = STOP_WORDS, start_words: Sequence[str] = START_WORDS
) -> Consent | None:
    """Return whether a reply opts out, opts back in, or neither."""
    words = _words_of(text[:LONGEST])
    stops = _phrases(tuple(stop_words))
    if _is_one_of(words, stops) or _begins_with_one_of(words, stops) or _ends_with_one_of(text[:LONGEST], stops):
        return Consent.OUT
    return Consent.BACK if _is_one_of(words, _phrases(tuple(start_words))) else None


def _is_one_of(words: Sequence[str], phrases: Sequence[Sequence[str]]) -> bool:
    whole = _simple(words)
    core = [word for word in whole if word not in FILLERS]
    return any(_match(whole, phrase) or _match(core, phrase) for phrase in phrases)


def _begins_with_one_of(words: Sequence[str], phrases: Sequence[Sequence[str]]) -> bool:
    return any(_match(words[:1], phrase) for phrase in phrases if phrase[0] in OPENING_WORDS)


def _ends_with_one_of(text: str, phrases: Sequence[Sequence[str]]) -> bool:
    """Whether the last sentence is nothing but an opening word: "No, thanks. Stop." """
    sentences = [words for words in map(_words_of, _SENTENCE_END.split(text)) if words]
    return bool(sentences) and _is_one_of(sentences[-1], [phrase for phrase in phrases if phrase[0] in OPENING_WORDS])


def _match(words: Sequence[str], phrase: Sequence[str]) -> bool:
    return len(words) == len(phrase) and all(map(_is_same, words, phrase))


def _is_same(given: str, wanted: str) -> bool:
    return _is_alike(given, wanted) or _is_alike(_HELD.sub(r"\1\2", given), wanted)


def _is_alike(given: str, wanted: str) -> bool:
    if given == wanted or len(given) != len(wanted) or not _is_mixed(given):
        return given == wanted
    return all(one == other or one in _ALIKE.get(other, "") for one, other in zip(given, wanted, strict=True))


def _is_mixed(word: str) -> bool:
    return sum(bool(kind.search(word)) for kind in (_LATIN, _CYRILLIC, _DIGIT)) > 1


@lru_cache
def _phrases(texts: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the normalized phrases, each as its words."""
    phrases = (tuple(_simple(_words_of(text))) for text in texts)
    return tuple(dict.fromkeys(phrase for phrase in phrases if phrase))


def _words_of(text: str) -> list[str]:
    """Return the normalized words. A compound such as "стоп-кадр" is one word."""
    visible = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    folded = unicodedata.normalize("NFKC", visible).casefold()
    plain = "".join(letter for letter in folded if unicodedata.category(letter) not in {"Mn", "Me"})
    words = _WORD.findall(_APOSTROPHES.sub("", plain.translate(_SAME)))
    letters = [part for word in words for part in word.split("-")]
    is_spaced = len(letters) > 1 and all(len(letter) == 1 for letter in letters)
    return ["".join(letters)] if is_spaced else words


def _simple(words: Iterable[str]) -> list[str]:
    """Return the words with compounds split and without repetitions: "stop-stop, STOP" is "stop"."""
    parts = chain.from_iterable(word.split("-") for word in words)
    return [word for word, _same in groupby(parts)]

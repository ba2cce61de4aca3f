"""Whether a reply opts its sender out of messages, or back in.

A reply opts out if its first word is one of OPENING, if one of its clauses is nothing but a phrase of OPENING or
CLAUSES, if the reply is nothing but one of the stop words, or if it has no words but one of SIGNS. It opts back in
only if it is nothing but one of the start words. FILLERS are ignored, except those that are part of the phrase itself.
So "Stop, thanks", "No. Stop." and "please do not send me any more" opt out, "bus stop" and "cancel my order" do not.

Texts are compared without case, punctuation, emoji, accents, invisible characters and held-down keys. In a word that
mixes alphabets, or letters and digits, a letter also matches those that look or sound like it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from enum import Enum
from functools import lru_cache
from itertools import chain, groupby, product
from typing import TypeAlias

from django_hyber.protocol.texts import consent_words

#: Opt-out requests are short. Of a longer text, only the beginning is read.
LONGEST = 500
LONGEST_PHRASE = 6
OPENING = tuple(dict.fromkeys(chain.from_iterable(consent_words.OPENING.values())))
CLAUSES = tuple(dict.fromkeys((*OPENING, *chain.from_iterable(consent_words.CLAUSES.values()))))
STOP_WORDS = tuple(
    dict.fromkeys(
        chain.from_iterable(
            (
                *consent_words.OPENING.values(),
                *consent_words.CLAUSES.values(),
                *consent_words.WHOLE.values(),
                consent_words.SIGNS,
            )
        )
    )
)
START_WORDS = tuple(dict.fromkeys(chain.from_iterable(consent_words.BACK.values())))
FILLERS = frozenset(chain.from_iterable(consent_words.FILLERS.values()))
IGNORED = FILLERS.union(*consent_words.REFUSALS.values())
WRITE_BACK = frozenset(chain.from_iterable(consent_words.WRITE_BACK.values()))
TO_WHOM = frozenset(chain.from_iterable(consent_words.TO_WHOM.values()))

_APOSTROPHES = re.compile("['\u2018\u2019\u02bc`´]")
_CLAUSE_END = re.compile(r"[.!?,;\n]+")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
#: A letter that is repeated for emphasis, or by a key that was held down.
_HELD = re.compile(r"(.)\1{2,}|(.)\2+\Z")
#: Digits behind a word: a code of the campaign, or the keys beside the letters.
_NUMBERED = re.compile(r"([^\W\d]{4,})[0-9]+\Z")
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


#: A normalized phrase as its words.
Phrase: TypeAlias = tuple[str, ...]


class Consent(Enum):
    """What a reply asks for."""

    OUT = "out"
    BACK = "back"


def read_consent(
    text: str, stop_words: Sequence[str] = STOP_WORDS, start_words: Sequence[str] = START_WORDS
) -> Consent | None:
    """Return whether a reply opts out, opts back in, or neither."""
    if _opts_out(text[:LONGEST], tuple(stop_words)):
        return Consent.OUT
    return Consent.BACK if _is_one_of(_words_of(text[:LONGEST]), _group(tuple(start_words)), FILLERS) else None


def is_start_word(text: str) -> bool:
    """Return whether a reply can match it: it has words."""
    return bool(_words_of(text))


def is_stop_word(text: str) -> bool:
    """Return whether a reply can match it: it has words, or is a sign such as "❌"."""
    return is_start_word(text) or _is_sign(text)


def _is_sign(text: str) -> bool:
    return unicodedata.category(text[:1] or " ") == "So"


def _opts_out(text: str, stop_words: tuple[str, ...]) -> bool:
    words = _words_of(text)
    if not words:
        return any(sign in text for sign in stop_words if _is_sign(sign))
    phrases = _normalize(stop_words)
    # "сто п" and "с.топ" are one word.
    joined = "".join(words)
    if joined.isalpha() and len(words) <= LONGEST_PHRASE and _is_among([joined], phrases & _normalize(OPENING)):
        return True
    if _is_among(words[:1], phrases & _normalize(OPENING)) or _is_one_of(words, _group(stop_words), IGNORED):
        return True
    clear = _group(stop_words, CLAUSES)
    return any(_is_one_of(_words_of(clause), clear, IGNORED) for clause in _CLAUSE_END.split(text))


def _is_one_of(words: Sequence[str], groups: Mapping[frozenset[str], Set[Phrase]], ignored: frozenset[str]) -> bool:
    whole = _simple(words)
    return any(
        _is_among([word for word in whole if word in kept or word not in ignored], phrases)
        for kept, phrases in groups.items()
    )


def _is_among(words: Sequence[str], phrases: Set[Phrase]) -> bool:
    if len(words) > LONGEST_PHRASE:
        return False
    spellings = [_spellings(word) for word in words]
    if any(map(_is_mixed, words)):
        return any(len(phrase) == len(words) and all(map(_is_like_one_of, spellings, phrase)) for phrase in phrases)
    return any(phrase in phrases for phrase in product(*spellings))


def _is_like_one_of(spellings: Sequence[str], wanted: str) -> bool:
    return any(
        len(given) == len(wanted)
        and all(one == other or one in _ALIKE.get(other, "") for one, other in zip(given, wanted, strict=True))
        for given in spellings
    )


@lru_cache(1000)
def _spellings(word: str) -> Sequence[str]:
    """Return the word as it is, without letters of keys that were held down, and without digits behind it."""
    return tuple(dict.fromkeys((word, _HELD.sub(r"\1\2", word), _NUMBERED.sub(r"\1", word))))


@lru_cache(1000)
def _is_mixed(word: str) -> bool:
    return sum(bool(kind.search(word)) for kind in (_LATIN, _CYRILLIC, _DIGIT)) > 1


@lru_cache
def _group(texts: tuple[str, ...], only: tuple[str, ...] | None = None) -> Mapping[frozenset[str], Set[Phrase]]:
    """Return the phrases, by the fillers that count in them. If ``only`` is given, they are among those as well."""
    groups: dict[frozenset[str], set[Phrase]] = {}
    for phrase in _normalize(texts) if only is None else _normalize(texts) & _normalize(only):
        counting = TO_WHOM if len(phrase) == 1 and phrase[0] in WRITE_BACK else IGNORED.intersection(phrase)
        groups.setdefault(counting, set()).add(phrase)
    return groups


@lru_cache
def _normalize(texts: tuple[str, ...]) -> Set[Phrase]:
    phrases = (tuple(_simple(_words_of(text))) for text in texts)
    return frozenset(phrase for phrase in phrases if phrase)


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

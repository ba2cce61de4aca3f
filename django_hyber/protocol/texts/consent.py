"""Whether a reply opts its sender out of messages, or back in.

A reply opts out if its first word is one of OPENING, if one of its clauses is nothing but a phrase of OPENING or
CLAUSES, if the reply is nothing but stop words beside NO_NEED, or if it has no words but one of SIGNS. It opts back in
only if it is nothing but one of the start words, and has neither a sign nor a question mark. FILLERS are ignored, and
EMPHASES too beside a clear request or a start word, except those that are part of the phrase itself. So "Stop, thanks",
"No. Stop." and "please do not send me any more" opt out, "bus stop", "cancel my order" and "yes, cancel" do not.

Texts are compared without case, punctuation, emoji, accents, invisible characters and held-down keys. For OPENING, and
in a word that mixes alphabets, or letters and digits, a letter also matches those that look or sound like it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from enum import Enum
from functools import cache, lru_cache
from itertools import chain, groupby, product
from typing import NamedTuple, TypeAlias

from django_hyber.protocol.texts import consent_words

#: Messengers have shorter texts. Of a longer one, only the beginning is read.
LONGEST = 10_000
LONGEST_PHRASE = 6
LEAST_SPACED = 4
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
EMPHASES = frozenset(chain.from_iterable(consent_words.EMPHASES.values()))
#: What may stand beside a clear request, and beside a start word.
BESIDE_CLEAR, BESIDE_BACK = IGNORED | EMPHASES, FILLERS | EMPHASES
NOW = frozenset(chain.from_iterable(consent_words.NOW.values()))
CONDITIONS = tuple(chain.from_iterable(consent_words.CONDITIONS.values()))
WRITE_BACK = frozenset(chain.from_iterable(consent_words.WRITE_BACK.values()))
TO_WHOM = frozenset(chain.from_iterable(consent_words.TO_WHOM.values()))
NO_NEED = tuple(chain.from_iterable(consent_words.NO_NEED.values()))
#: The negations that are written as one word with the next one by mistake.
GLUED = frozenset({"не", "ne", "nie"})
OTHER_MEANINGS = tuple(chain.from_iterable(consent_words.OTHER_MEANINGS.values()))

_APOSTROPHES = re.compile("['\u2018\u2019\u02bc`]")
_SENTENCE_END = r"[.!?;:…)\n\u2600-\u27bf\U0001f000-\U0001faff]+|\s[-–—]+\s"
#: A comma before a condition ends no clause: the sentence means something else without it.
_CONDITION = re.compile(rf",\s*(?=(?:{'|'.join(CONDITIONS)})\b)", re.IGNORECASE)
_CLAUSE_END = re.compile(rf"{_SENTENCE_END}|(?!{_CONDITION.pattern}),+", re.IGNORECASE)
#: A full stop in it ends no clause.
_LINK = re.compile(r"\b[\w.+-]{1,64}@\S*\w|https?://\S*\w|www\.\S*\w", re.IGNORECASE)
_ASKS = re.compile("[?？]")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
#: A letter that is repeated for emphasis, or by a key that was held down.
_HELD = re.compile(r"(.)\1{2,}|(.)\2\Z")
#: A letter that was typed twice. In English, the word may be another: "stoop".
_TWICE = re.compile("([\u0400-\u04ff])\\1+")
#: A word without a space between its repetitions: "stopstop".
_REPEATED = re.compile(r"\A(\w{4,}?)\1+\Z")
#: Digits behind a word: a code of the campaign, or the keys beside the letters.
_NUMBERED = re.compile(r"\A([^\W\d]{4,})[0-9]+\Z")
_LATIN, _CYRILLIC, _DIGIT = re.compile("[a-z]"), re.compile("[\u0400-\u04ff]"), re.compile("[0-9]")
#: Letters of other alphabets that look like Latin ones, Russian and Polish letters that many people write without their
#: marks, and white letters in black signs: 🅢, 🆂.
_SAME = str.maketrans("ѕјοτρσς\u2010ёąćęłńóśźż", "sjotpss-еacelnoszz") | {
    first + number: chr(ord("a") + number) for first in (0x1F150, 0x1F170) for number in range(26)
}
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
#: Phrases, each with the fillers that count in it, by what they are without fillers.
Index: TypeAlias = Mapping[Phrase, Sequence[tuple[Phrase, frozenset[str]]]]


class StopWords(NamedTuple):
    """The stop words of an account by where they count: at the beginning, as a clause, as the whole reply."""

    openings: Set[Phrase]
    clear: Index
    whole: Index
    signs: tuple[str, ...]


class Consent(Enum):
    """What a reply asks for."""

    OUT = "out"
    BACK = "back"


def read_consent(
    text: str, stop_words: Sequence[str] = STOP_WORDS, start_words: Sequence[str] = START_WORDS
) -> Consent | None:
    """Return whether a reply opts out, opts back in, or neither."""
    text, stops = text[:LONGEST], _sort(tuple(stop_words))
    if _opts_out(text, stops):
        return Consent.OUT
    if _ASKS.search(text) or any(sign in text for sign in (*consent_words.SIGNS, *stops.signs)):
        return None
    starts = _index(_normalize(tuple(start_words)), BESIDE_BACK)
    return Consent.BACK if _is_one_of(_words_of(text), starts, BESIDE_BACK) else None


def is_start_word(text: str) -> bool:
    """Return whether a reply can match it: it has words."""
    return bool(_words_of(text))


def is_stop_word(text: str) -> bool:
    """Return whether a reply can match it: it has words, or is a sign such as "❌"."""
    return is_start_word(text) or _is_sign(text)


def _is_sign(text: str) -> bool:
    return unicodedata.category(text[:1] or " ") == "So"


def _opts_out(text: str, stops: StopWords) -> bool:
    words = _words_of(text)
    if not words:
        return any(sign in text for sign in stops.signs)
    # "сто п" and "с.топ" are one word.
    joined = "".join(words)
    if joined.isalpha() and len(words) <= LONGEST_PHRASE and _is_among([joined], stops.openings):
        return True
    is_opened = not _has_other_meaning(words) and _is_among(words[:1], stops.openings, is_alike=True)
    if is_opened or _is_one_of(words, stops.whole, IGNORED):
        return True
    if _is_among(_without(IGNORED, _simple(words)), stops.openings, is_alike=True):
        return True
    written = dict.fromkeys(_CLAUSE_END.split(_LINK.sub(" ", text)))
    clauses = [_words_of(clause) for clause in written]
    if any(_is_clear(clause, stops) for clause in chain(clauses, _find_conditional(written))):
        return True
    rest = [clause for clause in clauses if not _is_one_of(clause, stops.whole, IGNORED)]
    return len(rest) < len(clauses) and all(map(_is_idle, rest))


def _find_conditional(clauses: Iterable[str]) -> Iterator[Sequence[str]]:
    """Yield what is asked under a condition: "Unsubscribe me, if you can". A negation is about the condition itself."""
    for clause in clauses:
        asked, *conditions = _CONDITION.split(clause)
        words = _words_of(asked)
        if conditions and not _is_negated(_without(IGNORED, words)):
            yield words


def _is_idle(clause: Sequence[str]) -> bool:
    """Return whether a clause asks for nothing: it has only FILLERS, or is one of NO_NEED."""
    has_words = bool(_without(IGNORED, clause))
    return not has_words or _is_one_of(clause, _index(_normalize(NO_NEED), IGNORED), IGNORED)


def _is_clear(clause: Sequence[str], stops: StopWords) -> bool:
    """Return whether a clause is nothing but a clear request, or several that are joined by a word such as "and"."""
    parts = [list(part) for is_joint, part in groupby(clause, consent_words.AND.__contains__) if not is_joint]
    return _is_request(clause, stops) or (bool(parts) and all(_is_request(part, stops) for part in parts))


def _is_request(clause: Sequence[str], stops: StopWords) -> bool:
    """Return whether a clause is nothing but a clear request, or but a stop word beside numbers: "1 стоп"."""
    if _is_one_of(clause, stops.clear, BESIDE_CLEAR):
        return True
    words = [word for word in _without(BESIDE_CLEAR, _simple(clause)) if not word.isdecimal()]
    return not _has_other_meaning(words) and _is_among(words, stops.openings, is_alike=True)


def _has_other_meaning(words: Sequence[str]) -> bool:
    return any(tuple(words[:length]) in _normalize(OTHER_MEANINGS) for length in (1, 2))


def _is_one_of(words: Sequence[str], index: Index, ignored: frozenset[str]) -> bool:
    whole = _simple(words)
    found = chain.from_iterable(index[core] for core in _find(_without(ignored, whole), index))
    return any(_is_among(_without(ignored - kept, whole), {phrase}) for phrase, kept in found)


def _without(ignored: frozenset[str], words: Iterable[str]) -> list[str]:
    return [word for word in words if word not in ignored]


def _is_among(words: Sequence[str], phrases: Set[Phrase], *, is_alike: bool = False) -> bool:
    return any(True for _phrase in _find(words, phrases, is_alike=is_alike))


def _find(words: Sequence[str], phrases: Collection[Phrase], *, is_alike: bool = False) -> Iterator[Phrase]:
    """Yield the phrases that the words are, in one of their spellings or in letters that look alike.

    A longer one than the built-in ones has too many spellings; it must be written as it is.
    """
    if len(words) > LONGEST_PHRASE:
        yield from filter(phrases.__contains__, [tuple(words)])
        return
    spellings = [_spellings(word) for word in words]
    if is_alike or any(map(_is_mixed, words)):
        for phrase in phrases:
            if len(phrase) == len(words) and all(map(_is_like_one_of, spellings, phrase)):
                yield phrase
    else:
        yield from (phrase for phrase in product(*spellings) if phrase in phrases)


def _is_like_one_of(spellings: Sequence[str], wanted: str) -> bool:
    return any(len(given) == len(wanted) and all(map(_is_like, given, wanted)) for given in spellings)


def _is_like(letter: str, wanted: str) -> bool:
    return letter == wanted or letter in _ALIKE.get(wanted, "")


@lru_cache(1000)
def _spellings(word: str) -> Sequence[str]:
    """Return the word as it is, without letters of keys that were held down, and without digits behind it."""
    shorter = (_HELD.sub(r"\1\2", word), *(kind.sub(r"\1", word) for kind in (_TWICE, _REPEATED, _NUMBERED)))
    return tuple(dict.fromkeys((word, *shorter)))


@lru_cache(1000)
def _is_mixed(word: str) -> bool:
    return sum(bool(kind.search(word)) for kind in (_LATIN, _CYRILLIC, _DIGIT)) > 1


@lru_cache
def _sort(stop_words: tuple[str, ...]) -> StopWords:
    phrases = _normalize(stop_words)
    return StopWords(
        openings=phrases & _normalize(OPENING),
        clear=_index(phrases & _normalize(CLAUSES), BESIDE_CLEAR),
        whole=_index(phrases, IGNORED),
        signs=tuple(filter(_is_sign, stop_words)),
    )


@lru_cache
def _index(phrases: frozenset[Phrase], ignored: frozenset[str]) -> Index:
    index: dict[Phrase, list[tuple[Phrase, frozenset[str]]]] = {}
    for phrase in phrases:
        index.setdefault(tuple(_without(ignored, phrase)), []).append((phrase, _kept(phrase, ignored)))
    return index


def _kept(phrase: Phrase, ignored: frozenset[str]) -> frozenset[str]:
    """Return the ignored words that count in a phrase."""
    if WRITE_BACK.intersection(phrase) and set(phrase) <= WRITE_BACK | EMPHASES:
        return TO_WHOM.union(phrase)
    return ignored.intersection(phrase).union(NOW if _is_negated(phrase) else ())


def _is_negated(words: Sequence[str]) -> bool:
    return bool(words) and words[0] in consent_words.NEGATIONS


@lru_cache
def _normalize(texts: tuple[str, ...]) -> frozenset[Phrase]:
    phrases = (tuple(_simple(_words_of(text))) for text in texts)
    return frozenset(phrase for phrase in phrases if phrase)


def _words_of(text: str) -> list[str]:
    """Return the normalized words, negations apart from their words. A compound such as "стоп-кадр" is one word."""
    apart = _negated_words()
    return [part for word in _plain_words(text) for part in apart.get(word, (word,))]


def _plain_words(text: str) -> list[str]:
    # NFKC makes the acute accent that stands for an apostrophe a space.
    visible = "".join(letter for letter in text.replace("´", "'") if unicodedata.category(letter) != "Cf")
    folded = unicodedata.normalize("NFKC", visible).casefold()
    plain = "".join(letter for letter in folded if unicodedata.category(letter) not in {"Mn", "Me"})
    words = _WORD.findall(_APOSTROPHES.sub("", plain.translate(_SAME)))
    letters = [part for word in words for part in word.split("-")]
    is_spaced = len(letters) > 1 and all(len(letter) == 1 for letter in letters)
    return ["".join(letters)] if is_spaced else list(_join_letters(words))


@cache
def _negated_words() -> Mapping[str, tuple[str, str]]:
    """Return the negations that many people write as one word, such as "непишіть", as the two words that they are."""
    phrases = filter(None, (_plain_words(text) for text in (*STOP_WORDS, *NO_NEED)))
    pairs = ((words[0], words[1]) for words in phrases if words[0] in GLUED and len(words) > 1)
    return {f"{negation}{word}": (negation, word) for negation, word in pairs}


def _join_letters(words: Iterable[str]) -> Iterator[str]:
    """Yield the words, and many single letters in a row as one: "S T O P please"."""
    for is_letter, run in groupby(words, lambda word: len(word) == 1):
        found = tuple(run)
        yield from ["".join(found)] if is_letter and len(found) >= LEAST_SPACED else found


def _simple(words: Iterable[str]) -> list[str]:
    """Return the words with compounds split and without repetitions: "stop-stop, STOP" is "stop"."""
    parts = chain.from_iterable(word.split("-") for word in words)
    return [word for word, _same in groupby(parts)]

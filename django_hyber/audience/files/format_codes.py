"""The codes of number formats, such as "#,##0.00" and "dd.mm.yyyy", taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

#: The formats that have numbers instead of codes (ECMA-376, part 1, 18.8.30). Excel shows 14 and 22 as the computer is
#: set; these codes are those of most of Europe.
BUILT_IN = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    14: "dd.mm.yyyy",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "dd.mm.yyyy hh:mm",
    37: "#,##0;(#,##0)",
    38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)",
    41: "#,##0;-#,##0;-",
    42: "#,##0;-#,##0;-",
    43: "#,##0.00;-#,##0.00;-",
    44: "#,##0.00;-#,##0.00;-",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
    49: "@",
}
#: Codes in the language of the program, which some programs write although the format wants English ones.
LOCAL_GENERAL = frozenset(("основной", "загальний", "стандартный", "стандартний", "standard", "ogólny"))
#: The letters of a day, month, year, hour and second in Ukrainian (minutes have a letter of their own), Russian, German
#: and Polish, the year first.
LOCAL_DATES: tuple[Mapping[str, str], ...] = (
    {"р": "y", "д": "d", "м": "m", "г": "h", "х": "m", "с": "s"},
    {"г": "y", "д": "d", "м": "m", "ч": "h", "с": "s"},
    {"j": "y", "t": "d", "m": "m", "h": "h", "s": "s"},
    {"r": "y", "d": "d", "m": "m", "g": "h", "s": "s"},
)
#: Those that every computer shows as it is set, and those of East Asia, which are dates.
SET_BY_COMPUTER = frozenset((14, 15, 16, 17, 22, 37, 38, 39, 40, 41, 42, 43, 44, *range(27, 37), *range(50, 59)))
EAST_ASIAN = frozenset((*range(27, 37), *range(50, 59)))
ENGLISH = frozenset(("409", "809"))
#: A day or month with more letters is written as a name.
LONGEST_NUMBER = len("mm")

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|(?P<space>_.)|(?P<fill>\*.)|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<general>General)|(?P<half>AM/PM|A/P)|(?P<exponent>E[+-])|(?P<date>y+|m+|d+|h+|s+)"
    r"|(?P<digit>[0#?])|(?P<mark>[.,%@/])|(?P<end>;)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_ELAPSED = re.compile(r"(h+|m+|s+)\Z", re.IGNORECASE)
_COLOR = re.compile(r"(?:black|blue|cyan|green|magenta|red|white|yellow|color ?\d+)\Z", re.IGNORECASE)
#: Placeholders that Python's own formatting fills: 0, 0.00, #,##0.00.
_SIMPLE = re.compile(r"(?:#,##)?0(?:\.0+)?\Z")
_POINT = ("mark", ".")
_COMMA = ("mark", ",")
_UNKNOWN_LETTERS = frozenset("bBgGeE")


class Token(NamedTuple):
    """A part of a code: ``kind`` is that of the pattern, "text" for all literal text, "elapsed" for durations."""

    kind: str
    text: str


#: Stands for the text of the cell.
PLACE_OF_TEXT = Token("mark", "@")
#: The section for texts is the fourth, or a last one with a place for it.
_WITH_TEXT = 4
_LITERAL_MARKS = frozenset(".,/")


@dataclass(frozen=True)
class Section:
    """The code for positive, negative or zero values. ``kind`` is "date", "number", "general" or "text"."""

    kind: str
    tokens: tuple[Token, ...]
    is_exact: bool = True

    @cached_property
    def layout(self) -> NumberLayout:
        """How a number is written by this section."""
        return _layout(self.tokens)


@dataclass(frozen=True)
class NumberLayout:
    """What the placeholders of a number mean. ``power`` moves the point, for percent and for thousands.

    ``simple`` is the part for Python's own formatting, if the placeholders stand side by side.
    """

    whole: tuple[Token, ...]
    fraction: tuple[Token, ...]
    step: Decimal
    power: int
    is_grouped: bool
    before: str = ""
    simple: str = ""
    after: str = ""


class UnknownCodeError(Exception):
    """The code has something that is not rendered."""


def in_english(code: str) -> str:
    """Return a code that is written in one of the languages above in English, and any other as it is."""
    lower = code.lower()
    if lower in LOCAL_GENERAL:
        return "General"
    letters = {char for char in lower if char.isalpha()}
    for names in LOCAL_DATES:
        year, *_others = names
        if letters <= names.keys() and 2 * year in lower:
            return "".join(names.get(char, char) for char in lower)
    return code


def parse_code(code: str) -> tuple[Section, ...]:
    """Return the sections for positive, negative and zero values. Raises UnknownCodeError."""
    sections, is_exact = _split(code)
    if len(sections) > 1 and PLACE_OF_TEXT in sections[-1]:
        # The last one is for texts.
        sections.pop()
    return tuple(_section(tokens, is_exact=is_exact) for tokens in sections[:3])


def parse_text_code(code: str) -> tuple[Token, ...] | None:
    """Return the section for texts, or None if there is none: they are shown as they are. Raises UnknownCodeError."""
    try:
        sections, _is_exact = _split(code)
    except UnknownCodeError:
        # What is not rendered may be in the sections for numbers.
        sections, _is_exact = _split(code.rpartition(";")[2])
    tokens = sections[-1]
    if PLACE_OF_TEXT not in tokens and len(sections) < _WITH_TEXT:
        return None
    tokens = [token for token in tokens if token.kind != "locale"]
    if any(token.kind != "text" and token != PLACE_OF_TEXT and token.text not in _LITERAL_MARKS for token in tokens):
        raise UnknownCodeError
    return tuple(tokens)


def _split(code: str) -> tuple[list[list[Token]], bool]:
    """Return the sections, and whether they are shown the same on every computer."""
    sections: list[list[Token]] = [[]]
    is_exact = True
    for found in _TOKEN.finditer(code):
        kind = found.lastgroup or ""
        text = found[kind]
        if kind == "end":
            sections.append([])
        elif kind == "bracket":
            token, is_shown = _read_bracket(text)
            is_exact = is_exact and is_shown
            sections[-1] += [token] if token else []
        elif kind == "space":
            sections[-1].append(Token("text", " "))
        elif kind in {"quoted", "escaped", "other"}:
            if kind == "other" and text in _UNKNOWN_LETTERS:
                raise UnknownCodeError
            sections[-1].append(Token("text", text))
        elif kind != "fill":
            sections[-1].append(Token(kind, text))
    return sections, is_exact


def _read_bracket(text: str) -> tuple[Token | None, bool]:
    """Return the token of a bracket, if it is shown, and whether it is shown the same on every computer."""
    if text.startswith("$"):
        symbol, _dash, place = text[1:].partition("-")
        if place.upper() in {"F800", "F400"}:
            return None, False
        return (Token("text", symbol) if symbol else Token("locale", place.upper())), True
    if _ELAPSED.match(text):
        return Token("elapsed", text.lower()), True
    if _COLOR.match(text):
        return None, True
    raise UnknownCodeError


def _section(tokens: Sequence[Token], *, is_exact: bool) -> Section:
    kinds = {token.kind for token in tokens}
    marks = {token.text for token in tokens if token.kind == "mark"}
    if kinds & {"date", "elapsed"}:
        has_names = any(
            token.kind == "date" and token.text[0] in "mMdD" and len(token.text) > LONGEST_NUMBER for token in tokens
        )
        is_english = any(token.kind == "locale" and token.text.lstrip("0") in ENGLISH for token in tokens)
        return Section("date", _with_minutes(tokens), is_exact and (not has_names or is_english))
    tokens = [token for token in tokens if token.kind != "locale"]
    if "general" in kinds:
        return Section("general", tuple(tokens), is_exact)
    if "digit" in kinds:
        if "/" in marks or "@" in marks:
            raise UnknownCodeError
        return Section("number", tuple(tokens), is_exact)
    return Section("text", tuple(tokens), is_exact)


def _with_minutes(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """Tell minutes from months: minutes follow hours or come before seconds."""
    parts = list(tokens)
    clock = [place for place, token in enumerate(parts) if token.kind in {"date", "elapsed"}]
    for order, place in enumerate(clock):
        text = parts[place].text.lower()
        if parts[place].kind != "date" or text not in {"m", "mm"}:
            continue
        before = parts[clock[order - 1]].text.lower() if order else ""
        after = parts[clock[order + 1]].text.lower() if order + 1 < len(clock) else ""
        if before.startswith("h") or after.startswith("s"):
            parts[place] = Token("minutes", text)
    return tuple(parts)


def _layout(tokens: tuple[Token, ...]) -> NumberLayout:
    first = next(place for place, token in enumerate(tokens) if token.kind == "digit")
    last = max(place for place, token in enumerate(tokens) if token.kind == "digit")
    point = next((place for place, token in enumerate(tokens) if token == _POINT), last + 1)
    commas = [place for place, token in enumerate(tokens) if token == _COMMA]
    scale = sum(min(last, point - 1) < place < point or place > last for place in commas)
    percents = sum(token == Token("mark", "%") for token in tokens)
    whole, fraction = tokens[:point], tokens[point:]
    digits = "".join(token.text for token in fraction if token.kind == "digit")
    layout = NumberLayout(
        whole,
        fraction,
        Decimal(1).scaleb(-len(digits)),
        2 * percents - 3 * scale,
        any(first < place < min(last + 1, point) for place in commas),
    )
    inner = "".join(token.text for token in tokens[first : last + 1])
    found = _SIMPLE.match(inner)
    if not found or scale:
        return layout
    before = "".join(token.text for token in tokens[:first])
    after = "".join(token.text for token in tokens[last + 1 :])
    return replace(layout, before=before, simple=",f" if layout.is_grouped else "f", after=after)

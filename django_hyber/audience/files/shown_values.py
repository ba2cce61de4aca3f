"""Values as a sheet shows them, by the codes of their formats: "0000" shows 42 as 0042, "+48 "@ adds a code to a text.

Covers what lists of people have: zeros, grouping, percent, money, literal text, dates, times and durations. Fractions,
conditions and calendars are not rendered; their values are shown plainly, and as inexact, and so is what depends on
the settings of the computer that shows the sheet. The marks of numbers are those of the reader's language, which is
most likely that of the computer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from itertools import pairwise
from typing import NamedTuple

from django.utils.formats import get_format

from django_hyber.audience.files.cells import ShownText, clean_value
from django_hyber.audience.files.format_codes import (
    BUILT_IN,
    EAST_ASIAN,
    LONGEST_NUMBER,
    PLACE_OF_TEXT,
    SET_BY_COMPUTER,
    Section,
    Token,
    UnknownCodeError,
    in_english,
    parse_code,
    parse_text_code,
)

#: Doubles hold 15 digits; Excel replaces the others by zeros.
MOST_DIGITS = 15
GENERAL_WIDTH = 10
#: Positive, negative, zero.
ALL_SECTIONS = 3
_INTEGER = re.compile(r"-?[0-9]{1,400}\Z")
#: Doubles have up to 309 digits before the point, and a format may show as many after it.
_EXACTLY = Context(prec=1_000)
LAST_DAY = 2_958_466
#: Excel takes 1900 for a leap year, so that days before March 1900 are counted differently.
FALSE_LEAP_DAY = 60
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  a cell has no zone
EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001
DAY_MS = 86_400_000
NOON = 12
_UNITS = {"h": 3_600_000, "m": 60_000, "s": 1000}


@dataclass(frozen=True)
class Marks:
    """What stands before the decimals, and between groups of three digits."""

    point: str = "."
    group: str = ","

    @classmethod
    def of_reader(cls) -> Marks:
        """Return those of the active language, with an ordinary space for one that must not break."""
        group = get_format("THOUSAND_SEPARATOR", use_l10n=True)
        return cls(get_format("DECIMAL_SEPARATOR", use_l10n=True), " " if group.isspace() else group)

    def put(self, number: str) -> str:
        """Put them into a number that is written as in "1,234.5"."""
        if self.point == ".":
            return number if self.group == "," else number.replace(",", self.group)
        whole, point, decimals = number.partition(".")
        return f"{whole.replace(',', self.group)}{self.point}{decimals}" if point else whole.replace(",", self.group)


class Shown(NamedTuple):
    """The text of a number, and whether the sheet shows exactly this."""

    text: str
    is_exact: bool


@dataclass(frozen=True)
class NumberFormat:
    """A format; without sections it is "General"."""

    sections: tuple[Section, ...] = ()
    is_exact: bool = True
    has_1904_dates: bool = False
    marks: Marks = Marks()

    def show(self, written: str) -> Shown:
        """Return a number as it is shown; ``written`` is what the file has, such as "42" or "3.8E+11"."""
        if not self.sections and _INTEGER.match(written):
            number = int(written)
            is_short = len(written.lstrip("-")) <= MOST_DIGITS
            return Shown(_with_raw(str(number), number), self.is_exact and is_short)
        try:
            value = float(written)
        except ValueError:
            return Shown(written, is_exact=False)
        if not math.isfinite(value):
            return Shown(written, is_exact=False)
        shown = self._show_value(value)
        if isinstance(shown.text, ShownText):
            return shown
        return Shown(_as_phone(shown.text, value), shown.is_exact)

    def _general(self, value: float) -> str:
        return self.marks.put(_general(value))

    def _show_value(self, value: float) -> Shown:
        if not self.sections:
            return Shown(self._general(value), self.is_exact)
        section, number = _choose_section(self.sections, value)
        is_exact = self.is_exact and section.is_exact
        if section.kind == "date":
            found = show_date(section, number, has_1904_dates=self.has_1904_dates)
            return Shown(found[0], is_exact and found[1]) if found else Shown(self._general(value), is_exact=False)
        if section.kind == "general":
            text = "".join(self._general(number) if token.kind == "general" else token.text for token in section.tokens)
        elif section.kind == "text":
            text = "".join(self._general(number) if token.text == "@" else token.text for token in section.tokens)
        else:
            text = _show_number(section, number, self.marks)
        is_negative = value < 0 and len(self.sections) == 1 and any(char in "123456789" for char in text)
        return Shown(f"-{text}" if is_negative else text.strip(), is_exact)


def find_format(written: str | int, *, has_1904_dates: bool) -> NumberFormat:
    """Return the format for a code, or for the number of a built-in one."""
    is_exact, marks = written not in SET_BY_COMPUTER, Marks.of_reader()
    known = {**BUILT_IN, **dict.fromkeys(EAST_ASIAN, BUILT_IN[14])}
    code = known.get(written, "") if isinstance(written, int) else in_english(written)
    if not code:
        return NumberFormat(is_exact=written in {0, ""}, marks=marks)
    try:
        sections = parse_code(code)
    except UnknownCodeError:
        return NumberFormat(is_exact=False, marks=marks)
    if len(sections) == 1 and sections[0].tokens == (Token("general", "General"),):
        return NumberFormat(is_exact=is_exact, marks=marks)
    return NumberFormat(sections, is_exact, has_1904_dates, marks)


def _choose_section(sections: Sequence[Section], value: float) -> tuple[Section, float]:
    if value < 0 and len(sections) > 1:
        return sections[1], -value
    if value == 0 and len(sections) == ALL_SECTIONS:
        return sections[2], value
    return sections[0], abs(value) if sections[0].kind != "date" else value


def _general(value: float) -> str:
    """Return a number as a cell without a format shows it: whole numbers to the last digit, others with ten digits."""
    if value.is_integer() and abs(value) < 10**GENERAL_WIDTH * 100_000:
        return str(int(value))
    if not 1e-9 < abs(value) < 1e15:  # noqa: PLR2004
        return f"{value:.10G}"
    width = len(str(int(abs(value))))
    return f"{value:.{max(0, GENERAL_WIDTH - width)}f}".rstrip("0").rstrip(".")


def _show_number(section: Section, value: float, marks: Marks) -> str:
    if any(token.kind == "exponent" for token in section.tokens):
        return marks.put(_show_exponent(section.tokens, value))
    layout = section.layout
    number = Decimal(repr(value))
    if layout.power:
        number = number.scaleb(layout.power)
    rounded = number.quantize(layout.step, ROUND_HALF_UP, _EXACTLY)
    if layout.simple:
        return f"{layout.before}{marks.put(f'{rounded:{layout.simple}}')}{layout.after}"
    whole, _point, fraction = f"{rounded:f}".partition(".")
    shown = _show_whole(layout.whole, whole.lstrip("0"), group=marks.group if layout.is_grouped else "")
    return shown + _show_fraction(layout.fraction, fraction, marks.point)


def _show_whole(tokens: Sequence[Token], digits: str, *, group: str) -> str:
    """Fill the digits in from the right; the first placeholder takes all that are left."""
    shown: list[str] = []
    left = [*digits]
    first = next((place for place, token in enumerate(tokens) if token.kind == "digit"), 0)
    count = 0
    for place, token in reversed([*enumerate(tokens)]):
        if token.kind != "digit":
            shown += [] if token.text == "," and token.kind == "mark" else [token.text]
            continue
        filler = {"0": "0", "?": " "}.get(token.text, "")
        taken = left[::-1] if place == first else left[-1:]
        for digit in taken or [filler]:
            shown.append(f"{digit}{group}" if digit and count and count % 3 == 0 else digit)
            count += 1
        left = left[:-1]
    return "".join(reversed(shown)) if any(token.kind == "digit" for token in tokens) else digits + "".join(shown)


def _show_fraction(tokens: Sequence[Token], digits: str, point: str) -> str:
    needed = 0
    places = [token.text for token in tokens if token.kind == "digit"]
    for count, place in enumerate(places, start=1):
        if place == "0" or digits[count - 1 : count] not in {"", "0"}:
            needed = max(needed, count if place == "0" or digits[count - 1 : count] != "0" else 0)
    shown = []
    used = 0
    for token in tokens:
        if token.kind == "digit":
            if used < needed:
                shown.append(digits[used])
            used += 1
        elif token != Token("mark", ","):
            shown.append(point if token is tokens[0] and token.text == "." else token.text)
    return "".join(shown)


def _show_exponent(tokens: Sequence[Token], value: float) -> str:
    place = next(place for place, token in enumerate(tokens) if token.kind == "exponent")
    mantissa = [token for token in tokens[:place] if token.kind in {"digit", "mark"}]
    point = next((index for index, token in enumerate(mantissa) if token.text == "."), len(mantissa))
    width = sum(token.kind == "digit" for token in tokens[place:])
    if point > 1:
        raise_to = point
        exponent = math.floor(math.log10(value) / raise_to) * raise_to if value else 0
    else:
        exponent = math.floor(math.log10(value)) if value else 0
    decimals = max(0, len(mantissa) - point - 1)
    number = Decimal(repr(value)).scaleb(-exponent)
    text = f"{number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, _EXACTLY):f}"
    sign = "-" if exponent < 0 else "+" if tokens[place].text.endswith("+") else ""
    return f"{text}E{sign}{abs(exponent):0{width}d}"


def _as_phone(text: str, value: float) -> str:
    """Return the text of a number. As a phone number counts the number itself, unless the format adds digits to it."""
    digits = "".join(char for char in text if char.isdigit())
    whole = str(int(value)) if value.is_integer() else ""
    if text.startswith("+") or (whole and digits != whole and digits.endswith(whole)):
        return text
    return _with_raw(text, int(value) if whole else value)


def _with_raw(text: str, raw: object) -> ShownText:
    shown = ShownText(text)
    shown.raw = raw
    return shown


@dataclass(frozen=True)
class TextFormat:
    """What is shown around a text, or in place of it. Without ``tokens``, that is not known."""

    tokens: Sequence[Token] | None = None

    def show(self, written: str) -> Shown:
        """Return a text as it is shown."""
        value = clean_value(written)
        if not value:
            return Shown(written, is_exact=True)
        if self.tokens is None:
            return Shown(written, is_exact=False)
        text = "".join(value if token == PLACE_OF_TEXT else token.text for token in self.tokens).strip()
        return Shown(text if self._changes_numbers else _with_raw(text, value), is_exact=True)

    @property
    def _changes_numbers(self) -> bool:
        """Whether digits or a plus are added, or the text itself is not shown."""
        added = "".join(token.text for token in self.tokens or () if token != PLACE_OF_TEXT)
        return PLACE_OF_TEXT not in (self.tokens or ()) or any(char == "+" or char.isdecimal() for char in added)


def find_text_format(written: str | int) -> TextFormat | None:
    """Return the format for a code, or None if it shows texts as they are, as all built-in ones do."""
    if isinstance(written, int) or not written:
        return None
    try:
        tokens = parse_text_code(written)
    except UnknownCodeError:
        return TextFormat()
    if tokens is None or "".join(token.text for token in tokens).strip() == PLACE_OF_TEXT.text:
        return None
    return TextFormat(tokens)


def to_serial(moment: datetime, *, has_1904_dates: bool) -> float:
    """Return the number by which Excel stores a date."""
    epoch = EPOCH_1904 if has_1904_dates else EPOCH
    return (moment.replace(tzinfo=None) - epoch) / timedelta(days=1)


def show_date(section: Section, serial: float, *, has_1904_dates: bool) -> tuple[ShownText, bool] | None:
    """Return a date as it is shown, and whether that is exact; None if there is no such date."""
    if not 0 <= serial < LAST_DAY:
        return None
    moment = round(serial * DAY_MS)
    if not any(token.text == "." and after.kind == "digit" for token, after in pairwise(section.tokens)):
        # Excel rounds to seconds, and cuts off the seconds that it does not show.
        moment = (moment + 500) // 1000 * 1000
    days = moment // DAY_MS
    has_false_leap_day = not has_1904_dates and days <= FALSE_LEAP_DAY
    epoch = EPOCH_1904 if has_1904_dates else EPOCH
    when = epoch + timedelta(days=days + (1 if has_false_leap_day else 0), milliseconds=moment % DAY_MS)
    has_day = any(token.kind == "date" and token.text[0] in "ymdYMD" for token in section.tokens)
    text = ShownText("".join(_show_tokens(section.tokens, when, moment)).strip())
    is_duration = any(token.kind == "elapsed" for token in section.tokens)
    text.raw = str(text) if is_duration else _raw(when, has_day=has_day, has_time=bool(moment % DAY_MS))
    is_day = not has_day or not has_false_leap_day or 0 < days < FALSE_LEAP_DAY
    return text, is_day


def _raw(when: datetime, *, has_day: bool, has_time: bool) -> date | time | datetime:
    if not has_day:
        return when.time()
    return when if has_time else when.date()


def _show_tokens(tokens: Sequence[Token], when: datetime, total_ms: int) -> list[str]:
    is_half_day = any(token.kind == "half" for token in tokens)
    fraction = f"{when.microsecond // 1000:03d}"
    shown: list[str] = []
    for token in tokens:
        text = token.text.lower()
        if token.kind == "elapsed":
            shown.append(f"{total_ms // _UNITS[text[0]]:0{len(text)}d}")
        elif token.kind == "minutes":
            shown.append(f"{when.minute:0{len(text)}d}")
        elif token.kind == "half":
            name = "am" if when.hour < NOON else "pm"
            shown.append(name.upper() if text == "am/pm" else name[0].upper())
        elif token.kind == "date":
            shown.append(_show_part(text, when, is_half_day=is_half_day))
        elif token.kind == "digit":
            shown.append(fraction[:1])
            fraction = fraction[1:]
        elif token.kind != "locale":
            shown.append(token.text)
    return shown


def _show_part(text: str, when: datetime, *, is_half_day: bool) -> str:
    count = len(text)
    if text[0] == "y":
        return f"{when.year:04d}" if count > LONGEST_NUMBER else f"{when.year % 100:02d}"
    if text[0] == "m":
        return _show_name(count, when.month, when.strftime("%B"))
    if text[0] == "d":
        return _show_name(count, when.day, when.strftime("%A"))
    if text[0] == "h":
        hour = (when.hour % NOON or NOON) if is_half_day else when.hour
        return f"{hour:0{min(count, LONGEST_NUMBER)}d}"
    return f"{when.second:0{min(count, LONGEST_NUMBER)}d}"


def _show_name(count: int, number: int, name: str) -> str:
    if count <= LONGEST_NUMBER:
        return f"{number:0{count}d}"
    return {3: name[:3], 5: name[:1]}.get(count, name)

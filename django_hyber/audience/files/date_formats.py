"""Dates, times and durations as a sheet shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from django_hyber.audience.files.file_type import ShownText
from django_hyber.audience.files.format_codes import LONGEST_NUMBER, Section, Token

LAST_DAY = 2_958_466
#: Excel takes 1900 for a leap year, so that days before March 1900 are counted differently.
FALSE_LEAP_DAY = 60
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  a cell has no zone
EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001
DAY_MS = 86_400_000
NOON = 12
_UNITS = {"h": 3_600_000, "m": 60_000, "s": 1000}


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

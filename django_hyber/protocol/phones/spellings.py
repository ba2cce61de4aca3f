"""The ways in which people and spreadsheets write a phone number, down to its digits with or without a plus."""

from __future__ import annotations

import re
from datetime import date, time
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import unquote

import phonenumbers

from django_hyber.protocol.channels.problems import gettext_noop

#: A phone number as code gives it.
GivenPhone: TypeAlias = str | int | phonenumbers.PhoneNumber
EMPTY = gettext_noop("The phone number is empty.")
LOSSY = gettext_noop(
    "A spreadsheet has shortened this number, so digits are lost. Format the column as text, then enter the numbers "
    "again."
)
DATE = gettext_noop(
    "A spreadsheet has converted this number to a date. Format the column as text, then enter the numbers again."
)
NO_PHONE = gettext_noop(
    "This looks like an IP address or an amount. If it is a phone number, write it with + or 0 at the beginning."
)
FORMULA_ERROR = gettext_noop("This is an error message of a spreadsheet, not a number. Correct the formula.")
SEVERAL = gettext_noop("There are several numbers here. Keep one, and put the others into separate rows.")
REMARK = gettext_noop("There is a remark beside the number. Keep only the number, and put the remark into a column.")
UNUSABLE = gettext_noop("A phone number consists of digits, spaces, dashes and brackets.")
INVALID = gettext_noop("This is not a valid phone number.")

_MAX_TEXT = 40
_MAX_EXACT_FLOAT = 2**53
# Numbers copied from a chat, a web page or an address book may contain invisible characters: soft hyphens, marks of
# the writing direction, joiners, and the selectors that turn a sign into an emoji.
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_LINK = re.compile(r"(?:tel|sms|smsto|callto):(?://)?([^?]*)(?:\?.*)?", re.IGNORECASE | re.DOTALL)
_PLUS = re.compile(r"\A(?:\(\s*\+\s*([0-9]+)\s*\)|\+\s+(?=[0-9(]))")
_TEXT_FORMULA = re.compile(r'=\s*"([^"]*)"')
# One point is that of a sum, such as "50123456.7", unless the number begins with 0 or whole groups stand beside it.
_DECIMAL = r"[1-9][0-9]*\.[0-9]{1,6}|[1-9][0-9]?\.[0-9]+|[1-9][0-9]{0,2}(?:\s[0-9]{3})+\.[0-9]{1,3}|[0-9]{7,}\.0+"
# Four groups between points are an address on the Internet, or a sum. Those of a number end in pairs, and only a group
# above 255 shows that it is no address as well.
_NO_BYTE = r"(?:25[6-9]|2[6-9][0-9]|[3-9][0-9]{2})"
_PAIRS_OF_NUMBER = rf"(?:{_NO_BYTE}\.[0-9]{{2,3}}|[0-9]{{2,3}}\.{_NO_BYTE})\.[0-9]{{2}}\.[0-9]{{2}}"
_QUAD = rf"(?!{_PAIRS_OF_NUMBER}\Z)[1-9][0-9]{{0,2}}(?:\.[0-9]{{1,3}}){{3}}"
_DATE = (
    r"(?:19|20)[0-9]{2}([-.])[01]?[0-9]\1[0-3]?[0-9](?:\s.*)?|[0-3]?[0-9]([-.])[01]?[0-9]\2(?:19|20)[0-9]{2}(?:\s.*)?"
)
_WRITTEN = re.compile(rf"(?!(?:{_DECIMAL}|{_QUAD}|{_DATE})\Z)\+?[0-9(][0-9\s().\u2010-\u2015\u2212-]*")
_SUM, _ADDRESS, _WRITTEN_DATE = re.compile(_DECIMAL), re.compile(_QUAD), re.compile(_DATE)
# A slash ends an area code. Between longer parts it may separate two numbers, and before a short one two endings.
_SLASH = re.compile(r"(\+?[0-9\s().-]+)/([0-9\s().-]+)")
_SCIENTIFIC = re.compile(r"([0-9])(?:[.,]([0-9]+))?[eE]\+?([0-9]{1,3})")
_WHOLE_FLOAT = re.compile(r"([0-9]{7,})[.,]0+")
_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3}){2,}(\.0+)?")
# In the language of the user: "#N/A", "#Н/Д", "#ІМ'Я?".
_SPREADSHEET_ERROR = re.compile(r"#[A-ZÀ-ÞА-ЯЁЄІЇҐ/0_'\u2019]+[!?]?|#+|Err:[0-9]{3}")
_REMARK = re.compile(r"\+?[0-9\s().-]+\([^0-9]+\)")
NOT_DIGITS = re.compile(r"[^0-9]")
# Address books put ":::" between the numbers of a person.
_SEPARATORS = (re.compile(r"[,;/|\n]|:::"), re.compile(r"\s"), re.compile(r"(?=\+)"))
# Fewer digits are not considered another number.
_MIN_OF_SEVERAL = 9
_MAX_AREA_CODE, _MAX_WITH_PREFIX, _MIN_AFTER_SLASH = 4, 8, 5


class InvalidPhone(ValueError):  # noqa: N818 - the names of this package say what happened
    """``reason`` is a short, translatable English text. It does not contain the number."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def to_text(raw: object) -> str:
    """Return a written number as digits and the marks between them. Raises InvalidPhone."""
    if isinstance(raw, str):
        # In a spreadsheet, a leading apostrophe marks a number as text.
        text = (raw if raw.isascii() else _INVISIBLE.sub("", raw)).strip().removeprefix("'")
        return text if _WRITTEN.fullmatch(text) and len(text) <= _MAX_TEXT else _check_text(_without_wrapping(text))
    if raw is None:
        raise InvalidPhone(EMPTY)
    if isinstance(raw, phonenumbers.PhoneNumber):
        return to_text(written_in_full(raw))
    return str(_to_whole_number(raw))


def written_in_full(number: phonenumbers.PhoneNumber) -> str:
    """Return a parsed number, as model fields have them, with its plus; what could not be parsed, as it was written."""
    if number.country_code is None:
        return number.raw_input or ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def has_several(text: str) -> bool:
    """Return whether there is more than one number in a text."""
    for separator in _SEPARATORS:
        numbers = [part for part in separator.split(text) if len(NOT_DIGITS.sub("", part)) >= _MIN_OF_SEVERAL]
        if len(numbers) > 1:
            return True
    return False


def _without_wrapping(text: str) -> str:
    """Return the number of a link, or of a formula that keeps a spreadsheet from converting it."""
    formula = _TEXT_FORMULA.fullmatch(text)
    if formula:
        return formula[1].strip()
    link = _LINK.fullmatch(text)
    return unquote(link[1]).strip() if link else text


def _check_text(text: str) -> str:
    if not text:
        raise InvalidPhone(EMPTY)
    if len(text) > _MAX_TEXT:
        raise InvalidPhone(SEVERAL if has_several(text) else INVALID)
    # A bracket or a space may stand beside the plus.
    text = _PLUS.sub(r"+\1", text)
    if _WRITTEN.fullmatch(text):
        return text
    if _GROUPED.fullmatch(text):
        return text.partition(".")[0]
    whole = _WHOLE_FLOAT.fullmatch(text)
    if whole:
        return whole[1]
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        return _expand(*scientific.groups(default=""))
    slash = _SLASH.fullmatch(text)
    if slash and _is_area_code(slash[1]) and len(NOT_DIGITS.sub("", slash[2])) >= _MIN_AFTER_SLASH:
        return text
    raise InvalidPhone(SEVERAL if slash else _explain_text(text))


def _is_area_code(text: str) -> bool:
    has_prefix = text.lstrip("(").startswith(("+", "0"))
    return len(NOT_DIGITS.sub("", text)) <= (_MAX_WITH_PREFIX if has_prefix else _MAX_AREA_CODE)


def _expand(first: str, rest: str, exponent: str) -> str:
    """Return a number in scientific notation in full. Digits that are not written may have been lost."""
    written, wanted = len(rest), int(exponent)
    if written < wanted:
        raise InvalidPhone(LOSSY)
    if written > wanted:
        raise InvalidPhone(INVALID)
    return first + rest


def _explain_text(text: str) -> str:
    if _SPREADSHEET_ERROR.fullmatch(text):
        return FORMULA_ERROR
    if _SUM.fullmatch(text):
        return INVALID
    if _ADDRESS.fullmatch(text):
        return NO_PHONE
    if _WRITTEN_DATE.fullmatch(text):
        return DATE
    if has_several(text):
        return SEVERAL
    return REMARK if _REMARK.fullmatch(text) else UNUSABLE


def _to_whole_number(raw: object) -> int:
    if isinstance(raw, (date, time)):
        raise InvalidPhone(DATE)
    if isinstance(raw, bool) or not isinstance(raw, (int, float, Decimal)):
        raise InvalidPhone(UNUSABLE)
    if isinstance(raw, Decimal) and not raw.is_finite():
        raise InvalidPhone(INVALID)
    if not 0 <= raw < _MAX_EXACT_FLOAT or raw != int(raw):
        raise InvalidPhone(INVALID)
    if isinstance(raw, Decimal) and int(raw.as_tuple().exponent) > 0:
        raise InvalidPhone(LOSSY)
    return int(raw)

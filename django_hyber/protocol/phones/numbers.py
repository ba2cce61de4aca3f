"""Conversion of phone numbers, as written by people and spreadsheets, to the digits that the platform accepts."""

from __future__ import annotations

import re
from datetime import date, time
from decimal import Decimal

import phonenumbers

from django_hyber.protocol.channels.problems import gettext_noop
from django_hyber.protocol.phones.plans import find_plan

EMPTY = gettext_noop("The phone number is empty.")
LOSSY = gettext_noop(
    "A spreadsheet has shortened this number, so digits are lost. Format the column as text, then enter the numbers "
    "again."
)
DATE = gettext_noop(
    "A spreadsheet has converted this number to a date. Format the column as text, then enter the numbers again."
)
FORMULA_ERROR = gettext_noop("This is an error message of a spreadsheet, not a number. Correct the formula.")
SEVERAL = gettext_noop("There are several numbers here. Keep one, and put the others into separate rows.")
UNUSABLE = gettext_noop("A phone number consists of digits, spaces, dashes and brackets.")
INVALID = gettext_noop("This is not a valid phone number.")
TOO_SHORT = gettext_noop("This is not a valid phone number: digits are missing.")
TOO_LONG = gettext_noop("This is not a valid phone number: it has too many digits.")

_MAX_TEXT = 40
_MAX_EXACT_FLOAT = 2**53
# Numbers copied from a chat or an address book may contain invisible characters.
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_WRITTEN = re.compile(r"\+?[0-9(][0-9\s().\u2010-\u2015\u2212-]*")
_NOT_DIGITS = re.compile(r"[^0-9]")
_SCIENTIFIC = re.compile(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+")
_WHOLE_FLOAT = re.compile(r"([0-9]{7,})[.,]0+")
_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3}){2,}(\.0+)?")
_SPREADSHEET_ERROR = re.compile(r"#[A-Z/0]+[!?]?|#+")
_SEPARATORS = (re.compile(r"[,;/|\n]"), re.compile(r"\s"))
# Fewer digits are not considered another number.
_MIN_OF_SEVERAL = 9
_INTERNATIONAL = range(10, 16)
_LENGTHS = {
    phonenumbers.ValidationResult.TOO_SHORT: TOO_SHORT,
    phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY: TOO_SHORT,
    phonenumbers.ValidationResult.TOO_LONG: TOO_LONG,
}


class InvalidPhone(ValueError):  # noqa: N818 - the names of this package say what happened
    """``reason`` is a short, translatable English text. It does not contain the number."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def normalize_phone(raw: object, region: str | None = "UA") -> str:
    """Return the digits of the number in international form, without ``+``.

    A number without ``+`` or ``00`` is read as a number of the region, or otherwise as an international one. With
    ``region=None``, it is only read as an international one. ``raw`` is text, or a number from a spreadsheet. Raises
    InvalidPhone.
    """
    text = raw if isinstance(raw, str) and raw.isdigit() and raw.isascii() else _to_text(raw)
    digits = _NOT_DIGITS.sub("", text)
    is_international = text.startswith("+")
    if digits.startswith("00") and not is_international:
        is_international, digits = True, digits[2:]
    plan = find_plan(region) if region else None
    quick = "" if plan is None else plan.read_international(digits) if is_international else plan.read(digits)
    if len(quick) in _INTERNATIONAL:
        return quick
    number = _parse(digits, region) if region and not is_international else ""
    if not number and len(digits) in _INTERNATIONAL:
        number = _parse(f"+{digits}", None)
    if not number:
        raise InvalidPhone(_explain_number(text, digits, None if is_international else region))
    return number


def _explain_number(text: str, digits: str, region: str | None) -> str:
    if _has_several(text):
        return SEVERAL
    plan = find_plan(region) if region else None
    # If digits are missing after the prefix, phonenumbers treats the prefix as part of the number.
    written = digits.removeprefix(plan.national_prefix) if plan else digits
    try:
        number = phonenumbers.parse(written if region else f"+{digits}", region)
    except phonenumbers.NumberParseException as error:
        return TOO_LONG if error.error_type == error.TOO_LONG else INVALID
    return _LENGTHS.get(phonenumbers.is_possible_number_with_reason(number), INVALID)


def _has_several(text: str) -> bool:
    for separator in _SEPARATORS:
        numbers = [part for part in separator.split(text) if len(_NOT_DIGITS.sub("", part)) >= _MIN_OF_SEVERAL]
        if len(numbers) > 1:
            return True
    return False


def _to_text(raw: object) -> str:
    if isinstance(raw, str):
        # In a spreadsheet, a leading apostrophe marks a number as text.
        return _check_text(_INVISIBLE.sub("", raw).strip().removeprefix("'"))
    if raw is None:
        raise InvalidPhone(EMPTY)
    return str(_to_whole_number(raw))


def _check_text(text: str) -> str:
    if not text:
        raise InvalidPhone(EMPTY)
    if len(text) > _MAX_TEXT:
        raise InvalidPhone(SEVERAL if _has_several(text) else INVALID)
    if _WRITTEN.fullmatch(text):
        whole = _WHOLE_FLOAT.fullmatch(text)
        return whole[1] if whole else text
    if _GROUPED.fullmatch(text):
        return text.partition(".")[0].replace(",", "")
    whole = _WHOLE_FLOAT.fullmatch(text)
    if whole:
        return whole[1]
    raise InvalidPhone(_explain_text(text))


def _explain_text(text: str) -> str:
    if _SCIENTIFIC.fullmatch(text):
        return LOSSY
    if _SPREADSHEET_ERROR.fullmatch(text):
        return FORMULA_ERROR
    return SEVERAL if _has_several(text) else UNUSABLE


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


def _parse(text: str, region: str | None) -> str:
    """Return the international digits of a valid number, or an empty string."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    digits = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
    return digits if len(digits) in _INTERNATIONAL else ""

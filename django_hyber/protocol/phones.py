"""Phone numbers as people and spreadsheets write them, to the digits that the platform takes."""

from __future__ import annotations

import re
from decimal import Decimal

import phonenumbers

from django_hyber.protocol.problems import gettext_noop

EMPTY = gettext_noop("The phone number is empty.")
LOSSY = gettext_noop("A spreadsheet has shortened this number, so digits are lost. Format the column as text.")
UNUSABLE = gettext_noop("A phone number consists of digits, spaces, dashes and brackets.")
INVALID = gettext_noop("This is not a valid phone number.")

_MAX_TEXT = 40
_MAX_EXACT_FLOAT = 2**53
# Invisible marks come along when a number is copied from a chat or an address book.
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_WRITTEN = re.compile(r"\+?[0-9(][0-9\s().\u2010-\u2015\u2212-]*")
_NOT_DIGITS = re.compile(r"[^0-9]")
_SCIENTIFIC = re.compile(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+")
_WHOLE_FLOAT = re.compile(r"([0-9]{7,})[.,]0+")
_INTERNATIONAL = range(10, 16)


class InvalidPhone(ValueError):  # noqa: N818 - the names of this package say what happened
    """``reason`` is a short English text for translation, without the number itself."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def normalize_phone(raw: object, region: str | None = "UA") -> str:
    """Return the digits of the number in international form, without ``+``.

    A number without ``+`` or ``00`` is tried as a number of the region first, then as an international one; with
    ``region=None`` only as an international one. Takes text, and the numbers that a spreadsheet makes of phones.
    Raises InvalidPhone.
    """
    text = _to_text(raw)
    digits = _NOT_DIGITS.sub("", text)
    is_international = text.startswith("+")
    if digits.startswith("00") and not is_international:
        is_international, digits = True, digits[2:]
    if region and not is_international:
        number = _parse(digits, region)
        if number:
            return number
    number = _parse(f"+{digits}", None) if len(digits) in _INTERNATIONAL else ""
    if not number:
        raise InvalidPhone(INVALID)
    return number


def _to_text(raw: object) -> str:
    if isinstance(raw, str):
        return _check_text(_INVISIBLE.sub("", raw).strip())
    if raw is None:
        raise InvalidPhone(EMPTY)
    return str(_to_whole_number(raw))


def _check_text(text: str) -> str:
    if not text:
        raise InvalidPhone(EMPTY)
    if len(text) > _MAX_TEXT:
        raise InvalidPhone(INVALID)
    if _SCIENTIFIC.fullmatch(text):
        raise InvalidPhone(LOSSY)
    whole = _WHOLE_FLOAT.fullmatch(text)
    if whole:
        return whole[1]
    if not _WRITTEN.fullmatch(text):
        raise InvalidPhone(UNUSABLE)
    return text


def _to_whole_number(raw: object) -> int:
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

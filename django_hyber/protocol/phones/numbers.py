"""Parsing of phone numbers, as written by people and spreadsheets, to the digits that the platform accepts.

It is never guessed who is meant. A number that lost a digit, or has a wrong one, is often valid in another country, so
with a home region a number of another country has to be written as one: with ``+`` or the exit code. This also holds
for countries that share a calling code, such as the United States and Canada.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import phonenumbers

from django_hyber.protocol.channels.problems import gettext_noop
from django_hyber.protocol.phones.plans import find_code, find_plan, read_international
from django_hyber.protocol.phones.spellings import INVALID, NOT_DIGITS, SEVERAL, InvalidPhone, has_several, to_text
from django_hyber.protocol.phones.types import REACHABLE, NumberType, PhoneNumber

TOO_SHORT = gettext_noop("This is not a valid phone number: digits are missing.")
TOO_LONG = gettext_noop("This is not a valid phone number: it has too many digits.")
FOREIGN = gettext_noop(
    "This is not a number of the home country. If it is one of another country, write it with + and the country code; "
    "otherwise correct it."
)

SAME_CODE = gettext_noop(
    "This is a number of another country with the same country code. If it is meant, write it with + and the country "
    "code; otherwise correct it."
)

_MAX_DIGITS = 15
_EXIT_CODE = "00"
#: How numbers were dialled in a region before its numbering plan was changed; people still write them like this.
_OLD_PREFIXES = {"UA": "8"}
_LENGTHS = {
    phonenumbers.ValidationResult.TOO_SHORT: TOO_SHORT,
    phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY: TOO_SHORT,
    phonenumbers.ValidationResult.TOO_LONG: TOO_LONG,
}
_BY_EXIT_CODE = phonenumbers.CountryCodeSource.FROM_NUMBER_WITH_IDD


def normalize_phone(raw: object, region: str | None = "UA", *, foreign: bool = False) -> str:
    """Return the digits of the number in international form, without ``+``.

    A number without ``+`` or the exit code (``00``) is read as a number of the region. With ``foreign``, it is read as
    one of another country with the same calling code, or as an international one, if it is none of the region. With
    ``region=None``, it is always international. ``raw`` is text, or a number from a spreadsheet. Raises InvalidPhone.
    """
    return parse_phone(raw, region, foreign=foreign).digits


def parse_phone(raw: object, region: str | None = "UA", *, foreign: bool = False) -> PhoneNumber:
    """Return the number with its country and type. The parameters are those of ``normalize_phone``."""
    text = raw if isinstance(raw, str) and raw.isdigit() and raw.isascii() else to_text(raw)
    digits = NOT_DIGITS.sub("", text)
    if text.startswith("+"):
        number = _read_after_plus(digits, region)
    elif digits.startswith(_EXIT_CODE):
        number = _read_after(_EXIT_CODE, digits, region)
    else:
        number = _read_dialled(digits, region, foreign=foreign) if region else _read_international(digits)
    if number is None:
        is_national = region and not text.startswith("+") and not digits.startswith(_EXIT_CODE)
        raise InvalidPhone(_explain(text, digits, region if is_national else None))
    return number


def describe_phone(digits: str) -> PhoneNumber:
    """Return the country and the type of a number in international form.

    Digits that no numbering plan has are of an unknown type, in the country of their calling code.
    """
    number = _read_international(digits)
    if number:
        return number
    plan = find_code(digits)
    return PhoneNumber(digits, plan.countries[0].name if plan else phonenumbers.UNKNOWN_REGION, NumberType.UNKNOWN)


def _read_after_plus(digits: str, region: str | None) -> PhoneNumber | None:
    plan = find_plan(region) if region else None
    number = plan.read_international(digits) if plan else None
    if number:
        return number
    number, home_code = _read_international(digits), _code_of(region)
    if number and home_code and not digits.startswith(home_code) and _is_near(home_code, digits):
        return number._replace(is_sure=False)
    return number


def _read_dialled(digits: str, region: str, *, foreign: bool) -> PhoneNumber | None:
    """Read a number without plus and ``00`` as dialled in the region. Raises InvalidPhone for a foreign one."""
    home = _read_home(digits, region)
    if home and not foreign and not _is_of(home, region):
        raise InvalidPhone(SAME_CODE)
    number = home or _read_after_own_exit_code(digits, region)
    if number:
        return _without_plus(number, digits, region)
    abroad = _read_international(digits)
    if abroad and not foreign:
        raise InvalidPhone(FOREIGN)
    return abroad


def _is_of(number: PhoneNumber, region: str) -> bool:
    """Return whether it is a number of the region, perhaps of others too, as a mobile one of Norway and Svalbard."""
    if number.country == region:
        return True
    found = _parse(f"+{number.digits}", None)
    return found is not None and phonenumbers.is_valid_number_for_region(found, region)


def _without_plus(number: PhoneNumber, digits: str, region: str) -> PhoneNumber:
    """Return the other number that the digits can mean, if only that can be reached.

    Where numbers may be long, a mobile number in international form without its plus is also valid as a landline that
    has lost its national prefix: 49 151 23456789 as 04915 123456789. Nobody has landlines of that length.
    """
    if number.type in REACHABLE or not digits.startswith(_code_of(region)):
        return number
    other = _read_international(digits)
    return other if other and other.type in REACHABLE and other.country == number.country else number


def _read_home(digits: str, region: str) -> PhoneNumber | None:
    plan = find_plan(region)
    return (plan.read(digits) if plan else None) or _read_home_slowly(digits, region)


def _read_home_slowly(digits: str, region: str) -> PhoneNumber | None:
    plan = find_plan(region)
    found = _parse(digits, region)
    if found and found.country_code_source != _BY_EXIT_CODE:
        return _describe(found)
    old_prefix = _OLD_PREFIXES.get(region)
    # The digit before the area code is the present prefix, so that no other number is meant.
    if plan and old_prefix and digits.startswith(old_prefix + plan.national_prefix):
        return plan.read(digits[len(old_prefix) :])
    return None


def _read_after_own_exit_code(digits: str, region: str) -> PhoneNumber | None:
    """Read a number that begins with an exit code other than ``00``, as 011 in the United States."""
    found = _parse(digits, region)
    number = _describe(found) if found else None
    if number is None:
        return None
    return _read_after(digits.removesuffix(number.digits), digits, region)


def _read_after(exit_code: str, digits: str, region: str | None) -> PhoneNumber | None:
    abroad = digits[len(exit_code) :]
    number = _read_international(abroad)
    if number is None or region is None:
        return number
    home_code = _code_of(region)
    if abroad.startswith(home_code):
        return number
    is_near = _is_near(home_code, abroad) or any(
        _read_home(other, region) for other in _variants(digits, len(exit_code)) if not other.startswith(exit_code)
    )
    return number._replace(is_sure=not is_near)


@cache
def _code_of(region: str | None) -> str:
    return str(phonenumbers.country_code_for_region(region)) if region else ""


def _is_near(code: str, digits: str) -> bool:
    """Whether international digits would be a number with this calling code, but for one digit or two swapped ones."""
    others = [_without(digits, place) for place in range(len(code) + 1)]
    longer = any(other.startswith(code) and _read_international(other) for other in others)
    return longer or _lacks_one_of(code, digits) or _has_swapped(code, digits)


def _has_swapped(code: str, digits: str) -> bool:
    """Whether it is a mobile number with this calling code, two neighbouring digits of which are swapped."""
    for place in range(len(code)):
        other = digits[:place] + digits[place : place + 2][::-1] + digits[place + 2 :]
        number = _read_international(other) if other.startswith(code) else None
        if number and number.type in REACHABLE:
            return True
    return False


def _lacks_one_of(code: str, digits: str) -> bool:
    is_begun = any(digits.startswith(_without(code, place)) for place in range(len(code)))
    return is_begun and _read_international(code + digits[len(code) - 1 :]) is not None


def _variants(digits: str, most: int) -> Iterator[str]:
    """Yield the digits with one more or one less among the first ones."""
    for place in range(most + 1):
        yield _without(digits, place)
        for digit in "0123456789":
            yield digits[:place] + digit + digits[place:]


def _without(digits: str, place: int) -> str:
    return digits[:place] + digits[place + 1 :]


def _read_international(digits: str) -> PhoneNumber | None:
    number = read_international(digits)
    if number:
        return number
    found = _parse(f"+{digits}", None)
    return _describe(found) if found else None


def _parse(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """Return a valid number as ``phonenumbers`` reads it."""
    try:
        number = phonenumbers.parse(text, region, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _describe(number: phonenumbers.PhoneNumber) -> PhoneNumber | None:
    digits = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
    if len(digits) > _MAX_DIGITS:
        return None
    name = phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(number)).lower()
    return PhoneNumber(
        digits, phonenumbers.region_code_for_number(number) or phonenumbers.UNKNOWN_REGION, NumberType(name)
    )


def _explain(text: str, digits: str, region: str | None) -> str:
    if has_several(text):
        return SEVERAL
    if region and _lacks_one_of(_code_of(region), digits):
        return TOO_SHORT
    plan = find_plan(region) if region else None
    # If digits are missing after the prefix, phonenumbers treats the prefix as part of the number.
    written = digits.removeprefix(plan.national_prefix) if plan else digits
    try:
        number = phonenumbers.parse(written if region else f"+{digits.removeprefix(_EXIT_CODE)}", region)
    except phonenumbers.NumberParseException as error:
        return TOO_LONG if error.error_type == error.TOO_LONG else INVALID
    return _LENGTHS.get(phonenumbers.is_possible_number_with_reason(number), INVALID)

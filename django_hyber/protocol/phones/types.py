"""The types of phone numbers, and a parsed number."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class NumberType(StrEnum):
    """The type of a phone number by the numbering plan of its country.

    In some countries, as in the United States, mobile phones and landlines have the same numbers: they are
    ``fixed_line_or_mobile``. ``unknown`` is for digits that no numbering plan has.
    """

    MOBILE = "mobile"
    FIXED_LINE_OR_MOBILE = "fixed_line_or_mobile"
    VOIP = "voip"
    PERSONAL_NUMBER = "personal_number"
    FIXED_LINE = "fixed_line"
    TOLL_FREE = "toll_free"
    PREMIUM_RATE = "premium_rate"
    SHARED_COST = "shared_cost"
    PAGER = "pager"
    UAN = "uan"
    VOICEMAIL = "voicemail"
    UNKNOWN = "unknown"


#: Numbers that can receive Viber messages and SMS. ``voip`` and ``personal_number`` belong to mobile phones in some
#: countries. Nobody can read a message at any of the others, and some cost a lot.
REACHABLE = frozenset({NumberType.MOBILE, NumberType.FIXED_LINE_OR_MOBILE, NumberType.VOIP, NumberType.PERSONAL_NUMBER})


class PhoneNumber(NamedTuple):
    """A valid phone number: its international digits without ``+``, its country (ISO code) and its type.

    ``001`` is the country of numbers that belong to none. ``is_sure`` is False for a number of another country that
    would be one of the home country with a single digit more or less, or with two neighbouring digits swapped.
    """

    digits: str
    country: str
    type: NumberType
    is_sure: bool = True

"""The policy of an account: the countries and the types of numbers that it sends to.

Imports, ``send_message`` and the workers that send go by it. It may have become stricter since a message was stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.utils.translation import gettext_noop

from django_hyber.conf import Account
from django_hyber.protocol import REACHABLE, NumberType, PhoneNumber, describe_phone

COUNTRY_OFF = gettext_noop("The account does not send to numbers of this country (ALLOWED_COUNTRIES).")
#: Why a number of a type gets nothing.
TYPE_OFF: Mapping[NumberType, str] = MappingProxyType(
    {
        NumberType.MOBILE: gettext_noop("This is a mobile number, and these are switched off."),
        NumberType.FIXED_LINE_OR_MOBILE: gettext_noop(
            "This is a mobile number or a landline, and these are switched off."
        ),
        NumberType.VOIP: gettext_noop("This is a number of internet telephony, and these are switched off."),
        NumberType.PERSONAL_NUMBER: gettext_noop("This is a personal number, and these are switched off."),
        NumberType.FIXED_LINE: gettext_noop("This is a landline, and landlines are switched off."),
        NumberType.TOLL_FREE: gettext_noop("This is a toll-free number, and these are switched off."),
        NumberType.PREMIUM_RATE: gettext_noop("This is a premium-rate number, and these are switched off."),
        NumberType.SHARED_COST: gettext_noop("This is a shared-cost number, and these are switched off."),
        NumberType.PAGER: gettext_noop("This is the number of a pager, and these are switched off."),
        NumberType.UAN: gettext_noop("This is the number of a company, and these are switched off."),
        NumberType.VOICEMAIL: gettext_noop("This is the number of a voicemail box, and these are switched off."),
        NumberType.UNKNOWN: gettext_noop("This number is of an unknown type, and these are switched off."),
    }
)
#: The types that an import can switch on: nobody is reached there by default.
OPTIONAL_TYPES = tuple(item for item in NumberType if item not in REACHABLE and item is not NumberType.UNKNOWN)
# Numbering plans change: a stored number may be of a type that is not known yet.
_DEFAULT_TYPES = REACHABLE | {NumberType.UNKNOWN}


@dataclass(frozen=True, kw_only=True)
class NumberPolicy:
    """The allowed countries, or None for all, and the allowed types of numbers."""

    countries: frozenset[str] | None
    types: frozenset[NumberType]

    def refusal(self, number: PhoneNumber) -> str:
        """Return why the account does not send to a number, in English for translation, or an empty string."""
        if self.countries is not None and number.country not in self.countries:
            return COUNTRY_OFF
        return "" if number.type in self.types else TYPE_OFF[number.type]

    def refusal_of(self, digits: str) -> str:
        """Return the refusal of a stored number."""
        return self.refusal(describe_phone(digits))


def policy_of(account: Account, more_types: Iterable[str] = ()) -> NumberPolicy:
    """Return the policy of an account.

    ``more_types`` are those that the imports of a campaign have switched on. They count only if the account does not
    say which types it allows.
    """
    types = account.allowed_number_types
    if types is None:
        types = _DEFAULT_TYPES.union(map(NumberType, more_types))
    return NumberPolicy(countries=account.allowed_countries, types=types)

"""The numbers that an account sends to: by country and type, and by ALLOWED_NUMBERS while a project is developed.

Imports, ``send_message`` and the workers that send go by the countries and types; ALLOWED_NUMBERS and opt-outs count
only when a message is sent. The settings may have become stricter since a message was stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from django.db.models import Q
from django.utils.translation import gettext_noop

from django_hyber.conf import Account
from django_hyber.models import Message, Suppression
from django_hyber.protocol import REACHABLE, NumberType, PhoneNumber, describe_phone

OPTED_OUT = gettext_noop("The recipient has opted out.")
COUNTRY_OFF = gettext_noop("The account does not send to numbers of this country (ALLOWED_COUNTRIES).")
NOT_ALLOWED = gettext_noop("The number is not in ALLOWED_NUMBERS of the account.")
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


def stored_policy(account: Account, more_types: Iterable[str]) -> NumberPolicy | None:
    """Return the policy for numbers that have been imported, or None if the settings restrict nothing."""
    if account.allowed_countries is None and account.allowed_number_types is None:
        return None
    return policy_of(account, more_types)


def is_allowed(account: Account, phone_number: str) -> bool:
    """Return whether the account may send to this number."""
    if account.allowed_numbers is None:
        return True
    numbers, prefixes = _split(account.allowed_numbers)
    return phone_number in numbers or phone_number.startswith(tuple(prefixes))


def not_allowed(account: Account) -> Q | None:
    """Return the condition for messages to numbers that the account may not send to, or None if it has no list."""
    if account.allowed_numbers is None:
        return None
    numbers, prefixes = _split(account.allowed_numbers)
    allowed = Q(phone_number__in=numbers)
    for prefix in prefixes:
        allowed |= Q(phone_number__startswith=prefix)
    return ~allowed


def reason_to_skip(account: Account, message: Message) -> str:
    """Return why the recipient must not get the message, or "", in English for translation."""
    campaign, phone = message.campaign, message.phone_number or ""
    if has_opted_out(account, message):
        return OPTED_OUT
    if not is_allowed(account, phone):
        return NOT_ALLOWED
    policy = stored_policy(account, campaign.number_types) if campaign else policy_of(account)
    return policy.refusal_of(phone) if policy else ""


def has_opted_out(account: Account, message: Message) -> bool:
    """Return whether the opt-out of the recipient counts: SUPPRESS_TRANSACTIONAL extends it to single messages."""
    if message.campaign_id is None and not account.suppress_transactional:
        return False
    return Suppression.objects.filter(phone_number=message.phone_number or "").exists()


def _split(allowed: Sequence[str]) -> tuple[list[str], list[str]]:
    numbers = [item for item in allowed if not item.endswith("*")]
    return numbers, [item.removesuffix("*") for item in allowed if item.endswith("*")]

"""Which numbers of a source an import takes, and why it leaves out the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext_noop
from phonenumbers import SUPPORTED_REGIONS

from django_hyber.conf import Account
from django_hyber.number_policy import COUNTRY_OFF, TYPE_OFF, policy_of
from django_hyber.protocol import NumberType, PhoneNumber
from django_hyber.protocol.phones.numbers import FOREIGN, SAME_CODE

NEAR_HOME = gettext_noop(
    "This may be a number of the home country with a digit missing, too many or swapped. Correct it, or switch on the "
    "doubtful numbers of other countries."
)
ELSEWHERE = gettext_noop(
    "Another column of this row names another country. Write the number with + and the country code, or switch on the "
    "doubtful numbers of other countries: it is then read as a number of that country."
)
OTHER_COUNTRY = gettext_noop("This is a number of another country, and these are switched off.")
#: "001" is the country of numbers that belong to none.
COUNTRIES = frozenset({*SUPPORTED_REGIONS, "001"})
#: The kinds of numbers that are left out, besides the types: doubtful numbers of other countries, and countries.
DOUBTFUL, COUNTRY = "foreign", "country"
_KINDS: Mapping[str, str] = {
    FOREIGN: DOUBTFUL,
    NEAR_HOME: DOUBTFUL,
    ELSEWHERE: DOUBTFUL,
    SAME_CODE: DOUBTFUL,
    COUNTRY_OFF: COUNTRY,
    OTHER_COUNTRY: COUNTRY,
    **{reason: kind.value for kind, reason in TYPE_OFF.items()},
}


@dataclass(frozen=True, kw_only=True)
class NumberChoice:
    """Which numbers an import takes; the fields are named as the parameters of import_recipients.

    ``foreign`` takes what can only be read as a number of another country though it is not written as one, and what is
    written as one but is a number of the home country with a digit missing, too many or swapped; a number that is not
    written in full is read by the country that another column names. ``number_types`` are taken besides those that can
    be reached. ``countries`` restricts the import to some countries.
    """

    foreign: bool = False
    number_types: tuple[str, ...] = ()
    countries: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        unknown = sorted({*self.number_types} - {*NumberType})
        if unknown:
            raise ValueError(
                f"These are no types of numbers: {', '.join(unknown)}. There are: {', '.join(NumberType)}."
            )
        strange = sorted({country.upper() for country in self.countries or ()} - COUNTRIES)
        if strange:
            raise ValueError(f"These are no countries: {', '.join(strange)}. Use their two letters, as in UA and PL.")

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> NumberChoice:
        """Return the choice among the parameters of an import."""
        countries = parameters.get("countries")
        return cls(
            foreign=bool(parameters.get("foreign")),
            number_types=tuple(parameters.get("number_types") or ()),
            countries=None if countries is None else tuple(countries),
        )

    def as_parameters(self) -> dict[str, Any]:
        """Return the choice as parameters of an import."""
        return asdict(self)


class ChosenNumbers:
    """The choice of an import under the policy of an account, which it cannot widen."""

    def __init__(self, choice: NumberChoice, account: Account) -> None:
        self._takes_doubtful = choice.foreign
        self._countries = None if choice.countries is None else {country.upper() for country in choice.countries}
        self._policy = policy_of(account, choice.number_types)

    def refusal(self, number: PhoneNumber) -> str:
        """Return why a number is left out, in English for translation, or an empty string."""
        if not number.is_sure and not self._takes_doubtful:
            return NEAR_HOME
        refusal = self._policy.refusal(number)
        if not refusal and self._countries is not None and number.country not in self._countries:
            return OTHER_COUNTRY
        return refusal


#: Why a number is doubtful.
DOUBTS = frozenset(reason for reason, kind in _KINDS.items() if kind == DOUBTFUL)


def count_left_out(reasons: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return how many rows were left out for the kind of their number, by kind."""
    found: dict[str, int] = {}
    for reason, count in reasons:
        kind = _KINDS.get(reason)
        if kind:
            found[kind] = found.get(kind, 0) + count
    return found

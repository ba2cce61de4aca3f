"""The number of each row of an import: how it is read, the doubts that other columns raise, and why it is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from django.utils.translation import gettext_noop
from phonenumbers import SUPPORTED_REGIONS

from django_hyber.audience.columns import ColumnRules, Columns
from django_hyber.audience.countries import country_columns, other_country
from django_hyber.audience.files.cells import ShownText
from django_hyber.audience.files.headers import is_doubtful, phone_columns
from django_hyber.conf import Account
from django_hyber.policies.allowed_numbers import COUNTRY_OFF, TYPE_OFF, policy_of
from django_hyber.protocol import InvalidPhone, NumberType, PhoneNumber, parse_phone
from django_hyber.protocol.phones.numbers import FOREIGN, SAME_CODE
from django_hyber.protocol.phones.spellings import NOT_DIGITS, to_text

TWO_NUMBERS = gettext_noop(
    "There are several numbers in this row. Specify the phone column with phone_column, or put each number into a row "
    "of its own."
)
#: A text with fewer digits is not taken for another number.
_LEAST_DIGITS = 9
_MAY_BE_NUMBER = re.compile(r"(?:\d\D{0,3}){9}")
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
#: Why a number is doubtful.
DOUBTS = frozenset(reason for reason, kind in _KINDS.items() if kind == DOUBTFUL)


class NumberRules(ColumnRules, Protocol):
    """How numbers are parsed: by the rules of ``region``; ``foreign`` is that of ``parse_phone``."""

    foreign: bool


@dataclass(frozen=True, kw_only=True)
class NumberReader:
    """Reads the numbers of rows with the same headers.

    ``countries`` are columns that can say that a number is not of the region; ``others`` must not have another number.
    """

    phone_column: str
    region: str | None
    foreign: bool
    countries: Sequence[str] = ()
    others: Sequence[str] = ()

    @classmethod
    def of(cls, headers: Sequence[str], chosen: Columns, phone_column: str, rules: NumberRules) -> NumberReader:
        """Return the reader for rows with these headers. A column that was not chosen may be the wrong one."""
        named = phone_columns(headers)
        is_sure = phone_column in named and not (rules.every_number or is_doubtful(phone_column))
        # The first rows had no number in the others that are named so, or the same.
        others = () if chosen.phone_column else named if is_sure else headers
        chosen_columns = {phone_column, *(chosen.variables or {})}
        return cls(
            phone_column=phone_column,
            region=rules.region,
            foreign=rules.foreign,
            countries=[header for header in country_columns(tuple(headers)) if header != phone_column],
            others=[header for header in others if header not in chosen_columns],
        )

    def read(self, values: Mapping[str, str]) -> PhoneNumber:
        """Return the number of a row. Raises InvalidPhone."""
        raw = _raw(values[self.phone_column])
        country = other_country(values, self.countries, self.region) if self.countries else ""
        phone = self._read_abroad(raw, country) if country else parse_phone(raw, self.region, foreign=self.foreign)
        if self.others and any(is_another(values[header], phone.digits, self.region) for header in self.others):
            raise InvalidPhone(TWO_NUMBERS)
        return phone

    def _read_abroad(self, raw: object, country: str) -> PhoneNumber:
        """Read a number beside another country: unless it is written in full, it is not one of the region."""
        text, home, abroad = to_text(raw), None, None
        digits = NOT_DIGITS.sub("", text)
        with suppress(InvalidPhone):
            home = parse_phone(raw, self.region)
        is_in_full = text.startswith("+") or digits.startswith("00")
        if home and (is_in_full or (home.digits == digits and home.country in {self.region, country})):
            return home
        try:
            abroad = _read_with_code_of(country, raw)
        except InvalidPhone:
            if home is None:
                raise
        if abroad and self.foreign:
            return abroad
        raise InvalidPhone(ELSEWHERE)


def is_another(value: str, digits: str, region: str | None) -> bool:
    """Return whether a value is a phone number, and not the one with these digits."""
    if len(value) < _LEAST_DIGITS or not _MAY_BE_NUMBER.search(value):
        return False
    try:
        number = _read_with_code_of(region, _raw(value))
    except InvalidPhone:
        return False
    return number.digits != digits


def _read_with_code_of(region: str | None, raw: object) -> PhoneNumber:
    """Return the number; it may be of another country with the same calling code, whatever "+1" names."""
    try:
        return parse_phone(raw, region)
    except InvalidPhone as error:
        if error.reason != SAME_CODE:
            raise
        return parse_phone(raw, region, foreign=True)


def _raw(value: str) -> object:
    return value.raw if isinstance(value, ShownText) else value


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


def count_left_out(reasons: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return how many rows were left out for the kind of their number, by kind."""
    found: dict[str, int] = {}
    for reason, count in reasons:
        kind = _KINDS.get(reason)
        if kind:
            found[kind] = found.get(kind, 0) + count
    return found

"""The number of a row, and the doubts that the other columns of the row raise."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from django.utils.translation import gettext_noop

from django_hyber.audience.columns import ColumnRules, Columns
from django_hyber.audience.countries import country_columns, other_country
from django_hyber.audience.files.file_type import ShownText
from django_hyber.audience.files.headers import is_doubtful, phone_columns
from django_hyber.audience.number_choice import ELSEWHERE
from django_hyber.protocol import InvalidPhone, PhoneNumber, parse_phone
from django_hyber.protocol.phones.numbers import SAME_CODE
from django_hyber.protocol.phones.spellings import NOT_DIGITS, to_text

TWO_NUMBERS = gettext_noop(
    "There are several numbers in this row. Specify the phone column with phone_column, or put each number into a row "
    "of its own."
)
#: A text with fewer digits is not taken for another number.
_LEAST_DIGITS = 9
_MAY_BE_NUMBER = re.compile(r"(?:\d\D{0,3}){9}")


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

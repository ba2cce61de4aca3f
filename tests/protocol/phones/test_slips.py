"""Never another person's number: what a wrong digit does to the numbers of thirty countries in every spelling."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from django_hyber.protocol import InvalidPhone, parse_phone

COUNTRIES = (
    *("UA", "PL", "US", "DE", "GB", "FR", "IT", "ES", "PT", "NL", "BE", "AT", "CH", "CZ", "SK"),
    *("HU", "RO", "BG", "MD", "LT", "LV", "EE", "FI", "SE", "NO", "DK", "TR", "GE", "KZ", "AD"),
)
SPELLINGS = (PhoneNumberFormat.E164, PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL)


@st.composite
def numbers(draw):
    """A valid number of a country, as phonenumbers knows it."""
    country = draw(st.sampled_from(COUNTRIES))
    kind = draw(st.sampled_from([PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE]))
    example = phonenumbers.example_number_for_type(country, kind)
    significant = phonenumbers.national_significant_number(example)
    kept = draw(st.integers(2, len(significant)))
    rest = draw(st.text("0123456789", min_size=len(significant) - kept, max_size=len(significant) - kept))
    number = phonenumbers.parse(f"+{example.country_code}{significant[:kept]}{rest}")
    return country, number if phonenumbers.is_valid_number_for_region(number, country) else example


def parsed(text, region):
    try:
        return parse_phone(text, region)
    except InvalidPhone:
        return None


@given(numbers(), st.sampled_from(SPELLINGS))
def test_a_number_is_read_as_itself_or_not_at_all(found, spelling):
    country, number = found

    read = parsed(phonenumbers.format_number(number, spelling), country)

    assert read is not None
    assert f"+{read.digits}" == phonenumbers.format_number(number, PhoneNumberFormat.E164)


@given(numbers(), st.sampled_from(SPELLINGS))
def test_with_another_region_it_is_itself_or_refused(found, spelling):
    _country, number = found
    is_national = spelling == PhoneNumberFormat.NATIONAL

    read = parsed(phonenumbers.format_number(number, spelling), "UA")

    # What is dialled alike in both countries is a number of the region.
    is_home = is_national and read is not None and read.country == "UA"
    is_same = read is None or f"+{read.digits}" == phonenumbers.format_number(number, PhoneNumberFormat.E164)
    assert is_same or is_home


@given(numbers(), st.sampled_from(SPELLINGS), st.data())
def test_a_digit_more_or_less_never_reaches_another_country(found, spelling, data):
    country, number = found
    text = phonenumbers.format_number(number, spelling)
    places = [place for place, character in enumerate(text) if character.isdigit()]
    place = data.draw(st.sampled_from(places))
    added = data.draw(st.sampled_from(["", *"0123456789"]))
    changed = text[:place] + added + text[place + (not added) :]

    read = parsed(changed, country)

    # A longer or shorter number may exist in the home country itself, and nobody can know that it is not meant.
    is_home = read is not None and read.digits.startswith(str(number.country_code))
    assert read is None or is_home or not read.is_sure


@pytest.mark.parametrize("code", ["67", "68", "97", "50", "63", "95", "66", "99", "96", "73"])
def test_ukrainian_numbers_without_the_zero_of_the_country_code(code):
    assert parsed(f"38{code}1234567", "UA") is None
    slip = parsed(f"+38{code}1234567", "UA")
    assert slip is None or not slip.is_sure

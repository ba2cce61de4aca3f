"""Where a spelling of a number ends and something else begins: a sum, an address, a date, several numbers."""

from __future__ import annotations

from decimal import Decimal

import phonenumbers
import pytest

from django_hyber.protocol import InvalidPhone, normalize_phone
from django_hyber.protocol.phones.numbers import TOO_LONG, TOO_SHORT
from django_hyber.protocol.phones.spellings import (
    DATE,
    EMPTY,
    FORMULA_ERROR,
    INVALID,
    LOSSY,
    NO_PHONE,
    REMARK,
    SEVERAL,
    UNUSABLE,
)


def refusal(raw):
    """Why it is no number."""
    with pytest.raises(InvalidPhone) as caught:
        normalize_phone(raw)
    return caught.value.reason


@pytest.mark.parametrize(
    "raw",
    [
        "\ufeff067\u034f123\u180e4567",
        "callto:0671234567",
        "sms:0671234567?",
        "( + 38 ) 0671234567",
        "+  380 67 123 45 67",
        "+ (380) 67 123 45 67",
        "380671234567.",
        "0671234567.",
        "671 234 567.",
        "671.234.567.",
        "067 123 456.7",
        "8067 123 456.7",
        "67 123.4567",
        "8067.123.45.67",
        "38.067.123.4567",
        "671.23.45.67",
        "0671234567.0",
        "0671234567.00",
        "380671234567.0000000",
        "067\u2212123\u221245\u221267",
        "8.067/1234567",
        "8-067/123-45-67",
        "067/(123) 45.67",
    ],
)
def test_marks_at_the_edges_and_between_groups_change_nothing(raw):
    assert normalize_phone(raw) == "380671234567"


@pytest.mark.parametrize(
    ("raw", "region", "digits"),
    [
        ("06.12345678", "NL", "31612345678"),
        ("650.253.12.34", "US", "16502531234"),
        ("212.555.12.34", "US", "12125551234"),
        ("67.267.45.67", "UA", "380672674567"),
        ("067123.0000", "UA", "380671230000"),
        ("6112345,0", "IS", "3546112345"),
        ("6,112,345", "IS", "3546112345"),
        ("6,502,530,000", "US", "16502530000"),
        ("2012-15-56", "DK", "4520121556"),
        ("45-12-2045", "DK", "4545122045"),
    ],
)
def test_what_looks_like_a_sum_an_address_or_a_date_but_is_none_is_a_number(raw, region, digits):
    assert normalize_phone(raw, region) == digits


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        *((amount, INVALID) for amount in ("671.234567", "6.71234567", "380 671 234.567")),
        *((address, NO_PHONE) for address in ("671.2.34.56", "6.712.34.56", "6.712.345.67")),
        *((moment, DATE) for moment in ("1967-12-03", "03.05.1967")),
        ("0671234.000", TOO_SHORT),
        *((raw, UNUSABLE) for raw in ("(+)380671234567", "671234,00", "6E+", "/0671234567")),
        *((raw, UNUSABLE) for raw in ("0671234567/", "0671234567,")),
        *((raw, UNUSABLE) for raw in (",671,234,567", "0671,234,567", "671,234")),
    ],
)
def test_other_digits_with_marks_are_refused_with_the_reason(raw, reason):
    assert refusal(raw) == reason


@pytest.mark.parametrize(
    "raw", ["#Н/Д", "#ДІЛ/0!", "#ЗНАЧ!", "#ІМ'Я?", "#ПОСИЛАННЯ!", "#ДЕЛ/0!", "#LICZBA!", "#ÜBERLAUF!", "Err:502"]
)
def test_a_spreadsheet_tells_errors_in_the_language_of_its_user(raw):
    assert refusal(raw) == FORMULA_ERROR


@pytest.mark.parametrize("raw", ["04412/34567", "(04412)/34567"])
def test_a_slash_behind_the_prefix_and_an_area_code_is_a_mark(raw):
    assert normalize_phone(raw) == "380441234567"


def test_a_country_code_may_stand_before_the_area_code_and_a_slash():
    assert normalize_phone("+49 30 1234/56789") == "4930123456789"


@pytest.mark.parametrize(
    "raw",
    [
        *("12345/654321", "067123456/12345", "671234567 681234567", "0671234567/0681234567/0501234567"),
        *("067 123 45 67 | 068 123 45 67", "067 123 45 67\n068 123 45 67"),
    ],
)
def test_what_may_be_two_numbers_is_never_read_as_one(raw):
    assert refusal(raw) == SEVERAL


@pytest.mark.parametrize("raw", ["(067) 123-45.67 (Olena)", "0671234567 (Olena) (Viber)"])
def test_what_stands_in_brackets_behind_a_number_is_a_remark(raw):
    assert refusal(raw) == REMARK


def test_a_remark_without_a_number_is_none():
    assert refusal("(Olena)") == UNUSABLE


def test_a_number_has_at_most_forty_characters():
    wide = "067123456" + " " * 30 + "7"

    assert len(wide) == 40
    assert normalize_phone(wide) == "380671234567"
    assert refusal(wide.replace(" ", "  ", 1)) == INVALID
    assert refusal("x" * 41) == INVALID


@pytest.mark.parametrize("raw", ["6E+8", "3E+4", Decimal("3.8067123456E+11")])
def test_one_digit_that_a_spreadsheet_left_out_is_lost_too(raw):
    assert refusal(raw) == LOSSY


@pytest.mark.parametrize(("raw", "reason"), [(2**53 - 1, TOO_LONG), (2**53, INVALID)])
def test_a_spreadsheet_keeps_no_digits_beyond_what_it_can_count(raw, reason):
    assert refusal(raw) == reason


def test_a_parsed_number_is_read_as_it_is():
    assert normalize_phone(phonenumbers.parse("067 123 45 67", "UA"), "PL") == "380671234567"


@pytest.mark.parametrize(
    ("number", "reason"),
    [(phonenumbers.PhoneNumber(), EMPTY), (phonenumbers.PhoneNumber(raw_input="067 CALL NOW"), UNUSABLE)],
)
def test_what_a_field_could_not_parse_is_read_as_it_was_written(number, reason):
    assert refusal(number) == reason

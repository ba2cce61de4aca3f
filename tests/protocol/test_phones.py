import datetime
import pickle
from decimal import Decimal
from itertools import product

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.protocol import InvalidPhone, normalize_phone
from django_hyber.protocol.phone_plans import find_plan
from django_hyber.protocol.phones import (
    DATE,
    EMPTY,
    FORMULA_ERROR,
    INVALID,
    LOSSY,
    SEVERAL,
    TOO_LONG,
    TOO_SHORT,
    UNUSABLE,
)


@pytest.mark.parametrize(
    "raw",
    [
        "380671234567",
        "+380671234567",
        "00380671234567",
        "0671234567",
        "671234567",
        "+38 (067) 123-45-67",
        "067.123.45.67",
        "+38\u00a0067\u2011123\u201145\u201167",
        "\u202a+380671234567\u202c",
        " 380671234567\n",
        "'0671234567",
        "'+380671234567",
        380671234567,
        671234567,
        380671234567.0,
        "380671234567.0",
        "380671234567,00",
        "380,671,234,567",
        "380,671,234,567.00",
        Decimal(380671234567),
        Decimal("380671234567.00"),
    ],
)
def test_the_ways_people_and_spreadsheets_write_one_number(raw):
    assert normalize_phone(raw) == "380671234567"


@pytest.mark.parametrize(
    ("raw", "region", "digits"),
    [
        ("0671234567", "UA", "380671234567"),
        ("79161234567", "UA", "79161234567"),
        ("+48 512 345 678", "UA", "48512345678"),
        ("48512345678", None, "48512345678"),
        ("0048512345678", None, "48512345678"),
        ("512345678", "PL", "48512345678"),
        ("+44 (0)20 7946 0958", "UA", "442079460958"),
        ("(650) 253-0000", "US", "16502530000"),
        ("011 380 67 123 4567", "US", "380671234567"),
    ],
)
def test_the_region_is_tried_first_and_the_world_second(raw, region, digits):
    assert normalize_phone(raw, region) == digits


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", EMPTY),
        ("  ", EMPTY),
        (None, EMPTY),
        ("3.80671E+11", LOSSY),
        ("3,80671e11", LOSSY),
        (Decimal("3.80671E+11"), LOSSY),
        ("067 CALL NOW", UNUSABLE),
        ("0671234567 ext. 5", UNUSABLE),
        ("0671234567;ext=5", UNUSABLE),
        ("0671234567#5", UNUSABLE),
        ("067+1234567", UNUSABLE),
        ("-380671234567", UNUSABLE),
        ("=380671234567", UNUSABLE),
        ("０６７１２３４５６７", UNUSABLE),
        (True, UNUSABLE),
        (["0671234567"], UNUSABLE),
        (b"0671234567", UNUSABLE),
        ("0671234567 0681234567", SEVERAL),
        ("067 123 45 67, 068 123 45 67", SEVERAL),
        ("+38 (067) 123-45-67 / +38 (068) 123-45-67 / 0501112233", SEVERAL),
        ("0671234567;0681234567", SEVERAL),
        ("067123456", TOO_SHORT),
        ("38067123456", TOO_SHORT),
        ("067123456789", TOO_LONG),
        ("+38067123456789", TOO_LONG),
        ("12", TOO_SHORT),
        ("0" * 41, INVALID),
        ("0201234567", INVALID),
        ("#NAME?", FORMULA_ERROR),
        ("#N/A", FORMULA_ERROR),
        ("#DIV/0!", FORMULA_ERROR),
        ("######", FORMULA_ERROR),
        (datetime.date(1967, 12, 3), DATE),
        (datetime.datetime(1967, 12, 3, 4, tzinfo=datetime.UTC), DATE),
        (datetime.time(6, 7), DATE),
        ("+999123456789", INVALID),
        (-380671234567, INVALID),
        (10**400, INVALID),
        (380671234567.5, INVALID),
        (float("nan"), INVALID),
        (float("inf"), INVALID),
        (Decimal("sNaN"), INVALID),
        (Decimal("1E+999999"), INVALID),
        (Decimal("380671234567.5"), INVALID),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(raw, reason):
    with pytest.raises(InvalidPhone) as caught:
        normalize_phone(raw)
    assert caught.value.reason == reason


def test_a_national_number_needs_a_region():
    with pytest.raises(InvalidPhone):
        normalize_phone("0671234567", None)


def test_numbers_shorter_than_the_platform_takes_are_refused():
    assert phonenumbers.is_valid_number(phonenumbers.parse("+298201234"))
    with pytest.raises(InvalidPhone):
        normalize_phone("+298201234")


def test_the_error_does_not_quote_the_number():
    with pytest.raises(InvalidPhone) as caught:
        normalize_phone("0671234")
    assert "0671234" not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == TOO_SHORT


@given(st.text(max_size=30) | st.text(st.sampled_from("+0123456789 ()-.eE"), max_size=20) | st.floats() | st.integers())
def test_the_result_is_always_ten_to_fifteen_digits_and_stable(raw):
    try:
        digits = normalize_phone(raw)
    except InvalidPhone:
        return
    assert digits.isascii()
    assert digits.isdigit()
    assert 10 <= len(digits) <= 15
    assert normalize_phone(f"+{digits}") == digits


class QuickWayTests:
    """The quick way to valid numbers must give the answer of phonenumbers itself, or none."""

    REGIONS = sorted(region for region in phonenumbers.SUPPORTED_REGIONS if find_plan(region))

    def test_it_is_gone_for_ukraine_and_most_of_the_world(self):
        assert "UA" in self.REGIONS
        assert len(self.REGIONS) > 120
        assert find_plan("UA").read("0671234567") == find_plan("UA").read("380671234567") == "380671234567"

    @pytest.mark.parametrize("region", ["US", "KZ", "GB", "AR", "IT", "XX"])
    def test_where_several_regions_share_a_code_or_digits_are_transformed_it_is_not(self, region):
        assert find_plan(region) is None

    def test_every_beginning_of_a_number_is_read_alike(self):
        for region, beginning in product(self.REGIONS, range(0, 10_000, 137)):
            plan = find_plan(region)
            prefixes = ("", plan.national_prefix, plan.country_code, plan.country_code + plan.national_prefix, "00")
            lengths = phonenumbers.PhoneMetadata.metadata_for_region(region).general_desc.possible_length
            for prefix, length in product(prefixes, {lengths[0], lengths[-1], lengths[0] - 1}):
                agree(prefix + f"{beginning:04}7512345678901"[:length], region)

    @given(st.sampled_from(REGIONS), st.text("0123456789", min_size=4, max_size=15), st.sampled_from(["", "n", "c"]))
    def test_any_digits_are_read_alike(self, region, digits, kind):
        plan = find_plan(region)
        agree({"": "", "n": plan.national_prefix, "c": plan.country_code}[kind] + digits, region)


def agree(digits, region):
    plan = find_plan(region)
    for quick, text, home in (
        (plan.read(digits), digits, region),
        (plan.read_international(digits), f"+{digits}", None),
    ):
        if quick:
            number = phonenumbers.parse(text, home)
            assert phonenumbers.is_valid_number(number), (region, text)
            assert f"+{quick}" == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

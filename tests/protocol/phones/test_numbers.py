import datetime
import pickle
from decimal import Decimal
from functools import cache
from itertools import product

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.protocol import InvalidPhone, describe_phone, normalize_phone, parse_phone
from django_hyber.protocol.phones.numbers import FOREIGN, SAME_CODE, TOO_LONG, TOO_SHORT
from django_hyber.protocol.phones.plans import find_plan, read_international
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
        "(+380) 67 123 45 67",
        "(+38)0671234567",
        "+ 380 67 123 45 67",
        "+(380)671234567",
        "8 067 123 45 67",
        "8-067-123-45-67",
        "8(067)1234567",
        "80671234567",
        80671234567,
        "tel:+380671234567",
        "tel://0671234567",
        "TEL:+38-067-123-45-67",
        "tel:%2B380671234567",
        "sms:+380671234567?body=Hi",
        "smsto:0671234567",
        '="0671234567"',
        '= "+380671234567"',
        "3.80671234567E+11",
        "3,80671234567e11",
        "6.71234567E+8",
        "067/123 45 67",
        "(067)/123-45-67",
        "+380 67/1234567",
        "8 067/123 45 67",
        "067.1234567",
        "0671234.567",
        "380.671234567",
        "38067.1234567",
        "+38067.1234567",
        "067 123 45.67",
        "671234567.0",
        "671234567.00",
        "\u2066+380671234567\u2069",
        "38067\u00ad123\u00ad4567",
        "\ufe0f067\ufe0e1234567",
        "\u061c067\u200d123\u20634567",
    ],
)
def test_the_ways_people_and_spreadsheets_write_one_number(raw):
    assert normalize_phone(raw) == "380671234567"


@pytest.mark.parametrize(
    ("raw", "region", "digits"),
    [
        ("0671234567", "UA", "380671234567"),
        ("+7 916 123-45-67", "UA", "79161234567"),
        ("+48 512 345 678", "UA", "48512345678"),
        ("48512345678", None, "48512345678"),
        *((pairs, "UA", f"380{pairs.replace('.', '')}") for pairs in ("67.323.45.67", "95.256.10.99")),
        ("0048512345678", None, "48512345678"),
        ("512345678", "PL", "48512345678"),
        ("+44 (0)20 7946 0958", "UA", "442079460958"),
        ("(650) 253-0000", "US", "16502530000"),
        ("011 380 67 123 4567", "US", "380671234567"),
    ],
)
def test_a_number_is_one_of_the_region_unless_it_is_written_as_another(raw, region, digits):
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
        ("+380671234567 (Olena)", REMARK),
        ("0671234567 (до 18:00)", UNUSABLE),
        ("067 123 45 67/68", SEVERAL),
        ("067/123/4567", UNUSABLE),
        ("123456/654321", SEVERAL),
        ("3.805012345E+11", LOSSY),
        ("3,80501E+11", LOSSY),
        ("3.805012345678E+11", INVALID),
        ("50123456.7", INVALID),
        ("5012345.67", INVALID),
        ("501234.567", INVALID),
        ("50.1234567", INVALID),
        ("5 012 345.67", INVALID),
        ("50\u00a0123\u00a0456.7", INVALID),
        ("380501234567.5", INVALID),
        *((address, NO_PHONE) for address in ("50.123.456.7", "66.10.212.34", "66.102.1.103", "99.99.99.999")),
        *((address, NO_PHONE) for address in ("66.249.66.12", "67.123.45.67", "95.255.10.99", "671.234.567.8")),
        *((moment, DATE) for moment in ("2024-05-01 10", "10.12.2024 1030", "31.12.2024", "2024.5.1", "1-5-2024")),
        ("80501234501234", TOO_LONG),
        ("tel:", EMPTY),
        ('=""', EMPTY),
        ("=0501234501", UNUSABLE),
        ("067+1234567", UNUSABLE),
        ("-380671234567", UNUSABLE),
        ("=380671234567", UNUSABLE),
        ("０６７１２３４５６７", UNUSABLE),
        (True, UNUSABLE),
        (["0671234567"], UNUSABLE),
        (b"0671234567", UNUSABLE),
        ("0671234567 0681234567", SEVERAL),
        ("+380 67 123 45 67 +380 68 123 45 67", SEVERAL),
        ("067 123 45 67, 068 123 45 67", SEVERAL),
        ("+38 (067) 123-45-67 / +38 (068) 123-45-67 / 0501112233", SEVERAL),
        ("0671234567;0681234567", SEVERAL),
        ("+38 067 123 45 67 ::: 0681234567", SEVERAL),
        ("067123456", TOO_SHORT),
        ("38067123456", TOO_SHORT),
        ("38731234567", TOO_SHORT),
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


@pytest.mark.parametrize(
    ("raw", "region", "digits"),
    [
        ("+376 312 345", "UA", "376312345"),
        ("00 298 211234", "UA", "298211234"),
        ("+683 4002", "UA", "6834002"),
        ("376312345", None, "376312345"),
        ("+49 1512 3456789", "DE", "4915123456789"),
        ("8 (029) 123-45-67", "BY", "375291234567"),
        ("8 916 123-45-67", "RU", "79161234567"),
        ("030/1234567", "DE", "49301234567"),
        ("212/555-1234", "US", "12125551234"),
        ("12/345 67 89", "PL", "48123456789"),
    ],
)
def test_every_length_and_the_habits_of_other_countries(raw, region, digits):
    assert normalize_phone(raw, region) == digits


@pytest.mark.parametrize(
    ("raw", "region"),
    [
        ("38671234567", "UA"),
        ("38951234567", "UA"),
        ("6465551234", "UA"),
        ("48512345678", "UA"),
        ("16502530000", "PL"),
        ("380671234567", "DE"),
        ("380671234567", "US"),
        (48512345678, "UA"),
        ("79161234567", "KZ"),
    ],
)
def test_a_number_of_another_country_is_not_guessed(raw, region):
    with pytest.raises(InvalidPhone) as caught:
        normalize_phone(raw, region)

    assert caught.value.reason == FOREIGN


NEIGHBOURS = [
    ("8092345678", "US", "DO", "18092345678"),
    ("1 876 212-3456", "US", "JM", "18762123456"),
    ("416-555-0123", "US", "CA", "14165550123"),
    ("(650) 253-0000", "CA", "US", "16502530000"),
    ("9161234567", "KZ", "RU", "79161234567"),
    ("89161234567", "KZ", "RU", "79161234567"),
    ("7011234567", "RU", "KZ", "77011234567"),
    ("07781 123456", "GB", "GG", "447781123456"),
    ("07797 712345", "GB", "JE", "447797712345"),
    ("07624 123456", "GB", "IM", "447624123456"),
    ("07400 123456", "JE", "GB", "447400123456"),
    ("0639 01 23 45", "RE", "YT", "262639012345"),
]


@pytest.mark.parametrize(("raw", "region", "country", "digits"), NEIGHBOURS)
def test_a_number_of_another_country_with_the_same_calling_code_is_not_guessed(raw, region, country, digits):
    with pytest.raises(InvalidPhone) as caught:
        normalize_phone(raw, region)

    assert caught.value.reason == SAME_CODE
    assert parse_phone(raw, region, foreign=True)[:2] == (digits, country)
    assert parse_phone(f"+{digits}", region) == parse_phone(f"00{digits}", None) == parse_phone(raw, country)


@pytest.mark.parametrize(
    ("raw", "region"),
    [
        ("41234567", "NO"),
        ("41234567", "SJ"),
        ("0690 00 12 34", "GP"),
        ("0690 00 12 34", "BL"),
        ("0412 345 678", "CC"),
        ("0412345678", "AX"),
        ("800 555 1234", "US"),
        ("800 555 1234", "CA"),
        ("8 701 123 45 67", "KZ"),
        ("77011234567", "KZ"),
        ("8 916 123 45 67", "RU"),
        ("07400 123456", "GB"),
        ("07797 712345", "JE"),
    ],
)
def test_a_number_of_the_region_is_one_though_others_have_it_too(raw, region):
    assert parse_phone(raw, region).is_sure


def test_every_country_reads_its_own_numbers():
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        number = number or phonenumbers.example_number(region)
        written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)

        assert f"+{parse_phone(written, region).digits}" == phonenumbers.format_number(number, 0), region


def test_a_number_of_another_country_is_taken_when_the_caller_says_so():
    assert normalize_phone("48512345678", "UA", foreign=True) == "48512345678"
    assert normalize_phone("0671234567", "UA", foreign=True) == "380671234567"


@pytest.mark.parametrize("raw", ["+38671234567", "0038671234567", "00951234567", "+3800671234567", "+280671234567"])
def test_a_number_one_digit_away_from_the_home_country_is_not_sure(raw):
    try:
        number = parse_phone(raw, "UA")
    except InvalidPhone:
        return
    assert (number.country == "UA") == number.is_sure


@pytest.mark.parametrize("raw", ["+389072989831", "00389072989831", "+386081783334"])
def test_a_number_with_two_digits_of_the_country_code_swapped_is_not_sure(raw):
    assert not parse_phone(raw, "UA").is_sure


@pytest.mark.parametrize(
    ("raw", "region"), [("4915127656776", "DE"), (4917612345678, "DE"), ("62 812-3366-71", "ID"), ("38343204663", "XK")]
)
def test_a_mobile_number_without_its_plus_is_not_read_as_a_longer_landline(raw, region):
    digits = str(raw).replace(" ", "").replace("-", "")

    assert parse_phone(raw, region).digits == digits
    assert parse_phone(raw, region).type == "mobile"


def test_a_landline_whose_area_code_looks_like_the_country_code_stays_one():
    assert parse_phone("0491 1234567", "DE").digits == "494911234567"


@pytest.mark.parametrize("raw", ["+48512345678", "0048512345678", "+376312345", "+12125550123", "+380671234567"])
def test_other_numbers_are_sure(raw):
    assert parse_phone(raw, "UA").is_sure


@pytest.mark.parametrize(
    ("raw", "region", "country", "kind"),
    [
        ("0671234567", "UA", "UA", "mobile"),
        ("+380442345678", "UA", "UA", "fixed_line"),
        ("0800500500", "UA", "UA", "toll_free"),
        ("0900234567", "UA", "UA", "premium_rate"),
        ("(650) 253-0000", "US", "US", "fixed_line_or_mobile"),
        ("+1 416-555-0123", "US", "CA", "fixed_line_or_mobile"),
        ("+77011234567", None, "KZ", "mobile"),
        ("+44 7400 123456", "GB", "GB", "mobile"),
        ("+44 70 1234 5678", "GB", "GB", "personal_number"),
        ("+39 06 1234 5678", "IT", "IT", "fixed_line"),
        ("+800 1234 5678", "UA", "001", "toll_free"),
        ("801 123 456", "PL", "PL", "shared_cost"),
    ],
)
def test_country_and_type_are_known(raw, region, country, kind):
    number = parse_phone(raw, region)

    assert (number.country, number.type) == (country, kind)
    assert describe_phone(number.digits)[:3] == number[:3]


@pytest.mark.parametrize("digits", ["", "no number", "0", "380", "999123456789", "３８０"])
def test_digits_of_no_numbering_plan_are_of_an_unknown_type(digits):
    assert describe_phone(digits).digits == digits
    assert describe_phone(digits).type == "unknown"


@pytest.mark.parametrize(("digits", "country"), [("3800", "UA"), ("44123", "GB"), ("999123456789", "ZZ"), ("", "ZZ")])
def test_digits_of_no_numbering_plan_are_in_the_country_of_their_calling_code(digits, country):
    assert describe_phone(digits) == (digits, country, "unknown", True)


def test_a_number_is_one_of_ukraine_unless_another_region_is_given():
    assert parse_phone("0671234567") == ("380671234567", "UA", "mobile", True)


def test_a_national_number_needs_a_region():
    with pytest.raises(InvalidPhone):
        normalize_phone("0671234567", None)


def test_the_error_does_not_quote_the_number():
    with pytest.raises(InvalidPhone) as caught:
        normalize_phone("0671234")
    assert "0671234" not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == TOO_SHORT


@given(st.text(max_size=30) | st.text(st.sampled_from("+0123456789 ()-.eE"), max_size=20) | st.floats() | st.integers())
def test_the_result_is_always_seven_to_fifteen_digits_and_stable(raw):
    try:
        digits = normalize_phone(raw)
    except InvalidPhone:
        return
    assert digits.isascii()
    assert digits.isdigit()
    assert 7 <= len(digits) <= 15
    assert normalize_phone(f"+{digits}") == digits


@cache
def quick_regions():
    """Where the quick way is gone. To ask for it takes a while, and every process of a run reads this file."""
    return sorted(region for region in phonenumbers.SUPPORTED_REGIONS if find_plan(region))


class QuickWayTests:
    """The quick way to valid numbers must give the answer of phonenumbers itself, or none."""

    def test_it_is_gone_for_ukraine_and_most_of_the_world(self):
        assert "UA" in quick_regions()
        assert len(quick_regions()) > 120
        for written in ("0671234567", "380671234567"):
            assert find_plan("UA").read(written) == ("380671234567", "UA", "mobile", True)
        assert find_plan("UA").read("0800500500") == ("380800500500", "UA", "toll_free", True)

    def test_digits_after_a_plus_are_read_as_those_of_the_region_only_with_its_code(self):
        assert find_plan("UA").read_international("380671234567") == ("380671234567", "UA", "mobile", True)
        assert find_plan("UA").read_international("481671234567") is None

    def test_international_numbers_are_read_with_country_and_type_wherever_they_belong(self):
        for country in ("US", "CA", "KZ", "GB", "JE", "IT", "AR", "NO"):
            number = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
            digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
            assert read_international(digits).country == country

    def test_what_begins_with_a_prefix_that_phonenumbers_takes_away_is_left_to_it(self):
        assert read_international("3758101479935") is None
        assert describe_phone("3758101479935").type == "unknown"

    @pytest.mark.parametrize(("region", "dialled"), [("IL", "01997769979"), ("UY", "019872586")])
    def test_what_begins_with_an_exit_code_is_no_number_of_the_region(self, region, dialled):
        assert find_plan(region).read(dialled) is None
        with pytest.raises(InvalidPhone):
            parse_phone(dialled, region)

    def test_a_number_of_the_region_that_begins_with_its_calling_code_is_left_to_phonenumbers(self):
        assert find_plan("PL").read("483055125") is None
        assert as_phonenumbers_reads("483055125", "PL")[0] == "48483055125"

    def test_a_zero_is_no_part_of_a_calling_code(self):
        assert read_international("0493012345678") is None
        assert describe_phone("0493012345678").type == "unknown"

    @pytest.mark.parametrize("prefix", ["+49", "0049", "0"])
    def test_a_number_has_at_most_fifteen_digits(self, prefix):
        national = "3012345678901"

        assert read_international(f"49{national}") == parse_phone(prefix + national, "DE")
        with pytest.raises(InvalidPhone):
            parse_phone(f"{prefix}{national}2", "DE")

    @pytest.mark.parametrize("region", ["US", "KZ", "GB", "AR", "IT", "XX"])
    def test_where_several_regions_share_a_code_or_digits_are_transformed_it_is_not(self, region):
        assert find_plan(region) is None

    def test_every_beginning_of_a_number_is_read_alike(self):
        for region, beginning in product(quick_regions(), range(0, 10_000, 137)):
            plan = find_plan(region)
            prefixes = ("", plan.national_prefix, plan.country_code, plan.country_code + plan.national_prefix, "00")
            lengths = phonenumbers.PhoneMetadata.metadata_for_region(region).general_desc.possible_length
            for prefix, length in product(prefixes, {lengths[0], lengths[-1], lengths[0] - 1}):
                agree(prefix + f"{beginning:04}7512345678901"[:length], region)

    @given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.data())
    def test_variants_of_the_numbers_of_every_country_and_type_are_read_alike(self, region, data):
        kind = data.draw(st.sampled_from(sorted(phonenumbers.PhoneNumberType.values())[:11]))
        number = phonenumbers.example_number_for_type(region, kind)
        if number:
            digits = list(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:])
            for _change in range(data.draw(st.integers(0, 4))):
                digits[data.draw(st.integers(3, len(digits) - 1))] = data.draw(st.sampled_from("0123456789"))
            agree_abroad("".join(digits))

    @given(
        st.deferred(lambda: st.sampled_from(quick_regions())),
        st.text("0123456789", min_size=4, max_size=15),
        st.sampled_from(["", "n", "c"]),
    )
    def test_any_digits_are_read_alike(self, region, digits, kind):
        plan = find_plan(region)
        agree({"": "", "n": plan.national_prefix, "c": plan.country_code}[kind] + digits, region)


def agree(digits, region):
    quick = find_plan(region).read(digits)
    if quick:
        assert quick == as_phonenumbers_reads(digits, region)
    agree_abroad(digits)


def agree_abroad(digits):
    quick = read_international(digits)
    if quick:
        assert quick == as_phonenumbers_reads(f"+{digits}", None)


def as_phonenumbers_reads(text, region):
    number = phonenumbers.parse(text, region)
    assert phonenumbers.is_valid_number(number), (region, text)
    digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
    kind = phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(number)).lower()
    return (digits, phonenumbers.region_code_for_number(number), kind, True)

"""What arrives of a value: normal letters, nothing invisible, nothing where there is no value."""

from __future__ import annotations

import io
import math
import unicodedata
from datetime import UTC, date, datetime, time
from decimal import Decimal

import openpyxl
import pytest
from django.contrib.auth.models import User
from django.utils.translation import override

from django_hyber.audience.files.cells import ShownText, clean_value, normal_text
from django_hyber.audience.files.reading import read_rows
from django_hyber.models import Campaign
from django_hyber.services import import_recipients


@pytest.mark.parametrize("name", ["Сергій", "Їжак", "Łódź", "Müller", "Zoë"])
def test_letters_in_two_code_points_become_one(name):
    assert clean_value(unicodedata.normalize("NFD", name)) == name


@pytest.mark.parametrize(
    "written",
    [
        "\u2066Olena\u2069",
        "Ole\u00adna",
        "\u200bOlena\ufeff",
        "\u202aOlena\u202c",
        "Ole\u200dna",
        "Olena\ufe0f",
        "\u2068\u200eOlena\u200f\u2069",
    ],
)
def test_invisible_marks_are_removed(written):
    assert clean_value(written) == "Olena"


@pytest.mark.parametrize(
    "text",
    ["❤️", "👨‍👩‍👧", "1️⃣ ", "🏳️‍🌈", "©️", "👩🏽‍🚀", "می‌خواهم", "क्‍ष"],
    ids=["heart", "family", "keycap", "flag", "sign", "skin tone", "Persian", "Hindi"],
)
def test_what_joins_emoji_and_letters_of_other_scripts_stays(text):
    assert normal_text(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "written", ["", " ", "\u00a0", "NULL", "null", "N/A", "#N/A", "#REF!", "#VALUE!", "-", "—", " - ", "\t", "\u200b"]
)
def test_what_stands_for_no_value_is_none(written):
    assert clean_value(written) == ""


@pytest.mark.parametrize(
    "written", ["#Н/Д", "#ЗНАЧ!", "#ССЫЛКА!", "#ПОСИЛАННЯ!", "#ІМ'Я?", "#N/D!", "#NV", "NaN", "\\N", "--"]
)
def test_errors_of_spreadsheets_in_other_languages_and_marks_of_programs_are_no_values(written):
    assert clean_value(written) == ""


@pytest.mark.parametrize(
    "written",
    [
        *("н/д", "Н/Д", "н.д.", "NONE", "none", "NA", "<NA>", "NaT", "nil", "(Null)", "(blank)", "(пусто)", "inf"),
        *("0000-00-00", "0000-00-00 00:00:00", "01.01.0001 0:00:00", "Invalid date", "Invalid Date"),
        *("\u2212", "\u2011", "\u2010\u2010", "\u2015"),
        *("#ССИЛКА!", "#ОБЧИСЛ!", "#Ref!", "Err:502", "Помилка:522", "Loading..."),
    ],
)
def test_what_programs_write_where_nothing_is_known_is_no_value(written):
    assert clean_value(written) == ""


@pytest.mark.parametrize("name", ["Null", "Na", "Nan", "Nil", "Nat"])
def test_name_that_programs_use_for_no_value_stays_a_name(name):
    assert clean_value(name) == name


def test_row_without_values_is_not_blank():
    rows = [row for _number, row in read_rows(io.BytesIO(b"phone;name\n-;#N/A\n;\n \n0671112233;Olena\n"))]

    assert rows == [{"phone": "", "name": ""}, {"phone": "0671112233", "name": "Olena"}]


def test_row_of_a_workbook_with_an_error_for_its_number_is_counted(tmp_path):
    book = openpyxl.Workbook()
    for written in ("phone", "0671112233", "#N/A", "#REF!", "0671112234"):
        book.active.append([written])
    for number in (3, 4):
        book.active.cell(number, 1).data_type = "e"
    book.save(tmp_path / "people.xlsx")
    with (tmp_path / "people.xlsx").open("rb") as file:
        rows = [(number, row["phone"]) for number, row in read_rows(file)]

    assert rows == [(2, "0671112233"), (3, ""), (4, ""), (5, "0671112234")]


@pytest.mark.parametrize("written", ["-- x", "Err:", "01.01.2001", "0", "N/A or other", "-5", "#1"])
def test_what_only_resembles_it_is_a_value(written):
    assert clean_value(written) == written


@pytest.mark.parametrize("written", ["  Olena ", "\u00a0Olena\u2003", "\tOlena\r\n"])
def test_space_around_a_value_is_cut_off(written):
    assert clean_value(written) == "Olena"


def test_a_name_on_two_lines_keeps_them():
    assert clean_value("Main street 5\nflat 7 ") == "Main street 5\nflat 7"


@pytest.mark.django_db
def test_values_of_code_are_normal_too_and_keep_the_space_that_code_gave_them():
    campaign = Campaign.objects.create(name="Spring sale")
    row = {"phone": "0671112233", "name": "Сергій", "greeting": "Mr. ", "bonus": math.nan, "town": None}

    import_recipients(campaign, [row])

    assert campaign.messages.get().variables == {"name": "Сергій", "greeting": "Mr. ", "bonus": "", "town": ""}


@pytest.mark.django_db
def test_what_stands_for_no_value_is_none_in_code_too():
    campaign = Campaign.objects.create(name="Spring sale")

    import_recipients(campaign, [{"phone": "0671112233", "name": "NULL", "town": " #N/A", "shop": " \u00a0"}])

    assert campaign.messages.get().variables == {"name": "", "town": "", "shop": ""}


def test_blank_surplus_cells_do_not_make_a_row_too_wide():
    ((_number, row),) = read_rows(io.BytesIO("phone;name\n0671112233;Olena; ;\u00a0;\n".encode()))

    assert type(row) is dict


class CodeTests:
    """Values of other types than texts, as code and querysets give them."""

    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            (datetime(2026, 11, 30, 22, 30, 59, 114612, tzinfo=UTC), "01.12.2026 00:30"),
            (datetime(2026, 11, 30, 22, 30), "30.11.2026 22:30"),  # noqa: DTZ001  some projects have no zones
            (date(2026, 12, 1), "01.12.2026"),
            (time(9, 5, 30, 12), "09:05"),
            (True, "TRUE"),
            (15, "15"),
            (15.0, "15"),
            (0.1 + 0.2, "0.3"),
            (1e-7, "0.0000001"),
            (1e16, "10000000000000000"),
            (380671112233.0, "380671112233"),
            (Decimal("1E+3"), "1000"),
            (Decimal("10.50"), "10.50"),
        ],
    )
    def test_dates_and_numbers_are_shown_as_people_write_them(self, given, shown):
        assert ShownText.of(given) == shown

    @pytest.mark.parametrize("given", [None, math.nan, math.inf, Decimal("NaN")])
    def test_what_is_no_number_is_no_value(self, given):
        assert ShownText.of(given) == ""

    def test_missing_values_of_data_frames_are_no_values(self):
        class NA:
            """Like that of pandas: it cannot be compared."""

            def __eq__(self, other):
                raise TypeError("boolean value of NA is ambiguous")

            __ne__ = __eq__
            __hash__ = object.__hash__

            def __str__(self):
                return "<NA>"

        assert ShownText.of(NA()) == ""

    @pytest.mark.parametrize("language", ["en", "uk"])
    def test_the_active_language_changes_nothing(self, language):
        with override(language):
            assert ShownText.of(Decimal("1234.5")) == "1234.5"
            assert ShownText.of(date(2026, 12, 1)) == "01.12.2026"

    @pytest.mark.django_db
    def test_field_of_a_queryset_arrives_by_the_clock_of_the_project(self):
        campaign = Campaign.objects.create(name="Spring sale")
        User.objects.create(username="0671112233", date_joined=datetime(2026, 11, 30, 22, 30, tzinfo=UTC))

        import_recipients(campaign, User.objects.all(), phone="username", variables={"due": "date_joined"})

        assert campaign.messages.get().variables == {"due": "01.12.2026 00:30"}

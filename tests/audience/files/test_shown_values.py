"""Numbers and dates of a sheet, as the sheet shows them."""

from __future__ import annotations

import io
from datetime import date, time

import openpyxl
import pytest
from django.utils import translation

from django_hyber.audience.files.file_type import ReadNotes
from django_hyber.audience.files.reading import read_rows
from django_hyber.audience.files.shown_values import find_format
from django_hyber.models import Campaign
from django_hyber.services import import_recipients


def shown(code, written):
    return find_format(code, has_1904_dates=False).show(written)


@pytest.mark.parametrize(
    ("code", "written", "text"),
    [
        ("0000", "42", "0042"),
        ("00000", "1E3", "01000"),
        ('"$"0.00', "34.3", "$34.30"),
        ("0%", "0.2", "20%"),
        ("0.0%", "0.1234", "12.3%"),
        ("0 %", "0.05", "5 %"),
        ("#,##0", "1234567", "1,234,567"),
        ("#,##0.00", "1234.5", "1,234.50"),
        ("# ##0", "1500", "1 500"),
        ("#,##0.00 [$₴-422]", "1500", "1,500.00 ₴"),
        ('0" грн"', "150", "150 грн"),
        ("0.00", "2.675", "2.68"),
        ("0", "-0.4", "0"),
        ("0_);(0)", "-5", "(5)"),
        ("0;-0;;@", "0", ""),
        ("#.##", "0.5", ".5"),
        ("0.0,,", "12345678", "12.3"),
        ("[Red]0.0", "1.26", "1.3"),
        ("0.00E+00", "12345", "1.23E+04"),
        ("000-000", "123456", "123-456"),
        ("General", "380501234501", "380501234501"),
        ("General", "0.30000000000000004", "0.3"),
        ("General", "-0.5", "-0.5"),
        ("@", "0042", "42"),
        ("Основной", "380501234501", "380501234501"),
        ("Загальний", "0.5", "0.5"),
        ("Standard", "42", "42"),
        ("0 грн", "150", "150 грн"),
    ],
)
def test_numbers(code, written, text):
    assert shown(code, written) == (text, True)


@pytest.mark.parametrize(
    ("language", "code", "written", "text"),
    [
        ("uk", '#,##0.00 "₴"', "1234.5", "1 234,50 ₴"),
        ("uk", "General", "12.5", "12,5"),
        ("uk", "@", "12.5", "12,5"),
        ("uk", "0.0%", "0.125", "12,5%"),
        ("uk", "#,##0", "-1234567", "-1 234 567"),
        ("uk", "0.00E+00", "12345", "1,23E+04"),
        ("uk", '"v. 1,"0.0', "2.5", "v. 1,2,5"),
        ("uk", "# ##0.0# грн.", "1234.5", "1 234,5 грн."),
        ("pl", "#,##0.00 [$zł-415]", "1234.5", "1 234,50 zł"),
        ("de", "#,##0.00", "1234567.5", "1.234.567,50"),
        ("de", "#,##0.##", "1234.5", "1.234,5"),
        ("en", "#,##0.00", "1234.5", "1,234.50"),
    ],
)
def test_numbers_have_the_marks_of_the_reader(language, code, written, text):
    with translation.override(language):
        assert shown(code, written) == (text, True)


@pytest.mark.django_db
def test_grouped_phone_number_is_taken_in_every_language():
    campaign = Campaign.objects.create(name="Spring sale")
    rows = [(380671112233, "#,##0.00"), (12.5, "0.0")]
    with translation.override("uk"):
        import_recipients(campaign, sheet_of([("phone", None), ("sum", None)], rows))

    assert campaign.messages.values_list("phone_number", "variables").get() == ("380671112233", {"sum": "12,5"})


@pytest.mark.parametrize(
    ("code", "written", "text"),
    [
        ("dd.mm.yyyy", "46361", "05.12.2026"),
        ("dd.mm.yyyy hh:mm", "46361.60416666666", "05.12.2026 14:30"),
        ("ДД.ММ.ГГГГ", "46361", "05.12.2026"),
        ("дд.мм.гггг чч:мм", "46361.60416666666", "05.12.2026 14:30"),
        ("дд.мм.рррр гг:хх:сс", "46361.60416666666", "05.12.2026 14:30:00"),
        ("TT.MM.JJJJ", "46361", "05.12.2026"),
        ("dd.mm.rrrr", "46361", "05.12.2026"),
        ("d/m/yy", "46361", "5/12/26"),
        ("yyyy-mm-dd", "46361", "2026-12-05"),
        ("[$-409]d mmm yyyy", "46361", "5 Dec 2026"),
        ("hh:mm", "0.3958333333333333", "09:30"),
        ("h:mm AM/PM", "0.75", "6:00 PM"),
        ("[h]:mm", "1.5", "36:00"),
        ("mm:ss", "0.0007175925925925926", "01:02"),
        ("mm:ss.0", "0.000017361111", "00:01.5"),
        ("m/d/yyyy h:mm", "46361.99999999", "12/6/2026 0:00"),
        (20, "0.5", "12:00"),
        (21, "0.5", "12:00:00"),
    ],
)
def test_dates_and_times(code, written, text):
    assert shown(code, written) == (text, True)


@pytest.mark.parametrize(
    ("code", "written", "text"),
    [
        (14, "46361", "05.12.2026"),
        (22, "46361.5", "05.12.2026 12:00"),
        (12, "0.5", "0.5"),
        ("# ?/?", "0.5", "0.5"),
        ("[>5]0", "3", "3"),
        ("mmm yy", "46361", "Dec 26"),
        ("dd.mm.yyyy", "60", "01.03.1900"),
        ("dd.mm.yyyy", "99999999", "99999999"),
        ("General", "12345678901234567", "12345678901234567"),
        ("0.00", "nan", "nan"),
    ],
)
def test_what_may_be_shown_otherwise_is_marked(code, written, text):
    assert shown(code, written) == (text, False)


def test_dates_can_be_counted_from_1904():
    assert find_format("dd.mm.yyyy", has_1904_dates=True).show("44899").text == "05.12.2026"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("value", "code"),
    [
        (380671112233, "General"),
        (380671112233, "#,##0"),
        (380671112233, "0.00E+00"),
        (671112233, "0000000000"),
        (671112233, '"+380"000000000'),
        (671112233, "(000) 000-00-00"),
    ],
)
def test_a_phone_number_is_taken_whatever_its_format(value, code):
    campaign = Campaign.objects.create(name="Spring sale")

    import_recipients(campaign, sheet_of([("phone", None)], [(value, code)]))

    assert campaign.messages.get().phone_number == "380671112233"


def sheet_of(*rows):
    book = openpyxl.Workbook()
    for number, row in enumerate(rows, start=1):
        for place, (value, code) in enumerate(row, start=1):
            cell = book.active.cell(number, place, value)
            cell.number_format = code or "General"
    file = io.BytesIO()
    book.save(file)
    return file


def test_values_keep_the_format_of_their_cell_not_of_their_column():
    header = [("phone", None), ("a", None), ("b", None)]
    rows = [[("1", None), (5, "000"), (date(2026, 1, 2), "d.mm.yy")], [("2", None), (5, "0.0"), (time(9, 5), "h:mm")]]

    assert [list(row.values()) for _number, row in read_rows(sheet_of(header, *rows))] == [
        ["1", "005", "2.01.26"],
        ["2", "5.0", "9:05"],
    ]


def test_columns_that_may_be_shown_otherwise_are_named():
    notes = ReadNotes()
    file = sheet_of([("phone", None), ("half", None), ("day", None)], [("1", None), (0.5, "# ?/?"), (1, "0")])

    assert list(read_rows(file, notes=notes))
    assert notes.inexact_columns == ["half"]


def test_error_values_booleans_and_parts_of_dates():
    file = sheet_of(
        [("phone", None), ("a", None)], [(True, None), ("#DIV/0!", None)], [(date(2026, 1, 2), "yyyy"), ("x", None)]
    )

    assert [row for _number, row in read_rows(file)] == [{"phone": "TRUE", "a": ""}, {"phone": "2026", "a": "x"}]

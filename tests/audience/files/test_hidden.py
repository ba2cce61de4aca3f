"""What arrives is what the sheet shows: hidden rows and columns are left out, and named."""

from __future__ import annotations

import io

import openpyxl
import pytest

from django_hyber.audience.files.file_type import ReadNotes
from django_hyber.audience.files.reading import read_rows
from django_hyber.services import UnreadableFileError

ROWS = [
    ["phone", "name", "price", "note", "city"],
    ["0671112233", "Olena", "100", "our own", "Kyiv"],
    ["0671112244", "Petro", "200", "", "Lviv"],
]


@pytest.fixture
def sheet():
    sheet = openpyxl.Workbook().active
    for row in ROWS:
        sheet.append(row)
    return sheet


def read(sheet):
    file = io.BytesIO()
    sheet.parent.save(file)
    notes = ReadNotes()
    return [values for _number, values in read_rows(file, notes=notes)], notes


def hide_one(sheet):
    sheet.column_dimensions["D"].hidden = True


def hide_group(sheet):
    sheet.column_dimensions.group("D", "D", hidden=True)


def hide_two_apart(sheet):
    sheet.column_dimensions["B"].hidden = sheet.column_dimensions["D"].hidden = True


def hide_everything_to_the_right(sheet):
    sheet.column_dimensions.group("C", "XFD", hidden=True)


def hide_nothing(sheet):
    sheet.column_dimensions["D"].width = 3


@pytest.mark.parametrize(
    ("hide", "shown", "hidden"),
    [
        (hide_nothing, ["phone", "name", "price", "note", "city"], []),
        (hide_one, ["phone", "name", "price", "city"], ["D"]),
        (hide_group, ["phone", "name", "price", "city"], ["D"]),
        (hide_two_apart, ["phone", "price", "city"], ["B", "D"]),
        (hide_everything_to_the_right, ["phone", "name"], ["C", "D", "E"]),
    ],
)
def test_hidden_columns_are_left_out_and_named_by_their_letters(sheet, hide, shown, hidden):
    hide(sheet)
    rows, notes = read(sheet)

    assert [list(row) for row in rows] == [shown] * 2
    assert rows[0] == {name: value for name, value in zip(*ROWS[:2], strict=True) if name in shown}
    assert notes.hidden_columns == hidden


def test_hidden_columns_without_values_are_not_worth_a_word(sheet):
    sheet.column_dimensions.group("F", "XFD", hidden=True)
    _rows, notes = read(sheet)

    assert notes.hidden_columns == []


def test_names_of_later_columns_are_those_of_the_spreadsheet(sheet):
    for letters in ("Z", "AA", "ABC"):
        sheet[f"{letters}2"] = "x"
        sheet.column_dimensions[letters].hidden = True
    _rows, notes = read(sheet)

    assert notes.hidden_columns == ["Z", "AA", "ABC"]


def test_sheet_with_nothing_but_hidden_columns_is_empty(sheet):
    sheet.column_dimensions.group("A", "E", hidden=True)

    with pytest.raises(UnreadableFileError, match="empty"):
        read(sheet)


def test_error_of_a_file_without_a_phone_column_names_the_hidden_ones(sheet, db):
    from django_hyber.models import Campaign
    from django_hyber.services import import_recipients

    sheet.column_dimensions["A"].hidden = True
    file = io.BytesIO()
    sheet.parent.save(file)

    with pytest.raises(UnreadableFileError, match="hidden in the sheet and are left out: A"):
        import_recipients(Campaign.objects.create(name="Sale"), file)

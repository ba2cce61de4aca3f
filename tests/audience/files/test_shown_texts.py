"""Text cells of a sheet, as their formats show them."""

from __future__ import annotations

import io

import openpyxl
import pytest

from django_hyber.audience.files.file_type import ReadNotes
from django_hyber.audience.files.reading import read_rows
from django_hyber.audience.files.shown_values import find_text_format
from django_hyber.models import Campaign
from django_hyber.services import import_recipients
from tests.audience.files.test_shown_values import sheet_of, shown


def read(value, code):
    """Return the value of a text cell, and whether its column may be shown otherwise."""
    notes = ReadNotes()
    rows = list(read_rows(sheet_of([("phone", None), ("a", None)], [("1", None), (value, code)]), notes=notes))
    return rows[0][1]["a"], bool(notes.inexact_columns)


@pytest.mark.parametrize(
    ("code", "shown_text"),
    [
        ('"пані "@', "пані Олена"),
        ("пані @", "пані Олена"),
        ('0;-0;0;"пані "@', "пані Олена"),
        ('0.00;"Dear "@', "Dear Олена"),
        ('[Red]"пані "@', "пані Олена"),
        ("# ?/?;@\\!", "Олена!"),
        ('@" ("@")"', "Олена (Олена)"),
        ('0;0;0;"hidden"', "hidden"),
        (";;;", ""),
        ("@", "Олена"),
        ("General", "Олена"),
        ("0.00", "Олена"),
        ('"$"0', "Олена"),
        ("dd.mm.yyyy;@", "Олена"),
        ("[$-F800]dddd, mmmm dd, yyyy;@", "Олена"),
        ('_-* #,##0.00 _₴_-;-* #,##0.00 _₴_-;_-* "-"?? _₴_-;_-@_-', "Олена"),
        ("[>100]0;0", "Олена"),
    ],
)
def test_text_arrives_as_its_format_shows_it(code, shown_text):
    assert read("Олена", code) == (shown_text, False)


def test_column_is_marked_if_the_format_of_its_texts_is_not_known():
    assert read("Олена", "dd@") == ("Олена", True)


@pytest.mark.parametrize("value", ["-", "#N/A", "NULL"])
def test_what_means_no_value_gets_no_text_beside_it(value):
    assert read(value, '"пані "@') == ("", False)


@pytest.mark.parametrize(
    ("code", "value", "phone"),
    [
        ('"+48 "@', "501234567", "48501234567"),
        ("\\+48\\ @", "501234567", "48501234567"),
        ('"+380"@', "501234567", "380501234567"),
        ('"тел. "@', "0501234567", "380501234567"),
        ('"тел. "@', "'+380501234567", "380501234567"),
        ("@", "0501234567", "380501234567"),
    ],
)
@pytest.mark.django_db
def test_number_is_the_one_that_the_sheet_shows(code, value, phone):
    campaign = Campaign.objects.create(name="Spring sale")

    import_recipients(campaign, sheet_of([("phone", None)], [(value, code)]))

    assert campaign.messages.get().phone_number == phone


@pytest.mark.parametrize("kind", ["inlineStr", "str"])
def test_text_that_is_not_shared_is_shown_by_its_format_as_well(kind):
    book = openpyxl.load_workbook(sheet_of([("phone", None), ("a", None)], [("1", None), ("Олена", '"пані "@')]))
    cell = book.active["B2"]
    cell.value, cell.data_type = ("Олена", "inlineStr") if kind == "inlineStr" else ("Олена", "str")
    file = io.BytesIO()
    book.save(file)

    assert next(read_rows(file))[1]["a"] == "пані Олена"


@pytest.mark.parametrize(
    ("code", "written", "text"), [("0;@", "-5", "-5"), ("0.00;-0.00;@", "0", "0.00"), ("@", "7", "7")]
)
def test_section_for_texts_is_none_for_numbers(code, written, text):
    assert shown(code, written).text == text


@pytest.mark.parametrize("code", [0, 49, "", "@", "_(@_)"])
def test_format_that_adds_nothing_is_none(code):
    assert find_text_format(code) is None

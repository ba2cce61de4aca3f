"""Files that attack: bombs, broken archives, and whatever chance makes of good ones."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
import zipfile

import pytest

from django_hyber.audience.files.file_type import ReadNotes
from django_hyber.audience.files.reading import read_rows, recognize
from django_hyber.services import UnreadableFileError
from tests.audience.files.hostile import MAIN, MOST_SECONDS, ROWS, packed, parts

ROUNDS = int(os.environ.get("HYBER_FUZZ", "300"))


def read(content):
    """Return the rows, or the message of the error; anything else that is raised fails the test."""
    file = io.BytesIO(content)
    try:
        return list(read_rows(file, recognize(file), notes=ReadNotes()))
    except UnreadableFileError as error:
        return " ".join(error.messages)


def test_the_workbook_that_the_others_are_made_of_is_read():
    assert read(packed(parts())) == [(2, {"phone": "380671112233", "name": "Olena"})]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit the memory of a process")
def test_no_file_that_chance_makes_breaks_the_reading_keeps_it_busy_or_fills_the_memory(chance):
    program = [sys.executable, "-m", "tests.audience.files.hostile", str(ROUNDS), str(chance.randrange(1_000_000))]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert sum(map(int, re.findall(r"(\d+) (?:read|refused)", ended.stdout))) == ROUNDS


def encrypted():
    content = bytearray(packed(parts()))
    place = content.rfind(b"PK\x01\x02")
    while place >= 0:
        content[place + 8] |= 1
        place = content.rfind(b"PK\x01\x02", 0, place)
    return bytes(content)


def wrong_check_sum():
    content = bytearray(packed(parts()))
    place = content.find(b"PK\x01\x02")
    while place >= 0:
        content[place + 16] ^= 255
        place = content.find(b"PK\x01\x02", place + 4)
    return bytes(content)


def archive_of(**contents):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name.replace("_xml", ".xml").replace("_csv", ".csv"), text)
    return file.getvalue()


ENTITIES = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
BOMB = f'<!DOCTYPE x [<!ENTITY e0 "lol">{ENTITIES}]>'
SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (packed(parts())[:-30], "cannot be read"),
        (packed(parts())[:400], "cannot be read"),
        (wrong_check_sum(), "cannot be read"),
        (encrypted(), "has a password"),
        (
            packed(parts(), **{SHEET: f"{BOMB}<worksheet xmlns='{MAIN}'><sheetData>&e9;</sheetData></worksheet>"}),
            "cannot",
        ),
        (packed(parts(), **{"xl/workbook.xml": f"{BOMB}<workbook>&e9;</workbook>"}), "cannot be read"),
        (packed(parts(), **{"xl/workbook.xml": f"<workbook xmlns='{MAIN}'/>"}), "no visible sheet"),
        (packed(parts(), **{SHEET: "<worksheet/>"}), "cannot be read"),
        (packed(parts(rows='<row r="1"><c r="A1" t="s"><v>99</v></c></row>')), "cannot be read"),
        (packed(parts(rows='<row r="1"><c r="A1" t="s"><v>-1</v></c></row>')), "cannot be read"),
        (packed(parts(rows='<row r="1"><c r="A1" t="s"><v>x</v></c></row>')), "cannot be read"),
        (packed(parts(rows='<row r="2"/><row r="1"/>')), "cannot be read"),
        (packed(parts(rows='<row r="2000000"><c><v>1</v></c></row>')), "cannot be read"),
        (
            archive_of(content_xml="<office/>", mimetype="application/vnd.oasis.opendocument.spreadsheet"),
            "OpenDocument",
        ),
        (archive_of(people_csv="phone\n"), "ZIP archive"),
        (b"PK\x05\x06" + b"\x00" * 18, "ZIP archive"),
        (b"\xd0\xcf\x11\xe0" + b"\x00" * 600 + "EncryptedPackage".encode("utf-16-le"), "has a password"),
        (b"\xef\xbb\xbf <!DOCTYPE html><table><tr><td>phone</td></tr></table>", "web page"),
        (b"<table><tr><td>phone</td></tr></table>", "web page"),
        (b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>', "XML file"),
    ],
)
def test_a_broken_file_is_refused_with_a_reason(content, words):
    assert words in read(content)


@pytest.mark.parametrize(
    "columns",
    ['<col min="-300000000" max="5" hidden="1"/>', '<col min="1" max="9999" hidden="1"/>' * 52_000],
    ids=["before the first", "again and again"],
)
def test_hidden_columns_without_end_cost_nothing(columns):
    sheet = f'<worksheet xmlns="{MAIN}"><cols>{columns}</cols><sheetData>{ROWS}</sheetData></worksheet>'
    started = time.process_time()
    read(packed(parts(), **{"xl/worksheets/sheet1.xml": sheet}))

    assert time.process_time() - started < MOST_SECONDS / 5


@pytest.mark.parametrize("name", ["xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml"])
def test_a_comment_of_megabytes_costs_nothing(name):
    content = parts()
    beginning, end = content[name].split(">", 1)
    started = time.process_time()
    read(packed({**content, name: f"{beginning}><!--{'x' * 15_000_000}-->{end}"}))

    assert time.process_time() - started < MOST_SECONDS / 5


def test_a_cell_at_the_last_corner_costs_nothing():
    rows = '<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c></row>'
    rows += '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    started = time.process_time()

    assert [number for number, _row in read(packed(parts(rows=rows)))] == [1_048_576]
    assert time.process_time() - started < 1


# Made in the test: every process of a run reads this file, and would keep hundreds of megabytes to its end.
@pytest.mark.parametrize(
    ("before", "piece", "times", "after"),
    [
        ("<row>", "<c/>", 10_000_000, "</row>"),
        ("", "<row/>", 10_000_000, ""),
        ('<row><c t="inlineStr"><is><t>', "x", 40_000_000, "</t></is></c></row>"),
        ("<row><c><v>", "<a>", 3_000_000, ""),
        ("<row ", " ", 40_000_000, "/>"),
    ],
    ids=["cells", "rows", "a text", "depth", "a tag"],
)
def test_a_small_file_that_unpacks_to_a_large_one_is_given_up_early(before, piece, times, after):
    content = packed(parts(rows=ROWS + before + piece * times + after))
    started = time.process_time()

    assert isinstance(read(content), str)
    assert time.process_time() - started < MOST_SECONDS


def test_a_text_that_many_cells_share_counts_at_each_use():
    cells = '<c t="s"><v>0</v></c>' * 16_000
    content = packed(parts(rows=f"<row>{cells}</row>", strings=f"<si><t>{'x' * 32_000}</t></si>"))

    assert "too large" in read(content)


def test_a_directory_that_lies_about_its_length_is_refused():
    content = bytearray(packed(parts()))
    place = content.rfind(b"PK\x05\x06")
    content[place + 12 : place + 16] = (50_000_000).to_bytes(4, "little")

    assert "too large" in read(bytes(content))


def test_blank_lines_without_end_are_an_error_that_names_their_place():
    assert "From line 3 on" in read(b"phone\n0671112233\n" + b"\n" * 1_500_000)


@pytest.mark.parametrize(
    ("before", "piece", "times"),
    [
        ("phone", ",x", 5_000_000),
        ('"', "x\n", 5_000_000),
        ("phone,name\n", '"a\n",', 3_000_000),
        ("phone;", ";".join(f"c{number}" for number in range(40_000)), 1),
        ("", "\n", 20_000_000),
        ("phone,name\n", ",", 20_000_000),
    ],
    ids=["a line", "a value", "a row", "a header", "blank lines", "commas"],
)
def test_a_text_without_end_is_given_up_early(before, piece, times):
    content = (before + piece * times).encode()
    started = time.process_time()

    assert isinstance(read(content), str)
    assert time.process_time() - started < MOST_SECONDS

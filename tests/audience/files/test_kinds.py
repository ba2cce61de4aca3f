"""Five files of each kind that people have trouble with, beside those in ``inputs``: what is right comes of each."""

from __future__ import annotations

import io
import unicodedata
from datetime import date, datetime, time

import openpyxl
import pytest

from django_hyber.models import Campaign
from django_hyber.protocol import SMS
from django_hyber.services import UnreadableFileError, import_recipients

pytestmark = pytest.mark.django_db(transaction=True)

NUMBER = "380671112233"
OLENA = [(NUMBER, "Olena")]


@pytest.fixture
def campaign():
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([SMS(text="Hi %name%", alpha_name="GMSU", ttl=300)])
    return campaign


def people(campaign, content, **options):
    """Import the file, and return the number and the name of each recipient."""
    content = content if isinstance(content, bytes) else content.encode()
    import_recipients(campaign, io.BytesIO(content), **options)
    return [(message.phone_number, message.variables["name"]) for message in campaign.messages.order_by("phone_number")]


def workbook(*rows, formats=()):
    """A sheet of these rows; ``formats`` are the number formats of the cells B2, B3 and so on."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for row, written in enumerate(formats, start=2):
        book.active.cell(row, 2).number_format = written
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\nphone;name\n0671112233;Olena\n",
        'SEP=,\r\nphone,name\r\n0671112233,"Olena"\r\n',
        "\ufeffsep=\t\nphone\tname\n0671112233\tOlena\n",
        '"sep=|"\nphone|name\n0671112233|Olena\n',
        "sep=;;\nphone;name\n0671112233;Olena\n",
    ],
)
def test_line_about_the_separator_is_no_header(campaign, content):
    assert people(campaign, content) == OLENA


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff\ufeffphone;name\n0671112233;Olena\n",
        "\ufeff\ufeff\ufeffphone,name\n0671112233,Olena\n",
        '\ufeff\ufeff"phone","name"\n"0671112233","Olena"\n',
        "\ufeff\ufeffname\tphone\nOlena\t0671112233\n",
        "\ufeff\ufeffсписок\nphone;name\n0671112233;Olena\n",
    ],
)
def test_repeated_byte_order_mark_is_no_part_of_the_header(campaign, content):
    assert people(campaign, content) == OLENA


@pytest.mark.parametrize(
    "content",
    [
        "phone|name\n0671112233|Olena\n",
        "name|phone|city\nOlena|0671112233|Kyiv, centre\n",
        '"phone"|"name"\n"0671112233"|"Olena"\n',
        "phone|name|\n0671112233|Olena|\n",
        "phone|name\r\n0671112233|Olena\r\n|\r\n",
    ],
)
def test_vertical_bars_separate_columns(campaign, content):
    assert people(campaign, content) == OLENA


@pytest.mark.parametrize(
    "content",
    [
        "Клієнти за листопад\nphone;name\n0671112233;Olena\n",
        "Report 2026\n\nphone,name\n0671112233,Olena\n",
        "Магазин;;\nДата;29.11.2026;\nтелефон;name;місто\n0671112233;Olena;Київ\n",
        "Customers\tNovember\t\nphone\tname\tcity\n0671112233\tOlena\tKyiv\n",
        '"Звіт ""Клієнти"""\nмобільний;name\n0671112233;Olena\n',
    ],
)
def test_title_rows_above_the_header_are_skipped(campaign, content):
    assert people(campaign, content) == OLENA


@pytest.mark.parametrize("nothing", ["NULL", "N/A", "#N/A", "-", "\u00a0", "  ", "n/a", "null"])
def test_marks_for_no_value_are_no_values(campaign, nothing):
    assert people(campaign, f"phone;name;city\n0671112233;{nothing};Kyiv\n") == [(NUMBER, "")]


@pytest.mark.parametrize(
    "written",
    [" Olena", "Olena \t", "\u00a0Olena\u00a0", "\u2007Olena", "\u200bOlena\u200b", "Ole\u00adna", "\u2068Olena\u2069"],
)
def test_values_are_trimmed_and_rid_of_invisible_marks(campaign, written):
    assert people(campaign, f"phone;name\n0671112233;{written}\n") == OLENA


@pytest.mark.parametrize("name", ["Андрій", "Ївга", "Йосип", "Юрій", "Zoë"])
def test_decomposed_letters_are_composed(campaign, name):
    decomposed = unicodedata.normalize("NFD", name)
    assert decomposed != name

    assert people(campaign, f"phone;name\n0671112233;{decomposed}\n") == [(NUMBER, name)]


@pytest.mark.parametrize(
    "rest",
    [
        '"Olena\n0671112244;Petro\n',
        'Olena "Lena\n0671112244;"Petro\n0671112255;Ivan\n',
        '"Olena\n0671112244;Petro\n0671112255;"Ivan"\n',
        '"Olena;\n0671112244;Petro\n0671112255;Ivan;\n',
        '"\n0671112244;Petro\n0671112255;Ivan\n0671112266;Iryna"\n',
    ],
)
def test_stray_quotation_mark_swallows_nobody(campaign, rest):
    """Either everybody is there, or the file is refused with the line."""
    content = f"phone;name\n0671112233;{rest}"
    try:
        found = people(campaign, content)
    except UnreadableFileError as error:
        problem = " ".join(error.messages)
    else:
        problem = "" if len(found) == content.count("06711122") else "somebody is missing"
    assert problem == "" or "line" in problem
    assert not problem or not campaign.messages.exists()


@pytest.mark.parametrize(
    "content",
    [
        "<html><body><table><tr><td>phone</td></tr></table>",
        "<!DOCTYPE html>\n<html>",
        "\r\n<table border=1><tr><td>0671112233</td></tr></table>",
        "<HTML><HEAD><META charset=utf-8></HEAD>",
        '\ufeff<html xmlns:x="urn:schemas-microsoft-com:office:excel">',
    ],
)
def test_web_page_under_the_name_of_a_table_is_refused(campaign, content):
    with pytest.raises(UnreadableFileError, match="web page"):
        people(campaign, content)


@pytest.mark.parametrize(
    ("value", "written", "shown"),
    [
        (42, "0000", "0042"),
        (34.3, '"$"0.00', "$34.30"),
        (0.2, "0%", "20%"),
        (0.125, "0.0%", "12.5%"),
        (1234.5, "#,##0.00", "1,234.50"),
        (7, "@", "7"),
        (date(2026, 12, 5), "dd.mm.yyyy", "05.12.2026"),
        (datetime.fromisoformat("2026-12-05T14:30"), "dd.mm.yyyy hh:mm", "05.12.2026 14:30"),
        (time(9, 30), "hh:mm", "09:30"),
        (datetime.fromisoformat("2026-12-05"), "yyyy-mm-dd", "2026-12-05"),
        (date(2026, 12, 5), "d/m/yy", "5/12/26"),
        (123456789012345, "0", "123456789012345"),
    ],
)
def test_values_of_a_sheet_arrive_as_it_shows_them(campaign, value, written, shown):
    content = workbook(["phone", "name"], ["0671112233", value], formats=[written])

    assert people(campaign, content) == [(NUMBER, shown)]


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "koi8-u", "mac-cyrillic", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("name", ["Олександра", "Григорій", "Світлана", "Богдан", "Наталія"])
def test_file_in_an_old_encoding_is_read_or_asked_about_and_never_garbled(campaign, encoding, name):
    content = f"phone;name;місто\n0671112233;{name};Київ\n"
    try:
        encoded = content.encode(encoding)
    except UnicodeEncodeError:
        # Code page 866 has no "і"; Ukrainian programs write it as a Latin one.
        encoded = content.replace("і", "i").encode(encoding)
        name = name.replace("і", "i")
    try:
        found = people(campaign, encoded)
    except UnreadableFileError:
        assert not campaign.messages.exists()
    else:
        assert found == [(NUMBER, name)]


@pytest.mark.parametrize(
    "written",
    [
        *("8 067 111 22 33", "8(067)111-22-33", "80671112233", "8-067-1112233", "8 (067) 111 22 33"),
        *("tel:+380671112233", "tel:0671112233", "TEL:+38-067-111-22-33", "tel:+380-67-111-2233", "tel:380671112233"),
        *('="0671112233"', '="+380671112233"', '="380671112233"', '="8 067 111 22 33"', '="067 111 22 33"'),
        *("3.80671112233E+11", "3,80671112233E+11", "3.80671112233e11", "3.80671112233E11", "3.80671112233e+11"),
    ],
)
def test_number_is_read_as_people_and_spreadsheets_write_it(campaign, written):
    cell = '"' + written.replace('"', '""') + '"'

    assert people(campaign, f"phone;name\n{cell};Olena\n") == OLENA


@pytest.mark.parametrize(
    "written",
    [
        *("38671112233", "3867111223", "671112233x", "6465551234", "38951234567"),
        *("3.80671E+11", "3.8E+11", "3,8067E+11", "3.806711122E+11", "3.80671112E+11"),
        *("0443334455", "+380443334455", "044 333 44 55", "(044) 333-44-55", "0322445566"),
        *("0800123456", "+380800123456", "0 800 123 456", "0900123456", "+380900123456"),
    ],
)
def test_number_that_may_be_somebody_elses_or_no_mobile_is_left_out(campaign, written):
    assert people(campaign, f'phone;name\n"{written}";Olena\n') == []

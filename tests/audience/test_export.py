from __future__ import annotations

import csv
import errno
import io
import os
import re
import sys
import tempfile
import threading
import tracemalloc
from datetime import UTC, datetime

import openpyxl
import pytest
from django.core.management import CommandError
from django.db import connection
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_hyber.audience import export as exporting
from django_hyber.audience.files.cells import FORMULA, clean_value, protect
from django_hyber.audience.files.xlsx_file import XlsxFile
from django_hyber.jobs.work import JobLostError
from django_hyber.management.commands import hyber_export
from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS
from django_hyber.reconcile.report_queries import NO_REPORT
from django_hyber.services import (
    ExportError,
    apply_delivery_reports,
    export_recipients,
    import_recipients,
    purge_personal_data,
)
from tests.management.test_commands import run
from tests.samples import phone, report

pytestmark = pytest.mark.django_db

EARLIER, LATER = 1_700_000_000_000, 1_700_000_060_000
MESSAGES = "/admin/django_hyber/message/"
FORMULA_NAME = "=cmd|'/c calc'!A0"
NASTY = [
    FORMULA_NAME,
    "+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "\uff1d1",
    "'=1",
    "''=1",
    "'quoted'",
    "O'Neil",
    "Olena; =1",
    "Olena;=1+1",
    "Olena|=1+1",
    'x;"=1+1"',
    "x,\t'@SUM(A1)",
    "x\n=1",
    "x\r\n\uff0b1",
    ",;\t\n'-1",
    ";'=1",
    '="0042"',
    ";''=1;'a",
    '"=1',
    "Lviv, Kyiv; Odesa",
    'say "=1", twice',
    "two\r\nlines\rand\nmore",
    "  spaces around  ",
    "_x0041_",
    "\x01\x1f",
    "<b>&amp;</b>",
    "00420",
    "1E5",
    "2024-01-01",
    "TRUE",
    "Оленка 🌻",
    "",
]


@pytest.fixture
def campaign():
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([SMS(text="Hi %name%", alpha_name="GMSU", ttl=300)])
    return campaign


def export(campaign, format="csv", separator=","):  # noqa: A002
    return b"".join(export_recipients(campaign, format, separator=separator))


def rows_of(content):
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def cells_of(content):
    return list(openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows())


def recipients(campaign):
    return list(campaign.messages.order_by("pk").values_list("phone_number", "variables"))


def trimmed(rows):
    return [(number, clean_value(values["name"])) for number, values in rows]


def imported_again(campaign, format, separator=","):  # noqa: A002
    other = Campaign.objects.create(name="Again")
    # Names that chance makes may look garbled.
    result = import_recipients(other, io.BytesIO(export(campaign, format, separator)), encoding="utf-8")
    assert result.accepted == result.total == campaign.messages.count()
    return recipients(other)


def test_row_tells_phone_variables_and_outcome(campaign):
    import_recipients(campaign, [{"phone": phone(1), "name": "Olena", "town": "Lviv"}])
    apply_delivery_reports([report(campaign.messages.get(), total_sms_parts=3, delivered_sms_parts=2, clicks=4)])
    moment = datetime(2024, 7, 1, 9, 30, tzinfo=UTC)
    Message.objects.update(accepted_at=moment, finished_at=moment)

    assert rows_of(export(campaign)) == [
        {
            "phone": f"'+{phone(1)}",
            "Phone digits (Hyber)": phone(1),
            "name": "Olena",
            "town": "Lviv",
            "Status (Hyber)": "delivered",
            "Channel (Hyber)": "SMS",
            "Also delivered by (Hyber)": "",
            "Error code (Hyber)": "",
            "Error text (Hyber)": "",
            "Accepted at (Hyber)": "2024-07-01 12:30:00+03:00",
            "Finished at (Hyber)": "2024-07-01 12:30:00+03:00",
            "Clicks (Hyber)": "4",
            "SMS parts (Hyber)": "3",
            "Delivered SMS parts (Hyber)": "2",
        }
    ]


def test_message_that_two_channels_delivered_names_both(campaign):
    import_recipients(campaign, [{"phone": phone(1)}])
    message = campaign.messages.get()
    apply_delivery_reports(
        [report(message, sent_via="sms", time=LATER), report(message, sent_via="viber", time=EARLIER)]
    )
    [row] = rows_of(export(campaign))

    assert (row["Channel (Hyber)"], row["Also delivered by (Hyber)"]) == ("Viber", "SMS")


def test_failure_has_its_code_and_what_it_means(campaign):
    import_recipients(campaign, [{"phone": phone(1)}, {"phone": phone(2)}])
    first, second = campaign.messages.order_by("pk")
    apply_delivery_reports([report(first, status=3, substatus=35, hyber_status=35015)])
    Message.objects.filter(pk=second.pk).update(status="rejected", error_code=36024, error_text="No such number")
    expired, rejected = rows_of(export(campaign))

    assert (expired["Status (Hyber)"], expired["Error code (Hyber)"]) == ("expired", "35015")
    assert expired["Error text (Hyber)"]
    assert rejected["Error text (Hyber)"] == "No such number"


@pytest.mark.parametrize("language", ["en", "uk"])
def test_reason_is_told_in_the_words_of_the_admin(campaign, admin_client, language):
    """Our own reason, the platform's documented text, one of its own, and a code alone."""
    texts = [("undelivered", None, NO_REPORT), ("rejected", 36024, "Phone number incorrect")]
    texts += [("rejected", 36024, "Because."), ("expired", 35015, "")]
    import_recipients(campaign, [{"phone": phone(number)} for number in range(len(texts))])
    for message, (status, code, text) in zip(campaign.messages.order_by("pk"), texts, strict=True):
        Message.objects.filter(pk=message.pk).update(status=status, error_code=code, error_text=text)
    with translation.override(language):
        exported = [list(row.values())[6] for row in rows_of(export(campaign))]
        page = admin_client.get(MESSAGES, headers={"accept-language": language}).content.decode()
    shown = re.findall(r'class="field-problem">(.*?)</td>', page)[::-1]

    assert [reason for reason, cell in zip(exported, shown, strict=True) if reason in cell] == exported
    assert (exported[0] == NO_REPORT) is (language == "en")
    assert exported[2] == "Because."


def test_spreadsheets_recognize_the_encoding_of_a_csv_file(campaign):
    import_recipients(campaign, [{"phone": phone(1), "name": "Олена"}])
    content = export(campaign)

    assert content.startswith(b"\xef\xbb\xbf")
    assert rows_of(content)[0]["name"] == "Олена"


dialects = pytest.mark.parametrize("separator", [",", ";"], ids=["commas", "semicolons"])


def cells_for(content, separator):
    rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator)
    return [cell for row in rows for cell in row]


def formulas_in(content):
    """The cells that a spreadsheet could evaluate, whichever separator it expects."""
    cells = [cell for separator in ",;\t|" for cell in cells_for(content, separator)]
    return [cell for cell in cells if cell.strip()[:1] in {*"=+-@\uff1d\uff0b\uff0d\uff20"}]


@dialects
def test_no_cell_of_a_csv_file_is_a_formula(campaign, separator):
    import_recipients(campaign, [{"phone": phone(1)}])
    # One after the other: a quotation mark could hide what follows it.
    for name in NASTY:
        Message.objects.update(variables={"name": name}, error_text="=1+1")

        content = export(campaign, separator=separator)
        assert formulas_in(content) == [], name
        assert not [cell for cell in cells_for(content, separator) if cell[:1] in {*"\t\r\n"}], name


@dialects
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.sampled_from("'=+-@\t\r\n ,;|\"x\uff1d\u00a0"), max_size=12))
def test_no_value_becomes_a_formula_in_any_spreadsheet(campaign, name, separator):
    campaign.messages.all().delete()
    import_recipients(campaign, [{"phone": phone(1), "name": name}])

    assert formulas_in(export(campaign, separator=separator)) == []


def test_csv_for_excel_has_semicolons_and_cells_that_no_program_splits(campaign):
    import_recipients(campaign, [{"phone": phone(1), "name": "Lviv, Kyiv", "town": "a;b"}])
    content = export(campaign, separator=";")
    header, row = content.decode("utf-8-sig").splitlines()

    assert content.startswith(b"\xef\xbb\xbf")
    assert header.split(";")[:4] == ["phone", "Phone digits (Hyber)", "name", "town"]
    assert row.startswith(f'\'+{phone(1)};{phone(1)};"Lviv, Kyiv";"a;b";')


def test_other_programs_find_a_number_of_digits_only(campaign):
    import_recipients(campaign, [{"phone": phone(1)}, {"phone": "+48 501 234 567"}])

    assert [row["Phone digits (Hyber)"] for row in rows_of(export(campaign))] == [phone(1), "48501234567"]


def test_unknown_separator_is_refused(campaign):
    with pytest.raises(ValueError, match="separator is ',' or ';'"):
        export_recipients(campaign, separator="|")


def test_command_writes_semicolons_on_request(campaign, tmp_path):
    import_recipients(campaign, [{"phone": phone(1), "name": "Olena"}])
    run("hyber_export", str(campaign.pk), str(tmp_path / "people.csv"), "--separator", "semicolon")

    assert (tmp_path / "people.csv").read_text("utf-8-sig").startswith("phone;Phone digits (Hyber);name;")


def test_every_text_of_an_xlsx_file_is_a_text(campaign):
    import_recipients(campaign, [{"phone": phone(1), "name": FORMULA_NAME}])
    apply_delivery_reports([report(campaign.messages.get(), clicks=4)])
    header, row = cells_of(export(campaign, "xlsx"))
    values = {name.value: cell for name, cell in zip(header, row, strict=True)}

    assert (values["name"].value, values["name"].data_type) == (FORMULA_NAME, "s")
    assert (values["phone"].value, values["phone"].data_type) == (f"+{phone(1)}", "s")
    assert (values["Clicks (Hyber)"].value, values["Clicks (Hyber)"].data_type) == (4, "n")


@pytest.mark.parametrize(
    "name", ["<r>a & b</r>", "<r></r>", "_x0041_x0042_", "<r>_x0041_x0042_</r>", "{=1}", "http://x.y"]
)
def test_what_the_library_could_take_for_markup_or_a_formula_is_a_text(campaign, name):
    import_recipients(campaign, [{"phone": phone(1), "name": name}])

    assert imported_again(campaign, "xlsx") == recipients(campaign)


def test_xlsx_that_breaks_off_leaves_no_file_behind(campaign, monkeypatch, tmp_path):
    import_recipients(campaign, [{"phone": phone(1), "name": "Olena"}])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def stop(_done: int) -> None:
        raise JobLostError

    with pytest.raises(JobLostError):
        b"".join(export_recipients(campaign, "xlsx", progress=stop))
    assert list(tmp_path.iterdir()) == []


def test_xlsx_without_the_library_is_refused_with_a_cure(campaign, monkeypatch):
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)

    with pytest.raises(ExportError, match="the xlsx extra is not installed"):
        export_recipients(campaign, "xlsx")


kinds = pytest.mark.parametrize(("format", "separator"), [("csv", ","), ("csv", ";"), ("xlsx", ",")])


@kinds
def test_export_is_imported_again_unchanged_but_for_space_around_values(campaign, format, separator):  # noqa: A002
    import_recipients(campaign, [{"phone": phone(number), "name": name} for number, name in enumerate(NASTY)])
    apply_delivery_reports([report(message) for message in campaign.messages.all()])

    assert trimmed(imported_again(campaign, format, separator)) == trimmed(recipients(campaign))


@kinds
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(
        st.one_of(
            st.sampled_from("'=+-@\t\r\n _x0041;,|\""), st.characters(codec="utf-8", exclude_characters="\ufffe\uffff")
        ),
        max_size=12,
    )
)
def test_any_value_is_imported_again_unchanged_but_for_space_around_it(campaign, format, separator, name):  # noqa: A002
    Campaign.objects.exclude(pk=campaign.pk).delete()
    campaign.messages.all().delete()
    import_recipients(campaign, [{"phone": phone(1), "name": name}])

    assert trimmed(imported_again(campaign, format, separator)) == trimmed(recipients(campaign))


@kinds
@pytest.mark.parametrize("text", ["Ваш менеджер:\nОлена, 050 123 45 67", "Дзвоніть:\n0501234567; Олена\nЧекаємо"])
def test_text_of_several_lines_with_a_number_is_imported_again(campaign, format, separator, text):  # noqa: A002
    import_recipients(campaign, [{"phone": phone(number), "name": text} for number in range(3)])

    assert imported_again(campaign, format, separator) == recipients(campaign)


def test_csv_that_a_spreadsheet_has_made_a_table_of_is_imported_unchanged(campaign):
    import_recipients(campaign, [{"phone": phone(1), "name": FORMULA_NAME}])
    book = openpyxl.Workbook()
    for row in csv.reader(io.StringIO(export(campaign).decode("utf-8-sig"))):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    other = Campaign.objects.create(name="Again")
    import_recipients(other, file)

    assert recipients(other) == recipients(campaign)


@pytest.mark.parametrize("language", ["en", "uk"])
def test_outcome_never_becomes_a_variable(campaign, language):
    import_recipients(campaign, [{"phone": phone(1), "name": "Olena"}])
    with translation.override(language):
        content = export(campaign)
    other = Campaign.objects.create(name="Again")
    result = import_recipients(other, io.BytesIO(content))

    assert other.messages.get().variables == {"name": "Olena"}
    assert len(result.ignored_columns) == 11


def test_variable_called_phone_does_not_hide_the_number(campaign):
    import_recipients(campaign, [{"work": phone(1), "phone": "by day", "mobile": "at night"}], phone_column="work")

    assert imported_again(campaign, "csv") == [(phone(1), {"phone": "by day", "mobile": "at night"})]


def test_recipients_with_other_variables_have_an_empty_cell(campaign):
    import_recipients(campaign, [{"phone": phone(1), "name": "Olena"}])
    import_recipients(campaign, [{"phone": phone(2), "town": "Lviv"}])
    first, second = rows_of(export(campaign))

    assert (first["name"], first["town"]) == ("Olena", "")
    assert (second["name"], second["town"]) == ("", "Lviv")


def test_apostrophes_of_other_files_are_left_alone(campaign):
    file = io.BytesIO(f"phone,name\n{phone(1)},'Olena'\n{phone(2)},'=1\n".encode())
    import_recipients(campaign, file)

    assert [variables["name"] for _, variables in recipients(campaign)] == ["'Olena'", "=1"]


def test_formula_that_shows_a_text_is_read_as_that_text(campaign):
    file = io.BytesIO(f'phone;name;card\n="0{phone(1)[3:]}";="О""Ніл";="0042"\n{phone(2)};="a"&"b";="x\n'.encode())
    import_recipients(campaign, file)

    assert recipients(campaign) == [
        (phone(1), {"name": 'О"Ніл', "card": "0042"}),
        (phone(2), {"name": '="a"&"b"', "card": '="x'}),
    ]


def test_dicts_are_taken_as_they_are(campaign):
    import_recipients(campaign, [{"phone": phone(1), "name": "'=1"}])

    assert campaign.messages.get().variables == {"name": "'=1"}


def test_protected_texts_are_no_formulas():
    assert not [text for text in NASTY if FORMULA.match(text) and not protect(text).startswith("'")]


def test_purged_number_is_an_empty_cell(campaign):
    import_recipients(campaign, [{"phone": phone(1), "name": "Olena"}])
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    Message.objects.update(status="expired", finished_at=moment)
    purge_personal_data(datetime.now(UTC) - moment.replace(year=2025))

    assert rows_of(export(campaign))[0]["phone"] == ""


def test_headers_are_in_the_language_of_the_reader(campaign, monkeypatch):
    """The pieces are made after the answer was prepared, when the language is another one."""
    import_recipients(campaign, [{"phone": phone(1)}])
    monkeypatch.setattr(exporting, "_", lambda text: f"{translation.get_language()}: {text}")
    with translation.override("uk"):
        pieces = export_recipients(campaign)

    assert "uk: Status (Hyber)" in b"".join(pieces).decode()


def test_campaign_without_recipients_is_a_header(campaign):
    assert rows_of(export(campaign)) == []
    assert len(cells_of(export(campaign, "xlsx"))) == 1


def test_unknown_format_is_refused(campaign):
    with pytest.raises(ValueError, match="csv or xlsx"):
        export_recipients(campaign, "pdf")


def test_more_recipients_than_a_sheet_has_rows_are_refused_before_anything_is_sent(campaign, monkeypatch):
    monkeypatch.setattr(XlsxFile, "most_rows", 3)
    import_recipients(campaign, [{"phone": phone(number)} for number in range(3)])

    with pytest.raises(ExportError, match="at most 2 recipients"):
        export_recipients(campaign, "xlsx")
    assert len(rows_of(export(campaign))) == 3


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_every_page_is_exported_in_the_order_of_the_import(campaign, monkeypatch, format):  # noqa: A002
    monkeypatch.setattr(exporting, "CHUNK", 3)
    import_recipients(campaign, [{"phone": phone(number), "name": str(number)} for number in (5, 3, 9, 1, 8, 2, 7)])

    assert [variables["name"] for _, variables in imported_again(campaign, format)] == [
        "5",
        "3",
        "9",
        "1",
        "8",
        "2",
        "7",
    ]


@pytest.mark.parametrize("count", [1, 50])
def test_queries_do_not_grow_with_the_recipients_of_a_page(campaign, count, django_assert_num_queries):
    import_recipients(campaign, [{"phone": phone(number)} for number in range(count)])

    # The variables and the rows; on MariaDB page by page, until there are no more.
    with django_assert_num_queries(4 if connection.vendor == "mysql" else 2):
        export(campaign)


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_memory_does_not_grow_with_the_campaign(campaign, monkeypatch, format):  # noqa: A002
    monkeypatch.setattr(exporting, "CHUNK", 100)

    def peak(count):
        import_recipients(campaign, [{"phone": phone(number), "name": "Olena"} for number in range(count)])
        tracemalloc.start()
        size = sum(len(piece) for piece in export_recipients(campaign, format))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size
        return most

    peak(100)
    assert peak(2_000) < 1.5 * peak(400)


def test_command_writes_the_file_that_its_name_asks_for(campaign, tmp_path):
    import_recipients(campaign, [{"phone": phone(1), "name": "Olena"}])
    table, sheet = tmp_path / "people.csv", tmp_path / "people.XLSX"
    out, _ = run("hyber_export", str(campaign.pk), str(table))
    run("hyber_export", str(campaign.pk), str(sheet))

    assert out == f"{table.stat().st_size} bytes written to {table}\n"
    assert rows_of(table.read_bytes())[0]["name"] == "Olena"
    assert len(cells_of(sheet.read_bytes())) == 2


@pytest.mark.parametrize(
    ("campaign_id", "name", "told"),
    [
        (None, "people.pdf", "csv or xlsx"),
        (None, "nowhere/people.csv", "No such file"),
        (999, "people.csv", "no campaign 999"),
    ],
)
def test_command_tells_what_is_wrong(campaign, tmp_path, campaign_id, name, told):
    with pytest.raises(CommandError, match=told):
        run("hyber_export", str(campaign_id or campaign.pk), str(tmp_path / name))


def test_command_leaves_no_part_of_a_file_and_keeps_the_former_one(campaign, tmp_path, monkeypatch):
    def fill_the_disk(*_args, **_options):
        yield b"phone\n"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hyber_export, "export_recipients", fill_the_disk)
    (tmp_path / "people.csv").write_text("of yesterday")
    with pytest.raises(CommandError, match=r"The file cannot be written: No space left on device\."):
        run("hyber_export", str(campaign.pk), str(tmp_path / "people.csv"))

    assert [file.name for file in tmp_path.iterdir()] == ["people.csv"]
    assert (tmp_path / "people.csv").read_text() == "of yesterday"


def test_command_that_is_terminated_leaves_no_file_that_looks_whole(campaign, tmp_path, monkeypatch):
    names = []

    def look(*_args, **_options):
        yield b"phone\n"
        names.extend(file.suffix for file in tmp_path.iterdir())

    monkeypatch.setattr(hyber_export, "export_recipients", look)
    run("hyber_export", str(campaign.pk), str(tmp_path / "people.csv"))

    assert names == [".part"]
    assert [file.name for file in tmp_path.iterdir()] == ["people.csv"]


def test_command_writes_into_a_pipe(campaign, tmp_path):
    import_recipients(campaign, [{"phone": phone(1), "name": "Olena"}])
    pipe, received = tmp_path / "people.csv", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    run("hyber_export", str(campaign.pk), str(pipe))
    reader.join(timeout=30)

    assert rows_of(received[0])[0]["name"] == "Olena"
    assert pipe.is_fifo()


def test_command_tells_of_a_campaign_that_is_too_large(campaign, tmp_path, monkeypatch):
    monkeypatch.setattr(XlsxFile, "most_rows", 1)
    import_recipients(campaign, [{"phone": phone(1)}])

    with pytest.raises(CommandError, match="Export this campaign as CSV"):
        run("hyber_export", str(campaign.pk), str(tmp_path / "people.xlsx"))
    assert not (tmp_path / "people.xlsx").exists()

"""Files as people's programs write them: read as they are meant, or refused with the line and the cure."""

from __future__ import annotations

import io
from datetime import date, datetime, time, timedelta

import openpyxl
import pytest
from django.core.files.base import ContentFile

from django_hyber.audience.files.file_type import ReadOptions
from django_hyber.audience.files.headers import phone_columns
from django_hyber.audience.files.reading import WideRow, read_rows, recognize
from django_hyber.models import BackgroundJob, Campaign
from django_hyber.services import UnreadableFileError, import_recipients, request_job
from django_hyber.tasks import run_job
from tests.samples import phone

NAME = 'Олена "Їжак", з Києва\nдруга вулиця'


def as_csv(separator, encoding, ending="\r\n"):
    quoted = '"' + NAME.replace('"', '""') + '"'
    lines = [f"phone{separator}name{separator}city", f"0671112233{separator}{quoted}{separator}Львів"]
    lines.append(f"+380 67 111-22-44{separator}Іван{separator}")
    return io.BytesIO((ending.join(lines) + ending).encode(encoding))


def as_xlsx(*rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file


class FileMatrixTests:
    @pytest.mark.parametrize("ending", ["\n", "\r\n"])
    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom", "cp1251"])
    def test_every_usual_file_is_read_to_the_letter(self, separator, encoding, ending):
        file = as_csv(separator, encoding.removesuffix("-bom"), ending)
        if encoding.endswith("-bom"):
            file = io.BytesIO(b"\xfe\xff" + file.getvalue())

        assert list(read_rows(file)) == [
            (2, {"phone": "0671112233", "name": NAME, "city": "Львів"}),
            (3, {"phone": "+380 67 111-22-44", "name": "Іван", "city": ""}),
        ]

    @pytest.mark.parametrize(
        ("file", "kind", "encoding", "separator"),
        [
            (as_csv(",", "utf-8"), "csv", "utf-8", ","),
            (as_csv(";", "utf-8-sig"), "csv", "utf-8-sig", ";"),
            (as_csv("\t", "utf-16"), "csv", "utf-16", "\t"),
            (as_csv(";", "cp1251"), "csv", "cp1251", ";"),
            (as_xlsx(["phone"], ["0671112233"]), "xlsx", "", ""),
        ],
    )
    def test_what_was_recognized_is_told(self, file, kind, encoding, separator):
        found = recognize(file)

        assert (found.kind, found.encoding, found.separator) == (kind, encoding, separator)

    def test_a_separator_inside_a_quoted_header_is_none(self):
        assert recognize(io.BytesIO(b'"Name, first, and last";phone\n')).separator == ";"

    def test_a_single_column_needs_no_separator(self):
        assert list(read_rows(io.BytesIO(b"phone\n0671112233\n"))) == [(2, {"phone": "0671112233"})]

    def test_lines_above_the_header_may_be_blank(self):
        assert list(read_rows(io.BytesIO(b"\n;;\nphone;name\n\n0671112233;A\n"))) == [
            (5, {"phone": "0671112233", "name": "A"})
        ]

    def test_rows_of_a_sheet_are_numbered_as_the_spreadsheet_does(self):
        file = as_xlsx([None, None], ["phone", "name"], [None, None], ["0671112233", "A"])

        assert list(read_rows(file)) == [(4, {"phone": "0671112233", "name": "A"})]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
    def test_a_nul_that_has_strayed_in_is_taken_out(self, encoding):
        text = "phone,na\0me\n0671112233,Оле\0на\n067\x001112244,'\0=1\n"
        file = io.BytesIO(text.encode(encoding))

        assert recognize(file).nuls == 4
        assert list(read_rows(file)) == [
            (2, {"phone": "0671112233", "name": "Олена"}),
            (3, {"phone": "0671112244", "name": "=1"}),
        ]

    def test_only_the_first_sheet_is_read_and_the_others_are_counted(self):
        book = openpyxl.Workbook()
        book.active.title = "Клієнти"
        book.active.append(["phone"])
        book.create_sheet("More").append(["0671112233"])
        file = io.BytesIO()
        book.save(file)

        found = recognize(file)

        assert (found.sheet, found.sheets) == ("Клієнти", ["Клієнти", "More"])

    def test_an_empty_sheet_in_front_is_passed_over(self):
        book = openpyxl.Workbook()
        book.active.title = "Cover"
        book.create_sheet("Notes").append(["", None, ""])
        people = book.create_sheet("People")
        people.append(["phone"])
        people.append(["0671112233"])
        file = io.BytesIO()
        book.save(file)

        assert recognize(file).sheet == "People"
        assert [row for _number, row in read_rows(file)] == [{"phone": "0671112233"}]
        with pytest.raises(UnreadableFileError, match="The file is empty"):
            list(read_rows(file, recognize(file, ReadOptions(sheet="Cover"))))

    def test_a_row_with_more_values_than_columns_is_told_apart(self):
        (_one, short), (_two, wide), (_three, blank) = read_rows(io.BytesIO(b"phone,name\n1\n2,a,b\n3,c,,\n"))

        assert isinstance(wide, WideRow)
        assert not isinstance(short, WideRow)
        assert not isinstance(blank, WideRow)

    def test_a_file_without_a_header_can_be_given_one(self):
        rows = read_rows(io.BytesIO(b"0671112233;a\n"), None, ("phone", "reason"))

        assert list(rows) == [(1, {"phone": "0671112233", "reason": "a"})]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("rows", ["phone,name\n0671112233,Олена\n", "phone,name\n0671112233,Олена\n" * 5_000])
def test_utf16_without_a_byte_order_mark_is_recognized(rows, encoding):
    content = io.BytesIO(rows.encode(encoding))

    assert recognize(content).encoding == encoding
    assert next(read_rows(content)) == (2, {"phone": "0671112233", "name": "Олена"})


@pytest.mark.django_db
def test_utf16_that_was_chosen_for_another_encoding_is_refused_with_a_cure():
    content = io.BytesIO("phone,name\n0671112233,Олена\n".encode("cp1251"))
    with pytest.raises(UnreadableFileError, match="UTF-16"):
        import_recipients(Campaign.objects.create(name="Sale"), content, encoding="utf-16")


@pytest.mark.parametrize(
    "header", ["Моб. телефон", "Тел. моб.", "№ телефону", "Мобільний номер", "Handynummer", "Telefon", "Cell Phone"]
)
def test_common_names_of_the_phone_column_are_found_beside_a_number_of_the_row(header):
    assert phone_columns(["Номер", "Name", header]) == [header]


class RefusalTests:
    """All or nothing, with the line to look at and what to do."""

    GOOD = "phone,name\n" + "".join(f"{phone(number)},Ім'я И\n" for number in range(5_000))

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            (GOOD.encode() + "0671112233,Олена".encode()[:-1], 5_002),
            (GOOD.encode() + b"0671112233,\xff\n0671112244,A\n", 5_002),
            (GOOD.encode("utf-8-sig") + b"0671112233,\xff\n", 5_002),
            (GOOD.encode("utf-16")[:-1], 5_001),
            (b"phone,name\n0671112233,\xce\xeb\xe5\xed\xe0\n0671112244,\x98\n", 3),
        ],
    )
    def test_bytes_that_are_no_text_are_refused_by_their_line(self, content, line):
        with pytest.raises(UnreadableFileError, match=rf"line {line}\b.*Save the table as CSV in UTF-8|line {line} is"):
            list(read_rows(io.BytesIO(content)))

    @pytest.mark.parametrize("content", [b"\x00" * 1_000, bytes(range(256)) * 20, "phone\n".encode("utf-32-le")])
    def test_zeros_between_other_bytes_are_not_utf16(self, content):
        with pytest.raises(UnreadableFileError, match="contains bytes that are not text"):
            list(read_rows(io.BytesIO(content)))

    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            ("BEGIN:VCARD\nFN:Оля\nTEL;TYPE=CELL:+380671112233\nEND:VCARD\n".encode(), "vCard"),
            (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "PDF"),
            (rb"{\rtf1\ansi 0671112233}", "RTF"),
            (b'[{"phone": "0671112233"}]', "JSON"),
        ],
    )
    def test_a_file_that_is_no_table_is_refused_by_its_type(self, content, kind):
        with pytest.raises(UnreadableFileError, match=f"not a table, but a file of the type {kind}"):
            list(read_rows(io.BytesIO(content)))

    def test_a_damaged_file_is_not_taken_for_another_encoding(self):
        """Every byte of this file is a letter of Windows-1251 as well; nobody is called "РћР»РµРЅР°"."""
        content = "phone,name\n0671112233,Олена\n0671112244,Тара".encode()[:-1]

        with pytest.raises(UnreadableFileError, match="UTF-8 text, but line 3 is not"):
            list(read_rows(io.BytesIO(content)))

    @pytest.mark.parametrize("name", ["Віра", "Різник", "ЇЖАК"])
    def test_words_that_begin_like_utf8_are_windows_1251_all_the_same(self, name):
        file = io.BytesIO(f"phone,name\n0671112233,{name}\n".encode("cp1251"))

        assert next(read_rows(file))[1]["name"] == name

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            ('phone,name\n0671112233,"open\n' + "x,y\n" * 9, 2),
            ('phone,name\n0671112233,"two\nlines"\n0671112244,"a"b\n', 4),
        ],
    )
    def test_broken_quotation_marks_are_told_by_the_line_on_which_the_row_begins(self, content, line):
        with pytest.raises(UnreadableFileError, match=f"begins on line {line} cannot be read"):
            list(read_rows(io.BytesIO(content.encode())))

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "empty"),
            (b"\n,,\n", "empty"),
            (b"0671112233,Olena\n", "The first line must contain the column names"),
            (b"phone,phone\n1,2\n", "same name: phone"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 100, "old version of Excel, or it has a password"),
            (b"PK\x03\x04 no archive", "cannot be read"),
            (as_xlsx([]).getvalue(), "empty"),
        ],
    )
    def test_what_is_no_table_is_refused_with_a_cure(self, content, words):
        with pytest.raises(UnreadableFileError, match=words):
            list(read_rows(io.BytesIO(content)))

    def test_a_workbook_that_unpacks_to_gigabytes_is_refused(self, monkeypatch):
        monkeypatch.setattr("django_hyber.audience.files.xlsx_package.MAX_UNPACKED", 100)

        with pytest.raises(UnreadableFileError, match="too large"):
            list(read_rows(as_xlsx(["phone"], ["0671112233"])))


@pytest.mark.django_db
class SpreadsheetDamageTests:
    """What spreadsheets do to numbers is recognized, undone where nothing was lost, and never guessed at."""

    @pytest.fixture
    def campaign(self):
        return Campaign.objects.create(name="Spring sale")

    @pytest.mark.parametrize(
        "written",
        [
            380671112233,
            380671112233.0,
            "380671112233.0",
            "380,671,112,233",
            "'+380671112233",
            "'0671112233",
            "0671112233",
            671112233,
            " 067\u00a0111-22-33\u200b",
            "3.80671112233E+11",
        ],
    )
    def test_where_every_digit_is_there_the_number_is_taken(self, campaign, written):
        import_recipients(campaign, as_xlsx(["phone"], [written]))

        assert campaign.messages.get().phone_number == "380671112233"

    @pytest.mark.parametrize(
        ("written", "reason"),
        [
            ("3.80671E+11", "shortened this number, so digits are lost"),
            ("3,80671E+11", "shortened this number, so digits are lost"),
            ("3.806711122E+11", "shortened this number, so digits are lost"),
            (date(2067, 11, 12), "converted this number to a date"),
            (datetime(2067, 11, 12, 13, 14), "converted this number to a date"),  # noqa: DTZ001  a cell has no zone
            (time(6, 7), "converted this number to a date"),
            (timedelta(hours=38067), "digits, spaces, dashes and brackets"),
            ("####", "error message of a spreadsheet"),
            (380671112233.5, "not a valid phone number"),
            (-380671112233, "not a valid phone number"),
            (67111223, "digits are missing"),
            (True, "digits, spaces, dashes and brackets"),
            ("0671112233, 0671112244", "several numbers"),
            (None, "phone number is empty"),
        ],
    )
    def test_where_digits_are_lost_none_are_invented(self, campaign, written, reason):
        report = import_recipients(campaign, as_xlsx(["phone", "name"], [written, "Olena"]))

        assert report.rejected_count == 1
        assert reason in str(report.rejected[0].reason)
        assert not campaign.messages.exists()

    def test_values_that_a_spreadsheet_made_numbers_of_are_texts_again(self, campaign):
        import_recipients(
            campaign, as_xlsx(["phone", "bonus", "rate", "day"], ["0671112233", 15, 1.5, date(2024, 5, 6)])
        )

        assert campaign.messages.get().variables == {"bonus": "15", "rate": "1.5", "day": "2024-05-06"}

    def test_rejected_rows_are_counted_by_reason(self, campaign):
        file = as_xlsx(["phone"], ["3.8E+11"], ["3.9E+11"], ["12"], ["0671112233"])

        report = import_recipients(campaign, file)

        assert sorted(report.reasons.values()) == [1, 2]
        assert sum(report.reasons.values()) == report.rejected_count

    def test_rejected_rows_with_control_characters_reach_the_database_as_text(self, campaign, settings, tmp_path):
        settings.MEDIA_ROOT = tmp_path / "media"
        file = as_xlsx(["phone", "name"], [12, "C_x0000_D"], ["0671112233", "A_x0000_B"])

        job = request_job(
            BackgroundJob.Kind.IMPORT, campaign, {}, None, ContentFile(file.getvalue(), name="people.xlsx")
        )
        run_job.call(job.pk)

        job.refresh_from_db()
        assert (job.state, job.result["rejected"][0][2]) == ("done", [["phone", "12"], ["name", "CD"]])
        assert campaign.messages.get().variables == {"name": "AB"}

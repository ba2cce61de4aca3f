"""Text that was garbled before the file was saved is refused; what only looks unusual is not."""

from __future__ import annotations

import io
import re

import openpyxl
import pytest

from django_hyber.audience.files.encodings import GarbledSheetError, GarbledTextError
from django_hyber.audience.files.file_type import ReadOptions
from django_hyber.audience.files.reading import read_rows, recognize
from django_hyber.models import Campaign, Suppression
from django_hyber.services import UnreadableFileError, import_recipients, import_suppressions, remove_recipients
from tests.samples import phone

NAMES = ("Олена", "Петро", "Іван", "Ірина", "Юлія", "Наталія", "Сергій", "Андрій", "Їжак", "Київ")


def misread(text, right, wrong):
    """Return a text in one encoding as it reads in another; bytes that it has not become control characters."""
    return "".join(bytes((byte,)).decode(wrong, "ignore") or chr(byte) for byte in text.encode(right))


def table(names):
    return "phone;name\n" + "".join(f"{phone(number)};{name}\n" for number, name in enumerate(names))


def read(content, encoding="utf-8", options=None):
    file = io.BytesIO(content.encode(encoding))
    return [row["name"] for _number, row in read_rows(file, recognize(file, options))]


class RefusalTests:
    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            *(("utf-8", wrong) for wrong in ("cp1251", "cp1252", "latin-1", "cp866", "koi8-u", "mac-roman")),
            *(("cp1251", wrong) for wrong in ("cp1252", "cp1250", "mac-roman")),
            ("koi8-u", "cp1252"),
            ("cp1125", "cp1251"),
        ],
    )
    @pytest.mark.parametrize("names", [NAMES, NAMES[:1]], ids=["list", "one"])
    def test_text_that_was_read_in_a_wrong_encoding_is_refused(self, right, wrong, names):
        with pytest.raises(GarbledTextError, match="Letters of line 2 and others"):
            read(table([misread(name, right, wrong) for name in names]))

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_it_is_refused_in_every_unicode(self, encoding):
        with pytest.raises(GarbledTextError):
            read(table([misread("Олена", "utf-8", "cp1251")]), encoding)

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    def test_line_of_a_long_file_is_named(self, encoding):
        rows = [f"{phone(number)};Olena" for number in range(10_000)]
        rows += [f"{phone(number)};{misread('Олена', 'utf-8', 'cp1251')}" for number in range(2)]

        with pytest.raises(GarbledTextError, match="line 10002 "):
            read("\n".join(["phone;name", *rows]), encoding)

    @pytest.mark.parametrize("name", ["Müller", "Łukasz", "Zoë"])
    def test_latin_names_are_too(self, name):
        with pytest.raises(GarbledTextError):
            read(table([misread(name, "utf-8", "cp1252")]))

    @pytest.mark.parametrize("name", ["Ол\ufffdна", "\ufffdрина"])
    def test_sign_for_a_lost_letter_is_refused(self, name):
        with pytest.raises(GarbledTextError, match="line 4"):
            read(table(["Олена", "Петро", name]))

    @pytest.mark.parametrize("encoding", ["utf-8", "cp1251"])
    def test_question_marks_for_letters_are_refused(self, encoding):
        with pytest.raises(GarbledTextError, match="line 2"):
            read(table(["?????", "??????? ??????????"]), encoding)

    def test_one_garbled_column_among_others_is_enough(self):
        rows = "".join(
            f"{phone(number)};{misread(name, 'utf-8', 'cp1251')};Київ\n" for number, name in enumerate(NAMES)
        )

        with pytest.raises(GarbledTextError):
            read(f"phone;name;місто\n{rows}")

    def test_whoever_says_the_encoding_goes_on(self):
        garbled = [misread(name, "utf-8", "cp1251") for name in NAMES]

        assert read(table(garbled), options=ReadOptions(encoding="utf-8")) == garbled


def sheet(rows, header=("phone", "name")):
    book = openpyxl.Workbook()
    book.active.title = "People"
    for row in (header, *rows):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file


def read_sheet(rows, **options):
    file = sheet(rows)
    return [row["name"] for _number, row in read_rows(file, recognize(file, ReadOptions(**options)))]


def people(names):
    return [(phone(number), name) for number, name in enumerate(names)]


class SheetTests:
    @pytest.mark.parametrize("names", [NAMES, NAMES[:1]], ids=["list", "one"])
    @pytest.mark.parametrize(("right", "wrong"), [("utf-8", "cp1251"), ("utf-8", "cp1252"), ("cp1251", "mac-roman")])
    def test_text_that_was_garbled_before_is_refused_with_its_place(self, names, right, wrong):
        garbled = misread(names[0], right, wrong)

        with pytest.raises(GarbledSheetError, match=rf"row 2 \(sheet “People”, column “name”\).*{re.escape(garbled)}"):
            read_sheet(people([garbled, *names[1:], *(misread(name, right, wrong) for name in names)]))

    @pytest.mark.parametrize("name", ["Ол\ufffdна", "?????"])
    def test_lost_letters_are_refused(self, name):
        with pytest.raises(GarbledSheetError, match="row 4"):
            read_sheet(people(["Олена", "Петро", name, name]))

    @pytest.mark.parametrize(("count", "good"), [(300, 0), (40, 300)], ids=["at the top", "at the end"])
    def test_place_in_a_long_sheet_is_named_before_anything_is_imported(self, db, count, good):
        garbled = [misread("Олена", "utf-8", "cp1251")] * count
        campaign = Campaign.objects.create(name="Spring sale")

        with pytest.raises(GarbledSheetError, match=f"row {good + 2} "):
            import_recipients(campaign, sheet(people(["Олена"] * good + garbled)))
        assert not campaign.messages.exists()

    def test_whoever_says_the_encoding_goes_on(self):
        garbled = [misread(name, "utf-8", "cp1251") for name in NAMES]

        assert read_sheet(people(garbled), encoding="UTF-8") == garbled

    def test_another_encoding_than_that_of_all_sheets_is_refused(self):
        with pytest.raises(UnreadableFileError, match="“encoding” is for CSV files"):
            read_sheet(people(NAMES), encoding="cp1251")

    def test_one_odd_row_of_a_list_is_good(self):
        names = [*NAMES, misread("Олена", "utf-8", "cp1251"), "?????"]

        assert read_sheet(people(names)) == names

    def test_opt_outs_need_no_text(self, db):
        import_suppressions(sheet(people([misread(name, "utf-8", "cp1251") for name in NAMES])))

        assert Suppression.objects.count() == len(NAMES)


class GoodTests:
    @pytest.mark.parametrize(
        "name",
        [
            *(
                "Ñandú",
                "João",
                "İpek",
                "Łódź",
                "Þór",
                "Nguyễn",
                "Γιώργος",
                "שלום",
                "გიორგი",
                "李",
                "Арам",
                "Љубо",
                "Әсел",
            ),
            *(
                "ПриватБанк",
                "ТзОВ «ЕкоЛан»",
                "оЛЕНА",
                "Мар’яна",
                "О'Коннор",
                "Олена\u00a0Петрівна",
                "Вiктор",
                "Вії",
                "Ні",
            ),
            *("❤️", "😀", "½", "м²", "№ 5", "40°", "—", "Чому???", "???"),
        ],
    )
    def test_unusual_value_is_good(self, name):
        assert len(read(table([name]))) == 1

    def test_one_odd_row_of_a_list_is_good(self):
        names = [*NAMES, misread("Олена", "utf-8", "cp1251"), "?????"]

        assert read(table(names)) == names

    def test_few_lost_letters_in_a_long_list_are_good(self):
        assert len(read(table([*NAMES * 20, "Ол\ufffdна"]))) == 201


@pytest.mark.django_db
class OnlyNumbersTests:
    """Where the numbers alone count, garbled text beside them stops nothing."""

    CONTENT = table([misread(name, "utf-8", "cp1251") for name in NAMES]).encode()

    def test_opt_outs_are_imported(self):
        import_suppressions(io.BytesIO(self.CONTENT))

        assert Suppression.objects.count() == len(NAMES)

    def test_recipients_are_removed(self):
        campaign = Campaign.objects.create(name="Spring sale")
        import_recipients(campaign, [{"phone": phone(number)} for number in range(len(NAMES))])

        remove_recipients(campaign, numbers=io.BytesIO(self.CONTENT))

        assert not campaign.messages.exists()

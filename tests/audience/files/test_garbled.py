"""Text that was garbled before the file was saved is refused; what only looks unusual is not."""

from __future__ import annotations

import io

import pytest

from django_hyber.audience.files.encodings import GarbledTextError
from django_hyber.audience.files.file_type import ReadOptions
from django_hyber.audience.files.reading import read_rows, recognise
from django_hyber.models import Campaign, Suppression
from django_hyber.services import import_recipients, import_suppressions, remove_recipients
from tests.samples import phone

NAMES = ("Олена", "Петро", "Іван", "Ірина", "Юлія", "Наталія", "Сергій", "Андрій", "Їжак", "Київ")


def misread(text, right, wrong):
    """Return a text in one encoding as it reads in another; bytes that it has not become control characters."""
    return "".join(bytes((byte,)).decode(wrong, "ignore") or chr(byte) for byte in text.encode(right))


def table(names):
    return "phone;name\n" + "".join(f"{phone(number)};{name}\n" for number, name in enumerate(names))


def read(content, encoding="utf-8", options=None):
    file = io.BytesIO(content.encode(encoding))
    return [row["name"] for _number, row in read_rows(file, recognise(file, options))]


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

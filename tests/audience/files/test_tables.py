"""Tables of all sorts: encodings, separators and headers are found, chosen, or asked for; nothing is garbled."""

from __future__ import annotations

import csv
import io

import openpyxl
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from django_hyber.audience.columns import guess_columns
from django_hyber.audience.files.cells import clean_value, unprotect
from django_hyber.audience.files.encodings import UncertainEncodingError
from django_hyber.audience.files.file_type import ReadOptions
from django_hyber.audience.files.reading import read_rows, recognize
from django_hyber.audience.variable_names import suggest_name
from django_hyber.models import Campaign
from django_hyber.protocol import SMS
from django_hyber.services import UnreadableFileError, import_recipients, import_suppressions
from tests.samples import phone

UKRAINIAN = "Олена Петро Іван Ірина Юлія Наталія Сергій Андрій Ольга Тетяна Їжак Єва Дмитро Київ Львів".split()  # noqa: SIM905
POLISH = "Łukasz Paweł Małgorzata Józef Świątek Kraków Łódź Wrocław Gdańsk Michał Błażej Żaneta".split()  # noqa: SIM905
TURKISH = "Yıldız Şahin Doğan Yılmaz İpek Çelik".split()  # noqa: SIM905
GERMAN = "Müller Björn Jürgen Günther Schröder".split()  # noqa: SIM905
CZECH = "Novák Dvořák Jiří Tomáš Ondřej".split()  # noqa: SIM905
ENCODINGS = {"utf-8", "utf-8-sig", "utf-16", "cp1251", "koi8-u", "cp1125", "mac-cyrillic", "cp1250"}


def read(content, **options):
    file = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    return [row for _number, row in read_rows(file, recognize(file, ReadOptions(**options)))]


def read_or_code(content):
    """Return the rows, or the code of the error."""
    try:
        return read(content)
    except UnreadableFileError as error:
        return error.code


class EncodingTests:
    @pytest.mark.parametrize("encoding", ["cp1251", "koi8-u", "cp1125", "mac-cyrillic"])
    @pytest.mark.parametrize("change", [str, str.upper])
    def test_a_short_list_of_names_is_enough(self, encoding, change):
        names = [change(name) for name in UKRAINIAN]
        content = "phone;name\n" + "".join(f"06711122{n:02d};{name}\n" for n, name in enumerate(names))

        assert [row["name"] for row in read(content.encode(encoding))] == names

    def test_polish_names_are_not_taken_for_cyrillic(self):
        content = "phone;name\n" + "".join(f"06711122{n:02d};{name}\n" for n, name in enumerate(POLISH))

        assert [row["name"] for row in read(content.encode("cp1250"))] == POLISH

    @pytest.mark.parametrize(
        ("encoding", "names"),
        [
            ("cp1254", TURKISH),
            ("mac-roman", [*GERMAN, "Weiß", "Käthe", "Jörg"]),
            ("iso8859-2", CZECH),
            ("iso8859-2", POLISH),
            ("iso8859-5", UKRAINIAN),
            ("iso8859-5", ["Так", "Яр", "КУПОН-ЗИМА"]),
            ("cp1252", GERMAN),
            ("cp1252", ["Hélène", "André", "François", "Benoît", "Noël", "Agnès"]),
            ("cp1250", CZECH),
        ],
    )
    def test_letters_of_one_language_show_the_encoding(self, encoding, names):
        content = "phone;name\n" + "".join(f"06711122{n:02d};{name}\n" for n, name in enumerate(names))

        assert [row["name"] for row in read(content.encode(encoding))] == names

    @pytest.mark.parametrize("name", ["Yıldız", "Şahin", "Doğan"])
    def test_turkish_name_alone_is_asked_about(self, name):
        with pytest.raises(UncertainEncodingError, match=f"cp1254.: 0671112233;{name}"):
            read(f"phone;name\n0671112233;{name}\n".encode("cp1254"))

    def test_word_of_windows_1251_that_is_a_letter_in_utf8_is_asked_about(self):
        with pytest.raises(UncertainEncodingError, match=r"cp1251.: 0671112233;Ні.*utf-8.: 0671112233;ͳ"):
            read("phone;name\n0671112233;Ні\n".encode("cp1251"))

    @given(
        st.sampled_from(
            [
                *("cp1251", "koi8-u", "cp866", "cp1125", "cp1250", "cp1252", "mac-cyrillic"),
                *("cp1254", "iso8859-5", "iso8859-2", "mac-roman"),
            ]
        ),
        st.sampled_from([UKRAINIAN, POLISH, TURKISH, GERMAN, CZECH]).flatmap(
            lambda names: st.lists(st.sampled_from(names), min_size=1, max_size=4)
        ),
    )
    def test_a_name_is_read_as_it_was_written_or_asked_about(self, encoding, names):
        text = "phone;name\n" + "".join(f"06711122{n:02d};{name}\n" for n, name in enumerate(names))
        try:
            content = text.encode(encoding)
        except UnicodeEncodeError:
            assume(False)

        found = read_or_code(content)

        assert found == "uncertain-encoding" or [row["name"] for row in found] == names

    @pytest.mark.parametrize("name", ["є", "Muñoz", "Günther Hélène", "петро"])
    def test_where_two_encodings_give_words_both_are_named(self, name):
        encoding = "cp1251" if name in {"є", "петро"} else "cp1252"

        with pytest.raises(UncertainEncodingError, match=f"{encoding}.: 0671112233;{name}"):
            read(f"phone;name\n0671112233;{name}\n".encode(encoding))

    @pytest.mark.parametrize("written", ["cp1252", "windows-1252", "Windows 1252", "CP1252"])
    def test_the_encoding_can_be_said(self, written):
        assert read("phone;name\n1;Muñoz\n".encode("cp1252"), encoding=written) == [{"phone": "1", "name": "Muñoz"}]

    @pytest.mark.parametrize(
        ("encoding", "words"), [("utf-8", "not UTF-8 text: see line 2"), ("klingon", "no encoding “klingon”")]
    )
    def test_what_is_said_wrong_is_refused(self, encoding, words):
        with pytest.raises(UnreadableFileError, match=words):
            read("phone;name\n1;Muñoz\n".encode("cp1252"), encoding=encoding)

    def test_a_file_that_is_open_as_text_is_refused_in_plain_words(self):
        with pytest.raises(TypeError, match='Open it with "rb"'):
            recognize(io.StringIO("phone\n"))


class SeparatorTests:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("sep=;\r\nphone;name\r\n1;a\r\n", {"phone": "1", "name": "a"}),
            ('"sep=|"\nphone|name\n1|a\n', {"phone": "1", "name": "a"}),
            ("\ufeff\ufeffsep=\t\nphone\tname\n1\ta\n", {"phone": "1", "name": "a"}),
            ("phone|name, first\n1|a, b\n", {"phone": "1", "name, first": "a, b"}),
            ("Clients, November, Kyiv\nphone;name\n1;a\n", {"phone": "1", "name": "a"}),
            ("contact;sum\n1;1,5\n2;2,5\n", {"contact": "1", "sum": "1,5"}),
            ('phone;"name; first, last"\n1;a\n', {"phone": "1", "name; first, last": "a"}),
        ],
    )
    def test_it_is_found(self, content, expected):
        assert read(content)[0] == expected

    @pytest.mark.parametrize("written", [";", "semicolon"])
    def test_it_can_be_said(self, written):
        assert read("phone,x;name\n1,2;a\n", separator=written) == [{"phone,x": "1,2", "name": "a"}]

    def test_what_separates_nothing_is_refused(self):
        with pytest.raises(UnreadableFileError, match="no separator “:”"):
            read("phone:name\n", separator=":")

    def test_rows_after_the_line_about_the_separator_are_numbered_as_excel_does(self):
        file = io.BytesIO(b"sep=;\nphone;name\n1;a\n")

        assert [number for number, _row in read_rows(file)] == [2]


class HeaderTests:
    @pytest.mark.parametrize(
        ("content", "row"),
        [
            ("phone;name\n0671112233;a\n", 1),
            ("Clients\n\nphone;name\n0671112233;a\n", 3),
            ("Clients;\nNovember;2026\nТелефон;Ім'я\n0671112233;a\n", 3),
            ("Clients;\ncontact;name\n0671112233;a\n", 2),
            ("contact\n0671112233\n", 1),
        ],
    )
    def test_it_is_found_below_titles(self, content, row):
        assert recognize(io.BytesIO(content.encode())).header_row == row

    @pytest.mark.parametrize(
        "title",
        [
            "Період;01.12.2026 - 31.12.2026",
            "Період;01.12.2026-31.12.2026",
            "Сформовано;2026-12-05 14:30:00",
            "Створено;202612051430",
            "ІПН;1234567890",
            "ЄДРПОУ;12345678-90",
            "Рахунок;26001234567890",
            "Усього;1 234 567,00",
            "100 000 - 199 999",
        ],
    )
    @pytest.mark.parametrize("header", ["Телефон;Ім'я", "Моб. клієнта;Ім'я"])
    def test_dates_and_numbers_of_a_company_may_be_in_a_title(self, title, header):
        assert recognize(io.BytesIO(f"Звіт\n{title}\n{header}\n0671112233;a\n".encode())).header_row == 3

    @pytest.mark.parametrize(
        "name", ["01.11.2026 - 30.11.2026", "01.11-30.11.2026", "2026-11-01/2026-11-30", "12:00-13:00 5.12.2026"]
    )
    def test_period_is_a_name_of_a_column(self, name):
        assert read(f"Контакт;{name}\n0671112233;500\n") == [{"Контакт": "0671112233", name: "500"}]

    def test_range_of_sums_is_a_name_beside_that_of_the_phone_column(self):
        assert read("phone;100 000 - 199 999\n0671112233;x\n") == [{"phone": "0671112233", "100 000 - 199 999": "x"}]

    @pytest.mark.parametrize(
        "first", ["06711122334;Olena", "0671112233;phone", "Olena;+48501234567", "380671112233;2026"]
    )
    def test_row_of_a_person_is_no_header(self, first):
        with pytest.raises(UnreadableFileError, match="it contains a phone number"):
            read(f"{first}\n0671112244;Petro\n")

    def test_people_are_never_skipped_as_a_title(self):
        with pytest.raises(UnreadableFileError, match="it contains a phone number"):
            read("0671112233;Olena\n0671112244;phone\n")

    def test_it_can_be_said(self):
        content = "phone;name\nnumber of the client;name of the client\n0671112233;a\n"

        assert read(content, header_row=2) == [{"number of the client": "0671112233", "name of the client": "a"}]

    def test_a_row_that_is_not_there_is_refused(self):
        with pytest.raises(UnreadableFileError, match="Row 7 is blank"):
            read("phone\n0671112233\n", header_row=7)

    def test_the_named_phone_column_shows_where_it_is(self):
        content = "phone;of\ncontact;name\n0671112233;a\n"

        assert read(content, phone_column="Contact") == [{"contact": "0671112233", "name": "a"}]


class QuotationTests:
    @pytest.mark.parametrize(
        "content",
        [
            'phone;name\n0671112233;"Olena\n0671112244;Petro\n0671112255;"\n',
            'phone,name\n0671112211,a\n0671112233,"Olena\n0671112244,Petro"\n',
            'name;phone\n"Olena;0671112233\nPetro;+380 67 111 22 44\nIvan";0671112255\n',
        ],
    )
    def test_a_stray_mark_that_swallows_rows_is_told_by_its_line(self, content):
        with pytest.raises(UnreadableFileError, match=r"begins on line [23] contains other rows inside"):
            read(content)

    def test_first_line_of_a_value_can_be_a_swallowed_row_as_well(self):
        """Olena would be missing, and Petro would be called by the name of her row."""
        content = 'name;email;phone\n"Olena;a@b.ua;0501234501\nTruba 12";c@d.ua;0501234502\n'

        with pytest.raises(UnreadableFileError, match="begins on line 2 contains other rows inside"):
            read(content)

    @pytest.mark.parametrize(
        "number",
        [
            *("'+380501234502", "tel:+380501234502", "050/1234502", "3,80501234502E+11", "3.8E+11", "050–123–45–02"),
            *(
                "050·123·45·02",
                "\u2068+380501234502\u2069",
                "+38050\u00ad1234502",
                "(050) 123-45-02",
                '=""0501234502""',
            ),
        ],
    )
    def test_swallowed_number_is_seen_in_every_spelling(self, number):
        with pytest.raises(UnreadableFileError, match="begins on line 3 contains other rows inside"):
            read(f'phone;name\n0501234500;Iryna\n0501234501;"Olena\n{number};Petro"\n')

    def test_swallowed_row_without_its_last_columns_is_seen(self):
        with pytest.raises(UnreadableFileError, match="begins on line 2 contains other rows inside"):
            read('phone;name;city\n0501234501;"Olena\n0501234502;Petro"\n')

    @pytest.mark.parametrize(
        ("value", "columns"),
        [
            ("Ваш менеджер:\nОлена, 050 123 45 67", 4),
            ("Телефонуйте:\n050 123 45 67, Олена", 6),
            ("050 123 45 67, Олена\nЧекаємо", 6),
        ],
    )
    def test_text_with_a_number_is_no_row_of_a_wide_table(self, value, columns):
        names = ["phone", "text", *(f"c{number}" for number in range(columns))]
        table = io.StringIO()
        csv.writer(table).writerows([names, ["0671112233", value, *["x"] * columns]])

        assert read(table.getvalue())[0]["text"] == value

    def test_number_where_rows_have_none_is_a_part_of_a_text(self):
        content = 'phone,text\n0671112233,a\n0671112244,"Ваш менеджер:\nОлена, 050 123 45 67"\n'

        assert read(content)[1]["text"] == "Ваш менеджер:\nОлена, 050 123 45 67"

    def test_several_numbers_in_one_cell_are_left_to_the_row(self):
        assert read('phone;name\n"0671112233\n0671112244";Olena\n')[0]["name"] == "Olena"

    @pytest.mark.parametrize(
        "content",
        [
            'phone, name, city\n0501234501, "Олена, пані", "Київ"\n',
            'phone;  name; city\n0501234501;  "Олена, пані"; "Київ"\n',
            'phone, "name", "city"\n"0501234501", "Олена, пані", "Київ"\n',
            'phone\tname\tcity\n0501234501\t "Олена, пані"\t "Київ"\n',
        ],
    )
    def test_quotation_marks_after_a_space_are_no_part_of_the_value(self, content):
        assert read(content) == [{"phone": "0501234501", "name": "Олена, пані", "city": "Київ"}]

    def test_quotation_marks_after_a_space_are_found_far_down(self):
        rows = "".join(f"{phone(number)}, Olena, Kyiv\n" for number in range(5_000))

        assert read(f'phone, name, city\n{rows}0501234501, "Olena, Mrs", Kyiv\n')[-1]["name"] == "Olena, Mrs"

    def test_row_that_is_half_quoted_after_a_space_is_an_error_with_its_line(self):
        with pytest.raises(UnreadableFileError, match="begins on line 3 cannot be read"):
            read('phone, name\n0501234501, "Olena"\n0501234502, "Ромашка" ТОВ\n')

    def test_quotation_marks_between_spaces_are_an_error_with_their_line(self):
        with pytest.raises(UnreadableFileError, match="begins on line 2 cannot be read"):
            read('phone, name, city\n0501234501, "Olena, Mrs" , "Kyiv"\n')

    @pytest.mark.parametrize("name", ['"Ромашка" ТОВ', 'ТОВ "Ромашка"', '5" труба', '"'])
    def test_quotation_mark_within_an_unquoted_value_belongs_to_it(self, name):
        assert read(f"phone; name\n0501234501; {name}\n")[0]["name"] == name

    def test_quotation_marks_within_a_quoted_value_change_nothing(self):
        assert read('phone,name,city\n0501234501,"Olena, ""Lena"", Mrs", Kyiv\n')[0]["name"] == 'Olena, "Lena", Mrs'

    def test_a_value_of_several_lines_is_a_value(self):
        address = "Main street 5; flat 7\nKyiv, 01001"

        assert read(f'phone;address\n0671112233;"{address}"\n') == [{"phone": "0671112233", "address": address}]


class NameTests:
    @pytest.mark.parametrize(
        ("header", "name"),
        [
            ("Ім'я", "name"),
            ("Ім’я", "name"),
            ("Дата народження", "birthday"),
            ("Моє місто", "moie_misto"),
            ("Favourite colour", "favourite_colour"),
            ("Łódź", "lodz"),
            ("№", "no"),
            ("!", ""),
            ("2026", ""),
        ],
    )
    def test_a_header_suggests_a_name(self, header, name):
        assert suggest_name(header) == name

    def test_two_headers_never_suggest_one_name(self):
        assert suggest_name("Ім'я", taken={"name"}) == "name_2"

    @pytest.mark.django_db
    def test_the_name_that_the_texts_use_is_preferred(self):
        campaign = Campaign.objects.create(name="Spring sale")
        campaign.set_channels([SMS(text="Hi %first_name%", alpha_name="GMSU", ttl=300)])

        assert guess_columns(["Телефон", "Ім'я"], campaign, "Телефон").variables == {"Ім'я": "first_name"}


@pytest.mark.django_db
def test_code_says_how_a_file_is_read():
    campaign = Campaign.objects.create(name="Spring sale")
    content = "a|b\nphone|name\nnumber|first\n0671112233|Muñoz\n".encode("cp1252")

    import_recipients(
        campaign, io.BytesIO(content), phone_column="number", encoding="cp1252", separator="|", header_row=3
    )

    assert campaign.messages.get().variables == {"first": "Muñoz"}


REFUSALS = ["uncertain-encoding", "encoding", "swallowed-rows"]
LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Co"))
VALUES = st.one_of(st.text(LETTERS, max_size=8), st.text(st.sampled_from("ab ,;|\t\"'\n"), max_size=8))


@given(
    encoding=st.sampled_from(sorted(ENCODINGS)),
    separator=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    titles=st.integers(0, 3),
    ending=st.sampled_from(["\n", "\r\n"]),
    names=st.lists(st.one_of(st.sampled_from(UKRAINIAN + POLISH), VALUES), min_size=1, max_size=5),
)
@example(encoding="cp1250", separator=",", quoting=csv.QUOTE_MINIMAL, titles=0, ending="\n", names=["¬"])
@example(encoding="cp1250", separator=",", quoting=csv.QUOTE_MINIMAL, titles=0, ending="\n", names=["±A"])
def test_what_was_written_comes_back_or_an_error_names_the_place(encoding, separator, quoting, titles, ending, names):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=ending)
    for number in range(titles):
        writer.writerow([f"Clients {number}", ""])
    writer.writerow(["phone", "name"])
    for number, name in enumerate(names):
        writer.writerow([f"06711122{number:02d}", name])
    try:
        content = text.getvalue().encode(encoding)
    except UnicodeEncodeError:
        assume(False)

    found = read_or_code(content)

    assert found in REFUSALS or [row["name"] for row in found] == [unprotect(clean_value(name)) for name in names]


class UnusedOptionTests:
    """An option that cannot be followed is an error: the file would be read in a way that nobody chose."""

    @pytest.mark.parametrize(
        ("content", "option", "words"),
        [
            ("phone\n1\n", {"sheet": "People"}, "“sheet” is for XLSX files, and this one is CSV"),
            ("phone;name\n1;2\n", {"sheet": "1"}, "“sheet” is for XLSX files"),
            ("xlsx", {"encoding": "cp1251"}, "“encoding” is for CSV files, and this one is XLSX"),
            ("xlsx", {"separator": ";"}, "“separator” is for CSV files"),
            ("xlsx", {"separator": ";", "sheet": "Sheet"}, "“separator” is for CSV files"),
        ],
    )
    def test_option_of_another_type_of_files_is_refused(self, content, option, words):
        if content == "xlsx":
            file = io.BytesIO()
            openpyxl.Workbook().save(file)
            content = file.getvalue()

        with pytest.raises(UnreadableFileError, match=words):
            read(content, **option)

    @pytest.mark.parametrize("option", [{"sheet": "x"}, {"encoding": "cp1251"}, {"separator": ";"}, {"header_row": 2}])
    def test_option_of_files_is_refused_for_rows_from_elsewhere(self, db, option):
        campaign = Campaign.objects.create(name="Sale")

        with pytest.raises(TypeError, match=next(iter(option))):
            import_recipients(campaign, [{"phone": "+380671112233"}], **option)
        with pytest.raises(TypeError, match=next(iter(option))):
            import_recipients(campaign, Campaign.objects.all(), phone="name", **option)
        with pytest.raises(TypeError, match=next(iter(option))):
            import_suppressions([{"phone": "+380671112233"}], **option)

    def test_column_of_texts_is_refused_for_a_queryset(self, db):
        with pytest.raises(TypeError, match="text_column"):
            import_recipients(Campaign.objects.create(name="Sale"), Campaign.objects.all(), text_column="name")


@pytest.mark.parametrize("title", ["Номер", "Телефон", "Mobile"])
def test_title_that_is_a_word_for_a_phone_is_not_the_header(title):
    assert read(f"{title};\n;\nІм'я;Телефон\nОлена;0671112233\n") == [{"Ім'я": "Олена", "Телефон": "0671112233"}]


@pytest.mark.parametrize("title", ["Номер", "phone"])
def test_header_of_a_single_column_is_found(title):
    assert read(f"{title}\n0671112233\n") == [{title: "0671112233"}]

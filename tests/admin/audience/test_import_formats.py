"""A file that is not read as it is meant: the page says so, shows its rows, and lets a person choose."""

from __future__ import annotations

import io

import pytest
from openpyxl import Workbook

from django_hyber.models import BackgroundJob
from django_hyber.services import UnreadableFileError, confirm_upload
from tests.admin.audience.test_imports import chosen, text_of, upload, url_of, workbook
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)

#: "Muñoz" or "Muńoz": nothing in the file says which.
AMBIGUOUS = "phone;name\n0671112233;Muñoz\n".encode("cp1252")


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def read_again(client, draft, page, **choices):
    """Press "Read again" with these choices; the other fields stay as they are."""
    form = page.context["format_form"]
    values = {name: form[name].value() or "" for name in form.fields}
    return client.post(url_of(draft, "import_format", draft.jobs.get().pk), values | choices, follow=True)


def people(draft):
    return list(draft.messages.order_by("pk").values_list("phone_number", "variables__name"))


def confirm(client, page):
    return client.post(page.request["PATH_INFO"], chosen(page), follow=True)


class EncodingTests:
    def test_an_uncertain_encoding_is_chosen_by_a_line_that_reads_right(self, admin_client, draft):
        page = admin_client.get(upload(admin_client, draft, AMBIGUOUS)["Location"])

        assert "encoding of the file is not certain" in page.context["problem"]
        assert {"Muñoz", "Muńoz"} <= set(text_of(page).replace("0671112233;", "").split())

        page = read_again(admin_client, draft, page, encoding="cp1252")
        confirm(admin_client, page)

        assert people(draft) == [("380671112233", "Muñoz")]

    def test_the_separator_is_found_once_the_encoding_is_chosen(self, admin_client, draft):
        content = AMBIGUOUS.replace(b";", b",")
        page = admin_client.get(upload(admin_client, draft, content)["Location"])
        page = read_again(admin_client, draft, page, encoding="cp1252")

        assert "separated by commas" in page.context["format"]

    def test_another_encoding_can_be_chosen_for_what_was_recognized(self, admin_client, draft):
        content = "phone;name\n0671112233;Олена\n".encode("koi8-u")
        page = admin_client.get(upload(admin_client, draft, content)["Location"])

        assert "KOI8-U" in text_of(page)
        page = read_again(admin_client, draft, page, encoding="cp866")

        assert "DOS (866)" in page.context["format"]

    def test_an_encoding_that_does_not_fit_is_refused_and_can_be_chosen_anew(self, admin_client, draft):
        page = admin_client.get(upload(admin_client, draft, AMBIGUOUS)["Location"])
        page = read_again(admin_client, draft, page, encoding="utf-8")

        assert "not UTF-8 text: see line 2" in page.context["problem"]
        assert people(draft) == []
        page = read_again(admin_client, draft, page, encoding="cp1252")

        assert not page.context["problem"]

    def test_text_that_was_garbled_before_is_told_and_imported_only_by_choice(self, admin_client, draft):
        garbled = "Олена".encode().decode("cp1251")
        page = admin_client.get(upload(admin_client, draft, f"phone;name\n0671112233;{garbled}\n")["Location"])

        assert "line 2 and others were lost or garbled" in page.context["problem"]
        assert garbled in text_of(page)

        confirm(admin_client, read_again(admin_client, draft, page, encoding="utf-8"))

        assert people(draft) == [("380671112233", garbled)]

    def test_sheet_that_was_garbled_before_is_told_and_imported_only_by_choice(self, admin_client, draft):
        garbled = "Олена".encode().decode("cp1251")
        book = workbook(["phone", "name"], ["0671112233", garbled])
        page = admin_client.get(upload(admin_client, draft, book, "people.xlsx")["Location"])

        assert "column “name”) and others were lost or garbled" in page.context["problem"]
        assert garbled in text_of(page)

        page = read_again(admin_client, draft, page)
        assert "lost or garbled" in page.context["problem"]
        page = read_again(admin_client, draft, page, encoding="utf-8")
        confirm(admin_client, page)
        assert people(draft) == [("380671112233", garbled)]

    @pytest.mark.parametrize("language", ["en", "uk"])
    def test_sheet_that_is_garbled_far_below_is_told_after_the_import_and_can_be_chosen(
        self, admin_client, draft, monkeypatch, settings, language
    ):
        settings.LANGUAGE_CODE = language
        monkeypatch.setattr("django_hyber.audience.uploads.LARGE_BYTES", 10)
        names = ["Олена"] * 250 + ["Олена".encode().decode("cp1251")] * 50
        book = workbook(["phone", "name"], *([phone(number), name] for number, name in enumerate(names)))
        page = confirm(admin_client, admin_client.get(upload(admin_client, draft, book, "people.xlsx")["Location"]))
        told = {
            "en": "choose the encoding UTF-8. Nothing was imported.",
            "uk": "виберіть кодування UTF-8. Нічого не імпортовано.",
        }

        assert told[language] in text_of(page)
        assert people(draft) == []
        draft.jobs.all().delete()

        page = admin_client.get(upload(admin_client, draft, book, "people.xlsx")["Location"])
        confirm(admin_client, read_again(admin_client, draft, page, encoding="utf-8"))
        assert draft.messages.count() == 300

    def test_nothing_is_confirmed_before_the_choice(self, admin_client, draft):
        upload(admin_client, draft, AMBIGUOUS)

        with pytest.raises(UnreadableFileError, match="not certain"):
            confirm_upload(draft.jobs.get(), {"phone_column": "phone"})

    def test_lines_are_not_shown_to_those_who_may_not_see_personal_data(self, client, draft, log_in):
        log_in("view_campaign", "change_campaign")
        page = client.get(upload(client, draft, AMBIGUOUS)["Location"])

        assert "not certain" in page.context["problem"]
        assert "oz" not in text_of(page)


class HeaderTests:
    def test_the_header_row_is_chosen_among_the_rows_at_the_top(self, admin_client, draft):
        content = "phone;name\nphone of the client;name of the client\n0671112233;Olena\n"
        page = admin_client.get(upload(admin_client, draft, content)["Location"])
        assert page.context["header_row"] == 1

        page = read_again(admin_client, draft, page, header_row="2")

        assert [column.header for column in page.context["columns"]] == ["phone of the client", "name of the client"]

    def test_two_columns_of_one_name_can_be_a_matter_of_the_header_row(self, admin_client, draft):
        content = "Client;Client\nphone;name\n0671112233;Olena\n"
        page = admin_client.get(upload(admin_client, draft, content)["Location"])
        page = read_again(admin_client, draft, page, header_row="1")
        assert "same name: Client" in page.context["problem"]
        assert ["phone", "name"] in [values for _number, values in page.context["top_rows"]]

        confirm(admin_client, read_again(admin_client, draft, page, header_row="2"))

        assert people(draft) == [("380671112233", "Olena")]

    def test_a_row_that_is_not_there_names_no_columns(self, admin_client, draft):
        page = admin_client.get(upload(admin_client, draft, "phone\n0671112233\n")["Location"])

        assert "Row 900 is blank" in read_again(admin_client, draft, page, header_row="900").context["problem"]

    def test_a_wrong_number_is_told_beside_its_field(self, admin_client, draft):
        page = admin_client.get(upload(admin_client, draft, "phone\n0671112233\n")["Location"])

        assert read_again(admin_client, draft, page, header_row="0").context["format_form"].errors["header_row"]


class SheetTests:
    @pytest.fixture
    def book(self):
        book = Workbook()
        book.active.title = "Summary"
        book.active.append(["Clients", 2])
        sheet = book.create_sheet("People")
        for row in [["phone", "name"], ["0671112233", "Olena"], ["0671112244", "Petro"]]:
            sheet.append(row)
        for row in sheet.iter_rows():
            sheet.cell(row[0].row, 3, "our own")
        sheet.row_dimensions[3].hidden = sheet.column_dimensions["C"].hidden = True
        book.create_sheet("Old").sheet_state = "hidden"
        content = io.BytesIO()
        book.save(content)
        return content.getvalue()

    def test_another_visible_sheet_is_chosen(self, admin_client, draft, book):
        page = admin_client.get(upload(admin_client, draft, book, "people.xlsx")["Location"])
        assert page.context["format_form"].fields["sheet"].choices == [("Summary", "Summary"), ("People", "People")]

        page = read_again(admin_client, draft, page, sheet="People")

        assert "2 other sheets are not read" in text_of(page)
        assert "1 row is hidden in the sheet" in text_of(page)
        assert "These columns are hidden in the sheet and are skipped: C." in text_of(page)

        page = confirm(admin_client, page)

        assert people(draft) == [("380671112233", "Olena")]
        assert BackgroundJob.objects.get().result["unread_sheets"] == ["Summary"]
        assert "1 row is hidden in the sheet and was skipped" in text_of(page)
        assert "These columns are hidden in the sheet and were skipped: C." in text_of(page)

    def test_a_value_that_may_be_shown_otherwise_is_told_at_its_column(self, admin_client, draft):
        content = workbook(["phone", "half"], ["0671112233", 0.5])
        book = Workbook()
        book.active.append(["phone", "half"])
        book.active.append(["0671112233", 0.5])
        book.active["B2"].number_format = "# ?/?"
        file = io.BytesIO()
        book.save(file)

        plain = admin_client.get(upload(admin_client, draft, content, "plain.xlsx")["Location"])
        draft.jobs.all().delete()
        page = admin_client.get(upload(admin_client, draft, file.getvalue(), "half.xlsx")["Location"])

        assert all(column.is_exact for column in plain.context["columns"])
        assert [column.is_exact for column in page.context["columns"]] == [True, False]
        assert "may display the values of these columns differently: half" in text_of(confirm(admin_client, page))


class SeparatorTests:
    def test_another_separator_is_chosen(self, admin_client, draft):
        content = "contact,since;name\n0671112233,2020;Olena\n"
        page = admin_client.get(upload(admin_client, draft, content)["Location"])
        page = read_again(admin_client, draft, page, separator="comma")

        assert [column.header for column in page.context["columns"]] == ["contact", "since;name"]

    def test_a_header_of_ones_own_language_has_the_name_that_the_texts_use(self, admin_client, draft):
        page = admin_client.get(upload(admin_client, draft, "Телефон;Ім'я\n0671112233;Олена\n")["Location"])
        confirm(admin_client, page)

        assert people(draft) == [("380671112233", "Олена")]


@pytest.mark.parametrize("name", ["people.html", "people." + "x" * 240, "ї" * 250 + ".csv", "people"])
def test_the_name_of_a_file_does_no_harm(admin_client, draft, name):
    page = admin_client.get(upload(admin_client, draft, "phone,name\n0671112233,Olena\n", name)["Location"])
    stored = draft.jobs.get().source.name
    confirm(admin_client, page)

    assert people(draft) == [("380671112233", "Olena")]
    assert stored.endswith(".csv")

"""Which column has the phone numbers: never a likely one beside another; a person or the code says which is meant."""

from __future__ import annotations

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from django_hyber.audience.columns import guess_phone
from django_hyber.audience.files.headers import phone_columns
from django_hyber.models import Campaign, Suppression
from django_hyber.services import (
    UnreadableFileError,
    export_suppressions,
    import_recipients,
    import_suppressions,
    remove_recipients,
)
from tests.management.test_commands import run

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return Campaign.objects.create(name="Spring sale")


def csv_file(text):
    return io.BytesIO(text.encode())


def numbers(campaign):
    return sorted(campaign.messages.values_list("phone_number", flat=True))


AMBIGUOUS = [
    "Номер;Клієнт;Телефон клієнта\n671234567;Олена;0501234501\n",
    "Номер;Клієнт;Телефон покупця\n671234567;Олена;0501234501\n",
    "Number;Customer;Customer phone\n671234567;Olena;0501234501\n",
    "Cell;Name;Контактний тел. клієнта\n671234567;Olena;0501234501\n",
    "Number;Номер\n671234567;0501234501\n",
    "Phone;name;phone\n0501234501;Olena;0501234502\n",
    "Телефон;name;ТЕЛЕФОН\n0501234501;Olena;0501234502\n",
    "phone number;phone_number\n0501234501;0501234502\n",
    "Phone;name;Mobile\n0671110000;Olena;0501234501\n",
    "Phone Number;name;Mobile Phone Number\n0671110000;Olena;0501234501\n",
    "Телефон;name;Мобільний телефон клієнта\n0671110000;Olena;0501234501\n",
    "Phone;name;Телефон\n0671110000;Olena;0501234501\n",
    "phone;name;Phone 2\n0671110000;Olena;0501234501\n",
    "sms;name;viber\n0671110000;Olena;0501234501\n",
]
AMBIGUOUS += [
    "Контакт;name;Додатковий телефон\n0671110000;Olena;0501234501\n0671110001;Petro;\n",
    "Контакт;name;Телефон клієнта\n0671110000;Olena;0501234501\n",
]
#: Beside the first column, none can be meant.
CERTAIN = [
    "Phone;Mobile\n0501234501;\n0501234502;-\n",
    "Телефон;Телефон 2\n0501234501;+380501234501\n0501234502;\n",
    "Phone;Mobile operator;Phone verified\n0501234501;Kyivstar;TRUE\n0501234502;lifecell;FALSE\n",
    "Мобільний;Модель телефону;Номер\n0501234501;3310;1\n0501234502;1100;2\n",
    "Телефон клієнта;Номер;Коментар до телефону\n0501234501;17;0501234503, мама\n0501234502;18;\n",
    "sms;Номер;Оператор мобільного\n0501234501;1;Kyivstar\n0501234502;2;lifecell\n",
    "sms;ІПН;Дата\n0501234501;1234567890;05.12.2026 14:30\n0501234502;1234567891;06.12.2026 14:30\n",
]


@pytest.mark.parametrize("content", AMBIGUOUS)
def test_two_columns_that_can_be_meant_are_an_error_that_names_them(campaign, content):
    with pytest.raises(UnreadableFileError, match=r"Several columns may contain.*phone_column") as caught:
        import_recipients(campaign, csv_file(content))

    first, *_others, last = content.partition("\n")[0].split(";")
    assert first in str(caught.value)
    assert last in str(caught.value)
    assert not campaign.messages.exists()


@pytest.mark.parametrize("content", CERTAIN)
def test_column_beside_which_none_can_be_meant_needs_no_question(campaign, content):
    header, *rows = content.splitlines()

    import_recipients(campaign, csv_file(content))

    assert numbers(campaign) == ["380501234501", "380501234502"]
    assert guess_phone(header.split(";"), [row.split(";") for row in rows], campaign) == header.split(";")[:1]


@pytest.mark.parametrize("header", ["phone", "number", "Телефон клієнта"])
def test_column_that_is_named_is_meant_even_if_its_rows_are_wrong(campaign, header):
    report = import_recipients(campaign, csv_file(f"{header};name\n12;Olena\n;Petro\n"))

    assert report.rejected_count == 2


def test_column_that_is_a_variable_is_not_meant(campaign):
    import_recipients(campaign, csv_file("Phone;Mobile\n0501234501;0501234502\n"), variables={"Mobile": "other"})

    assert numbers(campaign) == ["380501234501"]


def test_dicts_with_two_columns_that_can_be_meant_are_an_error(campaign):
    with pytest.raises(UnreadableFileError, match="Several columns may contain the phone numbers: phone, mobile"):
        import_recipients(campaign, [{"phone": "0671110000", "mobile": "0501234501"}])


@pytest.mark.parametrize("header", ["Phone;Mobile", "sms;viber"])
def test_second_number_far_below_the_first_rows_costs_its_row_only(campaign, header):
    rows = "".join(f"067111{number:04};\n" for number in range(300))
    report = import_recipients(campaign, csv_file(f"{header}\n{rows}0671119999;0501234501\n"))

    assert [(row.row, "several numbers in this row" in str(row.reason)) for row in report.rejected] == [(302, True)]
    assert report.accepted == 300


@pytest.mark.parametrize("content", AMBIGUOUS)
def test_column_that_code_names_is_taken(campaign, content):
    last = content.partition("\n")[0].split(";")[-1]

    import_recipients(campaign, csv_file(content), phone_column=last)

    assert numbers(campaign) in (["380501234501"], ["380501234502"])


@pytest.mark.parametrize("content", AMBIGUOUS)
def test_person_is_asked_instead_of_a_guess(campaign, content):
    header, *rows = content.splitlines()

    assert len(guess_phone(header.split(";"), [row.split(";") for row in rows], campaign)) == 2


def test_page_of_the_import_says_that_a_person_has_to_choose(campaign, admin_client, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    url = reverse("admin:django_hyber_campaign_import", args=[campaign.pk])
    uploaded = admin_client.post(url, {"file": SimpleUploadedFile("people.csv", AMBIGUOUS[0].encode())})

    page = admin_client.get(uploaded["Location"])

    assert "data-no-phone-column" in page.text
    assert not any(page.context["form"][name].value() == "phone" for name in page.context["form"].fields)


def test_page_of_a_table_below_another_one_leads_to_the_header_row(campaign, admin_client, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    url = reverse("admin:django_hyber_campaign_import", args=[campaign.pk])
    content = "Звіт по клієнтах\nДиректор;0671234567\nТелефон;Ім'я\n0501234501;Олена\n"
    uploaded = admin_client.post(url, {"file": SimpleUploadedFile("people.csv", content.encode())})

    page = admin_client.get(uploaded["Location"])
    assert '<details class="module hyber-format" open>' in page.text
    assert "choose another header row" in page.text
    again = admin_client.post(f"{uploaded['Location']}format/", {"encoding": "utf-8", "header_row": "3"}, follow=True)
    assert again.context["form"].phone_column() == "Телефон"


def test_name_that_two_columns_have_but_for_case_is_not_enough(campaign):
    content = "Contact;name;CONTACT\n0501234501;Olena;0501234502\n"

    with pytest.raises(UnreadableFileError, match="Several columns match “contact”: Contact, CONTACT"):
        import_recipients(campaign, csv_file(content), phone_column="contact")


def test_name_that_one_of_them_has_exactly_is_enough(campaign):
    import_recipients(campaign, csv_file("Phone;name;phone\n0501234501;Olena;0501234502\n"), phone_column="Phone")

    assert numbers(campaign) == ["380501234501"]


def test_command_takes_the_column_that_it_is_told(campaign, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(AMBIGUOUS[0])

    run("hyber_import_recipients", campaign.pk, path, "--phone-column", "Телефон клієнта")

    assert numbers(campaign) == ["380501234501"]


@pytest.mark.parametrize("header", ["Номер", "Number", "cell"])
def test_column_of_numbers_beside_which_nothing_can_be_meant_is_taken(campaign, header):
    import_recipients(campaign, csv_file(f"{header};name;sum\n0501234501;Olena;12345.67\n"))

    assert numbers(campaign) == ["380501234501"]


def test_row_with_another_number_beside_a_doubtful_column_is_rejected(campaign):
    content = "Номер;Клієнт;Контакт\n671234567;Олена;0501234501\n671234568;Петро;\n"

    report = import_recipients(campaign, csv_file(content))

    assert [(row.row, "several numbers in this row" in str(row.reason)) for row in report.rejected] == [(2, True)]
    assert numbers(campaign) == ["380671234568"]


def test_second_number_of_a_recipient_does_not_matter_to_a_column_that_is_named(campaign):
    content = "Телефон;Телефон 2;name\n0501234501;0501234502;Olena\n"
    import_recipients(campaign, csv_file(content), phone_column="Телефон")

    assert numbers(campaign) == ["380501234501"]


def test_recipients_are_not_removed_by_one_of_two_numbers(campaign):
    import_recipients(campaign, [{"phone": "0671234567"}])

    with pytest.raises(UnreadableFileError, match="Several columns may contain"):
        remove_recipients(campaign, numbers=csv_file("Phone;Mobile\n0671234567;0501234501\n"))


def test_recipients_are_not_removed_by_an_order_number(campaign):
    import_recipients(campaign, [{"phone": "0671234567"}])

    with pytest.raises(UnreadableFileError, match="Several columns may contain"):
        remove_recipients(campaign, numbers=csv_file("Номер;Телефон клієнта\n671234567;0501234501\n"))


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (["Phone 1 - Label", "Phone 1 - Value", "Number"], ["Phone 1 - Value"]),
        (["Номер", "Модель телефону"], ["Номер"]),
        (["Номер", "Код телефону"], ["Номер"]),
        (["Номер", "Телевізор"], ["Номер"]),
        (["Номер", "Моб. клієнта"], ["Номер", "Моб. клієнта"]),
        (["Телефон клієнта", "Телефон менеджера"], ["Телефон клієнта", "Телефон менеджера"]),
        (["Телефон", "Номер", "Phone country"], ["Телефон"]),
    ],
)
def test_words_about_phones_are_told_from_columns_of_numbers(headers, found):
    assert phone_columns(headers) == found


class OptOutTests:
    @pytest.mark.parametrize(
        "content",
        [
            "Телефон;Телефон 2;Причина\n0501234501;0501234502;дзвінок\n0501234503;;\n",
            "phone;Додатковий\n0501234501;+380501234502\n0501234503;-\n",
            "phone;mobile\n0501234501;tel:0501234502\n0501234503;\n",
        ],
    )
    def test_row_with_two_numbers_is_rejected_so_that_none_gets_lost(self, content):
        report = import_suppressions(csv_file(content))

        assert [(row.row, "several numbers in this row" in str(row.reason)) for row in report.rejected] == [(2, True)]
        assert list(Suppression.objects.values_list("phone_number", flat=True)) == ["380501234503"]

    def test_order_number_beside_the_phone_of_a_subscriber_is_not_opted_out(self):
        with pytest.raises(UnreadableFileError, match="Several columns may contain"):
            import_suppressions(csv_file("Номер;Телефон абонента\n671234567;0501234501\n"))

    @pytest.mark.parametrize("header", ["reason", "Причина", "Comment"])
    def test_reasons_are_found_as_in_the_admin(self, header):
        report = import_suppressions(csv_file(f"phone;{header};city\n0501234501;asked;Kyiv\n"))

        assert Suppression.objects.get().reason == "asked"
        assert report.ignored_columns == ["city"]

    def test_each_column_can_be_imported_by_its_name(self):
        content = "Телефон;Телефон 2\n0501234501;0501234502\n"

        for column in ("Телефон", "Телефон 2"):
            import_suppressions(csv_file(content), phone_column=column)

        assert Suppression.objects.count() == 2

    def test_one_number_in_two_spellings_is_one(self):
        report = import_suppressions(csv_file("phone;digits\n0501234501;380501234501\n"))

        assert report.accepted == 1

    def test_export_of_the_list_is_imported_again(self):
        import_suppressions([{"phone": "0501234501"}], reason="asked")
        content = b"".join(export_suppressions())

        report = import_suppressions(io.BytesIO(content))

        assert (report.existing, report.rejected_count) == (1, 0)

    def test_person_is_asked_which_of_two_columns_is_meant(self):
        headers = ["Телефон", "Телефон 2", "Причина"]

        assert guess_phone(headers, [["0501234501", "0501234502", ""]], None) == headers[:2]

    def test_person_is_asked_if_another_column_shows_a_number(self):
        headers = ["phone", "Додатковий"]

        assert guess_phone(headers, [["0501234501", "0501234502"]], None) == headers

    def test_export_needs_no_choice(self):
        headers, row = ["phone", "Phone digits (Hyber)", "reason"], ["+380501234501", "380501234501", "asked"]

        assert guess_phone(headers, [row], None) == ["phone"]

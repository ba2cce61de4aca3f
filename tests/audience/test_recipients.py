from __future__ import annotations

import csv
import io

import openpyxl
import phonenumbers
import pytest

from django_hyber.models import Campaign
from django_hyber.protocol import SMS
from django_hyber.services import CampaignError, UnreadableFileError, import_recipients, remove_recipients
from tests.samples import phone

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return Campaign.objects.create(name="Spring sale")


def csv_file(text, encoding="utf-8"):
    return io.BytesIO(text.encode(encoding))


def recipients(campaign):
    return {message.phone_number: message.variables for message in campaign.messages.order_by("pk")}


def test_dicts_become_messages_with_variables(campaign):
    report = import_recipients(campaign, [{"phone": "+380 67 111 22 33", "name": "Olena", "greeting": "Ms. "}])

    assert (report.total, report.accepted) == (1, 1)
    assert recipients(campaign) == {"380671112233": {"name": "Olena", "greeting": "Ms. "}}
    message = campaign.messages.get()
    assert message.status == "queued"
    assert 1 <= len(message.extra_id) <= 64


def test_numbers_of_model_fields_are_taken_as_they_are(campaign):
    numbers = [phonenumbers.parse("+380671112233", None), phonenumbers.PhoneNumber(raw_input="none")]
    report = import_recipients(campaign, [{"phone": number} for number in numbers])

    assert (report.accepted, report.rejected_count, [*recipients(campaign)]) == (1, 1, ["380671112233"])


def test_nul_in_a_column_is_removed_and_the_report_says_so(campaign):
    report = import_recipients(campaign, io.BytesIO(b"phone,name\n0671234567,A\x00B\n"))

    assert (report.accepted, report.removed_characters) == (1, 1)
    assert campaign.messages.get().variables == {"name": "AB"}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
def test_csv_of_any_usual_kind_is_read(campaign, separator, encoding):
    text = f"name{separator}Телефон\nОлена{separator}0671112233\n"
    report = import_recipients(campaign, csv_file(text, encoding))

    assert report.accepted == 1
    assert recipients(campaign) == {"380671112233": {"name": "Олена"}}


def test_quoted_line_breaks_and_separators_belong_to_the_value(campaign):
    import_recipients(campaign, csv_file('phone,name\n0671112233,"Olena,\nPetrenko"\n'))

    assert recipients(campaign)["380671112233"] == {"name": "Olena,\nPetrenko"}


def test_file_is_left_open_for_its_owner(campaign):
    file = csv_file("phone\n0671112233\n")
    import_recipients(campaign, file)

    assert not file.closed


def test_rejected_rows_are_told_with_row_number_reason_and_values(campaign):
    report = import_recipients(campaign, csv_file("phone,name\n0671112233,A\n12,B\n3.80671E+11,C\n"))

    assert report.accepted == 1
    assert [(row.row, row.values["name"]) for row in report.rejected] == [(3, "B"), (4, "C")]
    assert all(str(row.reason) for row in report.rejected)


def test_blank_lines_are_no_rows(campaign):
    report = import_recipients(campaign, csv_file("phone,name\n\n0671112233,A\n,\n"))

    assert (report.total, report.accepted, report.rejected) == (1, 1, [])


def test_duplicates_are_found_by_the_normalised_number(campaign):
    report = import_recipients(campaign, [{"phone": "0671112233"}, {"phone": "+380 (67) 111-22-33"}])

    assert (report.accepted, report.duplicates, report.existing) == (1, 1, 0)


def test_second_import_of_the_same_list_adds_nobody(campaign):
    rows = [{"phone": phone(number)} for number in range(3)]
    import_recipients(campaign, rows)
    report = import_recipients(campaign, [*rows, {"phone": phone(9)}])

    assert (report.accepted, report.duplicates, report.existing) == (1, 0, 3)


def test_launched_campaign_takes_nobody(campaign):
    Campaign.objects.filter(pk=campaign.pk).update(status="finished")

    with pytest.raises(CampaignError, match="before the launch"):
        import_recipients(campaign, [{"phone": phone(1)}])


def test_file_without_a_phone_column_names_the_columns_it_has(campaign):
    with pytest.raises(UnreadableFileError, match="Surname, Town"):
        import_recipients(campaign, csv_file("Surname,Town\nPetrenko,Lviv\n"))


def test_short_row_costs_only_itself(campaign):
    report = import_recipients(campaign, csv_file("name,phone\nOlena,0671112233\nTotal\n"))

    assert (report.accepted, [row.row for row in report.rejected]) == (1, [3])


def test_row_of_a_dict_reader_that_is_too_wide_costs_only_itself(campaign):
    lines = ["phone,name", "0671112233,Olena", "0671112244,Ivan,the second", "0671112255,Petro,, ", "0671112266"]
    report = import_recipients(campaign, csv.DictReader(lines))

    assert [(row.row, row.values["name"]) for row in report.rejected] == [(2, "Ivan")]
    assert "more values than there are columns" in str(report.rejected[0].reason)
    assert [row["name"] for row in campaign.messages.order_by("pk").values_list("variables", flat=True)] == [
        *("Olena", "Petro", ""),
    ]


def test_better_named_column_is_the_phone_column_wherever_it_stands(campaign):
    import_recipients(campaign, csv_file("number,phone\n0501112233,0671112233\n"))

    assert list(recipients(campaign)) == ["380671112233"]


def test_repeated_header_is_refused(campaign):
    with pytest.raises(UnreadableFileError, match="same name: phone"):
        import_recipients(campaign, csv_file("phone,phone\n0501112233,0671112233\n"))


def test_named_phone_column_is_used(campaign):
    import_recipients(campaign, csv_file("phone,work\nx,0671112233\n"), phone_column="work")

    assert recipients(campaign) == {"380671112233": {"phone": "x"}}


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\x89PNG\r\n\x00\x00\x00", b"PK\x03\x04 not a workbook"])
def test_file_that_is_no_table_is_refused(campaign, content):
    with pytest.raises(UnreadableFileError):
        import_recipients(campaign, io.BytesIO(content))
    assert not campaign.messages.exists()


def test_undecodable_end_of_a_file_costs_the_whole_import(campaign):
    rows = "".join(f"{phone(number)},Ім'я\n" for number in range(6_000))
    broken = ("phone,name\n" + rows).encode() + b"\x00\xff"
    with pytest.raises(UnreadableFileError, match="UTF-8"):
        import_recipients(campaign, io.BytesIO(broken))

    assert not campaign.messages.exists()


def test_broken_quoting_late_in_a_file_costs_the_whole_import(campaign):
    rows = "".join(f"{phone(number)},name\n" for number in range(6_000))
    with pytest.raises(UnreadableFileError, match="not a valid CSV"):
        import_recipients(campaign, csv_file(f'phone,name\n{rows}0671112233,"open\n'))

    assert not campaign.messages.exists()


def test_column_that_cannot_be_a_variable_is_left_out_and_told(campaign):
    report = import_recipients(campaign, csv_file("phone,Сума боргу,name\n0671112233,50,Olena\n"))

    assert (report.ignored_columns, report.renamed_columns) == (["Сума боргу"], {})
    assert recipients(campaign)["380671112233"] == {"name": "Olena"}


@pytest.mark.parametrize(
    ("text", "header", "variables"),
    [
        ("Hi %name%", "Name,City", {"name": "a", "City": "b"}),
        ("Hi %Name%", "Name,City", {"Name": "a", "City": "b"}),
        ("Hi %name% %Name%", "Name,City", {"Name": "a", "City": "b"}),
        ("Hi %name%", "Name,NAME", {"Name": "a", "NAME": "b"}),
        ("Hi %name%", "Name,name", {"Name": "a", "name": "b"}),
        ("Hi %first_name%", "First Name,name", {"first_name": "a", "name": "b"}),
        ("Hi %first_name%", "Ім'я,Місто", {"first_name": "a", "city": "b"}),
        ("Hi %name%", "Ім'я,name", {"first_name": "a", "name": "b"}),
        ("Hi", "Name,Ім'я", {"Name": "a", "name": "b"}),
    ],
)
def test_variables_are_named_as_headers_unless_the_texts_call_them_otherwise(campaign, text, header, variables):
    campaign.set_channels([SMS(text=text, alpha_name="GMSU", ttl=300)])
    report = import_recipients(campaign, csv_file(f"phone,{header}\n0671112233,a,b\n"))

    assert recipients(campaign)["380671112233"] == variables
    renamed = dict(zip(header.split(","), variables, strict=True))
    assert report.renamed_columns == {header: name for header, name in renamed.items() if header != name}
    assert report.ignored_columns == []


def test_workbook_numbers_are_read_as_digits(campaign):
    workbook = openpyxl.Workbook()
    workbook.active.append(["phone", "bonus"])
    workbook.active.append([380671112233, 15])
    file = io.BytesIO()
    workbook.save(file)
    import_recipients(campaign, file)

    assert recipients(campaign) == {"380671112233": {"bonus": "15"}}


def test_report_names_the_sheets_that_were_not_read(campaign):
    workbook = openpyxl.Workbook()
    workbook.active.title = "January"
    for sheet in (workbook.active, workbook.create_sheet("February"), workbook.create_sheet("Old")):
        sheet.append(["phone"])
        sheet.append(["0671112233"])
    workbook["Old"].sheet_state = "hidden"
    file = io.BytesIO()
    workbook.save(file)

    assert import_recipients(campaign, file).unread_sheets == ["February"]
    assert import_recipients(campaign, file, sheet="February").unread_sheets == ["January"]


def test_nul_characters_do_not_reach_the_database(campaign):
    import_recipients(campaign, [{"phone": "0671112233", "name": "A\x00B"}])

    assert recipients(campaign)["380671112233"] == {"name": "AB"}


@pytest.mark.parametrize(
    "change",
    [
        lambda campaign: import_recipients(campaign, [{"phone": phone(1)}]),
        lambda campaign: import_recipients(campaign, Campaign.objects.all(), phone="name"),
        lambda campaign: remove_recipients(campaign, everybody=True),
        lambda campaign: remove_recipients(campaign, numbers=[phone(1)]),
    ],
    ids=["dicts", "objects", "removal", "list"],
)
def test_campaign_that_was_deleted_meanwhile_takes_and_loses_nobody(campaign, change):
    Campaign.objects.filter(pk=campaign.pk).delete()

    with pytest.raises(CampaignError, match="“Spring sale” has been deleted in the meantime"):
        change(campaign)

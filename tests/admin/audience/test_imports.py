from __future__ import annotations

import csv
import io
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from openpyxl import Workbook

from django_hyber.audience import uploads
from django_hyber.models import BackgroundJob, Campaign, Suppression
from django_hyber.services import dispatch

pytestmark = pytest.mark.django_db(transaction=True)

CSV = (
    "phone,name,favourite colour\n0671234567,Olena,red\n+380 67 123 45 67,Again,\n"
    "12345,Ivan,=1+1\n067-765-43-21,Taras,\n"
)


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path


def url_of(campaign, page="import", *keys):
    return reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk, *keys])


def upload(client, campaign, content, name="people.csv"):
    content = content.encode() if isinstance(content, str) else content
    return client.post(url_of(campaign), {"file": SimpleUploadedFile(name, content)})


def chosen(page, **changes):
    """POST data of the page of columns as it stands, with changes such as use_2="nothing"."""
    form = page.context["form"]
    values = {name: form[name].value() or "" for name in form.fields}
    return values | {name.replace("_", "-", 1): value for name, value in changes.items()}


def confirm(client, response, **changes):
    page = client.get(response["Location"])
    return client.post(response["Location"], chosen(page, **changes), follow=True)


def run(client, campaign, content, name="people.csv", **changes):
    return confirm(client, upload(client, campaign, content, name), **changes)


def counts(response):
    page = response.content.decode()
    return {name: int(count) for name, count in re.findall(r'data-count="(\w+)" data-number="(\d+)"', page)}


def text_of(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def workbook(*rows):
    book = Workbook()
    for row in rows:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def use_text(draft, text):
    for channel in draft.channels.all():
        channel.options["text"] = text
        channel.save()


class UploadTests:
    def test_the_page_tells_which_columns_the_texts_use_and_what_is_accepted(self, admin_client, draft):
        use_text(draft, "Hi %name% from %city%")

        page = admin_client.get(url_of(draft)).content.decode()

        assert "<code>city, name</code>" in page
        assert "up to 100 MB" in page

    def test_nothing_is_imported_before_the_columns_are_confirmed(self, admin_client, draft):
        response = upload(admin_client, draft, CSV)

        job = draft.jobs.get()
        assert response["Location"] == url_of(draft, "import_job", job.pk)
        assert (job.state, draft.messages.count()) == (BackgroundJob.State.UPLOADED, 0)

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            (b"\x89PNG\r\n\x1a\n\x00\x00\x00\x98", "neither UTF-8, UTF-16 nor Windows-1251 text"),
            ("phone,name\n0671234567,Олена\n".encode() + b"0671234568,\xd0\xff\n", "line 3 is not"),
            ("", "empty"),
            ("phone,name\n", "no rows below"),
            ("0671234567,Olena\n0671234568,Ivan\n", "The first line must contain the column names"),
            ('phone,name\n0671234567,"open\n', "begins on line 2"),
            (b"PK\x03\x04 no table", "cannot be read"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old version of Excel"),
            (",".join(f"c{number}" for number in range(201)) + "\n" + ",".join("x" * 201), "more than 200 columns"),
            (None, "required"),
        ],
    )
    def test_a_bad_file_is_refused_beside_its_field_with_a_cure(self, admin_client, draft, content, error):
        response = admin_client.post(url_of(draft), {}) if content is None else upload(admin_client, draft, content)

        assert error in str(response.context["form"].errors["file"])
        assert "Nothing was imported" in response.content.decode()
        assert not draft.jobs.exists()

    def test_a_file_that_is_too_large_is_refused(self, admin_client, draft, monkeypatch):
        monkeypatch.setattr(uploads, "MAX_BYTES", 10)

        assert "Split it into several files" in str(upload(admin_client, draft, CSV).context["form"].errors["file"])

    def test_an_abandoned_upload_is_thrown_away_with_its_file(self, admin_client, draft, media):
        upload(admin_client, draft, CSV)
        BackgroundJob.objects.update(created_at="2020-01-01T00:00:00Z")

        dispatch()

        assert not BackgroundJob.objects.exists()
        assert [path for path in media.rglob("*") if path.is_file()] == []

    def test_a_file_can_be_discarded_at_once(self, admin_client, draft, media):
        upload(admin_client, draft, CSV)
        url = url_of(draft, "import_discard", draft.jobs.get().pk)

        assert "Press the button again." in admin_client.get(url, follow=True).content.decode()
        response = admin_client.post(url, follow=True)

        assert "was discarded" in response.content.decode()
        assert not draft.jobs.exists()
        assert [path for path in media.rglob("*") if path.is_file()] == []


class ColumnTests:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("phone,name\n0671234567,Олена\n".encode(), "CSV, UTF-8, separated by commas, 1 row."),
            ("phone;name\n0671234567;Олена\n".encode("cp1251"), "CSV, Windows-1251, separated by semicolons, 1 row."),
            ("phone\tname\n0671234567\tОлена\n".encode("utf-16"), "CSV, UTF-16, separated by tabs, 1 row."),
            (workbook(["phone", "name"], [380671234567, "Олена"]), "XLSX, sheet “Sheet”, 1 row."),
        ],
    )
    def test_the_page_says_how_the_file_is_read(self, admin_client, draft, content, said):
        page = text_of(admin_client.get(upload(admin_client, draft, content)["Location"]))

        assert f"The file is read as {said}" in page
        assert "Олена" in page

    def test_a_second_sheet_is_not_passed_over_in_silence(self, admin_client, draft):
        book = Workbook()
        book.active.append(["phone"])
        book.active.append([380671234567])
        book.create_sheet("More").append(["phone"])
        content = io.BytesIO()
        book.save(content)

        page = text_of(admin_client.get(upload(admin_client, draft, content.getvalue())["Location"]))

        assert "sheet “Sheet” (1 other sheet is not read)" in page

    def test_the_first_rows_are_shown_with_their_numbers(self, admin_client, draft):
        page = admin_client.get(upload(admin_client, draft, CSV)["Location"]).content.decode()

        assert '<td class="hyber-number">4</td><td>12345</td><td>Ivan</td><td>=1+1</td>' in page

    def test_the_choice_is_prefilled_by_the_headers(self, admin_client, draft):
        use_text(draft, "Hi %first_name%")
        content = "First name;Телефон;city;Моє місто\nOlena;0671234567;Lviv;x\n"

        values = chosen(admin_client.get(upload(admin_client, draft, content)["Location"]))

        assert values == {
            "use-0": "variable",
            "name-0": "first_name",
            "use-1": "phone",
            "name-1": "",
            "use-2": "variable",
            "name-2": "city",
            "use-3": "nothing",
            "name-3": "moie_misto",
        }

    def test_where_no_header_tells_the_numbers_are_known_by_what_they_are(self, admin_client, draft):
        response = upload(
            admin_client, draft, "Client,Mobile of the client,Card\nOlena,067 111 22 33,12\nIvan,0671112244,7\n"
        )

        form = admin_client.get(response["Location"]).context["form"]

        assert [form[f"use-{number}"].initial for number in range(3)] == ["variable", "phone", "variable"]

    def test_of_two_columns_with_numbers_a_person_chooses(self, admin_client, draft):
        response = upload(admin_client, draft, "Mobile 1,Mobile 2\n0671112233,0671112244\n")

        form = admin_client.get(response["Location"]).context["form"]

        assert [form[f"use-{number}"].initial for number in range(2)] == ["nothing", "nothing"]

    def test_variables_that_no_column_gives_are_named(self, admin_client, draft):
        use_text(draft, "Hi %name% from %city%")
        response = upload(admin_client, draft, CSV)

        assert admin_client.get(response["Location"]).context["missing"] == ["city"]
        report = confirm(admin_client, response)
        assert "no column contains them: %city%" in text_of(report).replace("% city %", "%city%")

    @pytest.mark.parametrize(
        ("changes", "field", "error"),
        [
            ({"use_0": "nothing"}, "__all__", "Choose the column that contains the phone numbers."),
            ({"use_1": "phone"}, "use-1", "Another column is already chosen for this."),
            ({"name_1": ""}, "name-1", "Name the variable"),
            ({"name_1": "ім'я"}, "name-1", "cannot be the name of a variable"),
            ({"name_1": "phone_number"}, "name-1", "cannot be the name of a variable"),
            ({"use_2": "variable", "name_2": "%name%"}, "name-2", "Another column already contains this variable."),
            ({"use_2": "text", "name_1": "text"}, "name-1", "individual text. Choose another"),
            ({"use_1": "forged"}, "use-1", "Choose what this column is for."),
        ],
    )
    def test_a_wrong_choice_is_told_beside_its_field(self, admin_client, draft, changes, field, error):
        response = run(admin_client, draft, CSV, **changes)

        assert error in str(response.context["form"].errors[field])
        assert not draft.messages.exists()
        assert draft.jobs.get().state == BackgroundJob.State.UPLOADED

    def test_columns_become_what_somebody_says(self, admin_client, draft):
        run(admin_client, draft, CSV, use_2="variable", name_2="colour", use_1="nothing")

        assert draft.messages.get(phone_number="380671234567").variables == {"colour": "red"}

    def test_own_texts_are_not_mixed_with_texts_of_the_campaign(self, admin_client, draft):
        run(admin_client, draft, CSV)

        mixed = run(admin_client, draft, "phone,text\n0671112233,Hi\n", use_1="text")

        assert "recipients without an individual text" in str(mixed.context["form"].errors["__all__"])

    def test_a_column_of_own_texts(self, admin_client, draft):
        run(admin_client, draft, "phone,hello\n0671112233,Hi Olena\n", use_1="text")

        assert draft.messages.get().variables == {"text": "Hi Olena"}
        draft.refresh_from_db()
        assert draft.has_own_texts
        without = run(admin_client, draft, "phone,text\n0671112244,Hi\n", use_1="nothing")
        assert "an individual text" in str(without.context["form"].errors["__all__"])


class ReportTests:
    def test_every_row_of_a_csv_file_is_accounted_for(self, admin_client, draft):
        response = run(admin_client, draft, CSV)

        assert counts(response) == {"accepted": 2, "duplicates": 1, "existing": 0, "rejected": 1}
        page = response.content.decode()
        reason = "This is not a valid phone number: digits are missing."
        assert f'<th scope="row">{reason}</th><td class="hyber-number">1</td>' in page
        assert f'<td class="hyber-number">4</td><td>12345 · Ivan · =1+1</td><td>{reason}</td>' in page
        assert set(draft.messages.values_list("phone_number", flat=True)) == {"380671234567", "380677654321"}

    def test_characters_that_no_text_has_are_removed_and_told(self, admin_client, draft):
        response = run(admin_client, draft, b"phone,name\n0671234567,O\x00lena\n")

        assert "1 invalid character (NUL) was removed from the file" in text_of(response)
        assert draft.messages.get().variables["name"] == "Olena"

    def test_the_same_file_again_adds_nobody(self, admin_client, draft):
        run(admin_client, draft, CSV)

        assert counts(run(admin_client, draft, CSV))["existing"] == 3
        assert draft.messages.count() == 2

    def test_opted_out_people_are_counted(self, admin_client, draft):
        Suppression.objects.create(phone_number="380677654321")

        response = run(admin_client, draft, CSV)

        assert counts(response)["opted_out"] == 1
        assert "1 of the accepted numbers has opted out" in text_of(response)

    def test_rejected_rows_come_back_as_a_file_that_can_be_mended_and_imported(self, admin_client, draft):
        run(admin_client, draft, CSV)
        url = url_of(draft, "import_rejected", draft.jobs.get().pk)

        assert "Press the button again." in admin_client.get(url, follow=True).content.decode()
        response = admin_client.post(url)

        assert "attachment" in response["Content-Disposition"]
        content = b"".join(response.streaming_content)
        header, row = csv.reader(content.decode("utf-8-sig").splitlines())
        assert header == ["phone", "name", "favourite colour", "row in the file", "why it was rejected"]
        assert row == ["12345", "Ivan", "'=1+1", "4", "This is not a valid phone number: digits are missing."]
        mended = content.replace(b"12345", b"0671112233")
        assert counts(run(admin_client, draft, mended))["accepted"] == 1
        assert draft.messages.get(phone_number="380671112233").variables == {"name": "Ivan"}

    def test_a_row_with_more_values_than_columns_is_rejected_and_not_cut(self, admin_client, draft):
        response = run(admin_client, draft, "phone,name\n0671112233,Hi, Olena\n0671112244,Ivan\n")

        assert counts(response) == {"accepted": 1, "duplicates": 0, "existing": 0, "rejected": 1}
        assert "more values than there are columns" in response.content.decode()

    def test_an_import_is_logged_with_its_numbers(self, admin_client, draft):
        run(admin_client, draft, CSV)

        text = "Imported from people.csv: 2 accepted, 1 repeated, 1 rejected."
        assert LogEntry.objects.get().get_change_message() == text

    def test_a_large_file_that_django_keeps_on_disk(self, admin_client, draft, settings):
        settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10

        assert counts(run(admin_client, draft, CSV))["accepted"] == 2

    def test_the_report_stays_after_the_launch_and_nobody_is_added(self, admin_client, draft):
        finished = run(admin_client, draft, CSV)
        late = upload(admin_client, draft, CSV)["Location"]
        Campaign.objects.update(status=Campaign.Status.SENDING)

        assert counts(admin_client.get(finished.redirect_chain[-1][0]))["accepted"] == 2
        for response in (upload(admin_client, draft, CSV), admin_client.post(late, {"use-0": "phone"})):
            assert response["Location"] == url_of(draft, "change")
        assert "before the launch" in admin_client.get(url_of(draft, "change")).content.decode()
        assert draft.messages.count() == 2

    def test_the_page_of_the_campaign_leads_back_to_an_import(self, admin_client, draft):
        upload(admin_client, draft, CSV)

        page = admin_client.get(url_of(draft, "change")).content.decode()

        assert f'href="{url_of(draft, "import_job", draft.jobs.get().pk)}"' in page


def test_an_unknown_campaign_or_import_is_not_found(admin_client, draft):
    other = Campaign.objects.create(name="Other")
    upload(admin_client, draft, CSV)

    assert admin_client.get("/admin/django_hyber/campaign/999/import/").status_code == 404
    assert admin_client.get(url_of(other, "import_job", draft.jobs.get().pk)).status_code == 404


DOUBTED = "phone\n0671112233\n38671234567\n38951234567\n"


def test_page_names_the_first_doubtful_numbers(draft, admin_client):
    page = admin_client.get(upload(admin_client, draft, DOUBTED)["Location"]).content.decode()

    assert "The first ones: 38671234567 (row 3), 38951234567 (row 4)." in page


def test_page_masks_doubtful_numbers_for_users_who_may_not_see_them(draft, client, django_user_model):
    user = django_user_model.objects.create_user("writer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="change_campaign"))
    client.force_login(user)
    page = client.get(upload(client, draft, DOUBTED)["Location"]).content.decode()

    assert "(row 3)" in page
    assert "38671234567" not in page


@pytest.mark.parametrize(("second", "is_told"), [("0501000000", True), ("0501000001", False)])
def test_pages_tell_that_a_spreadsheet_may_have_lost_digits(draft, admin_client, second, is_told):
    response = upload(admin_client, draft, f"phone\n0671000000\n{second}\n")
    told = "Numbers that end in six zeros: 2." in text_of(admin_client.get(response["Location"]))

    assert told is is_told
    assert ("Numbers that end in six zeros: 2." in text_of(confirm(admin_client, response))) is is_told

from __future__ import annotations

import csv
import io
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from openpyxl import Workbook

from django_hyber.models import Campaign

CSV = (
    "phone,name,favourite colour\n0671234567,Olena,red\n+380 67 123 45 67,Again,\n"
    "12345,Ivan,=1+1\n067-765-43-21,Taras,\n"
)


def url_of(campaign, page="import"):
    return reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk])


def upload(client, campaign, content, name="people.csv", **fields):
    content = content.encode() if isinstance(content, str) else content
    return client.post(url_of(campaign), {"file": SimpleUploadedFile(name, content), **fields})


def counts(response):
    page = response.content.decode()
    return {name: int(count) for name, count in re.findall(r'data-count="(\w+)"><b>(\d+)</b>', page)}


def signed_rows(response):
    return response.context["signed_rows"]


def test_the_page_tells_which_columns_the_texts_use(admin_client, draft):
    channel = draft.channels.first()
    channel.options["text"] = "Hi %name% from %city%"
    channel.save()

    assert "<code>city, name</code>" in admin_client.get(url_of(draft)).content.decode()


def test_every_row_of_a_csv_file_is_accounted_for(admin_client, draft):
    response = upload(admin_client, draft, CSV)

    assert counts(response) == {"accepted": 2, "duplicates": 1, "existing": 0, "rejected": 1}
    page = response.content.decode()
    reason = "This is not a valid phone number: digits are missing."
    assert f'<td class="hyber-number">4</td><td>{reason}</td><td>12345 · Ivan · =1+1</td>' in page
    assert "favourite colour" in page
    assert set(draft.messages.values_list("phone_number", flat=True)) == {"380671234567", "380677654321"}


def test_the_same_file_again_adds_nobody(admin_client, draft):
    upload(admin_client, draft, CSV)

    assert counts(upload(admin_client, draft, CSV))["existing"] == 3
    assert draft.messages.count() == 2


def test_an_xlsx_table_with_a_named_phone_column(admin_client, draft):
    book = Workbook()
    book.active.append(["name", "contact"])
    book.active.append(["Olena", 380671234567])
    content = io.BytesIO()
    book.save(content)

    response = upload(admin_client, draft, content.getvalue(), name="people.xlsx", phone_column="contact")

    assert counts(response)["accepted"] == 1
    assert draft.messages.get().variables == {"name": "Olena"}


def test_a_large_file_that_django_keeps_on_disk(admin_client, draft, settings):
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10

    assert counts(upload(admin_client, draft, CSV))["accepted"] == 2


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("name,city\nOlena,Lviv\n", "No column holds phone numbers"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\x98", "neither UTF-8"),
        ("", "empty"),
        (b"PK\x03\x04 no table", "cannot be read"),
        (None, "required"),
    ],
)
def test_a_bad_file_is_refused_beside_its_field(admin_client, draft, content, error):
    if content is None:
        response = admin_client.post(url_of(draft), {"phone_column": ""})
    else:
        response = upload(admin_client, draft, content)

    assert error in str(response.context["form"].errors["file"])
    assert "Nothing was imported" in response.content.decode()
    assert not draft.messages.exists()


def test_rejected_rows_come_back_as_a_file_that_can_be_mended(admin_client, draft):
    response = admin_client.post(url_of(draft, "rejected"), {"rows": signed_rows(upload(admin_client, draft, CSV))})

    assert response["Content-Type"].startswith("text/csv")
    assert "attachment" in response["Content-Disposition"]
    header, row = csv.reader(response.content.decode("utf-8-sig").splitlines())
    assert header == ["phone", "name", "favourite colour", "row in the file", "why it was rejected"]
    assert row == ["12345", "Ivan", "'=1+1", "4", "This is not a valid phone number: digits are missing."]


def test_rows_that_nobody_signed_are_not_given_back(admin_client, draft):
    other = Campaign.objects.create(name="Other")
    foreign = signing.dumps({"campaign": other.pk, "rows": []}, salt="django_hyber.rejected-rows")

    for rows in ("", "forged", foreign):
        response = admin_client.post(url_of(draft, "rejected"), {"rows": rows}, follow=True)
        assert "too old" in response.content.decode()
    assert admin_client.get(url_of(draft, "rejected")).status_code == 405


def test_an_import_is_logged_with_its_numbers(admin_client, draft):
    upload(admin_client, draft, CSV)

    assert LogEntry.objects.get().get_change_message() == ("Imported recipients: 2 accepted, 1 repeated, 1 rejected.")


def test_no_personal_data_is_left_in_the_session(admin_client, draft):
    upload(admin_client, draft, CSV)

    assert not any("Ivan" in str(session.get_decoded()) for session in Session.objects.all())


def test_nobody_is_added_after_the_launch(admin_client, draft):
    Campaign.objects.update(status=Campaign.Status.SENDING)

    response = upload(admin_client, draft, CSV)

    assert response["Location"] == url_of(draft, "change")
    assert "before the launch" in admin_client.get(url_of(draft, "change")).content.decode()
    assert not draft.messages.exists()


def test_an_unknown_campaign_is_not_found(admin_client, db):
    assert admin_client.get("/admin/django_hyber/campaign/999/import/").status_code == 404

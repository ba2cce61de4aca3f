from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import openpyxl
import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import translation

from django_hyber.audience.files.xlsx_file import XlsxFile
from django_hyber.jobs import background
from django_hyber.models import BackgroundJob
from django_hyber.services import import_suppressions
from django_hyber.tasks import run_job


@pytest.fixture
def ready(draft, add_recipients):
    add_recipients(draft, 2, variables={"name": "=1+1"})
    return draft


def url_of(campaign, page="export"):
    return reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk])


def content_of(response):
    return b"".join(response.streaming_content)


def test_recipients_are_downloaded_as_csv(admin_client, ready):
    assert url_of(ready) in admin_client.get(url_of(ready, "change")).content.decode()
    assert 'value="csv"' in admin_client.get(url_of(ready)).content.decode()
    response = admin_client.post(url_of(ready), {"format": "csv"})
    header, *rows = csv.reader(io.StringIO(content_of(response).decode("utf-8-sig")))

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="campaign-{ready.pk}.csv"'
    assert header[:3] == ["phone", "Phone digits (Hyber)", "name"]
    assert [row[2] for row in rows] == ["'=1+1", "'=1+1"]


@pytest.mark.parametrize(("language", "first"), [("en", "csv"), ("uk", "csv-semicolons")])
def test_page_offers_first_what_the_readers_spreadsheet_expects(admin_client, ready, language, first):
    page = admin_client.get(url_of(ready), headers={"accept-language": language}).content.decode()

    assert sorted(re.findall('name="format" value="(.*?)"', page)) == ["csv", "csv-semicolons", "xlsx"]
    assert re.findall('name="format" value="(.*?)" class="button default"', page) == [first]


def test_recipients_are_downloaded_as_csv_for_excel(admin_client, ready):
    response = admin_client.post(url_of(ready), {"format": "csv-semicolons"})

    assert response["Content-Disposition"] == f'attachment; filename="campaign-{ready.pk}.csv"'
    assert content_of(response).decode("utf-8-sig").startswith("phone;Phone digits (Hyber);name;")


def test_large_export_keeps_the_chosen_separator(admin_client, ready, monkeypatch, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr(background, "IN_BACKGROUND_FROM", 1)
    for value in ("csv-semicolons", "csv"):
        admin_client.post(url_of(ready), {"format": value})

    jobs = list(BackgroundJob.objects.order_by("pk"))
    for job in jobs:
        run_job.call(job.pk)
        job.refresh_from_db()
    assert [Path(job.produced.path).read_text("utf-8-sig")[:6] for job in jobs] == ["phone;", "phone,"]


@pytest.mark.django_db
def test_rejected_rows_are_for_the_readers_spreadsheet():
    for language, separator in (("en", ","), ("uk", ";")):
        file = io.BytesIO()
        with translation.override(language):
            import_suppressions([{"phone": "12", "name": "a,b;=1"}], rejected_file=file)
        header, row = file.getvalue().decode("utf-8-sig").splitlines()

        assert header.startswith(f"phone{separator}name{separator}")
        assert row.startswith(f'12{separator}"a,b;\'=1"{separator}1{separator}')


def test_recipients_are_downloaded_as_xlsx(admin_client, ready):
    response = admin_client.post(url_of(ready), {"format": "xlsx"})

    assert response["Content-Disposition"].endswith('.xlsx"')
    assert openpyxl.load_workbook(io.BytesIO(content_of(response))).active.max_row == 3


def test_download_of_a_launched_campaign(admin_client, ready):
    type(ready).objects.update(status="finished")

    assert url_of(ready) in admin_client.get(url_of(ready, "change")).content.decode()
    assert admin_client.post(url_of(ready), {"format": "csv"}).status_code == 200


def test_download_is_in_the_history_and_a_look_is_not(admin_client, ready):
    admin_client.get(url_of(ready))
    assert not LogEntry.objects.exists()
    admin_client.post(url_of(ready), {"format": "xlsx"})

    assert LogEntry.objects.get().get_change_message() == "Exported 2 recipients as XLSX."


def test_exporting_takes_a_permission_of_its_own(client, ready, log_in):
    log_in("add_campaign", "change_campaign", "view_campaign", "send_campaign", "view_message")

    assert url_of(ready) not in client.get(url_of(ready, "change")).content.decode()
    assert client.get(url_of(ready)).status_code == 403
    assert client.post(url_of(ready), {"format": "csv"}).status_code == 403


def test_whoever_may_export_need_not_be_allowed_to_write(client, ready, log_in):
    log_in("view_campaign", "export_campaign", "view_personal_data")

    assert url_of(ready) in client.get(url_of(ready, "change")).content.decode()
    assert client.post(url_of(ready), {"format": "csv"}).status_code == 200


def test_exporting_needs_to_see_numbers(client, ready, log_in):
    log_in("view_campaign", "export_campaign")

    assert url_of(ready) not in client.get(url_of(ready, "change")).content.decode()
    assert client.post(url_of(ready), {"format": "csv"}).status_code == 403


def test_exporting_needs_to_see_the_campaign(client, ready, log_in):
    log_in("export_campaign")

    assert client.post(url_of(ready), {"format": "csv"}).status_code == 403


def test_strangers_are_asked_to_log_in(client, ready):
    response = client.post(url_of(ready), {"format": "csv"})

    assert response["Location"].startswith("/admin/login/")


def test_campaign_without_recipients_offers_nothing(admin_client, draft):
    assert url_of(draft) not in admin_client.get(url_of(draft, "change")).content.decode()


def test_unknown_format_is_refused(admin_client, ready):
    assert admin_client.post(url_of(ready), {"format": "pdf"}).status_code == 400
    assert not LogEntry.objects.exists()


def test_campaign_that_is_too_large_for_a_sheet_is_told(admin_client, ready, monkeypatch):
    monkeypatch.setattr(XlsxFile, "most_rows", 2)
    response = admin_client.post(url_of(ready), {"format": "xlsx"}, follow=True)

    assert "Export this campaign as CSV" in response.content.decode()
    assert not LogEntry.objects.exists()

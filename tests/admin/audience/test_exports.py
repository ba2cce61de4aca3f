from __future__ import annotations

import csv
import io

import openpyxl
import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from django_hyber.audience.files.xlsx_file import XlsxFile


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
    assert header[:2] == ["phone", "name"]
    assert [row[1] for row in rows] == ["'=1+1", "'=1+1"]


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

"""Background work on the page of a campaign, and the files that exports make there."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from django_hyber.audience.export import export_once
from django_hyber.jobs.background import is_large
from django_hyber.models import BackgroundJob, Campaign
from django_hyber.services import request_job
from django_hyber.tasks import run_job

Kind, State = BackgroundJob.Kind, BackgroundJob.State


def url_of(campaign, page="export", *arguments):
    return reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk, *arguments])


def content_of(response):
    return b"".join(response.streaming_content)


def told(response):
    return [str(message) for message in response.context["messages"]]


def lines(client, campaign):
    """What the page says about each job, the newest first."""
    page = client.get(url_of(campaign, "progress")).content.decode()
    items = re.findall(r'<li data-job="(\w+)">(.*?)</li>', page, re.DOTALL)
    return [(state, " ".join(re.sub(r"<[^>]+>", " ", text).split()), text) for state, text in items]


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def large(draft, add_recipients, monkeypatch):
    """A campaign that is exported in the background."""
    monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 3)
    add_recipients(draft, 3, variables={"name": "Olena"})
    return draft


@pytest.fixture
def exported(large, admin_client, admin_user):
    """A finished export of the administrator's."""
    admin_client.post(url_of(large), {"format": "csv"})
    job = BackgroundJob.objects.get()
    run_job.call(job.pk)
    job.refresh_from_db()
    return job


class LargeExportTests:
    def test_only_many_recipients_are_exported_in_the_background(self, large):
        assert is_large(large.messages)
        large.messages.first().delete()
        assert not is_large(large.messages)

    def test_the_page_says_so_beforehand(self, admin_client, large):
        assert "the file is created in the background" in admin_client.get(url_of(large)).content.decode()

    def test_it_is_asked_for_and_logged(self, admin_client, large, admin_user):
        response = admin_client.post(url_of(large), {"format": "xlsx"}, follow=True)

        assert told(response) == ["The export as XLSX has started. The file will appear on this page."]
        job = BackgroundJob.objects.get()
        assert (job.kind, job.state, job.created_by) == ("export", "waiting", admin_user)
        assert job.parameters["format"] == "xlsx"
        assert LogEntry.objects.get().get_change_message() == "Requested an export as XLSX."

    def test_a_double_click_asks_once(self, admin_client, large):
        for _ in range(2):
            response = admin_client.post(url_of(large), {"format": "csv"}, follow=True)

        assert told(response)[-1] == "An export as CSV is already under way."
        assert BackgroundJob.objects.count() == LogEntry.objects.count() == 1

    def test_another_format_and_another_person_get_their_own(self, large, admin_user, django_user_model):
        colleague = django_user_model.objects.create_user("colleague")

        assert [export_once(large, kind, user) for kind, user in (("csv", admin_user), ("xlsx", admin_user))] == [
            True,
            True,
        ]
        assert export_once(large, "csv", colleague)
        assert not export_once(large, "csv", colleague)
        assert BackgroundJob.objects.count() == 3

    def test_once_it_is_done_another_may_be_wanted(self, admin_client, large, exported):
        admin_client.post(url_of(large), {"format": "csv"})

        assert sorted(BackgroundJob.objects.values_list("state", flat=True)) == ["done", "waiting"]

    def test_an_unknown_format_is_refused(self, admin_client, large):
        assert admin_client.post(url_of(large), {"format": "pdf"}).status_code == 400
        assert not BackgroundJob.objects.exists()


class DownloadTests:
    def test_the_file_holds_every_recipient(self, admin_client, large, exported):
        response = admin_client.post(url_of(large, "exported", exported.pk))
        header, *rows = csv.reader(io.StringIO(content_of(response).decode("utf-8-sig")))

        assert response["Content-Disposition"] == f'attachment; filename="campaign-{large.pk}.csv"'
        assert header[:3] == ["phone", "Phone digits (Hyber)", "name"]
        assert sorted(row[0].strip("'+") for row in rows) == sorted(
            large.messages.values_list("phone_number", flat=True)
        )

    def test_the_download_is_logged_and_a_look_downloads_nothing(self, admin_client, large, exported):
        LogEntry.objects.all().delete()

        page = admin_client.get(url_of(large, "exported", exported.pk), follow=True)
        assert "Nothing has been done yet. Press the button again." in page.content.decode()
        assert not LogEntry.objects.exists()
        content_of(admin_client.post(url_of(large, "exported", exported.pk)))
        assert LogEntry.objects.get().get_change_message() == "Downloaded the exported recipients."

    def test_it_is_for_whoever_asked_for_it(self, client, large, exported, log_in):
        log_in("view_campaign", "export_campaign", "view_personal_data")

        assert client.post(url_of(large, "exported", exported.pk)).status_code == 404
        assert "Download" not in lines(client, large)[0][1]

    def test_whoever_may_not_export_any_more_gets_nothing(self, client, large, exported, log_in):
        user = log_in("view_campaign")
        BackgroundJob.objects.update(created_by=user)

        assert client.post(url_of(large, "exported", exported.pk)).status_code == 403
        assert "Download" not in lines(client, large)[0][1]

    @pytest.mark.parametrize(
        "changes", [{"state": State.RUNNING}, {"state": State.FAILED}, {"kind": Kind.RETRY}, {"produced": ""}]
    )
    def test_only_a_finished_export_is_given(self, admin_client, large, exported, changes):
        BackgroundJob.objects.update(**changes)

        assert admin_client.post(url_of(large, "exported", exported.pk)).status_code == 404

    def test_the_export_of_another_campaign_is_not_found(self, admin_client, exported):
        other = Campaign.objects.create(name="Other")

        assert admin_client.post(url_of(other, "exported", exported.pk)).status_code == 404

    def test_a_file_that_somebody_has_removed_is_not_found(self, admin_client, large, exported):
        exported.produced.storage.delete(exported.produced.name)

        assert admin_client.post(url_of(large, "exported", exported.pk)).status_code == 404


class PageTests:
    def test_a_job_on_its_way_shows_how_far_it_is(self, admin_client, large, admin_user):
        job = request_job(Kind.EXPORT, large, {"format": "csv"}, admin_user)
        BackgroundJob.objects.update(state=State.RUNNING, done=1_500, total=20_000)

        ((state, text, markup),) = lines(admin_client, large)

        assert state == "running"
        assert text.endswith(": running 1,500 of 20,000")
        assert 'max="20000" value="1500"' in markup
        assert job.pk

    def test_a_job_that_has_not_begun_promises_nothing(self, admin_client, large, admin_user):
        request_job(Kind.EXPORT, large, {"format": "csv"}, admin_user)

        ((state, _text, markup),) = lines(admin_client, large)

        assert state == "waiting"
        assert "max=" not in markup

    def test_a_finished_export_can_be_downloaded(self, admin_client, large, exported):
        ((state, text, markup),) = lines(admin_client, large)

        assert state == "done"
        assert "Download" in text
        assert f'formaction="{url_of(large, "exported", exported.pk)}"' in markup

    def test_a_job_that_failed_says_why(self, admin_client, large, admin_user):
        request_job(Kind.EXPORT, large, {"format": "csv"}, admin_user)
        BackgroundJob.objects.update(state=State.FAILED, error_text="It was interrupted 5 times.")

        ((state, text, _markup),) = lines(admin_client, large)

        assert state == "failed"
        assert text.endswith("It was interrupted 5 times.")

    def test_the_last_five_of_the_week_are_shown(self, admin_client, large, admin_user):
        jobs = [request_job(Kind.EXPORT, large, {"format": "csv"}, admin_user) for _ in range(7)]
        request_job(Kind.CHECK, large, {}, admin_user)
        BackgroundJob.objects.filter(pk=jobs[-1].pk).update(created_at=timezone.now() - timedelta(days=8))

        assert len(lines(admin_client, large)) == 5

    def test_a_page_without_jobs_has_no_list_of_them(self, admin_client, large):
        assert lines(admin_client, large) == []

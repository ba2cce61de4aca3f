"""Imports as work of their own: large ones in the background, stopped, clicked twice, and who may see them."""

from __future__ import annotations

import threading

import django
import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from django_hyber.audience import imports, uploads
from django_hyber.models import BackgroundJob, Suppression
from django_hyber.services import dispatch, keep_upload
from django_hyber.tasks import run_job
from tests.admin.audience.test_imports import CSV, chosen, confirm, counts, media, run, text_of, upload, url_of  # noqa: F401
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)

State = BackgroundJob.State
FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
ROWS = "phone,name\n" + "".join(f"{phone(number)},Name {number}\n" for number in range(30))


@pytest.fixture
def in_background(settings, monkeypatch):
    """Every file is large, and nobody works on tasks but the sweep."""
    settings.TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}
    monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 10)
    monkeypatch.setattr("django_hyber.audience.imports.CHUNK", 10)


def work(job):
    run_job.call(job.pk)
    job.refresh_from_db()
    return job


class BackgroundTests:
    def test_a_large_file_is_imported_after_the_page_has_been_shown(self, admin_client, draft, in_background):
        response = upload(admin_client, draft, ROWS)
        assert "imported in the background" in admin_client.get(response["Location"]).content.decode()

        page = confirm(admin_client, response)

        assert "Waiting in the queue." in page.content.decode()
        assert page.context["page"].refresh
        assert draft.messages.count() == 0
        assert work(draft.jobs.get()).state == State.DONE
        assert counts(admin_client.get(response["Location"]))["accepted"] == 30

    def test_rows_that_are_counted_before_are_those_that_are_imported(self, admin_client, draft, in_background):
        odd = 'phone,name\n\n,\n" ",\n-,-\n\u200b,\n0671112233,one,more\n0671112234\n#N/A,\n\n'
        confirm(admin_client, upload(admin_client, draft, odd + ROWS.partition("\n")[2]))

        job = work(draft.jobs.get())

        assert job.total == job.done == job.result["total"] == 35

    def test_a_file_of_many_bytes_is_large_whatever_its_rows(self, draft, monkeypatch):
        monkeypatch.setattr(uploads, "LARGE_BYTES", 10)

        job = keep_upload(draft, None, ContentFile(ROWS.encode(), name="people.csv"))

        assert uploads.is_large_upload(job)

    def test_the_page_refreshes_a_part_of_itself(self, admin_client, draft, in_background):
        confirm(admin_client, upload(admin_client, draft, ROWS))
        job = draft.jobs.get()
        BackgroundJob.objects.update(state=State.RUNNING, done=10, total=30, lease_until=timezone.now())

        response = admin_client.get(url_of(draft, "import_progress", job.pk))

        assert "no-store" in response["Cache-Control"]
        assert "10 of 30 rows" in response.content.decode()
        assert "<html" not in response.content.decode()

    def test_the_page_of_the_campaign_shows_how_far_it_is(self, admin_client, draft, in_background):
        confirm(admin_client, upload(admin_client, draft, ROWS))
        BackgroundJob.objects.update(state=State.RUNNING, done=10, total=30, lease_until=timezone.now())

        page = admin_client.get(url_of(draft, "change"))

        assert "10 of 30" in page.content.decode()
        assert page.context["progress"].refresh

    def test_a_file_that_breaks_off_imports_nothing_and_says_where(self, admin_client, draft, monkeypatch):
        monkeypatch.setattr(uploads, "LARGE_BYTES", 10)

        more = "".join(f"{phone(number)},\n" for number in range(30, 300))

        response = run(admin_client, draft, ROWS + more + '0671112233,"open\n')

        assert "line 302 cannot be read" in response.content.decode()
        assert "Nothing was imported." in response.content.decode()
        assert not draft.messages.exists()

    def test_a_confirmed_import_is_logged(self, admin_client, draft, in_background):
        confirm(admin_client, upload(admin_client, draft, ROWS))

        assert LogEntry.objects.get().get_change_message() == "Import confirmed: people.csv."


class StopTests:
    def test_an_import_that_waits_can_be_stopped(self, admin_client, draft, in_background, tmp_path):
        confirm(admin_client, upload(admin_client, draft, ROWS))
        job = draft.jobs.get()

        response = admin_client.post(url_of(draft, "import_stop", job.pk), follow=True)

        assert "Stopped after 0 rows." in response.content.decode()
        assert work(job).state == State.STOPPED
        assert not draft.messages.exists()
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        assert LogEntry.objects.first().get_change_message() == "Import stopped: people.csv."

    def test_what_was_accepted_before_the_stop_stays_and_the_counts_are_true(
        self, admin_client, draft, in_background, monkeypatch
    ):
        confirm(admin_client, upload(admin_client, draft, ROWS))
        job = draft.jobs.get()
        stop_at_second_page(monkeypatch, lambda: admin_client.post(url_of(draft, "import_stop", job.pk)))

        work(job)

        assert (job.state, job.result["total"], job.result["accepted"], draft.messages.count()) == (
            "stopped",
            10,
            10,
            10,
        )
        page = admin_client.get(url_of(draft, "import_job", job.pk))
        assert counts(page)["accepted"] == 10
        assert "Stopped after 10 rows." in page.content.decode()

    def test_the_same_file_adds_the_rest(self, admin_client, draft, in_background, monkeypatch):
        confirm(admin_client, upload(admin_client, draft, ROWS))
        job = draft.jobs.get()
        stop_at_second_page(monkeypatch, lambda: admin_client.post(url_of(draft, "import_stop", job.pk)))
        work(job)
        confirm(admin_client, upload(admin_client, draft, ROWS))

        again = work(draft.jobs.first())

        assert (again.result["accepted"], again.result["existing"], draft.messages.count()) == (20, 10, 30)

    def test_what_has_ended_cannot_be_stopped(self, admin_client, draft):
        run(admin_client, draft, ROWS)
        job = draft.jobs.get()

        assert (
            "Press the button again."
            in admin_client.get(url_of(draft, "import_stop", job.pk), follow=True).content.decode()
        )
        response = admin_client.post(url_of(draft, "import_stop", job.pk), follow=True)

        assert "has already ended" in response.content.decode()
        assert draft.jobs.get().state == State.DONE


def stop_at_second_page(monkeypatch, stop):
    """Press the button while the second page of rows is being read."""
    original = imports.pages_of

    def pages_of(rows):
        for number, page in enumerate(original(rows)):
            if number == 1:
                stop()
            yield page

    monkeypatch.setattr(imports, "pages_of", pages_of)


class TwiceTests:
    def test_the_second_of_two_clicks_finds_it_confirmed(self, admin_client, draft):
        response = upload(admin_client, draft, ROWS)
        values = chosen(admin_client.get(response["Location"]))

        for _click in range(2):
            assert admin_client.post(response["Location"], values)["Location"] == response["Location"]

        assert (draft.messages.count(), draft.jobs.get().attempts) == (30, 1)
        assert LogEntry.objects.count() == 1

    def test_two_clicks_in_the_same_moment_add_nobody_twice(self, admin_client, draft):
        response = upload(admin_client, draft, ROWS)
        values = chosen(admin_client.get(response["Location"]))
        cookies = admin_client.cookies
        barrier = threading.Barrier(2)
        found = []

        def click():
            client = Client()
            client.cookies = cookies
            barrier.wait()
            try:
                found.append(client.post(response["Location"], values).status_code)
            finally:
                connection.close()

        threads = [threading.Thread(target=click) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found == [302, 302]
        assert draft.messages.count() == 30
        job = draft.jobs.get()
        assert (job.state, job.attempts, job.result["accepted"]) == (State.DONE, 1, 30)

    def test_the_same_file_uploaded_by_two_clicks_adds_everybody_once(self, admin_client, draft):
        first, second = upload(admin_client, draft, ROWS), upload(admin_client, draft, ROWS)

        confirm(admin_client, first)
        report = confirm(admin_client, second)

        assert (counts(report)["accepted"], counts(report)["existing"], draft.messages.count()) == (0, 30, 30)

    def test_a_repeated_task_adds_nobody(self, admin_client, draft):
        run(admin_client, draft, ROWS)

        run_job.call(draft.jobs.get().pk)
        dispatch()

        assert (draft.messages.count(), draft.jobs.get().attempts) == (30, 1)


class PersonalDataTests:
    def test_the_preview_is_masked_for_whoever_may_not_see_personal_data(self, client, draft, log_in):
        log_in("view_campaign", "change_campaign")

        page = client.get(upload(client, draft, CSV)["Location"])

        assert "you may not see personal data" in page.content.decode()
        assert '<th scope="col">name</th>' in page.content.decode()
        assert not any(shown in text_of(page) for shown in ("Olena", "1234567", "67 123", "=1+1"))

    def test_so_is_the_report_and_its_file_is_not_given(self, client, draft, log_in):
        log_in("view_campaign", "change_campaign")

        report = run(client, draft, CSV)

        assert counts(report)["rejected"] == 1
        assert not any(shown in text_of(report) for shown in ("Ivan", "12345", "Download"))
        assert client.post(url_of(draft, "import_rejected", draft.jobs.get().pk)).status_code == 403

    def test_the_report_does_not_tell_who_was_there_already_or_has_opted_out(self, client, draft, log_in):
        log_in("view_campaign", "change_campaign")
        run(client, draft, "phone\n0671234567\n")
        Suppression.objects.create(phone_number="380671234568")

        report = run(client, draft, "phone\n0671234567\n0671234568\n0671234568\n")

        assert counts(report) == {"accepted": 1, "rejected": 0}
        assert "2 not added" in text_of(report)
        assert "opted out" not in text_of(report)

    def test_values_in_place_of_headers_are_masked(self, client, draft, log_in):
        log_in("view_campaign", "change_campaign")
        job = keep_upload(draft, None, ContentFile(CSV.encode(), name="people.csv"))
        headers = ["+38 067 123-45-01", "Petrenko"]
        rows = [[2, ["0671234567", "Olena"]]]
        BackgroundJob.objects.update(parameters=job.parameters | {"preview": {"headers": headers, "rows": rows}})

        page = client.get(url_of(draft, "import_job", job.pk)).content.decode()

        assert not any(shown in page for shown in ("123-45-01", "Petrenko", "Olena", "1234567"))

    def test_the_name_of_a_file_shows_no_number(self, client, draft, log_in):
        log_in("view_campaign", "change_campaign")
        job = keep_upload(draft, None, ContentFile(CSV.encode(), name="380671234599 067 123-45-98.csv"))
        address = url_of(draft, "import_job", job.pk)

        pages = [client.get(address), client.post(address, chosen(client.get(address)), follow=True)]

        texts = "".join(page.content.decode() for page in pages) + str(LogEntry.objects.values_list("change_message"))
        assert "Import of •••••.csv" in texts
        assert "1234599" not in texts
        assert "45-98" not in texts

    def test_whoever_may_see_it_sees_it(self, client, draft, log_in):
        log_in("view_campaign", "change_campaign", "view_personal_data")

        assert "Olena" in text_of(client.get(upload(client, draft, CSV)["Location"]))

    def test_a_campaign_that_one_may_only_view_takes_no_file(self, client, draft, log_in, admin_user):
        log_in("view_campaign", "view_personal_data")
        job = keep_upload(draft, admin_user, ContentFile(CSV.encode(), name="people.csv"))

        assert client.get(url_of(draft)).status_code == 403
        assert client.post(url_of(draft, "import_job", job.pk)).status_code == 403
        for page in ("import_stop", "import_discard", "import_rejected"):
            assert client.post(url_of(draft, page, job.pk)).status_code == 403
        assert "import_job" not in client.get(url_of(draft, "change")).content.decode()

    def test_rejected_rows_are_forgotten_with_their_file(self, admin_client, draft, tmp_path):
        run(admin_client, draft, CSV)
        BackgroundJob.objects.update(finished_at="2020-01-01T00:00:00Z")

        dispatch()

        job = draft.jobs.get()
        assert "Ivan" not in str(job.result)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        page = admin_client.get(url_of(draft, "import_job", job.pk))
        assert counts(page)["rejected"] == 1

    def test_the_first_rows_are_not_kept_in_the_table_of_jobs(self, admin_client, draft):
        run(admin_client, draft, CSV)

        assert "Olena" not in str(draft.jobs.get().parameters)


def test_the_report_takes_the_same_queries_whatever_was_imported(
    admin_client, draft, add_recipients, django_assert_num_queries
):
    run(admin_client, draft, CSV)
    add_recipients(draft, 50)
    run(admin_client, draft, ROWS)

    for job in draft.jobs.all():
        with django_assert_num_queries(5):
            admin_client.get(url_of(draft, "import_job", job.pk))

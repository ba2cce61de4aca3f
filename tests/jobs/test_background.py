from __future__ import annotations

import csv
from datetime import timedelta
from io import BytesIO

import django
import pytest
from django.core.files.base import ContentFile
from django.db import OperationalError, transaction
from django.test import override_settings
from django.utils import timezone
from django.utils.translation import override

from django_hyber.jobs import background, work
from django_hyber.jobs.work import JobClaim, JobLostError
from django_hyber.models import BackgroundJob, Campaign, Message, Suppression
from django_hyber.protocol import SMS
from django_hyber.services import (
    check_campaign,
    confirm_upload,
    dispatch,
    import_recipients,
    keep_upload,
    request_job,
    start_campaign,
)
from django_hyber.tasks import run_job
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)

Kind, State = BackgroundJob.Kind, BackgroundJob.State
FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
LOSING_TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}
FILE = "phone,name\n0671112233,Olena\n+380 67 111 22 33,Again\n12,Ivan\n0671112244,=1+1\n"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path


@pytest.fixture
def campaign(platform):
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([SMS(text="Hi", alpha_name="Shop", ttl=300)])
    return campaign


@pytest.fixture
def no_task(settings):
    """Tasks that get lost."""
    settings.TASKS = LOSING_TASKS


def people(text=FILE):
    return ContentFile(text.encode(), name="people.csv")


def age(job, **ages):
    values = {name: timezone.now() - timedelta(days=days) for name, days in ages.items()}
    BackgroundJob.objects.filter(pk=job.pk).update(**values)


def fresh(job):
    return BackgroundJob.objects.get(pk=job.pk)


class ImportJobTests:
    def test_it_tells_what_became_of_every_row(self, campaign, admin_user):
        job = fresh(request_job(Kind.IMPORT, campaign, {}, admin_user, people()))

        assert (job.state, job.done, job.total, job.created_by) == (State.DONE, 4, 4, admin_user)
        counts = {name: job.result[name] for name in ("accepted", "duplicates", "existing", "rejected_count", "total")}
        assert counts == {"accepted": 2, "duplicates": 1, "existing": 0, "rejected_count": 1, "total": 4}
        assert job.result["rejected"] == [
            [4, "This is not a valid phone number: digits are missing.", [["phone", "12"], ["name", "Ivan"]]]
        ]
        assert campaign.messages.count() == 2

    def test_rejected_rows_are_a_file_that_can_be_mended_and_imported(self, campaign):
        job = fresh(request_job(Kind.IMPORT, campaign, {}, None, people()))
        with job.produced.open() as file:
            text = file.read().decode("utf-8-sig")

        assert list(csv.reader(text.splitlines())) == [
            ["phone", "name", "row in the file", "why it was rejected"],
            ["12", "Ivan", "4", "This is not a valid phone number: digits are missing."],
        ]
        report = import_recipients(campaign, BytesIO(text.replace("12,", "0671112255,").encode()))
        assert (report.accepted, report.ignored_columns) == (1, ["row in the file", "why it was rejected"])
        assert campaign.messages.get(phone_number="380671112255").variables == {"name": "Ivan"}

    def test_columns_are_what_somebody_said(self, campaign):
        parameters = {"phone_column": "phone", "variables": {"name": "first_name"}}
        request_job(Kind.IMPORT, campaign, parameters, None, people())

        assert campaign.messages.first().variables == {"first_name": "=1+1"}

    def test_the_file_does_not_stay(self, campaign, media):
        job = fresh(request_job(Kind.IMPORT, campaign, {}, None, people("phone\n0671112233\n")))

        assert not job.source
        assert [path for path in media.rglob("*") if path.is_file()] == []

    def test_nobody_guesses_the_name_of_a_file(self, campaign, no_task):
        job = request_job(Kind.IMPORT, campaign, {}, None, people())

        assert "people" not in job.source.name
        assert job.source.name.endswith(".csv")

    def test_reasons_are_in_the_language_of_who_asked(self, campaign):
        with override("uk"):
            job = request_job(Kind.IMPORT, campaign, {}, None, people("phone,name\n,Ivan\n"))

        assert fresh(job).result["rejected"][0][1] == "Номер телефону порожній."

    def test_of_a_file_that_breaks_off_nothing_is_imported(self, campaign):
        rows = "".join(f"{phone(number)},A\n" for number in range(6_000))
        job = fresh(request_job(Kind.IMPORT, campaign, {}, None, people(f'phone,name\n{rows}"open')))

        assert (job.state, campaign.messages.count()) == (State.FAILED, 0)
        assert "not a valid CSV file" in job.error_text

    def test_nobody_is_added_after_the_launch(self, campaign):
        Campaign.objects.update(status="sending")
        job = fresh(request_job(Kind.IMPORT, campaign, {}, None, people()))

        assert (job.state, campaign.messages.count()) == (State.FAILED, 0)
        assert "before the launch" in job.error_text

    def test_a_campaign_is_not_launched_while_its_recipients_are_coming(self, campaign, no_task):
        request_job(Kind.IMPORT, campaign, {}, None, people())

        assert [problem.code for problem in check_campaign(campaign)] == ["no-recipients", "importing"]

    def test_own_texts_come_by_their_column(self, campaign):
        job = request_job(Kind.IMPORT, campaign, {"text_column": "name"}, None, people())

        assert fresh(job).state == State.DONE
        assert Campaign.objects.get().has_own_texts
        assert {message.variables["text"] for message in campaign.messages.all()} == {"Olena", "=1+1"}


class CutOffTests:
    """A worker that was killed comes to an end between any two statements."""

    @pytest.fixture(autouse=True)
    def small_pages(self, monkeypatch):
        monkeypatch.setattr("django_hyber.audience.imports.CHUNK", 3)

    @pytest.mark.parametrize("writes", range(7))
    def test_it_goes_on_where_it_was_and_counts_truly(self, campaign, monkeypatch, writes):
        numbers = [phone(1), phone(2), "12", phone(2), phone(3), "13", "14", phone(1), phone(9), phone(4)]
        import_recipients(campaign, [{"phone": phone(9)}])
        job = self.cut_off(campaign, numbers, monkeypatch, writes)
        age(job, lease_until=1)
        dispatch()

        job = fresh(job)
        assert (job.state, job.done, job.total, job.attempts) == (State.DONE, 10, 10, 2)
        counts = {name: job.result[name] for name in ("accepted", "duplicates", "existing", "rejected_count")}
        assert counts == {"accepted": 4, "duplicates": 2, "existing": 1, "rejected_count": 3}
        with job.produced.open() as file:
            assert [line.split(",")[0] for line in file.read().decode("utf-8-sig").splitlines()[1:]] == [
                "12",
                "13",
                "14",
            ]
        assert campaign.messages.count() == 5

    def cut_off(self, campaign, numbers, monkeypatch, writes):
        class Killed(BaseException):
            pass

        left = iter(range(writes))
        write = JobClaim.write

        def until_killed(claim, **values):
            write(claim, **values)
            if next(left, None) is None:
                raise Killed

        monkeypatch.setattr(JobClaim, "write", until_killed)
        job = background.create_job(
            State.WAITING, Kind.IMPORT, campaign, {}, None, people("phone\n" + "\n".join(numbers))
        )
        try:
            run_job.call(job.pk)
        except Killed:
            assert fresh(job).state == State.RUNNING
        else:
            pytest.skip("the job has fewer steps")
        monkeypatch.setattr(JobClaim, "write", write)
        return job

    def test_it_is_left_alone_while_its_worker_holds_it(self, campaign, monkeypatch):
        job = self.cut_off(campaign, [phone(1)], monkeypatch, 1)
        dispatch()
        run_job.call(job.pk)

        assert (fresh(job).state, fresh(job).attempts) == (State.RUNNING, 1)

    def test_who_has_lost_it_writes_nothing_more(self, campaign, monkeypatch):
        job = self.cut_off(campaign, [phone(1)], monkeypatch, 0)
        late = JobClaim(fresh(job))
        age(job, lease_until=1)
        dispatch()

        with pytest.raises(JobLostError):
            late.write(done=0)
        assert (fresh(job).state, fresh(job).done) == (State.DONE, 1)

    def test_what_kills_every_worker_is_given_up(self, campaign, monkeypatch):
        job = self.cut_off(campaign, [phone(1)], monkeypatch, 0)
        BackgroundJob.objects.update(attempts=background.MAX_ATTEMPTS)
        age(job, lease_until=1)
        dispatch()

        assert (fresh(job).state, fresh(job).error_text) == (State.FAILED, "It was interrupted 5 times.")


class TakingUpTests:
    def test_a_lost_task_is_made_up_for_by_the_sweep(self, campaign):
        with override_settings(TASKS=LOSING_TASKS):
            job = request_job(Kind.IMPORT, campaign, {}, None, people())
        dispatch()
        assert fresh(job).state == State.WAITING

        age(job, lease_until=1)
        dispatch()
        assert fresh(job).state == State.DONE

    def test_nothing_is_asked_for_when_the_transaction_is_rolled_back(self, campaign):
        with transaction.atomic():
            request_job(Kind.IMPORT, campaign, {}, None, people())
            transaction.set_rollback(True)

        assert not Message.objects.exists()

    def test_a_second_task_does_nothing(self, campaign):
        job = request_job(Kind.IMPORT, campaign, {}, None, people())
        run_job.call(job.pk)

        assert (fresh(job).attempts, fresh(job).result["accepted"]) == (1, 2)

    def test_an_upload_waits_until_it_is_confirmed_and_is_imported_once(self, campaign, admin_user):
        job = keep_upload(campaign, admin_user, people())
        dispatch()
        assert (fresh(job).state, fresh(job).parameters["file_name"]) == (State.UPLOADED, "people.csv")

        assert [confirm_upload(job, {}), confirm_upload(job, {})] == [True, False]
        assert (fresh(job).state, fresh(job).result["accepted"]) == (State.DONE, 2)

    def test_old_uploads_and_files_are_thrown_away(self, campaign, media):
        upload = keep_upload(campaign, None, people())
        job = request_job(Kind.IMPORT, campaign, {}, None, people())
        age(upload, created_at=2)
        age(job, finished_at=8)
        dispatch()

        assert BackgroundJob.objects.get() == job
        assert not fresh(job).produced
        assert [path for path in media.rglob("*") if path.is_file()] == []

    def test_trouble_of_the_database_leaves_it_to_the_sweep(self, campaign, monkeypatch):
        def fail(*_):
            raise OperationalError

        monkeypatch.setitem(work.KINDS, Kind.CHECK, fail)
        job = request_job(Kind.CHECK, campaign, {}, None)
        assert fresh(job).state == State.RUNNING

        monkeypatch.undo()
        age(job, lease_until=1)
        dispatch()
        assert fresh(job).state == State.DONE

    def test_a_bug_ends_it_with_a_word_to_whoever_asked(self, campaign, monkeypatch, caplog):
        monkeypatch.setitem(work.KINDS, Kind.CHECK, lambda *_: 1 / 0)
        job = fresh(request_job(Kind.CHECK, campaign, {}, None))

        assert job.state == State.FAILED
        assert "log" in job.error_text
        assert "ZeroDivisionError" in caplog.text


class OtherKindsTests:
    def test_a_check_keeps_what_the_page_shows(self, campaign):
        import_recipients(campaign, [{"phone": phone(1)}, {"phone": phone(2)}])
        Suppression.objects.create(phone_number=phone(2))
        campaign.set_channels([SMS(text="Hi %name%", alpha_name="Shop", ttl=300)])
        job = fresh(request_job(Kind.CHECK, campaign, {}, None))

        assert (job.state, job.total) == (State.DONE, 2)
        assert (job.result["recipients"], job.result["will_receive"]) == (2, 0)
        assert [problem["code"] for problem in job.result["problems"]] == ["missing-variable"]
        assert "%name% is missing" in job.result["problems"][0]["text"]
        assert job.result["skipped"][0]["count"] == 1

    def test_an_export_is_a_file(self, campaign):
        import_recipients(campaign, [{"phone": phone(1), "name": "Olena"}])
        job = fresh(request_job(Kind.EXPORT, campaign, {"format": "csv"}, None))

        assert (job.state, job.result) == (State.DONE, {"recipients": 1})
        with job.produced.open() as file:
            assert b"Olena" in file.read()

    def test_failed_messages_are_sent_again(self, campaign, platform):
        import_recipients(campaign, [{"phone": phone(1, "92")}])
        start_campaign(campaign)
        job = fresh(request_job(Kind.RETRY, campaign, {"statuses": ["rejected"]}, None))

        assert (job.state, job.error_text) == (State.DONE, "")
        assert Campaign.objects.get().run == 2

    def test_a_retry_that_was_cut_off_after_its_work_is_not_repeated(self, campaign, platform):
        import_recipients(campaign, [{"phone": phone(1, "92")}])
        start_campaign(campaign)
        job = request_job(Kind.RETRY, campaign, {}, None)
        BackgroundJob.objects.update(state=State.RUNNING, finished_at=None)
        age(job, lease_until=1)
        dispatch()

        assert (fresh(job).state, Campaign.objects.get().run) == (State.DONE, 2)

    def test_what_cannot_be_done_is_told(self, campaign):
        job = fresh(request_job(Kind.RETRY, campaign, {}, None))

        assert (job.state, job.error_text) == (State.FAILED, "No message of this campaign failed for this reason.")

"""Removing recipients of a draft: by code, and as a job that may be large, interrupted or too late."""

from __future__ import annotations

import io

import django
import pytest
from django.core.files.base import ContentFile

from django_hyber.audience import removal_jobs
from django_hyber.audience.removal_jobs import confirm_removal, keep_pasted_removal, keep_removal
from django_hyber.models import BackgroundJob, Campaign
from django_hyber.services import (
    CampaignError,
    UnreadableFileError,
    import_recipients,
    preflight,
    remove_recipients,
)
from django_hyber.tasks import run_job
from tests.audience.test_recipients import csv_file
from tests.samples import phone

pytestmark = pytest.mark.django_db
FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"


@pytest.fixture
def campaign():
    campaign = Campaign.objects.create(name="Spring sale")
    import_recipients(campaign, [{"phone": phone(number)} for number in range(6)])
    return campaign


@pytest.fixture
def in_background(settings, monkeypatch, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}
    monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 3)
    monkeypatch.setattr("django_hyber.audience.removal.CHUNK", 2)
    monkeypatch.setattr("django_hyber.db.bulk.CHUNK", 2)


def phones(campaign):
    return sorted(campaign.messages.values_list("phone_number", flat=True))


def counts(removed):
    return (removed.total, removed.removed, removed.not_found, removed.unreadable)


def test_all_recipients_are_removed_and_those_of_other_campaigns_stay(campaign):
    other = Campaign.objects.create(name="Other")
    import_recipients(other, [{"phone": phone(1)}])

    assert counts(remove_recipients(campaign, everybody=True)) == (6, 6, 0, 0)
    assert phones(campaign) == []
    assert phones(other) == [phone(1)]


def test_numbers_are_found_however_they_are_spelled(campaign):
    one, two, three = phone(0), phone(1), phone(2)
    listed = [f"+{one[:2]} ({one[2:5]}) {one[5:]}", two[2:], f"00{three}"]

    assert counts(remove_recipients(campaign, numbers=listed)) == (3, 3, 0, 0)
    assert phones(campaign) == [phone(3), phone(4), phone(5)]


def test_strangers_repeated_numbers_and_rows_without_a_number_are_counted(campaign):
    removed = remove_recipients(campaign, numbers=[phone(0), phone(0), "0509999999", "Olena", ""])

    assert counts(removed) == (5, 1, 2, 2)
    assert len(phones(campaign)) == 5


@pytest.mark.parametrize(
    "text",
    ["name;Телефон\nOlena;{0}\nIvan;{1}\n", "{0}\n{1}\n", "Olena;{0}\nIvan;{1}\n", "Olena;{0}\n\n;{1}\n"],
    ids=["header", "numbers alone", "names and numbers", "an empty line"],
)
def test_a_file_of_numbers_needs_no_header(campaign, text):
    file = csv_file(text.format(phone(0), phone(1)))

    assert counts(remove_recipients(campaign, numbers=file)) == (2, 2, 0, 0)


def test_a_file_with_two_numbers_in_its_first_line_is_refused_and_removes_nobody(campaign):
    with pytest.raises(UnreadableFileError):
        remove_recipients(campaign, numbers=csv_file(f"{phone(0)};{phone(1)}\n"))

    assert len(phones(campaign)) == 6


def test_a_row_that_is_too_wide_removes_nobody(campaign):
    file = csv_file(f"name,phone\nOlena,{phone(0)},{phone(1)}\nIvan,{phone(2)}\n")

    assert counts(remove_recipients(campaign, numbers=file)) == (2, 1, 0, 1)


def test_a_broken_file_removes_nobody(campaign):
    file = io.BytesIO(f"phone\n{phone(0)}\n".encode() + b"\xff\x98\xff\n")
    with pytest.raises(UnreadableFileError):
        remove_recipients(campaign, numbers=file)

    assert len(phones(campaign)) == 6


def test_those_of_one_import_are_removed_and_nobody_whom_another_had_added(campaign):
    first = import_recipients(campaign, [{"phone": phone(number)} for number in range(4, 9)])
    import_recipients(campaign, [{"phone": phone(number)} for number in range(8, 11)])

    assert remove_recipients(campaign, imported=first).removed == 3
    assert phones(campaign) == sorted(phone(number) for number in (*range(6), 9, 10))


def test_imports_that_alternate_do_not_take_the_recipients_of_each_other(campaign, monkeypatch):
    monkeypatch.setattr("django_hyber.audience.imports.CHUNK", 1)

    def rows():
        yield {"phone": phone(20)}
        import_recipients(other, [{"phone": phone(21)}])
        yield {"phone": phone(22)}

    other = Campaign.objects.create(name="Other")
    report = import_recipients(campaign, rows(), phone_column="phone")

    assert len(report.added_keys) == 2
    assert remove_recipients(campaign, imported=report).removed == 2
    assert (len(phones(campaign)), phones(other)) == (6, [phone(21)])


@pytest.mark.parametrize("arguments", [{}, {"everybody": True, "numbers": []}, {"numbers": None}])
def test_whom_is_said_exactly_once(campaign, arguments):
    with pytest.raises(ValueError, match="Exactly one"):
        remove_recipients(campaign, **arguments)
    assert len(phones(campaign)) == 6


def test_nobody_is_removed_after_the_launch(campaign):
    Campaign.objects.filter(pk=campaign.pk).update(status="scheduled")

    with pytest.raises(CampaignError, match="before the launch"):
        remove_recipients(campaign, everybody=True)
    assert len(phones(campaign)) == 6


def test_a_draft_without_recipients_forgets_what_its_imports_have_set(campaign):
    import_recipients(campaign, [{"phone": phone(9), "words": "Hi"}], text_column="words")
    assert campaign.has_own_texts

    remove_recipients(campaign, numbers=[phone(9)])
    campaign.refresh_from_db()
    assert campaign.has_own_texts

    remove_recipients(campaign, everybody=True)
    assert not campaign.has_own_texts
    campaign.refresh_from_db()
    assert not campaign.has_own_texts


def test_a_large_removal_is_a_job_in_pages(campaign, in_background):
    job = keep_removal(campaign, None)

    assert confirm_removal(job, None)
    assert not confirm_removal(job, None)
    assert len(phones(campaign)) == 6
    run_job.call(job.pk)
    job.refresh_from_db()
    assert (job.state, job.done, job.total, job.result["removed"]) == ("done", 6, 6, 6)
    assert phones(campaign) == []


def test_a_removal_that_was_cut_off_goes_on_where_it_was(campaign, in_background, monkeypatch):
    listed = "\n".join(map(phone, (0, 1, 2, 3, 70, 4)))
    job = keep_pasted_removal(campaign, None, listed)
    confirm_removal(job, None)
    whole, pages = removal_jobs.remove_listed, []

    def cut_off(*arguments):
        pages.append(1)
        if len(pages) == 2:
            raise OSError("the disk is gone")
        whole(*arguments)

    monkeypatch.setattr(removal_jobs, "remove_listed", cut_off)
    run_job.call(job.pk)
    assert len(phones(campaign)) == 4
    BackgroundJob.objects.update(lease_until="2020-01-01T00:00:00Z")
    run_job.call(job.pk)

    job.refresh_from_db()
    assert job.result == {"total": 6, "removed": 5, "not_found": 1, "unreadable": 0}
    assert phones(campaign) == [phone(5)]


def test_a_campaign_is_not_launched_while_recipients_are_removed(campaign, in_background):
    confirm_removal(keep_removal(campaign, None), None)

    assert "removing" in [problem.code for problem in preflight(campaign).problems]


def test_a_removal_waits_for_no_import_but_refuses(campaign, in_background):
    BackgroundJob.objects.create(kind="import", campaign=campaign, state="running")

    with pytest.raises(CampaignError, match="import"):
        confirm_removal(keep_removal(campaign, None), None)


def test_a_removal_confirmed_before_the_launch_and_run_after_it_fails(campaign, in_background):
    job = keep_removal(campaign, None)
    confirm_removal(job, None)
    Campaign.objects.filter(pk=campaign.pk).update(status="sending")

    run_job.call(job.pk)

    job.refresh_from_db()
    assert (job.state, len(phones(campaign))) == ("failed", 6)


def test_the_list_is_deleted_with_the_end_of_the_job(campaign, in_background):
    job = keep_removal(campaign, None, source=ContentFile(f"phone\n{phone(0)}\n".encode(), name="numbers.csv"))
    confirm_removal(job, None)

    run_job.call(job.pk)

    job.refresh_from_db()
    assert (job.state, job.result["removed"], job.source.name) == ("done", 1, "")

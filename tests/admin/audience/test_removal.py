"""The pages that remove recipients of a draft."""

from __future__ import annotations

import django
import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.base import ContentFile

from django_hyber.models import BackgroundJob, Campaign
from django_hyber.services import confirm_upload, keep_upload
from django_hyber.tasks import run_job
from tests.admin.pages import text_of, url_of
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


def upload(campaign, first, last):
    text = "phone\n" + "".join(f"{phone(number)}\n" for number in range(first, last))
    job = keep_upload(campaign, None, ContentFile(text.encode(), name=f"people-{first}.csv"))
    confirm_upload(job, {}, at_once=True)
    return job


def ask(client, campaign, **data):
    return client.post(url_of(campaign, "remove"), data, follow=True)


def confirm(client, page):
    address = page.redirect_chain[-1][0]
    return client.post(address, {"seen": page.context["seen"]}, follow=True)


def test_all_are_removed_after_a_confirmation_that_says_how_many(admin_client, draft, add_recipients):
    add_recipients(draft, 3)
    assert url_of(draft, "remove") in admin_client.get(url_of(draft, "change")).content.decode()

    page = ask(admin_client, draft, who="everybody")

    assert "3 of 3 recipients will be removed." in text_of(page)
    assert draft.messages.count() == 3
    assert "3 recipients were removed." in text_of(confirm(admin_client, page))
    assert draft.messages.count() == 0
    assert LogEntry.objects.latest("pk").change_message == "3 recipients were removed."


def test_an_import_can_be_undone(admin_client, draft):
    upload(draft, 0, 2)
    wrong = upload(draft, 1, 5)
    page = admin_client.get(url_of(draft, "remove"))
    assert "people-1.csv" in text_of(page)
    assert "(3 recipients)" in text_of(page)

    confirm(admin_client, ask(admin_client, draft, who="imported", imported=wrong.pk))

    assert sorted(draft.messages.values_list("phone_number", flat=True)) == [phone(0), phone(1)]
    assert "people-1.csv" not in text_of(admin_client.get(url_of(draft, "remove")))


def test_pasted_numbers_are_removed_and_strangers_counted(admin_client, draft):
    upload(draft, 0, 4)

    page = ask(admin_client, draft, who="listed", pasted=f"+{phone(0)}, 0509999999\n{phone(1)[2:]};\n")

    assert "2 of 4 recipients will be removed." in text_of(page)
    assert "1 number is not among the recipients or is repeated." in text_of(page)
    assert "2 recipients were removed." in text_of(confirm(admin_client, page))
    assert draft.messages.count() == 2


def test_numbers_of_a_file_are_removed(admin_client, draft):
    upload(draft, 0, 4)
    file = ContentFile(f"Olena;{phone(3)}\n".encode(), name="out.csv")

    confirm(admin_client, ask(admin_client, draft, who="listed", file=file))

    assert draft.messages.count() == 3


def test_numbers_beside_the_choice_of_everybody_remove_nobody(admin_client, draft, add_recipients):
    add_recipients(draft, 3)

    page = ask(admin_client, draft, who="everybody", pasted=phone(0))

    assert "Numbers are entered below" in text_of(page)
    assert not draft.jobs.exists()


@pytest.mark.parametrize(
    "data", [{}, {"who": "listed"}, {"who": "imported", "imported": "7"}, {"who": "listed", "pasted": " "}]
)
def test_a_choice_without_recipients_is_explained(admin_client, draft, add_recipients, data):
    add_recipients(draft, 1)

    page = ask(admin_client, draft, **data)

    assert page.context["form"].errors
    assert not draft.jobs.exists()


def test_an_unreadable_file_is_explained_at_its_field(admin_client, draft):
    page = ask(admin_client, draft, who="listed", file=ContentFile(b"name\nOlena\n", name="out.csv"))

    assert "No column contains phone numbers." in page.context["form"].errors["file"][0]


def test_recipients_added_meanwhile_are_shown_before_they_are_removed(admin_client, draft):
    upload(draft, 0, 2)
    page = ask(admin_client, draft, who="everybody")
    upload(draft, 2, 3)

    again = confirm(admin_client, page)

    assert "3 of 3 recipients will be removed." in text_of(again)
    assert draft.messages.count() == 3


def test_a_second_click_removes_nobody_whom_the_first_did_not_mean(admin_client, draft):
    upload(draft, 0, 2)
    page = ask(admin_client, draft, who="everybody")
    confirm(admin_client, page)
    upload(draft, 5, 7)

    confirm(admin_client, page)

    assert draft.messages.count() == 2


def test_a_large_removal_shows_its_progress_on_the_page_of_the_draft(admin_client, draft, settings, monkeypatch):
    upload(draft, 0, 5)
    settings.TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}
    monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 2)

    page = confirm(admin_client, ask(admin_client, draft, who="listed", pasted="\n".join(map(phone, range(3)))))

    assert "Removal of recipients" in text_of(page)
    job = BackgroundJob.objects.get(kind="removal")
    run_job.call(job.pk)
    assert "removed: 3" in text_of(admin_client.get(url_of(draft, "change")))
    assert draft.messages.count() == 2


def test_a_file_too_long_to_be_counted_says_so(admin_client, draft, monkeypatch):
    upload(draft, 0, 5)
    monkeypatch.setattr("django_hyber.audience.removal_jobs.LARGE_BYTES", 10)

    page = ask(admin_client, draft, who="listed", pasted=phone(0))
    assert "The list is long" in text_of(page)
    confirm(admin_client, page)

    assert draft.messages.count() == 4


def test_who_may_not_see_numbers_cannot_try_them(client, draft, log_in):
    upload(draft, 0, 1)
    log_in("change_campaign")

    assert 'name="pasted"' not in client.get(url_of(draft, "remove")).content.decode()
    ask(client, draft, who="listed", pasted=phone(0))
    assert not draft.jobs.filter(kind="removal").exists()


def test_writing_is_needed_and_a_launch_ends_it(client, draft, add_recipients, log_in):
    add_recipients(draft, 1)
    log_in("view_campaign", "send_campaign")
    assert url_of(draft, "remove") not in client.get(url_of(draft, "change")).content.decode()
    assert client.get(url_of(draft, "remove")).status_code == 403


def test_after_the_launch_the_page_says_why_nobody_is_removed(admin_client, draft, add_recipients):
    add_recipients(draft, 1)
    page = ask(admin_client, draft, who="everybody")
    Campaign.objects.update(status="finished")

    assert "before the launch" in text_of(confirm(admin_client, page))
    assert "before the launch" in text_of(ask(admin_client, draft, who="everybody"))
    assert draft.messages.count() == 1

"""A campaign that is deleted while its recipients are worked on: no page fails, and each says what has happened."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from django_hyber.admin.audience import audience_page, removal
from django_hyber.admin.audience.imports import ImportDesk
from django_hyber.admin.campaigns import routes
from django_hyber.audience import import_jobs
from django_hyber.forgetting import drafts
from django_hyber.jobs import background
from django_hyber.models import BackgroundJob, Campaign, Message
from django_hyber.services import keep_upload
from django_hyber.tasks import run_job
from tests.admin.audience.test_import_formats import AMBIGUOUS
from tests.admin.audience.test_imports import CSV, chosen, upload
from tests.admin.pages import url_of
from tests.store.models import Customer

pytestmark = pytest.mark.django_db(transaction=True)
LIST = reverse("admin:django_hyber_campaign_changelist")
DELETED = "The campaign “Spring sale” has been deleted in the meantime. Nothing was changed."


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def campaign(draft, add_recipients):
    add_recipients(draft, 3)
    return draft


@pytest.fixture
def delete_after(monkeypatch):
    """Have the campaign deleted right after this function has returned."""

    def delete_after(owner, name):
        function = getattr(owner, name)

        def call_and_delete(*arguments, **options):
            result = function(*arguments, **options)
            Campaign.objects.all().delete()
            return result

        monkeypatch.setattr(owner, name, call_and_delete)

    return delete_after


def said_on(response):
    assert (response.status_code, response.redirect_chain) == (200, [(LIST, 302)])
    return [str(message) for message in response.context["messages"]]


def test_upload_of_a_file_leads_to_the_list(admin_client, campaign, delete_after):
    delete_after(routes, "find_desk")
    file = SimpleUploadedFile("people.csv", CSV.encode())

    assert said_on(admin_client.post(url_of(campaign, "import"), {"file": file}, follow=True)) == [DELETED]
    assert not BackgroundJob.objects.exists()


@pytest.mark.parametrize("in_background", [False, True])
def test_import_of_a_file_leads_to_the_list(admin_client, campaign, delete_after, monkeypatch, in_background):
    if in_background:
        monkeypatch.setattr(background, "IN_BACKGROUND_FROM", 1)
    address = upload(admin_client, campaign, CSV)["Location"]
    data = chosen(admin_client.get(address))
    delete_after(ImportDesk, "find")

    assert said_on(admin_client.post(address, data, follow=True)) == [DELETED]


def test_another_way_to_read_a_file_leads_to_the_list(admin_client, campaign, delete_after):
    page = admin_client.get(upload(admin_client, campaign, AMBIGUOUS)["Location"])
    form = page.context["format_form"]
    values = {name: form[name].value() or "" for name in form.fields} | {"encoding": "cp1252"}
    address = url_of(campaign, "import_format", campaign.jobs.get().pk)
    delete_after(ImportDesk, "find")

    assert said_on(admin_client.post(address, values, follow=True)) == [DELETED]


@pytest.mark.parametrize("choice", [{"who": "everybody"}, {"who": "listed", "pasted": "0671112233"}])
def test_choice_of_whom_to_remove_leads_to_the_list(admin_client, campaign, delete_after, choice):
    delete_after(routes, "find_desk")

    assert said_on(admin_client.post(url_of(campaign, "remove"), choice, follow=True)) == [DELETED]


def test_removal_leads_to_the_list(admin_client, campaign, delete_after):
    address = admin_client.post(url_of(campaign, "remove"), {"who": "everybody"})["Location"]
    delete_after(removal, "count_removal")

    assert said_on(admin_client.post(address, {"seen": "3"}, follow=True)) == [DELETED]


def test_export_in_the_background_leads_to_the_list(admin_client, campaign, delete_after, monkeypatch):
    monkeypatch.setattr(background, "IN_BACKGROUND_FROM", 0)
    delete_after(routes, "find_desk")

    assert said_on(admin_client.post(url_of(campaign, "export"), {"format": "csv"}, follow=True)) == [DELETED]


@pytest.mark.parametrize("in_background", [False, True])
def test_audience_leads_to_the_list(
    admin_client, campaign, platform, settings, delete_after, monkeypatch, in_background
):
    settings.HYBER["default"]["AUDIENCES"] = {"customers": "tests.store.audiences.customers"}
    Customer.objects.create(first_name="Olena", phone="380671112233", city="Kyiv")
    if in_background:
        monkeypatch.setattr(background, "IN_BACKGROUND_FROM", 1)
    delete_after(routes, "find_desk")

    assert said_on(admin_client.post(url_of(campaign, "audience"), {"audience": "customers"}, follow=True)) == [DELETED]


def test_audience_that_is_being_added_leads_to_the_list(admin_client, campaign, platform, settings, delete_after):
    settings.HYBER["default"]["AUDIENCES"] = {"customers": "tests.store.audiences.customers"}
    Customer.objects.create(first_name="Olena", phone="380671112233", city="Kyiv")
    delete_after(audience_page, "record_author")

    assert said_on(admin_client.post(url_of(campaign, "audience"), {"audience": "customers"}, follow=True)) == [DELETED]


def test_job_whose_campaign_is_deleted_ends_without_an_error(campaign, delete_after, caplog):
    job = keep_upload(campaign, None, ContentFile(CSV.encode(), name="people.csv"))
    BackgroundJob.objects.filter(pk=job.pk).update(state=BackgroundJob.State.WAITING)
    delete_after(import_jobs, "newest_row")
    run_job.call(job.pk)

    assert [record.event for record in caplog.records if hasattr(record, "event")] == ["claim-lost"]


def test_purge_goes_on_past_a_draft_that_is_deleted_meanwhile(campaign, add_recipients, monkeypatch):
    other = Campaign.objects.create(name="Autumn sale")
    add_recipients(other, 2)
    long_ago = timezone.now() - timedelta(days=100)
    Campaign.objects.update(created_at=long_ago)
    Message.objects.update(created_at=long_ago)
    purge_draft = drafts._purge_draft

    def delete_first(pk, before):
        Campaign.objects.filter(pk=campaign.pk).delete()
        return purge_draft(pk, before)

    monkeypatch.setattr(drafts, "_purge_draft", delete_first)

    assert drafts.purge_old_drafts(timezone.now() - timedelta(days=10)) == 2

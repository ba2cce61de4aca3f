"""Audiences of the project, chosen for a campaign in the admin."""

from __future__ import annotations

import html
import re
import sys
import time

import django
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, transaction

from django_hyber.audience.objects import request_audience
from django_hyber.jobs.work import JobClaim
from django_hyber.models import BackgroundJob, Campaign
from django_hyber.protocol import SMS
from django_hyber.services import CampaignError, add_audience, preflight, start_campaign, stop_job
from django_hyber.tasks import run_job
from tests.builders import posts
from tests.processes.programs import environment, running, wait_until
from tests.samples import phone
from tests.store.models import Customer, Order

pytestmark = pytest.mark.django_db(transaction=True)

FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
#: A process of the project that never stops writing.
WRITER = """
import django
django.setup()
from tests.store.models import Order
while True:
    Order.objects.create(phone="")
"""
AUDIENCES = {"customers": "tests.store.audiences.customers", "kyiv": "tests.store.audiences.bare"}


@pytest.fixture
def campaign(platform, settings):
    settings.HYBER["default"]["AUDIENCES"] = AUDIENCES
    for number, city in enumerate(["Kyiv", "Kyiv", "Lviv"]):
        Customer.objects.create(first_name=f"Person {number}", phone=phone(number), city=city)
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    return campaign


def stop_after_a_page(write, job):
    """Stop the job when it has written its first page."""

    def write_and_stop(claim, **values):
        write(claim, **values)
        if "done" in values:
            stop_job(job)

    return write_and_stop


def rest_after_a_page(write):
    """Leave others some time to write after each page."""

    def write_and_rest(claim, **values):
        write(claim, **values)
        if "done" in values:
            transaction.on_commit(lambda: time.sleep(0.2))

    return write_and_rest


def fail_after(pages, write):
    """Lose the database when so many pages are written."""
    written = iter(range(100))

    def write_or_fail(claim, **values):
        if "done" in values and next(written) == pages:
            raise OperationalError
        write(claim, **values)

    return write_or_fail


def page_of(campaign):
    return f"/admin/django_hyber/campaign/{campaign.pk}/audience/"


def test_page_shows_each_audience_with_its_number(campaign, admin_client):
    page = admin_client.get(page_of(campaign)).content.decode()

    assert "All customers (3 objects)" in page
    assert "kyiv (2 objects)" in page
    change = admin_client.get(f"/admin/django_hyber/campaign/{campaign.pk}/change/").content.decode()
    assert page_of(campaign) in change


def test_chosen_audience_becomes_the_recipients(campaign, admin_client, platform):
    page = admin_client.post(page_of(campaign), {"audience": "customers"}, follow=True).content.decode()
    assert "3 recipients were added." in page
    campaign.refresh_from_db()
    start_campaign(campaign)

    assert campaign.audience == "customers"
    assert {message.reference for message in campaign.messages.all()} == set(Customer.objects.all())
    assert len(posts(platform)[0]["recipients"]) == 3


def test_adding_it_again_adds_who_is_new(campaign, admin_client):
    admin_client.post(page_of(campaign), {"audience": "customers"})
    Customer.objects.create(first_name="New", phone=phone(9))
    page = admin_client.post(page_of(campaign), {"audience": "customers"}, follow=True).content.decode()

    assert "1 recipient was added." in page
    assert "skipped" not in page
    assert campaign.messages.count() == 4


def test_audience_is_counted_again_before_the_launch(campaign, admin_client):
    add_audience(campaign, "customers")
    assert preflight(campaign).warnings == []
    Customer.objects.create(first_name="New", phone=phone(9))

    (warning,) = preflight(campaign).warnings
    assert warning.messages == ["The audience “All customers” has 4 objects now, and the campaign has 3 recipients."]
    page = admin_client.get(f"/admin/django_hyber/campaign/{campaign.pk}/preflight/").content.decode()
    assert "has 4 objects now" in page


def test_audience_that_is_gone_from_the_settings_is_a_warning(campaign, settings):
    add_audience(campaign, "customers")
    settings.HYBER["default"]["AUDIENCES"] = {}

    assert "'customers'] does not exist" in preflight(campaign).warnings[0].messages[0]


@pytest.mark.parametrize("chosen", ["", "nobody", "broken"])
def test_what_cannot_be_chosen_adds_nobody(campaign, admin_client, settings, chosen):
    settings.HYBER["default"]["AUDIENCES"] = {"broken": "tests.store.audiences.missing"}
    page = admin_client.post(page_of(campaign), {"audience": chosen}).content.decode()

    assert "Choose an audience." in page
    assert "cannot be imported" in page
    assert not campaign.messages.exists()


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("tests.store.audiences.nothing", "must return a queryset or an Audience, not NoneType"),
        ("tests.store.audiences.missing", "cannot be imported"),
        ("nowhere.at_all", "cannot be imported"),
    ],
)
def test_audience_that_cannot_be_used_is_named(campaign, settings, path, error):
    settings.HYBER["default"]["AUDIENCES"] = {"wrong": path}

    with pytest.raises(ImproperlyConfigured, match=rf"AUDIENCES.*wrong.*{error}"):
        add_audience(campaign, "wrong")


BROKEN = {
    "failing": "KeyError: 'segment'",
    "of_no_field": "Cannot resolve keyword 'surname'",
    "without_phone": "Cannot resolve keyword 'mobile'",
    "without_variable": "Cannot resolve keyword 'surname'",
    "with_wrong_name": "cannot be names of variables: first name",
    "of_values": "not values()",
    "of_seats": "primary key of several columns",
}


class BrokenTests:
    """An audience that fails is a problem of this audience, on every page and in the background."""

    @pytest.fixture(params=BROKEN)
    def broken(self, request, campaign, settings):
        settings.HYBER["default"]["AUDIENCES"] = AUDIENCES | {"broken": f"tests.store.audiences.{request.param}"}
        return BROKEN[request.param]

    def test_page_says_so_and_offers_the_others(self, campaign, admin_client, broken):
        page = html.unescape(admin_client.get(page_of(campaign)).content.decode())

        assert broken in page
        assert "All customers (3 objects)" in page

    def test_another_audience_can_be_added(self, campaign, admin_client, broken):
        admin_client.post(page_of(campaign), {"audience": "customers"})

        assert campaign.messages.count() == 3

    def test_choosing_it_adds_nobody(self, campaign, admin_client, broken):
        page = admin_client.post(page_of(campaign), {"audience": "broken"}).content.decode()

        assert "Choose an audience." in page
        assert not campaign.messages.exists()

    def test_code_gets_a_clear_error(self, campaign, broken):
        with pytest.raises(ImproperlyConfigured, match=re.escape(broken)):
            add_audience(campaign, "broken")

    def test_page_before_the_launch_warns(self, campaign, admin_client, broken):
        add_audience(campaign, "customers")
        Campaign.objects.update(audience="broken")
        page = html.unescape(
            admin_client.get(f"/admin/django_hyber/campaign/{campaign.pk}/preflight/").content.decode()
        )

        assert broken in page

    def test_job_in_the_background_says_so(self, campaign, settings, broken, admin_user):
        settings.TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}
        job = request_audience(campaign, "customers", admin_user)
        BackgroundJob.objects.update(parameters=job.parameters | {"audience": "broken"})
        run_job.call(job.pk)
        job.refresh_from_db()

        assert job.state == "failed"
        assert broken in job.error_text


@pytest.mark.postgresql
def test_query_that_the_database_refuses_is_a_problem_of_its_audience(campaign, admin_client, settings):
    settings.HYBER["default"]["AUDIENCES"] = AUDIENCES | {"broken": "tests.store.audiences.dividing"}
    with transaction.atomic():
        page = html.unescape(admin_client.get(page_of(campaign)).content.decode())

    assert "The query of store.Customer has failed: DataError" in page
    assert "All customers (3 objects)" in page


def test_failure_of_a_function_is_logged_without_its_values(campaign, admin_client, settings, caplog):
    settings.HYBER["default"]["AUDIENCES"] = {"broken": "tests.store.audiences.failing"}
    admin_client.get(page_of(campaign))

    (record,) = [record for record in caplog.records if getattr(record, "event", "") == "audience-failed"]
    assert "audiences.py" in record.getMessage()
    assert "segment" not in record.getMessage().splitlines()[-1]


def test_lost_connection_is_no_mistake_of_an_audience(campaign, settings, monkeypatch):
    def lose():
        raise OperationalError

    settings.HYBER["default"]["AUDIENCES"] = AUDIENCES
    monkeypatch.setattr("tests.store.audiences.customers", lose)

    with pytest.raises(OperationalError):
        add_audience(campaign, "customers")


def test_all_numbers_of_the_objects_are_counted(campaign, admin_client, settings):
    settings.HYBER["default"]["AUDIENCES"] = {"orders": "tests.store.audiences.orders_of_customers"}
    for number, customer in enumerate(Customer.objects.all()):
        Order.objects.create(customer=customer, phone=phone(20 + number))
        Order.objects.create(customer=customer, phone=phone(30 + number))
    add_audience(campaign, "orders")

    assert preflight(campaign).warnings == []


@pytest.mark.parametrize(
    "value",
    [["shop.audiences.customers"], {"customers": "customers"}, {"": "shop.audiences.x"}, {"a": 1}, {"a": "b c.d"}],
)
def test_setting_of_another_form_is_refused(campaign, settings, value):
    settings.HYBER["default"]["AUDIENCES"] = value

    with pytest.raises(ImproperlyConfigured, match="AUDIENCES"):
        add_audience(campaign, "customers")


def test_launched_campaign_gets_nobody(campaign, admin_client):
    add_audience(campaign, "kyiv")
    start_campaign(campaign)

    with pytest.raises(CampaignError):
        add_audience(campaign, "customers")
    assert admin_client.post(page_of(campaign), {"audience": "customers"}).status_code == 403


class LargeTests:
    """An audience from IN_BACKGROUND_FROM on is added by a background job."""

    @pytest.fixture
    def job(self, campaign, admin_client, settings, monkeypatch):
        settings.TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}
        monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 3)
        monkeypatch.setattr("django_hyber.audience.imports.CHUNK", 1)
        page = admin_client.post(page_of(campaign), {"audience": "customers"}, follow=True)
        assert "Waiting in the queue." in page.content.decode()
        return campaign.jobs.get()

    def test_it_is_added_after_the_page_has_been_shown(self, campaign, admin_client, job):
        assert not campaign.messages.exists()
        assert "importing" in {problem.code for problem in preflight(campaign).problems}
        run_job.call(job.pk)
        campaign.refresh_from_db()

        assert {message.reference for message in campaign.messages.all()} == set(Customer.objects.all())
        assert campaign.audience == "customers"
        assert preflight(campaign).problems == []
        page = admin_client.get(f"/admin/django_hyber/campaign/{campaign.pk}/import/{job.pk}/").content.decode()
        assert "Import of All customers" in page
        assert 'data-count="accepted" data-number="3"' in page

    def test_a_smaller_one_is_added_at_once(self, campaign, admin_client, job):
        page = admin_client.post(page_of(campaign), {"audience": "kyiv"}, follow=True).content.decode()

        assert "2 recipients were added." in page
        assert campaign.jobs.count() == 1

    def test_stopped_one_keeps_whom_it_has_added_and_says_how_to_go_on(self, campaign, admin_client, job, monkeypatch):
        monkeypatch.setattr(JobClaim, "write", stop_after_a_page(JobClaim.write, job))
        run_job.call(job.pk)

        assert campaign.messages.count() == 1
        page = admin_client.get(f"/admin/django_hyber/campaign/{campaign.pk}/import/{job.pk}/").content.decode()
        assert "choose the same people again" in page

    def test_one_that_was_cut_off_adds_everybody_once(self, campaign, job, monkeypatch):
        with monkeypatch.context() as cut:
            cut.setattr(JobClaim, "write", fail_after(1, JobClaim.write))
            run_job.call(job.pk)
        assert campaign.messages.count() == 1
        Customer.objects.create(first_name="New", phone=phone(9))
        BackgroundJob.objects.update(lease_until="2020-01-01T00:00:00Z")
        run_job.call(job.pk)
        job.refresh_from_db()

        assert (job.state, campaign.messages.count()) == ("done", 4)
        counts = {name: job.result[name] for name in ("total", "accepted", "duplicates", "existing", "rejected_count")}
        assert counts == {"total": 4, "accepted": 4, "duplicates": 0, "existing": 0, "rejected_count": 0}

    def test_one_with_a_window_adds_whom_it_selects(self, campaign, job, settings, monkeypatch):
        monkeypatch.setattr("django_hyber.audience.querysets.CHUNK", 1)
        settings.HYBER["default"]["AUDIENCES"] = {"customers": "tests.store.audiences.first_two"}
        run_job.call(job.pk)

        found = {message.reference.first_name for message in campaign.messages.all()}
        assert found == {"Person 0", "Person 1"}

    def test_one_with_a_window_is_added_while_another_process_writes(
        self, campaign, job, settings, monkeypatch, tmp_path
    ):
        monkeypatch.setattr("django_hyber.audience.querysets.CHUNK", 1)
        monkeypatch.setattr(JobClaim, "write", rest_after_a_page(JobClaim.write))
        settings.HYBER["default"]["AUDIENCES"] = {"customers": "tests.store.audiences.ranked"}
        with running([sys.executable, "-c", WRITER], tmp_path / "writer.log", env=environment({})):
            wait_until(Order.objects.exists, otherwise=(tmp_path / "writer.log").read_text)
            run_job.call(job.pk)
        job.refresh_from_db()

        assert (job.error_text, job.state, campaign.messages.count()) == ("", "done", 3)

    def test_one_that_is_gone_from_the_settings_fails_and_says_so(self, campaign, job, settings):
        settings.HYBER["default"]["AUDIENCES"] = {}
        run_job.call(job.pk)
        job.refresh_from_db()

        assert job.state == "failed"
        assert "does not exist" in job.error_text


def test_project_without_audiences_sees_no_button(campaign, settings, admin_client):
    settings.HYBER["default"]["AUDIENCES"] = {}
    page = admin_client.get(f"/admin/django_hyber/campaign/{campaign.pk}/change/").content.decode()

    assert "Add an audience" not in page
    assert "has no audiences" in admin_client.get(page_of(campaign)).content.decode()

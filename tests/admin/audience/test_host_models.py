"""The admin of the project's own models: a campaign to the selected objects, and the messages about an object."""

from __future__ import annotations

import django
import pytest
from django.contrib.auth.models import Permission, User
from django.core.checks import run_checks
from django.db import DatabaseError
from django.db.models import F

from django_hyber.models import Campaign
from django_hyber.protocol import SMS
from django_hyber.services import send_message
from django_hyber.tasks import run_job
from tests.samples import phone
from tests.store.admin import CustomerAdmin
from tests.store.models import Card, Customer

pytestmark = pytest.mark.django_db(transaction=True)

FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
LIST = "/admin/store/customer/"
ACTION = "send_campaign_to_selected"


@pytest.fixture
def customers():
    return [Customer.objects.create(first_name=f"Person {number}", phone=phone(number)) for number in range(3)]


def run(client, selected, of="customer", **more):
    data = {"action": ACTION, "_selected_action": [str(chosen.pk) for chosen in selected], **more}
    return client.post(f"/admin/store/{of}/", data, follow=True)


def fail(*arguments, **options):
    raise DatabaseError


def test_action_makes_a_draft_with_the_selected_ones(admin_client, customers):
    assert "Send a campaign to the selected customers" in admin_client.get(LIST).content.decode()
    response = run(admin_client, customers[:2])

    campaign = Campaign.objects.get()
    assert response.request["PATH_INFO"] == f"/admin/django_hyber/campaign/{campaign.pk}/change/"
    assert "2 recipients were added." in response.content.decode()
    assert (campaign.status, campaign.author.username) == ("draft", "admin")
    assert campaign.name.startswith("Customers, ")
    found = {message.reference: message.variables for message in campaign.messages.all()}
    assert found == {customer: {"name": customer.first_name} for customer in customers[:2]}


def test_all_objects_of_the_list_can_be_chosen(admin_client, customers):
    run(admin_client, customers[:1], select_across="1")

    assert Campaign.objects.get().messages.count() == 3


class LargeTests:
    """From IN_BACKGROUND_FROM on, the selected objects are added by a background job."""

    @pytest.fixture
    def in_background(self, settings, monkeypatch):
        settings.TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}
        monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 3)
        monkeypatch.setattr("django_hyber.audience.objects.CHUNK", 2)

    def test_draft_is_filled_after_the_page_has_been_shown(self, admin_client, customers, in_background):
        page = run(admin_client, customers).content.decode()
        campaign = Campaign.objects.get()
        assert "Import of customers" in page
        assert "Waiting in the queue." in page
        assert not campaign.messages.exists()
        Customer.objects.create(first_name="Later", phone=phone(9))
        run_job.call(campaign.jobs.get().pk)

        found = {message.reference: message.variables for message in campaign.messages.all()}
        assert found == {customer: {"name": customer.first_name} for customer in customers}
        job = campaign.jobs.get()
        assert (job.state, job.done, job.total) == ("done", 3, 3)

    def test_names_of_annotations_are_imported_in_the_request(
        self, admin_client, customers, in_background, monkeypatch
    ):
        def annotated(model_admin, request):
            return Customer.objects.annotate(written=F("phone"))

        monkeypatch.setattr(CustomerAdmin, "get_queryset", annotated)
        monkeypatch.setattr(CustomerAdmin, "audience_phone", "written")
        page = run(admin_client, customers).content.decode()

        assert "3 recipients were added." in page

    def test_key_with_the_end_of_a_line_is_one_object(self, admin_client, in_background):
        for number, key in enumerate(["a", "b\nc", "d ", "e\r", "c"]):
            Card.objects.create(number=key, phone=phone(number))
        run(admin_client, Card.objects.exclude(pk="c"), of="card")
        run_job.call(Campaign.objects.get().jobs.get().pk)

        found = {message.reference_id for message in Campaign.objects.get().messages.all()}
        assert found == {"a", "b\nc", "d ", "e\r"}

    def test_reversed_list_is_added_completely(self, admin_client, customers, in_background, monkeypatch):
        def reversed_list(model_admin, request):
            return Customer.objects.order_by("first_name").reverse()

        monkeypatch.setattr("django_hyber.audience.querysets.CHUNK", 2)
        monkeypatch.setattr(CustomerAdmin, "get_queryset", reversed_list)
        run(admin_client, customers)
        run_job.call(Campaign.objects.get().jobs.get().pk)

        assert Campaign.objects.get().messages.count() == 3


class WrongTests:
    """An action that cannot work says so, and leaves no draft."""

    @pytest.mark.parametrize(
        ("attribute", "value", "error"),
        [
            ("audience_phone", "mobile", "Cannot resolve keyword &#x27;mobile&#x27;"),
            ("audience_variables", {"name": "surname"}, "Cannot resolve keyword &#x27;surname&#x27;"),
            ("audience_variables", {"first name": "first_name"}, "cannot be names of variables: first name"),
            ("audience_account", "promo", "&#x27;promo&#x27;"),
        ],
    )
    def test_it_says_what_is_wrong(self, admin_client, customers, monkeypatch, attribute, value, error):
        monkeypatch.setattr(CustomerAdmin, attribute, value)
        response = run(admin_client, customers)

        assert response.request["PATH_INFO"] == LIST
        assert error in response.content.decode()
        assert not Campaign.objects.exists()

    def test_query_that_fails_leaves_no_draft(self, admin_client, customers, monkeypatch):
        monkeypatch.setattr("django_hyber.audience.objects.import_recipients", fail)
        with pytest.raises(DatabaseError):
            run(admin_client, customers)

        assert not Campaign.objects.exists()

    @pytest.mark.parametrize(
        ("attribute", "value", "check_id"),
        [
            ("audience_phone", "mobile", "django_hyber.E037"),
            ("audience_variables", {"name": "surname"}, "django_hyber.E037"),
            ("audience_account", "promo", "django_hyber.E036"),
        ],
    )
    def test_it_is_found_by_the_system_checks(self, monkeypatch, attribute, value, check_id):
        monkeypatch.setattr(CustomerAdmin, attribute, value)

        assert [error.id for error in run_checks(tags=["admin"])] == [check_id]

    def test_names_that_a_queryset_may_add_are_not_checked(self, monkeypatch):
        monkeypatch.setattr(CustomerAdmin, "get_queryset", lambda model_admin, request: None)
        monkeypatch.setattr(CustomerAdmin, "audience_phone", "written")

        assert run_checks(tags=["admin"]) == []


def test_campaign_belongs_to_the_account_of_the_action(admin_client, customers, settings, monkeypatch):
    settings.HYBER = {"promo": settings.HYBER["default"]}
    monkeypatch.setattr(CustomerAdmin, "audience_account", "promo")
    run(admin_client, customers)

    assert Campaign.objects.get().account == "promo"


def test_who_is_left_out_is_counted(admin_client, customers):
    wrong = Customer.objects.create(first_name="Nobody", phone="no number")
    page = run(admin_client, [*customers, wrong]).content.decode()

    assert "1 object was skipped" in page


@pytest.mark.parametrize(("codenames", "is_offered"), [((), False), (("add_campaign", "change_campaign"), True)])
def test_action_takes_the_permission_to_write_campaigns(client, customers, codenames, is_offered):
    user = User.objects.create_user("colleague", is_staff=True)
    wanted = ("view_customer", "change_customer", "view_campaign", *codenames)
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client.force_login(user)

    assert (ACTION in client.get(LIST).content.decode()) is is_offered
    run(client, customers)
    assert Campaign.objects.exists() is is_offered


def test_page_of_an_object_shows_its_messages(platform, admin_client, customers):
    message = send_message(phone(0), [SMS(text="Hi", alpha_name="GMSU", ttl=300)], reference=customers[0])
    send_message(phone(1), [SMS(text="Hi", alpha_name="GMSU", ttl=300)], reference=customers[1], extra_id="of-another")
    page = admin_client.get(f"{LIST}{customers[0].pk}/change/").content.decode()

    assert f'href="/admin/django_hyber/message/{message.pk}/change/">{message.extra_id}<' in page
    assert "accepted" in page
    assert "of-another" not in page


def test_page_of_an_object_shows_the_newest_messages_only(platform, admin_client, customers, settings):
    for number in range(25):
        send_message(
            phone(0), [SMS(text="Hi", alpha_name="GMSU", ttl=300)], reference=customers[0], extra_id=f"n-{number:02}"
        )
    page = admin_client.get(f"{LIST}{customers[0].pk}/change/").content.decode()

    assert "n-24" in page
    assert "n-04" not in page


def test_object_can_be_saved_on_its_page(platform, admin_client, customers):
    send_message(phone(0), [SMS(text="Hi", alpha_name="GMSU", ttl=300)], reference=customers[0])
    data = {"id": customers[0].pk, "first_name": "Oksana", "phone": phone(0), "city": ""}
    prefix = "django_hyber-message-reference_type-reference_id"
    data |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    response = admin_client.post(f"{LIST}{customers[0].pk}/change/", data)

    assert response.status_code == 302
    customers[0].refresh_from_db()
    assert customers[0].first_name == "Oksana"

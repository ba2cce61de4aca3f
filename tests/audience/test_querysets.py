"""Recipients from the project's own models."""

from __future__ import annotations

import tracemalloc

import pytest
from django.core.exceptions import FieldError
from django.db.models import Value
from django.db.models.functions import Concat, Upper

from django_hyber.audience import querysets
from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS
from django_hyber.services import import_recipients, start_campaign
from tests.builders import posts
from tests.samples import phone
from tests.store.models import Customer, Order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def customers():
    names = ["Olena", "Taras", "Ірина"]
    people = [Customer(first_name=name, phone=phone(number), city="Kyiv") for number, name in enumerate(names)]
    Customer.objects.bulk_create(people)
    return people


@pytest.fixture
def campaign():
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([SMS(text="Hi %name%", alpha_name="GMSU", ttl=300)])
    return campaign


def variables_of(campaign):
    return dict(campaign.messages.values_list("phone_number", "variables"))


def test_queryset_becomes_recipients_with_their_values_and_objects(campaign, customers, platform):
    report = import_recipients(campaign, Customer.objects.all(), variables={"name": "first_name"}, reference=True)
    start_campaign(campaign)

    assert (report.total, report.accepted) == (3, 3)
    assert variables_of(campaign) == {person.phone: {"name": person.first_name} for person in customers}
    assert {message.phone_number: message.reference for message in campaign.messages.all()} == {
        person.phone: person for person in customers
    }
    assert Message.objects.about(customers[0]).get().campaign == campaign
    assert {entry["name"] for entry in posts(platform)[0]["recipients"]} == {"Olena", "Taras", "Ірина"}
    assert "_reference" not in str(posts(platform))


def test_without_a_reference_nothing_is_kept_of_the_object(campaign, customers):
    import_recipients(campaign, Customer.objects.all(), variables={"name": "first_name"})

    assert not campaign.messages.exclude(reference_type=None).exists()
    assert variables_of(campaign)[phone(0)] == {"name": "Olena"}


def test_field_may_follow_a_relation_or_be_an_annotation(campaign, customers):
    Order.objects.create(customer=customers[0], phone="")
    orders = Order.objects.annotate(greeting=Concat(Value("Dear "), Upper("customer__first_name")))
    import_recipients(campaign, orders, phone="customer__phone", variables={"name": "greeting", "number": "id"})

    assert variables_of(campaign) == {phone(0): {"name": "Dear OLENA", "number": str(orders.get().pk)}}


@pytest.mark.parametrize(
    "select",
    [
        lambda: Customer.objects.order_by("-first_name"),
        lambda: Customer.objects.order_by("first_name")[:3],
        lambda: Customer.objects.filter(city="Kyiv").union(Customer.objects.filter(city="Lviv")),
        Customer.objects.distinct,
        lambda: Customer.objects.filter(orders__isnull=True),
    ],
)
def test_any_queryset_is_read_completely(campaign, customers, select, monkeypatch):
    monkeypatch.setattr(querysets, "CHUNK", 2)
    report = import_recipients(campaign, select(), variables={"name": "first_name"}, reference=True)

    assert report.accepted == 3


def test_wrong_and_repeated_numbers_are_reported_with_their_object(campaign, customers):
    wrong = Customer.objects.create(first_name="Nobody", phone="no number")
    Customer.objects.create(first_name="Again", phone=phone(0))
    report = import_recipients(campaign, Customer.objects.all(), variables={"name": "first_name"}, reference=True)

    assert (report.accepted, report.duplicates, report.rejected_count) == (3, 1, 1)
    assert report.rejected[0].values["_reference"] == str(wrong.pk)


@pytest.mark.parametrize(
    "arguments", [{"phone": "mobile"}, {"variables": {"name": "surname"}}, {"variables": {"name": "city__name"}}]
)
def test_unknown_field_is_named_and_imports_nothing(campaign, customers, arguments):
    with pytest.raises(FieldError, match=r"mobile|surname|city"):
        import_recipients(campaign, Customer.objects.all(), **arguments)
    assert not campaign.messages.exists()


@pytest.mark.parametrize("name", ["phone_number", "extra_id", "first name"])
def test_name_that_no_variable_can_have_is_refused(campaign, customers, name):
    with pytest.raises(ValueError, match=name):
        import_recipients(campaign, Customer.objects.all(), variables={name: "first_name"})


def test_reference_without_a_queryset_is_refused(campaign):
    with pytest.raises(TypeError, match="queryset"):
        import_recipients(campaign, [{"phone": phone(1)}], reference=True)


def test_missing_value_is_missing(campaign, customers):
    order = Order.objects.create(phone=phone(1))
    import_recipients(campaign, Order.objects.filter(pk=order.pk), variables={"name": "customer__first_name"})

    assert not variables_of(campaign)[phone(1)].get("name")


def test_memory_does_not_grow_with_the_queryset(campaign, monkeypatch):
    monkeypatch.setattr(querysets, "CHUNK", 200)
    monkeypatch.setattr("django_hyber.audience.imports.CHUNK", 200)

    def peak(first, count):
        Customer.objects.all().delete()
        Customer.objects.bulk_create(Customer(first_name="x" * 50, phone=phone(first + n)) for n in range(count))
        tracemalloc.start()
        import_recipients(campaign, Customer.objects.all(), variables={"name": "first_name"}, reference=True)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(0, 400)
    assert peak(20_000, 4_000) < 1.5 * peak(40_000, 800)

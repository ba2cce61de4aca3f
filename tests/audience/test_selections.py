"""Querysets of every kind become exactly the recipients that they select, across the borders of pages."""

from __future__ import annotations

import pytest
from django.core.exceptions import FieldError
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    FilteredRelation,
    Func,
    IntegerField,
    OuterRef,
    Q,
    Value,
    When,
    Window,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, RowNumber

from django_hyber.audience import querysets
from django_hyber.conf.audiences import Audience
from django_hyber.models import Campaign
from django_hyber.services import import_recipients
from tests.samples import phone
from tests.store.models import Customer, Order

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = 5


@pytest.fixture
def campaign(monkeypatch):
    monkeypatch.setattr(querysets, "CHUNK", 3)
    for number in range(4):
        customer = Customer.objects.create(first_name=f"Person {number}", phone=phone(number), city="Kyiv")
        for order in range(ORDERS):
            status = Order.Status.SHIPPED if order else Order.Status.NEW
            Order.objects.create(customer=customer, phone=phone(100 + number * ORDERS + order), status=status)
    return Campaign.objects.create(name="Sale")


def numbered():
    return Order.objects.annotate(place=Window(RowNumber(), order_by=F("pk").asc()))


#: A window that is written by hand.
PLACE = RawSQL("ROW_NUMBER() OVER (ORDER BY id)", (), output_field=IntegerField())


def named(name, **selected):
    return Order.objects.filter(**selected).annotate(list=Value(name, output_field=CharField()))


SELECTIONS = {
    "all": Order.objects.all,
    "ordered": lambda: Order.objects.order_by("-phone"),
    "reversed": lambda: Order.objects.order_by("phone").reverse(),
    "reversed-pk": lambda: Order.objects.order_by("pk").reverse(),
    "sliced": lambda: Order.objects.order_by("-phone")[2:9],
    "distinct": Order.objects.distinct,
    "window": lambda: numbered().filter(place__lte=10),
    "window-in-the-condition": lambda: Order.objects.alias(
        place=Window(RowNumber(), partition_by="customer", order_by=F("pk").asc())
    ).filter(place=1),
    "window-sliced": lambda: numbered().filter(place__lte=10)[:7],
    "window-as-raw-sql": lambda: Order.objects.annotate(place=PLACE),
    "window-inside-an-expression": lambda: Order.objects.annotate(place=Coalesce(PLACE, 0)),
    "window-as-a-template": lambda: Order.objects.annotate(
        place=Func(template="row_number() over (ORDER BY id)", output_field=IntegerField())
    ),
    "window-as-extra": lambda: Order.objects.extra(select={"place": PLACE.sql}),
    "window-reversed": lambda: numbered().filter(place__lte=10).order_by("pk").reverse(),
    "aggregate": lambda: Order.objects.annotate(n=Count("customer__orders")).filter(n__gte=2),
    "aggregate-of-few": lambda: Order.objects.annotate(n=Count("customer__orders")).filter(n__lt=4),
    "exists": lambda: Order.objects.filter(Exists(Customer.objects.filter(pk=OuterRef("customer"), city="Kyiv"))),
    "case": lambda: Order.objects.annotate(new=Case(When(status="new", then=1), default=0)).filter(new=1),
    "extra": lambda: Order.objects.extra(select={"one": "1"}, order_by=["-phone"]),
    "deferred": lambda: Order.objects.only("status", "customer").select_related("customer"),
    "union": lambda: Order.objects.filter(status="new").union(Order.objects.filter(status="shipped")),
    "union-named": lambda: named("new", status="new").union(named("all"), all=True),
    "difference": lambda: Order.objects.all().difference(Order.objects.filter(status="new")),
    "difference-named": lambda: named("all").difference(named("new", status="new")),
    "intersection-named": lambda: named("all").intersection(named("new", status="new")),
    "none": Order.objects.none,
    "combined-or": lambda: Order.objects.filter(status="new") | Order.objects.filter(status="shipped"),
}


@pytest.mark.parametrize("select", SELECTIONS.values(), ids=SELECTIONS)
def test_import_reads_as_many_objects_as_the_queryset_counts(campaign, select):
    counted = select().count()

    assert import_recipients(campaign, select()).total == counted


@pytest.mark.parametrize("select", SELECTIONS.values(), ids=SELECTIONS)
def test_outside_of_a_transaction_each_object_is_read_once(campaign, select):
    read = querysets.rows_of(Audience(queryset=select()), reference=True)

    assert sorted(row["_reference"] for row in read) == sorted(str(order.pk) for order in select())


@pytest.mark.parametrize("select", SELECTIONS.values(), ids=SELECTIONS)
def test_import_adds_the_objects_of_the_queryset_and_no_others(campaign, select):
    wanted = {str(order.pk) for order in select()}
    import_recipients(campaign, select(), reference=True)

    assert set(campaign.messages.values_list("reference_id", flat=True)) == wanted


def test_random_sample_has_the_size_of_the_queryset(campaign):
    assert import_recipients(campaign, Order.objects.order_by("?")[:7]).accepted == 7


@pytest.mark.postgresql
def test_distinct_on_takes_the_first_of_each(campaign):
    first = Order.objects.order_by("customer", "-phone").distinct("customer")
    wanted = {str(order.pk) for order in first}
    import_recipients(campaign, first, reference=True)

    assert set(campaign.messages.values_list("reference_id", flat=True)) == wanted


@pytest.mark.parametrize(
    "select",
    [numbered, *(SELECTIONS[f"window-{kind}"] for kind in ("as-raw-sql", "inside-an-expression", "as-extra"))],
)
def test_value_of_a_window_is_that_of_the_whole_queryset(campaign, select):
    read = querysets.rows_of(Audience(queryset=select(), variables={"place": "place"}), reference=False)

    assert sorted(row["place"] for row in read) == list(range(1, 4 * ORDERS + 1))


def test_value_of_an_aggregate_is_that_of_the_object(campaign):
    counted = Customer.objects.annotate(n=Count("orders"))
    import_recipients(campaign, counted, variables={"n": "n"})

    assert {variables["n"] for variables in campaign.messages.values_list("variables", flat=True)} == {str(ORDERS)}


TO_MANY = {
    "relation": (Customer.objects.all, "orders__phone"),
    "annotation": (lambda: Customer.objects.annotate(number=F("orders__phone")), "number"),
    "distinct": (Customer.objects.distinct, "orders__phone"),
    "reversed": (lambda: Customer.objects.order_by("pk").reverse(), "orders__phone"),
    "filtered": (
        lambda: Customer.objects.annotate(own=FilteredRelation("orders", condition=Q(orders__status="shipped"))),
        "own__phone",
    ),
    "condition": (lambda: Customer.objects.filter(orders__status="shipped"), "orders__phone"),
}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100])
@pytest.mark.parametrize(("select", "field"), TO_MANY.values(), ids=TO_MANY)
def test_all_numbers_of_an_object_are_taken(campaign, monkeypatch, select, field, size):
    monkeypatch.setattr(querysets, "CHUNK", size)
    wanted = sorted(select().values_list(field, flat=True))
    read = querysets.rows_of(Audience(queryset=select(), phone=field), reference=False)
    assert sorted(row["phone_number"] for row in read) == wanted
    report = import_recipients(campaign, select(), phone=field)

    assert report.total == len(wanted)
    assert sorted(campaign.messages.values_list("phone_number", flat=True)) == wanted


@pytest.mark.parametrize(
    "select",
    [
        lambda: Customer.objects.annotate(n=Count("orders")).filter(n__lt=4),
        lambda: Customer.objects.annotate(place=Window(RowNumber(), order_by=F("pk").asc())).filter(place__lte=2),
        lambda: Customer.objects.order_by("first_name")[:2],
        lambda: Customer.objects.filter(city="Kyiv").union(Customer.objects.filter(city="Lviv")),
    ],
    ids=["aggregate", "window", "slice", "union"],
)
@pytest.mark.parametrize("arguments", [{"phone": "orders__phone"}, {"variables": {"number": "orders__phone"}}])
def test_relation_that_would_change_who_is_selected_is_refused(campaign, select, arguments):
    with pytest.raises(FieldError, match="orders__phone leads to many objects"):
        import_recipients(campaign, select(), **arguments)
    assert not campaign.messages.exists()


@pytest.mark.parametrize(
    "select",
    [
        lambda: Order.objects.values("phone"),
        lambda: Order.objects.values_list("phone", flat=True),
        lambda: Order.objects.values("customer__phone").annotate(n=Count("pk")).filter(n__lt=4),
        lambda: Order.objects.values_list("phone").union(Customer.objects.values_list("phone")),
    ],
    ids=["values", "flat", "grouped", "union"],
)
def test_values_are_no_objects_and_are_refused(campaign, select):
    with pytest.raises(TypeError, match=r"not values\(\)"):
        import_recipients(campaign, select())
    assert not campaign.messages.exists()


def test_rows_of_a_grouped_queryset_are_imported_as_dicts(campaign):
    grouped = Order.objects.values("customer__phone").annotate(n=Count("pk")).filter(n__gte=2)
    report = import_recipients(campaign, grouped.iterator(), phone="customer__phone", variables={"n": "orders"})

    assert report.accepted == 4
    assert set(campaign.messages.values_list("phone_number", flat=True)) == {phone(number) for number in range(4)}
    assert {str(variables) for variables in campaign.messages.values_list("variables", flat=True)} == {
        str({"orders": str(ORDERS)})
    }


def test_page_that_is_full_of_one_object_is_not_the_last(campaign, monkeypatch):
    monkeypatch.setattr(querysets, "CHUNK", ORDERS)

    assert import_recipients(campaign, Customer.objects.all(), phone="orders__phone").accepted == 4 * ORDERS


def test_fields_of_the_model_may_be_taken_twice(campaign):
    import_recipients(campaign, Customer.objects.all(), variables={"first": "phone", "second": "phone"})

    assert campaign.messages.filter(phone_number=phone(0)).get().variables == {"first": phone(0), "second": phone(0)}

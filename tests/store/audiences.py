from __future__ import annotations

from django.db.models import F, IntegerField, Value, Window
from django.db.models.functions import Cast, RowNumber

from django_hyber.services import Audience
from tests.store.models import Customer, Seat


def customers() -> Audience:
    return Audience(queryset=Customer.objects.all(), label="All customers", variables={"name": "first_name"})


def bare():
    return Customer.objects.filter(city="Kyiv")


def nothing() -> None:
    return None


def failing():
    raise KeyError("segment")


def of_no_field():
    return Customer.objects.filter(surname="Shevchenko")


def without_phone():
    return Audience(queryset=Customer.objects.all(), phone="mobile")


def without_variable():
    return Audience(queryset=Customer.objects.all(), variables={"name": "surname"})


def with_wrong_name():
    return Audience(queryset=Customer.objects.all(), variables={"first name": "first_name"})


def of_values():
    return Customer.objects.values("phone")


def of_seats():
    return Seat.objects.all()


def dividing():
    """Return what the database cannot compute."""
    return Customer.objects.annotate(number=Cast("first_name", IntegerField())).filter(number__gt=Value(1) / Value(0))


def first_two():
    place = Window(RowNumber(), order_by=F("first_name").asc())
    return Customer.objects.annotate(place=place).filter(place__lte=2)


def ranked():
    return Customer.objects.annotate(place=Window(RowNumber(), order_by=F("phone").asc()))


def orders_of_customers():
    return Audience(queryset=Customer.objects.all(), phone="orders__phone")

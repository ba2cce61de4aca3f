from __future__ import annotations

from django_hyber.services import Audience
from tests.store.models import Customer


def customers() -> Audience:
    return Audience(queryset=Customer.objects.all(), label="All customers", variables={"name": "first_name"})


def bare():
    return Customer.objects.filter(city="Kyiv")


def nothing() -> None:
    return None

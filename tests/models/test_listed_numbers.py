"""What code puts on the opt-out list, or among the test numbers, is the number that messages go to."""

from __future__ import annotations

import pytest

from django_hyber.models import Suppression, TestNumber
from django_hyber.services import start_campaign
from tests.builders import make_campaign, statuses

pytestmark = pytest.mark.django_db(transaction=True)
HOME_SPELLINGS = [
    "+380671112233",
    "067 111 22 33",
    "(067) 111-22-33",
    "80671112233",
    "671112233",
    "٠٦٧١١١٢٢٣٣",
    "３８０６７１１１２２３３",
]


@pytest.mark.parametrize("written", HOME_SPELLINGS)
def test_opt_out_that_code_adds_counts_in_whatever_way_the_number_is_written(platform, written):
    Suppression.objects.create(phone_number=written)

    assert statuses(start_campaign(make_campaign(["380671112233", "380671112244"]))) == ["suppressed", "accepted"]


@pytest.mark.parametrize("written", HOME_SPELLINGS)
def test_test_number_is_stored_in_full(platform, written):
    assert TestNumber.objects.create(phone_number=written, name="Olena").phone_number == "380671112233"


@pytest.mark.parametrize("digits", ["48512345678", "951234567", "16502530000", "12345", "380001112233"])
def test_number_of_another_country_and_one_that_no_plan_has_stay_as_they_are(platform, digits):
    Suppression.objects.create(phone_number=digits).save()

    assert Suppression.objects.get().phone_number == digits


def test_home_is_that_of_the_account(platform, settings):
    settings.HYBER["default"]["DEFAULT_REGION"] = "PL"
    Suppression.objects.create(phone_number="512 345 678")

    assert Suppression.objects.get().phone_number == "48512345678"


def test_without_a_home_country_digits_stay(platform, settings):
    settings.HYBER["default"]["DEFAULT_REGION"] = None
    Suppression.objects.create(phone_number="067 111 22 33")

    assert Suppression.objects.get().phone_number == "0671112233"

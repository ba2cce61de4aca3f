"""A column with a country or a calling code: a number beside another country is not read as one of the home country."""

from __future__ import annotations

import io

import pytest

from django_hyber.audience.countries import NAMES, find_region
from django_hyber.models import Campaign, Suppression
from django_hyber.services import import_recipients, import_suppressions, remove_recipients

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return Campaign.objects.create(name="Spring sale")


def csv_file(text):
    return io.BytesIO(text.encode())


OTHER = [("country_code", "48"), ("Код країни", "+48"), ("country", "PL"), ("Країна", "Польща"), ("Kraj", "Polska")]
OTHER += [("Calling code", "0048"), ("dial_code", "(+48)"), ("Страна", "польша"), ("Country", "Poland (+48)")]
OTHER += [
    (header, "PL")
    for header in (
        *(
            "Default Address Country Code",
            "Shipping Country",
            "Billing Country Code",
            "Mailing Country",
            "billingCountry",
        ),
        *("Country/Region", "Home Country/Region", "Address 1 - Country", "Country (ISO)", "Country ID", "country_id"),
        *("Country *", "Nationality", "ISO", "CountryCode", "Країна:", "Країна клієнта", "Країна проживання"),
        *("Країна (код)", "Код країни доставки", "Держава", "Держав\u0061", "Страна доставки", "Kraj zamieszkania"),
        *("Lieferland (Land)", "Ländercode", "Pays", "País"),
    )
]
OTHER += [("Phone calling code", "48"), ("Префікс телефону", "+48")]
HOME = [("country_id", "48"), ("Country of manufacturer", "PL"), ("Країна виробника", "PL"), ("Countryside", "PL")]
HOME += [("Phone country id", "1"), ("Сторінка країни", "https://shop.ua/pl"), ("Страница", "PL")]
HOME += [("country_code", "380"), ("Код країни", "+380"), ("country", "UA"), ("Країна", "Україна"), ("country", "")]
HOME += [("country_code", "38"), ("country_code", "+38"), ("country", "Kyiv"), ("code", "48"), ("city", "Poland")]


@pytest.mark.parametrize(("header", "value"), OTHER)
def test_number_beside_another_country_is_doubtful(campaign, header, value):
    report = import_recipients(campaign, csv_file(f"{header};phone;name\n{value};501234567;Ewa\n"))

    assert report.left_out == {"foreign": 1}
    assert "names another country" in str(report.rejected[0].reason)
    assert not campaign.messages.exists()


@pytest.mark.parametrize(("header", "value"), OTHER)
def test_doubtful_number_that_is_switched_on_is_one_of_that_country(campaign, header, value):
    import_recipients(campaign, csv_file(f"{header};phone;name\n{value};501234567;Ewa\n"), foreign=True)

    assert campaign.messages.get().phone_number == "48501234567"


@pytest.mark.parametrize(("header", "value"), HOME)
def test_number_beside_the_home_country_or_something_else_is_read_as_dialled(campaign, header, value):
    import_recipients(campaign, csv_file(f"{header};phone;name\n{value};0501234567;Olena\n"))

    assert campaign.messages.get().phone_number == "380501234567"


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("+380501234567", "380501234567"),
        ("380501234567", "380501234567"),
        ("00380501234567", "380501234567"),
        ("+48501234567", "48501234567"),
        ("tel:+48501234567", "48501234567"),
    ],
)
def test_number_that_is_written_in_full_is_that_number_in_every_country(campaign, written, phone):
    import_recipients(campaign, csv_file(f"country;phone\nPL;{written}\n"))

    assert campaign.messages.get().phone_number == phone


def test_what_is_no_number_in_either_country_is_not_doubtful_but_wrong(campaign):
    report = import_recipients(campaign, csv_file("country;phone\nPL;12\n"))

    assert (report.rejected_count, report.left_out) == (1, {})


def test_column_that_code_brings_counts_as_well(campaign):
    report = import_recipients(campaign, [{"phone": "501234567", "country": "PL"}])

    assert report.left_out == {"foreign": 1}


def test_nobody_at_home_is_opted_out_for_somebody_abroad():
    report = import_suppressions(csv_file("country_code;phone\n48;501234567\n"))

    assert report.rejected_count == 1
    assert not Suppression.objects.exists()


def test_nobody_at_home_is_removed_for_somebody_abroad(campaign):
    import_recipients(campaign, [{"phone": "+380501234567"}, {"phone": "+48501234567"}])

    remove_recipients(campaign, numbers=csv_file("country_code;phone\n48;501234567\n"))

    assert campaign.messages.get().phone_number == "380501234567"


def test_without_a_home_country_the_column_is_compared_with_the_number(campaign, settings):
    settings.HYBER = {"default": {**settings.HYBER["default"], "DEFAULT_REGION": None}}

    report = import_recipients(campaign, csv_file("country_code;phone\n48;48501234567\n48;501234567\n"))

    assert campaign.messages.get().phone_number == "48501234567"
    assert [row.row for row in report.rejected] == [3]


def test_every_name_of_a_country_stands_for_one():
    names = [name for names in NAMES.values() for name in names.split(", ")]

    assert len(names) == len({*names})
    assert all(find_region(name.upper()) == region for region, names in NAMES.items() for name in names.split(", "))


@pytest.mark.parametrize("written", ["", "38", "0", "999", "+", "Kyiv", "050", "12345", "+800"])
def test_what_names_no_country_says_nothing(written):
    assert find_region(written) == ""

"""People who write campaigns, but may not launch them, send tests to a list of numbers that an administrator keeps."""

from __future__ import annotations

import re

import pytest

from django_hyber.models import Message, Suppression, TestNumber
from django_hyber.services import export_number, forget_number
from tests.admin.pages import text_of, url_of
from tests.builders import posts

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/django_hyber/testnumber/"
PHONE = "380670000100"
STRANGER = "380670000200"


@pytest.fixture
def ready(draft, add_recipients, platform):
    add_recipients(draft, 1, variables={"name": "Petrenkivna"})
    return draft


@pytest.fixture
def listed(db):
    return TestNumber.objects.create(name="Olena, marketing", phone_number=f"+{PHONE}")


def token_of(response):
    return re.search(r'name="token" value="([^"]+)"', response.content.decode())[1]


def send(client, campaign, *numbers):
    token = token_of(client.get(url_of(campaign, "test")))
    return client.post(url_of(campaign, "test"), {"numbers": numbers, "token": token}, follow=True)


def test_writer_sends_a_test_to_a_listed_number(client, ready, listed, log_in, platform):
    log_in("view_campaign", "change_campaign")

    assert url_of(ready, "test") in client.get(url_of(ready, "change")).content.decode()
    response = send(client, ready, listed.pk)

    assert "The test is on its way to 1 number." in text_of(response)
    assert [post["phone_number"] for post in posts(platform)] == [int(PHONE)]


def test_writer_can_send_to_no_other_number(client, ready, listed, log_in, platform):
    log_in("view_campaign", "change_campaign")

    for typed in (STRANGER, f"+{STRANGER}", PHONE, "0", ""):
        assert "error" in send(client, ready, typed).content.decode()
    assert posts(platform) == []
    assert not Message.objects.filter(campaign=None).exists()


def test_writer_sees_no_number_and_no_value_of_a_recipient(client, ready, listed, log_in):
    log_in("view_campaign", "change_campaign", "view_message")

    pages = [client.get(url_of(ready, "test")), send(client, ready, listed.pk)]

    for page in pages:
        assert PHONE not in page.content.decode()
        assert "Petrenkivna" not in page.content.decode()
    assert "Olena, marketing" in text_of(pages[0])


def test_too_many_tests_are_refused_without_naming_the_number(client, ready, listed, log_in):
    log_in("view_campaign", "change_campaign")

    pages = [send(client, ready, listed.pk) for _test in range(6)]

    assert "a number gets at most 5 tests" in text_of(pages[-1])
    assert PHONE not in pages[-1].content.decode()


def test_listed_number_that_has_opted_out_gets_nothing(client, ready, listed, log_in, platform):
    Suppression.objects.create(phone_number=PHONE)
    log_in("view_campaign", "change_campaign")

    assert "has opted out" in text_of(send(client, ready, listed.pk))
    assert posts(platform) == []


def test_country_that_the_account_does_not_send_to_is_refused(client, ready, listed, log_in, settings, platform):
    settings.HYBER = {"default": {**settings.HYBER["default"], "ALLOWED_COUNTRIES": ["PL"]}}
    log_in("view_campaign", "change_campaign")

    assert "Olena, marketing:" in text_of(send(client, ready, listed.pk))
    assert posts(platform) == []


def test_reader_sends_no_test(client, ready, listed, log_in):
    log_in("view_campaign")

    assert client.get(url_of(ready, "test")).status_code == 403


def test_administrator_keeps_the_list(client, log_in):
    user = log_in("view_testnumber", "add_testnumber", "delete_testnumber", "view_personal_data")

    client.post(f"{LIST}add/", {"name": "Petro", "phone_number": "067 000 01 00"})
    entry = TestNumber.objects.get()
    assert (entry.phone_number, entry.added_by) == (PHONE, user.username)
    again = client.post(f"{LIST}add/", {"name": "Again", "phone_number": "+38 067 000 01 00"})
    assert "This number is already on the list." in text_of(again)
    wrong = client.post(f"{LIST}add/", {"name": "067 000 02 00", "phone_number": "067 000 02 00"})
    assert "Enter a name, not a number." in text_of(wrong)
    client.post(f"{LIST}{entry.pk}/delete/", {"post": "yes"})
    assert not TestNumber.objects.exists()


def test_who_writes_campaigns_does_not_keep_the_list(client, listed, log_in):
    log_in("view_campaign", "change_campaign", "view_personal_data")

    assert client.get(LIST).status_code == 403
    assert client.post(f"{LIST}add/", {"name": "Me", "phone_number": STRANGER}).status_code == 403


def test_list_is_masked_for_who_may_not_see_numbers(client, listed, log_in):
    log_in("view_testnumber", "add_testnumber", "change_testnumber")

    assert PHONE not in client.get(LIST).content.decode()
    assert PHONE not in client.get(f"{LIST}{listed.pk}/change/").content.decode()
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.get(f"{LIST}?phone_number__startswith=380670").status_code in (302, 400)


def test_forgetting_a_number_takes_it_off_the_list(listed):
    assert export_number(PHONE)["test_numbers"][0]["name"] == "Olena, marketing"

    assert forget_number(PHONE).test_numbers == 1
    assert not TestNumber.objects.exists()

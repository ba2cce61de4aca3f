"""Test sends: a few numbers of one's own see the texts before anybody else does."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from django_hyber.models import Campaign, Message, Suppression, TestSender
from django_hyber.protocol import SMS, Viber
from django_hyber.services import campaign_statistics
from tests.admin.pages import button_of, text_of, url_of
from tests.builders import posts
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)

NUMBERS = ["067 000 01 00", "+38 (067) 000-02-00"]
PHONES = ["380670000100", "380670000200"]


@pytest.fixture
def ready(draft, add_recipients):
    draft.set_channels([Viber(text="Hi %name%", ttl=60), SMS(text="Hi %name%!", ttl=300, alpha_name="Shop")])
    add_recipients(draft, 3, variables={"name": "Olena"})
    return draft


def form_of(response):
    """What the page's form would send."""
    page = response.content.decode()
    fields = dict(re.findall(r'<input type="hidden" name="(token|recipient)" value="([^"]*)"', page))
    return fields | {"numbers": re.search(r"<textarea[^>]*>\s*([^<]*)</textarea>", page)[1]}


def send(client, campaign, *numbers, follow=True, **changes):
    form = form_of(client.get(url_of(campaign, "test")))
    return client.post(url_of(campaign, "test"), form | {"numbers": "\n".join(numbers)} | changes, follow=follow)


def step(client, campaign, response, name):
    return client.post(url_of(campaign, "test"), form_of(response) | {"step": name})


def sent_tests():
    return Message.objects.filter(campaign=None).order_by("pk")


class SendingTests:
    def test_the_texts_go_to_each_number_by_the_same_channels(self, admin_client, ready, platform):
        response = send(admin_client, ready, *NUMBERS)

        first, second = posts(platform)
        assert [first["phone_number"], second["phone_number"]] == [int(number) for number in PHONES]
        assert first["channels"] == ["viber", "sms"]
        assert first["channel_options"]["viber"]["text"] == "Hi Olena"
        assert first["channel_options"]["sms"] == {"text": "Hi Olena!", "alpha_name": "Shop", "ttl": 300}
        assert first["tag"] == "TEST Spring sale"
        assert "The test is on its way to 2 numbers." in text_of(response)
        assert [text in text_of(response) for text in PHONES] == [True, True]

    def test_it_counts_in_no_campaign(self, admin_client, ready, platform):
        results = send(admin_client, ready, *NUMBERS, follow=False).url

        token = results.rstrip("/").rsplit("/", 1)[1]
        assert [sent.extra_id for sent in sent_tests()] == [f"test-{ready.pk}-{token}-{number}" for number in (0, 1)]
        assert ready.messages.count() == 3
        assert campaign_statistics(ready).total == 3
        ready.refresh_from_db()
        assert ready.status == "draft"

    def test_numbers_are_read_by_the_region_of_the_account(self, admin_client, ready, platform, settings):
        settings.HYBER = {"default": {**settings.HYBER["default"], "DEFAULT_REGION": "PL"}}

        send(admin_client, ready, "512 345 678")

        assert sent_tests().get().phone_number == "48512345678"

    def test_each_bad_number_is_named_and_nothing_is_sent(self, admin_client, ready, platform):
        text = text_of(send(admin_client, ready, NUMBERS[0], "12345", "Olena, +380 67 1"))

        assert "“12345”: This is not a valid phone number: digits are missing." in text
        assert "“Olena”: A phone number consists of digits" in text
        assert "“+380 67 1”: " in text
        assert not sent_tests().exists()

    def test_too_many_numbers_and_none_at_all_are_refused(self, admin_client, ready, platform):
        many = [phone(number) for number in range(11)]

        assert "At most 10 numbers at once, and 11 were entered." in text_of(send(admin_client, ready, *many))
        assert "This field is required." in text_of(send(admin_client, ready))
        assert "This field is required." in text_of(send(admin_client, ready, ",", " ; "))
        assert not sent_tests().exists()

    def test_a_number_that_stands_there_twice_gets_it_once(self, admin_client, ready, platform):
        send(admin_client, ready, NUMBERS[0], PHONES[0])

        assert sent_tests().count() == 1

    def test_a_double_click_sends_once(self, admin_client, ready, platform):
        form = form_of(admin_client.get(url_of(ready, "test"))) | {"numbers": NUMBERS[0]}
        first = admin_client.post(url_of(ready, "test"), form)
        second = admin_client.post(url_of(ready, "test"), form, follow=True)

        assert second.redirect_chain == [(first.url, 302)]
        assert "This test has already been sent" in text_of(second)
        assert sent_tests().count() == len(posts(platform)) == LogEntry.objects.count() == 1

    def test_the_opt_out_list_is_kept_to_and_told(self, admin_client, ready, platform):
        Suppression.objects.create(phone_number=PHONES[0])

        text = text_of(send(admin_client, ready, *NUMBERS))
        assert "+38067•••••00 has opted out: nothing was sent to it." in text
        assert sent_tests().get().phone_number == PHONES[1]

        text = text_of(send(admin_client, ready, NUMBERS[0]))
        assert "has opted out: nothing was sent to it." in text
        assert sent_tests().count() == 1

    def test_the_log_has_it_with_masked_numbers(self, admin_client, ready, platform):
        send(admin_client, ready, *NUMBERS)

        message = LogEntry.objects.get(object_id=str(ready.pk)).get_change_message()
        assert message == "Sent a test to 38067•••••00, 38067•••••00."

    def test_the_numbers_are_remembered(self, admin_client, ready, platform):
        send(admin_client, ready, *NUMBERS)

        assert form_of(admin_client.get(url_of(ready, "test")))["numbers"].split() == [f"+{one}" for one in PHONES]

    def test_a_number_gets_only_a_few_tests_in_ten_minutes(self, admin_client, ready, platform):
        for _ in range(5):
            send(admin_client, ready, NUMBERS[0])

        text = text_of(send(admin_client, ready, *NUMBERS))
        assert f"{PHONES[0]}: a number gets at most 5 tests in ten minutes." in text
        assert sent_tests().count() == 5

        sent_tests().update(created_at=timezone.now() - timedelta(minutes=11))
        send(admin_client, ready, NUMBERS[0])
        assert sent_tests().count() == 6

    def test_a_person_sends_only_some_tests_in_ten_minutes(self, admin_client, ready, platform):
        for start in range(0, 50, 10):
            send(admin_client, ready, *(phone(number) for number in range(start, start + 10)))
        assert sent_tests().count() == 50

        assert "You have sent 50 tests in ten minutes." in text_of(send(admin_client, ready, NUMBERS[0]))
        assert sent_tests().count() == 50

    def test_another_session_and_campaign_do_not_raise_that_limit(self, admin_client, admin_user, ready, platform):
        for start in range(0, 50, 10):
            send(admin_client, ready, *(phone(number) for number in range(start, start + 10)))
        admin_client.force_login(admin_user)
        other = Campaign.objects.create(name="Other")
        other.set_channels([SMS(text="Hi", ttl=300, alpha_name="Shop")])

        assert "You have sent 50 tests in ten minutes." in text_of(send(admin_client, other, NUMBERS[0]))
        assert sent_tests().count() == 50

        TestSender.objects.update(sent_at=[(timezone.now() - timedelta(minutes=11)).timestamp()] * 50)
        send(admin_client, other, NUMBERS[0])
        assert sent_tests().count() == 51

    def test_each_person_has_a_limit_of_their_own(self, admin_client, admin_user, ready, platform):
        TestSender.objects.create(user_key="another", sent_at=[timezone.now().timestamp()] * 50)
        send(admin_client, ready, NUMBERS[0])

        assert sent_tests().count() == 1
        assert len(TestSender.objects.get(user_key=str(admin_user.pk)).sent_at) == 1

    def test_the_session_holds_no_number(self, admin_client, ready, platform):
        Suppression.objects.create(phone_number=PHONES[0])
        send(admin_client, ready, *NUMBERS, follow=False)

        assert PHONES[0][-9:] not in str(dict(admin_client.session)) + str(admin_client.cookies)
        assert PHONES[1][-9:] not in str(dict(admin_client.session)) + str(admin_client.cookies)

    def test_a_token_of_nobody_is_refused(self, admin_client, ready, platform):
        assert "This page is out of date." in text_of(send(admin_client, ready, NUMBERS[0], token="x' OR 1=1"))
        assert not sent_tests().exists()


class ValuesTests:
    def test_another_recipient_can_be_chosen(self, admin_client, ready, platform):
        last = ready.messages.order_by("phone_number").last()
        Message.objects.filter(pk=last.pk).update(variables={"name": "Ivan"})

        response = admin_client.get(url_of(ready, "test"))
        assert "Hi Olena" in text_of(response)
        for _ in range(2):
            response = step(admin_client, ready, response, "next")
        assert "Hi Ivan" in text_of(response)
        assert not sent_tests().exists()
        admin_client.post(url_of(ready, "test"), form_of(response) | {"numbers": NUMBERS[0]})

        assert sent_tests().get().content["channel_options"]["viber"]["text"] == "Hi Ivan"

    def test_typed_numbers_survive_a_look_at_another_recipient(self, admin_client, ready):
        form = form_of(admin_client.get(url_of(ready, "test"))) | {"numbers": "067 12", "step": "next"}

        assert form_of(admin_client.post(url_of(ready, "test"), form))["numbers"] == "067 12"

    def test_the_declared_default_texts_are_sent_as_examples(self, admin_client, ready, platform):
        Campaign.objects.update(missing_variables="default", variable_defaults={"name": "friend"})

        response = step(admin_client, ready, admin_client.get(url_of(ready, "test")), "examples")
        assert "Hi friend" in text_of(response)
        admin_client.post(url_of(ready, "test"), form_of(response) | {"numbers": NUMBERS[0]})

        assert sent_tests().get().content["channel_options"]["viber"]["text"] == "Hi friend"

    def test_a_recipient_without_a_value_is_no_sample(self, admin_client, ready, platform):
        Message.objects.update(variables={"name": ""})

        response = admin_client.get(url_of(ready, "test"))

        assert "This recipient has no value for %name%: choose another one." in text_of(response)
        assert button_of(response) is None
        send(admin_client, ready, NUMBERS[0])
        assert not sent_tests().exists()

    def test_without_recipients_the_values_are_examples(self, admin_client, ready, platform):
        ready.messages.all().delete()

        send(admin_client, ready, NUMBERS[0])

        assert sent_tests().get().content["channel_options"]["viber"]["text"] == "Hi Name"

    def test_own_texts_are_sent(self, admin_client, ready, platform):
        ready.set_channels([Viber(ttl=60)])
        Campaign.objects.update(has_own_texts=True)
        Message.objects.update(variables={"text": "Only for you"})

        send(admin_client, ready, NUMBERS[0])

        assert sent_tests().get().content["channel_options"]["viber"]["text"] == "Only for you"


class ResultTests:
    @pytest.fixture
    def results(self, admin_client, ready, platform):
        return send(admin_client, ready, *NUMBERS, follow=False).url

    def test_they_follow_each_message(self, admin_client, results):
        part = admin_client.get(f"{results}part/")
        assert "no-store" in part["Cache-Control"]
        assert re.findall(r'data-state="(\w+)"', part.content.decode()) == ["accepted", "accepted"]
        assert 'data-refresh="2"' in part.content.decode()

        first, second = sent_tests()
        Message.objects.filter(pk=first.pk).update(status="seen", channel="viber", hyber_status=23012)
        Message.objects.filter(pk=second.pk).update(status="rejected", error_code=36024)
        part = admin_client.get(f"{results}part/")

        assert re.findall(r'data-state="(\w+)"', part.content.decode()) == ["seen", "rejected"]
        assert "Viber" in text_of(part)
        assert "Phone number incorrect" in text_of(part)
        assert "Delivered: 1 of 2." in part.content.decode()
        assert 'data-refresh=""' in part.content.decode()

    def test_what_was_delivered_is_looked_at_a_while_longer(self, admin_client, results):
        Message.objects.update(status="delivered")
        assert 'data-refresh="2"' in admin_client.get(results).content.decode()

        Message.objects.update(created_at=timezone.now() - timedelta(minutes=11))
        assert 'data-refresh=""' in admin_client.get(results).content.decode()

    def test_whoever_may_not_see_messages_gets_no_links_to_them(self, client, results, log_in):
        log_in("view_campaign", "send_campaign", "view_personal_data")

        assert "/django_hyber/message/" not in client.get(results).content.decode()

    def test_a_test_of_another_campaign_or_of_none_is_not_found(self, admin_client, ready, results):
        token = results.rstrip("/").rsplit("/", 1)[1]
        other = Campaign.objects.create(name="Other")

        assert admin_client.get(url_of(other, "test_results", token)).status_code == 404
        assert admin_client.get(url_of(ready, "test_results", "0" * 16)).status_code == 404
        assert admin_client.get(url_of(ready, "test_part", "nothing")).status_code == 404

    def test_they_take_the_same_queries_for_any_number(
        self, admin_client, ready, results, platform, django_assert_num_queries
    ):
        with django_assert_num_queries(5):
            admin_client.get(f"{results}part/")
        many = send(admin_client, ready, *(phone(number) for number in range(10)), follow=False).url
        with django_assert_num_queries(5):
            admin_client.get(f"{many}part/")


class PermissionTests:
    def test_it_takes_the_permission_to_send(self, client, ready, log_in, platform):
        log_in("view_campaign", "change_campaign", "add_campaign", "view_message", "view_personal_data")

        page = client.get(url_of(ready, "change")).content.decode()
        assert url_of(ready, "test") not in page
        assert 'name="_test"' not in page
        assert client.get(url_of(ready, "test")).status_code == 403
        assert client.post(url_of(ready, "test"), {"numbers": PHONES[0], "token": "0" * 16}).status_code == 403
        assert client.get(url_of(ready, "test_results", "0" * 16)).status_code == 403
        assert not sent_tests().exists()

    def test_whoever_may_not_see_numbers_does_not_learn_which_have_opted_out(self, client, ready, log_in, platform):
        Suppression.objects.create(phone_number=PHONES[0])
        log_in("view_campaign", "change_campaign", "send_campaign", "view_message")

        page = client.get(url_of(ready, "change")).content.decode()
        assert url_of(ready, "test") not in page
        assert 'name="_test"' not in page
        assert client.post(url_of(ready, "test"), {"numbers": PHONES[0], "token": "0" * 16}).status_code == 403
        assert client.get(url_of(ready, "test_results", "0" * 16)).status_code == 403

    def test_it_is_offered_while_something_is_still_to_come(self, admin_client, ready, platform):
        for status, is_offered in {"draft": True, "scheduled": True, "paused": True, "finished": False}.items():
            Campaign.objects.update(status=status)

            assert (url_of(ready, "test") in admin_client.get(url_of(ready, "change")).content.decode()) == is_offered
        response = admin_client.post(url_of(ready, "test"), {"numbers": PHONES[0], "token": "0" * 16}, follow=True)
        assert "Not possible now: the campaign is finished." in text_of(response)
        assert not sent_tests().exists()


class SavingTests:
    VIBER = {"channel": "viber", "position": 0, "text": "Hi", "ttl": 60}

    def test_a_new_campaign_is_saved_and_tested(self, admin_client, campaign_form, db):
        data = campaign_form(self.VIBER, _test="1")
        response = admin_client.post("/admin/django_hyber/campaign/add/", data)

        assert response.url == url_of(Campaign.objects.get(), "test")

    def test_a_changed_campaign_is_saved_and_tested(self, admin_client, draft, campaign_form):
        draft.set_channels([])
        data = campaign_form(self.VIBER, _test="1")
        response = admin_client.post(url_of(draft, "change"), data)

        assert response.url == url_of(draft, "test")
        assert draft.get_channels()[0].text == "Hi"

    def test_whoever_may_not_send_goes_back_to_the_list(self, client, draft, campaign_form, log_in):
        log_in("view_campaign", "change_campaign")
        draft.set_channels([])

        response = client.post(url_of(draft, "change"), campaign_form(self.VIBER, _test="1"))

        assert response.url == "/admin/django_hyber/campaign/"


def test_texts_that_the_platform_would_refuse_are_told_with_their_place(admin_client, ready, platform):
    ready.set_channels([SMS(text="x" * 800, ttl=300, alpha_name="Shop")])

    response = admin_client.get(url_of(ready, "test"))

    assert "The test cannot be sent:" in text_of(response)
    assert f"{url_of(ready, 'change')}#id_channels-0-text" in response.content.decode()
    assert button_of(response) is None
    send(admin_client, ready, NUMBERS[0])
    assert json.dumps(posts(platform)) == "[]"


def test_the_page_takes_the_same_queries_for_any_campaign(
    admin_client, ready, add_recipients, django_assert_num_queries
):
    admin_client.get(url_of(ready, "test"))
    with django_assert_num_queries(9):
        admin_client.get(url_of(ready, "test"))
    add_recipients(ready, 300, variables={"name": "Olena"})
    with django_assert_num_queries(9):
        admin_client.get(url_of(ready, "test"))

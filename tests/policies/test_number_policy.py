"""What the settings of an account allow is checked when a message is stored and again when it is sent."""

from __future__ import annotations

import pytest

from django_hyber.models import Message
from django_hyber.policies.allowed_numbers import OPTIONAL_TYPES, TYPE_OFF
from django_hyber.protocol import SMS, InvalidPhone
from django_hyber.services import import_recipients, preflight, send_message, start_campaign
from tests.admin.pages import button_of, seen_on, text_of, url_of
from tests.builders import make_campaign, posts
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = [SMS(text="Hi", alpha_name="Shop", ttl=300)]
LANDLINE, POLISH = "+380442345600", "+48512345600"


def allow(settings, **changes):
    settings.HYBER = {"default": {**settings.HYBER["default"], **changes}}


class SendMessageTests:
    @pytest.mark.parametrize("number", ["48512345678", "38671234567", "6465551234", 48512345678])
    def test_a_number_of_another_country_needs_its_plus(self, platform, number):
        with pytest.raises(InvalidPhone, match=r"write it with \+"):
            send_message(number, TEXT)

        assert not Message.objects.exists()

    @pytest.mark.parametrize("number", [POLISH, "+38671234500", "+376312300", "+12125550100"])
    def test_with_its_plus_it_is_sent(self, platform, number):
        message = send_message(number, TEXT)

        message.refresh_from_db()
        assert (message.status, f"+{message.phone_number}") == ("accepted", number)

    @pytest.mark.parametrize("number", [LANDLINE, "0800500500", "0900234567"])
    def test_landlines_and_service_numbers_are_refused_by_default(self, platform, number):
        with pytest.raises(InvalidPhone, match="switched off"):
            send_message(number, TEXT)

    def test_what_the_settings_allow_is_sent(self, platform, settings):
        allow(settings, ALLOWED_NUMBER_TYPES=["fixed_line"])

        message = send_message(LANDLINE, TEXT)

        message.refresh_from_db()
        assert message.status == "accepted"
        with pytest.raises(InvalidPhone, match="mobile number"):
            send_message(phone(1), TEXT)

    def test_other_countries_than_the_allowed_ones_are_refused(self, platform, settings):
        allow(settings, ALLOWED_COUNTRIES=["UA"])

        with pytest.raises(InvalidPhone, match="ALLOWED_COUNTRIES"):
            send_message(POLISH, TEXT)


class WorkerTests:
    def test_a_single_message_that_is_forbidden_by_now_is_not_sent(self, platform, settings, monkeypatch):
        monkeypatch.setattr("django_hyber.sending.send.enqueue_row_after_commit", lambda *_arguments: None)
        message = send_message(POLISH, TEXT)
        allow(settings, ALLOWED_COUNTRIES=["UA"])

        from django_hyber.sending.single import submit_message

        submit_message(message.pk)

        message.refresh_from_db()
        assert message.status == "suppressed"
        assert "ALLOWED_COUNTRIES" in message.error_text
        assert posts(platform) == []

    @pytest.mark.parametrize(
        ("changes", "left_out"),
        [
            ({"ALLOWED_COUNTRIES": ["UA"]}, ["48512345600"]),
            ({"ALLOWED_COUNTRIES": ["PL"]}, ["380442345600", "380670000100"]),
            ({"ALLOWED_NUMBER_TYPES": ["mobile"]}, ["380442345600"]),
            ({"ALLOWED_NUMBER_TYPES": ["fixed_line"]}, ["380670000100", "48512345600"]),
            ({}, []),
        ],
    )
    def test_recipients_who_are_forbidden_by_now_are_left_out_with_the_reason(
        self, platform, settings, changes, left_out
    ):
        campaign = make_campaign([phone(1), POLISH[1:]])
        import_recipients(campaign, [{"phone": LANDLINE, "name": "Office"}], number_types=["fixed_line"])
        allow(settings, **changes)

        start_campaign(campaign)

        suppressed = campaign.messages.filter(status="suppressed").order_by("phone_number")
        assert [message.phone_number for message in suppressed] == left_out
        assert all(message.error_text for message in suppressed)
        assert platform.ledger.taken == 3 - len(left_out)


VARIABLE_TEXT = [SMS(text="Hi %name%", alpha_name="Shop", ttl=300)]


@pytest.fixture
def make_mixed():
    """A function that makes a campaign to a mobile phone and a landline in Ukraine and to a mobile phone in Poland."""

    def make(channels=TEXT):
        campaign = make_campaign([phone(1), POLISH[1:]], channels)
        import_recipients(campaign, [{"phone": LANDLINE, "name": "Office"}], number_types=["fixed_line"])
        return campaign

    return make


class CheckTests:
    @pytest.mark.parametrize("channels", [TEXT, VARIABLE_TEXT])
    @pytest.mark.parametrize(
        ("changes", "skipped"),
        [
            ({"ALLOWED_COUNTRIES": ["UA"]}, {"country-off": 1}),
            ({"ALLOWED_COUNTRIES": ["PL"]}, {"country-off": 2}),
            ({"ALLOWED_NUMBER_TYPES": ["mobile"]}, {"type-off": 1}),
            ({"ALLOWED_COUNTRIES": ["UA"], "ALLOWED_NUMBER_TYPES": ["mobile"]}, {"country-off": 1, "type-off": 1}),
            ({}, {}),
        ],
    )
    def test_recipients_who_are_forbidden_by_now_are_counted_as_the_workers_do(
        self, platform, settings, make_mixed, changes, skipped, channels
    ):
        campaign = make_mixed(channels)
        allow(settings, **changes, PRICES={"sms": 1})
        found = preflight(campaign)
        start_campaign(campaign)

        sent = campaign.messages.exclude(status="suppressed").count()
        assert {item.code: item.count for item in found.skipped} == skipped
        assert (found.recipients, found.will_receive) == (3, sent)
        assert (found.segments.total, found.cost_high) == (sent, sent)

    def test_a_stricter_account_is_noticed(self, platform, settings, make_mixed):
        campaign = make_mixed()
        settings.HYBER |= {"strict": settings.HYBER["default"] | {"ALLOWED_COUNTRIES": ["UA"]}}
        campaign.account = "strict"

        assert preflight(campaign).will_receive == 2

    def test_missing_value_of_a_forbidden_number_does_not_forbid_the_launch(self, platform, settings, make_mixed):
        campaign = make_mixed(VARIABLE_TEXT)
        campaign.messages.filter(phone_number=POLISH[1:]).update(variables={})
        allow(settings, ALLOWED_COUNTRIES=["UA"])

        assert preflight(campaign).problems == []

    def test_the_page_says_why(self, platform, settings, make_mixed, admin_client):
        campaign = make_mixed()
        allow(settings, ALLOWED_COUNTRIES=["UA"], ALLOWED_NUMBER_TYPES=["mobile"])
        response = admin_client.get(url_of(campaign))
        text = text_of(response)

        assert "1 person gets nothing: the account does not send to the country (ALLOWED_COUNTRIES)." in text
        assert "1 person gets nothing: the account does not send to numbers of this type." in text
        assert button_of(response) == "Send to 1 person"

    @pytest.mark.parametrize(
        "changes",
        [{"ALLOWED_COUNTRIES": ["UA"]}, {"ALLOWED_NUMBER_TYPES": ["mobile"]}, {"ALLOWED_NUMBERS": ["380*"]}],
    )
    def test_what_was_seen_under_other_restrictions_does_not_launch(
        self, platform, settings, make_mixed, admin_client, changes
    ):
        campaign = make_mixed()
        seen = seen_on(admin_client.get(url_of(campaign)))
        allow(settings, **changes)
        response = admin_client.post(url_of(campaign), seen, follow=True)

        assert "have changed since you opened the page" in text_of(response)
        assert posts(platform) == []


def test_every_type_that_can_be_switched_off_has_a_reason():
    assert {*OPTIONAL_TYPES} < {*TYPE_OFF}

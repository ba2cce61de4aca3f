"""REDIRECT_TO and ALLOWED_NUMBERS: who really gets something while a project is developed."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import translation

from django_hyber.campaigns.preflight import preflight
from django_hyber.conf import get_account
from django_hyber.models import Message, Suppression
from django_hyber.protocol import SMS
from django_hyber.services import import_recipients, send_message, start_campaign
from tests.admin.pages import button_of, confirm, text_of, url_of
from tests.builders import make_campaign, posts, statuses
from tests.samples import PHONE, phone

pytestmark = pytest.mark.django_db(transaction=True)

CHANNELS = [SMS(text="On its way", alpha_name="GMSU", ttl=300)]
COLLEAGUE = phone(99_999)
REASON = "The number is not in ALLOWED_NUMBERS of the account."


@pytest.fixture
def account(platform, settings):
    return settings.HYBER["default"]


def numbers_called(sandbox):
    bodies = posts(sandbox)
    return [entry["phone_number"] for body in bodies for entry in body.get("recipients") or [body]]


def test_redirected_message_goes_to_one_number_and_remembers_its_own(platform, account):
    account["REDIRECT_TO"] = f"+{COLLEAGUE}"
    message = send_message(PHONE, CHANNELS)

    message.refresh_from_db()
    assert numbers_called(platform) == [int(COLLEAGUE)]
    assert (message.phone_number, message.status) == (PHONE, "accepted")


@pytest.mark.parametrize("sync_limit", [0, 100])
def test_redirected_campaign_is_accepted_one_by_one(platform, account, sync_limit):
    account |= {"REDIRECT_TO": COLLEAGUE, "SYNC_LIMIT": sync_limit}
    campaign = make_campaign([phone(number) for number in range(3)])
    start_campaign(campaign)

    assert numbers_called(platform) == [int(COLLEAGUE)] * 3
    assert statuses(campaign) == ["accepted"] * 3
    assert sorted(campaign.messages.values_list("phone_number", flat=True)) == [phone(number) for number in range(3)]
    if sync_limit:
        assert len(set(campaign.messages.values_list("message_id", flat=True))) == 3


def test_report_of_a_redirected_message_is_its_own(wired, settings):
    settings.HYBER["default"]["REDIRECT_TO"] = COLLEAGUE
    first, second = send_message(PHONE, CHANNELS), send_message(phone(1), CHANNELS)

    for message in (first, second):
        message.refresh_from_db()
        assert message.status in ("accepted", "delivered")
    assert first.message_id != second.message_id


def test_number_that_is_not_allowed_is_suppressed_with_the_reason(platform, account):
    account["ALLOWED_NUMBERS"] = [COLLEAGUE]
    message = send_message(PHONE, CHANNELS)

    message.refresh_from_db()
    assert (message.status, message.error_text) == ("suppressed", REASON)
    assert message.finished_at
    assert posts(platform) == []


@pytest.mark.parametrize("allowed", [[PHONE], [f"+{PHONE}"], ["38096*"], ["+380 96*"], ["49*", "380*"], [int(PHONE)]])
def test_allowed_number_is_sent(platform, account, allowed):
    account["ALLOWED_NUMBERS"] = allowed

    send_message(PHONE, CHANNELS)
    assert numbers_called(platform) == [int(PHONE)]


def test_number_that_only_begins_like_an_allowed_one_is_another(platform, account):
    account["ALLOWED_NUMBERS"] = ["38096111111" + "1"]
    account["DEFAULT_REGION"] = None

    send_message(phone(5), CHANNELS)
    assert posts(platform) == []


VARIABLE_TEXT = [SMS(text="Hi %name%", alpha_name="GMSU", ttl=300)]


@pytest.mark.parametrize("channels", [CHANNELS, VARIABLE_TEXT])
def test_check_before_the_launch_counts_who_gets_nothing(platform, account, channels):
    account |= {"ALLOWED_NUMBERS": [phone(1)], "PRICES": {"sms": 1}}
    campaign = make_campaign([phone(1), phone(2), phone(3)], channels)
    found = preflight(campaign)

    [skipped] = found.skipped
    assert (skipped.code, skipped.count) == ("not-allowed", 2)
    assert skipped.examples == tuple(campaign.messages.order_by("pk").values_list("pk", flat=True)[1:])
    assert (found.recipients, found.will_receive, found.segments.total, found.cost_high) == (3, 1, 1, 1)


def test_check_counts_who_opted_out_and_is_not_allowed_once(platform, account):
    account["ALLOWED_NUMBERS"] = [phone(1)]
    Suppression.objects.create(phone_number=phone(2))
    found = preflight(make_campaign([phone(1), phone(2), phone(3)]))

    assert {item.code: item.count for item in found.skipped} == {"opted-out": 1, "not-allowed": 1}
    assert (found.recipients, found.will_receive) == (3, 1)


def test_check_leaves_nobody_out_if_all_are_allowed(platform, account):
    account["ALLOWED_NUMBERS"] = ["380*"]

    assert preflight(make_campaign([phone(1), phone(2)])).skipped == []


def test_missing_value_of_a_number_that_is_not_allowed_does_not_forbid_the_launch(platform, account):
    account["ALLOWED_NUMBERS"] = [phone(1)]
    campaign = make_campaign([phone(1), phone(2)], VARIABLE_TEXT)
    campaign.messages.filter(phone_number=phone(2)).update(variables={})

    assert preflight(campaign).problems == []


@pytest.mark.parametrize("allowed", [[], ["49*"]])
def test_page_offers_no_launch_if_nobody_is_allowed(platform, account, admin_client, allowed):
    account["ALLOWED_NUMBERS"] = allowed
    response = admin_client.get(url_of(make_campaign([phone(1), phone(2)])))

    assert "2 people get nothing: the account sends to the numbers in ALLOWED_NUMBERS only." in text_of(response)
    assert "Nobody would receive it" in text_of(response)
    assert button_of(response) is None


def test_launch_says_how_many_are_allowed(platform, account, admin_client):
    account["ALLOWED_NUMBERS"] = [phone(1)]
    campaign = make_campaign([phone(1), phone(2), phone(3)])
    response = confirm(admin_client, campaign, follow=True)

    assert "Sending to 1 person started." in text_of(response)
    assert statuses(campaign) == ["accepted", "suppressed", "suppressed"]


@pytest.mark.parametrize("sync_limit", [0, 100])
def test_campaign_sends_only_to_allowed_numbers(platform, account, sync_limit):
    account |= {"ALLOWED_NUMBERS": [phone(1), "380671*"], "SYNC_LIMIT": sync_limit}
    campaign = make_campaign([phone(1), phone(2), "380671234500"])
    start_campaign(campaign)

    assert numbers_called(platform) == [int(phone(1)), 380671234500]
    assert statuses(campaign) == ["accepted", "suppressed", "accepted"]
    assert campaign.messages.get(status="suppressed").error_text == REASON


def test_campaign_without_an_allowed_number_ends_without_a_request(platform, account):
    account["ALLOWED_NUMBERS"] = ["49*"]
    campaign = make_campaign([phone(1), phone(2)])
    start_campaign(campaign)

    campaign.refresh_from_db()
    assert (campaign.status, posts(platform)) == ("finished", [])
    assert statuses(campaign) == ["suppressed"] * 2


def test_empty_list_lets_nobody_get_anything(platform, account):
    account["ALLOWED_NUMBERS"] = []
    message = send_message(PHONE, CHANNELS)
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))

    message.refresh_from_db()
    assert (message.status, message.error_text) == ("suppressed", REASON)
    assert statuses(campaign) == ["suppressed"] * 2
    assert posts(platform) == []


def test_list_counts_at_the_moment_of_sending(platform, account, monkeypatch):
    from django_hyber.services import dispatch
    from django_hyber.tasks import submit_message

    with monkeypatch.context() as lost:
        lost.setattr(type(submit_message), "enqueue", lambda *args: None)
        message = send_message(PHONE, CHANNELS)
    account["ALLOWED_NUMBERS"] = ["49*"]
    Message.objects.update(enqueued_at=None)
    dispatch()

    message.refresh_from_db()
    assert message.status == "suppressed"


def test_both_settings_together_redirect_only_what_is_allowed(platform, account):
    account |= {"ALLOWED_NUMBERS": [phone(1)], "REDIRECT_TO": COLLEAGUE}
    send_message(phone(1), CHANNELS)
    send_message(phone(2), CHANNELS)

    assert numbers_called(platform) == [int(COLLEAGUE)]


def test_other_accounts_are_not_restricted(platform, settings):
    settings.HYBER["promo"] = {**settings.HYBER["default"], "ALLOWED_NUMBERS": ["49*"], "REDIRECT_TO": COLLEAGUE}

    send_message(PHONE, CHANNELS)
    assert numbers_called(platform) == [int(PHONE)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("REDIRECT_TO", "0671234567"),
        ("REDIRECT_TO", "colleague"),
        ("REDIRECT_TO", True),
        ("REDIRECT_TO", ["380671234567"]),
        ("ALLOWED_NUMBERS", ""),
        ("ALLOWED_NUMBERS", "380671234567"),
        ("ALLOWED_NUMBERS", ["38067"]),
        ("ALLOWED_NUMBERS", ["*"]),
        ("ALLOWED_NUMBERS", ["067*"]),
        ("ALLOWED_NUMBERS", ["380*67"]),
        ("ALLOWED_NUMBERS", [None]),
        ("ALLOWED_NUMBERS", {"380671234567": 1}),
    ],
)
def test_unusable_setting_stops_the_account_and_is_named(platform, account, key, value):
    account[key] = value

    with pytest.raises(ImproperlyConfigured, match=key):
        send_message(PHONE, CHANNELS)
    assert posts(platform) == []


def test_both_can_come_from_the_environment(settings, monkeypatch):
    settings.HYBER = {"default": {}}
    monkeypatch.setenv("HYBER_REDIRECT_TO", COLLEAGUE)
    monkeypatch.setenv("HYBER_ALLOWED_NUMBERS", f"{PHONE},38050*")

    assert get_account().redirect_to == COLLEAGUE
    assert get_account().allowed_numbers == (PHONE, "38050*")


@pytest.mark.parametrize("written", ["", " "])
def test_empty_variable_is_refused_because_it_may_mean_everybody_or_nobody(settings, monkeypatch, written):
    settings.HYBER = {"default": {}}
    monkeypatch.setenv("HYBER_ALLOWED_NUMBERS", written)

    with pytest.raises(ImproperlyConfigured, match="ALLOWED_NUMBERS"):
        get_account()


def test_reason_is_shown_in_ukrainian(platform, account, admin_client):
    account["ALLOWED_NUMBERS"] = ["49*"]
    message = send_message(PHONE, CHANNELS)
    with translation.override("uk"):
        page = admin_client.get(
            f"/admin/django_hyber/message/{message.pk}/change/", headers={"accept-language": "uk"}
        ).content.decode()

    assert REASON not in page
    assert "ALLOWED_NUMBERS" in page


def test_import_is_not_restricted(account):
    """The list is for the moment of sending: a campaign can be prepared with real recipients."""
    account["ALLOWED_NUMBERS"] = ["49*"]
    campaign = make_campaign([])

    assert import_recipients(campaign, [{"phone": PHONE}]).accepted == 1

"""Deciding about an unknown outcome: what is asked first, what follows, what is logged, and who may."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import F
from django.urls import reverse

from django_hyber.db.clock import database_time
from django_hyber.models import Message
from django_hyber.services import cancel_campaign, dispatch, mark_as_sent, pause_campaign, send_again
from tests.admin.pages import button_of, text_of
from tests.builders import statuses

pytestmark = pytest.mark.django_db(transaction=True)
HIDDEN = re.compile(r'<input type="hidden" name="(doubt|queries)" value="([^"]*)">')
GONE = "The settings of the account “gone” are missing or invalid"
OVER = "The outcome is known by now. Nothing was changed."


def url_of(row, page="change"):
    return reverse(f"admin:django_hyber_{row._meta.model_name}_{page}", args=[row.pk])


def seen_on(client, row, page="change"):
    """What the page would post."""
    found = HIDDEN.findall(client.get(url_of(row, page)).content.decode())
    return {name: unescape(value) for name, value in found}


def press(client, row, name, seen=None):
    """Press a button, and return what is said on the page after it."""
    shown_on = "change" if name == "query" else name
    data = seen_on(client, row, shown_on) if seen is None else seen
    response = client.post(url_of(row, name), data, follow=True)
    assert response.redirect_chain == [(url_of(row), 302)]
    return [str(message) for message in response.context["messages"]]


def logged():
    return [(entry.object_id, entry.get_change_message()) for entry in LogEntry.objects.order_by("pk")]


def messages_of(row):
    return Message.objects.filter(pk=row.pk) if isinstance(row, Message) else row.campaign.messages.all()


def people(row, one, more):
    return one if isinstance(row, Message) else more


def test_query_now_sends_a_query_and_is_logged(admin_client, row, platform):
    type(row).objects.update(due_at=database_time() + timedelta(hours=2))
    before = len(platform.requests)

    text = press(admin_client, row, "query")

    assert text == ["The platform is being queried about it now."]
    assert len(platform.requests) > before
    assert logged() == [(str(row.pk), text[0])]


def test_second_click_on_query_now_is_no_second_query(admin_client, row, platform):
    seen = seen_on(admin_client, row)
    press(admin_client, row, "query", seen)
    queried = len(platform.requests)

    assert press(admin_client, row, "query", seen) == ["The platform has been queried since then."]
    assert len(platform.requests) == queried
    assert len(logged()) == 1


def test_query_now_is_possible_again_from_the_page_with_the_answer(admin_client, row):
    press(admin_client, row, "query")
    press(admin_client, row, "query")

    row.refresh_from_db()
    assert row.queries == 2


def test_it_was_sent_says_first_what_follows(admin_client, row):
    response = admin_client.get(url_of(row, "sent"))

    page = text_of(response)
    accepted = people(row, "1 message counts as accepted", "3 messages count as accepted")
    assert f"{accepted} by the platform from now on" in page
    nothing = people(row, "does not have it, 1 person gets", "does not have them, 3 people get")
    assert f"If the platform {nothing} nothing." in page
    assert set(messages_of(row).values_list("status", flat=True)) == {"unconfirmed"}


def test_send_again_says_first_who_may_get_it_twice(admin_client, row):
    response = admin_client.get(url_of(row, "again"))

    twice = people(row, "has it, 1 person may get it", "has them, 3 people may get the message")
    assert f"If the platform {twice} twice." in text_of(response)
    assert people(row, "Send again to 1 person", "Send again to 3 people") in response.content.decode()
    assert set(messages_of(row).values_list("status", flat=True)) == {"unconfirmed"}


def test_it_was_sent(admin_client, row, platform):
    text = press(admin_client, row, "sent")

    count = people(row, "1 message counts", "3 messages count")
    assert text == [f"Decided that it was sent: {count} as accepted."]
    assert logged() == [(str(row.pk), text[0])]
    dispatch()
    assert set(messages_of(row).values_list("status", flat=True)) == {"accepted"}
    assert platform.ledger.taken == 0


def test_send_again(admin_client, row, platform):
    text = press(admin_client, row, "again")

    count = people(row, "1 message is", "3 messages are")
    assert text == [f"Decided that it was not sent: {count} sent again."]
    assert logged() == [(str(row.pk), text[0])]
    dispatch()
    assert set(messages_of(row).values_list("status", flat=True)) == {"accepted"}
    assert platform.ledger.taken == people(row, 1, 3)


def test_message_whose_ttl_is_over_is_not_sent_again_and_the_page_says_so(admin_client, message, platform):
    Message.objects.update(created_at=database_time() - timedelta(hours=1))
    page = admin_client.get(url_of(message, "again"))

    assert "The TTL of the message has ended, so nothing is sent and the message expires." in text_of(page)
    assert press(admin_client, message, "again") == [
        "Decided that it was not sent. The TTL of the message has ended, so nothing is sent and the message expires."
    ]
    dispatch()
    message.refresh_from_db()
    assert (message.status, platform.ledger.taken) == ("expired", 0)


def test_message_of_a_campaign_that_is_in_doubt_by_itself_is_sent_again(admin_client, campaign, batch, platform):
    campaign.batches.update(state="done")
    last = campaign.messages.order_by("pk").last()
    campaign.messages.exclude(pk=last.pk).update(status="accepted")
    campaign.messages.filter(pk=last.pk).update(
        doubted_at=batch.doubted_at, not_found_after=database_time(), due_at=database_time()
    )

    press(admin_client, last, "again")
    dispatch()

    assert statuses(campaign) == ["accepted"] * 3
    assert platform.ledger.taken == 1


def test_nothing_is_sent_or_queried_without_the_settings_of_the_account(admin_client, orphan):
    seen = seen_on(admin_client, orphan)
    (asked,) = press(admin_client, orphan, "query", seen)
    (again,) = press(admin_client, orphan, "again", seen)
    page = admin_client.get(url_of(orphan, "again"), follow=True)

    assert page.redirect_chain == [(url_of(orphan), 302)]
    assert [GONE in text for text in (asked, again, text_of(page))] == [True] * 3
    assert logged() == []


def test_without_the_settings_of_the_account_it_can_be_marked_as_sent(admin_client, orphan):
    (text,) = press(admin_client, orphan, "sent")

    assert "Decided that it was sent" in text
    assert set(messages_of(orphan).values_list("status", flat=True)) == {"accepted"}


@pytest.mark.parametrize("name", ["sent", "again"])
def test_second_click_decides_nothing(admin_client, row, name, platform):
    seen = seen_on(admin_client, row, name)
    press(admin_client, row, name, seen)
    dispatch()
    before = platform.ledger.taken, logged(), list(messages_of(row).order_by("pk").values())

    assert press(admin_client, row, name, seen) == [OVER]
    assert (platform.ledger.taken, logged(), list(messages_of(row).order_by("pk").values())) == before


@pytest.mark.parametrize("name", ["query", "sent", "again"])
def test_nothing_is_decided_about_a_later_doubt_than_the_page_showed(admin_client, row, name, platform):
    seen = seen_on(admin_client, row)
    platform.fault("drop_answer", paths=("single", "bulk"))
    send_again(row, by="olena")
    dispatch()
    type(row).objects.filter(pk=row.pk).update(queries=0, due_at=F("doubted_at"))

    assert press(admin_client, row, name, seen) == [OVER]
    assert platform.ledger.duplicates == {}
    assert logged() == []


@pytest.mark.parametrize("name", ["query", "sent", "again"])
def test_nothing_is_decided_without_the_page(admin_client, row, name, platform):
    queried = len(platform.requests)

    press(admin_client, row, name, {"queries": "0"})

    assert set(messages_of(row).values_list("status", flat=True)) == {"unconfirmed"}
    assert len(platform.requests) == queried
    assert logged() == []


@pytest.mark.parametrize("name", ["sent", "again"])
def test_what_is_no_longer_in_doubt_is_not_queried(admin_client, row, name):
    mark_as_sent(row, by="olena")

    response = admin_client.get(url_of(row, name), follow=True)

    assert [str(message) for message in response.context["messages"]] == [OVER]


@pytest.mark.parametrize("name", ["sent", "again"])
def test_message_of_a_batch_in_doubt_is_not_decided_about_by_itself(admin_client, campaign, batch, name):
    message = campaign.messages.first()
    assert button_of(admin_client.get(url_of(message, name), follow=True)) is None

    assert press(admin_client, message, name, {"doubt": message.doubted_at.isoformat()}) == [OVER]
    assert statuses(campaign) == ["unconfirmed"] * 3


def test_send_again_in_a_cancelled_campaign_sends_nothing_and_says_so(admin_client, campaign, batch, platform):
    cancel_campaign(campaign)
    warning = "The campaign is cancelled, so nothing is sent: 3 messages are cancelled as well."
    page = text_of(admin_client.get(url_of(batch, "again")))
    assert warning in page
    assert "get it twice" not in page

    assert press(admin_client, batch, "again") == [f"Decided that it was not sent. {warning}"]
    assert statuses(campaign) == ["cancelled"] * 3
    assert platform.ledger.taken == 0


def test_send_again_in_a_paused_campaign_waits_and_says_so(admin_client, campaign, batch, platform):
    pause_campaign(campaign)
    warning = "The campaign is paused: nothing is sent until it is resumed."
    assert warning in text_of(admin_client.get(url_of(batch, "again")))

    press(admin_client, batch, "again")
    dispatch()

    assert statuses(campaign) == ["queued"] * 3
    assert platform.ledger.taken == 0


def test_the_one_who_decides_is_in_the_log_of_the_service(client, row, log_in, caplog):
    log_in(f"view_{row._meta.model_name}", "resolve_doubt")

    press(client, row, "sent")

    assert "marked as sent: decided by colleague" in caplog.text


@pytest.mark.parametrize("lacking", ["view", "resolve_doubt"])
@pytest.mark.parametrize("name", ["query", "sent", "again"])
def test_both_permissions_are_needed(client, admin_client, row, log_in, lacking, name):
    seen = seen_on(admin_client, row)
    log_in("resolve_doubt" if lacking == "view" else f"view_{row._meta.model_name}")

    assert client.post(url_of(row, name), seen).status_code == 403
    assert set(messages_of(row).values_list("status", flat=True)) == {"unconfirmed"}
    assert logged() == []


def test_what_had_failed_before_is_not_sent_again(admin_client, batch, campaign, platform):
    type(batch).objects.update(failed_as="undelivered", error_code=7, error_text="Gave up")
    requests = len(platform.requests)
    page = admin_client.get(url_of(batch, "again"))
    assert "They had failed before, so nothing is sent: 3 messages fail again." in text_of(page)
    assert page.context["button"] == "It was not sent"

    assert press(admin_client, batch, "again") == [
        "Decided that it was not sent. They had failed before, so nothing is sent: 3 messages fail again."
    ]
    assert set(campaign.messages.values_list("status", "error_code", "error_text")) == {("undelivered", 7, "Gave up")}
    assert len(platform.requests) == requests

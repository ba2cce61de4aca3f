"""How messages of an unknown outcome are queried when there are many of them."""

from __future__ import annotations

import inspect

import pytest

from django_hyber import tasks
from django_hyber.models import Message
from django_hyber.protocol import SMS, HyberClient, ReadTimeout, UnreadableResponse
from django_hyber.reconcile import unconfirmed
from django_hyber.services import dispatch, send_message, start_campaign
from tests.builders import dispatch_until_finished, make_campaign, make_due
from tests.samples import phone
from tests.sending.test_order import CODE, collected

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["collected"]


def make_unconfirmed(count):
    content = {"channels": ["sms"], "channel_options": {"sms": CODE[0].to_wire()}}
    known = {"status": "unconfirmed", "not_found_after": "2020-01-01T00:00:00Z", "content": content}
    rows = (Message(phone_number=phone(number), extra_id=f"own-{number}", **known) for number in range(count))
    Message.objects.bulk_create(rows)
    return list(Message.objects.order_by("pk").values_list("pk", flat=True))


def test_one_time_code_does_not_wait_behind_thousands_of_queries(collected):
    make_unconfirmed(1_000)
    for _ in range(5):
        dispatch()
    code = send_message(phone(1), CODE)

    assert collected()[unconfirmed.MAX_ENQUEUED :] == [code.pk]


def test_query_that_is_answered_gives_the_next_one_its_turn(collected):
    pks = make_unconfirmed(10)
    dispatch()
    tasks.resolve_message.call(pks[0], 2)
    tasks.resolve_message.call(pks[4], 1)
    tasks.resolve_message.call(pks[5], 0)

    assert collected() == pks[:6]


def test_all_are_queried_and_no_query_nests_where_tasks_run_at_once(platform, settings, monkeypatch):
    settings.HYBER = {"default": settings.HYBER["default"] | {"ASK_EVERY": 60}}
    make_unconfirmed(12)
    depths = []
    resolve = unconfirmed.resolve_message

    def measured(pk):
        depths.append(len(inspect.stack(context=0)))
        resolve(pk)

    monkeypatch.setattr(unconfirmed, "resolve_message", measured)
    dispatch()

    assert len(depths) == 12
    assert len(set(depths)) == 1
    assert not Message.objects.filter(queried_at=None).exists()


def test_platform_that_does_not_answer_is_asked_a_few_things(platform, monkeypatch):
    make_unconfirmed(100)
    queried = count_queries(monkeypatch, ReadTimeout())
    dispatch()

    assert 1 <= len(queried) <= unconfirmed.MAX_ENQUEUED


def test_platform_that_does_not_answer_is_asked_one_thing_about_a_batch(platform, monkeypatch):
    campaign = start_campaign(make_campaign([phone(1, "94"), *(phone(number) for number in range(2, 50))]))
    queried = count_queries(monkeypatch, ReadTimeout())
    make_due(campaign)
    dispatch()

    assert len(queried) == 1


def test_message_that_the_platform_cannot_tell_about_does_not_keep_its_batch_in_doubt(platform, monkeypatch):
    campaign = start_campaign(make_campaign([phone(1, "94"), phone(2)], [SMS(text="Hi", alpha_name="GMSU", ttl=300)]))
    first = campaign.messages.order_by("pk").first()
    fetch = HyberClient.fetch_report

    def stumble(client, *, extra_id):
        if extra_id == first.extra_id and campaign.batches.get().state == "unconfirmed":
            raise UnreadableResponse(502)
        return fetch(client, extra_id=extra_id)

    monkeypatch.setattr(HyberClient, "fetch_report", stumble)
    make_due(campaign)
    dispatch_until_finished(campaign)

    assert (platform.ledger.taken, platform.ledger.duplicates) == (2, {})


def count_queries(monkeypatch, error):
    queried = []

    def fail(client, *, extra_id):
        queried.append(extra_id)
        raise error

    monkeypatch.setattr(HyberClient, "fetch_report", fail)
    return queried

"""Two clients post the same reports, one from the end to the beginning, while the campaign is still being sent."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from django_hyber.models import Campaign, DeliveryReport, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.sending.batch import submit_batch
from django_hyber.services import import_recipients, send_message, start_campaign
from tests.samples import phone, report
from tests.truth.clients import in_own_connection, post

pytestmark = pytest.mark.django_db(transaction=True)

SIZE, BATCH_SIZE, SINGLES = 1_000, 250, 5
NOON = 1_700_000_000_000
TEXT = SMS(text="Hi", alpha_name="GMSU", ttl=300)
DELIVERED = {"status": 2, "substatus": 23, "hyber_status": 23011}
EXPIRED = {"status": 3, "substatus": 35, "hyber_status": 35015}
UNDELIVERED = {"status": 3, "substatus": 36, "hyber_status": 36001}
PENDING = {"status": 1, "substatus": 11, "hyber_status": 11000}
FACTS = [DELIVERED, EXPIRED, UNDELIVERED, PENDING]
ENDS = ["delivered", "expired", "undelivered", "accepted"]


def rounds():
    """SQLite has one writer at a time, so that nobody can wait for each other in a circle."""
    return 5 if connection.vendor == "sqlite" else 50


@pytest.fixture
def campaign(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": BATCH_SIZE}}
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([Viber(text="Hi", ttl=60), TEXT])
    import_recipients(campaign, ({"phone": phone(number)} for number in range(SIZE)))
    return start_campaign(campaign)


def queue_again(campaign):
    """Put everything back to where it was before the launch, so that every round finds it unsent and unreported."""
    campaign.messages.update(status="queued", message_id=None, channel="", reported_at=None, accepted_at=None)
    campaign.batches.update(state="pending", attempts=0)
    Campaign.objects.update(status="sending")


@in_own_connection
def send_batches(pks):
    for pk in pks:
        submit_batch(pk)


@in_own_connection
def send_singles(number):
    return [send_message(phone(number, f"{each:02}"), [TEXT]).pk for each in range(SINGLES)]


def test_same_reports_from_both_ends_during_sending_lose_nothing_and_lock_nobody_out(campaign):
    messages = list(campaign.messages.order_by("pk"))
    batches = list(campaign.batches.order_by("-pk").values_list("pk", flat=True))
    singles = []
    for number in range(rounds()):
        queue_again(campaign)
        reports = [
            report(message, message_id=f"m-{index}" if index % 2 else None, time=NOON + number, **FACTS[index % 4])
            for index, message in enumerate(messages)
        ]
        with ThreadPoolExecutor(4) as pool:
            batches_sent = pool.submit(send_batches, batches[number % 2 :: 2])
            answers = [pool.submit(post, body) for body in (reports, reports[::-1])]
            singles_sent = pool.submit(send_singles, number)
        assert [answer.result() for answer in answers] == [200, 200]
        batches_sent.result()
        assert campaign.batches.filter(state="done").count() == len(batches) // 2
        singles += singles_sent.result()
        ends = list(campaign.messages.order_by("pk").values_list("status", flat=True))
        assert ends == [ENDS[index % 4] for index in range(SIZE)]

    assert DeliveryReport.objects.filter(message__campaign=campaign).count() == SIZE * rounds()
    history = Counter(DeliveryReport.objects.values_list("message", flat=True))
    assert history == {message.pk: rounds() for message in messages}
    assert set(Message.objects.filter(pk__in=singles).values_list("status", flat=True)) == {"accepted"}


def test_same_reports_of_unknown_messages_from_both_ends_lock_nobody_out():
    for number in range(rounds() // 5):
        reports = [report(None, extra_id=f"nobody-{number}-{index}", message_id=None) for index in range(SIZE)]
        with ThreadPoolExecutor(3) as pool:
            answers = [pool.submit(post, body) for body in (reports, reports[::-1], reports[500:] + reports[:500])]
        assert [answer.result() for answer in answers] == [200, 200, 200]
        assert DeliveryReport.objects.count() == SIZE * (number + 1)

"""The whole circle: sent to the sandbox, called back to a web server, ended as the sandbox's table says."""

from __future__ import annotations

import pytest

from django_hyber.models import Campaign, DeliveryReport, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.services import dispatch, import_recipients, send_message, start_campaign
from tests.processes.programs import wait_until
from tests.samples import phone

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

CHANNELS = [Viber(text="Hi %name%", ttl=60), SMS(text="Hi %name%", alpha_name="GMSU", ttl=300)]
#: Status and channel by the last two digits, with Viber first and SMS as the fallback.
ENDINGS = {
    "00": ("delivered", "viber"),
    "85": ("accepted", ""),
    "86": ("delivered", "viber"),
    "87": ("delivered", "viber"),
    "88": ("delivered", "viber"),
    "89": ("expired", ""),
    "90": ("delivered", "sms"),
    "91": ("seen", "viber"),
    "92": ("rejected", ""),
    "93": ("accepted", ""),
    "94": ("delivered", "viber"),
    "95": ("delivered", "viber"),
    "96": ("delivered", "viber"),
    "97": ("delivered", "sms"),
    "98": ("delivered", "viber"),
    "99": ("undelivered", ""),
}
#: Whose outcome happens to the request as a whole, and one plain number.
LEADERS = ["00", "87", "94", "95", "98"]


def test_report_that_overtakes_the_answer_is_applied(hosted):
    message = send_message(phone(1, "95"), [SMS(text="Code 1234", alpha_name="GMSU", ttl=300)])
    message.refresh_from_db()

    assert message.status == "delivered"
    assert DeliveryReport.objects.get().message == message
    assert message.message_id == DeliveryReport.objects.get().hyber_message_id


def test_every_outcome_of_a_campaign_is_told_truly(hosted, settings):
    settings.HYBER["default"]["BATCH_SIZE"] = len(ENDINGS)
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels(CHANNELS)
    import_recipients(campaign, [{"phone": number, "name": "Olena"} for number in mixed_phones()])
    start_campaign(campaign)
    settle(hosted, lambda: Campaign.objects.get().status == "finished")

    expected = {number: ENDINGS[number[-2:]] for number in mixed_phones()}
    # Where the answer was dropped everybody is queried, and so the one that is never called back is heard of.
    expected[phone(LEADERS.index("94"), "85")] = ("delivered", "viber")
    assert endings(campaign.messages.all()) == expected
    assert hosted.ledger.taken == len([number for number in mixed_phones() if not number.endswith("92")])
    assert hosted.ledger.duplicates == {}


def test_every_outcome_of_single_messages_is_told_truly(hosted):
    numbers = [phone(1, digits) for digits in ENDINGS]
    for number in numbers:
        send_message(number, [Viber(text="Hi", ttl=60), SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    settle(hosted, lambda: not Message.objects.filter(status__in=["queued", "sending", "unconfirmed"]).exists())

    assert endings(Message.objects.all()) == {number: ENDINGS[number[-2:]] for number in numbers}
    assert hosted.ledger.duplicates == {}


def mixed_phones():
    """One batch after another, each with every outcome; what happens to the request is told by its first number."""
    return [
        phone(batch, digits)
        for batch, leader in enumerate(LEADERS)
        for digits in sorted(ENDINGS, key=lambda each: each != leader)
    ]


def settle(sandbox, is_handed_over):
    """Sweep until everything has been handed over, then wait for the last report."""
    wait_until(lambda: dispatch() and is_handed_over(), pause=0.1)
    assert sandbox.wait_idle(20)
    dispatch()


def endings(messages):
    rows = messages.values_list("phone_number", "status", "channel")
    return {number: (status, channel) for number, status, channel in rows}

"""Whatever the order, repetition and grouping of reports, the end is that of the orderly sequence."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import assume, example, given
from hypothesis import strategies as st

from django_hyber.models import Campaign, DeliveryReport, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.reports.early import rematch_reports
from django_hyber.services import apply_delivery_reports, import_recipients
from tests.samples import phone

pytestmark = pytest.mark.django_db

SEEN_CODES = [23099, 23098]
KINDS = {
    "pending": {"status": 1, "substatus": 11},
    "delivered": {"status": 2, "substatus": 23},
    "expired": {"status": 3, "substatus": 35},
    "undelivered": {"status": 3, "substatus": 36},
    "rejected": {"accepted": False},
    "code only": {},
}
CODES = {
    "pending": [None, 11000, 12000],
    "delivered": [None, 23011, 23033, *SEEN_CODES],
    "expired": [None, 35015],
    "undelivered": [None, 36001, 36024],
    "rejected": [36024, 36025],
    "code only": [23011, 35015, 36024, *SEEN_CODES],
}
NOON = 1_700_000_000_000
TIMES = [None, NOON, NOON, NOON + 1, NOON + 60_000, NOON + 120_000]
MESSAGES = range(3)
HANDED_OVER = ["sending", "unconfirmed", "accepted"]
CONDITIONS = ["queued", *HANDED_OVER, "cancelled", "suppressed"]
# What a message is looked up by; one that only the platform's id names may have to wait until that id is known.
IDENTITIES = [("extra_id", "message_id"), ("extra_id",), ("message_id",)]


def fact(number, kind, identity, **details):
    """What the platform says about the number-th message."""
    ids = {"extra_id": f"own-{number}", "message_id": f"platform-{number}"}
    values = {"number": phone(number), **{name: ids[name] for name in identity}, **KINDS[kind], **details}
    return {name: value for name, value in values.items() if value is not None}


@st.composite
def facts(draw):
    kind = draw(st.sampled_from(sorted(KINDS)))
    parts = draw(st.sampled_from([(None, None), (3, 2), (3, 3), (1, 0)]))
    return fact(
        draw(st.sampled_from(MESSAGES)),
        kind,
        draw(st.sampled_from(IDENTITIES)),
        hyber_status=draw(st.sampled_from(CODES[kind])),
        error_text=draw(st.sampled_from([None, "one", "two"])) if kind == "rejected" else None,
        time=draw(st.sampled_from(TIMES)),
        sent_via=draw(st.sampled_from([None, "viber", "sms", "hyber"])),
        total_sms_parts=parts[0],
        delivered_sms_parts=parts[1],
        clicks=draw(st.sampled_from([None, 0, 1, 5])),
    )


@st.composite
def stories(draw):
    """Facts in the order of their times, and the same facts as they come in: mixed, repeated, in arrays of any size."""
    told = draw(st.lists(facts(), min_size=2, max_size=8, unique_by=repr))
    orderly = sorted(told, key=lambda item: item.get("time", 0))
    mixed = draw(st.permutations(told + draw(st.lists(st.sampled_from(told), max_size=6))))
    cuts = sorted(draw(st.sets(st.integers(1, len(mixed) - 1))))
    edges = [0, *cuts, len(mixed)]
    return orderly, [mixed[start:end] for start, end in pairwise(edges)]


@contextmanager
def rolled_back():
    """Each example has the database to itself."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def make_messages(condition, known_id):
    """Two recipients of a campaign with a fallback and a single message without one."""
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([Viber(text="Hi", ttl=60), SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    import_recipients(campaign, [{"phone": phone(number)} for number in MESSAGES[:-1]])
    content = {"channels": ["sms"], "channel_options": {}}
    Message.objects.create(phone_number=phone(MESSAGES[-1]), extra_id="own", content=content)
    for number in MESSAGES:
        own = Message.objects.filter(phone_number=phone(number))
        own.update(extra_id=f"own-{number}", status=condition, message_id=f"platform-{number}" if known_id else None)


def end_of(arrays, condition, known_id):
    """Apply the arrays one after the other, let the sweep find what had to wait, and tell what it has come to."""
    with rolled_back(), override_settings(HYBER={"default": {"SEEN_CODES": SEEN_CODES}}):
        make_messages(condition, known_id)
        for array in arrays:
            apply_delivery_reports(array)
        rematch_reports()
        return [
            [outcome(message) for message in Message.objects.order_by("phone_number")],
            sorted(DeliveryReport.objects.values_list("message__extra_id", "fingerprint"), key=repr),
        ]


def outcome(message):
    return {
        "status": message.status,
        "channel": message.channel,
        "other channels": message.other_channels,
        "codes": (message.hyber_status, message.error_code, message.error_text),
        "counters": (message.clicks, message.total_sms_parts, message.delivered_sms_parts),
        "platform id": message.message_id,
        "reported": message.reported_at,
        "accepted": message.accepted_at is not None,
        "finished": message.finished_at is not None,
    }


BOTH = IDENTITIES[0]
SEEN_SOMEWHERE = fact(0, "delivered", BOTH, hyber_status=SEEN_CODES[0], time=NOON + 60_000)
VIA_VIBER = fact(0, "delivered", BOTH, hyber_status=23033, time=NOON, sent_via="viber")
EXPIRED_ON_VIBER = fact(0, "expired", BOTH, hyber_status=35015, time=NOON - 1, sent_via="viber")
VIA_SMS = fact(0, "delivered", BOTH, hyber_status=23011, time=NOON + 1, sent_via="sms")

#: The platform's id alone, and our id alone: the message has no id of theirs when the second comes first.
OF_PHONE = fact(0, "delivered", ("message_id",), hyber_status=23011)
BY_ITS_ID = fact(1, "delivered", ("message_id",), hyber_status=23011)
REFUSED = fact(0, "rejected", ("extra_id",), hyber_status=36024)


@given(stories(), st.sampled_from(CONDITIONS), st.booleans())
@example(([EXPIRED_ON_VIBER, VIA_VIBER, VIA_SMS], [[VIA_SMS], [VIA_VIBER], [EXPIRED_ON_VIBER]]), "accepted", True)
@example(([VIA_VIBER, VIA_SMS, SEEN_SOMEWHERE], [[SEEN_SOMEWHERE], [VIA_SMS], [VIA_VIBER]]), "accepted", True)
@example(([VIA_VIBER, BY_ITS_ID], [[VIA_VIBER, BY_ITS_ID, VIA_VIBER]]), "sending", False)
@example(([OF_PHONE, REFUSED], [[REFUSED], [OF_PHONE]]), "accepted", False)
def test_any_order_repetition_and_grouping_ends_like_the_orderly_sequence(story, condition, known_id):
    orderly, arrays = story
    # A report without our id cannot be about a message that nobody has sent.
    assume(known_id or condition in HANDED_OVER or all("extra_id" in item for item in orderly))
    assert end_of(arrays, condition, known_id) == end_of([[item] for item in orderly], condition, known_id)

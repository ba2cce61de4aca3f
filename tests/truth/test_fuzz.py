"""Whatever the body of a callback is, it is answered 200, 400 or 413, and nothing of it is lost."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
from django.db import transaction
from django.test import Client, override_settings
from django.urls import reverse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from django_hyber.models import DeliveryReport, Message, Reply, UnreadableCallback
from django_hyber.protocol import clean_text, fingerprint, parse_replies, parse_reports, reply_fingerprint
from tests.conftest import TOKEN
from tests.samples import phone, report, sample

pytestmark = pytest.mark.django_db
fuzzing = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

#: What json.dumps cannot write: it stands for itself, without the quotes, in the body.
HUGE = "@1e400@"
GOOD_REPORT = report(extra_id="own-1", message_id="platform-1", number=phone(1))
GOOD_REPLY = sample("doc_reply_viber_text")

any_text = st.text(st.characters(exclude_categories=()), max_size=30)
odd_text = st.sampled_from(
    ["A\x00B", "\ud83d", "\udc00\ud83d", "\x00", "\x1b[0m\x7f", "\u2028", "😀" * 20, "null", " "]
)
long_text = st.builds(
    lambda letter, size: letter * size, st.sampled_from("xЖ\x00😀7"), st.sampled_from([17, 65, 256, 70_000])
)
numbers = (
    st.integers(-(10**20), 10**20)
    | st.floats()
    | st.sampled_from([10**400, -(10**399), 2**31, 2**63, -1, 1e308, 5e-324, 1e22, HUGE])
)
scalars = st.none() | st.booleans() | numbers | any_text | odd_text | long_text
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text | odd_text, inner, max_size=4),
    max_leaves=8,
)


def nest(depth, value=None):
    for level in range(depth):
        value = {"a\x00": value} if level % 2 else [value]
    return value


#: Around the 31 levels that MariaDB takes, and far beyond them.
deep = st.builds(nest, st.sampled_from([2, 29, 30, 31, 32, 60, 400]), scalars)
anything = nested | deep


def near(documented):
    """Objects with the documented keys, whose values are the documented ones or anything else."""
    keys = {key: st.sampled_from(values) | anything for key, values in documented.items()}
    more = st.dictionaries(any_text | odd_text, anything, max_size=2)
    return st.builds(lambda known, unknown: unknown | known, st.fixed_dictionaries({}, optional=keys), more)


REPORT_KEYS = {
    "number": [380961111111, "380961111111", "+38 (096) 111-11-11"],
    "phone_number": ["380961111111"],
    "time": [1_480_519_280_000, 1_480_519_280, "1480519280000", 1_480_519_280.5],
    "status": [-1, 1, 2, 3, "2", 2.0],
    "substatus": [11, 23, 26, 35, 36],
    "hyber_status": [23011, 23033, 35015, "23011"],
    "message_id": ["platform-1", "9f60ac8f-e721-5027-b838-e6fcb95fcd7a", 17],
    "extra_id": ["own-1", "AD-6640-7006", 17, ""],
    "sent_via": ["sms", "viber", "hyber"],
    "last_partner": ["sms"],
    "total_sms_parts": [1, 3],
    "delivered_sms_parts": [1, 3],
    "matching_template_id": [0, 17],
    "clicks": [0, 5],
    "error_code": [36024],
    "error_text": ["Phone number incorrect"],
    "accepted": [True, False],
}
REPLY_KEYS = {
    "phone": ["+380951234567", "380951234567", 380951234567],
    "time": ["2016-12-07 20:55:09", "2022-03-01T10:00:00Z", "2022-02-30 10:00:00", "9999-12-31 23:59:59"],
    "channel": ["viber", "whatsapp"],
    "message_id": ["d5569ed4-6ff9-5078-8be3-f0b1a1f6e5fe"],
    "extra_id": ["own-1"],
    "umid": ["7ca2b42d-3cb1-ea11-82e9-005056010696"],
    "text_to_subscriber": ["Hi", None],
    "text_from_subscriber": ["Yes", "STOP", "стоп!"],
    "media": ["https://media.example/1"],
    "image_url": ["https://media.example/1"],
    "doc_url": ["https://media.example/1"],
    "file_name": ["note.pdf"],
    "location": ["50.45,30.52"],
}
report_items = st.lists(near(REPORT_KEYS) | anything, max_size=5)
reply_items = st.lists(near(REPLY_KEYS) | anything, max_size=5)
broken_bytes = st.binary(max_size=200)


@st.composite
def damaged(draw, items):
    """A body that was cut off, or of which some bytes are others."""
    body = encode(draw(items))
    place = draw(st.integers(0, len(body)))
    return body[:place] + draw(st.binary(max_size=4)) + draw(st.sampled_from([b"", body[place:], body[place + 1 :]]))


def encode(value):
    return json.dumps(value).replace(f'"{HUGE}"', "1e400").encode()


@contextmanager
def one_message():
    """Each example has the database to itself, and one message in it."""
    with transaction.atomic():
        yield Message.objects.create(
            phone_number=phone(1), extra_id="own-1", message_id="platform-1", status="accepted"
        )
        transaction.set_rollback(True)


def post(kind, body):
    url = reverse(f"django_hyber:{kind}", kwargs={"token": TOKEN})
    return Client().post(url, body, content_type="application/json")


def marks_of_reports(body):
    """The readable reports of a body, as the protocol reads them."""
    return {fingerprint(item, "default") for item in parse_reports(json.loads(body, parse_constant=str)).reports}


def marks_of_replies(body):
    return {reply_fingerprint(item, "default") for item in parse_replies(json.loads(body, parse_constant=str)).replies}


def stored_marks(model):
    return set(model.objects.values_list("fingerprint", flat=True))


def count_unreadable():
    """How many items are kept as unreadable: what is long is kept in several pieces."""
    return UnreadableCallback.objects.exclude(reason__regex=r"\(part ([2-9]|[0-9]{2,}) of").count()


def unreadable_of(kind, items):
    """How many of the items, each posted alone, are kept as unreadable; none of them is new any more."""
    before = count_unreadable()
    for item in items:
        response = post(kind, encode([item]))
        assert (response.status_code, response.json()["stored"]) == (200, 0)
    return count_unreadable() - before


@fuzzing
@given(report_items)
@example([{"number": phone(2), "deep": nest(depth)} for depth in (29, 30, 31, 32)])
@example([{"extra_id": "A\x00B", "\x00": "\ud83d", "clicks": HUGE, "time": 10**400}])
@example([{"number": nest(60, "x" * 700_000), "deep": nest(60, "x" * 700_000)}])
def test_every_item_of_reports_is_stored_repeated_or_kept_as_unreadable(items):
    body = encode([*items, GOOD_REPORT])
    with one_message() as message:
        response = post("reports", body)
        assert response.status_code == 200
        kept = count_unreadable()
        assert response.json() == {
            "received": len(items) + 1,
            "stored": DeliveryReport.objects.count(),
            "unreadable": kept,
        }
        assert stored_marks(DeliveryReport) == marks_of_reports(body)
        assert unreadable_of("reports", items) == kept
        message.refresh_from_db()
        assert message.status == "delivered"


@fuzzing
@given(reply_items)
@example([{"phone": phone(2), "deep": nest(depth)} for depth in (29, 30, 31, 32)])
@example([{"phone": "380951234567", "text_from_subscriber": "A\x00B \ud83d", "\x00": HUGE}])
def test_every_item_of_replies_is_stored_repeated_or_kept_as_unreadable(items):
    body = encode([*items, GOOD_REPLY])
    with one_message():
        response = post("replies", body)
        assert response.status_code == 200
        assert response.json() == {"received": len(items) + 1, "stored": Reply.objects.count()}
        assert stored_marks(Reply) == marks_of_replies(body)
        kept = count_unreadable()
        assert unreadable_of("replies", items) == kept


@fuzzing
@given(st.sampled_from(["reports", "replies"]), broken_bytes | damaged(report_items) | damaged(reply_items))
@example("reports", b"\xef\xbb\xbf[]")
@example("replies", b"[" * 100_000)
@example("reports", b"\x00")
@example("reports", b'{"extra_id": "own-1", "number": ' + b"9" * 5_000 + b"}")
def test_broken_body_is_answered_400_and_kept_whole(kind, body):
    with one_message():
        answer = post(kind, body).status_code
        assert answer in {200, 400}
        if answer == 400:
            # What is long is kept in several pieces.
            pieces = UnreadableCallback.objects.filter(kind=kind).order_by("pk").values_list("body", flat=True)
            assert "".join(pieces) == clean_text(body.decode(errors="backslashreplace").replace("\x00", r"\x00"))


@fuzzing
@given(st.sampled_from(["reports", "replies"]), report_items | reply_items, st.integers(9_990, 10_010))
def test_body_is_taken_or_refused_by_its_size_alone(kind, items, size):
    body = encode(items).ljust(size)
    account = {"CALLBACK_TOKENS": [TOKEN], "CALLBACK_MAX_BYTES": 10_000}
    with one_message(), override_settings(HYBER={"default": account}):
        answer = post(kind, body).status_code
        assert answer == (200 if len(body) <= 10_000 else 413)
        if answer == 413:
            assert not DeliveryReport.objects.exists()
            assert not Reply.objects.exists()

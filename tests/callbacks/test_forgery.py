"""Whatever is posted, with whichever token: nothing is forged, nothing fails.

HYBER_FUZZ=11292 python -m pytest tests/callbacks/test_forgery.py
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.conf import settings as project
from django.utils import timezone

from django_hyber.models import CallbackQuota, DeliveryReport, Message, Reply, Suppression, UnreadableCallback
from tests.conftest import CLIENT_ID, LOGIN, OLD_TOKEN, PASSWORD, TOKEN
from tests.samples import phone, report, sample

pytestmark = pytest.mark.django_db
ROUNDS = int(os.environ.get("HYBER_FUZZ", "300"))
KEPT = (DeliveryReport, Reply, Suppression, UnreadableCallback, CallbackQuota)
OWN_ID, THEIR_ID = "own-1", "platform-1"
LOOK_ALIKE = str.maketrans("ceoprt0-", "сеорг\u0442О\u2010")
SAMPLES = [
    sample(name)
    for name in (
        *("doc_dr_callback_single", "doc_dr_callback_batch", "doc_dr_callback_viber_template"),
        *("doc_reply_viber_text", "doc_reply_viber_media", "doc_reply_whatsapp_text"),
    )
]
#: Nearly the ids of the message, but not these.
NEARLY = [
    *("OWN-1", "own-11", "own-", "wn-1", "own\u20101", "оwn-1", "own-1\u200b", "own%2D1", "own-1'--", "own-_", "own-%"),
    *("PLATFORM-1", "platform-10", "platform", "platform-1;", "рlatform-1", "ｏｗｎ-1", "own-¹"),
    *([OWN_ID], {"": OWN_ID}, [[OWN_ID]], {"$eq": OWN_ID}, {"extra_id": OWN_ID}, 1, -1, 1.0, True, None, 10**30),
]
ODD = [
    *(None, True, 0, -1, 1e308, 10**400, "", " ", "\x00", "\ud83d", "' OR 1=1 --", "%s", "{0}", "=1+1", "<script>"),
    *([], {}, [[]], [{}], {"": ""}, "x" * 5_000, "9" * 400, ["STOP"], {"text": "STOP"}),
]


def forged_tokens() -> Iterator[str]:
    """Everything near a token, and what else somebody could try."""
    for token in (TOKEN, OLD_TOKEN):
        for place, character in enumerate(token):
            before, after = token[:place], token[place + 1 :]
            yield from (before, after, before + after, before + character * 2 + after)
            changes = (character.swapcase(), chr(ord(character) + 1), character.translate(LOOK_ALIKE))
            more = (chr(ord(character) + 0xFEE0), f"\u200b{character}", f"\x00{character}", quote(character) + "%", "%")
            yield from (before + changed + after for changed in (*changes, *more, f"%{ord(character):02x}"))
        yield from (token.upper(), token.title(), token[::-1], token * 2, token.translate(LOOK_ALIKE))
        for around in (
            "\ufeff{}",
            "{}\x00",
            "{}.json",
            "{};",
            "{}?",
            "'{}'",
            '"{}"',
            "{}/..",
            "{}%",
        ):
            yield around.format(token)
    yield from (
        TOKEN + OLD_TOKEN,
        f"{TOKEN},{OLD_TOKEN}",
        f"['{TOKEN}']",
        "default",
        "",
        "*",
        ".*",
        ".",
        "null",
        "None",
    )
    yield from (LOGIN, PASSWORD, CLIENT_ID, project.SECRET_KEY, "token", "<token>", "' OR '1'='1", "a" * 10_000)
    yield "a-long-random-token-of-your-own"


def forged_bodies(count: int, chance: random.Random) -> Iterator[bytes]:
    """Samples of the vendor about messages that are not ours, with other values, keys and bytes."""
    for _number in range(count):
        items = [_changed(chance.choice(SAMPLES), chance) for _item in range(chance.randint(1, 3))]
        body = json.dumps(items if len(items) > 1 else items[0]).encode()
        if chance.random() < 0.2:
            place = chance.randrange(len(body))
            body = body[:place] + chance.randbytes(chance.randint(0, 3)) + body[place + chance.randint(0, 2) :]
        yield body


def _changed(item: Any, chance: random.Random) -> Any:
    if isinstance(item, list):
        return [_changed(each, chance) for each in item]
    changed = dict(item)
    for key in chance.sample(sorted(changed), chance.randint(0, min(3, len(changed)))):
        changed[key] = chance.choice(ODD)
    for key in ("extra_id", "message_id", "umid"):
        if chance.random() < 0.7:
            changed[key] = chance.choice(NEARLY)
    if chance.random() < 0.1:
        del changed[chance.choice(sorted(changed))]
    return changed


@pytest.fixture
def message():
    """One message to a number that no body names."""
    return Message.objects.create(
        phone_number=phone(1), extra_id=OWN_ID, message_id=THEIR_ID, status="accepted", accepted_at=timezone.now()
    )


def row_of(message):
    return Message.objects.filter(pk=message.pk).values().get()


def kept():
    return {model.__name__: model.objects.count() for model in KEPT}


def test_no_forged_token_is_let_in(client, message):
    tokens = sorted(set(forged_tokens()) - {TOKEN, OLD_TOKEN})
    assert len(tokens) > 544
    before, row, body = kept(), row_of(message), json.dumps(report(message, message_id=THEIR_ID))
    answers = {
        (token, kind): client.post(f"/hyber/{quote(token, safe='')}/{kind}/", body, content_type="application/json")
        for token in tokens
        for kind in ("reports", "replies")
    }

    assert {key: answer.status_code for key, answer in answers.items() if answer.status_code not in (403, 404)} == {}
    assert (kept(), row_of(message)) == (before, row)


def test_no_body_changes_a_message_that_it_does_not_name(client, message, chance):
    row = row_of(message)
    answers: dict[int, int] = {}
    for body in forged_bodies(ROUNDS, chance):
        kind = chance.choice(("reports", "replies"))
        status = client.post(f"/hyber/{TOKEN}/{kind}/", body, content_type="application/json").status_code
        answers[status] = answers.get(status, 0) + 1
        assert status in (200, 400), body

    assert row_of(message) == row
    assert answers[200] > answers.get(400, 0)
    assert not DeliveryReport.objects.filter(message=message).exists()
    assert not Reply.objects.filter(message=message).exists()


def test_no_body_is_kept_with_a_wrong_token(client, message, chance):
    before = {model.__name__: model._base_manager.count() for model in apps.get_app_config("django_hyber").get_models()}
    for body in forged_bodies(ROUNDS, chance):
        kind = chance.choice(("reports", "replies"))
        answer = client.post(f"/hyber/{TOKEN[:-1]}x/{kind}/", body, content_type="application/json")
        assert answer.status_code == 403, body

    assert before == {
        model.__name__: model._base_manager.count() for model in apps.get_app_config("django_hyber").get_models()
    }

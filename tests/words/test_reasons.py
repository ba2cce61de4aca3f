"""Stored reasons are English, and shown in the reader's language with everything that they name."""

from __future__ import annotations

import re

import pytest
from django.utils import translation

from django_hyber.models import Campaign, Message
from django_hyber.protocol import (
    SMS,
    APIError,
    AuthenticationError,
    ConnectionLost,
    NotTaken,
    OutcomeUnknown,
    ReadTimeout,
    RequestTooLarge,
    TooManyRequests,
    UnreadableResponse,
)
from django_hyber.protocol.errors import BROKEN_BECAUSE, NO_CONNECTION_BECAUSE, TEMPLATES, TOO_LONG
from django_hyber.services import send_message, start_campaign
from django_hyber.words import reasons
from django_hyber.words.reasons import GAVE_UP, OWN_TEMPLATES, TOO_LATE, TOO_LATE_BECAUSE, translate_reason
from tests.builders import make_campaign
from tests.samples import phone

ERRORS = [
    NotTaken(),
    NotTaken(reason=NO_CONNECTION_BECAUSE % {"error": "OSError"}),
    TooManyRequests(),
    APIError(400),
    APIError(400, 36024, "Phone number incorrect"),
    AuthenticationError(401),
    AuthenticationError(403, 5, "Forbidden (by the operator): why"),
    RequestTooLarge(413),
    RequestTooLarge(413, is_from_platform=False),
    OutcomeUnknown(),
    ReadTimeout(),
    ConnectionLost(),
    ConnectionLost(BROKEN_BECAUSE % {"error": "ConnectionResetError"}),
    UnreadableResponse(),
    UnreadableResponse(502, TOO_LONG % {"limit": "1,000"}),
    UnreadableResponse(500, "the answer is not JSON", 99, "Something\nbroke"),
]
#: What stays as it is: names of errors, of protocols and companies, and the platform's own texts.
LATIN = {"HTTP", "OSError", "GMS", "IP", "TTL", "JSON", "ConnectionResetError", "Forbidden", "by", "the", "operator"}
LATIN |= {"why", "Something", "broke"}


def latin_words(text):
    return set(re.findall("[A-Za-z]+", text))


@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_every_outcome_of_a_request_is_shown_in_ukrainian(error):
    reason = error.explanation
    stored = [reason, GAVE_UP % {"attempts": 3, "reason": reason}, TOO_LATE_BECAUSE % {"reason": reason}]
    for text in stored:
        with translation.override("uk"):
            shown = translate_reason(text)
        assert latin_words(shown) <= LATIN, shown
        assert re.findall("[0-9]+", shown) == re.findall("[0-9]+", text)
        with translation.override("en"):
            assert translate_reason(text) == text


@pytest.mark.parametrize(
    "text", ["Номер у чорному списку", "Blocked by operator 15%", "(HTTP 400)", "%(reason)s", "x" * 200]
)
def test_text_of_the_platform_stays_as_it_is(text):
    with translation.override("uk"):
        assert translate_reason(text) == text
        assert text in translate_reason(APIError(400, 7, text).explanation)


def test_no_reason_is_no_text():
    with translation.override("uk"):
        assert translate_reason("") == ""


@pytest.mark.parametrize("template", [*OWN_TEMPLATES, *TEMPLATES])
def test_translation_names_what_the_reason_names(template):
    with translation.override("uk"):
        translated = reasons.gettext(template)

    assert translated != template
    assert sorted(re.findall(r"%\(\w+\)s", translated)) == sorted(re.findall(r"%\(\w+\)s", template))


@pytest.mark.django_db(transaction=True)
def test_pages_show_our_reasons_in_ukrainian(admin_client, platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"MAX_ATTEMPTS": 1}}
    platform.fault("status", status=429, count=2)
    message = send_message(phone(1), [SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    late = Message.objects.create(phone_number=phone(2), extra_id="late", status="expired", error_text=TOO_LATE)
    campaign = start_campaign(make_campaign([phone(3)]))
    paused = Campaign.objects.create(name="Paused", status="paused", status_reason=str(AuthenticationError(401)))
    reason = "Платформа не прийняла запит (HTTP 429). Його можна повторити."
    expected = {
        f"message/{message.pk}/change/": f"Платформа не прийняла після спроб (1): {reason}",
        f"message/{late.pk}/change/": "Термін дії (TTL) минув, перш ніж повідомлення вдалося надіслати.",
        f"campaign/{campaign.pk}/change/": reason,
        f"batch/{campaign.batches.get().pk}/change/": reason,
        f"campaign/{paused.pk}/change/": "Платформа відхилила запит (HTTP 401). Перевірте логін",
    }
    for address, text in expected.items():
        page = admin_client.get(f"/admin/django_hyber/{address}", HTTP_ACCEPT_LANGUAGE="uk").content.decode()
        assert text in page, address

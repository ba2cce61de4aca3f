"""The platform's rules for a message, checked before it is sent (guide, chapters 1, 2, 3 and 8)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from django_hyber.protocol.channels.checks import check_sms, check_viber, check_whatsapp
from django_hyber.protocol.channels.content import SMS, Channel, Viber, WhatsApp
from django_hyber.protocol.channels.fields import check_extra, check_fields, check_length, check_url
from django_hyber.protocol.channels.problems import Problem, error, gettext_noop, warning

__all__ = ["Problem", "gettext_noop", "validate_channels", "validate_request"]

MAX_EXTRA_ID = 64
MAX_CALLBACK_URL = 256
MAX_TAG = 64
MAX_DIVISION_CODE = 100

_PHONE = re.compile(r"[0-9]{10,15}")
_SAFE_ID = re.compile(r"[A-Za-z0-9_.-]+")
_START_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}")


def validate_channels(
    channels: Sequence[Channel], *, text_from_recipient: bool = False, variables: bool = False
) -> list[Problem]:
    """Return everything that is wrong or doubtful about these channels, in this order of priority.

    ``text_from_recipient`` is for a batch, whose channels carry no text. ``variables`` is for a broadcast: fields with
    ``%name%`` in them are measured only when they are rendered, so validate the rendered channels too.
    """
    return [
        *_check_order(channels),
        *(
            problem
            for channel in channels
            for problem in _check_channel(channel, text_from_recipient=text_from_recipient, variables=variables)
        ),
    ]


def validate_request(
    *,
    phone_number: str | None = None,
    extra_id: str | None = None,
    callback_url: str | None = None,
    start_time: datetime | str | None = None,
    tag: str = "",
    division_code: str = "",
) -> list[Problem]:
    """Return everything that is wrong or doubtful about the rest of a request; what is None or empty is left out of it.

    The phone number is the digits that go on the wire.
    """
    found = (
        ("phone_number", _check_phone(phone_number) if phone_number is not None else None),
        ("extra_id", _check_extra_id(extra_id) if extra_id else None),
        (
            "callback_url",
            check_length(callback_url, MAX_CALLBACK_URL) or check_url(callback_url) if callback_url else None,
        ),
        ("start_time", _check_start_time(start_time) if start_time else None),
        ("tag", check_length(tag, MAX_TAG)),
        ("division_code", check_length(division_code, MAX_DIVISION_CODE)),
    )
    return [replace(problem, field=field) for field, problem in found if problem]


def _check_order(channels: Sequence[Channel]) -> Iterator[Problem]:
    names = [channel.name for channel in channels]
    if not names:
        yield error("no-channels", gettext_noop("Choose at least one channel."))
    for name, count in Counter(names).items():
        if count > 1:
            yield error("duplicate-channel", gettext_noop("This channel is listed more than once."), channel=name)
    if "sms" in names[:-1]:
        template = gettext_noop("SMS is meant to be the last channel.")
        yield warning("sms-not-last", template, channel="sms")


def _check_channel(channel: Channel, *, text_from_recipient: bool, variables: bool) -> Iterator[Problem]:
    yield from check_fields(channel, text_from_recipient=text_from_recipient, variables=variables)
    yield from check_extra(channel)
    if isinstance(channel, Viber):
        yield from check_viber(channel, text_from_recipient=text_from_recipient, variables=variables)
    elif isinstance(channel, SMS):
        yield from check_sms(channel, variables=variables)
    elif isinstance(channel, WhatsApp):
        yield from check_whatsapp(channel, text_from_recipient=text_from_recipient)


def _check_phone(phone_number: str) -> Problem | None:
    if _PHONE.fullmatch(phone_number):
        return None
    return error(
        "phone-number", gettext_noop("A phone number has 10 to 15 digits, with the country code and without +.")
    )


def _check_extra_id(extra_id: str) -> Problem | None:
    problem = check_length(extra_id, MAX_EXTRA_ID)
    if problem or _SAFE_ID.fullmatch(extra_id):
        return problem
    template = gettext_noop("An id of Latin letters, digits, dots, dashes and underscores is safest in addresses.")
    return warning("extra-id-characters", template)


def _check_start_time(start_time: datetime | str) -> Problem | None:
    if isinstance(start_time, str):
        if _START_TIME.fullmatch(start_time):
            return None
        template = gettext_noop(
            "Write the time as 2020-12-12 10:10:10+03:00; without an offset it is taken for Kyiv time."
        )
        return warning("start-time-format", template)
    if start_time.utcoffset() is not None:
        return None
    return error("naive-start-time", gettext_noop("The start time needs a UTC offset: give an aware datetime."))

"""The platform's rules for a message, checked before it is sent (guide, chapters 1, 2, 3 and 8)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any

from django_hyber.protocol.channels.content import SMS, VIBER_FILE_EXTENSIONS, Channel, Viber, WhatsApp
from django_hyber.protocol.channels.fields import check_characters, check_extra, check_fields, check_text, check_url
from django_hyber.protocol.channels.problems import Problem, error, gettext_noop, warning
from django_hyber.protocol.texts.sms import GSM_BASIC, MAX_SEGMENTS, count_segments
from django_hyber.protocol.texts.variables import has_variables

__all__ = ["Problem", "gettext_noop", "is_plain_id", "validate_channels", "validate_request"]

MAX_EXTRA_ID = 64
MAX_CALLBACK_URL = 256
MAX_TAG = 64
MAX_DIVISION_CODE = 100
RECOMMENDED_VIBER_TTL = 60
#: How far ahead a start time may be. Later ones are slips, as 2062 for 2026, and nobody would miss what waits so long.
START_WITHIN = timedelta(days=366)

# The shortest numbers with a country code have seven digits, as on the island of Niue.
_PHONE = re.compile(r"[0-9]{7,15}")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.-]+")
#: Clients and proxies remove these from a path.
_PARTS_OF_PATHS = (".", "..")
_START_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}")
_ALPHA_NAME_CHARACTERS = GSM_BASIC - {"\r", "\n"}
_SHORT_VIBER_TTLS = range(40, RECOMMENDED_VIBER_TTL)
_VIDEO_FIELDS = ("thumbnail", "file_size", "duration")
_NOT_WITH_A_FILE = ("text", "img", "caption", *_VIDEO_FIELDS)
_WHATSAPP_CONTENT = ("text", "img", "doc", "audio", "video", "latitude", "longitude")
_NEEDS = gettext_noop("This needs %(other)s as well.")
_NO_CONTENT = gettext_noop("The message is empty.")


def validate_channels(
    channels: Sequence[Channel], *, text_from_recipient: bool = False, variables: bool = False
) -> list[Problem]:
    """Return the errors and warnings about these channels, given in fallback order.

    ``text_from_recipient`` is for a batch, whose channels have no text. ``variables`` is for a broadcast: the length of
    fields with ``%name%`` is not checked, so validate the rendered channels too.
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
    extra_id: object = None,
    callback_url: object = None,
    start_time: object = None,
    tag: object = None,
    division_code: object = None,
) -> list[Problem]:
    """Return the errors and warnings about the other fields of a request. Fields that are None or empty are not sent.

    The phone number is given in wire format, as digits.
    """
    optional = {
        "extra_id": extra_id,
        "callback_url": callback_url,
        "start_time": start_time,
        "tag": tag,
        "division_code": division_code,
    }
    given: dict[str, object] = {} if phone_number is None else {"phone_number": phone_number}
    given |= {field: value for field, value in optional.items() if value is not None and value != ""}
    found = ((field, _REQUEST_CHECKS[field](value)) for field, value in given.items())
    return [replace(problem, field=field) for field, problem in found if problem]


def _check_order(channels: Sequence[Channel]) -> Iterator[Problem]:
    names = [channel.name for channel in channels]
    if not names:
        yield error("no-channels", gettext_noop("Choose at least one channel."))
    for name, count in Counter(names).items():
        if count > 1:
            yield error("duplicate-channel", gettext_noop("This channel is listed more than once."), channel=name)
    if "sms" in names[:-1]:
        template = gettext_noop("SMS should be the last channel.")
        yield warning("sms-not-last", template, channel="sms")


def _check_channel(channel: Channel, *, text_from_recipient: bool, variables: bool) -> Iterator[Problem]:
    yield from check_fields(channel, text_from_recipient=text_from_recipient, variables=variables)
    yield from check_extra(channel)
    if isinstance(channel, Viber):
        yield from _check_viber(channel, text_from_recipient=text_from_recipient, variables=variables)
    elif isinstance(channel, SMS):
        yield from _check_sms(channel, variables=variables)
    elif isinstance(channel, WhatsApp):
        yield from _check_whatsapp(channel, text_from_recipient=text_from_recipient)


def _check_phone(phone_number: Any) -> Problem | None:
    if isinstance(phone_number, str) and _PHONE.fullmatch(phone_number):
        return None
    return error(
        "phone-number", gettext_noop("A phone number has 7 to 15 digits, with the country code and without +.")
    )


def _check_callback_url(callback_url: Any) -> Problem | None:
    return check_text(callback_url, MAX_CALLBACK_URL) or check_url(callback_url)


def _check_tag(tag: Any) -> Problem | None:
    return check_text(tag, MAX_TAG)


def _check_division_code(division_code: Any) -> Problem | None:
    return check_text(division_code, MAX_DIVISION_CODE)


def _check_extra_id(extra_id: Any) -> Problem | None:
    problem = check_text(extra_id, MAX_EXTRA_ID)
    if problem:
        return problem
    if extra_id in _PARTS_OF_PATHS:
        return error("extra-id-path", gettext_noop("This id cannot be part of an address: choose another one."))
    if is_plain_id(extra_id):
        return None
    template = gettext_noop("An id of Latin letters, digits, dots, dashes and underscores is safest in addresses.")
    return warning("extra-id-characters", template)


def is_plain_id(extra_id: str) -> bool:
    """Return whether an id reaches the platform unchanged in a URL, whatever proxies are in between."""
    return _PLAIN_ID.fullmatch(extra_id) is not None and extra_id not in _PARTS_OF_PATHS


def _check_start_time(start_time: Any) -> Problem | None:
    if not isinstance(start_time, (datetime, str)):
        return error("wrong-type", gettext_noop("This must be a time with its UTC offset, as a datetime or text."))
    problem = check_characters(start_time)
    if problem:
        return problem
    moment = _read_moment(start_time) if isinstance(start_time, str) else start_time
    if moment and moment.utcoffset() is None:
        return error("naive-start-time", gettext_noop("The start time needs a UTC offset: give an aware datetime."))
    if moment and moment > datetime.now(UTC) + START_WITHIN:
        return error("start-time-too-far", gettext_noop("The start time is more than a year ahead."))
    if isinstance(start_time, str) and not _START_TIME.fullmatch(start_time):
        template = gettext_noop("Write the time as 2020-12-12 10:10:10+03:00; without an offset, Kyiv time is assumed.")
        return warning("start-time-format", template)
    return None


_REQUEST_CHECKS: Mapping[str, Callable[[Any], Problem | None]] = {
    "phone_number": _check_phone,
    "extra_id": _check_extra_id,
    "callback_url": _check_callback_url,
    "start_time": _check_start_time,
    "tag": _check_tag,
    "division_code": _check_division_code,
}


def _read_moment(text: str) -> datetime | None:
    """Read the time of a text, without an offset as UTC; None for a text in another form."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _check_viber(viber: Viber, *, text_from_recipient: bool, variables: bool) -> Iterator[Problem]:
    """Check that the fields form one of the kinds of Viber messages."""
    given = _given(viber, text_from_recipient=text_from_recipient)
    yield from _check_viber_kind(given)
    yield from _check_viber_file(viber, given, variables=variables)
    yield from _check_viber_video(given)
    if isinstance(viber.ttl, int) and viber.ttl in _SHORT_VIBER_TTLS:
        template = gettext_noop(
            "Below %(minimum)s seconds a person may get both the Viber message and the next channel."
        )
        yield warning("short-ttl", template, channel="viber", field="ttl", minimum=RECOMMENDED_VIBER_TTL)


def _check_sms(sms: SMS, *, variables: bool) -> Iterator[Problem]:
    """Check the segments of the text and the characters of the alpha name."""
    if isinstance(sms.text, str) and not (variables and has_variables(sms.text)):
        yield from _check_segments(sms.text, click_tracking=bool(sms.ctr))
    is_plain = not (variables and has_variables(sms.alpha_name))
    if is_plain and isinstance(sms.alpha_name, str) and check_characters(sms.alpha_name) is None:
        yield from check_alpha_name(sms.alpha_name)


def _check_whatsapp(whatsapp: WhatsApp, *, text_from_recipient: bool) -> Iterator[Problem]:
    """Check that there is content, and that fields which require each other are present."""
    given = _given(whatsapp, text_from_recipient=text_from_recipient)
    if given.isdisjoint(_WHATSAPP_CONTENT):
        yield error("no-content", _NO_CONTENT, channel="whatsapp")
    for field, other in (
        ("latitude", "longitude"),
        ("longitude", "latitude"),
        ("img_name", "img"),
        ("doc_name", "doc"),
        ("video_name", "video"),
    ):
        if field in given and other not in given:
            yield error("needs", _NEEDS, channel="whatsapp", field=field, other=other)


def check_alpha_name(alpha_name: str) -> Iterator[Problem]:
    """Check the characters of an alpha name."""
    foreign = "".join(dict.fromkeys(item for item in alpha_name if item not in _ALPHA_NAME_CHARACTERS))
    if foreign:
        template = gettext_noop("An alpha name cannot have these characters: %(characters)s")
        yield error("alpha-name-characters", template, channel="sms", field="alpha_name", characters=foreign)


def check_extension(file_name: str) -> Iterator[Problem]:
    """Check that Viber accepts the extension of this file name."""
    if PurePath(file_name).suffix.lower() not in VIBER_FILE_EXTENSIONS:
        yield error(
            "file-extension",
            gettext_noop("The name must end with one of: %(extensions)s."),
            channel="viber",
            field="file_name",
            extensions=" ".join(sorted(VIBER_FILE_EXTENSIONS)),
        )


def segments_problem(segments: int) -> Problem:
    """Return the problem of an SMS with too many segments."""
    return error(
        "too-many-segments",
        gettext_noop("The text takes %(segments)s SMS segments; the limit is %(limit)s."),
        channel="sms",
        field="text",
        segments=segments,
        limit=MAX_SEGMENTS,
    )


def _given(channel: Viber | WhatsApp, *, text_from_recipient: bool) -> set[str]:
    given = {name for name, value in vars(channel).items() if value is not None and value != ""}
    return given | {"text"} if text_from_recipient else given


def _check_viber_kind(given: set[str]) -> Iterator[Problem]:
    if given.isdisjoint({"text", "img", "file_name", *_VIDEO_FIELDS}):
        yield error("no-content", _NO_CONTENT, channel="viber")
    if "caption" in given and "action" not in given:
        yield error("needs", _NEEDS, channel="viber", field="caption", other="action")
    if {"text", "img"} <= given and not {"caption", "action"} <= given:
        template = gettext_noop("Text with an image should have a button: caption and action.")
        yield warning("image-without-button", template, channel="viber", field="img")


def _check_viber_file(viber: Viber, given: set[str], *, variables: bool) -> Iterator[Problem]:
    if "file_name" not in given:
        return
    if "action" not in given:
        yield error("needs", _NEEDS, channel="viber", field="file_name", other="action")
    for other in _NOT_WITH_A_FILE:
        if other in given:
            template = gettext_noop("A file cannot be combined with %(other)s.")
            yield error("excludes", template, channel="viber", field="file_name", other=other)
    if isinstance(viber.file_name, str) and not (variables and has_variables(viber.file_name)):
        yield from check_extension(viber.file_name)


def _check_viber_video(given: set[str]) -> Iterator[Problem]:
    if given.isdisjoint(_VIDEO_FIELDS):
        return
    for other in (*_VIDEO_FIELDS, "action"):
        if other not in given:
            template = gettext_noop("A video needs %(other)s as well.")
            yield error("needs", template, channel="viber", field=other, other=other)
    if "img" in given:
        template = gettext_noop("An image and a video cannot go into one message.")
        yield error("excludes", template, channel="viber", field="img")


def _check_segments(text: str, *, click_tracking: bool) -> Iterator[Problem]:
    count = count_segments(text, click_tracking=click_tracking)
    if count.segments > MAX_SEGMENTS:
        yield segments_problem(count.segments)

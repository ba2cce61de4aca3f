"""Checks of several fields of a channel at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from django_hyber.protocol.channels.content import SMS, VIBER_FILE_EXTENSIONS, Viber, WhatsApp
from django_hyber.protocol.channels.problems import Problem, error, gettext_noop, warning
from django_hyber.protocol.texts.sms import GSM_BASIC, MAX_SEGMENTS, count_segments
from django_hyber.protocol.texts.variables import has_variables

RECOMMENDED_VIBER_TTL = 60

_ALPHA_NAME_CHARACTERS = GSM_BASIC - {"\r", "\n"}
_SHORT_VIBER_TTLS = range(40, RECOMMENDED_VIBER_TTL)
_VIDEO_FIELDS = ("thumbnail", "file_size", "duration")
_NOT_WITH_A_FILE = ("text", "img", "caption", *_VIDEO_FIELDS)
_WHATSAPP_CONTENT = ("text", "img", "doc", "audio", "video", "latitude", "longitude")
_NEEDS = gettext_noop("This needs %(other)s as well.")
_NO_CONTENT = gettext_noop("The message is empty.")


def check_viber(viber: Viber, *, text_from_recipient: bool, variables: bool) -> Iterator[Problem]:
    """Check that the fields make one of the kinds of Viber message."""
    given = _given(viber, text_from_recipient=text_from_recipient)
    yield from _check_viber_kind(given)
    yield from _check_viber_file(viber, given, variables=variables)
    yield from _check_viber_video(given)
    if isinstance(viber.ttl, int) and viber.ttl in _SHORT_VIBER_TTLS:
        template = gettext_noop(
            "Below %(minimum)s seconds a person may get both the Viber message and the next channel."
        )
        yield warning("short-ttl", template, channel="viber", field="ttl", minimum=RECOMMENDED_VIBER_TTL)


def check_sms(sms: SMS, *, variables: bool) -> Iterator[Problem]:
    """Check the segments of the text and the characters of the alpha name."""
    if isinstance(sms.text, str) and not (variables and has_variables(sms.text)):
        yield from _check_segments(sms.text, click_tracking=bool(sms.ctr))
    if isinstance(sms.alpha_name, str) and not (variables and has_variables(sms.alpha_name)):
        yield from check_alpha_name(sms.alpha_name)


def check_whatsapp(whatsapp: WhatsApp, *, text_from_recipient: bool) -> Iterator[Problem]:
    """Check that there is a content, and that what belongs together is there together."""
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
    """Check that Viber shows a file of this name."""
    if PurePath(file_name).suffix.lower() not in VIBER_FILE_EXTENSIONS:
        yield error(
            "file-extension",
            gettext_noop("The name must end with one of: %(extensions)s."),
            channel="viber",
            field="file_name",
            extensions=" ".join(sorted(VIBER_FILE_EXTENSIONS)),
        )


def segments_problem(encoding: str, segments: int) -> Problem:
    """Say that an SMS is too long."""
    return error(
        "too-many-segments",
        gettext_noop("The text takes %(segments)s SMS segments (%(encoding)s); the limit is %(limit)s."),
        channel="sms",
        field="text",
        segments=segments,
        encoding=encoding,
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
        template = gettext_noop("Text with an image is meant to have a button: caption and action.")
        yield warning("image-without-button", template, channel="viber", field="img")


def _check_viber_file(viber: Viber, given: set[str], *, variables: bool) -> Iterator[Problem]:
    if "file_name" not in given:
        return
    if "action" not in given:
        yield error("needs", _NEEDS, channel="viber", field="file_name", other="action")
    for other in _NOT_WITH_A_FILE:
        if other in given:
            template = gettext_noop("A file goes alone: it cannot be combined with %(other)s.")
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
        yield segments_problem(count.encoding, count.segments)

"""User replies in two-way Viber and WhatsApp chats (guide, chapter 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django_hyber.protocol.errors import UnreadableReply
from django_hyber.protocol.phones.numbers import parse_phone
from django_hyber.protocol.phones.spellings import InvalidPhone
from django_hyber.protocol.wire.incoming_values import (
    MAX_ID_LENGTH,
    NO_OBJECT,
    clean_item,
    clean_object,
    is_possible_time,
    to_identifier,
    to_phone,
    to_text,
    to_time,
)

MAX_CHANNEL_LENGTH = 16
MAX_FILE_NAME_LENGTH = 255
MAX_LOCATION_LENGTH = 64
#: Parameters of reports that no reply has.
_OF_REPORTS = frozenset({"number", "phone_number", "status", "substatus", "hyber_status", "sent_via", "error_code"})

_MEDIA_KINDS = {
    "media": "file",
    "image_url": "image",
    "video_url": "video",
    "audio_url": "audio",
    "doc_url": "document",
}
#: Parameters of replies that no report has.
_OF_REPLIES = frozenset({"text_from_subscriber", "text_to_subscriber", *_MEDIA_KINDS})
#: The parameters that a reply can name its number by. In the guide, it is the first.
_NUMBERS = ("phone", "phone_number", "number")


@dataclass(frozen=True, kw_only=True, slots=True)
class UserReply:
    """A message from a user. Missing values are empty strings.

    ``media_url`` is valid for one day. ``media_kind`` is image, video, audio, document, or file for a Viber attachment
    of any kind. ``location`` is ``"lat,lon"``. ``text_to_subscriber`` and the ids refer to the message that the user
    replied to: ``message_id`` and ``extra_id`` on Viber, ``umid`` on WhatsApp. A chat opened through a deep link has
    none of them.
    """

    channel: str
    phone_number: str = field(repr=False)
    time: datetime | None
    text: str = field(repr=False)
    text_to_subscriber: str = field(repr=False)
    message_id: str
    extra_id: str
    umid: str
    media_kind: str
    media_url: str = field(repr=False)
    file_name: str = field(repr=False)
    location: str = field(repr=False)
    raw: dict[str, Any] = field(repr=False)


class ParsedReplies(NamedTuple):
    """The replies of a body, and its unreadable items (cleaned for storage), each with the reason."""

    replies: list[UserReply]
    unreadable: list[tuple[object, str]]


def is_reply(item: object) -> bool:
    """Return whether the object is a reply and not a delivery report: one that is like both may ask to stop."""
    if not isinstance(item, dict):
        return False
    return not _OF_REPLIES.isdisjoint(item) or ("phone" in item and _OF_REPORTS.isdisjoint(item))


def is_report(item: object) -> bool:
    """Return whether the object is a delivery report and not a reply."""
    return isinstance(item, dict) and "phone" not in item and not is_reply(item) and not _OF_REPORTS.isdisjoint(item)


def parse_reply(item: object, region: str | None = None) -> UserReply:
    """Read one reply. A number that is not in international form is read as one of the region, if given.

    Raises UnreadableReply for anything but an object with a phone number.
    """
    raw = _readable(item)
    phone_number = _number_of(raw, region)
    if not phone_number:
        raise UnreadableReply("it has no phone number")
    links = ((kind, to_text(raw.get(name))) for name, kind in _MEDIA_KINDS.items())
    media_kind, media_url = next((found for found in links if found[1]), ("", ""))
    return UserReply(
        channel=to_text(raw.get("channel")).lower()[:MAX_CHANNEL_LENGTH],
        phone_number=phone_number,
        time=_reply_time(raw.get("time")),
        text=_text_of(raw.get("text_from_subscriber")),
        text_to_subscriber=to_text(raw.get("text_to_subscriber")),
        message_id=_reference(raw.get("message_id")),
        extra_id=_reference(raw.get("extra_id")),
        umid=_reference(raw.get("umid")),
        media_kind=media_kind,
        media_url=media_url,
        file_name=to_text(raw.get("file_name"))[:MAX_FILE_NAME_LENGTH],
        location=to_text(raw.get("location"))[:MAX_LOCATION_LENGTH],
        raw=raw,
    )


def parse_replies(payload: object, region: str | None = None) -> ParsedReplies:
    """Read a callback body: one reply or an array of them. An unreadable item does not affect the others.

    A number that is not in international form is read as one of the region, if given.
    """
    replies: list[UserReply] = []
    unreadable: list[tuple[object, str]] = []
    for item in payload if isinstance(payload, list) else [payload]:
        # No exception is raised for each item, because a body may have thousands of them.
        if not isinstance(item, dict):
            unreadable.append((clean_item(item), NO_OBJECT))
            continue
        try:
            replies.append(parse_reply(item, region))
        except UnreadableReply as error:
            unreadable.append((clean_item(item), error.reason))
    return ParsedReplies(replies, unreadable)


def reply_fingerprint(reply: UserReply, account: str = "") -> str:
    """Return 32 hexadecimal digits that identify the reply: the platform assigns no id to replies.

    If the time cannot be read, its text and the ids tell replies apart.
    """
    instead = (reply.raw.get("time"), reply.message_id, reply.extra_id, reply.umid)
    facts = (
        account,
        reply.channel,
        reply.phone_number,
        reply.time.timestamp() if reply.time else instead,
        reply.text,
        reply.media_kind,
        reply.media_url,
        reply.file_name,
        reply.location,
    )
    return blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def _readable(item: object) -> dict[str, Any]:
    try:
        return clean_object(item)
    except ValueError as error:
        raise UnreadableReply(str(error)) from None


def _number_of(raw: dict[str, Any], region: str | None) -> str:
    """Return the number in international form, the digits of one that no country has, or an empty string."""
    names = _NUMBERS if is_reply(raw) else _NUMBERS[:1]
    return next((number for name in names if (number := _read_number(raw.get(name), region))), "")


def _read_number(value: object, region: str | None) -> str:
    digits = to_phone(value)
    for written, home in ((f"+{digits}", None), (value, region)):
        try:
            return parse_phone(written, home).digits
        except InvalidPhone:
            continue
    return digits


def _text_of(value: object) -> str:
    """Return the text, or the lines of a list of texts: a request to stop must not be lost for its type."""
    if isinstance(value, list):
        return "\n".join(text for text in map(_text_of, value) if text)
    return to_text(value) or to_identifier(value)


def _reference(value: object) -> str:
    """Return the id of the message replied to, or an empty string if it is invalid, so that the reply is not lost."""
    text = to_identifier(value)
    return text if len(text) <= MAX_ID_LENGTH else ""


def _reply_time(value: object) -> datetime | None:
    """Parse Kyiv local time (Viber) or ISO 8601 in UTC (WhatsApp)."""
    if not isinstance(value, str):
        return to_time(value)
    try:
        moment = datetime.fromisoformat(value.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo("Europe/Kyiv"))
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if is_possible_time(moment) else None

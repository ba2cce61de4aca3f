"""What a recipient sees of each channel, with the variables replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from django_hyber.models import CampaignChannel
from django_hyber.protocol import (
    SMS,
    Channel,
    Push,
    TextRun,
    Viber,
    WhatsApp,
    count_segments,
    find_variables,
    mark_links,
    parse_markdown,
    render_channel,
    split_segments,
)

PartKind = Literal["title", "text", "image", "video", "file", "audio", "location", "button"]
#: Far beyond every limit of the platform; a longer text is cut.
MAX_SHOWN = 4_000
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the message. ``segments`` are the pieces of a text as they are sent; only an SMS has several.

    ``address`` is the link of a picture or a button; ``is_web`` says whether it can be opened.
    """

    kind: PartKind
    segments: Sequence[Sequence[TextRun]] = ()
    label: str = ""
    address: str = ""

    @property
    def is_web(self) -> bool:
        """Whether the address is a complete one on the web."""
        return _WEB_ADDRESS.fullmatch(self.address) is not None


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A channel on the phone of one recipient. ``sender`` is "" where the phone shows the account's own name."""

    channel: str
    sender: str
    parts: Sequence[Part]

    @property
    def channel_label(self) -> str:
        """The label of the channel."""
        return str(CampaignChannel.Name(self.channel).label)


def rendered(channel: Channel, values: Mapping[str, str], *, own_text: bool = False) -> Channel:
    """Return the channel as one recipient gets it; with ``own_text`` the text is the recipient's value of that name."""
    if own_text:
        return replace(channel, text=values.get("text", ""))  # type: ignore[call-arg]  # every channel has a text
    return render_channel(channel, values)


def used_variables(channels: Sequence[Channel], *, own_text: bool = False) -> frozenset[str]:
    """Return the names of the recipient's values that these channels show."""
    return frozenset({"text"}) if own_text else find_variables(channels)


def preview(channel: Channel) -> Preview:
    """Return what the phone shows of a channel whose variables have been replaced."""
    parts = _PARTS[channel.name](channel)
    return Preview(channel=channel.name, sender=_text(channel, "alpha_name"), parts=list(parts))


def _push(push: Channel) -> Iterator[Part]:
    title = _text(push, "title")
    if title:
        yield Part(kind="title", segments=[[TextRun(text=title)]])
    yield from _plain_text(push)
    yield from _image(push)
    yield from _button(push)


def _viber(viber: Channel) -> Iterator[Part]:
    if _text(viber, "file_name"):
        yield Part(kind="file", label=_text(viber, "file_name"), address=_text(viber, "action"))
        return
    if _text(viber, "thumbnail"):
        yield Part(kind="video", address=_text(viber, "thumbnail"), label=_duration(viber))
    yield from _image(viber)
    yield from _markdown(viber, "text")
    yield from _button(viber)


def _sms(sms: Channel) -> Iterator[Part]:
    text = _text(sms, "text")
    if not text:
        return
    is_tracked = bool(getattr(sms, "ctr", None)) and count_segments(text, click_tracking=True) != count_segments(text)
    # The links are replaced by the platform, so where the text is cut is unknown.
    pieces = [text] if is_tracked else split_segments(text)
    yield Part(kind="text", segments=[mark_links(piece) for piece in pieces])


def _whatsapp(whatsapp: Channel) -> Iterator[Part]:
    yield from _captioned(whatsapp, "image", "img")
    yield from _captioned(whatsapp, "video", "video")
    yield from _captioned(whatsapp, "file", "doc")
    if _text(whatsapp, "audio"):
        yield Part(kind="audio", address=_text(whatsapp, "audio"))
    latitude, longitude = _text(whatsapp, "latitude"), _text(whatsapp, "longitude")
    if latitude and longitude:
        yield Part(kind="location", label=f"{latitude}, {longitude}")
    yield from _markdown(whatsapp, "text")


def _captioned(whatsapp: Channel, kind: PartKind, name: str) -> Iterator[Part]:
    if _text(whatsapp, name):
        yield Part(kind=kind, address=_text(whatsapp, name))
        yield from _markdown(whatsapp, f"{name}_name")


def _markdown(channel: Channel, name: str) -> Iterator[Part]:
    text = _text(channel, name)
    if text:
        yield Part(kind="text", segments=[parse_markdown(text)])


def _plain_text(channel: Channel) -> Iterator[Part]:
    text = _text(channel, "text")
    if text:
        yield Part(kind="text", segments=[mark_links(text)])


def _image(channel: Channel) -> Iterator[Part]:
    if _text(channel, "img"):
        yield Part(kind="image", address=_text(channel, "img"))


def _button(channel: Channel) -> Iterator[Part]:
    if _text(channel, "caption"):
        yield Part(kind="button", label=_text(channel, "caption"), address=_text(channel, "action"))


def _duration(viber: Channel) -> str:
    seconds: Any = getattr(viber, "duration", None)
    if not isinstance(seconds, (int, float)):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _text(channel: Channel, name: str) -> str:
    value = getattr(channel, name, None)
    return "" if value is None else str(value)[:MAX_SHOWN]


_PARTS = {Push.name: _push, Viber.name: _viber, SMS.name: _sms, WhatsApp.name: _whatsapp}

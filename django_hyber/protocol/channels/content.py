"""The four channels with their fields and limits (vendor's guide, chapters 2 and 8).

The limits are defined only here, as rules of the fields. Validation and the forms of the admin use them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, ClassVar, Literal

FieldKind = Literal["text", "url", "action", "choice", "integer", "number", "boolean", "coordinate"]

VIBER_FILE_EXTENSIONS = frozenset(
    {
        *(".doc", ".docx", ".rtf", ".dot", ".dotx", ".odt", ".odf", ".fodt", ".txt", ".info"),
        *(".pdf", ".xps", ".pdax", ".eps"),
        *(".xls", ".xlsx", ".ods", ".fods", ".csv", ".xlsm", ".xltx"),
    }
)
WHATSAPP_TTL = 604_800


class UnknownChannel(ValueError):  # noqa: N818 - the names of this package say what happened
    """The name is not one of push, viber, sms and whatsapp."""


@dataclass(frozen=True, kw_only=True)
class FieldRule:
    """The allowed values of a field.

    ``url`` is http(s) only; ``action`` also allows viber:// and tel:. Lengths are in code points; an SMS text is also
    limited by its segments (see the sms module). ``minimum`` and ``maximum`` are seconds for a TTL, degrees for
    coordinates.
    """

    name: str = ""
    kind: FieldKind
    required: bool = False
    max_length: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()


def _option(kind: FieldKind, *, default: Any = None, **limits: Any) -> Any:
    return field(default=default, metadata={"rule": FieldRule(kind=kind, **limits)})


def _ttl(minimum: int, maximum: int, *, default: int | None = None) -> Any:
    return _option("integer", default=default, required=True, minimum=minimum, maximum=maximum)


@dataclass(frozen=True, kw_only=True)
class Channel:
    """The base class of the channels. ``extra`` holds options unknown to this package; they are sent unchanged."""

    name: ClassVar[str] = ""

    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_wire(self) -> dict[str, Any]:
        """Return the channel's entry of ``channel_options``."""
        values = ((rule.name, getattr(self, rule.name)) for rule in field_rules(type(self)))
        return {**self.extra, **{name: value for name, value in values if value is not None}}


@dataclass(frozen=True, kw_only=True)
class Push(Channel):
    """A push notification to the customer's application."""

    name: ClassVar[str] = "push"

    text: str | None = _option("text", required=True, max_length=1000)
    ttl: int | None = _ttl(30, 86_400)
    title: str | None = _option("text", required=True, max_length=20)
    img: str | None = _option("url", max_length=256)
    caption: str | None = _option("text", max_length=30)
    action: str | None = _option("action", max_length=256)
    ctr: bool | None = _option("boolean")


@dataclass(frozen=True, kw_only=True)
class Viber(Channel):
    """A Viber message: text, text with a button, text with an image and a button, image, file or video.

    ``action`` is the URL of the button, the file or the video. ``file_size`` is in megabytes and ``duration`` in
    seconds, as the samples of the guide suggest.
    """

    name: ClassVar[str] = "viber"

    text: str | None = _option("text", max_length=1000)
    ttl: int | None = _ttl(40, 86_400)
    device: str | None = _option("choice", choices=("all", "phone"))
    alpha_name: str | None = _option("text")
    img: str | None = _option("url", max_length=256)
    caption: str | None = _option("text", max_length=30)
    action: str | None = _option("action", max_length=256)
    file_name: str | None = _option("text", max_length=25)
    thumbnail: str | None = _option("url", max_length=256)
    file_size: float | None = _option("number", minimum=0)
    duration: float | None = _option("number", minimum=0)
    ctr: bool | None = _option("boolean")


@dataclass(frozen=True, kw_only=True)
class SMS(Channel):
    """A text message of up to five segments under a registered alpha name."""

    name: ClassVar[str] = "sms"

    text: str | None = _option("text", required=True, max_length=765)
    ttl: int | None = _ttl(300, 259_200)
    alpha_name: str | None = _option("text", required=True, max_length=11)
    ctr: bool | None = _option("boolean")


@dataclass(frozen=True, kw_only=True)
class WhatsApp(Channel):
    """A WhatsApp message: a registered template (text only), or any content within a day of the user's last message."""

    name: ClassVar[str] = "whatsapp"

    text: str | None = _option("text", max_length=1000)
    ttl: int | None = _ttl(WHATSAPP_TTL, WHATSAPP_TTL, default=WHATSAPP_TTL)
    img: str | None = _option("url", max_length=256)
    img_name: str | None = _option("text", max_length=1000)
    doc: str | None = _option("url", max_length=256)
    doc_name: str | None = _option("text", max_length=1000)
    audio: str | None = _option("url", max_length=256)
    video: str | None = _option("url", max_length=256)
    video_name: str | None = _option("text", max_length=1000)
    latitude: str | float | Decimal | None = _option("coordinate", minimum=-90, maximum=90)  # noqa: RUF009
    longitude: str | float | Decimal | None = _option("coordinate", minimum=-180, maximum=180)  # noqa: RUF009
    ctr: bool | None = _option("boolean")

    def to_wire(self) -> dict[str, Any]:
        """Return the channel's entry of ``channel_options``, with coordinates as strings."""
        wire = Channel.to_wire(self)
        for name in ("latitude", "longitude"):
            if name in wire:
                wire[name] = _coordinate_text(wire[name])
        return wire


CHANNELS: dict[str, type[Channel]] = {channel.name: channel for channel in (Push, Viber, SMS, WhatsApp)}


_RULES: dict[type[Channel], tuple[FieldRule, ...]] = {}


def field_rules(channel: type[Channel]) -> tuple[FieldRule, ...]:
    """Return the rules of a channel's fields, in the order of the fields."""
    if channel not in _RULES:
        found = ((item.name, item.metadata.get("rule")) for item in fields(channel))
        _RULES[channel] = tuple(replace(rule, name=name) for name, rule in found if rule)
    return _RULES[channel]


def channel_from_wire(name: str, options: Mapping[str, Any]) -> Channel:
    """Build a channel from its entry of ``channel_options``. Unknown options are put into ``extra``.

    Raises UnknownChannel.
    """
    if name not in CHANNELS:
        raise UnknownChannel(f"Unknown channel {name!r}. Known are: {', '.join(CHANNELS)}.")
    channel = CHANNELS[name]
    known = {rule.name for rule in field_rules(channel)}
    extra = {key: value for key, value in options.items() if key not in known}
    return channel(extra=extra, **{key: value for key, value in options.items() if key in known})


def channels_from_wire(names: Iterable[str], options_by_name: Mapping[str, Mapping[str, Any]]) -> list[Channel]:
    """Build the channels of a request body, in fallback order. Raises UnknownChannel."""
    return [channel_from_wire(name, options_by_name.get(name, {})) for name in names]


def _coordinate_text(value: Any) -> Any:
    # str() of a float near zero has an exponent, which no sample of the guide has.
    return f"{Decimal(str(value)):f}" if isinstance(value, (int, float, Decimal)) else value

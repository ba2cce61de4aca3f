"""Options of the channels: types and limits (guide, chapters 2 and 8), SMS segments (7), %variables% (3)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, NamedTuple, Self

from django_hyber.sandbox.answers import ParameterError

URL: Final = 256
ANY_LENGTH: Final = 1_000_000

_DOCUMENTS = (".doc", ".docx", ".rtf", ".dot", ".dotx", ".odt", ".odf", ".fodt", ".txt", ".info")
_PDF_GROUP = (".pdf", ".xps", ".pdax", ".eps")
_SPREADSHEETS = (".xls", ".xlsx", ".ods", ".fods", ".csv", ".xlsm", ".xltx")
FILE_EXTENSIONS: Final = frozenset({*_DOCUMENTS, *_PDF_GROUP, *_SPREADSHEETS})


@dataclass(frozen=True, kw_only=True)
class ChannelRule:
    """`lengths` maps text options to their maximum length in characters; `ttl` is a range in seconds."""

    ttl: tuple[int, int]
    lengths: Mapping[str, int]
    mandatory: tuple[str, ...] = ()


RULES: Final[dict[str, ChannelRule]] = {
    "push": ChannelRule(
        ttl=(30, 86400),
        lengths={"text": 1000, "title": 20, "img": URL, "caption": 30, "action": URL},
        mandatory=("text", "title"),
    ),
    "viber": ChannelRule(
        ttl=(40, 86400),
        lengths={
            "text": 1000,
            "alpha_name": ANY_LENGTH,
            "device": ANY_LENGTH,
            "img": URL,
            "caption": 30,
            "action": URL,
            "file_name": 25,
            "thumbnail": ANY_LENGTH,
        },
    ),
    # The length of an SMS is counted in segments, not in characters.
    "sms": ChannelRule(
        ttl=(300, 259200), lengths={"text": ANY_LENGTH, "alpha_name": 11}, mandatory=("text", "alpha_name")
    ),
    "whatsapp": ChannelRule(
        ttl=(604800, 604800),
        lengths={
            "text": 1000,
            "img": URL,
            "img_name": 1000,
            "doc": URL,
            "doc_name": 1000,
            "audio": URL,
            "video": URL,
            "video_name": 1000,
        },
    ),
}


def check_options(channel: str, options: Mapping[str, Any]) -> None:
    """Check everything that does not depend on the recipient. Texts may contain %variables%."""
    rule, where = RULES[channel], f"channel_options.{channel}"
    _check_ttl(where, options.get("ttl"), rule.ttl)
    if type(options.get("ctr", False)) is not bool:
        raise ParameterError(f"{where}.ctr must be true or false")
    for name in rule.lengths.keys() & options.keys():
        if type(options[name]) is not str:
            raise ParameterError(f"{where}.{name} must be a string")
    for name in rule.mandatory:
        if not options.get(name):
            raise ParameterError(f"{where}.{name} is mandatory")
    if channel in _KIND_CHECKS:
        _KIND_CHECKS[channel](where, options)


def check_text(channel: str, name: str, value: str) -> None:
    """Check a text option as rendered for the recipient."""
    where, limit = f"channel_options.{channel}.{name}", RULES[channel].lengths[name]
    if len(value) > limit:
        raise ParameterError(f"{where} has {len(value)} characters, {limit} are allowed")
    if name == "text" and not value:
        raise ParameterError(f"{where} must not be empty")
    if name == "file_name" and PurePath(value).suffix.lower() not in FILE_EXTENSIONS:
        raise ParameterError(f"{where} must end in an allowed file extension")
    if name == "device" and value not in {"all", "phone"}:
        raise ParameterError(f'{where} must be "all" or "phone"')
    if (channel, name) == ("sms", "alpha_name") and not is_alpha_name(value):
        raise ParameterError(f"{where} must only have characters of the basic GSM alphabet")


def _check_ttl(where: str, ttl: object, allowed: tuple[int, int]) -> None:
    lowest, highest = allowed
    if not _is_number(ttl):
        raise ParameterError(f"{where}.ttl is mandatory and must be a number")
    if not lowest <= float(str(ttl)) <= highest:
        raise ParameterError(f"{where}.ttl must be from {lowest} to {highest}")


def _check_viber_kind(where: str, options: Mapping[str, Any]) -> None:
    given = {name for name in RULES["viber"].lengths.keys() | {"file_size", "duration"} if name in options}
    video = given & {"thumbnail", "file_size", "duration"}
    if not given & {"text", "img", "file_name", "thumbnail"}:
        raise ParameterError(f"{where} has no content: give text, img, file_name or a video")
    if given & {"caption", "file_name", "thumbnail"} and "action" not in given:
        raise ParameterError(f"{where}.action is mandatory with a button, a file or a video")
    if "file_name" in given and (given & {"text", "img", "caption"} or video):
        raise ParameterError(f"{where}.file_name is sent alone: remove text, img, caption and video")
    if video and (len(video) < 3 or "img" in given):  # noqa: PLR2004 - the three of the set above
        raise ParameterError(f"{where}: a video needs thumbnail, file_size and duration, and no img")
    for name in video - {"thumbnail"}:
        if not _is_number(options[name]):
            raise ParameterError(f"{where}.{name} must be a number")


def _check_whatsapp_kind(where: str, options: Mapping[str, Any]) -> None:
    if not options.keys() & {"text", "img", "doc", "audio", "video", "latitude"}:
        raise ParameterError(f"{where} has no content: give text, img, doc, audio, video or a location")
    for name, limit in (("latitude", 90), ("longitude", 180)):
        if not options.keys() & {"latitude", "longitude"}:
            return
        if not _is_coordinate(options.get(name), limit):
            raise ParameterError(f"{where}.{name} must be from -{limit} to {limit}; a location needs both")


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdecimal()
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_coordinate(value: object, limit: int) -> bool:
    if not isinstance(value, str) and not _is_number(value):
        return False
    try:
        return abs(float(str(value))) <= limit
    except ValueError:
        return False


_KIND_CHECKS: Final[dict[str, Callable[[str, Mapping[str, Any]], None]]] = {
    "viber": _check_viber_kind,
    "whatsapp": _check_whatsapp_kind,
}


@dataclass(frozen=True, kw_only=True)
class RequestedChannel:
    """`template` marks a text-only Viber message, which the platform compares with its registered templates."""

    name: str
    ttl: float
    ctr: bool
    template: bool


MAX_SMS_SEGMENTS: Final = 5
CTR_LINK_LENGTH: Final = 28

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SIGNS = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà"
_EXTENSION = "\f^{}\\[~]|€"

_ALPHA_NAME = re.compile(f"[{re.escape(_LETTERS + _SIGNS)}]+")
_BASIC = re.compile(f"[{re.escape(_LETTERS + _SIGNS)}\n\r]*")
_GSM = re.compile(f"[{re.escape(_LETTERS + _SIGNS + _EXTENSION)}\n\r]*")
_LINK = re.compile(r"https?://\S+")
#: Percent-encoded bytes of a link stand before the variables, or %D0%B0, %ABSale%BB and %u0421%u0422 would be some.
_VARIABLE = re.compile(
    r"(?:%u[02][0-9A-Fa-f]{3})+|(?:%[0-9A-Fa-f]{2}){2,}|%[A-F][0-9A-F][^%\s/?#&=]+(?:%[89A-F][0-9A-F])+(?![A-Za-z0-9_]*%)"
    r"|%([A-Za-z_][A-Za-z0-9_]*)%"
)
_RESERVED = frozenset({"phone_number", "extra_id"})


def is_alpha_name(value: str) -> bool:
    """Return whether an alpha name has only characters of the basic GSM table."""
    return _ALPHA_NAME.fullmatch(value) is not None


def sms_segments(text: str) -> int:
    """Count the segments of an SMS."""
    if _BASIC.fullmatch(text):
        return _segments(len(text), lone=160, joined=153)
    if _GSM.fullmatch(text):
        return _extended_segments(text)
    return _segments(len(text.encode("utf-16-le")) // 2, lone=70, joined=67)


def with_short_links(text: str) -> str:
    """Replace every link with one of the length of tracked links."""
    return _LINK.sub("x" * CTR_LINK_LENGTH, text)


class TextTemplate(NamedTuple):
    """A text with variables, stored as a format string because it is rendered for every recipient."""

    pattern: str
    names: tuple[str, ...]

    @classmethod
    def compile(cls, text: str) -> Self:
        """Parse a text: %name% is a variable, other percent signs are literal."""
        names = tuple(dict.fromkeys(name for name in _VARIABLE.findall(text) if name))
        pattern, end = "", 0
        for match in _VARIABLE.finditer(text):
            literal, end = text[end : match.start() if match[1] else match.end()], match.end()
            pattern += literal.replace("%", "%%") + (f"%({match[1]})s" if match[1] else "")
        pattern += text[end:].replace("%", "%%")
        if reserved := _RESERVED.intersection(names):
            raise ParameterError(f"%{min(reserved)}% is not a variable: choose another name")
        return cls(pattern, names)

    def render(self, variables: Mapping[str, Any]) -> str:
        """Replace the variables. Each must have a string as its value."""
        for name in self.names:
            if type(variables.get(name)) is not str:
                raise ParameterError(f"{name} must be given to this recipient, as a string")
        return self.pattern % variables


def _segments(length: int, *, lone: int, joined: int) -> int:
    return 1 if length <= lone else -(-length // joined)


def _extended_segments(text: str) -> int:
    widths = [2 if character in _EXTENSION else 1 for character in text]
    if sum(widths) <= 160:  # noqa: PLR2004 - a lone GSM segment
        return 1
    segments, used = 1, 0
    for width in widths:
        # An escape and its character stay together, even if that leaves a septet unused.
        if used + width > 153:  # noqa: PLR2004 - a joined GSM segment
            segments, used = segments + 1, 0
        used += width
    return segments

"""Texts: SMS segments (chapter 7 of the guide) and the %variables% of broadcasts (chapter 3)."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

from django_hyber.sandbox.errors import ParameterError

MAX_SMS_SEGMENTS: Final = 5
CTR_LINK_LENGTH: Final = 28

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SIGNS = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà"
_EXTENSION = "\f^{}\\[~]|€"

_ALPHA_NAME = re.compile(f"[{re.escape(_LETTERS + _SIGNS)}]+")
_BASIC = re.compile(f"[{re.escape(_LETTERS + _SIGNS)}\n\r]*")
_GSM = re.compile(f"[{re.escape(_LETTERS + _SIGNS + _EXTENSION)}\n\r]*")
_LINK = re.compile(r"https?://\S+")
_VARIABLE = re.compile(r"%([A-Za-z_][A-Za-z0-9_]*)%")
_RESERVED = frozenset({"phone_number", "extra_id"})


def is_alpha_name(value: str) -> bool:
    """Tell whether an SMS sender name keeps to the basic GSM table."""
    return _ALPHA_NAME.fullmatch(value) is not None


def sms_segments(text: str) -> int:
    """Count the segments that an SMS is sent in."""
    if _BASIC.fullmatch(text):
        return _segments(len(text), lone=160, joined=153)
    if _GSM.fullmatch(text):
        return _extended_segments(text)
    return _segments(len(text.encode("utf-16-le")) // 2, lone=70, joined=67)


def with_short_links(text: str) -> str:
    """Give every link the length that click tracking gives it."""
    return _LINK.sub("x" * CTR_LINK_LENGTH, text)


class Template(NamedTuple):
    """A text with variables, kept as a format string because it is rendered once per recipient."""

    pattern: str
    names: tuple[str, ...]

    @classmethod
    def compile(cls, text: str) -> Self:
        """Read %name% as a variable and any other percent sign as itself."""
        pieces = _VARIABLE.split(text)
        literals = [piece.replace("%", "%%") for piece in pieces]
        literals[1::2] = [f"%({name})s" for name in pieces[1::2]]
        names = tuple(dict.fromkeys(pieces[1::2]))
        if reserved := _RESERVED.intersection(names):
            raise ParameterError(f"%{min(reserved)}% is not a variable: choose another name")
        return cls("".join(literals), names)

    def render(self, variables: Mapping[str, Any]) -> str:
        """Fill the variables in; each must be there, as a string."""
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

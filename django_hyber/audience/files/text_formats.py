"""Texts as a sheet shows them, by the codes of their formats: "+48 "@ shows 501234567 as +48 501234567."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django_hyber.audience.files.file_type import ShownText
from django_hyber.audience.files.format_codes import PLACE_OF_TEXT, Token, UnknownCodeError, parse_text_code
from django_hyber.audience.files.number_formats import Shown
from django_hyber.audience.files.values import clean_value


@dataclass(frozen=True)
class TextFormat:
    """What is shown around a text, or in place of it. Without ``tokens``, that is not known."""

    tokens: Sequence[Token] | None = None

    def show(self, written: str) -> Shown:
        """Return a text as it is shown."""
        value = clean_value(written)
        if not value:
            return Shown(written, is_exact=True)
        if self.tokens is None:
            return Shown(written, is_exact=False)
        text = "".join(value if token == PLACE_OF_TEXT else token.text for token in self.tokens).strip()
        return Shown(text if self._changes_numbers else _with_raw(text, value), is_exact=True)

    @property
    def _changes_numbers(self) -> bool:
        """Whether digits or a plus are added, or the text itself is not shown."""
        added = "".join(token.text for token in self.tokens or () if token != PLACE_OF_TEXT)
        return PLACE_OF_TEXT not in (self.tokens or ()) or any(char == "+" or char.isdecimal() for char in added)


def find_text_format(written: str | int) -> TextFormat | None:
    """Return the format for a code, or None if it shows texts as they are, as all built-in ones do."""
    if isinstance(written, int) or not written:
        return None
    try:
        tokens = parse_text_code(written)
    except UnknownCodeError:
        return TextFormat()
    if tokens is None or "".join(token.text for token in tokens).strip() == PLACE_OF_TEXT.text:
        return None
    return TextFormat(tokens)


def _with_raw(text: str, raw: str) -> ShownText:
    shown = ShownText(text)
    shown.raw = raw
    return shown

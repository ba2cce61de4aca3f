"""Tolerant reading of incoming values: numbers as strings, milliseconds or seconds, characters that need cleaning."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django_hyber.protocol.wire.json_text import write_json

MAX_ID_LENGTH = 64
MAX_PHONE_DIGITS = 15
# MariaDB rejects JSON that is nested more deeply.
MAX_DEPTH = 31
# A report has a few hundred characters. A longer item is stored as text, in parts that MariaDB accepts.
MAX_ITEM_LENGTH = 1_000_000
#: The reason why an item is neither a report nor a reply.
NO_OBJECT = "it is not an object"

_INT32 = 2**31
_LONGEST_ID = 10**MAX_ID_LENGTH
_LONGEST_PHONE = 10**MAX_PHONE_DIGITS
_MILLISECONDS_FROM = 10**11
# Times outside of this range are errors of a clock or a unit, and would break the order of the history.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
_LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_PHONE_PUNCTUATION = re.compile(r"[\s+().-]")
# An item within these limits cannot be longer than MAX_ITEM_LENGTH.
_PLAIN_KEYS = 64
_PLAIN_LENGTH = 4_000


def clean_text(value: str) -> str:
    """Remove NUL characters and replace lone surrogates, neither of which PostgreSQL can store."""
    if value.isascii() and "\x00" not in value:
        return value
    return _SURROGATES.sub("\ufffd", value.replace("\x00", ""))


def is_storable(value: Any) -> bool:
    """Return whether every database can store this text, or the keys and values of this JSON document."""
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is None
    if isinstance(value, Mapping):
        return all(is_storable(key) and is_storable(item) for key, item in value.items())
    return all(map(is_storable, value)) if isinstance(value, (list, tuple)) else True


def clean_object(value: object) -> dict[str, Any]:
    """Return a JSON object with cleaned strings, and with None for NaN and Infinity, which are not valid JSON.

    Raises ValueError with the reason if it is no object, or is nested too deeply or too long to be stored.
    """
    if not isinstance(value, dict):
        raise ValueError(NO_OBJECT)  # noqa: TRY004  as the other reasons
    if len(value) <= _PLAIN_KEYS and _is_plain(value) and _is_plain(value.values()):
        return value
    cleaned: dict[str, Any] = _clean(value, MAX_DEPTH)
    if len(write_json(cleaned)) > MAX_ITEM_LENGTH:
        raise ValueError(f"it is longer than {MAX_ITEM_LENGTH} characters")
    return cleaned


def clean_item(value: object) -> Any:
    """Clean any JSON value for storage. A value that is nested too deeply is returned as JSON text."""
    try:
        return _clean(value, MAX_DEPTH)
    except ValueError:
        return clean_text(write_json(value))


def _is_plain(values: Iterable[Any]) -> bool:
    for value in values:
        kind = type(value)
        if kind is str:
            if len(value) > _PLAIN_LENGTH or "\x00" in value or not value.isascii():
                return False
        elif kind is not int and kind is not bool and value is not None:
            return False
    return True


def _clean(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, (dict, list)):
        if not depth:
            raise ValueError("it is nested too deeply")
        if isinstance(value, list):
            return [_clean(item, depth - 1) for item in value]
        return {clean_text(str(key)): _clean(item, depth - 1) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def to_int(value: object) -> int | None:
    """Return the value as an integer of 32 bits, or None."""
    if value is None:
        return None
    if type(value) is int:
        return value if -_INT32 <= value < _INT32 else None
    if isinstance(value, str):
        text = value.strip()
        return to_int(int(text)) if _INTEGER.fullmatch(text) else None
    return to_int(int(value)) if isinstance(value, float) and value.is_integer() else None


def is_error_code(value: object) -> bool:
    """Return whether this ``error_code`` is an error: a number or text other than 0, which means "no error"."""
    return type(value) in (int, float, str) and value != "" and to_int(value) != 0


def to_identifier(value: object) -> str:
    """Return an id as text, also if it is a number; otherwise an empty string."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if -_LONGEST_ID < value < _LONGEST_ID else ""
    return ""


def to_phone(value: object) -> str:
    """Return the digits of a phone number, or an empty string."""
    if type(value) is int and 0 <= value < _LONGEST_PHONE:
        return str(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = value if isinstance(value, str) else to_identifier(value)
    if not text.isdigit():
        text = _PHONE_PUNCTUATION.sub("", text)
    return text if len(text) <= MAX_PHONE_DIGITS and text.isdigit() and text.isascii() else ""


def to_text(value: object) -> str:
    """Return the value if it is text, or an empty string."""
    return clean_text(value) if isinstance(value, str) else ""


def is_possible_time(moment: datetime) -> bool:
    """Whether this can be the time of a report or reply."""
    return _EARLIEST <= moment.timestamp() < _LATEST


def to_time(value: object) -> datetime | None:
    """Read a Unix timestamp in milliseconds or seconds. Returns None if it cannot be the time of a report."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    seconds = value / 1000 if _MILLISECONDS_FROM <= value < _LATEST * 1000 else value
    return datetime.fromtimestamp(seconds, UTC) if _EARLIEST <= seconds < _LATEST else None

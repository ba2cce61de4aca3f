"""Tolerant reading of JSON, and writing it as text for users."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")


def read_json(body: bytes | str) -> Any:
    """Read JSON. NaN, Infinity and integers that are too long for Python are returned as text.

    Raises ValueError or RecursionError for invalid JSON.
    """
    try:
        return json.loads(body, parse_constant=str)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Python rejects integers with more digits than sys.get_int_max_str_digits(). A custom parser of integers is
        # slow, so it is used only for a body with such a number.
        return json.loads(body, parse_constant=str, parse_int=_read_integer)


class TooManyItems(ValueError):  # noqa: N818  the name states what happened
    """The array has more items than are read."""


def read_items(body: bytes | str, most: int) -> Any:
    """Read JSON; of an array, item by item, so that no more than ``most`` are ever built.

    Raises TooManyItems beyond that. Otherwise as read_json.
    """
    text = body if isinstance(body, str) else _decode(body)
    start = _after_space(text, 0)
    if not text.startswith("[", start):
        return read_json(text)
    try:
        return _read_array(text, start + 1, most, json.JSONDecoder(parse_constant=str))
    except (json.JSONDecodeError, TooManyItems):
        raise
    except ValueError:
        return _read_array(text, start + 1, most, json.JSONDecoder(parse_constant=str, parse_int=_read_integer))


def _decode(body: bytes) -> str:
    """Decode as JSON says. A client that writes Windows-1251 all the same is understood: it may ask to stop."""
    try:
        return body.decode(json.detect_encoding(body))
    except UnicodeDecodeError:
        return body.decode("cp1251")


def _read_array(text: str, position: int, most: int, decoder: json.JSONDecoder) -> list[Any]:
    items: list[Any] = []
    position = _after_space(text, position)
    if text.startswith("]", position):
        return _ended(text, position, items)
    while True:
        if len(items) == most:
            raise TooManyItems
        item, position = decoder.raw_decode(text, position)
        items.append(item)
        position = _after_space(text, position)
        if text.startswith("]", position):
            return _ended(text, position, items)
        if not text.startswith(",", position):
            raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
        position = _after_space(text, position + 1)


def _ended(text: str, position: int, items: list[Any]) -> list[Any]:
    end = _after_space(text, position + 1)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return items


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def write_json(value: object) -> str:
    """Write any JSON value as text, regardless of its nesting depth."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return "".join(_pieces(value))


def _read_integer(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits


class _Piece(str):
    """Text that is already written, as opposed to a value that has to be written."""

    __slots__ = ()


def _pieces(value: object) -> Iterator[str]:
    waiting: list[object] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Piece):
            yield item
        elif item and isinstance(item, (dict, list)):
            waiting.extend(reversed(_opened(item)))
        else:
            yield json.dumps(item, ensure_ascii=False, default=str)


def _opened(container: dict[Any, Any] | list[Any]) -> list[object]:
    """Return the pieces of an object or an array. Its values are not written yet."""
    parts: list[object] = []
    if isinstance(container, dict):
        for key, value in container.items():
            parts += [_Piece(f"{', ' if parts else '{'}{json.dumps(str(key), ensure_ascii=False)}: "), value]
        return [*parts, _Piece("}")]
    for value in container:
        parts += [_Piece(", " if parts else "["), value]
    return [*parts, _Piece("]")]

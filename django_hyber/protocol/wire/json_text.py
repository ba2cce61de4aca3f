"""JSON as it comes from outside, and as it is kept for a person to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def read_json(body: bytes | str) -> Any:
    """Read JSON, and what is nearly JSON: NaN, Infinity and integers too long to be numbers come as their text.

    Raises ValueError or RecursionError for anything else.
    """
    try:
        return json.loads(body, parse_constant=str)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Python reads no integer of more digits than sys.get_int_max_str_digits(). A reader of our own is slow, so
        # only a body with such a number in it gets one.
        return json.loads(body, parse_constant=str, parse_int=_read_integer)


def write_json(value: object) -> str:
    """Write any JSON value for keeping, however deeply it is nested."""
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
    """Written text, as opposed to a value that is still to be written."""

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
    """Return the pieces of an object or an array, with the values in it as they are."""
    parts: list[object] = []
    if isinstance(container, dict):
        for key, value in container.items():
            parts += [_Piece(f"{', ' if parts else '{'}{json.dumps(str(key), ensure_ascii=False)}: "), value]
        return [*parts, _Piece("}")]
    for value in container:
        parts += [_Piece(", " if parts else "["), value]
    return [*parts, _Piece("]")]

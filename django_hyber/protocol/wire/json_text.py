"""Tolerant reading of JSON, and writing it as text for users."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_SURROGATES = re.compile("[\ud800-\udfff]")


def read_json(body: bytes | str) -> Any:
    """Read JSON, also with line breaks and other control characters inside of texts.

    NaN, Infinity and integers that are too long for Python are returned as text. Raises ValueError or RecursionError
    for invalid JSON.
    """
    try:
        return json.loads(body, strict=False, parse_constant=str)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Python rejects integers with more digits than sys.get_int_max_str_digits(). A custom parser of integers is
        # slow, so it is used only for a body with such a number.
        return json.loads(body, strict=False, parse_constant=str, parse_int=_read_integer)


class TooManyItems(ValueError):  # noqa: N818  the name states what happened
    """The array has more items than are read."""


def read_items(body: bytes | str, most: int) -> Any:
    """Read JSON; of an array, item by item, so that no more than ``most`` are ever built.

    Read as a whole, 5 MB of empty objects would need 125 MB of memory instead of 23. 20,000 reports take 35 ms longer.
    A comma behind the last item and the NUL that ends a text in C are ignored. Raises TooManyItems beyond ``most``.
    Otherwise as read_json.
    """
    text = (body if isinstance(body, str) else _decode(body)).rstrip("\x00")
    start = _after_space(text, 0)
    if not text.startswith("[", start):
        return read_json(text)
    try:
        return _read_array(text, start + 1, most, json.JSONDecoder(strict=False, parse_constant=str))
    except (json.JSONDecodeError, TooManyItems):
        raise
    except ValueError:
        decoder = json.JSONDecoder(strict=False, parse_constant=str, parse_int=_read_integer)
        return _read_array(text, start + 1, most, decoder)


def _decode(body: bytes) -> str:
    """Decode as JSON says, but each string for itself if bytes are wrong: its neighbour may ask to stop."""
    encoding = json.detect_encoding(body)
    if not encoding.startswith("utf-8"):
        return body.decode(encoding, "replace")
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        return '"'.join(map(_decode_string, body.split(b'"'))).removeprefix("\ufeff")


def _decode_string(body: bytes) -> str:
    """Decode UTF-8, also if it is damaged, or Windows-1251, which some clients write all the same."""
    try:
        # Java and some databases write an emoji as two surrogates.
        text = body.decode("utf-8", "surrogatepass")
        if _SURROGATES.search(text):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    except UnicodeDecodeError as error:
        text = body.decode("utf-8", "replace")
        lost = text.count("\ufffd")
        letters = len(text) - len(text.encode("ascii", "ignore"))
        is_cut_off = error.reason == "unexpected end of data" and lost == 1
        if letters - lost <= lost and not is_cut_off:
            return body.decode("cp1251", "replace")
    return text


def _read_array(text: str, position: int, most: int, decoder: json.JSONDecoder) -> list[Any]:
    items: list[Any] = []
    position = _after_space(text, position)
    while not text.startswith("]", position):
        if len(items) == most:
            raise TooManyItems
        item, position = decoder.raw_decode(text, position)
        items.append(item)
        position = _after_space(text, position)
        if text.startswith(",", position):
            position = _after_space(text, position + 1)
        elif not text.startswith("]", position):
            raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
    return _ended(text, position, items)


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

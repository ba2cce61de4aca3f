"""Bodies of the three kinds of request: single, batch and broadcast (guide, chapters 2 and 3).

The builders do not validate: see the validation module. They run for 50,000 recipients at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from django_hyber.protocol.channels.content import Channel

MAX_RECIPIENTS = 50_000

T = TypeVar("T")


class BatchMessage(NamedTuple):
    """One recipient of a batch with a text of their own, which goes to all channels."""

    phone_number: str
    extra_id: str
    text: str


class Recipient(NamedTuple):
    """One recipient of a broadcast with the values of its variables."""

    phone_number: str
    extra_id: str
    variables: Mapping[str, str]


def single_body(
    *,
    phone_number: str,
    channels: Sequence[Channel],
    extra_id: str | None = None,
    callback_url: str | None = None,
    start_time: datetime | str | None = None,
    tag: str = "",
    division_code: str = "",
    phone_as_number: bool = True,
) -> dict[str, Any]:
    """Build the body for one person. Raises ValueError for a naive start time or a phone that is not all digits."""
    phone = int if phone_as_number else str
    recipient = _entries([phone_number], lambda numbers: [{"phone_number": phone(number)} for number in numbers])[0]
    if extra_id:
        recipient["extra_id"] = extra_id
    return recipient | _common(channels, callback_url, start_time, tag, division_code)


def batch_body(
    messages: Iterable[BatchMessage],
    channels: Sequence[Channel],
    *,
    callback_url: str | None = None,
    start_time: datetime | str | None = None,
    tag: str = "",
    division_code: str = "",
    phone_as_number: bool = True,
) -> dict[str, Any]:
    """Build the body for up to 50,000 people, each with their own text; the channels then carry none.

    Raises ValueError for too many recipients or none, a naive start time, or a phone that is not all digits.
    """
    phone = int if phone_as_number else str
    entries = _entries(
        messages,
        lambda items: [
            {"phone_number": phone(number), "extra_id": extra_id, "text": text} for number, extra_id, text in items
        ],
    )
    return {"messages": entries} | _common(channels, callback_url, start_time, tag, division_code)


def broadcast_body(
    recipients: Iterable[Recipient],
    channels: Sequence[Channel],
    *,
    callback_url: str | None = None,
    start_time: datetime | str | None = None,
    tag: str = "",
    division_code: str = "",
    phone_as_number: bool = True,
) -> dict[str, Any]:
    """Build the body for up to 50,000 people with one content and their own values of its variables.

    Raises ValueError for too many recipients or none, a naive start time, or a phone that is not all digits.
    """
    phone = int if phone_as_number else str
    entries = _entries(
        recipients,
        lambda items: [
            {**variables, "phone_number": phone(number), "extra_id": extra_id} for number, extra_id, variables in items
        ],
    )
    return {"recipients": entries} | _common(channels, callback_url, start_time, tag, division_code)


def format_start_time(value: datetime | str) -> str:
    """Write a time as the platform reads it: ``2020-12-12 10:10:10+03:00``. Strings are passed as given.

    Raises ValueError for a naive datetime, which the platform would take for Kyiv time.
    """
    if isinstance(value, str):
        return value
    if value.utcoffset() is None:
        raise ValueError("start_time must carry a UTC offset: give an aware datetime.")
    return value.isoformat(sep=" ", timespec="seconds")


def _entries(items: Iterable[T], build: Callable[[Iterable[T]], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    try:
        entries = build(islice(items, MAX_RECIPIENTS + 1))
    except ValueError:
        # int() would quote the number in its own message.
        entries = None
    if entries is None:
        raise ValueError("A phone number must consist of digits only.")
    if not entries:
        raise ValueError("There are no recipients.")
    if len(entries) > MAX_RECIPIENTS:
        raise ValueError(f"One request takes at most {MAX_RECIPIENTS:,} recipients: split the list.")
    return entries


def _common(
    channels: Sequence[Channel],
    callback_url: str | None,
    start_time: datetime | str | None,
    tag: str,
    division_code: str,
) -> dict[str, Any]:
    optional = {
        "callback_url": callback_url,
        "start_time": format_start_time(start_time) if start_time else None,
        "tag": tag,
        "division_code": division_code,
    }
    return {name: value for name, value in optional.items() if value} | {
        "channels": [channel.name for channel in channels],
        "channel_options": {channel.name: channel.to_wire() for channel in channels},
    }

"""Bodies of the three kinds of request: single, batch and broadcast (guide, chapters 2 and 3).

The builders are used for up to 50,000 recipients at a time and do not validate; see the validation module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, TypedDict, Unpack

from django_hyber.protocol.channels.content import Channel

MAX_RECIPIENTS = 50_000


class BatchMessage(NamedTuple):
    """One recipient of a batch, with an individual text for all channels."""

    phone_number: str
    extra_id: str
    text: str


class Recipient(NamedTuple):
    """One recipient of a broadcast, with the values of the variables."""

    phone_number: str
    extra_id: str
    variables: Mapping[str, str]


class Options(TypedDict, total=False):
    """The options of all three kinds of request."""

    callback_url: str | None
    start_time: datetime | str | None
    tag: str
    division_code: str


def single_body(
    *,
    phone_number: str,
    channels: Sequence[Channel],
    extra_id: str | None = None,
    phone_as_number: bool = True,
    **options: Unpack[Options],
) -> dict[str, Any]:
    """Build the body for one recipient. Raises ValueError for a naive start time or a phone with other characters."""
    phone = int if phone_as_number else str
    [recipient] = _collect({"phone_number": phone(number)} for number in (phone_number,))
    if extra_id:
        recipient["extra_id"] = extra_id
    return recipient | _common(channels, **options)


def batch_body(
    messages: Iterable[BatchMessage],
    channels: Sequence[Channel],
    *,
    phone_as_number: bool = True,
    **options: Unpack[Options],
) -> dict[str, Any]:
    """Build the body for up to 50,000 recipients with individual texts. The channels have no text.

    Raises ValueError for too many recipients or none, a naive start time, or a phone with anything but digits.
    """
    phone = int if phone_as_number else str
    entries = (
        {"phone_number": phone(number), "extra_id": extra_id, "text": text} for number, extra_id, text in messages
    )
    return {"messages": _collect(entries)} | _common(channels, **options)


def broadcast_body(
    recipients: Iterable[Recipient],
    channels: Sequence[Channel],
    *,
    phone_as_number: bool = True,
    **options: Unpack[Options],
) -> dict[str, Any]:
    """Build the body for up to 50,000 recipients with the same content and individual values of its variables.

    Raises ValueError for too many recipients or none, a naive start time, or a phone with anything but digits.
    """
    phone = int if phone_as_number else str
    entries = (
        {**variables, "phone_number": phone(number), "extra_id": extra_id} for number, extra_id, variables in recipients
    )
    return {"recipients": _collect(entries)} | _common(channels, **options)


def format_start_time(value: datetime | str) -> str:
    """Format a time for the platform: ``2020-12-12 10:10:10+03:00``. Strings are returned unchanged.

    Raises ValueError for a naive datetime, because the platform would assume Kyiv time.
    """
    if isinstance(value, str):
        return value
    if value.utcoffset() is None:
        raise ValueError("start_time needs a UTC offset: pass an aware datetime.")
    return value.isoformat(sep=" ", timespec="seconds")


def _collect(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    try:
        found = list(islice(entries, MAX_RECIPIENTS + 1))
    except ValueError:
        # The message of int() would contain the number.
        found = None
    if found is None:
        raise ValueError("A phone number must consist of digits only.")
    if not found:
        raise ValueError("There are no recipients.")
    if len(found) > MAX_RECIPIENTS:
        raise ValueError(f"One request can have at most {MAX_RECIPIENTS:,} recipients: split the list.")
    return found


def _common(
    channels: Sequence[Channel],
    *,
    callback_url: str | None = None,
    start_time: datetime | str | None = None,
    tag: str = "",
    division_code: str = "",
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

"""Parsing of successful answers to the three kinds of request (guide, chapters 2 and 3)."""

from __future__ import annotations

from typing import Any, NamedTuple

from django_hyber.protocol.errors import UnreadableResponse
from django_hyber.protocol.wire.incoming_values import (
    MAX_ID_LENGTH,
    is_error_code,
    to_identifier,
    to_int,
    to_phone,
    to_text,
)


class SyncEntry(NamedTuple):
    """The entry of one recipient in a ``/sync`` answer. ``message_id`` is empty if the message was rejected.

    ``accepted`` is None if the entry does not say: it has neither the flag, nor an error, nor an id.
    """

    phone_number: str
    message_id: str
    extra_id: str
    accepted: bool | None
    error_code: int | None
    error_text: str


def parse_message_id(payload: object, *, http_status: int = 200) -> str:
    """Read the answer to a single message. Raises UnreadableResponse."""
    return _parse_id(payload, "message_id", http_status)


def parse_job_id(payload: object, *, http_status: int = 200) -> str:
    """Read the answer to an asynchronous batch or broadcast. Raises UnreadableResponse."""
    return _parse_id(payload, "job_id", http_status)


def parse_sync(payload: object, *, http_status: int = 200) -> list[SyncEntry]:
    """Read the answer to a synchronous batch or broadcast, in the platform's order. Raises UnreadableResponse.

    Items that are not objects are ignored: their recipients have no answer.
    """
    return [_parse_entry(item) for item in parse_messages(payload, http_status=http_status) if isinstance(item, dict)]


def parse_messages(payload: object, *, http_status: int = 200) -> list[Any]:
    """Return the raw ``messages`` of a synchronous answer or a campaign status. Raises UnreadableResponse."""
    messages = payload.get("messages") if isinstance(payload, dict) else None
    if not isinstance(messages, list):
        raise UnreadableResponse(http_status, 'the answer has no "messages"')
    return messages


def _parse_id(payload: object, key: str, http_status: int) -> str:
    value = to_identifier(payload.get(key)) if isinstance(payload, dict) else ""
    # It is logged: a line break would begin a line of its own.
    if not value or len(value) > MAX_ID_LENGTH or not value.isprintable():
        raise UnreadableResponse(http_status, f'the answer has no usable "{key}"')
    return value


def _parse_entry(item: dict[str, Any]) -> SyncEntry:
    message_id = to_identifier(item.get("message_id"))
    is_error = is_error_code(item.get("error_code"))
    accepted = item.get("accepted")
    if not isinstance(accepted, bool):
        accepted = False if is_error else (bool(message_id) or None)
    # Positional arguments: keywords would take a third longer, and an answer may have 50,000 entries.
    return SyncEntry(
        to_phone(item.get("phone_number")),
        message_id if len(message_id) <= MAX_ID_LENGTH else "",
        to_identifier(item.get("extra_id")),
        accepted,
        to_int(item.get("error_code")) if is_error else None,
        to_text(item.get("error_text")),
    )

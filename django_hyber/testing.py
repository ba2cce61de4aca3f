"""For the tests of a project: what would have been sent, and the platform's reports about it.

In tests nothing is sent, without any setting: see docs/testing.rst.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django_hyber.conf import get_account
from django_hyber.models import Message
from django_hyber.outbox import SentMessage, clear_before_each_test, outbox
from django_hyber.protocol import REPORT_FIELDS
from django_hyber.protocol.phones.spellings import GivenPhone
from django_hyber.services import apply_delivery_reports
from django_hyber.words import phone_candidates

__all__ = ["SentMessage", "assert_sent", "clear_outbox", "outbox", "play_report"]

#: The detailed statuses of reports: those of a delivery by channel, and those of failures.
_DELIVERED: Mapping[str, int] = MappingProxyType({"sms": 23011, "viber": 23033, "push": 23091, "whatsapp": 23092})
_FAILED: Mapping[str, int] = MappingProxyType({"expired": 35015, "undelivered": 36021})
#: Why there is no report about a message that has not gone to the platform.
_NOT_SENT: Mapping[str, str] = MappingProxyType(
    {
        Message.Status.QUEUED: "it is sent after the commit, or when its campaign and its start are due.",
        Message.Status.SUPPRESSED: "it was left out, so the platform knows nothing about it.",
        Message.Status.CANCELLED: "it was not sent, so the platform knows nothing about it.",
    }
)

clear_before_each_test()


def clear_outbox() -> None:
    """Empty the outbox. Django's test cases and the pytest plugin do it before each test."""
    outbox.clear()


def assert_sent(
    phone_number: GivenPhone | None = None,
    *,
    text: str | None = None,
    channel: str | None = None,
    extra_id: str | None = None,
    count: int | None = None,
) -> list[SentMessage]:
    """Return the messages in the outbox that match, or raise AssertionError, by default if there is none.

    The number may be written in any way that an account understands, as in "067 123 45 67". ``text`` is a part of the
    text of any channel, ``channel`` one of those that are tried. ``count`` is how many have to match, 0 for none.
    """
    numbers = None if phone_number is None else phone_candidates(phone_number)
    found = [
        item
        for item in outbox
        if (numbers is None or item.phone_number in numbers)
        and extra_id in (None, item.extra_id)
        and (channel is None or channel in item.channels)
        and (text is None or any(text in str(options.get("text", "")) for options in item.options.values()))
    ]
    if len(found) == count or (found and count is None):
        return found
    wanted = "no message" if count == 0 else "a message" if count is None else f"{count} messages"
    held = "".join(f"\n  {item}" for item in outbox) or " nothing"
    raise AssertionError(f"Expected {wanted} like this, found {len(found)}. The outbox holds:{held}")


def play_report(message: Message, state: str, *, channel: str = "", **changes: Any) -> Message:
    """Apply a report about the message as a callback of the platform does, and return the message as it is now.

    ``state`` is "delivered", "seen", "expired", "undelivered" or "pending". "seen" needs SEEN_CODES in the account.
    Without ``channel``, the first one delivers and the last one fails: a failure of another one is not the end.
    ``changes`` are further fields of the report, as in ``clicks=2``.

    Raises ValueError for a message that was not sent, a channel that it is not sent through, and a field that no report
    has.
    """
    message.refresh_from_db()
    if message.status in _NOT_SENT:
        raise ValueError(f"The message {message.extra_id} is {message.status}: {_NOT_SENT[message.status]}")
    names = _channels(message)
    if channel and channel not in names:
        raise ValueError(f"The message is not sent through {channel!r}, but through {', '.join(names)}.")
    for name in changes.keys() - REPORT_FIELDS:
        raise ValueError(f"A report has no {name!r}. Its fields are: {', '.join(sorted(REPORT_FIELDS))}.")
    channel = channel or (names[-1] if state in _FAILED else names[0])
    raw = {
        "number": message.phone_number,
        "extra_id": message.extra_id,
        "message_id": message.message_id or f"test-{message.extra_id}",
        "time": time.time_ns() // 1_000_000,
        "sent_via": channel,
        **_status(message, state, channel),
        **changes,
    }
    apply_delivery_reports([raw], account=message.account)
    message.refresh_from_db()
    return message


def _channels(message: Message) -> list[str]:
    if message.campaign:
        return [channel.name for channel in message.campaign.get_channels()]
    return list((message.content or {}).get("channels", ()))


def _status(message: Message, state: str, channel: str) -> dict[str, int]:
    if state == "delivered":
        code = _DELIVERED.get(channel, 23000)
    elif state in _FAILED:
        code = _FAILED[state]
    elif state == "pending":
        code = 11000
    elif state == "seen":
        codes = sorted(get_account(message.account).seen_codes)
        if not codes:
            raise ValueError(f"HYBER[{message.account!r}] has no SEEN_CODES, so no report can mean “seen”. Set them.")
        (code, *_others) = codes
    else:
        known = ", ".join(["delivered", "seen", *_FAILED, "pending"])
        raise ValueError(f"There is no report {state!r}. Use one of: {known}.")
    return {"status": code // 10_000, "substatus": code // 1_000, "hyber_status": code}

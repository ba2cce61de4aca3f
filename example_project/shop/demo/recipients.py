"""Who gets the campaign, and what must become of each by the sandbox's table of outcomes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from django_hyber.models import Message
from django_hyber.sandbox import OUTCOMES, outcome_for

Status = Message.Status
PREFIX = "38067"
MOST = 99_999
NAMES = ("Olena", "Taras", "Оксана", "Андрій", "Марія", "Bohdan", "Катерина", "Zoriana")

#: The first recipient of a request decides what happens to the request as a whole: one of these leads each batch.
LEADERS = ("87", "98", "95", "94")
PLAIN = tuple(f"{number:02d}" for number in range(14))
SPECIAL = tuple(digits for digits, outcome in OUTCOMES.items() if not outcome.transport)
MIXED = (*SPECIAL, *PLAIN)
UNREPORTED = "85"


@dataclass(frozen=True, kw_only=True)
class End:
    """How a message must end. ``channel`` is the one that delivers it."""

    status: str
    channel: str = ""

    def __str__(self) -> str:
        return f"{self.status} by {self.channel}" if self.channel else self.status


DELIVERED = End(status=Status.DELIVERED.value, channel="viber")
ENDS = {
    # Nothing is called back about these two: that they were taken is all that can be known without asking.
    "unreported": End(status=Status.ACCEPTED.value),
    "never-reported": End(status=Status.ACCEPTED.value),
    "expired": End(status=Status.EXPIRED.value),
    "fallback": End(status=Status.DELIVERED.value, channel="sms"),
    "rejected": End(status=Status.REJECTED.value),
    "reordered-reports": End(status=Status.DELIVERED.value, channel="sms"),
    "seen": End(status=Status.SEEN.value, channel="viber"),
    "undelivered": End(status=Status.UNDELIVERED.value),
}


def end_for(phone: str) -> End:
    """Say how a message by Viber, then SMS, to this number must end."""
    return ENDS.get(outcome_for(phone).name, DELIVERED)


def batch_size(count: int) -> int:
    """Return the size that cuts so many recipients into a batch for each leader."""
    return -(-count // len(LEADERS))


def phones(count: int) -> list[str]:
    """Return so many different Ukrainian mobile numbers, whose last digits bring about every outcome."""
    places = (divmod(number, batch_size(count)) for number in range(count))
    return [f"{PREFIX}{number:05d}{_digits(*place)}" for number, place in enumerate(places)]


def _digits(batch: int, position: int) -> str:
    if position == 0:
        return LEADERS[batch]
    digits = MIXED[(position + batch * len(SPECIAL)) % len(MIXED)]
    # After a lost answer the platform is queried about the batch, and its answer includes what is never reported.
    is_asked_about = OUTCOMES[LEADERS[batch]].name == "dropped-answer"
    return PLAIN[0] if is_asked_about and digits == UNREPORTED else digits


def recipients_file(numbers: Sequence[str]) -> bytes:
    """Return the CSV file to import: phone and name, in UTF-8 with a byte order mark, as spreadsheets save it."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, delimiter=";")
    rows.writerow(("phone", "name"))
    rows.writerows((f"+{phone}", NAMES[place % len(NAMES)]) for place, phone in enumerate(numbers))
    return text.getvalue().encode("utf-8-sig")

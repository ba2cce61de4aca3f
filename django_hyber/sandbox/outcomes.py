"""What becomes of a message, chosen by the last two digits of its phone number."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, eq=False)
class Outcome:
    """One row of the table in docs/sandbox.rst.

    A `transport` outcome happens to the HTTP request as a whole, so a mass request takes it from its first recipient.
    `once` outcomes happen the first time an extra id is seen; the repeat is taken and delivered.
    """

    name: str
    sentence: str
    transport: bool = False
    once: bool = False


DELIVERED: Final = Outcome("delivered", "Delivered by the first channel.")

OUTCOMES: Final[dict[str, Outcome]] = {
    "85": Outcome("unreported", "Delivered, but never called back: only a GET tells it."),
    "86": Outcome("clicked", "Delivered by the first channel, with two clicks when ctr is on."),
    "87": Outcome(
        "dropped-request",
        "The connection is closed before the request is taken, the first time; a repeat is taken and delivered.",
        transport=True,
        once=True,
    ),
    "88": Outcome("partly-delivered", "An SMS on the first channel is delivered without its last part."),
    "89": Outcome("expired", "Expired on every channel."),
    "90": Outcome("fallback", "Expired on the first channel, delivered by the next; with one channel, expired."),
    "91": Outcome("seen", "Delivered by the first channel, then seen: a second report."),
    "92": Outcome("rejected", "Refused with error 36024, Phone number incorrect."),
    "93": Outcome("never-reported", "Taken and never reported: no callback, and a GET answers status -1."),
    "94": Outcome(
        "dropped-answer",
        "Taken and delivered, but the connection is closed without an answer, the first time; a repeat is answered.",
        transport=True,
        once=True,
    ),
    "95": Outcome("early-report", "Delivered; the report is called back before the POST is answered.", transport=True),
    "96": Outcome("repeated-report", "Delivered by the first channel, and every report comes twice."),
    "97": Outcome(
        "reordered-reports",
        "Delivered by the last channel; the older report of the first channel comes after it.",
    ),
    "98": Outcome(
        "unavailable",
        "HTTP 503 with Retry-After: 1 and no body, the first time; a repeat is taken and delivered.",
        transport=True,
        once=True,
    ),
    "99": Outcome("undelivered", "Undelivered on every channel: status 3, substatus 36."),
}


def outcome_for(phone: str) -> Outcome:
    """Look the phone number's outcome up; numbers outside the table are delivered."""
    return OUTCOMES.get(phone[-2:], DELIVERED)

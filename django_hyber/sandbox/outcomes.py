"""What becomes of a message, chosen by the last two digits of its phone number, and the steps to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from django_hyber.sandbox.channels import Channel


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


STATUS_DELIVERED: Final = 2
STATUS_FAILED: Final = 3

# 23011, 23033, 23043 and 35015 are the guide's. The guide names no other codes: these are the sandbox's own.
_DELIVERED_CODES: Final = {"sms": 23011, "viber": 23033, "push": 23091, "whatsapp": 23092}
_DELIVERED_TEMPLATE: Final = 23043
SEEN: Final = 23099
_STARTED: Final = 11099
_EXPIRED: Final = 35015
_UNDELIVERED: Final = 36099

_NAMES: Final = {"sms": "SMS", "viber": "Viber", "push": "Push", "whatsapp": "WhatsApp"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Fact:
    """What one channel did, once. A failure is final only on the last channel; `cut`: an SMS lost its last part."""

    channel: Channel
    status: int
    substatus: int
    hyber_status: int
    text: str
    final: bool = True
    cut: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """`after` is in seconds from the beginning. A GET tells recorded facts, a callback tells pushed ones."""

    after: float
    fact: Fact
    recorded: bool = True
    pushed: bool = True


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds that a channel needs, and the factor that shortens every TTL."""

    latency: float
    time_scale: float


def plan(outcome: Outcome, channels: Sequence[Channel], pace: Pace) -> tuple[Step, ...]:
    """Lay out the steps of every message with this outcome and these channels."""
    make = _PLANS.get(outcome.name, _delivered_by_first)
    return tuple(make(channels, pace))


def _delivered(channel: Channel) -> Fact:
    code = _DELIVERED_TEMPLATE if channel.template else _DELIVERED_CODES[channel.name]
    text = f"{_NAMES[channel.name]} delivered"
    return Fact(channel=channel, status=STATUS_DELIVERED, substatus=23, hyber_status=code, text=text)


def _seen(channel: Channel) -> Fact:
    return replace(_delivered(channel), hyber_status=SEEN, text=f"{_NAMES[channel.name]} seen")


def _started(channel: Channel) -> Fact:
    text = f"{_NAMES[channel.name]} sending started"
    return Fact(channel=channel, status=1, substatus=11, hyber_status=_STARTED, text=text, final=False)


def _expired(channel: Channel, *, final: bool) -> Fact:
    text = f"{_NAMES[channel.name]} expired"
    return Fact(channel=channel, status=STATUS_FAILED, substatus=35, hyber_status=_EXPIRED, text=text, final=final)


def _undelivered(channel: Channel, *, final: bool) -> Fact:
    text = f"{_NAMES[channel.name]} not delivered"
    return Fact(channel=channel, status=STATUS_FAILED, substatus=36, hyber_status=_UNDELIVERED, text=text, final=final)


def _delivered_by_first(channels: Sequence[Channel], pace: Pace) -> list[Step]:
    return [Step(after=pace.latency, fact=_delivered(channels[0]))]


def _delivered_quietly(channels: Sequence[Channel], pace: Pace) -> list[Step]:
    return [Step(after=pace.latency, fact=_delivered(channels[0]), pushed=False)]


def _delivered_in_part(channels: Sequence[Channel], pace: Pace) -> list[Step]:
    fact = replace(_delivered(channels[0]), cut=channels[0].name == "sms")
    return [Step(after=pace.latency, fact=fact)]


def _delivered_then_seen(channels: Sequence[Channel], pace: Pace) -> list[Step]:
    seen = Step(after=2 * pace.latency, fact=_seen(channels[0]))
    return [*_delivered_by_first(channels, pace), seen]


def _delivered_twice_told(channels: Sequence[Channel], pace: Pace) -> list[Step]:
    (told,) = _delivered_by_first(channels, pace)
    return [told, replace(told, after=2 * pace.latency, recorded=False)]


def _delivered_at_once(channels: Sequence[Channel], pace: Pace) -> list[Step]:
    return [Step(after=0, fact=_delivered(channels[0]))]


def _expired_everywhere(channels: Sequence[Channel], pace: Pace) -> list[Step]:
    steps, after = [], 0.0
    for channel in channels:
        after += channel.ttl * pace.time_scale
        last = channel is channels[-1]
        steps.append(Step(after=after, fact=_expired(channel, final=last), pushed=last))
    return steps


def _undelivered_everywhere(channels: Sequence[Channel], pace: Pace) -> list[Step]:
    return [
        Step(after=number * pace.latency, fact=_undelivered(channel, final=last), pushed=last)
        for number, channel in enumerate(channels, start=1)
        for last in [channel is channels[-1]]
    ]


def _fallback(channels: Sequence[Channel], pace: Pace) -> list[Step]:
    if len(channels) == 1:
        return _expired_everywhere(channels, pace)
    waited = channels[0].ttl * pace.time_scale
    expired = Step(after=waited, fact=_expired(channels[0], final=False), pushed=False)
    return [expired, Step(after=waited + pace.latency, fact=_delivered(channels[1]))]


def _reordered(channels: Sequence[Channel], pace: Pace) -> list[Step]:
    *failing, last = channels
    older = [
        Step(after=number * pace.latency, fact=_undelivered(channel, final=False), pushed=False)
        for number, channel in enumerate(failing, start=1)
    ] or [Step(after=0, fact=_started(last), pushed=False)]
    delivered = Step(after=len(channels) * pace.latency, fact=_delivered(last))
    late = replace(older[0], after=delivered.after + pace.latency, recorded=False, pushed=True)
    return [*older, delivered, late]


def _nothing(_channels: Sequence[Channel], _pace: Pace) -> list[Step]:
    return []


_PLANS: Final[dict[str, Callable[[Sequence[Channel], Pace], list[Step]]]] = {
    "unreported": _delivered_quietly,
    "partly-delivered": _delivered_in_part,
    "expired": _expired_everywhere,
    "fallback": _fallback,
    "seen": _delivered_then_seen,
    "never-reported": _nothing,
    "early-report": _delivered_at_once,
    "repeated-report": _delivered_twice_told,
    "reordered-reports": _reordered,
    "undelivered": _undelivered_everywhere,
}

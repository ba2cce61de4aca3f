"""Outcomes of messages, selected by the last two digits of the phone number, and their steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from django_hyber.sandbox.channels import Channel
from django_hyber.sandbox.faults import Fault


@dataclass(frozen=True, eq=False)
class Outcome:
    """One row of the tables in docs/sandbox.rst.

    A `transport` outcome affects the whole HTTP request; in a mass request, that of the first recipient applies. Its
    `fault` affects only the first request with an extra id. A retry is accepted and delivered.
    """

    name: str
    sentence: str
    transport: bool = False
    fault: Fault | None = None


DELIVERED: Final = Outcome("delivered", "Delivered by the first channel.")

OUTCOMES: Final[dict[str, Outcome]] = {
    "59": Outcome(
        "unmatched-template",
        "Delivered by the first channel; its Viber text matches no template: matching_template_id 0.",
    ),
    "85": Outcome("unreported", "Delivered without a callback: only a GET returns the report."),
    "86": Outcome("clicked", "Delivered by the first channel, with two clicks when ctr is on."),
    "87": Outcome(
        "dropped-request",
        "The first time, the connection is closed before the request is accepted; a retry is accepted and delivered.",
        transport=True,
        fault=Fault(kind="drop_request"),
    ),
    "88": Outcome("partly-delivered", "An SMS on the first channel is delivered without its last part."),
    "89": Outcome("expired", "Expired on every channel."),
    "90": Outcome("fallback", "Expired on the first channel, delivered by the next; with one channel, expired."),
    "91": Outcome("seen", "Delivered by the first channel, then seen, with a second report."),
    "92": Outcome("rejected", "Rejected with error 36024, Phone number incorrect."),
    "93": Outcome("never-reported", "Accepted and never reported: no callback, and a GET answers status -1."),
    "94": Outcome(
        "dropped-answer",
        "Accepted and delivered, but the first time the connection is closed without an answer; a retry is answered.",
        transport=True,
        fault=Fault(kind="drop_answer"),
    ),
    "95": Outcome("early-report", "Delivered; the callback is sent before the POST is answered.", transport=True),
    "96": Outcome("repeated-report", "Delivered by the first channel, and every report is sent twice."),
    "97": Outcome(
        "reordered-reports",
        "Delivered by the last channel; the older report of the first channel is sent after it.",
    ),
    "98": Outcome(
        "unavailable",
        "The first time, HTTP 503 with Retry-After: 1 and no body; a retry is accepted and delivered.",
        transport=True,
        fault=Fault(kind="status", status=503, retry_after=1),
    ),
    "99": Outcome("undelivered", "Undelivered on every channel: status 3, substatus 36."),
}


def _broken(name: str, sentence: str, fault: Fault) -> Outcome:
    return Outcome(name, sentence, transport=True, fault=fault)


def _page(name: str, status: int, sentence: str, *, taken: bool, retry_after: int | None = None) -> Outcome:
    return _broken(name, sentence, Fault(kind="page", status=status, taken=taken, retry_after=retry_after))


# The duration of these faults is a setting of the sandbox. 67 and 68 are not used, because invented numbers such as
# 0671234567 often end with them.
FAULT_OUTCOMES: Final[dict[str, Outcome]] = {
    "60": _broken("trickled-answer", "Accepted; the body of the answer is sent byte by byte.", Fault(kind="trickle")),
    "61": _broken(
        "trickled-head", "Accepted; the answer is sent byte by byte, including its head.", Fault(kind="trickle_head")
    ),
    "62": _broken("late-answer", "Accepted, and answered late.", Fault(kind="late_answer")),
    "63": _broken(
        "half-answer",
        "Accepted; half of the answer's body is sent, then the connection is closed.",
        Fault(kind="half_answer"),
    ),
    "64": _broken(
        "reset-answer",
        "Accepted; half of the answer's body is sent, then the connection is reset.",
        Fault(kind="reset_answer"),
    ),
    "65": _broken("not-json", "Accepted, and answered with HTTP 200 and an HTML page.", Fault(kind="not_json")),
    "66": _broken("empty-answer", "Accepted, and answered with HTTP 200 and no body.", Fault(kind="empty")),
    "69": _broken(
        "processing",
        "Accepted, and answered with HTTP 102 without a final answer.",
        Fault(kind="status", status=102, taken=True),
    ),
    "70": _page("moved", 301, "Accepted, and answered with HTTP 301 and an HTML page.", taken=True),
    "71": _page("see-other", 303, "Accepted, and answered with HTTP 303 and an HTML page.", taken=True),
    "72": _page("forbidden", 403, "Accepted, and answered with HTTP 403 and an HTML page.", taken=True),
    "73": _page("not-found", 404, "Accepted, and answered with HTTP 404 and an HTML page.", taken=True),
    "74": _page("too-large", 413, "Not accepted: HTTP 413 and an HTML page.", taken=False),
    "75": _page("bad-gateway", 502, "Accepted, and answered with HTTP 502 and an HTML page.", taken=True),
    "76": _page(
        "unavailable-page",
        503,
        "Accepted, and answered with HTTP 503 and an HTML page, without Retry-After.",
        taken=True,
    ),
    "77": _page(
        "maintenance", 503, "Not accepted: HTTP 503 with Retry-After: 1 and an HTML page.", taken=False, retry_after=1
    ),
    "78": _page("gateway-timeout", 504, "Accepted, and answered with HTTP 504 and an HTML page.", taken=True),
    "79": _broken(
        "too-many-requests",
        "Not accepted: HTTP 429 with Retry-After: 1 and no body.",
        Fault(kind="status", status=429, retry_after=1),
    ),
    "80": _broken(
        "internal-error",
        "Accepted, and answered with HTTP 500 and an error of the platform.",
        Fault(kind="error", status=500, taken=True),
    ),
    "81": Outcome(
        "late-report",
        "Delivered; for some time a GET answers as for an unknown id.",
        fault=Fault(kind="late_report"),
    ),
    "82": Outcome(
        "never-found",
        "Delivered; a GET always answers as for an unknown id.",
        fault=Fault(kind="never_found"),
    ),
    "83": Outcome(
        "failing-report",
        "Delivered; a GET of its report always answers HTTP 500.",
        fault=Fault(kind="failing_report"),
    ),
    "84": _broken(
        "in-parts",
        "Accepted; the second half of a mass request is known and sent only some time later.",
        Fault(kind="parts"),
    ),
}
_BY_DIGITS: Final = {**OUTCOMES, **FAULT_OUTCOMES}


def outcome_for(phone: str) -> Outcome:
    """Return the outcome of a phone number. Numbers that are not in the tables are delivered."""
    return _BY_DIGITS.get(phone[-2:], DELIVERED)


STATUS_DELIVERED: Final = 2
STATUS_FAILED: Final = 3

# 23011, 23033, 23043 and 35015 are from the guide. It has no other codes, so the rest is invented.
_DELIVERED_CODES: Final = {"sms": 23011, "viber": 23033, "push": 23091, "whatsapp": 23092}
_DELIVERED_TEMPLATE: Final = 23043
SEEN: Final = 23099
_STARTED: Final = 11099
_EXPIRED: Final = 35015
_UNDELIVERED: Final = 36099

_NAMES: Final = {"sms": "SMS", "viber": "Viber", "push": "Push", "whatsapp": "WhatsApp"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Fact:
    """An event of one channel. A failure is final only on the last channel. `cut`: an SMS lost its last part."""

    channel: Channel
    status: int
    substatus: int
    hyber_status: int
    text: str
    final: bool = True
    cut: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """A fact `after` seconds. GETs return facts that are `recorded`; callbacks report those that are `pushed`."""

    after: float
    fact: Fact
    recorded: bool = True
    pushed: bool = True


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds until a channel delivers, and a factor for every TTL."""

    latency: float
    time_scale: float


def plan(outcome: Outcome, channels: Sequence[Channel], pace: Pace) -> tuple[Step, ...]:
    """Return the steps of messages with this outcome and these channels."""
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


def _reported_twice(channels: Sequence[Channel], pace: Pace) -> list[Step]:
    (first,) = _delivered_by_first(channels, pace)
    return [first, replace(first, after=2 * pace.latency, recorded=False)]


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
    "repeated-report": _reported_twice,
    "reordered-reports": _reordered,
    "undelivered": _undelivered_everywhere,
}

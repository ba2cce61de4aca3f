"""Outcomes of messages, selected by the last two digits of the phone number, and their steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from django_hyber.sandbox.channels import RequestedChannel
from django_hyber.sandbox.faults import Fault


@dataclass(frozen=True, eq=False)
class NumberOutcome:
    """One row of the tables in docs/sandbox.rst.

    A `transport` outcome affects the whole HTTP request; in a mass request, that of the first recipient applies. Its
    `fault` affects only the first request with an extra id. A retry is accepted and delivered.
    """

    name: str
    sentence: str
    transport: bool = False
    fault: Fault | None = None


DELIVERED: Final = NumberOutcome("delivered", "Delivered by the first channel.")

OUTCOMES: Final[dict[str, NumberOutcome]] = {
    "59": NumberOutcome(
        "unmatched-template",
        "Delivered by the first channel; its Viber text matches no template: matching_template_id 0.",
    ),
    "85": NumberOutcome("unreported", "Delivered without a callback: only a GET returns the report."),
    "86": NumberOutcome("clicked", "Delivered by the first channel, with two clicks when ctr is on."),
    "87": NumberOutcome(
        "dropped-request",
        "The first time, the connection is closed before the request is accepted; a retry is accepted and delivered.",
        transport=True,
        fault=Fault(kind="drop_request"),
    ),
    "88": NumberOutcome("partly-delivered", "An SMS on the first channel is delivered without its last part."),
    "89": NumberOutcome("expired", "Expired on every channel."),
    "90": NumberOutcome("fallback", "Expired on the first channel, delivered by the next; with one channel, expired."),
    "91": NumberOutcome("seen", "Delivered by the first channel, then seen, with a second report."),
    "92": NumberOutcome("rejected", "Rejected with error 36024, Phone number incorrect."),
    "93": NumberOutcome("never-reported", "Accepted and never reported: no callback, and a GET answers status -1."),
    "94": NumberOutcome(
        "dropped-answer",
        "Accepted and delivered, but the first time the connection is closed without an answer; a retry is answered.",
        transport=True,
        fault=Fault(kind="drop_answer"),
    ),
    "95": NumberOutcome("early-report", "Delivered; the callback is sent before the POST is answered.", transport=True),
    "96": NumberOutcome("repeated-report", "Delivered by the first channel, and every report is sent twice."),
    "97": NumberOutcome(
        "reordered-reports",
        "Delivered by the last channel; the older report of the first channel is sent after it.",
    ),
    "98": NumberOutcome(
        "unavailable",
        "The first time, HTTP 503 with Retry-After: 1 and no body; a retry is accepted and delivered.",
        transport=True,
        fault=Fault(kind="status", status=503, retry_after=1),
    ),
    "99": NumberOutcome("undelivered", "Undelivered on every channel: status 3, substatus 36."),
}


def _broken(name: str, sentence: str, fault: Fault) -> NumberOutcome:
    return NumberOutcome(name, sentence, transport=True, fault=fault)


def _page(name: str, status: int, sentence: str, *, taken: bool, retry_after: int | None = None) -> NumberOutcome:
    return _broken(name, sentence, Fault(kind="page", status=status, taken=taken, retry_after=retry_after))


# The duration of these faults is a setting of the sandbox. 67 and 68 are not used, because invented numbers such as
# 0671234567 often end with them.
FAULT_OUTCOMES: Final[dict[str, NumberOutcome]] = {
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
    "81": NumberOutcome(
        "late-report",
        "Delivered; for some time a GET answers as for an unknown id.",
        fault=Fault(kind="late_report"),
    ),
    "82": NumberOutcome(
        "never-found",
        "Delivered; a GET always answers as for an unknown id.",
        fault=Fault(kind="never_found"),
    ),
    "83": NumberOutcome(
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


def outcome_for(phone: str) -> NumberOutcome:
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

    channel: RequestedChannel
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
class Timing:
    """Seconds until a channel delivers, and a factor for every TTL."""

    latency: float
    time_scale: float


def steps_of(outcome: NumberOutcome, channels: Sequence[RequestedChannel], timing: Timing) -> tuple[Step, ...]:
    """Return the steps of messages with this outcome and these channels."""
    make = _STEPS.get(outcome.name, _delivered_by_first)
    return tuple(make(channels, timing))


def _delivered(channel: RequestedChannel) -> Fact:
    code = _DELIVERED_TEMPLATE if channel.template else _DELIVERED_CODES[channel.name]
    text = f"{_NAMES[channel.name]} delivered"
    return Fact(channel=channel, status=STATUS_DELIVERED, substatus=23, hyber_status=code, text=text)


def _seen(channel: RequestedChannel) -> Fact:
    return replace(_delivered(channel), hyber_status=SEEN, text=f"{_NAMES[channel.name]} seen")


def _started(channel: RequestedChannel) -> Fact:
    text = f"{_NAMES[channel.name]} sending started"
    return Fact(channel=channel, status=1, substatus=11, hyber_status=_STARTED, text=text, final=False)


def _expired(channel: RequestedChannel, *, final: bool) -> Fact:
    text = f"{_NAMES[channel.name]} expired"
    return Fact(channel=channel, status=STATUS_FAILED, substatus=35, hyber_status=_EXPIRED, text=text, final=final)


def _undelivered(channel: RequestedChannel, *, final: bool) -> Fact:
    text = f"{_NAMES[channel.name]} not delivered"
    return Fact(channel=channel, status=STATUS_FAILED, substatus=36, hyber_status=_UNDELIVERED, text=text, final=final)


def _delivered_by_first(channels: Sequence[RequestedChannel], timing: Timing) -> list[Step]:
    return [Step(after=timing.latency, fact=_delivered(channels[0]))]


def _delivered_quietly(channels: Sequence[RequestedChannel], timing: Timing) -> list[Step]:
    return [Step(after=timing.latency, fact=_delivered(channels[0]), pushed=False)]


def _delivered_in_part(channels: Sequence[RequestedChannel], timing: Timing) -> list[Step]:
    fact = replace(_delivered(channels[0]), cut=channels[0].name == "sms")
    return [Step(after=timing.latency, fact=fact)]


def _delivered_then_seen(channels: Sequence[RequestedChannel], timing: Timing) -> list[Step]:
    seen = Step(after=2 * timing.latency, fact=_seen(channels[0]))
    return [*_delivered_by_first(channels, timing), seen]


def _reported_twice(channels: Sequence[RequestedChannel], timing: Timing) -> list[Step]:
    (first,) = _delivered_by_first(channels, timing)
    return [first, replace(first, after=2 * timing.latency, recorded=False)]


def _delivered_at_once(channels: Sequence[RequestedChannel], timing: Timing) -> list[Step]:
    return [Step(after=0, fact=_delivered(channels[0]))]


def _expired_everywhere(channels: Sequence[RequestedChannel], timing: Timing) -> list[Step]:
    steps, after = [], 0.0
    for channel in channels:
        after += channel.ttl * timing.time_scale
        last = channel is channels[-1]
        steps.append(Step(after=after, fact=_expired(channel, final=last), pushed=last))
    return steps


def _undelivered_everywhere(channels: Sequence[RequestedChannel], timing: Timing) -> list[Step]:
    return [
        Step(after=number * timing.latency, fact=_undelivered(channel, final=last), pushed=last)
        for number, channel in enumerate(channels, start=1)
        for last in [channel is channels[-1]]
    ]


def _fallback(channels: Sequence[RequestedChannel], timing: Timing) -> list[Step]:
    if len(channels) == 1:
        return _expired_everywhere(channels, timing)
    waited = channels[0].ttl * timing.time_scale
    expired = Step(after=waited, fact=_expired(channels[0], final=False), pushed=False)
    return [expired, Step(after=waited + timing.latency, fact=_delivered(channels[1]))]


def _reordered(channels: Sequence[RequestedChannel], timing: Timing) -> list[Step]:
    *failing, last = channels
    older = [
        Step(after=number * timing.latency, fact=_undelivered(channel, final=False), pushed=False)
        for number, channel in enumerate(failing, start=1)
    ] or [Step(after=0, fact=_started(last), pushed=False)]
    delivered = Step(after=len(channels) * timing.latency, fact=_delivered(last))
    late = replace(older[0], after=delivered.after + timing.latency, recorded=False, pushed=True)
    return [*older, delivered, late]


def _nothing(_channels: Sequence[RequestedChannel], _pace: Timing) -> list[Step]:
    return []


_STEPS: Final[dict[str, Callable[[Sequence[RequestedChannel], Timing], list[Step]]]] = {
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

"""The path of one message through its channels, from its reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django_hyber.codes import find_seen_codes
from django_hyber.models import DeliveryReport, Message
from django_hyber.protocol import DeliveryReport as ParsedReport
from django_hyber.protocol import ReportState, UnreadableReport, parse_report
from django_hyber.reconcile.seen_and_clicks import REPORT_SEEN
from django_hyber.reports.outcome import is_about
from django_hyber.reports.ranks import DELIVERIES, FAILURES, FINAL, RANKS, STATUS_OF_STATE
from django_hyber.words import describe_parsed

Status = Message.Status


class Stage(StrEnum):
    """The state of one channel of a message, as far as reported."""

    DELIVERED = "delivered"
    FAILED = "failed"
    TRYING = "trying"
    #: The platform has gone on to a later channel without a report on this one, so this one did not deliver.
    INFERRED = "inferred"
    #: The platform has given up without saying how this one ended.
    UNREPORTED = "unreported"
    #: Tried before all others.
    FIRST = "first"
    #: Tried if the ones before it fail.
    NEXT = "next"
    #: An earlier one delivered.
    NOT_NEEDED = "not needed"
    #: The message was never sent, or refused as a whole.
    NOT_TRIED = "not tried"


#: Statuses in which the platform has tried no channel.
NEVER_OUT = (Status.CANCELLED, Status.SUPPRESSED, Status.REJECTED)
#: The stage by the state of a report; every other state is a failure.
_STAGES = {
    ReportState.DELIVERED: Stage.DELIVERED,
    ReportState.SEEN: Stage.DELIVERED,
    ReportState.PENDING: Stage.TRYING,
    ReportState.UNKNOWN: Stage.TRYING,
}


@dataclass(frozen=True, kw_only=True)
class ChannelStep:
    """One channel of a message. ``time`` is that of the last report, by the platform's clock.

    ``meaning`` is what was reported, in the reader's language, or "". The parts are those of an SMS.
    """

    channel: str
    stage: Stage
    has_won: bool
    time: datetime | None = None
    code: int | None = None
    meaning: str = ""
    total_parts: int | None = None
    delivered_parts: int | None = None

    @property
    def is_partial(self) -> bool:
        """Some parts of the SMS arrived, and some did not."""
        return self.stage == Stage.DELIVERED and (self.delivered_parts or 0) < (self.total_parts or 0)


@dataclass(frozen=True, kw_only=True)
class Journey:
    """Every channel of a message in order. ``delivered_by`` has more than one name when each of them is paid for.

    ``may_be_seen`` says whether the platform reports that messages of the delivering channel were seen.
    """

    steps: Sequence[ChannelStep]
    delivered_by: Sequence[str]
    may_be_seen: bool


def message_journey(message: Message, reports: Iterable[DeliveryReport]) -> Journey:
    """Return the path of a message through its channels, from its reports.

    Reports about an earlier run, before a retry, are ignored.
    """
    words = _last_words(message, reports)
    channels = list(dict.fromkeys([*_chain(message), *words]))
    steps = [
        _reported_step(message, channel, words[channel])
        if channel in words
        else _inferred_step(message, channel, channels[:position], channels[position + 1 :], words)
        for position, channel in enumerate(channels)
    ]
    return Journey(
        steps=steps,
        delivered_by=[step.channel for step in steps if step.stage == Stage.DELIVERED],
        may_be_seen=message.channel in REPORT_SEEN,
    )


def is_of_earlier_attempt(message: Message, report: DeliveryReport) -> bool:
    """Return whether the report is about an attempt before a retry."""
    return not is_about(message, report.extra_id, report.hyber_message_id)


def _chain(message: Message) -> list[str]:
    if message.campaign is None:
        return list((message.content or {}).get("channels", ()))
    return list(message.campaign.channels.order_by("position", "id").values_list("channel", flat=True))


def _last_words(message: Message, reports: Iterable[DeliveryReport]) -> dict[str, ParsedReport]:
    """Return the decisive report of each channel that has any."""
    seen_codes = find_seen_codes(message.account)
    words: dict[str, ParsedReport] = {}
    for stored in reports:
        if not stored.channel or is_of_earlier_attempt(message, stored):
            continue
        try:
            report = parse_report(stored.raw, seen_codes=seen_codes)
        except UnreadableReport:
            continue
        words[stored.channel] = max(words.get(stored.channel, report), report, key=_weight)
    return words


def _weight(report: ParsedReport) -> tuple[int, float]:
    return RANKS[STATUS_OF_STATE[report.state]], report.time.timestamp() if report.time else 0.0


def _reported_step(message: Message, channel: str, report: ParsedReport) -> ChannelStep:
    return ChannelStep(
        channel=channel,
        stage=_STAGES.get(report.state, Stage.FAILED),
        has_won=_has_won(message, channel),
        time=report.time,
        code=report.code,
        meaning=describe_parsed(report, message.account),
        total_parts=report.total_sms_parts,
        delivered_parts=report.delivered_sms_parts,
    )


def _inferred_step(
    message: Message, channel: str, before: Sequence[str], after: Sequence[str], words: Mapping[str, ParsedReport]
) -> ChannelStep:
    """Infer the stage of a channel without reports from the other channels and the message."""
    has_won = _has_won(message, channel)
    stage = Stage.DELIVERED if has_won else _guess(message, before, after, words)
    return ChannelStep(channel=channel, stage=stage, has_won=has_won)


def _guess(message: Message, before: Sequence[str], after: Sequence[str], words: Mapping[str, ParsedReport]) -> Stage:
    if any(_was_tried(message, name, words) for name in after):
        return Stage.INFERRED
    states = [words[name].state if name in words else None for name in before]
    has_delivered = any(_has_won(message, name) for name in before)
    if _was_never_out(message):
        return Stage.NOT_TRIED
    if has_delivered or any(_STAGES.get(state) == Stage.DELIVERED for state in states if state):
        return Stage.NOT_NEEDED
    if message.status in FINAL or message.given_up_at:
        return Stage.UNREPORTED
    is_next = message.status == Status.ACCEPTED and all(state and state not in _STAGES for state in states)
    if is_next:
        return Stage.TRYING
    return Stage.NEXT if before else Stage.FIRST


def _was_tried(message: Message, channel: str, words: Mapping[str, ParsedReport]) -> bool:
    """Return whether the message has certainly reached the channel: one that refused it was not tried."""
    is_reported = channel in words and words[channel].state is not ReportState.REJECTED
    return is_reported or _has_won(message, channel)


def _was_never_out(message: Message) -> bool:
    is_unknown_there = message.accepted_at is None and message.reported_at is None
    return message.status in NEVER_OUT or (message.status in FAILURES and is_unknown_there)


def _has_won(message: Message, channel: str) -> bool:
    return message.status in DELIVERIES and message.channel == channel

"""The effect of reports on a message: pure functions, independent of the order of the reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django_hyber.models import TEXT_LIMIT, CampaignChannel, Message
from django_hyber.protocol import DeliveryReport
from django_hyber.reports.ranks import DELIVERIES, ENDS, FAILURES, FINAL, Standing, end_of, is_forward, status_of


class MessageState(NamedTuple):
    """A message as reports find it: the columns that reports are matched by, then those that they can change."""

    id: int
    campaign_id: int | None
    phone_number: str | None
    extra_id: str
    doubted_at: datetime | None
    message_id: str | None
    status: str
    channel: str
    other_channels: str
    hyber_status: int | None
    error_code: int | None
    error_text: str
    total_sms_parts: int | None
    delivered_sms_parts: int | None
    clicks: int | None
    matching_template_id: int | None
    accepted_at: datetime | None
    reported_at: datetime | None
    finished_at: datetime | None
    given_up_at: datetime | None

    @property
    def is_purged(self) -> bool:
        """Whether the personal data of the message was removed."""
        return self.phone_number is None


_MATCHED = ("id", "campaign_id", "phone_number", "extra_id", "doubted_at")
CHANGING = ("id", *MessageState._fields[len(_MATCHED) :])
LONGEST_OTHERS = 128


def changed_columns(old: Sequence[MessageState], new: Sequence[MessageState]) -> list[tuple[Any, ...]]:
    """Return the CHANGING columns of the messages that are not as they were."""
    return [(after.id, *after[len(_MATCHED) :]) for before, after in zip(old, new, strict=True) if before != after]


def is_about(state: MessageState | Message, extra_id: str, message_id: str) -> bool:
    """Return whether these ids are the message's own; a retried message has new ids, and its history the old ones."""
    if not extra_id and not message_id:
        return True
    return extra_id == state.extra_id or (message_id != "" and message_id == state.message_id)


def channels_of(
    states: Sequence[MessageState], matches: Mapping[int, Sequence[DeliveryReport]]
) -> dict[int, Sequence[str]]:
    """Return the channels of each message, in order; only failures need them, so only theirs are read."""
    failed = [state for state in states if any(status_of(report, ()) in FAILURES for report in matches[state.id])]
    campaigns = _campaign_channels({state.campaign_id for state in failed if state.campaign_id})
    singles = [state.id for state in failed if not state.campaign_id]
    contents = dict(Message.objects.filter(pk__in=singles).values_list("pk", "content")) if singles else {}
    channels: dict[int, Sequence[str]] = dict.fromkeys((state.id for state in states), ())
    for state in failed:
        if state.campaign_id:
            channels[state.id] = campaigns.get(state.campaign_id, ())
        else:
            channels[state.id] = (contents.get(state.id) or {}).get("channels", ())
    return channels


def _campaign_channels(campaigns: set[int]) -> dict[int, list[str]]:
    names: dict[int, list[str]] = {}
    if campaigns:
        rows = CampaignChannel.objects.filter(campaign__in=campaigns).order_by("position", "id")
        for campaign_id, channel in rows.values_list("campaign_id", "channel"):
            names.setdefault(campaign_id, []).append(channel)
    return names


def advance(state: MessageState, report: DeliveryReport, channels: Sequence[str], now: datetime) -> MessageState:
    """Return the message as it is after this report; the order in which reports come makes no difference."""
    status = status_of(report, channels)
    channel = state.channel or (report.channel if status in DELIVERIES else "")
    state = state._replace(
        channel=channel,
        other_channels=with_end(state.other_channels, report, channel),
        message_id=state.message_id or report.message_id or None,
        accepted_at=state.accepted_at or (None if status == Message.Status.REJECTED else now),
        total_sms_parts=_highest(state.total_sms_parts, report.total_sms_parts),
        delivered_sms_parts=_highest(state.delivered_sms_parts, report.delivered_sms_parts),
        clicks=_highest(state.clicks, report.clicks),
        # A template that matched outweighs the 0 of another report, so that the order makes no difference.
        matching_template_id=_highest(state.matching_template_id, report.matching_template_id),
    )
    reported = _standing(report, status)
    current = Standing(state.status, state.reported_at, state.hyber_status, state.error_code, state.error_text)
    if not is_forward(current, reported):
        return state
    return state._replace(
        status=str(status),
        hyber_status=reported.hyber_status,
        error_code=reported.error_code,
        error_text="" if state.is_purged else reported.error_text,
        reported_at=reported.time,
        finished_at=(state.finished_at or now) if status in FINAL else None,
        given_up_at=None,
    )


def _standing(report: DeliveryReport, status: str) -> Standing:
    if status in FAILURES:
        return Standing(status, report.time, report.hyber_status, report.code, report.error_text[:TEXT_LIMIT])
    return Standing(status, report.time, report.hyber_status, None, "")


def _highest(old: int | None, new: int | None) -> int | None:
    known = [value for value in (old, new) if value is not None and value >= 0]
    return max(known, default=None)


def with_end(others: str, report: DeliveryReport, winner: str) -> str:
    """Add what a report says about its channel; the order in which reports come makes no difference.

    ``winner`` is the channel of the message, which is not among the others.
    """
    status = end_of(report)
    if status is None or not report.channel or not report.channel.replace("-", "").isalnum():
        return others
    ends = read_ends(others)
    ends[report.channel] = max(ends.get(report.channel, status), status, key=ENDS.index)
    ends.pop(winner, None)
    return _written(ends, otherwise=others)


def with_winner(state: MessageState, winner: str) -> MessageState:
    """Return the message with another one of the channels that delivered it as its own."""
    if winner == state.channel:
        return state
    ends = read_ends(state.other_channels) | {state.channel: Message.Status.DELIVERED}
    ends.pop(winner, None)
    return state._replace(channel=winner, other_channels=_written(ends, otherwise=state.other_channels))


def read_ends(others: str) -> dict[str, Message.Status]:
    """Return how each other channel ended; ``others`` is ``sms:delivered,viber:expired``, sorted by channel."""
    pairs = (item.partition(":") for item in others.split(",") if item)
    return {channel: Message.Status(status) for channel, _colon, status in pairs}


def also_delivered(others: str) -> list[str]:
    """Return the other channels that delivered the message too."""
    return [channel for channel, status in read_ends(others).items() if status == Message.Status.DELIVERED]


def _written(ends: Mapping[str, str], *, otherwise: str) -> str:
    text = ",".join(f"{channel}:{ended}" for channel, ended in sorted(ends.items()))
    return text if len(text) <= LONGEST_OTHERS else otherwise

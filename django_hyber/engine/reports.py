"""Delivery reports: stored as they came, matched, applied forward only, in bulk.

A list of reports takes a constant number of statements, whatever its length up to ``CHUNK``; nothing is done per row
but a few comparisons in Python.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from django.db import DatabaseError
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from django_hyber.conf import Account, get_accounts
from django_hyber.engine.bulk import insert_rows, update_rows
from django_hyber.engine.notifications import Change, announce_changes
from django_hyber.engine.ranks import DELIVERIES, FAILURES, FINAL, STATUS_OF_STATE, Standing, is_forward, status_of
from django_hyber.engine.transactions import write_transaction
from django_hyber.models import CampaignChannel, Message, UnreadableCallback
from django_hyber.models import DeliveryReport as StoredReport
from django_hyber.protocol import DeliveryReport, clean_text, fingerprint, parse_report, write_json

CHUNK = 5_000
#: Characters of an unreadable body in one row. MariaDB takes 16 MB in a statement, and a body may be longer.
PIECE = 1_000_000
#: The platform's ``status`` of a delivered message.
DELIVERED = 2
Item = TypeVar("Item")


@dataclass(kw_only=True)
class Applied:
    """What became of a list of reports, in numbers of reports; ``changed`` counts messages."""

    stored: int = 0
    repeated: int = 0
    matched: int = 0
    unknown: int = 0
    changed: int = 0


class State(NamedTuple):
    """The columns of a message that reports can change."""

    id: int
    campaign_id: int | None
    message_id: str | None
    status: str
    channel: str
    hyber_status: int | None
    error_code: int | None
    error_text: str
    total_sms_parts: int | None
    delivered_sms_parts: int | None
    clicks: int | None
    accepted_at: datetime | None
    reported_at: datetime | None
    finished_at: datetime | None


CHANGING = ("id", *State._fields[2:])
STORED_COLUMNS = (
    "message_id",
    "account",
    "fingerprint",
    "hyber_message_id",
    "extra_id",
    "phone_number",
    "channel",
    "status",
    "hyber_status",
    "error_code",
    "reported_at",
    "received_at",
    "raw",
)


def apply_reports(account: Account, reports: Sequence[DeliveryReport], using: str) -> Applied:
    """Store the reports and move their messages forward. Reports of unknown messages wait for them."""
    total = Applied()
    for chunk in _chunks(reports):
        _apply_chunk(account, chunk, using, total)
    return total


def apply_waiting_reports(account: Account, message_ids: Sequence[str], using: str) -> Applied:
    """Apply the reports that came before their message was known by these ids."""
    total = Applied()
    for chunk in _chunks(message_ids):
        waiting = StoredReport.objects.using(using).filter(message=None, hyber_message_id__in=chunk)
        _apply_stored(account, waiting.values_list("raw", flat=True), using, total)
    return total


def rematch_reports(using: str) -> Applied:
    """Match the waiting reports whose message has turned up meanwhile, or whose first application was cut off."""
    total = Applied()
    by_extra_id = Message.objects.filter(extra_id=OuterRef("extra_id"))
    by_message_id = Message.objects.filter(message_id=OuterRef("hyber_message_id"))
    waiting = StoredReport.objects.using(using).filter(message=None)
    found = waiting.filter(Q(Exists(by_extra_id), extra_id__gt="") | Q(Exists(by_message_id), hyber_message_id__gt=""))
    for account in get_accounts():
        raws = found.filter(account=account.name).values_list("raw", flat=True)
        _apply_stored(account, raws[:CHUNK], using, total)
    return total


def store_unreadable(kind: str, account: Account, items: Iterable[tuple[object, str]], using: str) -> int:
    """Keep what could not be understood, with the reason, for a person to look at; what is long in several pieces."""
    now = timezone.now()
    rows = [
        (kind, account.name, piece, note[:255], now)
        for item, reason in items
        for piece, note in _pieces(item if isinstance(item, str) else write_json(item), reason)
    ]
    return insert_rows(UnreadableCallback, ("kind", "account", "body", "reason", "received_at"), rows, using)


def _pieces(text: str, reason: str) -> Iterator[tuple[str, str]]:
    text = clean_text(text)
    count = max(1, math.ceil(len(text) / PIECE))
    for number in range(count):
        note = reason if count == 1 else f"{reason} (part {number + 1} of {count})"
        yield text[number * PIECE : (number + 1) * PIECE], note


def _apply_stored(account: Account, raws: Iterable[Any], using: str, total: Applied) -> None:
    reports = [parse_report(raw, seen_codes=account.seen_codes) for raw in raws]
    if reports:
        _store_and_advance(account, reports, using, total)


def _apply_chunk(account: Account, reports: Sequence[DeliveryReport], using: str, total: Applied) -> None:
    try:
        unmatched = _store_and_advance(account, reports, using, total)
    except DatabaseError:
        # What cannot be applied is kept all the same: the sweep, or the sender's next try, finds it waiting.
        _store(account, [(None, report) for report in reports], using)
        raise
    # A message that was being written while its report came is there by now, or its writer finds the report waiting.
    if unmatched and _match(unmatched, using):
        late = Applied()
        _store_and_advance(account, unmatched, using, late)
        total.matched += late.matched
        total.unknown -= late.matched
        total.changed += late.changed


def _store_and_advance(
    account: Account, reports: Sequence[DeliveryReport], using: str, total: Applied
) -> list[DeliveryReport]:
    """Store what is new, move the messages forward, and return the reports whose message is not known."""
    matches = _match(reports, using)
    matched = {id(report): pk for pk, group in matches.items() for report in group}
    with write_transaction(using):
        states = _lock(matches, using) if matches else []
        stored = _store(account, [(matched.get(id(report)), report) for report in reports], using)
        if stored < len(reports) and matches:
            _link(account, matches, using)
        changes = _advance_messages(account, states, matches, using)
        announce_changes(changes, using)
    total.stored += stored
    total.repeated += len(reports) - stored
    total.matched += len(matched)
    total.unknown += len(reports) - len(matched)
    total.changed += len(changes)
    return [report for report in reports if id(report) not in matched]


def _store(account: Account, reports: Sequence[tuple[int | None, DeliveryReport]], using: str) -> int:
    now = timezone.now()
    rows = [
        (
            pk,
            account.name,
            fingerprint(report, account.name),
            report.message_id,
            report.extra_id,
            report.phone_number,
            report.channel,
            report.status,
            report.hyber_status,
            report.error_code,
            report.time,
            now,
            report.raw,
        )
        for pk, report in reports
    ]
    # In one order everywhere: two clients that post the same reports must not wait for each other in a circle.
    rows.sort(key=itemgetter(2))
    return insert_rows(StoredReport, STORED_COLUMNS, rows, using)


def _advance_messages(
    account: Account, states: Sequence[State], matches: Mapping[int, Sequence[DeliveryReport]], using: str
) -> list[Change]:
    channels = channels_of(states, matches, using)
    advanced = [_advance_all(state, matches[state.id], channels[state.id]) for state in states]
    contested = {state.id for state in advanced if _is_contested(state, matches[state.id])}
    if contested:
        winners = _first_channels(account, contested, using)
        advanced = [state._replace(channel=winners.get(state.id, state.channel)) for state in advanced]
    update_rows(Message, CHANGING, _different(states, advanced), using)
    return [
        Change(new.id, old.status, new.status, _winner(new, matches[new.id]))
        for old, new in zip(states, advanced, strict=True)
        if old.status != new.status
    ]


def _match(reports: Sequence[DeliveryReport], using: str) -> dict[int, list[DeliveryReport]]:
    """Find each report's message: by the platform's id, else by ours."""
    by_message_id = primary_keys("message_id", {report.message_id for report in reports}, using)
    rest = {report.extra_id for report in reports if report.message_id not in by_message_id}
    by_extra_id = primary_keys("extra_id", rest, using)
    matches: dict[int, list[DeliveryReport]] = {}
    for report in reports:
        pk = by_message_id.get(report.message_id) or by_extra_id.get(report.extra_id)
        if pk is not None:
            matches.setdefault(pk, []).append(report)
    return matches


def primary_keys(column: str, values: set[str], using: str) -> dict[str, int]:
    """Return the primary keys of the messages whose ``message_id`` or ``extra_id`` is one of the values."""
    values.discard("")
    if not values:
        return {}
    found = Message.objects.using(using).filter(**{f"{column}__in": values})
    return dict(found.values_list(column, "pk"))


def _lock(matches: Mapping[int, object], using: str) -> list[State]:
    rows = Message.objects.using(using).filter(pk__in=list(matches)).order_by("pk").select_for_update()
    return [State(*row) for row in rows.values_list(*State._fields)]


def channels_of(
    states: Sequence[State], matches: Mapping[int, Sequence[DeliveryReport]], using: str
) -> dict[int, Sequence[str]]:
    """Return the channels of each message, in order; only failures need them, so only theirs are read."""
    failed = [state for state in states if any(status_of(report, ()) in FAILURES for report in matches[state.id])]
    campaigns = _campaign_channels({state.campaign_id for state in failed if state.campaign_id}, using)
    singles = [state.id for state in failed if not state.campaign_id]
    contents = dict(Message.objects.using(using).filter(pk__in=singles).values_list("pk", "content")) if singles else {}
    channels: dict[int, Sequence[str]] = dict.fromkeys((state.id for state in states), ())
    for state in failed:
        if state.campaign_id:
            channels[state.id] = campaigns.get(state.campaign_id, ())
        else:
            channels[state.id] = (contents.get(state.id) or {}).get("channels", ())
    return channels


def _campaign_channels(campaigns: set[int], using: str) -> dict[int, list[str]]:
    names: dict[int, list[str]] = {}
    if campaigns:
        rows = CampaignChannel.objects.using(using).filter(campaign__in=campaigns).order_by("position", "id")
        for campaign_id, channel in rows.values_list("campaign_id", "channel"):
            names.setdefault(campaign_id, []).append(channel)
    return names


def _advance_all(state: State, reports: Iterable[DeliveryReport], channels: Sequence[str]) -> State:
    for report in reports:
        state = advance(state, report, channels)
    return state


def advance(state: State, report: DeliveryReport, channels: Sequence[str]) -> State:
    """Return the message as it is after this report; the order in which reports come makes no difference."""
    status = status_of(report, channels)
    state = state._replace(
        message_id=state.message_id or report.message_id or None,
        accepted_at=state.accepted_at or (None if status == Message.Status.REJECTED else timezone.now()),
        total_sms_parts=_highest(state.total_sms_parts, report.total_sms_parts),
        delivered_sms_parts=_highest(state.delivered_sms_parts, report.delivered_sms_parts),
        clicks=_highest(state.clicks, report.clicks),
    )
    if status in DELIVERIES and not state.channel:
        state = state._replace(channel=report.channel)
    told = _standing(report, status)
    now_at = Standing(state.status, state.reported_at, state.hyber_status, state.error_code, state.error_text)
    if not is_forward(now_at, told):
        return state
    return state._replace(
        status=str(status),
        hyber_status=told.hyber_status,
        error_code=told.error_code,
        error_text=told.error_text,
        reported_at=told.time,
        finished_at=(state.finished_at or timezone.now()) if status in FINAL else None,
    )


def _standing(report: DeliveryReport, status: str) -> Standing:
    if status in FAILURES:
        return Standing(status, report.time, report.hyber_status, _error_code(report), report.error_text[:255])
    return Standing(status, report.time, report.hyber_status, None, "")


def _is_contested(state: State, reports: Iterable[DeliveryReport]) -> bool:
    """Say whether another channel than the message's says that it delivered too."""
    return any(
        report.channel != state.channel and report.channel and STATUS_OF_STATE[report.state] in DELIVERIES
        for report in reports
    )


def _first_channels(account: Account, pks: Iterable[int], using: str) -> dict[int, str]:
    """Return which channel won, where several delivered: seen over delivered, then the earliest in the history."""
    told = StoredReport.objects.using(using).filter(message__in=pks, channel__gt="")
    delivered = told.filter(Q(status=DELIVERED) | Q(hyber_status__in=account.seen_codes))
    first: dict[Any, tuple[Any, ...]] = {}
    for pk, channel, code, time in delivered.values_list("message", "channel", "hyber_status", "reported_at"):
        order = (code not in account.seen_codes, time is None, time, channel)
        first[pk] = min(first.get(pk, order), order)
    return {pk: order[-1] for pk, order in first.items()}


def _error_code(report: DeliveryReport) -> int | None:
    # One number space: a callback gives as hyber_status what a campaign status gives as error_code.
    return report.hyber_status if report.error_code is None else report.error_code


def _highest(old: int | None, new: int | None) -> int | None:
    known = [value for value in (old, new) if value is not None and value >= 0]
    return max(known, default=None)


def _different(states: Sequence[State], advanced: Sequence[State]) -> list[tuple[Any, ...]]:
    return [(new.id, *new[2:]) for old, new in zip(states, advanced, strict=True) if old != new]


def _winner(state: State, reports: Sequence[DeliveryReport]) -> DeliveryReport:
    """Return the report that the status comes from, for the signal."""
    for report in reports:
        if (report.time, report.hyber_status) == (state.reported_at, state.hyber_status):
            return report
    return reports[-1]


def _link(account: Account, matches: Mapping[int, Sequence[DeliveryReport]], using: str) -> None:
    pairs = {fingerprint(report, account.name): pk for pk, reports in matches.items() for report in reports}
    waiting = StoredReport.objects.using(using).filter(fingerprint__in=pairs, message=None)
    rows = [(pk, pairs[mark]) for pk, mark in waiting.order_by("pk").values_list("pk", "fingerprint")]
    update_rows(StoredReport, ("id", "message_id"), rows, using)


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]

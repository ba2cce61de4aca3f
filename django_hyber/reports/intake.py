"""Delivery reports: stored as they came, matched, applied forward only, in bulk.

A list of reports takes a constant number of statements, whatever its length up to ``CHUNK``; nothing is done per row
but a few comparisons in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import itemgetter
from typing import Any, TypeVar

from django.db import DatabaseError
from django.db.models import Q

from django_hyber.announce import Change, announce_changes
from django_hyber.codes import DELIVERED, with_stored_codes
from django_hyber.conf import DEFAULT_ACCOUNT, Account, get_account
from django_hyber.db.bulk import CHUNK, insert_rows, update_rows
from django_hyber.db.clock import awaited_time, database_time
from django_hyber.db.transactions import insisting, write_transaction
from django_hyber.models import DeliveryReport as StoredReport
from django_hyber.models import Message, UnreadableCallback
from django_hyber.protocol import DeliveryReport, fingerprint, parse_reports
from django_hyber.reports.acceptance import Doubted, note_proof
from django_hyber.reports.anonymous import anonymize_reports
from django_hyber.reports.matching import (
    Marked,
    Matches,
    find_messages,
    group_by_message,
    is_of_one_message,
    lock_by_ids,
    lock_by_keys,
)
from django_hyber.reports.outcome import (
    CHANGING,
    MessageState,
    advance,
    changed_columns,
    channels_of,
    is_about,
    with_winner,
)
from django_hyber.reports.quota import may_keep_unmatched
from django_hyber.reports.ranks import DELIVERIES, STATUS_OF_STATE
from django_hyber.reports.unreadable import keep_unreadable_items

CallbackKind = UnreadableCallback.Kind
#: Items that are parsed before they are stored, so that memory does not grow with the body.
READ_AT_ONCE = 50_000
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
Item = TypeVar("Item")


@dataclass(kw_only=True)
class Applied:
    """The result of an intake. All numbers count reports, except ``changed``, which counts messages.

    ``received`` = ``stored`` + ``repeated`` + ``unreadable``; of the readable ones ``unknown`` wait for their message.
    """

    received: int = 0
    stored: int = 0
    repeated: int = 0
    unreadable: int = 0
    matched: int = 0
    unknown: int = 0
    changed: int = 0

    def add(self, part: Applied) -> None:
        """Add the numbers of a part."""
        for name in vars(part):
            setattr(self, name, getattr(self, name) + getattr(part, name))


def apply_delivery_reports(raw_reports: Sequence[object], account: str = DEFAULT_ACCOUNT) -> Applied:
    """Store delivery reports as they came and move their messages forward.

    Takes the dicts of any of the platform's spellings: callbacks, simple and detailed reports, campaign status. Repeats
    and late reports change nothing; unreadable items are stored separately and do not affect the others.

    Raises DatabaseError if some could not be applied; the remaining ones are stored nevertheless.
    """
    items = raw_reports if isinstance(raw_reports, list) else list(raw_reports)
    settings, total = with_stored_codes(get_account(account)), Applied(received=len(items))
    failure: DatabaseError | None = None
    for start in range(0, len(items), READ_AT_ONCE):
        try:
            parsed = parse_reports(items[start : start + READ_AT_ONCE], seen_codes=settings.seen_codes)
            keep_unreadable_items(CallbackKind.REPORTS, settings, parsed.unreadable)
            total.unreadable += len(parsed.unreadable)
            apply_reports(settings, parsed.reports, total)
        except DatabaseError as error:
            failure = failure or error
    if failure:
        raise failure
    return total


def apply_reports(account: Account, reports: Sequence[DeliveryReport], total: Applied | None = None) -> Applied:
    """Store the reports and move their messages forward. Reports of unknown messages wait for them.

    Raises DatabaseError if some could not be applied; the remaining ones are stored nevertheless.
    """
    total = total or Applied()
    failure: DatabaseError | None = None
    for chunk in chunks(reports):
        try:
            _apply_chunk(account, [Marked(fingerprint(report, account.name), report) for report in chunk], total)
        except DatabaseError as error:
            failure = failure or error
    if failure:
        raise failure
    return total


def apply_stored(account: Account, waiting: Sequence[Marked], total: Applied) -> None:
    """Apply stored reports that waited for their message, if it is known now.

    Reports about an earlier run of a message become part of its history and change nothing.
    """
    total.add(_apply_stored(account, waiting))


@insisting
def _apply_stored(account: Account, waiting: Sequence[Marked]) -> Applied:
    found = find_messages(account, waiting)
    if not found.matches and not found.former:
        return Applied()
    with write_transaction():
        states = lock_by_keys(found.matches.keys() | found.former.keys())
        # A concurrent callback may have given a message its id since, or a report its message.
        matches = {
            state.id: reports
            for state in states
            if (reports := found.matches.get(state.id)) and _may_still_be_of(state, reports)
        }
        owners = _owners(matches) | _owners(found.former)
        linked = _link({item.fingerprint: owners[id(item.report)] for item in waiting if id(item.report) in owners})
        is_ours = {id(item.report) for item in waiting if item.fingerprint in linked}
        matches = {pk: own for pk, group in matches.items() if (own := [item for item in group if id(item) in is_ours])}
        _anonymize_late(states)
        ours = [state for state in states if state.id in matches]
        changed = _advance(account, ours, matches, database_time())
    return Applied(matched=len(owners), unknown=-len(owners), changed=changed)


def _apply_chunk(account: Account, reports: Sequence[Marked], total: Applied) -> None:
    now = awaited_time()
    try:
        applied, unmatched = _store_and_advance(account, reports, now)
    except DatabaseError:
        # Store the reports nevertheless: a sweep, or the sender's next attempt, applies them.
        insisting(_store)(account, reports, {}, now)
        raise
    total.add(applied)
    # A message that was stored concurrently exists by now, or its writer finds the waiting report.
    if unmatched:
        apply_stored(account, unmatched, total)
        _limit_unmatched(account, unmatched, now)


def _limit_unmatched(account: Account, unmatched: Sequence[Marked], since: datetime) -> None:
    """Delete the reports that have come now without a message, if the account has too many of them today.

    If one of them came before its message was known, it is queried once it is overdue.
    """
    marks = [item.fingerprint for item in unmatched]
    waiting = StoredReport.objects.filter(message=None, fingerprint__in=marks, received_at__gte=since)
    count = waiting.count()
    if count and not may_keep_unmatched(account.name, count):
        waiting.delete()


@insisting
def _store_and_advance(account: Account, reports: Sequence[Marked], now: datetime) -> tuple[Applied, list[Marked]]:
    """Store new reports, move their messages forward, and return the reports that match no message by id."""
    with write_transaction():
        states = lock_by_ids([item.report for item in reports])
        matches = group_by_message(
            [(state.id, state.extra_id, state.message_id) for state in states], [item.report for item in reports]
        )
        matched = _owners(matches)
        stored = _store(account, reports, matched, now)
        if stored < len(reports) and matched:
            _link({item.fingerprint: matched[id(item.report)] for item in reports if id(item.report) in matched})
        _anonymize_late(states)
        changed = _advance(account, [state for state in states if state.id in matches], matches, now)
    unmatched = [item for item in reports if id(item.report) not in matched]
    if stored < len(reports) and unmatched:
        unmatched = _still_waiting(unmatched, now)
    applied = Applied(
        stored=stored,
        repeated=len(reports) - stored,
        matched=len(reports) - len(unmatched),
        unknown=len(unmatched),
        changed=changed,
    )
    return applied, unmatched


def _still_waiting(reports: Sequence[Marked], now: datetime) -> list[Marked]:
    """Return the reports without a message, each with the time at which it came first, if that was before now.

    A report that was matched before is about that message, and a repetition of it never about the next one.
    """
    stored = StoredReport.objects.filter(fingerprint__in={item.fingerprint for item in reports}, message=None)
    first = {
        mark: moment if moment < now else None for mark, moment in stored.values_list("fingerprint", "received_at")
    }
    return [item._replace(received_at=first[item.fingerprint]) for item in reports if item.fingerprint in first]


def _owners(matches: Matches) -> dict[int, int]:
    """Return the primary key of the message by the identity of the report."""
    return {id(report): pk for pk, reports in matches.items() for report in reports}


def _may_still_be_of(state: MessageState, reports: Iterable[DeliveryReport]) -> bool:
    nameless = [report for report in reports if report.extra_id != state.extra_id]
    return is_of_one_message(nameless, state.message_id)


def _store(account: Account, reports: Sequence[Marked], owners: Mapping[int, int], now: datetime) -> int:
    rows = [
        (
            owners.get(id(report)),
            account.name,
            mark,
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
        for mark, report, _received_at in reports
    ]
    # Always in the same order: two clients that post the same reports must not deadlock.
    rows.sort(key=itemgetter(2))
    return insert_rows(StoredReport, STORED_COLUMNS, rows)


def _link(owners: Mapping[str, int]) -> set[str]:
    """Give stored reports that are still waiting their message, by fingerprint, and return which ones."""
    waiting = StoredReport.objects.filter(fingerprint__in=owners, message=None).order_by("pk").select_for_update()
    found = list(waiting.values_list("pk", "fingerprint"))
    update_rows(StoredReport, ("id", "message_id"), [(pk, owners[mark]) for pk, mark in found])
    return {mark for _pk, mark in found}


def _anonymize_late(states: Iterable[MessageState]) -> None:
    """Remove the personal data from reports that came after that of their message was removed."""
    purged = [state.id for state in states if state.is_purged]
    if purged:
        anonymize_reports(StoredReport.objects.filter(message__in=purged).exclude(raw={}))


def _advance(account: Account, states: Sequence[MessageState], matches: Matches, now: datetime) -> int:
    """Move the messages forward, announce it, and return how many have another status now."""
    channels = channels_of(states, matches)
    advanced = [
        reduce(lambda state, report: advance(state, report, channels[state.id], now), matches[state.id], state)
        for state in states
    ]
    contested = {state.id: state for state in advanced if _is_contested(state, matches[state.id])}
    if contested:
        winners = _first_channels(account, contested)
        advanced = [with_winner(state, winners.get(state.id, state.channel)) for state in advanced]
    update_rows(Message, CHANGING, changed_columns(states, advanced))
    doubted = [
        Doubted(state.campaign_id, state.id, state.phone_number, state.doubted_at)
        for state in states
        if state.doubted_at and state.campaign_id
    ]
    if doubted:
        note_proof(doubted)
    changes = [
        Change(new.id, old.status, new.status, _winner(new, matches[new.id]), account.name)
        for old, new in zip(states, advanced, strict=True)
        if old.status != new.status
    ]
    announce_changes(changes)
    return len(changes)


def _is_contested(state: MessageState, reports: Iterable[DeliveryReport]) -> bool:
    """Return whether a report of another channel than the message's says that it delivered too."""
    return any(
        report.channel != state.channel and report.channel and STATUS_OF_STATE[report.state] in DELIVERIES
        for report in reports
    )


def _first_channels(account: Account, states: Mapping[int, MessageState]) -> dict[int, str]:
    """Return which channel won, where several delivered: seen over delivered, then the earliest in the history."""
    history = StoredReport.objects.filter(message__in=states, channel__gt="")
    delivered = history.filter(Q(status=DELIVERED) | Q(hyber_status__in=account.seen_codes))
    columns = ("message", "extra_id", "hyber_message_id", "channel", "hyber_status", "reported_at")
    first: dict[Any, tuple[Any, ...]] = {}
    for pk, extra_id, message_id, channel, code, time in delivered.values_list(*columns):
        if is_about(states[pk], extra_id, message_id):
            order = (code not in account.seen_codes, time is None, time, channel)
            first[pk] = min(first.get(pk, order), order)
    return {pk: order[-1] for pk, order in first.items()}


def _winner(state: MessageState, reports: Sequence[DeliveryReport]) -> DeliveryReport:
    """Return the report that the status comes from, for the signal."""
    for report in reports:
        if (report.time, report.hyber_status) == (state.reported_at, state.hyber_status):
            return report
    return reports[-1]


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Cut into pieces of CHUNK."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]

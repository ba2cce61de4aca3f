"""Statuses computed again from the stored reports, and compared with those of the messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

from django.db.models import Count, Q
from django.utils import timezone

from django_hyber.codes import with_stored_codes
from django_hyber.conf import Account, account_names, find_accounts
from django_hyber.db.bulk import campaign_pages, table_pages
from django_hyber.models import Campaign, Message
from django_hyber.models import DeliveryReport as StoredReport
from django_hyber.protocol import DeliveryReport, ReportState, UnreadableReport, parse_report
from django_hyber.reports.early import rematch_reports
from django_hyber.reports.intake import apply_reports
from django_hyber.reports.outcome import MessageState, advance, channels_of, is_about, with_winner
from django_hyber.reports.ranks import DELIVERIES, FAILURES, STATUS_OF_STATE

PAGE = 2_000
LISTED = 20
COLUMNS = MessageState._fields[1:]
Status = Message.Status


@dataclass(kw_only=True)
class Recount:
    """Messages by status, and how they differ from what their reports say.

    ``statuses`` adds up to ``total``. Of the messages with reports, ``checked`` were compared; ``skipped`` have reports
    that have been purged, or whose account is missing or invalid. ``listed`` are the extra ids of the first
    ``differences``; ``moved`` are those that were moved forward. ``broken_accounts`` are the names of the accounts with
    invalid settings.
    """

    total: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    checked: int = 0
    skipped: int = 0
    differences: int = 0
    listed: list[str] = field(default_factory=list)
    moved: int = 0
    broken_accounts: Sequence[str] = ()


class Difference(NamedTuple):
    """A message that differs from its reports."""

    state: MessageState
    reports: Sequence[tuple[str, DeliveryReport]]


def recount(campaign: Campaign | None = None, *, reclassify: bool = False) -> Recount:
    """Compute the statuses of messages from the stored reports, by the current SEEN_CODES, and compare.

    ``reclassify`` moves forward the messages that differ, with the usual signals, and matches reports whose message has
    been stored since. Nothing is moved back.
    """
    campaign_pk = campaign.pk if campaign else None
    accounts = {account.name: with_stored_codes(account) for account in find_accounts()}
    found = Recount(broken_accounts=[name for name in account_names() if name not in accounts])
    if reclassify:
        rematch_reports()
    for states in _pages(campaign_pk):
        differences = _compare(states, accounts, found)
        if differences:
            # A report may have arrived between reading the messages and reading the reports.
            rows = Message.objects.filter(pk__in=[item.state.id for item in differences]).order_by("pk")
            again = [MessageState(*row) for row in rows.values_list("pk", *COLUMNS)]
            differences = _compare(again, accounts, Recount())
        found.differences += len(differences)
        found.listed += [item.state.extra_id for item in differences[: LISTED - len(found.listed)]]
        if reclassify:
            found.moved += _apply(differences, accounts)
    found.total, found.statuses = _count(campaign_pk)
    return found


def _count(campaign_pk: int | None) -> tuple[int, dict[str, int]]:
    messages = Message.objects.all()
    if campaign_pk is not None:
        messages = messages.filter(campaign=campaign_pk)
    numbers = messages.aggregate(
        total=Count("pk"), **{status: Count("pk", filter=Q(status=status)) for status in Status.values}
    )
    return numbers.pop("total"), numbers


def _pages(campaign_pk: int | None) -> Iterator[list[MessageState]]:
    messages = Message.objects.all()
    if campaign_pk is None:
        pages = table_pages(messages, PAGE, *COLUMNS)
    else:
        pages = campaign_pages(messages.filter(campaign=campaign_pk), PAGE, *COLUMNS)
    for page in pages:
        yield [MessageState(*row) for row in page]


def _compare(states: Sequence[MessageState], accounts: Mapping[str, Account], found: Recount) -> list[Difference]:
    histories, unreadable = _histories(states, accounts)
    found.skipped += len(unreadable)
    found.checked += len(histories)
    reports = {pk: [report for _account, report in history] for pk, history in histories.items()}
    states = [state for state in states if state.id in histories]
    channels = channels_of(states, reports)
    return [
        Difference(state, histories[state.id])
        for state in states
        if _computed(state, reports[state.id], channels[state.id]) != state
    ]


def _histories(
    states: Sequence[MessageState], accounts: Mapping[str, Account]
) -> tuple[dict[int, list[tuple[str, DeliveryReport]]], set[int]]:
    """Return (account, report) by message, and the messages of which a report cannot be read again."""
    pks = [state.id for state in states]
    # The range is redundant, but without it PostgreSQL scans a table that has no statistics yet.
    stored = StoredReport.objects.filter(message__gte=pks[0], message__lte=pks[-1], message__in=pks)
    histories: dict[int, list[tuple[str, DeliveryReport]]] = {}
    unreadable = set()
    for pk, name, raw in stored.order_by("pk").values_list("message_id", "account", "raw"):
        report = _parse(raw, accounts.get(name))
        if report is None:
            unreadable.add(pk)
        else:
            histories.setdefault(pk, []).append((name, report))
    for pk in unreadable:
        histories.pop(pk, None)
    return histories, unreadable


def _parse(raw: object, account: Account | None) -> DeliveryReport | None:
    if account is None:
        return None
    try:
        return parse_report(raw, seen_codes=account.seen_codes)
    except UnreadableReport:
        return None


def _computed(state: MessageState, reports: Sequence[DeliveryReport], channels: Sequence[str]) -> MessageState:
    """Return the message as its reports have it; those of an earlier run are history."""
    current = [report for report in reports if is_about(state, report.extra_id, report.message_id)]
    before, now = _before(state, is_first_run=len(current) == len(reports)), timezone.now()
    computed = reduce(lambda state, report: advance(state, report, channels, now), current, before)
    # When a message ended is by our own clock, and cannot be computed.
    computed = computed._replace(finished_at=computed.finished_at and (state.finished_at or computed.finished_at))
    return with_winner(computed, _winner(current)) if computed.status in DELIVERIES else computed


def _before(state: MessageState, *, is_first_run: bool) -> MessageState:
    """Undo what reports have changed; a failure without a time comes from us or from the answer to our request."""
    if is_first_run:
        state = state._replace(
            other_channels="", total_sms_parts=None, delivered_sms_parts=None, clicks=None, matching_template_id=None
        )
    if state.status in DELIVERIES or (state.status in FAILURES and state.reported_at):
        return state._replace(
            status=Status.ACCEPTED.value,
            channel="",
            hyber_status=None,
            error_code=None,
            error_text="",
            reported_at=None,
        )
    return state


def _winner(reports: Sequence[DeliveryReport]) -> str:
    """Return the channel that won: seen over delivered, then the earliest."""
    delivered = [report for report in reports if report.channel and STATUS_OF_STATE[report.state] in DELIVERIES]
    order = [(item.state is not ReportState.SEEN, item.time is None, item.time, item.channel) for item in delivered]
    return min(order)[-1] if order else ""


def _apply(differences: Sequence[Difference], accounts: Mapping[str, Account]) -> int:
    by_account: dict[str, list[DeliveryReport]] = {}
    for difference in differences:
        for name, report in difference.reports:
            by_account.setdefault(name, []).append(report)
    return sum(apply_reports(accounts[name], reports).changed for name, reports in by_account.items())

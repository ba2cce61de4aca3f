"""Queries about messages with an unknown outcome.

A "not found" is compared with the answers to two control queries. The queries of an account are paused while the
platform does not answer.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from django.db.models import Q, QuerySet

from django_hyber.codes import with_stored_codes
from django_hyber.conf import Account
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import insisting
from django_hyber.models import ANSWER_LIMIT, AccountState, Batch, Message
from django_hyber.models.message import new_extra_id
from django_hyber.protocol import HyberClient, HyberError, ReportNotFound, is_plain_id, parse_reports
from django_hyber.reconcile.proof import Answer, Controls, Known, QueryResult, judge, query_interval
from django_hyber.reconcile.report_queries import claim_query
from django_hyber.reports.intake import apply_reports
from django_hyber.sending.exchange import get_client
from django_hyber.sending.pace.pauses import note_answer, note_failure, paused_until

logger = logging.getLogger("django_hyber")
Status = Message.Status
REPORTS = AccountState.Host.REPORTS
#: How long other queries may reuse the control answers of one query.
CONTROLS_VALID_FOR = timedelta(seconds=5)
#: How long the platform keeps reports is not documented, so only recent messages are used as controls.
RECENT = timedelta(days=3)
#: Several messages are tried, because the report of a single one may be missing for an unrelated reason.
CANDIDATES = 3
#: The last request may be one that the platform is still processing, so earlier ones are looked at too.
AGES = tuple(timedelta(minutes=minutes) for minutes in (0, 10, 60, 6 * 60, 24 * 60))
IDS = ("extra_id", "message_id")
#: The last control answers that each client got, and when, for single messages (False) and those of campaigns (True). A
#: client belongs to one thread and one set of addresses.
_shared: WeakKeyDictionary[HyberClient, dict[bool, tuple[datetime, Controls]]] = WeakKeyDictionary()
ACCEPTED_STATUSES = (Status.ACCEPTED, Status.DELIVERED, Status.SEEN, Status.EXPIRED, Status.UNDELIVERED)


@insisting
def claim_outcome_query(
    doubted: QuerySet[Message] | QuerySet[Batch], account: Account, row: Message | Batch, now: datetime
) -> bool:
    """Claim the next query of a row. Return False if another worker claimed it or the account is paused."""
    until = paused_until(account.name, REPORTS, now)
    if until:
        doubted.update(due_at=until, enqueued_at=None)
        return False
    return claim_query(doubted, now + query_interval(account.ask_every, now - (row.doubted_at or now)))


def query_outcome(
    account: Account, extra_id: str, sender: str, queried_at: datetime, *, in_campaign: bool
) -> tuple[Answer | None, QueryResult]:
    """Query the outcome of a message by our own id. A report in the answer is applied.

    The first result is None if the message was found, which proves that the platform accepted it. ``sender`` is that
    of its request: if the account has another one now, "not found" proves nothing. ``in_campaign`` is whether it was
    sent through the host of campaigns.
    """
    result = query_report(account, extra_id)
    if result.is_found:
        return None, result
    if not result.is_not_found:
        return Answer.NO_ANSWER, result
    if sender != account.sender:
        return Answer.OTHER_CLIENT, result
    if not is_plain_id(extra_id):
        # The controls have plain ids, so they do not show whether such a query reaches the platform.
        return Answer.UNUSUAL_ID, result
    return judge(result, _controls(account, queried_at, in_campaign=in_campaign)), result


def query_report(account: Account, extra_id: str) -> QueryResult:
    """Send one query and apply the report. A query without an answer may pause the account."""
    try:
        payload = get_client(account).fetch_report(extra_id=extra_id)
    except ReportNotFound as error:
        note_answer(account, REPORTS)
        return QueryResult(is_not_found=True, text=_describe(error))
    except HyberError as error:
        logger.info("No answer to the query about message %s: %s", extra_id, type(error).__name__)
        note_failure(account, REPORTS, error)
        return QueryResult(text=error.explanation)
    note_answer(account, REPORTS)
    account = with_stored_codes(account)
    found = parse_reports(payload, seen_codes=account.seen_codes).reports
    reports = [report for report in found if report.extra_id == extra_id]
    if not reports:
        return QueryResult(text="a report about another message")
    apply_reports(account, reports)
    return QueryResult(is_found=True)


def query_unknown_id(account: Account) -> QueryResult:
    """Query the report of an id that was never used (the first control)."""
    return query_report(account, new_extra_id())


def query_known_messages(account: Account, *, in_campaign: bool = False) -> Known:
    """Query messages that the platform has certainly accepted, until one is found (the second control).

    ``in_campaign`` prefers those of campaigns: the platform may be slower with them, or answer about single ones only.
    """
    known = Known.NONE
    for extra_id in (_known_in_campaigns(account) if in_campaign else ()) or _known_messages(account):
        result = query_report(account, extra_id)
        if result.is_found:
            return Known.FOUND
        if result.is_not_found:
            known = Known.NOT_FOUND
        elif known is Known.NONE:
            known = Known.NO_ANSWER
    return known


def _controls(account: Account, queried_at: datetime, *, in_campaign: bool) -> Controls:
    """Return the current control answers. Those to the last controls of the same client are reused for a while.

    Answers that another host got do not count: its REPORTS_URL or a proxy of it may be another one.
    """
    client = get_client(account)
    by_kind = _shared.setdefault(client, {})
    answered_at, shared = by_kind.get(in_campaign, (None, None))
    if answered_at and shared and answered_at >= queried_at - CONTROLS_VALID_FOR:
        return shared
    now = database_time()
    # A failed control makes the query itself useless, so it is repeated once.
    unknown = query_unknown_id(account)
    if not unknown.is_not_found and not unknown.is_found and not paused_until(account.name, REPORTS, database_time()):
        unknown = query_unknown_id(account)
    if not unknown.is_not_found:
        return Controls(unknown="", known=Known.NO_ANSWER)
    controls = Controls(unknown=unknown.text, known=query_known_messages(account, in_campaign=in_campaign))
    if controls.known is not Known.NO_ANSWER:
        by_kind[in_campaign] = (now, controls)
    return controls


def forget_controls() -> None:
    """Make the next query send its own control queries."""
    _shared.clear()


def _known_messages(account: Account) -> Sequence[str]:
    """Return the ids of a few accepted messages that are old enough for the platform to have a report."""
    now = database_time()
    known = Message.objects.filter(status__in=ACCEPTED_STATUSES, account=account.name, accepted_at__gte=now - RECENT)
    found: dict[str, bool] = {}
    for age in AGES:
        until = now - timedelta(seconds=account.not_found_grace) - age
        # Without the order by key as well, the index on account and time alone answers this.
        newest = known.filter(accepted_at__lte=until).order_by("-accepted_at")
        found |= {extra_id: bool(message_id) for extra_id, message_id in newest.values_list(*IDS)[:CANDIDATES]}
    chosen = random.sample(sorted(found), len(found))
    # Messages with an id of the platform go first: a job may not have processed the others yet.
    chosen.sort(key=lambda extra_id: not found[extra_id])
    return chosen[:CANDIDATES]


def _known_in_campaigns(account: Account) -> Sequence[str]:
    """Return the ids of a few messages of campaigns, each of another request, by the same ages.

    The platform itself has shown that it has them, by an id or a report, and this client has sent them.
    """
    now = database_time()
    sent = Batch.objects.filter(campaign__account=account.name, state=Batch.State.DONE, run__gt=0)
    sent = sent.filter(sender=account.sender, finished_at__gte=now - RECENT).order_by("-pk")
    requests: set[tuple[int, int, int]] = set()
    for age in AGES:
        until = now - timedelta(seconds=account.not_found_grace) - age
        requests.update(sent.filter(finished_at__lte=until).values_list("campaign", "first_id", "last_id")[:CANDIDATES])
    shown = Q(message_id__isnull=False) | Q(hyber_status__isnull=False)
    known = Message.objects.filter(shown, status__in=ACCEPTED_STATUSES)
    known = known.filter(accepted_at__lte=now - timedelta(seconds=account.not_found_grace)).order_by("pk")
    found: list[str] = []
    for campaign, first_id, last_id in random.sample(sorted(requests), len(requests)):
        members = known.filter(campaign=campaign, pk__gte=first_id, pk__lte=last_id)
        found += members.values_list("extra_id", flat=True)[:1]
        if len(found) == CANDIDATES:
            break
    return found


def _describe(error: ReportNotFound) -> str:
    code = "" if error.error_code is None else f", error {error.error_code}"
    return f"HTTP {error.http_status}{code}"[:ANSWER_LIMIT]

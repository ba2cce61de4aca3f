"""Reports that arrived before their message was known. They are applied once it is."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import DatabaseError
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, Sum, When
from django.db.models.functions import MD5, Coalesce

from django_hyber.codes import with_stored_codes
from django_hyber.conf import Account, find_account, find_accounts
from django_hyber.db.apart import apart
from django_hyber.db.bulk import CHUNK
from django_hyber.log_events import LogEvent, log_failure
from django_hyber.models import DeliveryReport, Message
from django_hyber.protocol import UnreadableReport, parse_report
from django_hyber.reports.intake import Applied, apply_reports, apply_stored, chunks
from django_hyber.reports.matching import AWAITING, REPORTABLE_FROM, TOLERANCE, UNNAMED, Marked

logger = logging.getLogger("django_hyber")
#: Reports without an id of ours, whose phone number matches exactly one message. Ambiguous ones are excluded: they
#: would be tried again in every sweep.
BY_PHONE = Q(extra_id="", phone_number__gt="") & (
    Q(hyber_message_id="", awaiting=1) | Q(hyber_message_id__gt="", unnamed=1)
)


def apply_waiting_reports(account: Account, message_ids: Sequence[str]) -> Applied:
    """Apply the reports that came before their message was known by these ids."""
    total = Applied()
    waiting = DeliveryReport.objects.filter(message=None, account=account.name)
    # Usually nothing waits, and ten thousand ids make a long query.
    if waiting.exists():
        for chunk in chunks(message_ids):
            _apply(account, waiting.filter(hyber_message_id__in=chunk), total)
    return total


def apply_waiting_or_leave(account: Account, message_ids: Sequence[str]) -> None:
    """Apply them as ``apply_waiting_reports`` does. If the database fails, leave them to the next sweep."""
    try:
        apply_waiting_reports(account, message_ids)
    except DatabaseError as error:
        text = "Early reports could not be applied; the next sweep applies them"
        log_failure(LogEvent.EARLY_REPORTS_DELAYED, error, text, account=account.name)


def rematch_reports(since: datetime | None = None) -> Applied:
    """Match the waiting reports whose message has been stored since, or whose first application was interrupted.

    With ``since``, only those received from then on: if another system uses the same account, its reports accumulate
    here, and each costs about ten microseconds.
    """
    total = Applied()
    waiting = DeliveryReport.objects.filter(message=None)
    if since:
        waiting = waiting.filter(received_at__gte=since)
    found = waiting.annotate(awaiting=_number_of(AWAITING), unnamed=_number_of(AWAITING & Q(message_id=None) | UNNAMED))
    # A report with an id of ours is never matched by that of the platform alone.
    by_message_id = Q(_exists("message_id", "hyber_message_id"), extra_id="")
    found = found.filter(Q(_exists("extra_id", "extra_id")) | by_message_id | BY_PHONE)
    for account in find_accounts():
        with apart(account=account.name):
            _apply(account, found.filter(account=account.name).order_by("pk")[:CHUNK], total)
    return total


def apply_former(messages: Collection[int]) -> None:
    """Apply the stored reports of these messages again, because the end of their former attempt was restored."""
    # The range is redundant, but without it PostgreSQL scans a table that has no statistics yet.
    stored = DeliveryReport.objects.filter(message__gte=min(messages), message__lte=max(messages), message__in=messages)
    for name in set(stored.order_by().values_list("account", flat=True)):
        account = find_account(name)
        if account:
            account = with_stored_codes(account)
            rows = list(stored.filter(account=name).values_list("fingerprint", "raw", "received_at"))
            apply_reports(account, [item.report for item in _readable(account, rows)])


def _apply(account: Account, waiting: QuerySet[DeliveryReport], total: Applied) -> None:
    rows = list(waiting.values_list("fingerprint", "raw", "received_at"))
    if rows:
        account = with_stored_codes(account)
        apply_stored(account, list(_readable(account, rows)), total)


def _readable(account: Account, rows: Iterable[tuple[str, Any, datetime]]) -> Iterator[Marked]:
    """Parse the stored reports. Another version of the package may have stored one that this one cannot read."""
    for mark, raw, received_at in rows:
        try:
            yield Marked(mark, parse_report(raw, seen_codes=account.seen_codes), received_at)
        except UnreadableReport:
            logger.warning(
                "The report with fingerprint %s is unreadable",
                mark,
                extra={"event": LogEvent.REPORT_UNREADABLE, "account": account.name, "fingerprint": mark},
            )


def _exists(column: str, reported: str) -> Exists:
    """Select reports with the id of a message. MariaDB ignores case, so the hashes are compared as well."""
    same = Message.objects.filter(**{column: OuterRef(reported)})
    return Exists(same.annotate(mark=MD5(column)).filter(mark=MD5(OuterRef(reported))).exclude(**{column: ""}))


def _number_of(condition: Q) -> Subquery:
    """Count the messages of this kind to the phone number of the report; NULL means none.

    A message that the platform may not have had when the report came counts as two. The result is then not 1, so
    the report is not matched.
    """
    received_at = OuterRef("received_at")
    same = Message.objects.filter(
        condition, account=OuterRef("account"), phone_number=OuterRef("phone_number"), created_at__lte=received_at
    )
    reached_at = Coalesce(OuterRef("reported_at"), received_at) + TOLERANCE
    is_reportable = Q(since__lte=received_at) & Q(since__lte=reached_at)
    weight = Case(When(is_reportable, then=1), default=2)
    # Not in HAVING, where SQLite does not know the columns of the report.
    counted = same.order_by().annotate(since=REPORTABLE_FROM).values("account").annotate(number=Sum(weight))
    return Subquery(counted.values("number"))

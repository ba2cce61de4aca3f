"""One query for missing reports, about a message or a whole job, and what follows from its answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.codes import with_stored_codes
from django_hyber.conf import Account
from django_hyber.db.clock import database_time
from django_hyber.db.lease import is_due
from django_hyber.db.transactions import insisting
from django_hyber.log_events import LogEvent
from django_hyber.models import Batch, Message
from django_hyber.protocol import HyberError, ReportNotFound, parse_reports
from django_hyber.reports.intake import apply_reports
from django_hyber.sending.exchange import get_client, working_account
from django_hyber.sending.pace.pauses import Host, note_answer, note_failure, paused_until

logger = logging.getLogger("django_hyber")
Status = Message.Status
Item = TypeVar("Item")
#: A final report is overdue this long after the TTLs of all channels have passed.
MARGIN = timedelta(minutes=10)
#: A message is given up this long after its report was expected, or later if the platform does not answer at all.
GIVE_UP_AFTER = timedelta(days=3)
GIVE_UP_UNANSWERED_AFTER = timedelta(days=30)
#: The error text of a message that is given up.
NO_REPORT = gettext_noop("The platform never reported the result.")


@dataclass(kw_only=True)
class Fetched:
    """How many queries were sent, and how many messages their reports have changed.

    ``not_now`` are the accounts, with the host, whose queries are paused, or whose settings are missing or invalid.
    They are skipped until the next call.
    """

    queried: int = 0
    changed: int = 0
    given_up: int = 0
    not_now: set[tuple[str, Host]] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """A message whose final report was expected at ``expected_at``.

    The time until its next query is the time since then, multiplied by ``interval_factor``.
    """

    pk: int
    account: str
    message_id: str
    extra_id: str
    expected_at: datetime
    status: str = Status.ACCEPTED.value
    interval_factor: float = 0.5


class OverdueJob(NamedTuple):
    """A batch that the platform accepted as a job. The reports of all its messages were expected at ``expected_at``."""

    pk: int
    account: str
    job_id: str
    expected_at: datetime
    interval_factor: float = 0.5


def paced(items: Iterable[Item], pause: float) -> Iterator[Item]:
    """Yield at most one item per ``pause`` seconds."""
    for item in items:
        started = time.monotonic()
        yield item
        time.sleep(max(0.0, pause - (time.monotonic() - started)))


def query_job(job: OverdueJob, fetched: Fetched) -> None:
    """Query all messages of a job in one request, unless it is paused or another worker has claimed it."""
    now = database_time()
    batch = Batch.objects.filter(pk=job.pk, state=Batch.State.DONE)
    if _is_paused(job.account, Host.BULK, fetched) or not claim_query(batch, _next_query_at(job, now)):
        return
    account = working_account(job.account)
    if account is None:
        fetched.not_now.add((job.account, Host.BULK))
        return
    fetched.queried += 1
    account = with_stored_codes(account)
    try:
        found = get_client(account).fetch_campaign_status(job.job_id)
    except ReportNotFound:
        note_answer(account, Host.BULK)
    except HyberError as error:
        logger.warning(
            "No answer to the query about job %s: %s",
            job.job_id,
            type(error).__name__,
            extra={"event": LogEvent.QUERY_UNANSWERED, "account": account.name, "job_id": job.job_id},
        )
        _note_failure(account, Host.BULK, error, fetched)
    else:
        note_answer(account, Host.BULK)
        entries = [_of_job(entry, job.job_id) for entry in found]
        reports = parse_reports({"messages": entries}, seen_codes=account.seen_codes).reports
        fetched.changed += apply_reports(account, reports).changed


def _note_failure(account: Account, host: Host, error: HyberError, fetched: Fetched) -> None:
    if note_failure(account, host, error):
        fetched.not_now.add((account.name, host))


def _is_paused(account_name: str, host: Host, fetched: Fetched) -> bool:
    is_paused = paused_until(account_name, host, database_time()) is not None
    if is_paused:
        fetched.not_now.add((account_name, host))
    return is_paused


def _of_job(entry: object, job_id: str) -> object:
    """Add the job id to an entry without our id, because the report may have nothing else to be matched by."""
    return {"job_id": job_id, **entry} if isinstance(entry, dict) and not entry.get("extra_id") else entry


@insisting
def claim_query(rows: QuerySet[Batch] | QuerySet[Message], again_at: datetime) -> bool:
    """Set the time of the next query. Return False if this one is not due or another worker has claimed it."""
    return bool(rows.filter(is_due()).update(due_at=again_at, enqueued_at=None))


def _next_query_at(item: Overdue | OverdueJob, now: datetime) -> datetime:
    """Return when to query again. The interval grows with the time since the report was expected."""
    return now + max((now - item.expected_at) * item.interval_factor, MARGIN)


def query_message(overdue: Overdue, fetched: Fetched) -> None:
    """Query one message, unless it is paused or another worker has claimed it. Give it up if it is long overdue."""
    now = database_time()
    # After a retry the message has another id, and the query does not apply to it.
    message = Message.objects.filter(pk=overdue.pk, extra_id=overdue.extra_id, status=overdue.status)
    if _is_paused(overdue.account, Host.REPORTS, fetched) or not claim_query(message, _next_query_at(overdue, now)):
        return
    account = working_account(overdue.account)
    # If the platform does not answer at all, it may still have the report.
    is_answered = account is not None and _fetch(with_stored_codes(account), overdue, fetched)
    patience = GIVE_UP_AFTER if is_answered else GIVE_UP_UNANSWERED_AFTER
    if overdue.status == Status.ACCEPTED and now - overdue.expected_at > patience:
        fetched.given_up += message.update(given_up_at=timezone.now(), error_text=NO_REPORT, due_at=None)
    elif account is None:
        fetched.not_now.add((overdue.account, Host.REPORTS))


def _fetch(account: Account, overdue: Overdue, fetched: Fetched) -> bool:
    """Query one message and apply its report. Return whether the platform answered."""
    fetched.queried += 1
    ids = {"message_id": overdue.message_id} if overdue.message_id else {"extra_id": overdue.extra_id}
    try:
        payload = get_client(account).fetch_report(**ids, advanced=True)
    except ReportNotFound:
        note_answer(account, Host.REPORTS)
        return True
    except HyberError as error:
        logger.warning(
            "No answer to the query about message %s: %s",
            overdue.extra_id,
            type(error).__name__,
            extra={"event": LogEvent.QUERY_UNANSWERED, "account": account.name, "extra_id": overdue.extra_id},
        )
        _note_failure(account, Host.REPORTS, error, fetched)
        return False
    note_answer(account, Host.REPORTS)
    reports = parse_reports(payload, seen_codes=account.seen_codes).reports
    fetched.changed += apply_reports(account, reports).changed
    return True

"""One question to the platform, about a message or a whole job, and what is done with its answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.conf import get_account
from django_hyber.db import clock
from django_hyber.db.lease import is_due
from django_hyber.db.transactions import insisting
from django_hyber.models import Batch, Message
from django_hyber.protocol import AuthenticationError, HyberError, NotTaken, ReadTimeout, ReportNotFound, parse_reports
from django_hyber.reports.intake import apply_reports
from django_hyber.sending.exchange import get_client

logger = logging.getLogger("django_hyber")
Status = Message.Status
Item = TypeVar("Item")
#: After the TTLs of all channels, a final report should be there; this much more is given to it.
MARGIN = timedelta(minutes=10)
#: After the moment at which the final report was due. Who does not answer at all is asked for longer.
GIVE_UP_AFTER = timedelta(days=3)
GIVE_UP_UNANSWERED_AFTER = timedelta(days=30)
#: Shown with a message that is given up.
NO_REPORT = gettext_noop("The platform has never reported how it ended.")
#: The platform takes no questions of the account now: the next one would fare no better.
NOT_NOW = (NotTaken, AuthenticationError, ReadTimeout)


@dataclass(kw_only=True)
class Fetched:
    """How many questions were asked, about a message or a job each, and how many messages it has changed.

    ``not_now`` are the accounts whose questions the platform did not take: they are left alone until the next time.
    """

    asked: int = 0
    changed: int = 0
    given_up: int = 0
    not_now: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """A message that should have a final report since ``expected_at``.

    ``patience`` is how much of its lateness it is left alone for after a question.
    """

    pk: int
    account: str
    message_id: str
    extra_id: str
    expected_at: datetime
    status: str = Status.ACCEPTED.value
    patience: float = 0.5


class Job(NamedTuple):
    """A batch that the platform took as a job; every message in it should have been reported by ``expected_at``."""

    pk: int
    account: str
    job_id: str
    expected_at: datetime
    patience: float = 0.5


def paced(items: Iterable[Item], pause: float) -> Iterator[Item]:
    """Yield the items no faster than one in so many seconds."""
    for item in items:
        started = time.monotonic()
        yield item
        time.sleep(max(0.0, pause - (time.monotonic() - started)))


def ask_job(job: Job, fetched: Fetched) -> None:
    """Ask about all messages of a job at once, unless another worker has just done so."""
    now = timezone.now()
    batch = Batch.objects.filter(pk=job.pk, state=Batch.State.DONE)
    if not take_turn(batch, _ask_again_at(job, now)):
        return
    fetched.asked += 1
    try:
        account = get_account(job.account)
        entries = [_of_job(entry, job.job_id) for entry in get_client(account).fetch_campaign_status(job.job_id)]
    except ImproperlyConfigured:
        logger.exception("Job %s cannot be asked about", job.job_id)
    except HyberError as error:
        logger.warning("No answer about job %s: %s", job.job_id, type(error).__name__)
        _note_silence(job.account, error, fetched)
    else:
        reports = parse_reports({"messages": entries}, seen_codes=account.seen_codes).reports
        fetched.changed += apply_reports(account, reports).changed


def _of_job(entry: object, job_id: str) -> object:
    """Name the job in an entry without our id: the job may be all that the report can be matched by."""
    return {"job_id": job_id, **entry} if isinstance(entry, dict) and not entry.get("extra_id") else entry


@insisting
def take_turn(rows: QuerySet[Batch] | QuerySet[Message], again_at: datetime) -> bool:
    """Put off the next question, and say whether this one was due: of two who ask at once one sees a row changed."""
    return bool(rows.filter(is_due(clock.now())).update(due_at=again_at, enqueued_at=None))


def _ask_again_at(item: Overdue | Job, now: datetime) -> datetime:
    """A part of the time that it is late already: often at first, seldom later."""
    return now + max((now - item.expected_at) * item.patience, MARGIN)


def ask(overdue: Overdue, fetched: Fetched) -> None:
    """Ask about one message, unless another worker has just done so; give it up when it is long overdue."""
    now = timezone.now()
    # Another run of it has another id, and this question is not about that.
    message = Message.objects.filter(pk=overdue.pk, extra_id=overdue.extra_id, status=overdue.status)
    if not take_turn(message, _ask_again_at(overdue, now)):
        return
    fetched.asked += 1
    is_answered = _fetch(overdue, fetched)
    if overdue.status == Status.ACCEPTED and _is_hopeless(now - overdue.expected_at, is_answered=is_answered):
        fetched.given_up += _give_up(message)


def _is_hopeless(late: timedelta, *, is_answered: bool) -> bool:
    """Say whether to ask no more. While the platform does not answer at all, it may still have the report."""
    return late > (GIVE_UP_AFTER if is_answered else GIVE_UP_UNANSWERED_AFTER)


def _fetch(overdue: Overdue, fetched: Fetched) -> bool:
    """Ask about one message, apply what is answered, and say whether anything was."""
    try:
        account = get_account(overdue.account)
    except ImproperlyConfigured:
        logger.exception("Message %s cannot be asked about", overdue.extra_id)
        return False
    ids = {"message_id": overdue.message_id} if overdue.message_id else {"extra_id": overdue.extra_id}
    try:
        payload = get_client(account).fetch_report(**ids, advanced=True)
    except ReportNotFound:
        return True
    except HyberError as error:
        logger.warning("No answer about message %s: %s", overdue.extra_id, type(error).__name__)
        _note_silence(overdue.account, error, fetched)
        return False
    reports = parse_reports(payload, seen_codes=account.seen_codes).reports
    fetched.changed += apply_reports(account, reports).changed
    return True


def _note_silence(account: str, error: HyberError, fetched: Fetched) -> None:
    if isinstance(error, NOT_NOW):
        fetched.not_now.add(account)


def _give_up(message: QuerySet[Message]) -> int:
    return message.update(given_up_at=timezone.now(), error_text=NO_REPORT, due_at=None)

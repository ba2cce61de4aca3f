"""Which message a report is about: by the platform's id, by ours, or by phone and job where that is unambiguous."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from django_hyber.conf import Account, find_accounts
from django_hyber.db.bulk import lock_rows
from django_hyber.db.characters import storable_ids
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import db_connection
from django_hyber.models import Batch, Message
from django_hyber.models import DeliveryReport as StoredReport
from django_hyber.protocol import DeliveryReport
from django_hyber.reports.outcome import MessageState

Status = Message.Status
Row = TypeVar("Row", bound=Model)
Matches = Mapping[int, Sequence[DeliveryReport]]
#: Accepted by the platform, or possibly accepted.
HANDED_OVER = (Status.SENDING, Status.UNCONFIRMED, Status.ACCEPTED)
#: Queued again after a doubt: the platform may have accepted an earlier request all the same.
RETURNED = Q(status=Status.QUEUED, doubted_at__isnull=False)
AWAITING = Q(status__in=HANDED_OVER, given_up_at=None) | RETURNED
#: Messages that reports have reached without naming the platform's id.
UNNAMED = Q(message_id=None) & (Q(accepted_at__isnull=False) | Q(hyber_status__isnull=False))

#: From when on the platform certainly may have reported a message. Before, it may not have been handed over yet.
REPORTABLE_FROM = Coalesce("accepted_at", "doubted_at")
#: How far the clock of the platform may be behind ours, and how long a request may take.
TOLERANCE = timedelta(minutes=10)


class Marked(NamedTuple):
    """A report with the fingerprint that it is stored under, and when it was stored, if that was before now."""

    fingerprint: str
    report: DeliveryReport
    received_at: datetime | None = None


class Found(NamedTuple):
    """Reports by the message that they are about. The ``former`` ones are about an earlier run of it: only history."""

    matches: dict[int, list[DeliveryReport]]
    former: dict[int, list[DeliveryReport]]


class Candidate(NamedTuple):
    """A message that a report without our id may be about."""

    pk: int
    account: str
    phone_number: str
    message_id: str | None
    campaign_id: int | None
    status: str
    given_up_at: datetime | None
    created_at: datetime
    reportable_from: datetime | None
    is_returned: bool
    is_being_sent: bool

    @property
    def is_awaiting(self) -> bool:
        """Whether a report is still expected."""
        is_handed_over = self.status in HANDED_OVER and self.given_up_at is None
        return self.is_being_sent or self.is_returned or is_handed_over


class SentBatch(NamedTuple):
    """A batch that was sent."""

    job_id: str
    campaign_id: int
    first_id: int
    last_id: int
    phone_prefixes: Sequence[str]
    finished_at: datetime

    def holds(self, message: Candidate) -> bool:
        """Return whether the message may have been sent in this batch."""
        if message.campaign_id != self.campaign_id or not self.first_id <= message.pk <= self.last_id:
            return False
        return not self.phone_prefixes or message.phone_number.startswith(tuple(self.phone_prefixes))


def lock_by_ids(reports: Iterable[DeliveryReport]) -> list[MessageState]:
    """Lock the messages that the reports name by an id, until the end of the transaction."""
    extra_ids, message_ids = _ids(reports)
    if db_connection().vendor != "mysql":
        return _lock({"message_id": message_ids, "extra_id": extra_ids})
    # MariaDB would lock in the order of the two indexes; all other code locks in the order of the keys.
    rows = _by_ids(Message.objects.all(), extra_ids, message_ids, "message_id")
    return lock_by_keys([pk for pk, *_ in rows])


def lock_by_keys(pks: Iterable[int]) -> list[MessageState]:
    """Lock these messages until the end of the transaction."""
    return _lock({"id": list(pks)})


def group_by_message(
    messages: Iterable[tuple[int, str, str | None]], reports: Iterable[DeliveryReport]
) -> dict[int, list[DeliveryReport]]:
    """Give each report to the message, of (primary key, extra id, message id), that has one of its ids.

    Our own id decides, because the platform may have given an answer to the wrong request. Its id alone decides nothing
    if several messages have it, or if the report names an id of ours that is not that of the message.
    """
    by_extra_id: dict[str, int] = {}
    by_message_id: dict[str, tuple[int, str]] = {}
    shared: set[str] = set()
    for pk, extra_id, message_id in messages:
        by_extra_id[extra_id] = pk
        if message_id and by_message_id.setdefault(message_id, (pk, extra_id))[0] != pk:
            shared.add(message_id)
    by_extra_id.pop("", None)
    matches: dict[int, list[DeliveryReport]] = {}
    for report in reports:
        owner = by_extra_id.get(report.extra_id)
        if owner is None and report.message_id in by_message_id and report.message_id not in shared:
            pk, extra_id = by_message_id[report.message_id]
            owner = None if report.extra_id and extra_id else pk
        if owner is not None:
            matches.setdefault(owner, []).append(report)
    return matches


def find_messages(account: Account, waiting: Sequence[Marked]) -> Found:
    """Find the messages of reports by id, history and phone number, without locking.

    A report that has our own id is never matched by phone: that id is committed before anything is sent, so one that
    is unknown belongs to another system, or to an earlier run of a message.
    """
    reports = [item.report for item in waiting]
    messages = _by_ids(Message.objects.all(), *_ids(reports), "message_id")
    matches = group_by_message(messages, reports)
    rest = _without(reports, matches)
    history = StoredReport.objects.filter(message__isnull=False)
    former = group_by_message(_by_ids(history, *_ids(rest), "hyber_message_id", key="message"), rest)
    unnamed = {id(report) for report in _without(rest, former)}
    by_phone = _by_phone(account, [item for item in waiting if id(item.report) in unnamed])
    return Found(matches | by_phone, former)


def primary_keys(column: str, values: set[str]) -> dict[str, int]:
    """Return the primary keys of the messages whose ``message_id`` or ``extra_id`` is one of the values."""
    values = storable_ids(values - {""})
    if not values:
        return {}
    found = Message.objects.filter(**{f"{column}__in": values})
    return dict(found.values_list(column, "pk"))


def _ids(reports: Iterable[DeliveryReport]) -> tuple[set[str], set[str]]:
    extra_ids = {report.extra_id for report in reports}
    message_ids = {report.message_id for report in reports}
    return storable_ids(extra_ids - {""}), storable_ids(message_ids - {""})


def _lock(wanted: Mapping[str, Collection[Any]]) -> list[MessageState]:
    return [MessageState._make(row) for row in lock_rows(Message, MessageState._fields, wanted)]


def _by_ids(
    rows: QuerySet[Row], extra_ids: set[str], message_ids: set[str], message_id: str, key: str = "pk"
) -> list[tuple[Any, ...]]:
    """Return (key, extra id, message id) of the rows, in one statement of which each half has its index."""
    columns = (key, "extra_id", message_id)
    halves = [
        rows.order_by().filter(**{f"{column}__in": ids}).values_list(*columns)
        for column, ids in (("extra_id", extra_ids), (message_id, message_ids))
        if ids
    ]
    if not halves:
        return []
    # Without the order of the model, which Django 6.1 would ask for among the columns.
    return list(halves[0].union(*halves[1:]).order_by())


def _without(reports: Iterable[DeliveryReport], matches: Matches) -> list[DeliveryReport]:
    found = {id(report) for group in matches.values() for report in group}
    return [report for report in reports if id(report) not in found]


def _by_phone(account: Account, waiting: Iterable[Marked]) -> dict[int, list[DeliveryReport]]:
    """Match reports without our id to the only message to their number that they may be about."""
    nameless = [item for item in waiting if item.report.phone_number and not item.report.extra_id]
    if not nameless:
        return {}
    candidates = _candidates(account, {item.report.phone_number for item in nameless})
    jobs = _sent_batches(account, {item.report.job_id for item in nameless} - {""})
    now = database_time()
    matches: dict[int, list[DeliveryReport]] = {}
    for item in nameless:
        report = item.report
        possible = [message for message in candidates.get(report.phone_number, ()) if _may_be_of(item, message, jobs)]
        # Which of several is meant cannot be known, not even if only one of them still awaits a report.
        if len(possible) != 1 or possible[0].account != account.name:
            continue
        # A job is of one request. Otherwise, the report may be about what another system has sent before.
        if report.job_id or _came_after(item, possible[0].reportable_from or now):
            matches.setdefault(possible[0].pk, []).append(report)
    return {pk: group for pk, group in matches.items() if is_of_one_message(group)}


def is_of_one_message(reports: Iterable[DeliveryReport], message_id: str | None = None) -> bool:
    """Return whether these reports name at most one message id."""
    return len({report.message_id for report in reports} | {message_id or ""} - {""}) <= 1


def _candidates(account: Account, phone_numbers: set[str]) -> dict[str, list[Candidate]]:
    # The platform knows the client, and several accounts may be the same one: also those that the settings had before.
    others = [other.name for other in find_accounts() if other.client_id != account.client_id]
    messages = Message.objects.filter(phone_number__in=phone_numbers).exclude(account__in=others)
    # A report may be quicker than the answer to the request with its message.
    batches = Batch.objects.filter(state=Batch.State.SENDING, campaign=OuterRef("campaign"))
    is_being_sent = Exists(batches.filter(first_id__lte=OuterRef("pk"), last_id__gte=OuterRef("pk")))
    messages = messages.annotate(
        reportable_from=REPORTABLE_FROM, is_returned=RETURNED, is_being_sent=Q(status=Status.QUEUED) & is_being_sent
    )
    rows = messages.filter(AWAITING | UNNAMED | Q(is_being_sent=True))
    candidates: dict[str, list[Candidate]] = {}
    for row in rows.values_list(*Candidate._fields):
        candidate = Candidate(*row)
        candidates.setdefault(candidate.phone_number, []).append(candidate)
    return candidates


def _came_after(item: Marked, moment: datetime) -> bool:
    """Return whether the report came after this moment, and its status was reached after it."""
    time = item.report.time
    return (item.received_at is None or item.received_at >= moment) and (time is None or time >= moment - TOLERANCE)


def _may_be_of(item: Marked, message: Candidate, jobs: Sequence[SentBatch]) -> bool:
    report = item.report
    if not report.job_id and not _came_after(item, message.created_at):
        return False
    if message.message_id and report.message_id:
        # Another one: the ids have been compared already.
        return False
    if not message.is_awaiting and not report.message_id:
        return False
    if not report.job_id:
        return True
    sent = [job for job in jobs if job.holds(message)]
    # A message that was sent again has left its first batch.
    return bool(sent) and max(sent, key=lambda job: job.finished_at).job_id == report.job_id


def _sent_batches(account: Account, job_ids: set[str]) -> list[SentBatch]:
    """Return every batch that was sent of the campaigns that these jobs are of."""
    if not job_ids:
        return []
    batches = Batch.objects.filter(campaign__account=account.name)
    campaigns = batches.filter(job_id__in=job_ids).values("campaign")
    rows = batches.filter(campaign__in=campaigns, finished_at__isnull=False)
    return [SentBatch(*row) for row in rows.values_list(*SentBatch._fields)]

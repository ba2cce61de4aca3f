"""Ask for what was never reported: a callback can be lost, and "seen" is not called back by default."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from django_hyber.conf import get_account, get_accounts
from django_hyber.engine.clients import get_client
from django_hyber.engine.ranges import members
from django_hyber.engine.ranks import NO_REPORT
from django_hyber.engine.reports import apply_reports
from django_hyber.engine.transactions import database
from django_hyber.models import Batch, Campaign, Message
from django_hyber.protocol import AuthenticationError, HyberError, NotTaken, ReadTimeout, ReportNotFound, parse_reports

logger = logging.getLogger("django_hyber")
Status = Message.Status
Item = TypeVar("Item")
#: After the TTLs of all channels, a final report should be there; this much more is given to it.
MARGIN = timedelta(minutes=10)
#: After the moment at which the final report was due. Who does not answer at all is asked for longer.
GIVE_UP_AFTER = timedelta(days=3)
GIVE_UP_UNANSWERED_AFTER = timedelta(days=30)
SEEN_WITHIN = timedelta(days=2)
#: The channels whose reports tell it (guide, chapter 5).
TELL_SEEN = ("viber", "whatsapp")
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
    """A message that should have a final report since ``due_at``."""

    pk: int
    account: str
    message_id: str
    extra_id: str
    due_at: datetime
    status: str = Status.ACCEPTED.value


class Job(NamedTuple):
    """A batch that the platform took as a job, and of which it should have reported everything since ``due_at``."""

    pk: int
    account: str
    job_id: str
    due_at: datetime


def fetch_reports(
    limit: int = 1_000, per_second: float = 20, margin: timedelta = MARGIN, *, learn_seen: bool = False
) -> Fetched:
    """Ask up to ``limit`` questions about what is overdue, no faster than ``per_second``.

    What went out as a job is asked about by its job first, all of it in one question. A message without a final report
    is asked about again after a growing time, and given up three days after its report was due: it stays ``accepted``,
    and its ``error_text`` says that no report came. An account whose question is not taken is asked nothing more.

    The platform does not call back that a message was seen: ``learn_seen`` asks about up to ``limit`` messages that
    were delivered within two days, too, of the accounts that have SEEN_CODES.
    """
    using = database()
    fetched = Fetched()
    pause = 1 / per_second
    jobs = (job for job in _overdue_jobs(margin, using) if job.account not in fetched.not_now)
    for job in _paced(islice(jobs, limit), pause):
        _ask_job(job, fetched, using)
    overdue = _overdue(margin, fetched.not_now, using)
    for message in _paced(islice(overdue, limit - fetched.asked), pause):
        _ask(message, fetched, using)
    if learn_seen:
        unseen = (message for message in _unseen(limit, using) if message.account not in fetched.not_now)
        for message in _paced(unseen, pause):
            _ask(message, fetched, using)
    return fetched


def _unseen(limit: int, using: str) -> list[Overdue]:
    now = timezone.now()
    accounts = [account.name for account in get_accounts() if account.seen_codes]
    delivered = Message.objects.using(using).filter(
        _is_due(now),
        status=Status.DELIVERED,
        account__in=accounts,
        finished_at__range=(now - SEEN_WITHIN, now - MARGIN),
        channel__in=TELL_SEEN,
    )
    rows = delivered.order_by("pk").values_list("pk", "account", "message_id", "extra_id", "finished_at", "status")
    return [
        Overdue(
            pk=pk, account=account, message_id=message_id or "", extra_id=extra_id, due_at=ended or now, status=status
        )
        for pk, account, message_id, extra_id, ended, status in rows[:limit]
    ]


def _paced(items: Iterable[Item], pause: float) -> Iterator[Item]:
    """Yield the items no faster than one in so many seconds."""
    for item in items:
        started = time.monotonic()
        yield item
        time.sleep(max(0.0, pause - (time.monotonic() - started)))


def _overdue_jobs(margin: timedelta, using: str) -> list[Job]:
    now = timezone.now()
    unreported = Message.objects.filter(
        campaign=OuterRef("campaign"),
        pk__gte=OuterRef("first_id"),
        pk__lte=OuterRef("last_id"),
        status=Status.ACCEPTED,
        error_text="",
    )
    jobs = (
        Batch.objects.using(using)
        .filter(_is_due(now), Exists(unreported), state=Batch.State.DONE, job_id__gt="")
        .annotate(since=Coalesce(Greatest("finished_at", "campaign__start_time"), "finished_at"))
        .filter(since__lte=now - margin)
    )
    lifetimes: dict[int, timedelta] = {}
    overdue = []
    for batch in jobs.select_related("campaign").order_by("pk"):
        due_at: datetime = batch.since + _campaign_lifetime(batch.campaign_id, lifetimes, using)
        if due_at + margin > now:
            continue
        # Batches of several time zones share a range; those are few, so each is looked at on its own.
        if not batch.phone_prefixes or _has_unreported(batch, using):
            overdue.append(Job(batch.pk, batch.campaign.account, batch.job_id, due_at))
    return overdue


def _has_unreported(batch: Batch, using: str) -> bool:
    own = members(batch.first_id, batch.last_id, batch.phone_prefixes)
    messages = Message.objects.using(using).filter(own, campaign=batch.campaign_id)
    return messages.filter(status=Status.ACCEPTED, error_text="").exists()


def _ask_job(job: Job, fetched: Fetched, using: str) -> None:
    now = timezone.now()
    batch = Batch.objects.using(using).filter(_is_due(now), pk=job.pk, state=Batch.State.DONE)
    if not batch.update(next_attempt_at=_ask_again_at(job.due_at, now)):
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
        fetched.changed += apply_reports(account, reports, using).changed


def _of_job(entry: object, job_id: str) -> object:
    """Name the job in an entry without our id: it may be all that tells whose phone number it is."""
    return {"job_id": job_id, **entry} if isinstance(entry, dict) and not entry.get("extra_id") else entry


def _is_due(now: datetime) -> Q:
    return Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)


def _ask_again_at(due_at: datetime, now: datetime) -> datetime:
    """Half of the time that it is late already: often at first, seldom later."""
    return now + max((now - due_at) / 2, MARGIN)


def _overdue(margin: timedelta, not_now: Collection[str], using: str) -> Iterator[Overdue]:
    """Yield what should have a final report by now, but for the accounts that have come into ``not_now`` meanwhile."""
    now = timezone.now()
    waiting = (
        Message.objects.using(using)
        .filter(_is_due(now), status=Status.ACCEPTED, error_text="")
        .annotate(since=Coalesce(Greatest("accepted_at", "campaign__start_time"), "accepted_at"))
        .filter(since__lte=now - margin)
        .order_by("next_attempt_at", "pk")
    )
    lifetimes: dict[int, timedelta] = {}
    for row in waiting.values("pk", "account", "message_id", "extra_id", "campaign_id", "content", "since").iterator():
        if row["account"] in not_now:
            continue
        due_at = row["since"] + _lifetime(row, lifetimes, using)
        if due_at + margin <= now:
            yield Overdue(
                pk=row["pk"],
                account=row["account"],
                message_id=row["message_id"] or "",
                extra_id=row["extra_id"],
                due_at=due_at,
            )


def _lifetime(row: Mapping[str, Any], known: dict[int, timedelta], using: str) -> timedelta:
    """Return how long the message may take: until its own start, and the TTLs of all channels together."""
    campaign_id = row["campaign_id"]
    if campaign_id is None:
        content = row["content"] or {}
        ttls = sum(option.get("ttl") or 0 for option in content.get("channel_options", {}).values())
        since: datetime = row["since"]
        return max(_start_time(content) - since, timedelta(0)) + timedelta(seconds=ttls)
    return _campaign_lifetime(campaign_id, known, using)


def _campaign_lifetime(campaign_id: int, known: dict[int, timedelta], using: str) -> timedelta:
    if campaign_id not in known:
        channels = Campaign.objects.using(using).get(pk=campaign_id).get_channels()
        known[campaign_id] = timedelta(seconds=sum(channel.to_wire().get("ttl", 0) for channel in channels))
    return known[campaign_id]


def _start_time(content: Mapping[str, Any]) -> datetime:
    """Return when a single message was to start; long ago if it was not said, or not in a way that can be read."""
    start = parse_datetime(content.get("start_time", ""))
    return start if start and start.tzinfo else datetime.min.replace(tzinfo=UTC)


def _ask(overdue: Overdue, fetched: Fetched, using: str) -> None:
    now = timezone.now()
    message = Message.objects.using(using).filter(pk=overdue.pk, status=overdue.status)
    # Of two who ask at once only one sees a row changed.
    if not message.filter(_is_due(now)).update(next_attempt_at=_ask_again_at(overdue.due_at, now)):
        return
    fetched.asked += 1
    is_answered = _fetch(overdue, fetched, using)
    if overdue.status == Status.ACCEPTED and _is_hopeless(now - overdue.due_at, is_answered=is_answered):
        fetched.given_up += _give_up(message)


def _is_hopeless(late: timedelta, *, is_answered: bool) -> bool:
    """Say whether to ask no more. While the platform does not answer at all, it may still have the report."""
    return late > (GIVE_UP_AFTER if is_answered else GIVE_UP_UNANSWERED_AFTER)


def _fetch(overdue: Overdue, fetched: Fetched, using: str) -> bool:
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
    fetched.changed += apply_reports(account, reports, using).changed
    return True


def _note_silence(account: str, error: HyberError, fetched: Fetched) -> None:
    if isinstance(error, NOT_NOW):
        fetched.not_now.add(account)


def _give_up(message: QuerySet[Message]) -> int:
    return message.update(error_text=NO_REPORT, next_attempt_at=None)

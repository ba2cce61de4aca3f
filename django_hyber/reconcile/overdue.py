"""Query reports that did not arrive: a callback can be lost, and the platform sends none for "seen" by default."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce, Greatest

from django_hyber.db.apart import apart
from django_hyber.db.bulk import CHUNK
from django_hyber.db.clock import database_time
from django_hyber.db.lease import is_due
from django_hyber.models import Batch, Campaign, Message
from django_hyber.models.message import AWAITED
from django_hyber.reconcile.report_queries import MARGIN, Fetched, Overdue, OverdueJob, paced, query_job, query_message
from django_hyber.reconcile.seen_and_clicks import click_tracking_jobs, recently_delivered
from django_hyber.sending.pace.deadline import start_time_of
from django_hyber.sending.pace.pauses import Host, paused_accounts

Status = Message.Status
#: The platform has a host for the reports of messages, and another one for the status of jobs.
QUERIED = (Host.REPORTS, Host.BULK)


def fetch_reports(
    *,
    limit: int = 1_000,
    per_second: float = 20,
    margin: timedelta = MARGIN,
    learn_seen: bool = False,
    learn_clicks: bool = False,
) -> Fetched:
    """Query the platform about messages without a final report whose TTLs and ``margin`` have passed.

    Sends up to ``limit`` queries, at most ``per_second`` of them per second. Jobs come first: one query covers all
    messages of a job. A message that still has no final report is queried again at growing intervals. It is given up
    three days after the report was expected: it stays ``accepted``, and its ``error_text`` says that no report came.
    If the platform accepts no queries of an account, the account is skipped for as long as the platform asked for, at
    least until the next call, and its messages are given up only after a month.

    ``learn_seen`` and ``learn_clicks`` send up to ``limit`` more queries. ``learn_seen`` covers messages delivered
    within the last two days, in accounts with SEEN_CODES; ``learn_clicks`` covers those of the last fourteen days.

    Raises ValueError if ``per_second`` is not positive, and for a negative ``limit`` or ``margin``.
    """
    if not per_second > 0:
        raise ValueError("per_second is the number of queries per second; it must be greater than zero.")
    if limit < 0 or margin < timedelta():
        raise ValueError("limit and margin cannot be negative.")
    fetched = Fetched(not_now={(name, host) for host in QUERIED for name in paused_accounts(host)})
    pause = 1 / per_second
    jobs = (job for job in _overdue_jobs(margin) if (job.account, Host.BULK) not in fetched.not_now)
    _query_jobs(paced(islice(jobs, limit), pause), fetched)
    overdue = _overdue(margin, fetched.not_now)
    _query_messages(paced(islice(overdue, limit - fetched.queried), pause), fetched)
    if learn_seen or learn_clicks:
        _query_seen_and_clicks(limit, pause, fetched, learn_seen=learn_seen, learn_clicks=learn_clicks)
    return fetched


def _query_seen_and_clicks(limit: int, pause: float, fetched: Fetched, *, learn_seen: bool, learn_clicks: bool) -> None:
    queried_before = fetched.queried
    if learn_clicks:
        jobs = (job for job in click_tracking_jobs() if (job.account, Host.BULK) not in fetched.not_now)
        _query_jobs(paced(islice(jobs, limit), pause), fetched)
    left = limit - (fetched.queried - queried_before)
    delivered = recently_delivered(left, learn_seen=learn_seen, learn_clicks=learn_clicks)
    messages = (item for item in delivered if (item.account, Host.REPORTS) not in fetched.not_now)
    _query_messages(paced(messages, pause), fetched)


def _query_jobs(jobs: Iterable[OverdueJob], fetched: Fetched) -> None:
    for job in jobs:
        with apart(batch_id=job.pk, job_id=job.job_id, account=job.account):
            query_job(job, fetched)


def _query_messages(messages: Iterable[Overdue], fetched: Fetched) -> None:
    for message in messages:
        with apart(extra_id=message.extra_id, account=message.account):
            query_message(message, fetched)


def _overdue_jobs(margin: timedelta) -> list[OverdueJob]:
    now = database_time()
    unreported = Message.objects.filter(
        AWAITED, campaign=OuterRef("campaign"), pk__gte=OuterRef("first_id"), pk__lte=OuterRef("last_id")
    )
    jobs = (
        Batch.objects.filter(is_due(now), Exists(unreported), state=Batch.State.DONE, job_id__gt="")
        .annotate(since=Coalesce(Greatest("finished_at", "campaign__start_time"), "finished_at"))
        .filter(since__lte=now - margin)
    )
    lifetimes: dict[int, timedelta] = {}
    overdue = []
    for batch in jobs.select_related("campaign").order_by("pk"):
        with apart(batch_id=batch.pk, campaign_id=batch.campaign_id):
            expected_at: datetime = batch.since + _campaign_lifetime(batch.campaign_id, lifetimes)
            # Batches of several time zones share a range; those are few, so each is checked separately.
            if expected_at <= now - margin and (not batch.phone_prefixes or batch.messages().filter(AWAITED).exists()):
                overdue.append(OverdueJob(batch.pk, batch.campaign.account, batch.job_id, expected_at))
    return overdue


def _overdue(margin: timedelta, not_now: Collection[tuple[str, Host]]) -> Iterator[Overdue]:
    """Yield the messages whose final report is overdue.

    ``not_now`` may grow during the iteration; the messages of its accounts are skipped.
    """
    now = database_time()
    lifetimes: dict[int, timedelta] = {}
    for row in _accepted_before(now - margin, now):
        if (row["account"], Host.REPORTS) in not_now:
            continue
        with apart(extra_id=row["extra_id"], account=row["account"]):
            expected_at = row["since"] + _lifetime(row, lifetimes)
            if expected_at <= now - margin:
                yield Overdue(
                    pk=row["pk"],
                    account=row["account"],
                    message_id=row["message_id"] or "",
                    extra_id=row["extra_id"],
                    expected_at=expected_at,
                )


def _accepted_before(moment: datetime, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield messages without a final report, read in pages: those never queried first, then by due time."""
    waiting = (
        Message.objects.filter(AWAITED)
        .annotate(since=Coalesce(Greatest("accepted_at", "campaign__start_time"), "accepted_at"))
        .filter(since__lte=moment)
    )
    columns = ("pk", "account", "message_id", "extra_id", "campaign_id", "content", "since", "due_at")
    never_queried = waiting.filter(due_at=None).order_by("pk").values(*columns)
    after = Q()
    while page := list(never_queried.filter(after)[:CHUNK]):
        yield from page
        after = Q(pk__gt=page[-1]["pk"])
    queried = waiting.filter(due_at__lte=now).order_by("due_at", "pk").values(*columns)
    after = Q()
    while page := list(queried.filter(after)[:CHUNK]):
        yield from page
        time, pk = page[-1]["due_at"], page[-1]["pk"]
        after = Q(due_at__gt=time) | Q(due_at=time, pk__gt=pk)


def _lifetime(row: Mapping[str, Any], known: dict[int, timedelta]) -> timedelta:
    """Return how long delivery may take: the wait for the start time plus the TTLs of all channels."""
    campaign_id = row["campaign_id"]
    if campaign_id is None:
        content = row["content"] or {}
        ttls = sum(option.get("ttl") or 0 for option in content.get("channel_options", {}).values())
        since: datetime = row["since"]
        start = start_time_of(content) or since
        return max(start - since, timedelta(0)) + timedelta(seconds=ttls)
    return _campaign_lifetime(campaign_id, known)


def _campaign_lifetime(campaign_id: int, known: dict[int, timedelta]) -> timedelta:
    if campaign_id not in known:
        known[campaign_id] = lifetime_of(Campaign.objects.get(pk=campaign_id))
    return known[campaign_id]


def lifetime_of(campaign: Campaign) -> timedelta:
    """Return how long the delivery of a message may take: the sum of the TTLs of all channels."""
    return timedelta(seconds=sum(channel.to_wire().get("ttl", 0) for channel in campaign.get_channels()))

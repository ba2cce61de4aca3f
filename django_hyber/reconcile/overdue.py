"""Ask for what was never reported: a callback can be lost, and "seen" is not called back by default."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from django_hyber.db.lease import is_due
from django_hyber.models import Batch, Campaign, Message
from django_hyber.models.message import AWAITED
from django_hyber.reconcile.question import MARGIN, Fetched, Job, Overdue, ask, ask_job, paced
from django_hyber.reconcile.seen_and_clicks import clicked_jobs, delivered_lately
from django_hyber.sending.doubt import start_time_of

Status = Message.Status
#: Messages that are read at once: none of the databases is asked for all that waits.
PAGE = 5_000


def fetch_reports(
    *,
    limit: int = 1_000,
    per_second: float = 20,
    margin: timedelta = MARGIN,
    learn_seen: bool = False,
    learn_clicks: bool = False,
) -> Fetched:
    """Ask the platform about messages that should have a final report by now: their TTLs and ``margin`` are over.

    Asks up to ``limit`` questions, no faster than ``per_second``. A job is asked about first, all its messages in one
    question. A message that still has no final report is asked about again after a growing time, and given up three
    days after it was due: it stays ``accepted``, and its ``error_text`` says that no report came. While the platform
    takes no questions of an account, the rest of that account waits for the next call, and nothing is given up for a
    month.

    With up to ``limit`` questions more, ``learn_seen`` asks which of the messages delivered within two days were seen,
    in accounts that have SEEN_CODES, and ``learn_clicks`` asks about clicks on those delivered within fourteen days.
    """
    fetched = Fetched()
    pause = 1 / per_second
    jobs = (job for job in _overdue_jobs(margin) if job.account not in fetched.not_now)
    for job in paced(islice(jobs, limit), pause):
        ask_job(job, fetched)
    overdue = _overdue(margin, fetched.not_now)
    for message in paced(islice(overdue, limit - fetched.asked), pause):
        ask(message, fetched)
    if learn_seen or learn_clicks:
        _ask_afterwards(limit, pause, fetched, learn_seen=learn_seen, learn_clicks=learn_clicks)
    return fetched


def _ask_afterwards(limit: int, pause: float, fetched: Fetched, *, learn_seen: bool, learn_clicks: bool) -> None:
    asked_before = fetched.asked
    if learn_clicks:
        jobs = (job for job in clicked_jobs() if job.account not in fetched.not_now)
        for job in paced(islice(jobs, limit), pause):
            ask_job(job, fetched)
    left = limit - (fetched.asked - asked_before)
    delivered = delivered_lately(left, learn_seen=learn_seen, learn_clicks=learn_clicks)
    for message in paced((item for item in delivered if item.account not in fetched.not_now), pause):
        ask(message, fetched)


def _overdue_jobs(margin: timedelta) -> list[Job]:
    now = timezone.now()
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
        expected_at: datetime = batch.since + _campaign_lifetime(batch.campaign_id, lifetimes)
        if expected_at + margin > now:
            continue
        # Batches of several time zones share a range; those are few, so each is looked at on its own.
        if not batch.phone_prefixes or _has_unreported(batch):
            overdue.append(Job(batch.pk, batch.campaign.account, batch.job_id, expected_at))
    return overdue


def _has_unreported(batch: Batch) -> bool:
    messages = Message.objects.filter(batch.members(), campaign=batch.campaign_id)
    return messages.filter(AWAITED).exists()


def _overdue(margin: timedelta, not_now: Collection[str]) -> Iterator[Overdue]:
    """Yield what should have a final report by now, but for the accounts that have come into ``not_now`` meanwhile."""
    now = timezone.now()
    lifetimes: dict[int, timedelta] = {}
    for row in _accepted_before(now - margin, now):
        if row["account"] in not_now:
            continue
        expected_at = row["since"] + _lifetime(row, lifetimes)
        if expected_at + margin <= now:
            yield Overdue(
                pk=row["pk"],
                account=row["account"],
                message_id=row["message_id"] or "",
                extra_id=row["extra_id"],
                expected_at=expected_at,
            )


def _accepted_before(moment: datetime, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield what lacks a report, a page at a time: first what was never asked about, then the longest left alone."""
    waiting = (
        Message.objects.filter(AWAITED)
        .annotate(since=Coalesce(Greatest("accepted_at", "campaign__start_time"), "accepted_at"))
        .filter(since__lte=moment)
    )
    columns = ("pk", "account", "message_id", "extra_id", "campaign_id", "content", "since", "due_at")
    never_asked = waiting.filter(due_at=None).order_by("pk").values(*columns)
    after = Q()
    while page := list(never_asked.filter(after)[:PAGE]):
        yield from page
        after = Q(pk__gt=page[-1]["pk"])
    asked = waiting.filter(due_at__lte=now).order_by("due_at", "pk").values(*columns)
    after = Q()
    while page := list(asked.filter(after)[:PAGE]):
        yield from page
        time, pk = page[-1]["due_at"], page[-1]["pk"]
        after = Q(due_at__gt=time) | Q(due_at=time, pk__gt=pk)


def _lifetime(row: Mapping[str, Any], known: dict[int, timedelta]) -> timedelta:
    """Return how long the message may take: until its own start, and the TTLs of all channels together."""
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
    """Return how long a message of the campaign may be on its way: the TTLs of all channels together."""
    return timedelta(seconds=sum(channel.to_wire().get("ttl", 0) for channel in campaign.get_channels()))

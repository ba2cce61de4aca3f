"""Which messages to query for "seen" and clicks. The platform sends no callback for them.

The report of a message contains both. The status of a job contains the clicks of all its messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.db.models import Exists, F, OuterRef, Q

from django_hyber.codes import has_seen_codes
from django_hyber.conf import find_accounts
from django_hyber.db.clock import database_time
from django_hyber.db.lease import is_due
from django_hyber.models import Batch, CampaignChannel, Message
from django_hyber.reconcile.report_queries import MARGIN, Overdue, OverdueJob
from django_hyber.reports.ranks import DELIVERIES

Status = Message.Status
SEEN_WITHIN = timedelta(days=2)
#: The platform counts clicks for 14 days (guide, chapter 8).
CLICKS_WITHIN = timedelta(days=14)
#: The channels that report "seen" (guide, chapter 5).
REPORT_SEEN = ("viber", "whatsapp")
#: The interval doubles: eight queries in two days, eleven in fourteen.
INTERVAL_FACTOR = 1.0


def click_tracking_jobs() -> Iterator[OverdueJob]:
    """Yield the jobs whose clicks are due to be queried."""
    now = database_time()
    batches = Batch.objects.filter(
        is_due(now),
        state=Batch.State.DONE,
        job_id__gt="",
        campaign__in=_tracking(),
        finished_at__range=(now - CLICKS_WITHIN, now - MARGIN),
    )
    for pk, account, job_id, ended in batches.order_by("pk").values_list(
        "pk", "campaign__account", "job_id", "finished_at"
    ):
        yield OverdueJob(pk, account, job_id, ended or now, INTERVAL_FACTOR)


def recently_delivered(limit: int, *, learn_seen: bool, learn_clicks: bool) -> list[Overdue]:
    """Return up to ``limit`` delivered messages that are due to be queried, those never queried first."""
    now = database_time()
    wanted = [_may_have_been_seen(now)] if learn_seen else []
    if learn_clicks:
        wanted.append(_may_have_been_clicked(now))
    delivered = Message.objects.filter(is_due(now), reduce(or_, wanted), finished_at__lte=now - MARGIN)
    rows = delivered.order_by(F("due_at").asc(nulls_first=True), "pk")
    columns = ("pk", "account", "message_id", "extra_id", "finished_at", "status")
    return [
        Overdue(
            pk=pk,
            account=account,
            message_id=message_id or "",
            extra_id=extra_id,
            expected_at=ended or now,
            status=status,
            interval_factor=INTERVAL_FACTOR,
        )
        for pk, account, message_id, extra_id, ended, status in rows.values_list(*columns)[:limit]
    ]


def _may_have_been_seen(now: datetime) -> Q:
    accounts = has_seen_codes(find_accounts())
    return Q(status=Status.DELIVERED, account__in=accounts, channel__in=REPORT_SEEN, finished_at__gte=now - SEEN_WITHIN)


def _may_have_been_clicked(now: datetime) -> Q:
    # Messages of a job are queried with their job.
    of_a_job = Batch.objects.filter(
        campaign=OuterRef("campaign"), first_id__lte=OuterRef("pk"), last_id__gte=OuterRef("pk"), job_id__gt=""
    )
    names = CampaignChannel.Name.values
    single = reduce(or_, (Q(**{f"content__channel_options__{name}__ctr": True}) for name in names))
    tracks = (Q(campaign__in=_tracking()) & ~Exists(of_a_job)) | (Q(campaign=None) & single)
    return tracks & Q(status__in=DELIVERIES, finished_at__gte=now - CLICKS_WITHIN)


def _tracking() -> list[int]:
    """Return the campaigns in which a channel tracks clicks."""
    channels = CampaignChannel.objects.filter(options__ctr=True)
    return list(channels.order_by().values_list("campaign", flat=True).distinct())

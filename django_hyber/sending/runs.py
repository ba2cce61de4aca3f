"""Runs of a campaign: divide it into batches, send a few of them in parallel, finish it after the last one.

Each parallel lane is a chain of tasks: a task sends one batch and then enqueues the next one. Between two batches of a
large campaign, workers can therefore process other tasks, such as one-time codes. Messages that failed are queued again
for another run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.announce import (
    Change,
    announce_finished,
    announce_stored,
    announcing_finish,
    store_changes,
)
from django_hyber.conf import find_account, get_account
from django_hyber.db import lease
from django_hyber.db.apart import apart
from django_hyber.db.bulk import Page, campaign_pages, update_rows
from django_hyber.db.clock import NOW
from django_hyber.db.transactions import insisting, write_transaction
from django_hyber.log_events import LogEvent
from django_hyber.models import AccountState, Batch, Campaign, Message, MessageQuerySet
from django_hyber.models.message import extra_ids
from django_hyber.queueing import ENQUEUED_FOR, due_to_enqueue, enqueue_row, mark_first
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE
from django_hyber.sending.cancelling import cancel_waiting
from django_hyber.sending.corrections.earlier_ends import End
from django_hyber.sending.pace import breaker, schedule

logger = logging.getLogger("django_hyber")
REQUEUE_CHUNK = 10_000
NOBODY_LEFT = gettext_noop("Nothing was sent: every recipient has opted out or was skipped.")
OPEN_BATCHES = (Batch.State.PENDING, Batch.State.SENDING, Batch.State.UNCONFIRMED)


class Requeued(NamedTuple):
    """Columns of a message that are reset before its next run."""

    id: int
    extra_id: str
    status: str
    earlier_end: Mapping[str, Any]
    message_id: None = None
    channel: str = ""
    other_channels: str = ""
    hyber_status: None = None
    error_code: None = None
    error_text: str = ""
    total_sms_parts: None = None
    delivered_sms_parts: None = None
    clicks: None = None
    matching_template_id: None = None
    accepted_at: None = None
    reported_at: None = None
    finished_at: None = None
    doubted_at: None = None
    not_found_after: None = None
    not_taken_code: None = None
    releases_seen: None = None


def give_account(campaign: Campaign) -> None:
    """Set the campaign's account on its messages: it may have been changed after the import.

    A query with another account would return "not found", and the messages would be sent twice.
    """
    others = Message.objects.filter(campaign=campaign).exclude(account=campaign.account)
    others.update(account=campaign.account)


def cut_batches(campaign: Campaign) -> None:
    """Divide the queued messages into batches. With a sending window, each batch has a single time zone.

    A unique constraint prevents the batches of a run from being created twice.
    """
    size = schedule.batch_size(campaign, get_account(campaign.account))
    batches: list[Batch] = []
    queued = Message.objects.filter(campaign=campaign, status=Message.Status.QUEUED)
    needed = [] if campaign.window_start is None else ["phone_number"]
    for page in campaign_pages(queued, size, *needed):
        batches += [Batch(campaign=campaign, run=campaign.run, **group) for group in _groups(campaign, page)]
    Batch.objects.bulk_create(batches, batch_size=1_000)


def _groups(campaign: Campaign, page: Page) -> list[dict[str, Any]]:
    if campaign.window_start is None:
        return [{"first_id": page[0][0], "last_id": page[-1][0], "size": len(page)}]
    return [group._asdict() for group in schedule.group_by_zone(page)]


def count_on_the_wire(campaign_pk: int) -> int:
    """Count the recipients in requests that may have been written, also by a worker that has stopped since.

    Exact while the campaign is locked: a worker confirms its claim under a lock on the campaign.
    """
    sending = Batch.objects.filter(~lease.NOTHING_WRITTEN, campaign=campaign_pk, state=Batch.State.SENDING)
    people: int = sending.aggregate(people=Sum("size", default=0))["people"]
    return people


def has_begun(campaign_pk: int) -> bool:
    """Return whether a worker has claimed a batch of the campaign: something may have been handed over."""
    return Batch.objects.filter(campaign=campaign_pk, attempts__gt=0).exists()


def fill_lanes(campaign_pk: int) -> int:
    """Enqueue due batches of a campaign up to the parallel limit and return their number."""
    count = 0
    while pk := take_next(campaign_pk):
        enqueue_row("submit_batch", Batch.objects.all(), pk)
        count += 1
    return count


@insisting
def take_next(campaign_pk: int) -> int | None:
    """Mark the campaign's next due batch as enqueued and return its primary key.

    Returns None if no batch is due, the parallel limit is reached, or the campaign or its account must not send now.
    """
    if not _may_send(campaign_pk):
        return None
    pending = Batch.objects.filter(campaign=campaign_pk, state=Batch.State.PENDING)
    due = pending.filter(due_to_enqueue(Batch.State.PENDING))
    # Those for which the login was refused go last: one that is always refused would hold up the others.
    return mark_first(due.order_by(F("releases_seen").asc(nulls_first=True), "pk"), pending)


def _may_send(campaign_pk: int) -> bool:
    ready = Q(next_send_at=None) | Q(next_send_at__lte=NOW)
    campaigns = Campaign.objects.filter(ready, pk=campaign_pk, status=Campaign.Status.SENDING)
    name = campaigns.values_list("account", flat=True).first()
    account = find_account(name) if name else None
    if account is None:
        if name:
            logger.error(
                "Campaign %s waits: the settings of account %s are missing or invalid",
                campaign_pk,
                name,
                extra={"event": LogEvent.ACCOUNT_INVALID, "account": name, "campaign_id": campaign_pk},
            )
        return False
    if breaker.is_blocked(account.name, AccountState.Host.BULK):
        return False
    if AccountState.objects.filter(account=account.name, next_send_at__gt=NOW).exists():
        return False
    sending = Q(state=Batch.State.SENDING, lease_until__gt=NOW)
    enqueued = Q(state=Batch.State.PENDING, enqueued_at__gt=NOW - ENQUEUED_FOR)
    in_progress = Batch.objects.filter(sending | enqueued, campaign=campaign_pk).count()
    return in_progress < account.parallel_batches


def settle(campaign_pk: int) -> None:
    """Finish a running campaign with nothing left to send; cancel batches that returned to a cancelled campaign."""
    status = Campaign.objects.filter(pk=campaign_pk).values_list("status", flat=True).first()
    if status == Campaign.Status.SENDING:
        finish_if_done(campaign_pk)
    elif status == Campaign.Status.CANCELLED:
        _cancel_returned(campaign_pk)


@insisting
def _cancel_returned(campaign_pk: int) -> None:
    with write_transaction():
        campaign = Campaign.objects.filter(pk=campaign_pk).first()
        if campaign:
            cancel_waiting(campaign)


def settle_all() -> None:
    """Settle campaigns whose last worker stopped before it did so."""
    batches = Batch.objects.filter(campaign=OuterRef("pk"))
    is_done = Q(~Exists(batches.filter(state__in=OPEN_BATCHES)), status=Campaign.Status.SENDING)
    has_returned = Q(Exists(batches.filter(state=Batch.State.PENDING)), status=Campaign.Status.CANCELLED)
    for campaign_pk in list(Campaign.objects.filter(is_done | has_returned).values_list("pk", flat=True)):
        with apart(campaign_id=campaign_pk):
            settle(campaign_pk)


def retryable(campaign: Campaign, ended: Q) -> MessageQuerySet:
    """Return the messages of the campaign that ended this way and have not been purged."""
    return Message.objects.not_purged().filter(ended, campaign=campaign)


def requeue(failed: QuerySet[Message], run: int, keys: Iterable[int] | None = None) -> int:
    """Queue failed messages again for this run, all of them or those with these keys, and return their number.

    Each gets a new extra id: the platform does not document what happens to a repeated one. The former end is kept, by
    which they differ from messages of earlier runs too.
    """
    fresh_ids = extra_ids()
    count, announced = 0, []
    for page in _pages(failed) if keys is None else _pages_of(failed, keys):
        queued = Message.Status.QUEUED
        rows = [Requeued(pk, next(fresh_ids), queued.value, end.stored(run)) for pk, end in page]
        count += update_rows(Message, Requeued._fields, rows)
        announced += store_changes([Change(pk, end.status, queued) for pk, end in page])
    announce_stored(announced)
    return count


def _pages(failed: QuerySet[Message]) -> Iterator[list[tuple[int, End]]]:
    last_id = 0
    while page := _lock(failed.filter(pk__gt=last_id)):
        yield page
        last_id = page[-1][0]


def _pages_of(failed: QuerySet[Message], keys: Iterable[int]) -> Iterator[list[tuple[int, End]]]:
    remaining = iter(keys)
    while chunk := list(islice(remaining, REQUEUE_CHUNK)):
        yield _lock(failed.filter(pk__in=chunk))


def _lock(failed: QuerySet[Message]) -> list[tuple[int, End]]:
    """Lock the messages that still count as failed, and return their keys and how they ended.

    Late reports may have changed some of them.
    """
    rows = failed.order_by("pk").select_for_update().values_list("pk", *End._fields)[:REQUEUE_CHUNK]
    return [(pk, End(*end)) for pk, *end in rows]


@insisting
def finish_if_done(campaign_pk: int) -> bool:
    """Finish a running campaign with nothing left to send. Return whether this call finished it."""
    campaigns = Campaign.objects.filter(pk=campaign_pk, status=Campaign.Status.SENDING)
    open_batches = Batch.objects.filter(campaign=OuterRef("pk"), state__in=OPEN_BATCHES)
    if not campaigns.filter(~Exists(open_batches)).exists():
        return False
    open_messages = Message.objects.filter(campaign=OuterRef("pk"), status__in=BEFORE_ACCEPTANCE)
    reached = Message.objects.filter(campaign=campaign_pk).exclude(status=Message.Status.SUPPRESSED)
    reason = "" if reached.exists() else NOBODY_LEFT
    with announcing_finish():
        finished = campaigns.filter(~Exists(open_batches), ~Exists(open_messages)).update(
            status=Campaign.Status.FINISHED, status_reason=reason, finished_at=timezone.now()
        )
        if finished:
            announce_finished(campaign_pk)
    return bool(finished)

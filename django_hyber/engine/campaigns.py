"""A campaign as a whole: cut into batches, finished when nothing is left to hand over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from django_hyber.conf import get_account
from django_hyber.engine.bulk import update_rows
from django_hyber.engine.identifiers import extra_ids
from django_hyber.engine.notifications import Change, announce_changes, announce_finished, has_listeners
from django_hyber.engine.purging import IS_PURGED
from django_hyber.engine.ranks import BEFORE_ACCEPTANCE
from django_hyber.models import Batch, Campaign, Message

REQUEUE_CHUNK = 10_000
OPEN_BATCHES = (Batch.State.PENDING, Batch.State.SENDING, Batch.State.UNCONFIRMED)


class Requeued(NamedTuple):
    """A message as it is before its next run."""

    id: int
    extra_id: str
    status: str
    message_id: None = None
    channel: str = ""
    hyber_status: None = None
    error_code: None = None
    error_text: str = ""
    total_sms_parts: None = None
    delivered_sms_parts: None = None
    clicks: None = None
    accepted_at: None = None
    reported_at: None = None
    finished_at: None = None


def cut_batches(campaign: Campaign, using: str) -> list[int]:
    """Cut the queued messages into ranges of the account's batch size and return the primary keys of the batches.

    The database forbids a second cut of the same run.
    """
    size = get_account(campaign.account).batch_size
    batches = []
    queued = Message.objects.using(using).filter(campaign=campaign, status=Message.Status.QUEUED).order_by("pk")
    last_id = 0
    while True:
        pks = list(queued.filter(pk__gt=last_id).values_list("pk", flat=True)[:size])
        if not pks:
            break
        last_id = pks[-1]
        batches.append(Batch(campaign=campaign, run=campaign.run, first_id=pks[0], last_id=last_id, size=len(pks)))
    Batch.objects.using(using).bulk_create(batches)
    return pending_batches(campaign, using)


def pending_batches(campaign: Campaign, using: str) -> list[int]:
    """Return the batches that still have to go out."""
    pending = Batch.objects.using(using).filter(campaign=campaign, state=Batch.State.PENDING)
    return list(pending.order_by("pk").values_list("pk", flat=True))


def settle(campaign_pk: int, using: str) -> None:
    """See to what is left after a piece of a campaign has ended: finish it, or cancel what came back after a cancel."""
    status = Campaign.objects.using(using).values_list("status", flat=True).get(pk=campaign_pk)
    if status == Campaign.Status.SENDING:
        finish_if_done(campaign_pk, using)
    elif status == Campaign.Status.CANCELLED:
        cancel_waiting(campaign_pk, using)


def settle_all(using: str) -> None:
    """Settle every campaign of which no batch is open: whoever should have done it may have been stopped."""
    open_batches = Batch.objects.filter(campaign=OuterRef("pk"), state__in=OPEN_BATCHES)
    running = Campaign.objects.using(using).filter(~Exists(open_batches), status=Campaign.Status.SENDING)
    for campaign_pk in list(running.values_list("pk", flat=True)):
        settle(campaign_pk, using)


def cancel_waiting(campaign_pk: int, using: str) -> None:
    """Cancel the batches that nobody has taken, and the messages that are in none or only in such a one."""
    now = timezone.now()
    batches = Batch.objects.using(using).filter(campaign=campaign_pk)
    batches.filter(state=Batch.State.PENDING).update(state=Batch.State.CANCELLED, finished_at=now, next_attempt_at=None)
    queued = Message.objects.using(using).filter(campaign=campaign_pk, status=Message.Status.QUEUED)
    on_the_wire = batches.filter(state=Batch.State.SENDING)
    for first_id, last_id in on_the_wire.values_list("first_id", "last_id"):
        queued = queued.exclude(pk__gte=first_id, pk__lte=last_id)
    pks = list(queued.values_list("pk", flat=True)) if has_listeners() else []
    queued.update(status=Message.Status.CANCELLED, finished_at=now)
    announce_changes([Change(pk, Message.Status.QUEUED, Message.Status.CANCELLED) for pk in pks], using)


def retryable(campaign: Campaign, statuses: Sequence[str], using: str) -> QuerySet[Message]:
    """Return the messages that ended so and whose number is still known."""
    return Message.objects.using(using).filter(campaign=campaign, status__in=statuses).exclude(IS_PURGED)


def requeue(campaign: Campaign, statuses: Sequence[str], using: str) -> None:
    """Queue failed messages again, each under a new id: what the platform does with a used one is not documented."""
    fresh_ids = extra_ids()
    pks = list(retryable(campaign, statuses, using).order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(pks), REQUEUE_CHUNK):
        rows = [Requeued(pk, next(fresh_ids), Message.Status.QUEUED.value) for pk in pks[start : start + REQUEUE_CHUNK]]
        update_rows(Message, Requeued._fields, rows, using)


def finish_if_done(campaign_pk: int, using: str) -> bool:
    """End a campaign of which nothing is left to hand over, and say whether this call did it."""
    campaigns = Campaign.objects.using(using).filter(pk=campaign_pk, status=Campaign.Status.SENDING)
    open_batches = Batch.objects.filter(campaign=OuterRef("pk"), state__in=OPEN_BATCHES)
    if not campaigns.filter(~Exists(open_batches)).exists():
        return False
    open_messages = Message.objects.filter(campaign=OuterRef("pk"), status__in=BEFORE_ACCEPTANCE)
    finished = campaigns.filter(~Exists(open_batches), ~Exists(open_messages)).update(
        status=Campaign.Status.FINISHED, status_reason="", finished_at=timezone.now()
    )
    if finished:
        announce_finished(campaign_pk, using)
    return bool(finished)

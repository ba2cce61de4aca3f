"""Cancelling a single message, and what is left of a cancelled campaign.

Its batches are cancelled at once, its messages in the background if there are many. No batch of a cancelled campaign is
claimed, so nothing goes out however long that takes. Messages that waited for a retry get the end back that they had
before it. What was sent in an earlier request is queried instead, once a report shows that this one was accepted.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone

from django_hyber.announce import Change, announce_by_sweep, announce_changes, announcing
from django_hyber.db.apart import apart
from django_hyber.db.bulk import CHUNK
from django_hyber.db.transactions import insisting, write_transaction
from django_hyber.jobs.background import is_large, request_job
from django_hyber.jobs.work import JobClaim, campaign_of, job_kind
from django_hyber.models import BackgroundJob, Batch, Campaign, Message, MessageQuerySet
from django_hyber.sending.claim import RELEASED
from django_hyber.sending.corrections.earlier_ends import give_back_ends
from django_hyber.sending.corrections.late_proofs import doubt_waiting


def cancel_message(message: Message) -> bool:
    """Cancel a single message that has not been sent. Return whether it will never be sent.

    False means that a worker is sending it, or that it has its outcome already; its status is read again in any case.
    Raises ValueError for a recipient of a campaign.
    """
    if message.campaign_id:
        raise ValueError(f"The message {message.extra_id} belongs to a campaign. Use cancel_campaign() to stop that.")
    # A worker claims the message with an UPDATE under the same condition, so only one of both succeeds.
    queued = Message.objects.filter(pk=message.pk, status=Message.Status.QUEUED)
    with announcing():
        if queued.update(status=Message.Status.CANCELLED, finished_at=timezone.now(), error_text="", **RELEASED):
            announce_changes([Change(message.pk, Message.Status.QUEUED, Message.Status.CANCELLED)])
    message.refresh_from_db()
    return message.status == Message.Status.CANCELLED


def cancel_waiting(campaign: Campaign) -> None:
    """Cancel the pending batches, and the queued messages that no worker is sending. Call it in a transaction."""
    doubt_waiting(campaign)
    pending = campaign.batches.filter(state=Batch.State.PENDING)
    pending.update(state=Batch.State.CANCELLED, finished_at=timezone.now(), due_at=None, waits_for="")
    if is_large(_waiting(campaign)):
        request_job(BackgroundJob.Kind.CANCEL, campaign, {}, None)
        return
    while _cancel_page(campaign):
        pass


@job_kind(BackgroundJob.Kind.CANCEL)
def run_cancellation(job: BackgroundJob, claim: JobClaim) -> dict[str, Any]:
    """Cancel the queued messages page by page. Each page is committed together with their number."""
    campaign, done = campaign_of(job), job.done
    if job.total is None:
        claim.write(total=_waiting(campaign).count())
    while True:
        with write_transaction():
            cancelled = _cancel_page(campaign)
            done += cancelled
            claim.write(done=done)
        if not cancelled:
            return {}


def continue_cancelled() -> None:
    """Cancel what a job that was given up has left, one page of each campaign, so that a sweep stays short."""
    queued = Message.objects.filter(campaign=OuterRef("pk"), status=Message.Status.QUEUED)
    under_way = BackgroundJob.objects.open().filter(campaign=OuterRef("pk"), kind=BackgroundJob.Kind.CANCEL)
    left = Campaign.objects.filter(Exists(queued), ~Exists(under_way), status=Campaign.Status.CANCELLED)
    for campaign in list(left):
        with apart(campaign_id=campaign.pk):
            _cancel_first_page(campaign)


@insisting
def _cancel_first_page(campaign: Campaign) -> None:
    with write_transaction():
        _cancel_page(campaign)


def _waiting(campaign: Campaign) -> MessageQuerySet:
    """Return the queued messages without those that a worker is sending."""
    queued = Message.objects.filter(campaign=campaign, status=Message.Status.QUEUED)
    for batch in campaign.batches.filter(state=Batch.State.SENDING):
        queued = queued.exclude(batch.members())
    return queued


def _cancel_page(campaign: Campaign) -> int:
    waiting = _waiting(campaign)
    pks = list(waiting.order_by("pk").select_for_update().values_list("pk", flat=True)[:CHUNK])
    if pks:
        ended = {change.pk: change for change in give_back_ends(campaign, pks)}
        # Others may have been queued since.
        Message.objects.filter(pk__in=pks, status=Message.Status.QUEUED).update(
            status=Message.Status.CANCELLED, finished_at=timezone.now()
        )
        # There may be a million, and this process calls no receiver for them.
        announce_by_sweep([ended.get(pk) or Change(pk, Message.Status.QUEUED, Message.Status.CANCELLED) for pk in pks])
    return len(pks)

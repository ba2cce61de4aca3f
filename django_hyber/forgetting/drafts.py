"""Removal of the recipients of drafts that nobody has touched for long."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from django_hyber.db.bulk import pages_to_delete
from django_hyber.db.transactions import write_transaction
from django_hyber.forgetting.log_entries import admin_log
from django_hyber.models import BackgroundJob, Campaign, Message


def count_in_old_drafts(before: datetime) -> int:
    """Count the recipients that ``purge_old_drafts`` would delete."""
    return Message.objects.filter(campaign__in=list(_old_drafts(before).values_list("pk", flat=True))).count()


def purge_old_drafts(before: datetime) -> int:
    """Delete all recipients of the drafts that nobody has touched since, and return how many there were.

    Either all recipients of a draft go or none: a part of them must not be taken for the whole.
    """
    return sum(_purge_draft(pk, before) for pk in list(_old_drafts(before).values_list("pk", flat=True)))


def forget_imports_of_nobody(campaign: Campaign) -> None:
    """Undo what imports have set on the campaign when no recipient is left."""
    if not campaign.messages.exists():
        Campaign.objects.filter(pk=campaign.pk).update(has_own_texts=False, number_types=[], audience="")
        campaign.has_own_texts, campaign.number_types, campaign.audience = False, [], ""


def delete_recipients(recipients: QuerySet[Message]) -> int:
    """Delete them, and return how many there were, without the rows of other tables that go with them."""
    return recipients.delete()[1].get(Message._meta.label, 0)


def _old_drafts(before: datetime) -> QuerySet[Campaign]:
    """Select the drafts with recipients that have neither been filled, worked on nor withdrawn since.

    One that is planned for a later time is left alone.
    """
    recipients = Message.objects.filter(campaign=OuterRef("pk")).order_by()
    jobs = BackgroundJob.objects.filter(campaign=OuterRef("pk")).order_by()
    drafts = Campaign.objects.filter(
        Q(start_time=None) | Q(start_time__lt=timezone.now()),
        Q(launched_at=None) | Q(launched_at__lt=before),
        Q(approval_at=None) | Q(approval_at__lt=before),
        Exists(recipients),
        ~Exists(recipients.filter(created_at__gte=before)),
        ~Exists(jobs.filter(Q(created_at__gte=before) | Q(state__in=BackgroundJob.OPEN_STATES))),
        status=Campaign.Status.DRAFT,
        created_at__lt=before,
    )
    return drafts.exclude(pk__in=_changed_since(before))


def _changed_since(before: datetime) -> list[int]:
    """Return the keys of the campaigns that somebody has worked on in the admin since."""
    entries = admin_log(action_time__gte=before, content_type__model="campaign")
    keys = [] if entries is None else entries.order_by().values_list("object_id", flat=True).distinct()
    return [int(key) for key in keys]


def _purge_draft(pk: int, before: datetime) -> int:
    with write_transaction():
        # Neither an import nor a launch can begin until the end of the transaction.
        Campaign.objects.select_for_update().filter(pk=pk).first()
        campaign = _old_drafts(before).filter(pk=pk).first()
        if campaign is None:
            return 0
        pages = pages_to_delete(campaign.messages.all())
        count = sum(delete_recipients(Message.objects.filter(pk__in=page)) for page in pages)
        forget_imports_of_nobody(campaign)
        Campaign.objects.filter(pk=pk).update(status_reason="", approval_note="")
    return count

"""Removal of old personal data, a range of rows at a time; totals stay the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from django_hyber.db.bulk import CHUNK, pages_to_delete, table_pages, update_rows
from django_hyber.db.stored_files import delete_orphans, delete_stored
from django_hyber.db.transactions import write_transaction
from django_hyber.forgetting.drafts import count_in_old_drafts, purge_old_drafts
from django_hyber.forgetting.log_entries import admin_log
from django_hyber.models import (
    AccountState,
    Announcement,
    BackgroundJob,
    Batch,
    Campaign,
    DeliveryReport,
    Message,
    Reply,
    UnreadableCallback,
)
from django_hyber.models.message import GIVEN_UP
from django_hyber.reports.anonymous import anonymize_reports
from django_hyber.reports.ranks import FINAL

Status = Message.Status
#: Messages that have ended; for the given-up ones no report is expected any more.
OVER = Q(status__in=(*FINAL, Status.CANCELLED, Status.SUPPRESSED)) | GIVEN_UP
ANONYMOUS_COLUMNS = ("id", "phone_number", "variables", "content", "error_text", "answer_text")
NO_REPLY_DATA = {
    **dict.fromkeys(("phone_number", "text", "media_url", "media_file", "file_name", "location"), ""),
    "lease_until": None,
}


@dataclass(kw_only=True)
class Purged:
    """How many rows were anonymized; from ``recipients`` on, how many were deleted."""

    messages: int = 0
    reports: int = 0
    replies: int = 0
    recipients: int = 0
    waiting_reports: int = 0
    unreadable: int = 0
    announcements: int = 0
    jobs: int = 0
    log_entries: int = 0


def purge_personal_data(older_than: timedelta, *, dry_run: bool = False) -> Purged:
    """Anonymize what ended longer ago than this, and delete what nobody needs any more.

    Numbers, variables, texts, reasons and files go; ids, statuses, codes and times stay, so every total stays as it is.
    Unmatched reports, unreadable callbacks, background jobs, entries of the admin's log, and the recipients of drafts
    that nobody has touched since are deleted. Messages under way and opted-out numbers are not changed. It can be
    stopped and started again: each range of rows, and each draft, is a separate transaction. ``dry_run`` only counts.
    """
    before = timezone.now() - older_than
    purged = Purged()
    for page in table_pages(Message.objects.all(), CHUNK):
        _purge_messages(page[0][0], page[-1][0], before, purged, dry_run=dry_run)
    for page in table_pages(Reply.objects.all(), CHUNK):
        _purge_replies(page[0][0], page[-1][0], before, purged, dry_run=dry_run)
    purged.recipients = count_in_old_drafts(before) if dry_run else purge_old_drafts(before)
    for name, rows in _deleted(before).items():
        setattr(purged, name, rows.count() if dry_run else _delete(rows))
    if not dry_run:
        _purge_reasons(before)
        delete_orphans()
    return purged


def anonymize(messages: QuerySet[Message]) -> int:
    """Remove the personal data of these messages and return how many there were. Runs in a transaction."""
    rows = messages.order_by("pk").select_for_update().values_list("pk", "content")
    anonymous = [_anonymous(pk, content) for pk, content in rows]
    # The object of the project would lead to the person, and a text of the platform may quote the number.
    forgotten = {"reference_type_id": None, "reference_id": None, "earlier_end": None}
    return update_rows(Message, ANONYMOUS_COLUMNS, anonymous, constants=forgotten)


def anonymize_replies(replies: QuerySet[Reply]) -> int:
    """Remove the personal data of these replies and their attachments, and return how many there were."""
    # Before the names are removed from the rows: deleting a file twice is harmless.
    for name in replies.exclude(media_file="").values_list("media_file", flat=True):
        delete_stored(name)
    return replies.update(raw={}, **NO_REPLY_DATA)


def _deleted(before: datetime) -> dict[str, QuerySet[Any]]:
    """Return the rows to delete, by the name of their count."""
    day_ago = timezone.now() - timedelta(days=1)
    found: dict[str, QuerySet[Any]] = {
        "waiting_reports": DeliveryReport.objects.filter(message=None, received_at__lt=before),
        "unreadable": UnreadableCallback.objects.filter(received_at__lt=before),
        # No process has receivers for them any more, or the sweeps of a day would have called these.
        "announcements": Announcement.objects.filter(lease_until__lt=min(before, day_ago)),
        "jobs": BackgroundJob.objects.filter(finished_at__lt=before),
    }
    log = admin_log(action_time__lt=before)
    return found if log is None else found | {"log_entries": log}


def _purge_messages(first_id: int, last_id: int, before: datetime, purged: Purged, *, dry_run: bool) -> None:
    is_old = Q(finished_at__lt=before) | Q(finished_at=None, created_at__lt=before)
    old = Message.objects.filter(OVER, is_old, pk__gte=first_id, pk__lte=last_id)
    due = old.not_purged()
    near = DeliveryReport.objects.filter(message__gte=first_id, message__lte=last_id)
    reports = near.filter(message__in=old.order_by().values("pk")).exclude(raw={})
    if dry_run:
        purged.messages += due.count()
        purged.reports += reports.count()
        return
    with write_transaction():
        purged.messages += anonymize(due)
        purged.reports += anonymize_reports(reports)


def _anonymous(pk: int, content: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """Return the row without phone, variables and texts; of the content, reports still need the channels."""
    kept = content and {"channels": content.get("channels", []), "channel_options": {}}
    return pk, None, {}, kept, "", ""


def _purge_replies(first_id: int, last_id: int, before: datetime, purged: Purged, *, dry_run: bool) -> None:
    here = Reply.objects.filter(pk__gte=first_id, pk__lte=last_id)
    replies = here.filter(received_at__lt=before).exclude(raw={})
    purged.replies += replies.count() if dry_run else anonymize_replies(replies)


def _purge_reasons(before: datetime) -> None:
    """Remove the platform's texts about requests, campaigns and accounts: they may quote a number or a text."""
    Batch.objects.filter(finished_at__lt=before).exclude(error_text="", answer_text="").update(
        error_text="", answer_text=""
    )
    ended = Campaign.objects.filter(finished_at__lt=before)
    ended.exclude(status_reason="", approval_note="").update(status_reason="", approval_note="")
    states = AccountState.objects.filter(Q(blocked_until=None) | Q(blocked_until__lt=before), held_since=None)
    states.exclude(reason="").update(reason="")


def _delete(rows: QuerySet[Any]) -> int:
    return sum(rows.filter(pk__in=page).delete()[0] for page in pages_to_delete(rows))

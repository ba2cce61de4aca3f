"""Removal of old personal data, a range of rows at a time; totals stay the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from django_hyber.db.bulk import table_pages, update_rows
from django_hyber.db.transactions import write_transaction
from django_hyber.models import Announcement, DeliveryReport, Message, Reply, UnreadableCallback
from django_hyber.models.message import GIVEN_UP
from django_hyber.reports.ranks import FINAL
from django_hyber.stored_files import delete_stored

CHUNK = 5_000
Status = Message.Status
#: Messages that have ended; for the given-up ones no report is expected any more.
OVER = Q(status__in=(*FINAL, Status.CANCELLED, Status.SUPPRESSED)) | GIVEN_UP
NO_REPLY_DATA = {
    **dict.fromkeys(("phone_number", "text", "media_url", "media_file", "file_name", "location"), ""),
    "lease_until": None,
}


@dataclass(kw_only=True)
class Purged:
    """How many rows were anonymized; the last three count deleted rows."""

    messages: int = 0
    reports: int = 0
    replies: int = 0
    waiting_reports: int = 0
    unreadable: int = 0
    announcements: int = 0


def purge_personal_data(older_than: timedelta, *, dry_run: bool = False) -> Purged:
    """Anonymize what ended longer ago than this, and delete unmatched reports and unreadable callbacks.

    Numbers, variables and texts go; ids, statuses, codes and times stay, so every total stays as it is. Messages under
    way and opted-out numbers are not changed. It can be stopped and started again: each range of rows is a separate
    transaction. ``dry_run`` only counts.
    """
    before = timezone.now() - older_than
    purged = Purged()
    for page in table_pages(Message.objects.all(), CHUNK):
        _purge_messages(page[0][0], page[-1][0], before, purged, dry_run=dry_run)
    for page in table_pages(Reply.objects.all(), CHUNK):
        _purge_replies(page[0][0], page[-1][0], before, purged, dry_run=dry_run)
    waiting = DeliveryReport.objects.filter(message=None, received_at__lt=before)
    unreadable = UnreadableCallback.objects.filter(received_at__lt=before)
    purged.waiting_reports = waiting.count() if dry_run else _delete(waiting)
    purged.unreadable = unreadable.count() if dry_run else _delete(unreadable)
    # No process has receivers for them any more, or the sweeps of a day would have called these.
    left = Announcement.objects.filter(lease_until__lt=min(before, timezone.now() - timedelta(days=1)))
    purged.announcements = left.count() if dry_run else _delete(left)
    return purged


def _purge_messages(first_id: int, last_id: int, before: datetime, purged: Purged, *, dry_run: bool) -> None:
    is_old = Q(finished_at__lt=before) | Q(finished_at=None, created_at__lt=before)
    old = Message.objects.filter(OVER, is_old, pk__gte=first_id, pk__lte=last_id)
    due = old.not_purged()
    # Includes reports that arrived after their message was purged.
    near = DeliveryReport.objects.filter(message__gte=first_id, message__lte=last_id)
    reports = near.filter(message__in=old.order_by().values("pk")).exclude(raw={})
    if dry_run:
        purged.messages += due.count()
        purged.reports += reports.count()
        return
    with write_transaction():
        rows = due.order_by("pk").select_for_update().values_list("pk", "content")
        anonymous = [_anonymous(pk, content) for pk, content in rows]
        purged.messages += update_rows(Message, ("id", "phone_number", "variables", "content"), anonymous)
        purged.reports += reports.update(phone_number="", raw={})


def _anonymous(pk: int, content: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """Return the row without phone and variables; of the content, reports still need the channels."""
    kept = content and {"channels": content.get("channels", []), "channel_options": {}}
    return pk, None, {}, kept


def _purge_replies(first_id: int, last_id: int, before: datetime, purged: Purged, *, dry_run: bool) -> None:
    here = Reply.objects.filter(pk__gte=first_id, pk__lte=last_id)
    replies = here.filter(received_at__lt=before).exclude(raw={})
    if dry_run:
        purged.replies += replies.count()
        return
    # Before the names are removed from the rows: deleting a file twice is harmless.
    for name in replies.exclude(media_file="").values_list("media_file", flat=True):
        delete_stored(name)
    purged.replies += replies.update(raw={}, **NO_REPLY_DATA)


def _delete(rows: QuerySet[Any]) -> int:
    deleted = 0
    while pks := list(rows.order_by().values_list("pk", flat=True)[:CHUNK]):
        deleted += rows.filter(pk__in=pks).delete()[0]
    return deleted

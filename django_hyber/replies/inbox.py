from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.conf import DEFAULT_ACCOUNT, get_account
from django_hyber.db.transactions import database
from django_hyber.models import Reply
from django_hyber.queueing import enqueue_after_commit
from django_hyber.replies import intake

OPTED_OUT_BY_COLLEAGUE = gettext_noop("Added by a colleague because of a reply.")


def apply_replies(raw_replies: Sequence[object], account: str = DEFAULT_ACCOUNT) -> int:
    """Store what people answered, each reply once, and return how many were new.

    A reply that is one of STOP_WORDS puts its number on the opt-out list. With FETCH_MEDIA, a task fetches each
    attachment after commit.
    """
    settings = get_account(account)
    using = database()
    stored = intake.store_replies(settings, raw_replies, using)
    if settings.fetch_media:
        for pk in (pk for pk, reply in stored.items() if reply.media_url):
            enqueue_after_commit(using, "fetch_media", pk)
    return len(stored)


def mark_replies_read(chosen: QuerySet[Reply]) -> int:
    """Mark replies as read, now, and return how many were unread."""
    return chosen.filter(read_at=None).update(read_at=timezone.now())


def mark_replies_unread(chosen: QuerySet[Reply]) -> int:
    """Mark replies as unread and return how many were read."""
    return chosen.filter(read_at__isnull=False).update(read_at=None)


def opt_out_senders(chosen: QuerySet[Reply]) -> int:
    """Put the numbers that the replies came from on the opt-out list and return how many were not there yet."""
    numbers = chosen.order_by().values_list("phone_number", flat=True).distinct()
    return intake.opt_out(numbers, OPTED_OUT_BY_COLLEAGUE, database())

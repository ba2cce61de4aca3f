"""Replies of recipients: each stored once and matched to the message that it answers."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from django_hyber.conf import Account
from django_hyber.engine.bulk import insert_rows
from django_hyber.engine.notifications import announce_replies
from django_hyber.engine.reports import primary_keys, store_unreadable
from django_hyber.models import Reply, UnreadableCallback
from django_hyber.protocol import UserReply, parse_replies, reply_fingerprint

COLUMNS = (
    "fingerprint",
    "account",
    "message_id",
    "channel",
    "phone_number",
    "text",
    "media_kind",
    "media_url",
    "file_name",
    "location",
    "replied_at",
    "received_at",
    "raw",
)


def store_replies(account: Account, raw_replies: Sequence[object], using: str) -> int:
    """Store the replies that are new, tell the host project about them and return their number."""
    parsed = parse_replies(list(raw_replies))
    store_unreadable(UnreadableCallback.Kind.REPLIES, account, parsed.unreadable, using)
    by_fingerprint = {reply_fingerprint(reply, account.name): reply for reply in parsed.replies}
    known = Reply.objects.using(using).filter(fingerprint__in=list(by_fingerprint))
    fresh = by_fingerprint.keys() - set(known.values_list("fingerprint", flat=True))
    messages = _messages(parsed.replies, using)
    now = timezone.now()
    rows = [
        (
            mark,
            account.name,
            messages.get(reply.message_id) or messages.get(reply.extra_id),
            reply.channel[:16],
            reply.phone_number,
            reply.text,
            reply.media_kind,
            reply.media_url,
            reply.file_name[:255],
            reply.location[:64],
            reply.time,
            now,
            reply.raw,
        )
        for mark, reply in sorted(by_fingerprint.items())
        if mark in fresh
    ]
    with transaction.atomic(using=using):
        stored = insert_rows(Reply, COLUMNS, rows, using)
        announce_replies([row[0] for row in rows], using)
    return stored


def _messages(replies: Sequence[UserReply], using: str) -> dict[str, int]:
    by_extra_id = primary_keys("extra_id", {reply.extra_id for reply in replies}, using)
    by_message_id = primary_keys("message_id", {reply.message_id for reply in replies}, using)
    return by_extra_id | by_message_id

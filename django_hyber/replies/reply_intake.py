"""Replies of recipients: stored once, matched to their message; stop and start words change the opt-out list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from django_hyber.announce import announce_replies
from django_hyber.conf import DEFAULT_ACCOUNT, Account, get_account
from django_hyber.db.bulk import CHUNK, insert_rows
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import insisting, lock, write_transaction
from django_hyber.models import Message, Reply, UnreadableCallback
from django_hyber.protocol import UserReply, parse_replies, reply_fingerprint
from django_hyber.queueing import enqueue_after_commit
from django_hyber.replies.opt_out_list import apply_wishes, asks_to_stop
from django_hyber.reports.matching import primary_keys
from django_hyber.reports.unreadable import keep_unreadable_items

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
    "media_file",
    "attempts",
    "replied_at",
    "received_at",
    "raw",
)
#: How old the message of a reply without ids may be, and how much two clocks may differ.
ANSWERED_WITHIN = timedelta(days=7)
CLOCKS_DIFFER_BY = timedelta(minutes=1)
REACHED = (Message.Status.ACCEPTED, Message.Status.DELIVERED, Message.Status.SEEN)


class Recent(NamedTuple):
    """A message that a reply without ids may be about; ``channel`` is "" until one is known to have delivered."""

    pk: int
    phone_number: str
    channel: str
    accepted_at: datetime


def apply_replies(raw_replies: Sequence[object], account: str = DEFAULT_ACCOUNT) -> int:
    """Store replies, each once, and return how many were new.

    A reply that asks to stop puts its number on the opt-out list, one that asks to start takes it off. With
    FETCH_MEDIA, a task fetches each attachment after commit; if it is lost, a sweep enqueues another.
    """
    settings = get_account(account)
    parsed = parse_replies(list(raw_replies), settings.default_region)
    keep_unreadable_items(UnreadableCallback.Kind.REPLIES, settings, parsed.unreadable)
    stored: dict[int, UserReply] = {}
    for start in range(0, len(parsed.replies), CHUNK):
        stored |= _store_chunk(settings, parsed.replies[start : start + CHUNK])
    if settings.fetch_media:
        for pk in (pk for pk, reply in stored.items() if reply.media_url):
            enqueue_after_commit("fetch_media", pk)
    return len(stored)


def mark_replies_read(chosen: QuerySet[Reply]) -> int:
    """Mark replies as read, now, and return how many were unread."""
    return chosen.filter(read_at=None).update(read_at=timezone.now())


def mark_replies_unread(chosen: QuerySet[Reply]) -> int:
    """Mark replies as unread and return how many were read."""
    return chosen.filter(read_at__isnull=False).update(read_at=None)


@insisting
def _store_chunk(account: Account, replies: Sequence[UserReply]) -> dict[int, UserReply]:
    """Store the new replies, apply what they ask for, announce the replies, and return them by primary key."""
    given = {reply_fingerprint(reply, account.name): reply for reply in replies}
    known = dict(_stored(given).values_list("fingerprint", "pk"))
    fresh = {mark: given[mark] for mark in given.keys() - known.keys()}
    now = database_time()
    _stop_again(account, {pk: given[mark] for mark, pk in known.items()}, now)
    if not fresh:
        return {}
    found = _match(account, fresh, now)
    with write_transaction():
        # Locked until the commit: MariaDB would drop the reply to a message that is deleted concurrently.
        locked = set(lock(Message.objects.filter(pk__in=set(found.values())))) if found else set()
        messages = {mark: pk for mark, pk in found.items() if pk in locked}
        rows = [_row(account, mark, fresh[mark], messages.get(mark), now) for mark in sorted(fresh)]
        # A concurrent callback may have stored the same reply: its row then has another time.
        if not insert_rows(Reply, COLUMNS, rows):
            return {}
        ours = dict(_stored(fresh).filter(received_at=now).order_by("pk").values_list("pk", "fingerprint"))
        stored = {pk: fresh[mark] for pk, mark in ours.items()}
        apply_wishes(account, stored, now)
        announce_replies(list(ours))
    return stored


def _stop_again(account: Account, known: Mapping[int, UserReply], now: datetime) -> None:
    """Apply again the stored replies without a time that ask to stop.

    Such a reply may be the same callback once more, or a second reply with the same text.
    """
    stops = {pk: reply for pk, reply in known.items() if reply.time is None and asks_to_stop(account, reply.text)}
    if stops:
        with write_transaction():
            apply_wishes(account, stops, now)


def _stored(fingerprints: Iterable[str]) -> QuerySet[Reply]:
    return Reply.objects.filter(fingerprint__in=list(fingerprints))


def _row(account: Account, mark: str, reply: UserReply, message: int | None, now: datetime) -> tuple[Any, ...]:
    return (
        mark,
        account.name,
        message,
        reply.channel[:16],
        reply.phone_number,
        reply.text,
        reply.media_kind,
        reply.media_url,
        reply.file_name[:255],
        reply.location[:64],
        "",
        0,
        reply.time,
        now,
        reply.raw,
    )


def _match(account: Account, replies: Mapping[str, UserReply], now: datetime) -> dict[str, int]:
    """Return the message of each reply, if known.

    The ids of a reply decide, and a reply whose ids are not ours is matched to nothing. One without ids comes from
    WhatsApp or from a chat opened through a deep link. It is matched to the newest message of its account to its number
    that the platform accepted before the reply and within ANSWERED_WITHIN, and that the channel of the reply has
    delivered or may have. If two such messages were accepted at the same moment, it is matched to neither.
    """
    by_extra_id = primary_keys("extra_id", {reply.extra_id for reply in replies.values()})
    by_message_id = primary_keys("message_id", {reply.message_id for reply in replies.values()})
    without_ids = {reply.phone_number for reply in replies.values() if not (reply.message_id or reply.extra_id)}
    recent = _recent(account, without_ids, now)
    found = {}
    for mark, reply in replies.items():
        if reply.message_id or reply.extra_id:
            found[mark] = by_message_id.get(reply.message_id) or by_extra_id.get(reply.extra_id)
        else:
            found[mark] = _answered(reply, recent.get(reply.phone_number, ()))
    return {mark: pk for mark, pk in found.items() if pk}


def _recent(account: Account, phone_numbers: set[str], now: datetime) -> dict[str, list[Recent]]:
    """Return the recent messages that have, or may have, reached each of the numbers."""
    if not phone_numbers:
        return {}
    rows = Message.objects.filter(
        account=account.name,
        phone_number__in=phone_numbers,
        status__in=REACHED,
        accepted_at__gte=now - ANSWERED_WITHIN,
    )
    recent: dict[str, list[Recent]] = {}
    for row in rows.values_list(*Recent._fields):
        message = Recent(*row)
        recent.setdefault(message.phone_number, []).append(message)
    return recent


def _answered(reply: UserReply, messages: Sequence[Recent]) -> int | None:
    possible = [message for message in messages if _may_answer(reply, message)]
    newest = max((message.accepted_at for message in possible), default=None)
    pks = [message.pk for message in possible if message.accepted_at == newest]
    return pks[0] if len(pks) == 1 else None


def _may_answer(reply: UserReply, message: Recent) -> bool:
    is_after = reply.time is None or message.accepted_at - reply.time <= CLOCKS_DIFFER_BY
    return is_after and message.channel in {"", reply.channel}

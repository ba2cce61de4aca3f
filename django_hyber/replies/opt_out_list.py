"""Who is on the opt-out list: in by a stop word or by a colleague, out by a start word or by a colleague."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.conf import Account
from django_hyber.db.bulk import insert_rows
from django_hyber.db.transactions import write_transaction
from django_hyber.models import Reply, Suppression
from django_hyber.models.suppression import ReturnReply
from django_hyber.protocol import START_WORDS, STOP_WORDS, Consent, UserReply, read_consent

#: Stored in English and translated where it is shown.
OPTED_OUT_BY_REPLY = gettext_noop("Opted out by reply.")
OPTED_OUT_BY_COLLEAGUE = gettext_noop("Added by a colleague because of a reply.")
CAME_BACK_BY_REPLY = gettext_noop("Opted in again by reply.")
REMOVED_BY_COLLEAGUE = gettext_noop("Removed by a colleague.")
#: A reply with an earlier time has a wrong clock, or was on its way for too long: the time of its arrival counts.
ARRIVES_WITHIN = timedelta(days=7)
COLUMNS = ("phone_number", "reason", "created_at", "added_by", "reply_id")


class Wish(NamedTuple):
    """What the sender of a reply asks for. Of two wishes of the same time, the opt-out is the greater one."""

    written_at: datetime
    is_out: bool
    reply_pk: int


def apply_wishes(account: Account, replies: Mapping[int, UserReply], now: datetime) -> None:
    """Put the senders of stop words on the list and take the senders of start words off it: their last word counts.

    ``replies`` are stored ones by primary key. Must be called in a transaction.
    """
    wishes: dict[str, Wish] = {}
    for pk, reply in replies.items():
        consent = _read(account, reply.text)
        if consent:
            wish = Wish(_written_at(reply.time, now), consent is Consent.OUT, pk)
            wishes[reply.phone_number] = max(wishes.get(reply.phone_number, wish), wish)
    _add(
        [
            (number, OPTED_OUT_BY_REPLY, wish.written_at, "", wish.reply_pk)
            for number, wish in wishes.items()
            if wish.is_out
        ]
    )
    back = {number: wish for number, wish in wishes.items() if not wish.is_out}
    if back:
        _take_off(account, back, now)


def asks_to_stop(account: Account, text: str) -> bool:
    """Return whether a reply with this text opts its sender out."""
    return _read(account, text) is Consent.OUT


def opt_out_senders(chosen: QuerySet[Reply], *, by: str = "") -> int:
    """Add the senders of the replies to the opt-out list and return how many were new. ``by`` is the colleague."""
    now = timezone.now()
    replies = dict(chosen.order_by("pk").exclude(phone_number="").values_list("phone_number", "pk"))
    with write_transaction():
        return _add([(number, OPTED_OUT_BY_COLLEAGUE, now, by, pk) for number, pk in replies.items()])


def remove_opt_outs(chosen: QuerySet[Suppression], *, by: str) -> int:
    """Take the numbers off the list for a colleague and return how many they were."""
    removed: int = chosen.take_off(reason=REMOVED_BY_COLLEAGUE, by=by)[0]  # type: ignore[attr-defined]
    return removed


def _add(rows: Sequence[tuple[str, str, datetime, str, int]]) -> int:
    """Put the numbers on the list, keep them there until the commit, and return how many were new."""
    if not rows:
        return 0
    # Sorted, so that concurrent callbacks do not deadlock.
    count = insert_rows(Suppression, COLUMNS, sorted(rows))
    listed = _lock_listed([number for number, *_others in rows])
    # A start word that was handled at the same moment has taken them off.
    return count + _add([row for row in rows if row[0] not in listed])


def _lock_listed(numbers: Iterable[str]) -> dict[str, tuple[int, datetime]]:
    """Lock those of the numbers that are on the list, and return the key and the time of each entry."""
    rows = Suppression.objects.filter(phone_number__in=numbers).order_by("pk").select_for_update()
    return {number: (pk, created_at) for pk, number, created_at in rows.values_list("pk", "phone_number", "created_at")}


def _take_off(account: Account, wishes: Mapping[str, Wish], now: datetime) -> None:
    """Take the numbers off the list, unless they were put on it, or have asked to stop, after the wish."""
    # Before the replies are read: a stop word that is handled at the same moment waits for the lock, or is read.
    listed = _lock_listed(wishes)
    stopped: dict[str, datetime] = {}
    first = min(wish.written_at for wish in wishes.values())
    earlier = Reply.objects.filter(phone_number__in=wishes, received_at__gte=first - ARRIVES_WITHIN)
    for number, text, written_at, received_at in earlier.values_list(
        "phone_number", "text", "replied_at", "received_at"
    ):
        if _read(account, text) is Consent.OUT:
            moment = _written_at(written_at, received_at)
            stopped[number] = max(stopped.get(number, moment), moment)
    pks = [
        pk
        for number, (pk, created_at) in listed.items()
        if max(created_at, stopped.get(number, created_at)) < wishes[number].written_at
    ]
    replies = {number: ReturnReply(wish.reply_pk, wish.written_at) for number, wish in wishes.items()}
    Suppression.objects.filter(pk__in=pks).take_off(reason=CAME_BACK_BY_REPLY, replies=replies)


def _read(account: Account, text: str) -> Consent | None:
    stop_words = STOP_WORDS if account.stop_words is None else account.stop_words
    start_words = START_WORDS if account.start_words is None else account.start_words
    return read_consent(text, stop_words, start_words)


def _written_at(written_at: datetime | None, received_at: datetime) -> datetime:
    """Return when a reply was written, as far as its clock can be trusted."""
    if written_at is None or not received_at - ARRIVES_WITHIN <= written_at <= received_at:
        return received_at
    return written_at

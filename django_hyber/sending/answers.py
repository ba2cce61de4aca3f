"""The platform's answer to a batch, written to all its messages in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.announce import Change, announce_changes, has_listeners
from django_hyber.db.bulk import update_rows
from django_hyber.models import Message
from django_hyber.protocol import Recipient, SyncEntry
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE

Status = Message.Status
NO_ANSWER = gettext_noop("The platform's answer does not mention this message.")
TEXT_LIMIT = 255
#: What an accepted message has no more of.
NOTHING_LEFT = MappingProxyType(
    {"error_code": None, "error_text": "", "finished_at": None, "lease_until": None, "next_attempt_at": None}
)
NOT_YET_ACCEPTED = MappingProxyType({"status": [status.value for status in BEFORE_ACCEPTANCE]})


class Outgoing(NamedTuple):
    """A message of the batch as it goes out."""

    pk: int
    recipient: Recipient


class Accepted(NamedTuple):
    """What is written to a message that the platform took, beside what is the same for all of them."""

    id: int
    message_id: str | None

    @property
    def status(self) -> str:
        """Return what the message becomes."""
        return Status.ACCEPTED.value


class Answer(NamedTuple):
    """What is written to a message that the platform refused, or did not mention."""

    id: int
    message_id: str | None
    status: str
    error_code: int | None = None
    error_text: str = ""
    finished_at: Any = None
    lease_until: Any = None
    next_attempt_at: Any = None


#: What an answer says of messages, all of one kind.
Told = Sequence[Accepted] | Sequence[Answer]


def accept_all(outgoing: Sequence[Outgoing], using: str) -> None:
    """The platform took the whole request as a job; each message's id comes with its report."""
    _accept([Accepted(item.pk, None) for item in outgoing], using)


def record_entries(outgoing: Sequence[Outgoing], entries: Sequence[SyncEntry], grace: float, using: str) -> None:
    """Give every message the entry of its own: by our id first, then by phone, in whatever order they came.

    A message without an entry may have been taken: it is asked about, and "not found" is believed after ``grace``
    seconds.
    """
    by_extra_id = {entry.extra_id: entry for entry in entries if entry.extra_id}
    by_phone = {entry.phone_number: entry for entry in entries if not entry.extra_id}
    accepted, others = [], []
    for pk, recipient in outgoing:
        entry = by_extra_id.get(recipient.extra_id) or by_phone.get(recipient.phone_number)
        if entry is not None and entry.accepted:
            accepted.append(Accepted(pk, entry.message_id or None))
        else:
            others.append(_unanswered(pk, grace) if entry is None else _refused(pk, entry))
    _accept(accepted, using)
    _write(others, using)


def _unanswered(pk: int, grace: float) -> Answer:
    now = timezone.now()
    status = Status.UNCONFIRMED.value
    believed_from = now + timedelta(seconds=grace)
    return Answer(pk, None, status, error_text=NO_ANSWER, lease_until=believed_from, next_attempt_at=now)


def _refused(pk: int, entry: SyncEntry) -> Answer:
    text, status = entry.error_text[:TEXT_LIMIT], Status.REJECTED.value
    return Answer(pk, entry.message_id or None, status, entry.error_code, text, finished_at=timezone.now())


def _accept(accepted: Sequence[Accepted], using: str) -> None:
    now = {"accepted_at": timezone.now()}
    constants = {"status": Status.ACCEPTED.value, **now, **NOTHING_LEFT}
    before = _statuses(accepted, using)
    moved = update_rows(Message, Accepted._fields, accepted, using, where=NOT_YET_ACCEPTED, constants=constants)
    _finish(accepted, before, moved, using, now)


def _write(answers: Sequence[Answer], using: str) -> None:
    before = _statuses(answers, using)
    moved = update_rows(Message, Answer._fields, answers, using, where=NOT_YET_ACCEPTED)
    _finish(answers, before, moved, using)


def _finish(
    told: Told, before: Mapping[int, str], moved: int, using: str, still_new: Mapping[str, Any] | None = None
) -> None:
    """Some reports were quicker than the answer: those statuses stay, only the platform's ids are still wanted."""
    if moved < len(told):
        ids = [(item.id, item.message_id) for item in told if item.message_id]
        update_rows(Message, Accepted._fields, ids, using, where={"message_id": None}, constants=still_new or {})
    announce_changes(_changes(told, before), using)


def _statuses(told: Told, using: str) -> dict[int, str]:
    """Read where the messages, which the caller has locked, stand: a report may have told the same already."""
    if not told or not has_listeners():
        return {}
    rows = Message.objects.using(using).filter(pk__gte=told[0].id, pk__lte=told[-1].id)
    return dict(rows.values_list("pk", "status"))


def _changes(told: Told, before: Mapping[int, str]) -> list[Change]:
    if not before:
        return []
    return [
        Change(item.id, before[item.id], item.status)
        for item in told
        if before.get(item.id) in BEFORE_ACCEPTANCE and before[item.id] != item.status
    ]

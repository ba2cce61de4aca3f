"""The platform's answer to a batch, written to all its messages in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.engine.bulk import update_rows
from django_hyber.engine.notifications import Change, announce_changes, has_listeners
from django_hyber.engine.ranks import BEFORE_ACCEPTANCE
from django_hyber.models import Message
from django_hyber.protocol import Recipient, SyncEntry

Status = Message.Status
NO_ANSWER = gettext_noop("The platform's answer does not mention this message.")
TEXT_LIMIT = 255
NOTHING: Mapping[str, Any] = MappingProxyType({})
#: What an accepted message has no more of.
NOTHING_LEFT = MappingProxyType(
    {"error_code": None, "error_text": "", "finished_at": None, "lease_until": None, "next_attempt_at": None}
)
NOT_YET_ACCEPTED = "t.status IN ({})".format(", ".join(f"'{status.value}'" for status in BEFORE_ACCEPTANCE))


class Outgoing(NamedTuple):
    """A message of the batch as it goes out."""

    pk: int
    recipient: Recipient


class Accepted(NamedTuple):
    """What is written to a message that the platform took, beside what is the same for all of them."""

    id: int
    message_id: str | None


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
    moved = update_rows(Message, Answer._fields, others, using, condition=NOT_YET_ACCEPTED)
    _finish([(answer.id, answer.message_id, answer.status) for answer in others], moved, using)


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
    moved = update_rows(Message, Accepted._fields, accepted, using, condition=NOT_YET_ACCEPTED, constants=constants)
    _finish([(*item, Status.ACCEPTED.value) for item in accepted], moved, using, now)


def _finish(
    answers: Sequence[tuple[int, str | None, str]], moved: int, using: str, still_new: Mapping[str, Any] = NOTHING
) -> None:
    """Some reports were quicker than the answer: those statuses stay, only the platform's ids are still wanted."""
    if moved < len(answers):
        ids = [(pk, message_id) for pk, message_id, _status in answers if message_id]
        update_rows(Message, Accepted._fields, ids, using, condition="t.message_id IS NULL", constants=still_new)
    if answers and has_listeners():
        announce_changes(_changes(answers, using), using)


def _changes(answers: Sequence[tuple[int, str | None, str]], using: str) -> list[Change]:
    rows = Message.objects.using(using).filter(pk__gte=answers[0][0], pk__lte=answers[-1][0])
    now_is = dict(rows.values_list("pk", "status"))
    return [Change(pk, Status.QUEUED, status) for pk, _message_id, status in answers if now_is.get(pk) == status]

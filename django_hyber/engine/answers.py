"""The platform's answer to a batch, written to all its messages in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
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
NOT_YET_ACCEPTED = "t.status IN ({})".format(", ".join(f"'{status.value}'" for status in BEFORE_ACCEPTANCE))


class Outgoing(NamedTuple):
    """A message of the batch as it goes out."""

    pk: int
    recipient: Recipient


class Answer(NamedTuple):
    """What one answer writes to its message."""

    id: int
    message_id: str | None
    status: str
    accepted_at: Any = None
    error_code: int | None = None
    error_text: str = ""
    finished_at: Any = None
    lease_until: Any = None
    next_attempt_at: Any = None


def accept_all(outgoing: Sequence[Outgoing], using: str) -> None:
    """The platform took the whole request as a job; each message's id comes with its report."""
    now = timezone.now()
    _write([Answer(item.pk, None, Status.ACCEPTED.value, now) for item in outgoing], using)


def record_entries(outgoing: Sequence[Outgoing], entries: Sequence[SyncEntry], grace: float, using: str) -> None:
    """Give every message the entry of its own: by our id first, then by phone, in whatever order they came.

    A message without an entry may have been taken: it is asked about, and "not found" is believed after ``grace``
    seconds.
    """
    by_extra_id = {entry.extra_id: entry for entry in entries if entry.extra_id}
    by_phone = {entry.phone_number: entry for entry in entries if not entry.extra_id}
    now = timezone.now()
    answers = []
    for pk, recipient in outgoing:
        entry = by_extra_id.get(recipient.extra_id) or by_phone.get(recipient.phone_number)
        if entry is None:
            believed_from = now + timedelta(seconds=grace)
            unconfirmed = Answer(pk, None, Status.UNCONFIRMED.value, error_text=NO_ANSWER)
            answers.append(unconfirmed._replace(lease_until=believed_from, next_attempt_at=now))
        elif entry.accepted:
            answers.append(Answer(pk, entry.message_id or None, Status.ACCEPTED.value, now))
        else:
            text = entry.error_text[:TEXT_LIMIT]
            rejected = Status.REJECTED.value
            answers.append(Answer(pk, entry.message_id or None, rejected, None, entry.error_code, text, now))
    _write(answers, using)


def _write(answers: Sequence[Answer], using: str) -> None:
    """Write the answers to their messages, which the caller has locked."""
    # Read before, because a report that was quicker may have told of the same status already.
    before = _statuses(answers, using) if has_listeners() else {}
    moved = update_rows(Message, Answer._fields, answers, using, condition=NOT_YET_ACCEPTED)
    if moved < len(answers):
        _complete_overtaken(answers, using)
    announce_changes(_changes(answers, before), using)


def _complete_overtaken(answers: Sequence[Answer], using: str) -> None:
    """Some reports were quicker than the answer: those statuses stay, only the platform's ids are still wanted."""
    ids = [(answer.id, answer.message_id, answer.accepted_at) for answer in answers if answer.message_id]
    update_rows(Message, ("id", "message_id", "accepted_at"), ids, using, condition="t.message_id IS NULL")


def _statuses(answers: Sequence[Answer], using: str) -> dict[int, str]:
    rows = Message.objects.using(using).filter(pk__gte=answers[0].id, pk__lte=answers[-1].id)
    return dict(rows.values_list("pk", "status"))


def _changes(answers: Sequence[Answer], before: Mapping[int, str]) -> list[Change]:
    return [
        Change(answer.id, before[answer.id], answer.status)
        for answer in answers
        if before.get(answer.id) in BEFORE_ACCEPTANCE and before[answer.id] != answer.status
    ]

"""The ends of messages before their last retry.

A message that is retried, and then not sent after all, gets its former end back: it was sent, and may have to be paid
for. That is the case if the campaign is cancelled, and for people who have opted out or are skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django_hyber.announce import Change
from django_hyber.db.bulk import update_rows
from django_hyber.models import Campaign, Message
from django_hyber.reports.early import apply_former

Status = Message.Status


class End(NamedTuple):
    """The columns that a retry clears, as they were before."""

    status: str
    extra_id: str
    message_id: str | None
    channel: str
    other_channels: str
    hyber_status: int | None
    error_code: int | None
    error_text: str
    total_sms_parts: int | None
    delivered_sms_parts: int | None
    clicks: int | None
    matching_template_id: int | None
    accepted_at: datetime | None
    reported_at: datetime | None
    finished_at: datetime | None

    def stored(self, run: int) -> dict[str, Any]:
        """Return the end before this run as a JSON document, without its empty columns."""
        values = {name: value for name, value in self._asdict().items() if value not in (None, "")}
        return values | {"run": run} | {name: values[name].isoformat() for name in TIMES if name in values}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> End:
        """Return the end that was stored as this document."""
        times = {name: datetime.fromisoformat(document[name]) for name in TIMES if name in document}
        values = {**EMPTY, **document, **times}
        return cls(*(values[name] for name in cls._fields))


TIMES = ("accepted_at", "reported_at", "finished_at")
TEXTS = ("channel", "other_channels", "error_text")
#: The values of the columns that a document does not have.
EMPTY: Mapping[str, Any] = {name: "" if name in TEXTS else None for name in End._fields}
#: What belongs to the attempt that is not made.
NO_ATTEMPT: Mapping[str, Any] = dict.fromkeys(
    ("earlier_end", "not_found_after", "not_taken_code", "releases_seen", "due_at")
)


def give_back_ends(campaign: Campaign, pks: Sequence[int]) -> list[Change]:
    """Give these queued messages the end that they had before the retry, and return the changes of status.

    The caller has locked them. What was not retried stays as it is. Reports about the former attempt that have come
    since then count again; all of them are applied, because those from before change nothing. ``doubted_at`` stays: a
    report about the retry is still proof for the others of its request.
    """
    if campaign.run <= 1 or not pks:
        return []
    retried = Message.objects.filter(pk__in=pks, status=Status.QUEUED, earlier_end__isnull=False)
    rows = list(retried.order_by("pk").values_list("pk", "extra_id", "doubted_at", "earlier_end"))
    ends = {
        pk: _end(document, extra_id if doubted_at else "") for pk, extra_id, doubted_at, document in rows if document
    }
    update_rows(Message, ("id", *End._fields), [(pk, *end) for pk, end in ends.items()], constants=NO_ATTEMPT)
    if ends:
        apply_former(list(ends))
    return [Change(pk, Status.QUEUED, end.status) for pk, end in ends.items()]


def _end(document: Mapping[str, Any], doubted_id: str) -> End:
    """Return the stored end; with the extra id of the retry if the platform may have got that one in spite of all.

    Its report then finds the message. Without the time, the end counts as reported by nobody, because the reports about
    the former attempt have another id.
    """
    end = End.read(document)
    return end._replace(extra_id=doubted_id, message_id=None, reported_at=None) if doubted_id else end


def count_sent_again(campaign: Campaign) -> int:
    """Count the messages that were sent again in the last run: without those that were skipped or cancelled."""
    retried = Message.objects.filter(campaign=campaign, earlier_end__run=campaign.run)
    return retried.exclude(status=Status.QUEUED).count()

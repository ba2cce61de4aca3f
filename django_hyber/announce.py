"""The signals to the host project, sent after commit and robustly. Without a receiver nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django_hyber.db.transactions import after_commit
from django_hyber.models import Campaign, Message, Reply
from django_hyber.protocol import DeliveryReport
from django_hyber.signals import campaign_finished, message_status_changed, reply_received

CHUNK = 1_000


class Change(NamedTuple):
    """A message that has moved from one status to another."""

    pk: int
    old: str
    new: str
    report: DeliveryReport | None = None


def has_listeners() -> bool:
    """Return whether ``message_status_changed`` has receivers."""
    return message_status_changed.has_listeners(Message)


def announce_changes(changes: Sequence[Change]) -> None:
    """Send ``message_status_changed`` for each change when the transaction is committed."""
    if changes and has_listeners():
        after_commit(_send_changes, changes)


def announce_finished(campaign_pk: int) -> None:
    """Send ``campaign_finished`` when the transaction is committed."""
    if campaign_finished.has_listeners(Campaign):
        after_commit(_send_finished, campaign_pk)


def announce_replies(fingerprints: Sequence[str]) -> None:
    """Send ``reply_received`` for each new reply when the transaction is committed."""
    if fingerprints and reply_received.has_listeners(Reply):
        after_commit(_send_replies, fingerprints)


def _send_changes(changes: Sequence[Change]) -> None:
    for chunk in _chunks(changes):
        messages = Message.objects.in_bulk([change.pk for change in chunk])
        for change in chunk:
            if change.pk in messages:
                message_status_changed.send_robust(
                    Message,
                    message=messages[change.pk],
                    old_status=str(change.old),
                    new_status=str(change.new),
                    report=change.report,
                )


def _send_finished(campaign_pk: int) -> None:
    for campaign in Campaign.objects.filter(pk=campaign_pk):
        campaign_finished.send_robust(Campaign, campaign=campaign)


def _send_replies(fingerprints: Sequence[str]) -> None:
    for reply in Reply.objects.filter(fingerprint__in=fingerprints):
        reply_received.send_robust(Reply, reply=reply)


def _chunks(changes: Sequence[Change]) -> Iterator[Sequence[Change]]:
    for start in range(0, len(changes), CHUNK):
        yield changes[start : start + CHUNK]

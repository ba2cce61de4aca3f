from __future__ import annotations

from django.db import models

from django_hyber.models.base import HyberModel


class Announcement(HyberModel):
    """Calls of a signal's receivers that are still to be made, up to a few hundred in a row.

    Written in the transaction of what is announced, deleted when the receivers have been called. ``events`` has a list
    for each call: the primary key of what it is about and, for a message, the old status, the new one, and the
    fingerprint of its report. There are no personal data in it, and no foreign key: what is gone is not announced.
    """

    class Signal(models.TextChoices):
        MESSAGE_STATUS_CHANGED = "message_status_changed"
        REPLY_RECEIVED = "reply_received"
        CAMPAIGN_FINISHED = "campaign_finished"

    # Made before the row is written: a bulk insert does not return keys. Receivers get it, with the key of the message.
    key = models.CharField(max_length=32, primary_key=True)
    signal = models.CharField(max_length=32, choices=Signal.choices)
    events = models.JSONField()
    attempts = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0, help_text="Attempts at which a receiver failed.")
    lease_until = models.DateTimeField(db_index=True)

    class Meta:
        # Nobody edits it, in the admin or elsewhere.
        default_permissions = ()

    def __str__(self) -> str:
        return self.key

from __future__ import annotations

from django.db import models

from django_hyber.models.base import HyberModel


class Announcement(HyberModel):
    """Pending events of a signal, up to a few hundred in a row.

    The row is inserted in the transaction of the change and deleted after the receivers were called. ``events``
    contains a list for each event: the primary key of the object and, for a message, the old status, the new status and
    the fingerprint of the report; for a notice, the third item is what it is about. It contains no personal data and no
    foreign key. No signal is sent for an object that was deleted.
    """

    class Signal(models.TextChoices):
        MESSAGE_STATUS_CHANGED = "message_status_changed"
        REPLY_RECEIVED = "reply_received"
        CAMPAIGN_FINISHED = "campaign_finished"
        CAMPAIGN_NOTICE = "campaign_notice"
        #: Not a signal of the project's: the e-mail with the same notice.
        CAMPAIGN_MAIL = "campaign_mail"

    class Notice(models.TextChoices):
        """What a notice is about. The name is a part of the public interface."""

        FINISHED = "finished"
        STALLED = "stalled"
        PAUSED = "paused"
        APPROVAL = "approval"
        APPROVED = "approved"
        SENT_BACK = "sent_back"

    # Generated before the insert, because a bulk insert does not return keys. It is part of the event id.
    key = models.CharField(max_length=32, primary_key=True)
    signal = models.CharField(max_length=32, choices=Signal.choices)
    events = models.JSONField()
    attempts = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0, help_text="Attempts at which a receiver failed.")
    lease_until = models.DateTimeField(db_index=True)

    class Meta:
        # The admin has no page for it.
        default_permissions = ()

    def __str__(self) -> str:
        return self.key

"""Signals for the project.

Every signal is sent after commit and with ``send_robust``: an exception in a receiver is logged and has no other
effect.
"""

from __future__ import annotations

from django.dispatch import Signal

#: The status of a message changed. Sent once per change. Repeated or late reports do not send it, nor do reports of
#: clicks, which do not change the status; the README describes how to track them.
#: Arguments: ``message`` (models.Message in its current state), ``old_status`` and ``new_status`` (str),
#: ``report`` (protocol.DeliveryReport, or None when the change did not come from a report).
message_status_changed = Signal()

#: A recipient replied. Arguments: ``reply`` (models.Reply).
reply_received = Signal()

#: A campaign was sent completely. Its delivery reports may still arrive.
#: Arguments: ``campaign`` (models.Campaign).
campaign_finished = Signal()

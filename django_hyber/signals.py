"""What the host project can listen to.

Every signal is sent after commit and through ``send_robust``: an exception in a receiver is logged and costs nothing.
"""

from __future__ import annotations

from django.dispatch import Signal

#: A message has a new status. Sent once for every real change, never for a repeated or late report, nor for one that
#: brings only clicks: "seen" is a status and clicks are not. The README says how to hear of those.
#: Arguments: ``message`` (models.Message as it is now), ``old_status`` and ``new_status`` (str),
#: ``report`` (protocol.DeliveryReport, or None when the change did not come from a report).
message_status_changed = Signal()

#: A person answered. Arguments: ``reply`` (models.Reply).
reply_received = Signal()

#: Nothing of a campaign is left to hand over; delivery reports may still come.
#: Arguments: ``campaign`` (models.Campaign).
campaign_finished = Signal()

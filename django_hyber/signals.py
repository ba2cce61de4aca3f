"""What the host project can listen to.

Every signal is sent after commit and at least once. What a killed process has not sent, the next sweep sends; so a
receiver may be called twice for the same event, with the same ``event_id`` (str, at most 64 characters, an argument of
every signal). Connect receivers in ``AppConfig.ready()``, so that workers and the sweep have them too: a change that is
made by a process without receivers is not announced.

Signals are sent through ``send_robust``: an exception in a receiver is logged and undoes nothing. The event is then
sent again, to all receivers of the signal, after half a minute and after five more; after the third failure it is given
up, which is logged as an error with the event's id. A receiver that takes longer than half a minute may be called again
meanwhile: let it enqueue a task.
"""

from __future__ import annotations

from django.dispatch import Signal

#: A message has a new status. One event for every real change, none for a repeated or late report, nor for one that
#: brings only clicks: "seen" is a status and clicks are not. The README says how to hear of those.
#: Arguments: ``event_id``, ``message`` (models.Message as it is now), ``old_status`` and ``new_status`` (str),
#: ``report`` (protocol.DeliveryReport; None when the change did not come from a report, or the report was purged).
message_status_changed = Signal()

#: A person answered. Arguments: ``event_id``, ``reply`` (models.Reply).
reply_received = Signal()

#: Nothing of a campaign is left to hand over; delivery reports may still come.
#: Arguments: ``event_id``, ``campaign`` (models.Campaign).
campaign_finished = Signal()

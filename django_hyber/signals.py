"""Signals for the project.

Every signal is sent after commit and at least once. The next sweep sends what a killed process has not sent, so a
receiver may be called twice for the same event. The ``event_id`` is then the same (str, at most 64 characters, an
argument of every signal). Connect receivers in ``AppConfig.ready()``, so that workers and the sweep have them too:
changes made by a process without receivers are not announced.

Signals are sent with ``send_robust``: an exception in a receiver is logged and does not undo anything. The event is
then sent again to all receivers of the signal, after half a minute and after five more minutes. After the third failure
it is given up, which is logged as an error with the id of the event. A receiver that takes longer than half a minute
may be called a second time while it runs; it should enqueue a task instead.
"""

from __future__ import annotations

from django.dispatch import Signal

#: The status of a message changed. One event per change. Repeated or late reports do not send it, nor do reports of
#: clicks, which do not change the status. docs/reference/signals.rst describes how to track them.
#: Arguments: ``event_id``, ``message`` (models.Message in its current state), ``old_status`` and ``new_status`` (str),
#: ``report`` (protocol.DeliveryReport; None when the change did not come from a report, or the report was purged).
message_status_changed = Signal()

#: A recipient replied. Arguments: ``event_id``, ``reply`` (models.Reply).
reply_received = Signal()

#: A campaign was sent completely. Its delivery reports may still arrive.
#: Arguments: ``event_id``, ``campaign`` (models.Campaign).
campaign_finished = Signal()

#: Something about a campaign that its team should know. ``event`` (str) is "finished"; "stalled" (it is due, and has
#: made no progress for ten minutes; sent by the sweep, once for each stall); "paused" (by this package, because of a
#: problem: ``campaign.status_reason`` names it); "approval" (somebody has asked for approval); or the answer to that:
#: "approved" (the campaign was launched) or "sent_back". ``campaign.approval_note`` is what the person wrote.
#: Arguments: ``event_id``, ``campaign`` (models.Campaign in its current state), ``event``.
campaign_notice = Signal()

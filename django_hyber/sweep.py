"""The sweep: one pass over everything that is due."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from django_hyber.announce import announce_pending
from django_hyber.db.transactions import refuse_transaction
from django_hyber.jobs.background import recover_jobs
from django_hyber.models import Batch, Campaign, Message
from django_hyber.notices import announce_stalls
from django_hyber.queueing import TaskName, due_to_enqueue, enqueue_row
from django_hyber.reconcile import unconfirmed
from django_hyber.reports import early
from django_hyber.sending import runs
from django_hyber.sending.pace import schedule

logger = logging.getLogger("django_hyber")
#: How many rows of each kind one sweep enqueues. The next sweep enqueues the rest.
LIMIT = 1_000
#: How old an unmatched report may be for the sweep to match it; hyber_recount matches reports of any age.
STILL_EXPECTED = timedelta(days=1)
CHUNK = 500


@dataclass(frozen=True, kw_only=True)
class Dispatched:
    """How many tasks of each kind a sweep has enqueued, how many reports it has matched and signals it has sent."""

    questions: int
    messages: int
    batches: int
    matched_reports: int
    signals: int

    @property
    def total(self) -> int:
        """The sum of all kinds."""
        return self.questions + self.messages + self.batches + self.matched_reports + self.signals


def dispatch() -> Dispatched:
    """Make one sweep: enqueue due work, including work lost by a task backend or a stopped worker.

    Safe to run at any time, from several processes at once: every task claims its row before it acts. Raises
    RuntimeError inside a transaction.
    """
    refuse_transaction()
    unconfirmed.recover_expired_leases()
    matched = early.rematch_reports(since=timezone.now() - STILL_EXPECTED).matched
    queries = _enqueue(unconfirmed.due_batches(), "resolve_batch")
    queries += unconfirmed.enqueue_queries()
    queued = Message.objects.filter(due_to_enqueue(Message.Status.QUEUED, "status"), campaign=None)
    sent = _enqueue(queued, "submit_message")
    schedule.hand_over_due()
    batches = sum(runs.fill_lanes(campaign_pk) for campaign_pk in _running())
    runs.settle_all()
    recover_jobs()
    announce_stalls()
    # Signals come last, because their receivers may be slow, and so may a mail server.
    signals = announce_pending()
    return Dispatched(questions=queries, messages=sent, batches=batches, matched_reports=matched, signals=signals)


def _running() -> list[int]:
    sending = Campaign.objects.filter(status=Campaign.Status.SENDING)
    return list(sending.order_by("pk").values_list("pk", flat=True))


def _enqueue(rows: QuerySet[Message] | QuerySet[Batch], task: TaskName) -> int:
    """Enqueue a task for each row and mark the rows, so that the next sweep does not enqueue them again."""
    found = list(rows.order_by("pk").values_list("pk", "releases_seen")[:LIMIT])
    # Those for which the login was refused go last: one that is always refused would hold up the others.
    pks = [pk for pk, _seen in sorted(found, key=lambda row: row[1] is not None)]
    model = rows.model._default_manager
    for start in range(0, len(pks), CHUNK):
        model.filter(pk__in=pks[start : start + CHUNK]).update(enqueued_at=timezone.now())
    for pk in pks:
        enqueue_row(task, rows, pk)
    return len(pks)

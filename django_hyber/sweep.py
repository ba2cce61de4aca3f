"""The sweep: one pass over everything that is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from django_hyber.announce import announce_pending
from django_hyber.db.clock import NOW
from django_hyber.db.stored_files import delete_some_orphans
from django_hyber.db.transactions import close_lost_connection, refuse_transaction
from django_hyber.jobs import background
from django_hyber.log_events import LogEvent, log_failure
from django_hyber.models import Batch, Campaign, Message
from django_hyber.notices import announce_stalls
from django_hyber.queueing import TaskName, due_to_enqueue, enqueue_row
from django_hyber.reconcile import endings, unconfirmed
from django_hyber.replies import attachments
from django_hyber.reports import early
from django_hyber.sending import cancelling, runs
from django_hyber.sending.corrections import late_proofs
from django_hyber.sending.pace import schedule

#: How many rows of each kind one sweep enqueues. The next sweep enqueues the rest.
LIMIT = 1_000
#: How old an unmatched report may be for the sweep to match it; hyber_recount matches reports of any age.
STILL_EXPECTED = timedelta(days=1)
CHUNK = 500


@dataclass(frozen=True, kw_only=True)
class Dispatched:
    """How many tasks of each kind a sweep has enqueued, how many reports it has matched and signals it has sent."""

    queries: int
    messages: int
    batches: int
    matched_reports: int
    signals: int

    @property
    def total(self) -> int:
        """The sum of all kinds."""
        return self.queries + self.messages + self.batches + self.matched_reports + self.signals


def dispatch() -> Dispatched:
    """Make one sweep: enqueue due work, including work lost by a task backend or a stopped worker.

    Safe to run at any time, from several processes at once: every task claims its row before it acts. A step that fails
    is logged and does not stop the others; its error, or the first of several, is raised at the end. Raises
    RuntimeError inside a transaction.
    """
    refuse_transaction()
    sweep = _Sweep()
    sweep.step("expired leases", unconfirmed.recover_expired_leases)
    sweep.step("forgotten messages", endings.query_forgotten)
    matched = sweep.step("early reports", _match_reports)
    sweep.step("ended batches that were accepted", late_proofs.doubt_proved)
    queries = sweep.step("queries about batches", lambda: _enqueue(unconfirmed.due_batches(), "resolve_batch"))
    queries += sweep.step("queries about messages", unconfirmed.enqueue_queries)
    sent = sweep.step("single messages", lambda: _enqueue(_queued(), "submit_message"))
    sweep.step("scheduled campaigns", schedule.hand_over_due)
    batches = sweep.step("batches", lambda: sum(map(runs.fill_lanes, _running())))
    sweep.step("ends of campaigns", runs.settle_all)
    sweep.step("cancelled campaigns", cancelling.continue_cancelled)
    sweep.step("background jobs", background.recover_jobs)
    sweep.step("attachments", attachments.enqueue_lost)
    sweep.step("stalled campaigns", announce_stalls)
    # The receivers of signals may be slow, and so may a mail server.
    signals = sweep.step("signals", announce_pending)
    # A storage may be slower yet, and nothing waits for it.
    sweep.step("old jobs", background.clean_up)
    sweep.step("stored files", delete_some_orphans)
    sweep.finish()
    return Dispatched(queries=queries, messages=sent, batches=batches, matched_reports=matched, signals=signals)


class _Sweep:
    """The steps of one sweep, of which each runs even if others have failed."""

    def __init__(self) -> None:
        self._failures: list[Exception] = []

    def step(self, name: str, work: Callable[[], int | None]) -> int:
        """Do the work and return its number, 0 if it has none or has failed."""
        try:
            return work() or 0
        except Exception as error:  # noqa: BLE001  it is logged, and raised at the end
            text = "The sweep goes on without a step that has failed: %s"
            log_failure(LogEvent.SWEEP_STEP_FAILED, error, text, name, step=name)
            self._failures.append(error)
            close_lost_connection()
            return 0

    def finish(self) -> None:
        """Raise the first failure, if there was one."""
        if self._failures:
            raise self._failures[0]


def _match_reports() -> int:
    return early.rematch_reports(since=timezone.now() - STILL_EXPECTED).matched


def _queued() -> QuerySet[Message]:
    return Message.objects.filter(due_to_enqueue(Message.Status.QUEUED, "status"), campaign=None)


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
        model.filter(pk__in=pks[start : start + CHUNK]).update(enqueued_at=NOW)
    for pk in pks:
        enqueue_row(task, rows, pk)
    return len(pks)

"""The platform without HTTP: accepts messages, runs the steps of their outcomes, and answers queries about them."""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Event, Lock

from django_hyber.sandbox.answers import UNKNOWN_ID_ANSWERS, ParameterError, SandboxAnswer
from django_hyber.sandbox.callback_sender import CallbackSender
from django_hyber.sandbox.faults import Fault, Faults, Visibility
from django_hyber.sandbox.ledger import Ledger, RequestLog
from django_hyber.sandbox.number_outcomes import DELIVERED, Fact, NumberOutcome, Step, Timing, outcome_for, steps_of
from django_hyber.sandbox.orders import Request, RequestKind, ValidRecipient, read_request
from django_hyber.sandbox.report_formats import (
    accepted_entry,
    advanced_report,
    callback_report,
    simple_report,
    status_entry,
)
from django_hyber.sandbox.store import MessageGroup, MessageStore, Scheduler, StoredMessage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the sandbox. Times are in seconds."""

    client_id: str = "sandbox"
    login: str = "sandbox"
    password: str = field(default="sandbox", repr=False)
    latency: float = 0.05
    time_scale: float = 0.01
    report_batch: int = 1000
    report_interval: float = 0.2
    callbacks: bool = True
    errors_as_200: bool = False
    report_each_channel: bool = False
    unknown_id: str = "404"
    fault_seconds: float = 30.0
    clock: Callable[[], float] = time.time


class Platform:
    """The state of the sandbox, which a reset replaces."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.answer_unknown_ids(settings.unknown_id)
        self.requests = RequestLog()
        self.faults = Faults(settings.clock)
        self.closed = Event()
        self._timing = Timing(latency=settings.latency, time_scale=settings.time_scale)
        self._store = MessageStore()
        self._outcomes: Counter[str] = Counter()
        self._refused = 0
        self._seen_once: set[str] = set()
        self._lock = Lock()
        self._callbacks = CallbackSender(
            self._render, report_batch=settings.report_batch, report_interval=settings.report_interval
        )
        self._scheduler = Scheduler(self._run_step, settings.clock)

    @property
    def ledger(self) -> Ledger:
        """The current counts."""
        with self._lock:
            return Ledger(
                requests=self.requests.total,
                taken=len(self._store),
                refused=self._refused,
                distinct=self._store.distinct,
                duplicates=dict(self._store.duplicates),
                outcomes=dict(self._outcomes),
                callbacks=replace(self._callbacks.counts),
            )

    def answer_unknown_ids(self, how: str) -> None:
        """Set the answer to a GET for an unknown id. Raises ValueError."""
        if how not in UNKNOWN_ID_ANSWERS:
            raise ValueError(f"the answer to an unknown id must be one of {', '.join(UNKNOWN_ID_ANSWERS)}")
        self._unknown_id_answer = UNKNOWN_ID_ANSWERS[how]

    def send(self, kind: RequestKind, body: bytes, visibility: Visibility, *, sync: bool = False) -> SandboxAnswer:
        """Accept or reject the messages of a POST."""
        try:
            request = read_request(kind, _parse(body))
        except ParameterError as error:
            with self._lock:
                self._refused += 1
            return SandboxAnswer(200 if self.settings.errors_as_200 else 400, error.as_dict())

        def take(visibility: Visibility = visibility) -> SandboxAnswer:
            return self._take(request, visibility, sync=sync)

        fault = self._fault_of_first(request)
        return take() if fault is None else fault.answer(take)

    def report_by_message_id(self, message_id: str, form: str) -> SandboxAnswer:
        """Answer `/api/dr/{message_id}/{form}`."""
        return self._report(self._store.by_message_id(message_id), form)

    def report_by_extra_id(self, extra_id: str, form: str) -> SandboxAnswer:
        """Answer `/api/dr/external/{extra_id}/{form}`."""
        return self._report(self._store.by_extra_id(extra_id), form)

    def campaign_status(self, job_id: str) -> SandboxAnswer:
        """Answer `/status/{job_id}`."""
        job = self._store.jobs.get(job_id)
        if job is None:
            return self._unknown_id_answer
        now = self.settings.clock()
        messages = [self._store.read(row) for row in job.rows]
        entries = [status_entry(message) for message in messages if message.group.visible_at <= now]
        return SandboxAnswer(200, {"messages": [*entries, *job.refused]})

    def flush(self) -> int:
        """Run all pending steps now, and return their number."""
        return self._scheduler.flush()

    def wait_idle(self, timeout: float) -> bool:
        """Wait until every step has run and every report is answered or given up."""
        deadline = time.monotonic() + timeout
        return self._scheduler.wait_empty(timeout) and self._callbacks.wait_empty(deadline - time.monotonic())

    def close(self) -> None:
        """Stop the threads and pauses. A callback in progress may finish; pending ones are dropped."""
        self.closed.set()
        self._scheduler.close()
        self._callbacks.close()

    def _fault_of_first(self, request: Request) -> Fault | None:
        """Return the fault selected by the number of the first recipient, if it has not occurred yet."""
        outcome = outcome_for(request.first_phone)
        if outcome.fault is None or not outcome.transport:
            return None
        with self._lock:
            repeated = request.first_key in self._seen_once
            self._seen_once.add(request.first_key)
        return None if repeated else self._with_duration(outcome.fault)

    def _with_duration(self, fault: Fault) -> Fault:
        """Set the duration of a fault that was selected by a phone number."""
        return replace(fault, seconds=self.settings.fault_seconds) if "seconds" in fault.definition.options else fault

    def _take(self, request: Request, visibility: Visibility, *, sync: bool) -> SandboxAnswer:
        outcomes = _message_outcomes(request)
        prompt = len(outcomes) - len(outcomes) // 2 if visibility.second_half_after else len(outcomes)
        groups = [
            *self._groups(request, outcomes[:prompt], visibility, delay=0.0),
            *self._groups(request, outcomes[prompt:], visibility, delay=visibility.second_half_after),
        ]
        with self._lock:
            rows = self._store.add(request.recipients, groups)
            self._outcomes.update(outcome.name for outcome in outcomes)
            self._refused += len(request.refused)
            job_id = "" if request.order.kind == "single" else self._store.add_job(rows, request.refused)
        for group in set(groups):
            self._begin(group)
        logger.info("taken kind=%s messages=%d refused=%d", request.order.kind, len(rows), len(request.refused))
        return self._answer(request, rows[:prompt], job_id, sync=sync)

    def _groups(
        self, request: Request, outcomes: Sequence[NumberOutcome], visibility: Visibility, *, delay: float
    ) -> list[MessageGroup]:
        """Return the group of each message. Messages with the same outcome share a group."""
        groups = {outcome: self._group(request, outcome, visibility, delay) for outcome in set(outcomes)}
        return [groups[outcome] for outcome in outcomes]

    def _group(self, request: Request, outcome: NumberOutcome, visibility: Visibility, delay: float) -> MessageGroup:
        now = self.settings.clock()
        if outcome.fault is not None and not outcome.transport:
            visibility = self._with_duration(outcome.fault).visibility()
        hidden_for = max(visibility.hidden_for, delay)
        return MessageGroup(
            order=request.order,
            outcome=outcome,
            begins_at=max(request.order.start_at, now) + delay,
            visible_at=now + hidden_for if hidden_for else 0.0,
            fails=visibility.fails,
            steps=steps_of(outcome, request.order.channels, self._timing),
        )

    def _begin(self, group: MessageGroup) -> None:
        if group.outcome.name != "early-report" or group.begins_at > self.settings.clock():
            self._scheduler.add(group)
            return
        fact = group.steps[0].fact
        group.record(fact, self.settings.clock())
        if self.settings.callbacks:
            self._callbacks.deliver_now(group, fact)

    def _answer(self, request: Request, rows: range, job_id: str, *, sync: bool) -> SandboxAnswer:
        if request.order.kind == "single":
            return SandboxAnswer(200, {"message_id": self._store.read(rows[0]).message_id})
        if not sync:
            return SandboxAnswer(200, {"job_id": job_id})
        entries: list[object] = [accepted_entry(self._store.read(row)) for row in rows]
        return SandboxAnswer(200, {"messages": entries + request.refused})

    def _report(self, message: StoredMessage | None, form: str) -> SandboxAnswer:
        if message is None or message.group.visible_at > self.settings.clock():
            return self._unknown_id_answer
        if message.group.fails:
            return SandboxAnswer(500)
        if form == "simple":
            return SandboxAnswer(200, simple_report(message))
        return SandboxAnswer(200, advanced_report(message, self.settings.clock()))

    def _run_step(self, group: MessageGroup, step: Step) -> None:
        if step.recorded:
            group.record(step.fact, self.settings.clock())
        is_pushed = step.pushed or (step.recorded and self.settings.report_each_channel)
        if is_pushed and self.settings.callbacks:
            self._callbacks.add(group, step.fact)

    def _render(self, row: int, fact: Fact) -> dict[str, object]:
        return callback_report(self._store.read(row), fact)


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ParameterError("the body is not JSON") from None


def _message_outcomes(request: Request) -> Sequence[NumberOutcome]:
    """Return one outcome per recipient. Transport outcomes apply only to the first one; others are delivered."""
    outcomes = [_message_outcome(recipient) for recipient in request.recipients]
    first = outcome_for(request.first_phone)
    if first.transport and request.recipients and str(request.recipients[0].phone) == request.first_phone:
        outcomes[0] = first
    return outcomes


def _message_outcome(recipient: ValidRecipient) -> NumberOutcome:
    outcome = outcome_for(str(recipient.phone))
    return DELIVERED if outcome.transport else outcome

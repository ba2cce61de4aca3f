"""Sending the signals: after the commit, with ``send_robust``, and at least once.

The events are stored in the transaction of the change. After the commit, the same process calls the receivers and
deletes the events. If it is killed before that, the sweep calls them. Without receivers, nothing is stored or read.

The change to ``sending`` is announced together with the one that follows it: otherwise a request would wait for the
receivers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import uuid4

from django.db.models import Model, QuerySet
from django.dispatch import Signal

from django_hyber.codes import find_seen_codes
from django_hyber.conf import find_account, find_accounts
from django_hyber.db import lease
from django_hyber.db.apart import apart
from django_hyber.db.bulk import insert_rows
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import after_commit, atomic
from django_hyber.log_events import LogEvent, log_failure
from django_hyber.models import Announcement, Campaign, Message, Reply
from django_hyber.models import DeliveryReport as StoredReport
from django_hyber.protocol import DeliveryReport, UnreadableReport, fingerprint, parse_report
from django_hyber.signals import campaign_finished, campaign_notice, message_status_changed, reply_received

logger = logging.getLogger("django_hyber")
#: The most events in one row. After a process was killed, at most this many are repeated.
CHUNK = 200
#: Seconds after which another process may claim the row. The lease is renewed between two events.
LEASE = 30
#: Seconds before each retry of an event at which a receiver raised an exception.
RETRY_AFTER = (30, 300)
#: The same for an e-mail: a mail server may be down for hours.
RETRY_MAIL_AFTER = (60, 300, 1_800, 7_200, 21_600)
#: The limits of one sweep: the time for calling receivers, and the number of rows. The next sweep continues.
SWEEP_SECONDS = 10
SWEEP_LIMIT = 1_000
COLUMNS = ("key", "signal", "events", "attempts", "failures", "lease_until")
NO_REPORTS: Mapping[int, DeliveryReport] = MappingProxyType({})


class Change(NamedTuple):
    """A change of a message's status. ``report`` is its cause, if any, and ``account`` is the account of the report."""

    pk: int
    old: str
    new: str
    report: DeliveryReport | None = None
    account: str = ""


class Event(NamedTuple):
    """One sending of a signal, as it is stored. ``new`` is the new status, or what a notice is about."""

    pk: int
    old: str = ""
    new: str = ""
    report: str = ""


class Topic(NamedTuple):
    """A signal, its sender, the name of the argument that receives the instance, and the seconds before each retry."""

    signal: Signal
    sender: type[Model]
    argument: str
    retry_after: Sequence[int] = RETRY_AFTER


#: The e-mail with a notice. ``notices`` is its receiver.
notice_mail = Signal()

TOPICS = {
    Announcement.Signal.MESSAGE_STATUS_CHANGED: Topic(message_status_changed, Message, "message"),
    Announcement.Signal.REPLY_RECEIVED: Topic(reply_received, Reply, "reply"),
    Announcement.Signal.CAMPAIGN_FINISHED: Topic(campaign_finished, Campaign, "campaign"),
    Announcement.Signal.CAMPAIGN_NOTICE: Topic(campaign_notice, Campaign, "campaign"),
    Announcement.Signal.CAMPAIGN_MAIL: Topic(notice_mail, Campaign, "campaign", RETRY_MAIL_AFTER),
}


class EventClaim:
    """A row of events that this process has claimed."""

    def __init__(self, row: Announcement) -> None:
        self.row = row
        self._renewed_at = time.monotonic()

    def rows(self) -> QuerySet[Announcement]:
        """Select the row, unless another process has claimed it."""
        return lease.held(Announcement.objects.all(), self.row.pk, self.row.attempts)

    def renew(self) -> bool:
        """Renew the lease after a third of it. Return False if another process has claimed the row."""
        if time.monotonic() - self._renewed_at < LEASE / 3:
            return True
        self._renewed_at = time.monotonic()
        return lease.renew(self.rows(), LEASE)

    def finish(self, failed: Sequence[Event]) -> None:
        """Delete the row, or keep the failed events in it for a retry."""
        failures, retry_after = self.row.failures, TOPICS[Announcement.Signal(self.row.signal)].retry_after
        if failed and failures < len(retry_after):
            retry_at = database_time() + timedelta(seconds=retry_after[failures])
            self.rows().update(events=failed, failures=failures + 1, lease_until=retry_at)
            return
        for event in failed:
            logger.error(
                "A receiver of %s failed %d times and is not called again for event %s, %s",
                self.row.signal,
                failures + 1,
                event_id(self.row, event),
                event,
                extra={
                    "event": LogEvent.RECEIVER_GIVEN_UP,
                    "event_id": event_id(self.row, event),
                    "signal": self.row.signal,
                },
            )
        self.rows().delete()


def has_listeners(signal: Announcement.Signal = Announcement.Signal.MESSAGE_STATUS_CHANGED) -> bool:
    """Whether the signal has receivers for its sender; for e-mails, whether an account has addresses in NOTIFY."""
    if signal == Announcement.Signal.CAMPAIGN_MAIL:
        return any(account.notify for account in find_accounts())
    topic = TOPICS[signal]
    return topic.signal.has_listeners(topic.sender)


def announcing() -> AbstractContextManager[None]:
    """Open a transaction for a change of status and its events. Without receivers, no transaction is opened."""
    return atomic() if has_listeners() else nullcontext()


def are_notices_wanted() -> bool:
    """Whether a notice about a campaign may go to anybody: a receiver, or an address in NOTIFY."""
    return any(map(has_listeners, (Announcement.Signal.CAMPAIGN_NOTICE, Announcement.Signal.CAMPAIGN_MAIL)))


def announcing_finish() -> AbstractContextManager[None]:
    """Open a transaction for the end of a campaign and its events. No transaction is opened if nobody wants them."""
    is_wanted = has_listeners(Announcement.Signal.CAMPAIGN_FINISHED) or are_notices_wanted()
    return atomic() if is_wanted else nullcontext()


def event_id(row: Announcement, event: Event) -> str:
    """Return the id of the event. It is the same in every retry."""
    return "-".join(filter(None, (row.key, str(event.pk), event.new)))


def announce_changes(changes: Sequence[Change]) -> None:
    """Send ``message_status_changed`` for each change after the commit."""
    if not changes or not has_listeners():
        return
    reports = {change.pk: change.report for change in changes if change.report}
    claims = _store(Announcement.Signal.MESSAGE_STATUS_CHANGED, list(_events(changes)))
    after_commit(_announce_all, claims, reports)


def store_changes(changes: Sequence[Change]) -> list[str]:
    """Store the events and return the keys of their rows, for ``announce_stored``.

    With this, a transaction can change any number of messages: only the keys are kept in memory.
    """
    if not changes or not has_listeners():
        return []
    claims = _store(Announcement.Signal.MESSAGE_STATUS_CHANGED, list(_events(changes)))
    return [claim.row.key for claim in claims]


def announce_stored(keys: Sequence[str]) -> None:
    """Send ``message_status_changed`` for the events in these rows after the commit."""
    if keys:
        after_commit(_announce_stored, keys)


def announce_by_sweep(changes: Sequence[Change]) -> None:
    """Leave ``message_status_changed`` for each change to the next sweep, so that this process calls no receiver."""
    if changes and has_listeners():
        _store(Announcement.Signal.MESSAGE_STATUS_CHANGED, list(_events(changes)), is_claimed=False)


def announce_finished(campaign_pk: int) -> None:
    """Send ``campaign_finished``, and the notice about it, after the commit."""
    _announce_rows(Announcement.Signal.CAMPAIGN_FINISHED, [campaign_pk])
    announce_notice(campaign_pk, Announcement.Notice.FINISHED)


def announce_notice(campaign_pk: int, event: Announcement.Notice) -> None:
    """Send ``campaign_notice`` after the commit, and leave the e-mail to the next sweep: a mail server may be slow.

    Call it in the transaction of the change.
    """
    events = [Event(campaign_pk, new=event.value)]
    if has_listeners(Announcement.Signal.CAMPAIGN_NOTICE):
        after_commit(_announce_all, _store(Announcement.Signal.CAMPAIGN_NOTICE, events), NO_REPORTS)
    if not has_listeners(Announcement.Signal.CAMPAIGN_MAIL):
        return
    account = find_account(Campaign.objects.values_list("account", flat=True).get(pk=campaign_pk))
    if account and account.notify:
        _store(Announcement.Signal.CAMPAIGN_MAIL, events, is_claimed=False)


def announce_replies(pks: Sequence[int]) -> None:
    """Send ``reply_received`` for each new reply after the commit."""
    _announce_rows(Announcement.Signal.REPLY_RECEIVED, pks)


def announce_pending() -> int:
    """Send the stored events of stopped processes and those due for a retry. Return the number of events.

    Only signals with receivers in this process are sent; the rows of others stay for a process that has receivers.
    """
    signals = [signal for signal in TOPICS if has_listeners(signal)]
    if not signals:
        return 0
    end, count = time.monotonic() + SWEEP_SECONDS, 0
    pending = Announcement.objects.filter(lease.has_ended(), signal__in=signals)
    for key, attempts in list(pending.order_by("lease_until").values_list("key", "attempts")[:SWEEP_LIMIT]):
        if time.monotonic() > end:
            break
        if lease.claim(lease.held(pending, key, attempts), LEASE):
            with apart(event_id=key):
                count += _announce_row(key, attempts + 1)
    return count


def _announce_rows(signal: Announcement.Signal, pks: Sequence[int]) -> None:
    if pks and has_listeners(signal):
        after_commit(_announce_all, _store(signal, [Event(pk) for pk in pks]), NO_REPORTS)


def _events(changes: Sequence[Change]) -> Iterator[Event]:
    for change in changes:
        if change.old == Message.Status.SENDING:
            yield Event(change.pk, Message.Status.QUEUED.value, Message.Status.SENDING.value)
        mark = fingerprint(change.report, change.account) if change.report else ""
        yield Event(change.pk, str(change.old), str(change.new), mark)


def _store(signal: Announcement.Signal, events: Sequence[Event], *, is_claimed: bool = True) -> list[EventClaim]:
    """Store the events, in rows that this process has claimed or that any process may claim."""
    lease_until = database_time() + timedelta(seconds=LEASE if is_claimed else 0)
    rows = [
        Announcement(
            key=uuid4().hex,
            signal=signal,
            events=events[start : start + CHUNK],
            attempts=int(is_claimed),
            lease_until=lease_until,
        )
        for start in range(0, len(events), CHUNK)
    ]
    insert_rows(Announcement, COLUMNS, [[getattr(row, column) for column in COLUMNS] for row in rows])
    return [EventClaim(row) for row in rows]


def _announce_all(claims: Sequence[EventClaim], reports: Mapping[int, DeliveryReport]) -> None:
    for claim in claims:
        if claim.renew():
            _call_receivers(claim, claim.row.events, reports)


def _announce_stored(keys: Sequence[str]) -> None:
    for key in keys:
        if lease.renew(lease.held(Announcement.objects.all(), key, 1), LEASE):
            _announce_row(key, 1)


def _announce_row(key: str, attempt: int) -> int:
    """Send the events of a row that this process has claimed. Return their number."""
    row = lease.held(Announcement.objects.all(), key, attempt).first()
    if row is None:
        return 0
    events = [Event(*event) for event in row.events]
    _call_receivers(EventClaim(row), events, _stored_reports(events))
    return len(events)


def _stored_reports(events: Sequence[Event]) -> dict[int, DeliveryReport]:
    """Read the reports that caused the changes, except those that were purged."""
    owners = {event.report: event.pk for event in events if event.report}
    if not owners:
        return {}
    found: dict[int, DeliveryReport] = {}
    stored = list(
        StoredReport.objects.filter(fingerprint__in=owners).exclude(raw={}).values_list("fingerprint", "account", "raw")
    )
    seen_codes = {name: find_seen_codes(name) for name in {name for _mark, name, _raw in stored}}
    for mark, name, raw in stored:
        try:
            found[owners[mark]] = parse_report(raw, seen_codes=seen_codes[name])
        except UnreadableReport:
            logger.warning(
                "The report with fingerprint %s is unreadable",
                mark,
                extra={"event": LogEvent.REPORT_UNREADABLE, "account": name, "fingerprint": mark},
            )
    return found


def _call_receivers(claim: EventClaim, events: Sequence[Event], reports: Mapping[int, DeliveryReport]) -> None:
    signal, sender, argument, _retry_after = TOPICS[Announcement.Signal(claim.row.signal)]
    instances = sender._default_manager.in_bulk([event.pk for event in events])
    failed = []
    for event in events:
        if not claim.renew():
            return
        instance = instances.get(event.pk)
        if instance is None:
            continue
        values: dict[str, Any] = {argument: instance, "event_id": event_id(claim.row, event)}
        if sender is Campaign and event.new:
            values["event"] = event.new
        elif event.new:
            values |= {
                "old_status": event.old,
                "new_status": event.new,
                "report": reports.get(event.pk) if event.report else None,
            }
        if not _call(signal, sender, values):
            failed.append(event)
    claim.finish(failed)


def _call(signal: Signal, sender: type[Model], values: Mapping[str, Any]) -> bool:
    """Call the receivers. Return False if one raised an exception, which Django has logged."""
    try:
        answers = signal.send_robust(sender, **values)
    # Django logs the name of a receiver that failed, and raises AttributeError if it is a functools.partial.
    except Exception as error:  # noqa: BLE001  it is logged
        event_id = values["event_id"]
        log_failure(LogEvent.RECEIVER_FAILED, error, "A receiver failed for event %s", event_id, event_id=event_id)
        return False
    return not any(isinstance(answer, Exception) for _receiver, answer in answers)

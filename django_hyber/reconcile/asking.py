"""Questions about what may have been taken: the answer, the controls beside it, and the pace of an account."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from django_hyber.conf import Account
from django_hyber.db import clock
from django_hyber.models import AccountState, Batch, Message
from django_hyber.protocol import (
    AuthenticationError,
    DeliveryReport,
    HyberError,
    NotTaken,
    ReadTimeout,
    ReportNotFound,
    parse_reports,
)
from django_hyber.reconcile.proof import Answer, Controls, Known, Reply, judge, pause
from django_hyber.reconcile.question import take_turn
from django_hyber.reports.intake import apply_reports
from django_hyber.sending.exchange import get_client
from django_hyber.sending.ids import new_extra_id

logger = logging.getLogger("django_hyber")
Status = Message.Status
TEXT_LIMIT = 100
#: The platform takes no questions of the account now: the next one would fare no better.
NOT_NOW = (NotTaken, AuthenticationError, ReadTimeout)
#: So many questions in a row without an answer mean the same, whatever came instead.
MOST_SILENT = 5
#: How long the controls of one question serve others.
SHARED_FOR = timedelta(seconds=5)
#: How long the platform keeps reports is not documented, so only recent messages are asked about.
RECENT = timedelta(days=3)
#: One message may be unknown for reasons of its own.
CANDIDATES = 3
AMONG = 20
LOOK_AT = 10_000
#: Seconds between two questions to a platform that asks to wait and does not say how long; they double.
PAUSE = 1.0
WITH_THE_PLATFORM = (Status.ACCEPTED, Status.DELIVERED, Status.SEEN, Status.EXPIRED, Status.UNDELIVERED)


def take_turn_of(
    doubted: QuerySet[Message] | QuerySet[Batch], account: Account, row: Message | Batch, now: datetime
) -> bool:
    """Take the turn of a question, unless another worker has, or the account is asked nothing at this moment."""
    silent = silent_until(account.name, now)
    if silent:
        doubted.update(due_at=silent, enqueued_at=None)
        return False
    return take_turn(doubted, now + pause(account.ask_every, now - (row.doubted_at or now)))


def ask(account: Account, extra_id: str, asked_at: datetime) -> tuple[Answer | None, Reply]:
    """Ask about a message by our own id; what comes back is applied like any report.

    The first result is None when the message was found, which proves that it was taken.
    """
    reply = fetch(account, extra_id)
    if reply.is_found:
        return None, reply
    if not reply.is_not_found:
        return Answer.NO_ANSWER, reply
    return judge(reply, _controls(account, asked_at)), reply


def fetch(account: Account, extra_id: str) -> Reply:
    """Ask one question, note for the pace of the account whether it was answered, and apply the report."""
    try:
        payload = get_client(account).fetch_report(extra_id=extra_id)
    except ReportNotFound as error:
        _note_answer(account)
        return Reply(is_not_found=True, text=_describe(error))
    except HyberError as error:
        logger.info("No answer about message %s: %s", extra_id, type(error).__name__)
        _note_silence(account, error)
        return Reply(text=str(error))
    _note_answer(account)
    reports = _about(extra_id, parse_reports(payload, seen_codes=account.seen_codes).reports)
    if not reports:
        return Reply(text="a report about something else")
    apply_reports(account, reports)
    return Reply(is_found=True)


def ask_about_unknown(account: Account) -> Reply:
    """Ask about an id that was never used."""
    return fetch(account, new_extra_id())


def ask_about_known(account: Account) -> Known:
    """Ask about messages that the platform surely has until one is found."""
    known = Known.NONE
    for extra_id in _known_messages(account):
        reply = fetch(account, extra_id)
        if reply.is_found:
            return Known.FOUND
        if reply.is_not_found:
            known = Known.NOT_FOUND
        elif known is Known.NONE:
            known = Known.NO_ANSWER
    return known


def silent_until(account_name: str, now: datetime) -> datetime | None:
    """Return until when the account is asked nothing, or None when it may be asked."""
    states = _states(account_name).filter(questions_after__gt=now)
    return states.values_list("questions_after", flat=True).first()


def silent_accounts() -> list[str]:
    """Return the accounts that are asked nothing at this moment."""
    silent = AccountState.objects.filter(questions_after__gt=clock.now())
    return list(silent.values_list("account", flat=True))


def _controls(account: Account, asked_at: datetime) -> Controls:
    """Return the controls of this moment, which may have been asked for another question."""
    shared = _states(account.name).filter(controls_at__gte=asked_at - SHARED_FOR)
    row = shared.values_list("unknown_answer", "known_answer").first()
    if row:
        return Controls(unknown=row[0], known=Known(row[1]))
    now = clock.now()
    # The answer to a second question in place of one that failed: a control that is lost costs the whole question.
    unknown = ask_about_unknown(account)
    if not unknown.is_not_found and not unknown.is_found and not silent_until(account.name, clock.now()):
        unknown = ask_about_unknown(account)
    if not unknown.is_not_found:
        return Controls(unknown="", known=Known.NO_ANSWER)
    known = ask_about_known(account)
    if known is not Known.NO_ANSWER:
        AccountState.objects.get_or_create(account=account.name, host=AccountState.Host.REPORTS)
        _states(account.name).update(controls_at=now, unknown_answer=unknown.text, known_answer=known.value)
    return Controls(unknown=unknown.text, known=known)


def _known_messages(account: Account) -> Sequence[str]:
    """Return a few messages that the platform surely has, and must be able to find by now."""
    now = clock.now()
    window = (now - RECENT, now - timedelta(seconds=account.not_found_grace))
    known = Message.objects.filter(status__in=WITH_THE_PLATFORM, account=account.name, accepted_at__range=window)
    found: dict[str, bool] = {}
    for pks in (*_of_recent_batches(account, window), *_latest()):
        rows = known.filter(pks).order_by("-pk").values_list("extra_id", "message_id")
        found |= {extra_id: bool(message_id) for extra_id, message_id in rows[:CANDIDATES]}
        if len(found) >= AMONG:
            break
    chosen = random.sample(sorted(found), len(found))
    # What has an id of the platform was answered or reported by itself; a job may not have got to the others yet.
    chosen.sort(key=lambda extra_id: not found[extra_id])
    return chosen[:CANDIDATES]


def _of_recent_batches(account: Account, window: tuple[datetime, datetime]) -> Iterator[Q]:
    batches = Batch.objects.filter(campaign__account=account.name, state=Batch.State.DONE, finished_at__range=window)
    for first, last in batches.order_by("-pk").values_list("first_id", "last_id")[:CANDIDATES]:
        yield Q(pk__range=(first, last))


def _latest() -> Iterator[Q]:
    """Yield ranges of messages. No index is by time, and the last messages may be a million that are too recent."""
    top = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    for distance in (0, 10_000, 100_000, 1_000_000):
        yield Q(pk__gt=top - distance - LOOK_AT, pk__lte=top - distance)


def _about(extra_id: str, reports: Sequence[DeliveryReport]) -> list[DeliveryReport]:
    return [report for report in reports if report.extra_id == extra_id]


def _describe(error: ReportNotFound) -> str:
    code = "" if error.error_code is None else f", error {error.error_code}"
    return f"HTTP {error.http_status}{code}"[:TEXT_LIMIT]


def _note_answer(account: Account) -> None:
    _states(account.name).filter(silent_questions__gt=0).update(silent_questions=0)


def _note_silence(account: Account, error: HyberError) -> None:
    """Leave the account alone for a while when the platform takes no questions at all."""
    AccountState.objects.get_or_create(account=account.name, host=AccountState.Host.REPORTS)
    states = _states(account.name)
    states.update(silent_questions=F("silent_questions") + 1)
    silent = states.values_list("silent_questions", flat=True).get()
    if isinstance(error, NotTaken):
        wanted = min(PAUSE * 2 ** min(silent - 1, 10), account.ask_every) if error.retry_after is None else 0
        seconds = max(error.retry_after or 0, wanted)
    elif isinstance(error, NOT_NOW) or silent >= MOST_SILENT:
        seconds = account.ask_every
    else:
        return
    until = clock.now() + timedelta(seconds=seconds)
    states.filter(Q(questions_after=None) | Q(questions_after__lt=until)).update(questions_after=until)


def _states(account_name: str) -> QuerySet[AccountState]:
    return AccountState.objects.filter(account=account_name, host=AccountState.Host.REPORTS)

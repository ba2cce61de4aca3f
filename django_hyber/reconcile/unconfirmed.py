"""The unknown outcome: the platform is asked for its own report, and nothing is guessed."""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.announce import Change, announce_changes
from django_hyber.conf import Account, find_account, get_account
from django_hyber.db import lease
from django_hyber.db.transactions import lock, write_transaction
from django_hyber.models import Batch, Message
from django_hyber.protocol import (
    ConnectionLost,
    DeliveryReport,
    HyberClient,
    HyberError,
    NotTaken,
    ReadTimeout,
    ReportNotFound,
    parse_reports,
)
from django_hyber.reconcile.question import take_turn
from django_hyber.reports.intake import apply_reports
from django_hyber.sending.batch import BatchClaim
from django_hyber.sending.exchange import get_client
from django_hyber.sending.pace import schedule
from django_hyber.sending.runs import settle
from django_hyber.sending.single import MessageClaim

logger = logging.getLogger("django_hyber")
Status = Message.Status
NO_PLATFORM = (NotTaken, ReadTimeout, ConnectionLost)
#: How many messages of a batch must be unknown to the platform before the batch counts as not taken. A few alone could
#: all have been refused inside a request that was taken.
SAMPLE = 20
LEASE_ENDED = gettext_noop("The worker that was sending it has stopped.")


class Finding(enum.Enum):
    """What the platform says about something that we may have sent."""

    TAKEN = enum.auto()
    NOT_FOUND = enum.auto()
    NO_ANSWER = enum.auto()


def recover_expired_leases() -> None:
    """Put what stopped workers were sending among the unconfirmed: it may be with the platform already."""
    now = timezone.now()
    has_ended = lease.has_ended(now)
    messages = Message.objects.filter(has_ended, status=Status.SENDING)
    for message in list(messages):
        account = _account(message.account)
        if account:
            is_left = Q(has_ended, status=Status.SENDING)
            MessageClaim(message=message, account=account).mark_unconfirmed(LEASE_ENDED, now, only=is_left)
    batches = Batch.objects.filter(has_ended, state=Batch.State.SENDING)
    for batch in list(batches.select_related("campaign")):
        account = _account(batch.campaign.account)
        if account:
            is_left = Q(has_ended, state=Batch.State.SENDING)
            BatchClaim(batch=batch, account=account).mark_unconfirmed(LEASE_ENDED, now, only=is_left)


def resolve_message(pk: int, client: HyberClient | None = None) -> bool:
    """Ask about one unconfirmed message; do nothing when it is not due or another worker asks.

    False when the platform does not answer.
    """
    message = Message.objects.filter(pk=pk, status=Status.UNCONFIRMED).first()
    if message is None:
        return True
    account = get_account(message.account)
    unconfirmed = Message.objects.filter(pk=pk, status=Status.UNCONFIRMED)
    if not take_turn(unconfirmed, timezone.now() + timedelta(seconds=account.ask_every)):
        return True
    finding = ask(account, [message.extra_id], client or get_client(account))
    if finding is Finding.TAKEN:
        _confirm(unconfirmed)
    elif finding is Finding.NOT_FOUND and _is_past(message.not_found_after):
        # An answer may come so late that the message has been sent again meanwhile: it is not about that.
        asked_about = unconfirmed.filter(attempts=message.attempts, not_found_after=message.not_found_after)
        with write_transaction():
            if _send_again(asked_about):
                _give_own_batch(message)
    if message.campaign_id:
        settle(message.campaign_id)
    return finding is not Finding.NO_ANSWER


def resolve_batch(pk: int, client: HyberClient | None = None) -> None:
    """Ask about an unconfirmed batch by a sample of its messages: the platform reads a request whole or not at all.

    When it has read it, some messages may still have been refused, so each is asked about, unless its report is first.
    """
    row = Batch.objects.filter(pk=pk, state=Batch.State.UNCONFIRMED).select_related("campaign").first()
    if row is None:
        return
    account = get_account(row.campaign.account)
    batches = Batch.objects.filter(pk=pk, state=Batch.State.UNCONFIRMED)
    if not take_turn(batches, timezone.now() + timedelta(seconds=account.ask_every)):
        return
    messages = BatchClaim(batch=row, account=account).messages()
    unconfirmed = messages.filter(status=Status.UNCONFIRMED)
    # A report that was pushed meanwhile proves that the request was taken; one of an earlier run proves nothing.
    was_taken = messages.filter(accepted_at__gte=row.created_at).exists()
    finding = Finding.TAKEN if was_taken else _ask_about_sample(unconfirmed, account, client)
    if finding is Finding.TAKEN:
        _leave_to_its_messages(batches, unconfirmed, account)
    elif finding is Finding.NOT_FOUND and _is_past(row.not_found_after):
        with write_transaction():
            # An answer may come so late that the batch has been sent again meanwhile: it is not about that. The batch
            # is locked first, as when the answer to it is recorded at this very moment.
            asked_about = batches.filter(attempts=row.attempts)
            if asked_about.update(state=Batch.State.PENDING, not_found_after=None, due_at=None):
                _send_again(unconfirmed)
    settle(row.campaign_id)


def ask(account: Account, extra_ids: Iterable[str], client: HyberClient) -> Finding:
    """Ask for the reports by our own ids until one is known; what comes back is applied like any report."""
    finding = Finding.NOT_FOUND
    for extra_id in extra_ids:
        try:
            payload = client.fetch_report(extra_id=extra_id)
        except ReportNotFound:
            continue
        except HyberError as error:
            logger.info("No answer about message %s: %s", extra_id, type(error).__name__)
            finding = Finding.NO_ANSWER
            if isinstance(error, NO_PLATFORM):
                # Each further question would wait as long, and a "not found" could still not be believed.
                break
            continue
        reports = _about(extra_id, parse_reports(payload, seen_codes=account.seen_codes).reports)
        if reports:
            apply_reports(account, reports)
            return Finding.TAKEN
        finding = Finding.NO_ANSWER
    return finding


def _about(extra_id: str, reports: Sequence[DeliveryReport]) -> list[DeliveryReport]:
    return [report for report in reports if report.extra_id == extra_id]


def _ask_about_sample(unconfirmed: QuerySet[Message], account: Account, client: HyberClient | None) -> Finding:
    extra_ids = list(unconfirmed.order_by("pk").values_list("extra_id", flat=True))
    sample = extra_ids[:: max(1, len(extra_ids) // SAMPLE)]
    return ask(account, sample, client or get_client(account))


def _leave_to_its_messages(batches: QuerySet[Batch], unconfirmed: QuerySet[Message], account: Account) -> None:
    now = timezone.now()
    with write_transaction():
        batches.update(state=Batch.State.DONE, finished_at=now, error_text="", not_found_after=None, due_at=None)
        lock(unconfirmed)
        unconfirmed.update(
            not_found_after=now + timedelta(seconds=account.not_found_grace),
            due_at=now + timedelta(seconds=account.ask_every),
        )


def _is_past(time: datetime | None) -> bool:
    return time is not None and time <= timezone.now()


def _confirm(unconfirmed: QuerySet[Message]) -> None:
    _move(unconfirmed, Status.ACCEPTED, accepted_at=timezone.now())


def _send_again(unconfirmed: QuerySet[Message]) -> int:
    return _move(unconfirmed, Status.QUEUED)


def _give_own_batch(message: Message) -> None:
    """A campaign's message goes out in a batch; the one that it was in is done. Run 0 is for such stragglers."""
    if not message.campaign_id:
        return
    zone = schedule.zone_of(schedule.prefix_of((message.phone_number or "")[:4]))
    Batch.objects.update_or_create(
        campaign_id=message.campaign_id,
        run=0,
        first_id=message.pk,
        # The attempts that it had are kept, so that it is given up one day.
        defaults={"last_id": message.pk, "size": 1, "state": Batch.State.PENDING, "zone": zone, "enqueued_at": None},
    )


def _move(rows: QuerySet[Message], status: Status, **values: object) -> int:
    with write_transaction():
        pks = lock(rows)
        moved = rows.update(status=status, error_text="", not_found_after=None, due_at=None, **values)
        announce_changes([Change(pk, Status.UNCONFIRMED, status) for pk in pks])
    return moved


def _account(name: str) -> Account | None:
    """Return the account, or None for one whose settings are missing or wrong: others must not wait for it."""
    account = find_account(name)
    if account is None:
        logger.error("Work of the account %s waits: its settings are missing or wrong", name)
    return account

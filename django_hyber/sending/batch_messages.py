"""The messages of a batch: which of them are sent, with which values, and the platform's answer for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.announce import Change, announce_changes, has_listeners
from django_hyber.codes import DELIVERED, with_stored_codes
from django_hyber.conf import Account
from django_hyber.conf.addresses import get_callback_url
from django_hyber.db.bulk import VARIABLES_TEXT, read_documents, update_rows
from django_hyber.db.characters import storable_ids
from django_hyber.db.clock import database_time
from django_hyber.models import TEXT_LIMIT, Batch, Campaign, DeliveryReport, Message, Suppression
from django_hyber.policies.allowed_numbers import NOT_ALLOWED, OPTED_OUT, not_allowed, stored_policy
from django_hyber.protocol import BatchMessage, Recipient, SyncEntry, batch_body, broadcast_body, find_variables
from django_hyber.protocol.collector import paused_collector
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE, WITHHELD
from django_hyber.sending.claim import SAME_ID
from django_hyber.texts.check import OWN_TEXT, complete_variables

Status = Message.Status
NO_VALUE = gettext_noop("Skipped: a value for the text is missing.")
NO_ANSWER = gettext_noop("The platform's answer does not mention this message.")
NO_DECISION = gettext_noop("The platform's answer does not say whether it has accepted this message.")
NOTHING: Mapping[str, Any] = MappingProxyType({})
#: A message with an answer is no longer part of the doubt about an earlier request.
NO_DOUBT = MappingProxyType({"doubted_at": None, "not_found_after": None, "due_at": None})
#: Columns that are reset when a message is accepted.
CLEARED = MappingProxyType({"error_code": None, "error_text": "", "finished_at": None, **NO_DOUBT})
#: Messages about which the platform has said whether it has accepted them.
REPORTED = Q(accepted_at__isnull=False) | Q(status=Status.REJECTED)
#: Batches about whose unconfirmed request a report has come, as ``is_proved`` says it of one.
PROVED = Exists(
    Batch.objects.filter(pk=Coalesce(OuterRef("cut_from"), OuterRef("pk")), proofs__gt=OuterRef("proofs_seen"))
)
#: An opt-out may be committed so long after it was written: its transaction was long.
OPT_OUT_MARGIN = timedelta(hours=1)


#: Suppresses queued messages of a claimed batch for this reason.
LeaveOut = Callable[[QuerySet[Message], str], None]


class Outgoing(NamedTuple):
    """A message to be sent."""

    pk: int
    recipient: Recipient


class BatchAnswer(NamedTuple):
    """A request that the platform accepted: the entries of a synchronous answer, or otherwise the id of a job."""

    outgoing: Sequence[Outgoing]
    entries: Sequence[SyncEntry] | None
    job_id: str


def was_accepted(batch: Batch) -> bool:
    """Whether a report proves that a request of the batch was accepted. Reports of an earlier run do not count."""
    reported = batch.messages().filter(REPORTED)
    if batch.run > 1:
        # Those that were not retried then have the results of an earlier run.
        reported = reported.filter(earlier_end__run=batch.run)
    return is_proved(batch) or reported.exists()


def was_accepted_before(batch: Batch, attempts: int) -> bool:
    """Whether a report proves that a request before was accepted, although the platform seemed to put it off.

    ``attempts`` is the number of those before. The first request of most batches has no such history, and costs no
    query.
    """
    has_history = bool(attempts or batch.doubted_at or batch.cut_from)
    return has_history and was_accepted(batch)


def is_proved(batch: Batch) -> bool:
    """Whether a report has come about the unconfirmed request, since the batch was last queued again after a doubt.

    The request may have been cut since: because it was too large, or because its messages were resolved one by one. A
    report about any part of it counts.
    """
    whole = Batch.objects.filter(pk=batch.cut_from or batch.pk, proofs__gt=batch.proofs_seen)
    return batch.doubted_at is not None and whole.exists()


def lock_proofs(batch: Batch) -> int:
    """Return how many proofs there are, and let none be noted until the end of the transaction.

    Lock the messages of the batch before: reports are applied to theirs, and then noted.
    """
    whole = Batch.objects.filter(pk=batch.cut_from or batch.pk).select_for_update()
    return whole.values_list("proofs", flat=True).first() or 0


def suppress(account: Account, messages: QuerySet[Message], leave_out: LeaveOut) -> None:
    """Leave out recipients who opted out after the launch or must not be sent to."""
    queued = messages.filter(status=Status.QUEUED)
    opted_out = Suppression.objects.values("phone_number")
    reasons = {OPTED_OUT: Q(phone_number__in=opted_out), NOT_ALLOWED: not_allowed(account)}
    for reason, condition in reasons.items():
        if condition is not None and queued.filter(condition).exists():
            leave_out(queued.filter(condition), reason)


def leave_out_reached(account: Account, messages: QuerySet[Message], leave_out: LeaveOut) -> None:
    """Leave out retried recipients of whom a late report says that they have got an earlier attempt after all."""
    delivered = Q(status=DELIVERED) | Q(hyber_status__in=with_stored_codes(account).seen_codes)
    reached = messages.filter(
        Exists(DeliveryReport.objects.filter(delivered, message=OuterRef("pk"))),
        status=Status.QUEUED,
        earlier_end__isnull=False,
    )
    if reached.exists():
        # Each gets its former end back, so that no reason is stored.
        leave_out(reached, "")


def have_opted_out(messages: QuerySet[Message], since: datetime) -> bool:
    """Return whether recipients have opted out since this time, when ``suppress`` has looked."""
    recent = Suppression.objects.filter(listed_at__gte=since - OPT_OUT_MARGIN).values("phone_number")
    return messages.filter(status=Status.QUEUED, phone_number__in=recent).exists()


@paused_collector()
def read_outgoing(
    campaign: Campaign, account: Account, messages: QuerySet[Message], leave_out: LeaveOut
) -> list[Outgoing]:
    """Read the queued messages, without a model instance per row.

    Recipients without a value for a variable are left out if the campaign says so, and so are numbers that the account
    does not send to.
    """
    waiting = messages.filter(status=Status.QUEUED)
    rows = list(waiting.order_by("pk").values_list("pk", "phone_number", "extra_id", VARIABLES_TEXT))
    used = used_values(campaign)
    policy = stored_policy(account, campaign.number_types)
    outgoing: list[Outgoing] = []
    left_out: dict[str, list[int]] = {}
    for (pk, phone, extra_id, _text), values in zip(rows, read_documents(row[-1] for row in rows), strict=True):
        refusal = policy.refusal_of(phone) if policy else ""
        if refusal:
            left_out.setdefault(refusal, []).append(pk)
            continue
        variables = complete_variables(campaign, used, values)
        # The pre-flight check requires a text for everybody; one removed since then excludes only that recipient.
        if variables is None or (campaign.has_own_texts and not variables.get(OWN_TEXT)):
            left_out.setdefault(NO_VALUE, []).append(pk)
        else:
            outgoing.append(Outgoing(pk, Recipient(phone, extra_id, variables)))
    for reason, pks in left_out.items():
        leave_out(waiting.filter(pk__in=pks), reason)
    return outgoing


@paused_collector()
def build_body(campaign: Campaign, account: Account, recipients: Iterable[Recipient]) -> dict[str, Any]:
    """Build the request for these recipients. Raises ValueError for a phone number with anything but digits."""
    options: dict[str, Any] = {
        "callback_url": get_callback_url(account),
        "start_time": campaign.start_time_on_wire(database_time()),
        "tag": campaign.tag or campaign.name[:64],
        "division_code": campaign.division_code,
        "phone_as_number": account.phone_as_number,
    }
    if account.redirect_to:
        recipients = (recipient._replace(phone_number=account.redirect_to) for recipient in recipients)
    if campaign.has_own_texts:
        texts = (BatchMessage(phone, extra_id, values[OWN_TEXT]) for phone, extra_id, values in recipients)
        return batch_body(texts, campaign.get_channels(), **options)
    return broadcast_body(recipients, campaign.get_channels(), **options)


def used_values(campaign: Campaign) -> list[str]:
    """Return the names of the variables in the texts. Values of other variables are not sent to the platform."""
    return sorted(find_variables(campaign.get_channels()) | ({OWN_TEXT} if campaign.has_own_texts else set()))


class AcceptedRow(NamedTuple):
    """Columns of an accepted message that differ from row to row."""

    id: int
    message_id: str | None

    @property
    def status(self) -> str:
        """The new status of the message."""
        return Status.ACCEPTED.value


class OtherRow(NamedTuple):
    """Columns of a message that the platform rejected or did not mention."""

    id: int
    message_id: str | None
    status: str
    error_code: int | None = None
    error_text: str = ""
    finished_at: datetime | None = None


Rows = Sequence[AcceptedRow] | Sequence[OtherRow]


@paused_collector()
def accept_all(outgoing: Sequence[Outgoing]) -> None:
    """Accept every message of a request that became a job. The message ids arrive with the reports."""
    _accept([AcceptedRow(item.pk, None) for item in outgoing])


def refusal_of_all(answer: BatchAnswer) -> SyncEntry | None:
    """Return one of the entries if they reject every message with the same error, as a refusal of the request would."""
    entries = answer.entries or ()
    rejections = [entry for entry in entries if entry.accepted is False and not entry.message_id]
    is_of_all = len(answer.outgoing) <= len(rejections) == len(entries)
    return rejections[0] if is_of_all and len({entry.error_code for entry in rejections}) == 1 else None


@paused_collector()
def record_entries(
    outgoing: Sequence[Outgoing],
    entries: Sequence[SyncEntry],
    doubt: Mapping[str, Any],
    of_rejected: Mapping[str, Any] = NO_DOUBT,
) -> Collection[int]:
    """Record the platform's entry for each message, matched by extra id, or by phone number if an entry has none.

    Return which messages were accepted. ``of_rejected`` is written to those that were rejected.

    The outcome of a message is unknown without an entry, with entries that do not agree, with one that both rejects it
    and has an id of it, and if another message has the same id. ``doubt`` is what is written to it.
    """
    by_extra_id = _by_key((entry.extra_id, entry) for entry in entries if entry.extra_id)
    by_phone = _by_key((entry.phone_number, entry) for entry in entries if not entry.extra_id)
    taken = _taken_ids(entries, by_phone)
    accepted, rejected, unknown = [], [], []
    for pk, recipient in outgoing:
        entry = by_extra_id.get(recipient.extra_id) or by_phone.get(recipient.phone_number)
        if entry is None or entry.accepted is None:
            unknown.append(_unknown(pk, NO_DECISION if entry else NO_ANSWER))
        elif entry.message_id in taken:
            unknown.append(_unknown(pk, SAME_ID))
        elif entry.accepted:
            accepted.append(AcceptedRow(pk, entry.message_id or None))
        elif entry.message_id:
            unknown.append(_unknown(pk, entry.error_text[:TEXT_LIMIT] or NO_DECISION, entry))
        else:
            rejected.append(_rejected(pk, entry))
    _accept(accepted)
    _write(rejected, of_rejected)
    _write(unknown, {**doubt, "due_at": None})
    return {row.id for row in accepted}


def _by_key(entries: Iterable[tuple[str, SyncEntry]]) -> dict[str, SyncEntry]:
    """Return the entry of each id or number: one that does not decide if there are several that do not agree."""
    found: dict[str, SyncEntry] = {}
    for key, entry in entries:
        other = found.setdefault(key, entry)
        if other.accepted is not entry.accepted:
            found[key] = other._replace(accepted=None)
    return found


def _taken_ids(entries: Sequence[SyncEntry], by_phone: Mapping[str, SyncEntry]) -> set[str]:
    """Return the ids that name no single message: of several entries, or of another message.

    An entry with our own id is certainly about our message. One without it may be of the answer to another request.
    """
    ids = [entry.message_id for entry in entries if entry.message_id]
    taken: set[str] = set()
    if len(set(ids)) < len(ids):
        # An entry may be repeated.
        named = {(entry.extra_id, entry.phone_number, entry.message_id) for entry in entries if entry.message_id}
        taken = {message_id for message_id, count in Counter(item[-1] for item in named).items() if count > 1}
    # Only these: looking up the ids of a whole answer would take as long as all the rest.
    unnamed = storable_ids({entry.message_id for entry in by_phone.values()} - {""})
    if unnamed:
        known = Message.objects.filter(message_id__in=unnamed).values_list("message_id", flat=True)
        taken.update(filter(None, known))
    return taken


def _unknown(pk: int, reason: str, entry: SyncEntry | None = None) -> OtherRow:
    message_id, error_code = (entry.message_id, entry.error_code) if entry else (None, None)
    return OtherRow(pk, message_id, Status.UNCONFIRMED.value, error_code, reason)


def _rejected(pk: int, entry: SyncEntry) -> OtherRow:
    text, status = entry.error_text[:TEXT_LIMIT], Status.REJECTED.value
    return OtherRow(pk, None, status, entry.error_code, text, finished_at=timezone.now())


def _accept(rows: Sequence[AcceptedRow]) -> None:
    accepted_at = {"accepted_at": database_time()}
    same = {"status": Status.ACCEPTED.value, **accepted_at, **CLEARED}
    _write(rows, same, accepted_at, (*BEFORE_ACCEPTANCE, *WITHHELD))


def _write(
    rows: Rows,
    same: Mapping[str, Any],
    overtaken: Mapping[str, Any] = NOTHING,
    changing: Collection[Status] = BEFORE_ACCEPTANCE,
) -> None:
    """Write rows that the caller has locked. ``same`` holds the columns with the same value in all of them.

    Messages whose status is none of ``changing`` keep it, as those whose report arrived before the answer. They get
    only the platform's id and the columns of ``overtaken``.
    """
    if not rows:
        return
    before = _statuses(rows)
    where = {"status": [status.value for status in changing]}
    moved = update_rows(Message, rows[0]._fields, rows, where=where, constants=same)
    if moved < len(rows):
        ids = [AcceptedRow(row.id, row.message_id) for row in rows if row.message_id]
        update_rows(Message, AcceptedRow._fields, ids, where={"message_id": None}, constants=overtaken)
    announce_changes(_changes(rows, before, changing))


def _statuses(rows: Rows) -> dict[int, str]:
    if not has_listeners():
        return {}
    found = Message.objects.filter(pk__gte=rows[0].id, pk__lte=rows[-1].id)
    return dict(found.values_list("pk", "status"))


def _changes(rows: Rows, before: Mapping[int, str], changing: Collection[Status]) -> list[Change]:
    """Return the changes of status, without those that a report has already made."""
    return [
        Change(row.id, before[row.id], row.status)
        for row in rows
        if before.get(row.id) in changing and before[row.id] != row.status
    ]

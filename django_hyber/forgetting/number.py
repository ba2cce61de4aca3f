"""What is stored about one phone number: handed out on request, and removed on request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from django_hyber.db.transactions import lock_unread, write_transaction
from django_hyber.forgetting.drafts import delete_recipients
from django_hyber.forgetting.log_entries import admin_log
from django_hyber.forgetting.purge import OVER, anonymize, anonymize_replies
from django_hyber.models import (
    AccountState,
    BackgroundJob,
    Batch,
    Campaign,
    DeliveryReport,
    FormerOptOut,
    Message,
    Reply,
    Suppression,
    TestNumber,
    UnreadableCallback,
)
from django_hyber.models.base import HyberModel
from django_hyber.protocol.phones.spellings import GivenPhone
from django_hyber.reports.anonymous import anonymize_reports
from django_hyber.words import clean_phone

#: Columns that an export leaves out: the work on a row is not about the person, and the others name colleagues.
NOT_EXPORTED = {
    *("fingerprint", "attempts", "held_attempts", "releases_seen", "lease_until", "due_at", "enqueued_at"),
    *(
        "sender",
        "answer",
        "doubted_at",
        "not_found_after",
        "not_found_at",
        "queried_at",
        "queries",
        "unanswered_queries",
    ),
    *("not_taken_code", "added_by", "ended_by"),
}
DRAFT = Q(campaign__status=Campaign.Status.DRAFT)
#: Texts about whole requests, campaigns and accounts.
QUOTING: Sequence[tuple[type[HyberModel], str]] = (
    (Batch, "error_text"),
    (Batch, "answer_text"),
    (Campaign, "status_reason"),
    (Campaign, "approval_note"),
    (AccountState, "reason"),
)
NATIONAL_DIGITS = 9
#: MariaDB counts bytes, and a dash or a space may have three.
SEPARATORS = "[^0-9A-Za-z]{0,12}"
#: The jobs whose files may contain any number.
WITH_NUMBERS = (BackgroundJob.Kind.IMPORT, BackgroundJob.Kind.EXPORT, BackgroundJob.Kind.REMOVAL)
#: How many campaigns an error names.
NAMED = 5


class ForgetError(ValidationError):
    """A number cannot be forgotten now; ``messages`` says why, in the reader's language."""


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """How much was removed. ``is_opted_out``: the number stays on the opt-out list, without its reason."""

    messages: int
    recipients: int
    reports: int
    replies: int
    unreadable: int
    jobs: int
    log_entries: int
    former_opt_outs: int
    test_numbers: int
    is_opted_out: bool

    @property
    def total(self) -> int:
        """How many rows were changed or deleted."""
        rows = self.messages + self.recipients + self.reports + self.replies
        return rows + self.unreadable + self.jobs + self.log_entries + self.former_opt_outs + self.test_numbers


def export_number(phone_number: GivenPhone) -> dict[str, Any]:
    """Return everything that is stored under a phone number, as values for JSON or a file. Changes nothing.

    An unreadable callback that contains the number may contain those of other people as well.

    Raises ValidationError for what is not a phone number.
    """
    phone = clean_phone(phone_number)
    opt_outs = _exported(Suppression.objects.filter(phone_number=phone))
    return {
        "phone_number": phone,
        "messages": list(map(_readable, _exported(Message.objects.filter(phone_number=phone), "campaign__name"))),
        "delivery_reports": _exported(_reports(phone)),
        "replies": _exported(Reply.objects.filter(phone_number=phone)),
        "unreadable_callbacks": _exported(UnreadableCallback.objects.filter(_quoted_in("body", phone))),
        "opted_out": opt_outs[0] if opt_outs else None,
        "test_numbers": _exported(TestNumber.objects.filter(phone_number=phone)),
        "former_opt_outs": _exported(FormerOptOut.objects.filter(phone_number=phone)),
    }


def forget_number(phone_number: GivenPhone) -> Forgotten:
    """Remove everything that is stored under a phone number, and return the counts.

    Messages, reports and replies are anonymized as by ``purge_personal_data``; recipients of drafts are deleted.
    Imports and exports that have ended, and uploads, may contain the number and are deleted with their files,
    whichever user made them. A number on the opt-out list stays there, alone, so that nothing is sent to it again.

    Raises ValidationError for what is not a phone number, and ForgetError, and changes nothing, while a message to it,
    an import, an export or a removal of numbers is under way.
    """
    phone = clean_phone(phone_number)
    with write_transaction():
        _lock(phone)
        _refuse_if_under_way(phone)
        recipients = delete_recipients(Message.objects.filter(DRAFT, phone_number=phone))
        own = list(Message.objects.filter(phone_number=phone).order_by("pk").values_list("pk", flat=True))
        reports = anonymize_reports(_reports(phone).filter(message__isnull=False).exclude(raw={}))
        waiting = DeliveryReport.objects.filter(phone_number=phone, message=None).delete()[0]
        _forget_quotes(phone)
        return Forgotten(
            messages=anonymize(Message.objects.filter(pk__in=own)),
            recipients=recipients,
            reports=reports + waiting,
            replies=anonymize_replies(Reply.objects.filter(phone_number=phone)),
            unreadable=UnreadableCallback.objects.filter(_quoted_in("body", phone)).delete()[0],
            jobs=_forget_jobs(),
            log_entries=_forget_log(own),
            former_opt_outs=FormerOptOut.objects.filter(phone_number=phone).delete()[0],
            test_numbers=TestNumber.objects.filter(phone_number=phone).delete()[0],
            is_opted_out=bool(Suppression.objects.filter(phone_number=phone).update(reason="")),
        )


def _exported(rows: QuerySet[Any], *more: str) -> list[dict[str, Any]]:
    columns = {field.name for field in rows.model._meta.concrete_fields} - NOT_EXPORTED
    return list(rows.order_by("pk").values(*sorted(columns), *more))


def _readable(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message with its reference by name, and without the callback URL, which contains a token."""
    content = {name: value for name, value in (message["content"] or {}).items() if name != "callback_url"}
    type_id, key = message.pop("reference_type"), message.pop("reference_id")
    kind = ContentType.objects.filter(pk=type_id).first() if type_id else None
    reference = {"model": ".".join(kind.natural_key()) if kind else "", "id": key} if type_id else None
    return message | {"content": content, "reference": reference}


def _lock(phone: str) -> None:
    """Keep its campaigns from being launched and copied, and its messages from being sent again.

    Until the end of the transaction; it waits for a copy that is being made.
    """
    campaigns = Message.objects.filter(phone_number=phone, campaign__isnull=False).values_list("campaign", flat=True)
    list(Campaign.objects.filter(pk__in=list(campaigns)).order_by("pk").select_for_update())
    lock_unread(Message.objects.filter(phone_number=phone))


def _reports(phone: str) -> QuerySet[DeliveryReport]:
    return DeliveryReport.objects.filter(Q(phone_number=phone) | Q(message__phone_number=phone))


def _refuse_if_under_way(phone: str) -> None:
    under_way = Message.objects.filter(phone_number=phone).exclude(OVER).exclude(DRAFT)
    names = list(under_way.order_by("campaign").values_list("campaign__name", flat=True).distinct()[:NAMED])
    if names:
        shown = ", ".join(f"“{name}”" if name else _("single messages") for name in names)
        text = _("Messages to this number are under way (%(names)s). Wait until they end, or cancel the campaign.")
        raise ForgetError(text, code="under-way", params={"names": shown})
    # An import would bring the number back, and an export may have written it to its file already.
    if BackgroundJob.objects.open().filter(kind__in=WITH_NUMBERS).exists():
        text = _("An import, an export or a removal of numbers is under way. Wait until it ends.")
        raise ForgetError(text, code="importing")


def _forget_quotes(phone: str) -> None:
    """Remove texts about whole requests, campaigns and accounts that quote the number."""
    for model, column in QUOTING:
        model.objects.filter(_quoted_in(column, phone)).update(**{column: ""})


def _quoted_in(column: str, phone: str) -> Q:
    """Match texts that contain the number, with or without its country code, and whatever separates its digits."""
    return Q(**{f"{column}__regex": SEPARATORS.join(phone[-NATIONAL_DIGITS:])})


def _forget_jobs() -> int:
    """Delete the imports, exports and removals that are not under way, and with them their files."""
    ended = BackgroundJob.objects.exclude(state__in=BackgroundJob.OPEN_STATES).filter(kind__in=WITH_NUMBERS)
    return ended.delete()[1].get(BackgroundJob._meta.label, 0)


def _forget_log(messages: list[int]) -> int:
    entries = admin_log(object_id__in=list(map(str, messages)), content_type__model="message")
    return 0 if entries is None else int(entries.delete()[0])

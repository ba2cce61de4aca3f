"""Copies of a campaign: its texts and settings, and optionally its recipients."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from django.db.models import CharField, Count, F, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext as _

from django_hyber.campaigns.lifecycle import locked
from django_hyber.codes import has_seen_codes
from django_hyber.conf import find_account
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import db_connection, insisting
from django_hyber.models import Campaign, CampaignChannel, Message
from django_hyber.models.people import User
from django_hyber.policies.four_eyes import add_contributor, copy_contributors
from django_hyber.reconcile.seen_and_clicks import REPORT_SEEN
from django_hyber.reports.ranks import FAILURES

Status = Message.Status
NAME_LENGTH = 200


class CopyAudience(StrEnum):
    """Which recipients the copy gets."""

    NOBODY = "nobody"
    EVERYBODY = "everybody"
    FAILED = "failed"
    NOT_SEEN = "not-seen"


#: A click proves that a message was seen, where the platform does not report it.
_CLICKED = Q(clicks__gt=0)
_STATUSES: Mapping[CopyAudience, tuple[str, ...]] = {
    CopyAudience.NOBODY: (),
    CopyAudience.EVERYBODY: tuple(Status.values),
    CopyAudience.FAILED: FAILURES,
    # Opted-out recipients have not seen it either, but must not get the copy.
    CopyAudience.NOT_SEEN: tuple(status for status in Status.values if status not in (Status.SEEN, Status.SUPPRESSED)),
}


def name_of_copy(campaign: Campaign) -> str:
    """Return the name that a copy gets unless a person gives another."""
    suffix = _(" (copy)")
    return campaign.name[: NAME_LENGTH - len(suffix)] + suffix


def audience_of(campaign: Campaign, audience: CopyAudience) -> QuerySet[Message]:
    """Return the messages whose recipients a copy gets; purged ones have no number any more."""
    messages = campaign.messages.not_purged().filter(status__in=_STATUSES[audience])
    return messages.exclude(_CLICKED) if audience is CopyAudience.NOT_SEEN else messages


class CopyAudiences(NamedTuple):
    """How many recipients a copy would get with each audience.

    Of those who have not seen it, ``unknown`` got it by a channel that does not report whether it was.
    """

    sizes: Mapping[CopyAudience, int]
    unknown: int


def count_audiences(campaign: Campaign) -> CopyAudiences:
    """Count the recipients that a copy would get with each audience, in two queries."""
    grouped = campaign.messages.not_purged().order_by().values_list("status", "channel")
    rows = list(grouped.annotate(count=Count("*"), clicked=Count("status", filter=_CLICKED)))
    account = find_account(campaign.account)
    reporting = REPORT_SEEN if account and has_seen_codes([account]) else ()
    sizes = {
        audience: sum(
            count - (clicked if audience is CopyAudience.NOT_SEEN else 0)
            for status, _channel, count, clicked in rows
            if status in _STATUSES[audience]
        )
        for audience in CopyAudience
    }
    unknown = sum(
        count - clicked
        for status, channel, count, clicked in rows
        if status == Status.DELIVERED and channel not in reporting
    )
    return CopyAudiences(sizes, unknown)


@insisting
def copy_once(
    campaign: Campaign, *, name: str, audience: CopyAudience, user: User | None, form_key: str = ""
) -> tuple[Campaign, bool]:
    """Make a draft with the campaign's texts and settings, without its start time, and with these recipients.

    ``form_key`` names the form: submitting it twice makes one copy. Returns the copy, and whether it is new.
    """
    author_id = user.pk if user else None
    with locked(campaign):
        if copy := Campaign.find_added(form_key):
            return copy, False
        return _copy(campaign, name, audience, author_id, form_key), True


def _copy(campaign: Campaign, name: str, audience: CopyAudience, author_id: Any, form_key: str) -> Campaign:
    values = {column: getattr(campaign, column) for column in Campaign.SETTINGS}
    copy = Campaign.objects.create(name=name, author_id=author_id, added_by_form=form_key or None, **values)
    channels = campaign.channels.order_by("position", "id").values("position", "channel", "options")
    rows = [CampaignChannel(campaign=copy, **channel) for channel in channels]
    CampaignChannel.objects.bulk_create(rows)
    add_contributor(copy, author_id)
    copy_contributors(campaign, copy)
    if audience is not CopyAudience.NOBODY:
        _copy_recipients(audience_of(campaign, audience), copy)
    return copy


def _copy_recipients(messages: QuerySet[Message], copy: Campaign) -> None:
    """Copy the rows within the database (INSERT ... SELECT), however many there are."""
    connection = db_connection()
    # A random prefix and the key of the source row: unique without reading other ids.
    extra_id = Concat(Value(secrets.token_hex(8)), Cast(F("pk"), CharField(max_length=20)))
    columns: dict[str, Combinable] = {
        "campaign_id": Value(copy.pk),
        "account": Value(copy.account),
        "phone_number": F("phone_number"),
        "variables": F("variables"),
        "reference_type_id": F("reference_type"),
        "reference_id": F("reference_id"),
        "extra_id": extra_id,
        "status": Value(Status.QUEUED.value),
        "channel": Value(""),
        "error_text": Value(""),
        "created_at": Value(database_time()),
        "attempts": Value(0),
    }
    selected = messages.order_by("pk").values_list(*columns.values())
    sql, parameters = selected.query.get_compiler(connection=connection).as_sql()
    quote = connection.ops.quote_name
    fields = {field.attname: str(field.column) for field in Message._meta.concrete_fields}
    names = ", ".join(quote(fields[column]) for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {quote(Message._meta.db_table)} ({names}) {sql}", parameters)

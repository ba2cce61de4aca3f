"""A recipient to try a text on: one of the campaign's own, or values made up from the names of the variables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from django.db.models import QuerySet

from django_hyber.models import Campaign, Message
from django_hyber.texts.variables import complete_variables

#: How many recipients are read for the names of the columns: an import gives the same ones to all of its rows.
LOOKED_AT = 100


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Whose values a preview shows. ``pk`` is that of the message, None for values that are made up."""

    pk: int | None = None
    phone_number: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    has_previous: bool = False
    has_next: bool = False


MADE_UP = Sample()


def find_sample(campaign: Campaign, pk: int | None = None, step: int = 0) -> Sample:
    """Return the recipient with this primary key, or its neighbour before (-1) or after (1); without a key the first.

    The order is that of the phone numbers, for which the database has an index of each campaign. Without recipients
    the values are made up.
    """
    if not campaign.pk:
        return MADE_UP
    recipients = _recipients(campaign)
    asked = recipients.filter(pk=pk).first() if pk else None
    if asked is None:
        return _first(recipients)
    before, after = _before(recipients, asked), _after(recipients, asked)
    if step < 0 and before:
        return _as_sample(before, has_previous=_before(recipients, before) is not None, has_next=True)
    if step > 0 and after:
        return _as_sample(after, has_previous=True, has_next=_after(recipients, after) is not None)
    return _as_sample(asked, has_previous=before is not None, has_next=after is not None)


def known_columns(campaign: Campaign) -> list[str]:
    """Return the names of the variables that the recipients have, as far as a look at some of them tells."""
    if not campaign.pk:
        return []
    recipients = _recipients(campaign)
    rows: list[Mapping[str, str]] = []
    for some in (recipients, recipients.reverse()):
        rows += some.values_list("variables", flat=True)[:LOOKED_AT]
    return list(dict.fromkeys(name for row in rows for name in row))


def fill_in(campaign: Campaign, used: Collection[str], sample: Sample) -> dict[str, str] | None:
    """Return what the variables in use are filled with, or None if this recipient will be left out.

    Nothing is made up for a real recipient: a value that is missing is missing in the preview as well.
    """
    if sample.pk is not None:
        return complete_variables(campaign, used, sample.variables)
    used = list(used)
    made_up = {name: made_up_value(name) for name in used}
    return made_up | (complete_variables(campaign, used, {}) or {})


def made_up_value(name: str) -> str:
    """Return a value to look at for a variable: its own name, as a word."""
    return name.replace("_", " ").strip().capitalize() or name


def _recipients(campaign: Campaign) -> QuerySet[Message]:
    return campaign.messages.not_purged().order_by("phone_number")


def _first(recipients: QuerySet[Message]) -> Sample:
    rows = list(recipients[:2])
    return _as_sample(rows[0], has_previous=False, has_next=len(rows) > 1) if rows else MADE_UP


def _as_sample(message: Message, *, has_previous: bool, has_next: bool) -> Sample:
    return Sample(
        pk=message.pk,
        phone_number=message.phone_number or "",
        variables=message.variables,
        has_previous=has_previous,
        has_next=has_next,
    )


def _before(recipients: QuerySet[Message], message: Message) -> Message | None:
    return recipients.filter(phone_number__lt=message.phone_number).last()


def _after(recipients: QuerySet[Message], message: Message) -> Message | None:
    return recipients.filter(phone_number__gt=message.phone_number).first()

"""Sample recipients for previews: one of the campaign's own, or made-up values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from django.db.models import QuerySet

from django_hyber.models import Campaign, Message
from django_hyber.texts.check import complete_variables

#: How many recipients are read for the names of the columns: all rows of an import have the same ones.
SAMPLED = 100


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The recipient of a preview. ``pk`` is that of the message, None for made-up values."""

    pk: int | None = None
    phone_number: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    has_previous: bool = False
    has_next: bool = False


MADE_UP = Sample()


def find_sample(campaign: Campaign, pk: int | None = None, step: int = 0) -> Sample:
    """Return the recipient with this primary key, or its neighbour before (-1) or after (1); without a key the first.

    Recipients are ordered by phone number, for which there is an index. Without recipients the values are made up.
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
    """Return the names of the recipients' variables, read from the first and the last of them."""
    if not campaign.pk:
        return []
    recipients = _recipients(campaign)
    rows: list[Mapping[str, str]] = []
    for some in (recipients, recipients.reverse()):
        rows += some.values_list("variables", flat=True)[:SAMPLED]
    return list(dict.fromkeys(name for row in rows for name in row))


def fill_in(campaign: Campaign, used: Collection[str], sample: Sample) -> dict[str, str] | None:
    """Return the values of the variables in use, or None if this recipient is skipped.

    For a real recipient nothing is made up: missing values are missing in the preview too.
    """
    if sample.pk is not None:
        return complete_variables(campaign, used, sample.variables)
    used = list(used)
    made_up = {name: made_up_value(name) for name in used}
    return made_up | (complete_variables(campaign, used, {}) or {})


def made_up_value(name: str) -> str:
    """Return an example value for a variable: its own name, as a word."""
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

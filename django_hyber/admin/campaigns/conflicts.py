"""Two people, or two tabs, edit the same campaign: the later save replaces the earlier one only after showing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.forms import BaseFormSet, BoundField
from django.utils.formats import localize
from django.utils.translation import gettext as _

from django_hyber.admin.common.times import short_time
from django_hyber.models import Campaign
from django_hyber.words import CHANNEL_NAMES, label_of


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A field whose saved value is not that of the form."""

    label: str
    saved: str
    yours: str


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """A campaign was saved after its form had been opened. ``user`` is "" if it was not saved in the admin."""

    user: str
    saved_at: datetime | None
    differences: list[Difference]


def version_of(campaign: Campaign, fields: Sequence[str]) -> str:
    """Return a fingerprint of what the form edits, no matter what changed it: a form, a command or code."""
    if campaign._state.adding:
        return ""
    channels = [[row.pk, row.channel, row.position, row.options] for row in campaign.channels.all()]
    values = [campaign.serializable_value(name) for name in fields]
    return hashlib.sha256(json.dumps([values, channels], default=str, sort_keys=True).encode()).hexdigest()[:32]


def describe_conflict(campaign: Campaign, form: Any, formsets: list[BaseFormSet[Any]]) -> Conflict:
    """Return who has saved the campaign, and what differs between the saved campaign and the form."""
    changes = LogEntry.objects.filter(content_type=get_content_type_for_model(campaign), object_id=str(campaign.pk))
    last = changes.select_related("user").order_by("-action_time").first()
    return Conflict(
        user=last.user.get_username() if last else "",
        saved_at=last.action_time if last else None,
        differences=[*_of_form(form), *(line for formset in formsets for line in _of_channels(formset))],
    )


def _of_form(form: Any) -> Iterator[Difference]:
    for bound in form.visible_fields():
        if bound.name in form.changed_data:
            yield _difference(str(bound.label), bound)


def _of_channels(formset: Any) -> Iterator[Difference]:
    for channel in formset.unseen:
        yield Difference(label=str(channel), saved=_("added"), yours=_("not on your page, and stays"))
    for number, form in enumerate(formset.forms):
        if not form.has_changed():
            continue
        if number in formset.lost:
            kind = CHANNEL_NAMES.get(form["channel"].value(), _("channel"))
            yield Difference(label=str(kind), saved=_("deleted"), yours=_("added again"))
            continue
        channel = form.instance.get_channel_display() if form.instance.pk else _("new channel")
        for name in form.changed_data:
            if name in form.fields and not form[name].is_hidden:
                yield _difference(f"{channel}: {label_of(name) or form[name].label}", form[name])


def _difference(label: str, bound: BoundField) -> Difference:
    return Difference(label=label, saved=_shown(bound, bound.initial), yours=_shown(bound, bound.value()))


def _shown(bound: BoundField, value: Any) -> str:
    """Return a value as the page shows it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return short_time(value)
    if isinstance(value, list):
        return " ".join(str(part) for part in value if part)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {text}" for name, text in sorted(value.items()))
    choices = dict(getattr(bound.field, "choices", ()))
    return str(choices.get(value, localize(value)))

"""Two people, or two tabs, edit the same texts: the later save replaces the earlier one only after showing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import transaction
from django.db.models import Model
from django.forms import BaseFormSet, BoundField
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.translation import gettext as _

from django_hyber.admin.common.saved import FormKeyField, MarkField
from django_hyber.admin.common.times import short_time
from django_hyber.words import CHANNEL_NAMES


@dataclass(frozen=True, kw_only=True)
class ChangedField:
    """A field whose saved value is not that of the form."""

    label: str
    saved: str
    yours: str


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """What the form edits was saved after it had been opened. ``user`` is "" if it was not saved in the admin."""

    user: str
    saved_at: datetime | None
    differences: list[ChangedField]


class GuardedForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """A form with inline channels that does not replace what somebody else has saved since the page was opened."""

    #: The fingerprint of what the page showed when it was opened.
    seen_version = MarkField(required=False)
    form_key = FormKeyField()

    #: The fields that the fingerprint covers, besides the channels.
    guarded_fields: Sequence[str] = ()
    overtaken_text: Any = ""
    #: Somebody else has saved since the page was opened.
    is_overtaken = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen_version"] = version_of(self.instance, self.guarded_fields)
        # The address of the page gives none.
        self.initial.pop("form_key", None)

    def clean(self) -> dict[str, Any]:
        """Refuse to replace what somebody else has saved since. The next attempt has seen it."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        seen, current = cleaned.get("seen_version"), self.initial["seen_version"]
        # A program may post the form without it.
        if seen and seen != current:
            self.is_overtaken = True
            self.data = dict(self.data.items()) | {self.add_prefix("seen_version"): current}
            self.add_error(None, ValidationError(self.overtaken_text, code="overtaken"))
        return cleaned


def version_of(edited: Any, fields: Sequence[str]) -> str:
    """Return a fingerprint of what the form edits, no matter what changed it: a form, a command or code."""
    if edited._state.adding:
        return ""
    channels = [[row.pk, row.channel, row.position, row.options] for row in edited.channels.all()]
    values = [edited.serializable_value(name) for name in fields]
    return hashlib.sha256(json.dumps([values, channels], default=str, sort_keys=True).encode()).hexdigest()[:32]


def lock_posted(request: HttpRequest, edited: Model) -> bool:
    """Lock what is being saved: the form must not undo what happens to it at the same moment.

    Returns False if it was deleted at the same moment.
    """
    if request.method == "POST" and transaction.get_connection(edited._state.db).in_atomic_block:
        try:
            edited.refresh_from_db(from_queryset=type(edited)._default_manager.select_for_update())
        except ObjectDoesNotExist:
            return False
    return True


def add_conflict(context: dict[str, Any], edited: Model) -> None:
    """Show on a refused form what somebody else has saved."""
    form = context["adminform"].form
    if getattr(form, "is_overtaken", False):
        formsets = [inline.formset for inline in context["inline_admin_formsets"]]
        context["conflict"] = _describe(edited, form, formsets)


def _describe(edited: Model, form: Any, formsets: list[BaseFormSet[Any]]) -> Conflict:
    changes = LogEntry.objects.filter(content_type=get_content_type_for_model(edited), object_id=str(edited.pk))
    last = changes.select_related("user").order_by("-action_time").first()
    return Conflict(
        user=last.user.get_username() if last else "",
        saved_at=last.action_time if last else None,
        differences=[*_of_form(form), *(line for formset in formsets for line in _of_channels(formset))],
    )


def _of_form(form: Any) -> Iterator[ChangedField]:
    for bound in form.visible_fields():
        if bound.name in form.changed_data:
            yield _difference(str(bound.label), bound)


def _of_channels(formset: Any) -> Iterator[ChangedField]:
    for channel in formset.unseen:
        yield ChangedField(label=str(channel), saved=_("added"), yours=_("not on your page, and stays"))
    for number, form in enumerate(formset.forms):
        if not form.has_changed():
            continue
        if number in formset.lost:
            kind = CHANNEL_NAMES.get(form["channel"].value(), _("channel"))
            yield ChangedField(label=str(kind), saved=_("deleted"), yours=_("added again"))
            continue
        channel = form.instance.get_channel_display() if form.instance.pk else _("new channel")
        for name in form.changed_data:
            if name in form.fields and not form[name].is_hidden:
                yield _difference(f"{channel}: {form[name].label}", form[name])


def _difference(label: str, bound: BoundField) -> ChangedField:
    return ChangedField(label=label, saved=_shown(bound, bound.initial), yours=_shown(bound, bound.value()))


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

"""A form that comes too late, after the launch: nothing is saved, and the typed texts are shown once."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.forms import BooleanField
from django.forms.formsets import DEFAULT_MAX_NUM, TOTAL_FORM_COUNT, ManagementForm
from django.http import HttpResponse, QueryDict
from django.utils.translation import gettext as _

from django_hyber.admin.channels.fields import option_fields
from django_hyber.admin.channels.rows import Row, split_rows
from django_hyber.admin.common.desk import CampaignDesk
from django_hyber.models import Campaign
from django_hyber.texts.rules import channel_rules
from django_hyber.words import CHANNEL_NAMES, label_of

CHANNELS, DEFAULTS = "channels", "variable_defaults-"


def refuse_late_form(desk: CampaignDesk) -> HttpResponse:
    """Say that nothing was saved, and show what would be lost, to be copied."""
    text = _("“%(name)s” was launched in the meantime. Your changes were not saved.")
    desk.message_user(text % {"name": desk.campaign}, messages.ERROR)
    typed = list(_typed_texts(desk.request.POST, desk.campaign))
    return desk.render("campaign/unsaved", _("Your texts"), typed=typed) if typed else desk.redirect()


def _typed_texts(data: QueryDict, campaign: Campaign) -> Iterator[tuple[str, str]]:
    """Yield the label and the text of what was typed and is not what is stored."""
    if (name := data.get("name", "")) and name != campaign.name:
        yield _("Name"), name
    management = ManagementForm(data, prefix=CHANNELS)
    management.full_clean()
    total = min(management.cleaned_data[TOTAL_FORM_COUNT] or 0, DEFAULT_MAX_NUM)
    stored = {channel.channel: channel for channel in campaign.channels.all()}
    kinds = {str(channel.pk): kind for kind, channel in stored.items()}
    for row in (Row(fields=fields) for fields in split_rows(data, CHANNELS, total)):
        kind = row.last("channel") or kinds.get(row.last("id"), "")
        if kind in CHANNEL_NAMES and not row.is_removed:
            yield from _of_channel(row, kind, stored[kind].options if kind in stored else {})
    for key, posted in data.items():
        variable, text = key.removeprefix(DEFAULTS), str(posted)
        if variable != key and text and text != campaign.variable_defaults.get(variable):
            yield ": ".join([_("Default texts"), variable]), text


def _of_channel(row: Row, kind: str, options: dict[str, object]) -> Iterator[tuple[str, str]]:
    fields = option_fields()
    for rule in channel_rules(kind):
        text = row.last(rule.name).replace("\r\n", "\n")
        is_text = text and not isinstance(fields[rule.name], BooleanField)
        if is_text and text != str(options.get(rule.name, "")):
            yield f"{CHANNEL_NAMES[kind]}: {label_of(rule.name)}", text

"""Duplicating a campaign in the admin: a form for the name and the recipients of the copy."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_hyber.admin.common.desk import CampaignDesk
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.saved import FormKeyField
from django_hyber.campaigns.copy import CopyAudience, CopyAudiences, copy_once, count_audiences, name_of_copy


class DuplicateForm(forms.Form):
    """The name and the recipients of the copy."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, widget=AdminTextInputWidget())
    audience = forms.ChoiceField(label=gettext_lazy("Recipients"), widget=forms.RadioSelect())
    form_key = FormKeyField()

    def __init__(self, *args: Any, counted: CopyAudiences, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["audience"].choices = audience_choices(counted)  # type: ignore[attr-defined]


def audience_choices(counted: CopyAudiences) -> list[tuple[str, str]]:
    """Return the groups of recipients that can be copied, with their sizes."""
    texts = {
        CopyAudience.NOBODY: _("none: only the texts and settings"),
        CopyAudience.EVERYBODY: _("all"),
        CopyAudience.FAILED: _("only those whose message failed"),
        CopyAudience.NOT_SEEN: _("only those who have not seen it"),
    }
    choices = []
    for audience, text in texts.items():
        size = counted.sizes[audience]
        if audience is CopyAudience.NOBODY:
            choices.append((str(audience), text))
        elif size:
            people = ngettext("%(count)s recipient", "%(count)s recipients", size) % {"count": grouped(size)}
            if audience is CopyAudience.NOT_SEEN and counted.unknown:
                people = f"{people}; {_unknown_text(counted.unknown)}"
            choices.append((str(audience), f"{text} ({people})"))
    return choices


def _unknown_text(people: int) -> str:
    text = ngettext(
        "%(count)s of them got it by a channel that does not report whether it was seen",
        "%(count)s of them got it by channels that do not report whether it was seen",
        people,
    )
    return text % {"count": grouped(people)}


def copy_view(desk: CampaignDesk) -> HttpResponseBase:
    """Ask for a name and the recipients; on POST, make the copy."""
    campaign = desk.campaign
    initial = {"name": name_of_copy(campaign), "audience": str(CopyAudience.NOBODY)}
    form = DuplicateForm(desk.request.POST or None, initial=initial, counted=count_audiences(campaign))
    if desk.is_post and form.is_valid():
        return _copy(desk, form.cleaned_data)
    return desk.render("campaign/copy", _("Duplicate campaign"), form=form)


def _copy(desk: CampaignDesk, cleaned: dict[str, Any]) -> HttpResponseBase:
    campaign = desk.campaign
    copy, is_new = copy_once(
        campaign,
        name=cleaned["name"],
        audience=CopyAudience(cleaned["audience"]),
        user=desk.request.user,
        form_key=cleaned["form_key"],
    )
    if is_new:
        desk.admin.log_addition(desk.request, copy, _("Duplicated from “%(name)s”.") % {"name": campaign})
        desk.log_change(_("Duplicated as “%(name)s”.") % {"name": copy})
        desk.message_user(_("This is the copy of “%(name)s”.") % {"name": campaign}, messages.SUCCESS)
    else:
        text = _("“%(name)s” has already been duplicated: this is the copy.")
        desk.message_user(text % {"name": campaign}, messages.INFO)
    return desk.of(copy).redirect()

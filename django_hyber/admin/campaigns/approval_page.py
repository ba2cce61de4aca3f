"""The pages on which approval is asked for and a campaign is sent back, and what its other pages say of it.

Approval is given on the page before the launch.
"""

from __future__ import annotations

from typing import NamedTuple

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_hyber.admin.common.desk import CampaignDesk
from django_hyber.admin.common.times import short_time
from django_hyber.campaigns.approval import (
    ask_for_approval,
    is_changed_since_request,
    may_answer,
    may_ask,
    refusal,
    send_back,
)
from django_hyber.models import Campaign
from django_hyber.policies.four_eyes import is_four_eyes
from django_hyber.privacy import mask_phones_in
from django_hyber.services import CampaignError

LONGEST_NOTE = 500
Approval = Campaign.Approval


class ApprovalState(NamedTuple):
    """What a page of the campaign says about its approval; ``can_ask`` and ``can_answer`` are for this user.

    ``is_changed`` is for a campaign that is no longer as it was when approval was requested.
    """

    name: str
    text: str
    note: str
    is_changed: bool
    can_ask: bool
    can_answer: bool


class NoteForm(forms.Form):
    """A note for the other person."""

    note = forms.CharField(
        label=gettext_lazy("Note"), max_length=LONGEST_NOTE, widget=forms.Textarea(attrs={"rows": 4, "cols": 60})
    )

    def __init__(self, desk: CampaignDesk, *, is_required: bool) -> None:
        super().__init__(desk.request.POST if desk.is_post else None)
        self.fields["note"].required = is_required

    def clean_note(self) -> str:
        """Return the note on one line, as it is shown."""
        return " ".join(str(self.cleaned_data["note"]).split())


class LaunchNoteForm(NoteForm):
    """The note of the person who gives the approval, on the page before the launch."""

    def __init__(self, desk: CampaignDesk) -> None:
        super().__init__(desk, is_required=False)
        self.fields["note"].help_text = _("Optional. It is shown on the page of the campaign.")
        self.fields["note"].widget.attrs |= {"form": "hyber-launch", "rows": 2}


def approval_state(desk: CampaignDesk) -> ApprovalState | None:
    """Return what to show of the approval, or None for a draft that needs none."""
    campaign, user = desk.campaign, desk.request.user
    if campaign.is_editable and not is_four_eyes(campaign):
        return None
    texts = {
        Approval.ASKED: _("%(user)s requested approval (%(time)s)."),
        Approval.GIVEN: _("%(user)s approved the campaign (%(time)s)."),
        Approval.SENT_BACK: _("%(user)s sent the campaign back (%(time)s)."),
    }
    text = ""
    if campaign.approval:
        known = {"user": campaign.approval_by, "time": short_time(campaign.approval_at)}
        text = texts[Approval(campaign.approval)] % known
    note = campaign.approval_note
    return ApprovalState(
        name=campaign.approval,
        text=text,
        note=note if desk.sees_personal_data else mask_phones_in(note),
        is_changed=is_changed_since_request(campaign),
        can_ask=desk.may_write and may_ask(campaign, user),
        can_answer=desk.may_send and may_answer(campaign, user),
    )


def ask_page(desk: CampaignDesk) -> HttpResponseBase:
    """Ask for a note; on POST, ask for approval."""
    state = approval_state(desk)
    if state is None or not state.can_ask:
        return _not_possible(desk)
    form = NoteForm(desk, is_required=False)
    if not form.is_valid():
        intro = _(
            "The campaign is shown on the start page of everyone who may send campaigns and has not worked on this one."
        )
        return _page(desk, form, state, title=_("Request approval"), intro=intro)
    note = form.cleaned_data["note"]
    try:
        is_new = ask_for_approval(desk.campaign, desk.request.user, note)
    except CampaignError as error:
        desk.message_user(" ".join(error.messages), messages.ERROR)
        return desk.redirect()
    if is_new:
        desk.log_change(" ".join(filter(None, [_("Requested approval."), note])))
        text, level = _("Approval of “%(name)s” has been requested."), messages.SUCCESS
    else:
        text, level = _("You have already requested approval of “%(name)s”. Nothing has changed since."), messages.INFO
    desk.message_user(text % {"name": desk.campaign}, level)
    return desk.redirect()


def send_back_page(desk: CampaignDesk) -> HttpResponseBase:
    """Ask for a note; on POST, send the campaign back to those who have worked on it."""
    state = approval_state(desk)
    if state is None or not state.can_answer:
        return _not_possible(desk)
    form = NoteForm(desk, is_required=True)
    if not form.is_valid():
        intro = _("The campaign stays a draft. The note is shown on its page.")
        return _page(desk, form, state, title=_("Send back"), intro=intro)
    note = form.cleaned_data["note"]
    try:
        send_back(desk.campaign, desk.request.user, note)
    except CampaignError as error:
        desk.message_user(" ".join(error.messages), messages.ERROR)
        return desk.redirect()
    desk.log_change(" ".join([_("Sent back."), note]))
    desk.message_user(_("“%(name)s” has been sent back.") % {"name": desk.campaign}, messages.SUCCESS)
    return desk.redirect()


def _page(desk: CampaignDesk, form: NoteForm, state: ApprovalState, *, title: str, intro: str) -> HttpResponseBase:
    return desk.render("campaign/approval", title, form=form, approval=state, intro=intro, button=title)


def _not_possible(desk: CampaignDesk) -> HttpResponseBase:
    desk.message_user(" ".join(refusal(desk.campaign).messages), messages.ERROR)
    return desk.redirect()

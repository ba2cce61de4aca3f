"""The page before the launch: it shows what would be sent to whom and when, and launches exactly that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.campaigns.approval_page import LaunchNoteForm, approval_state
from django_hyber.admin.campaigns.preflight_facts import button_of, preflight_facts
from django_hyber.admin.channels.composer import asked_sample
from django_hyber.admin.channels.inline import described_options
from django_hyber.admin.common.desk import CampaignDesk, Desk, back_to_button
from django_hyber.admin.common.paginators import grouped
from django_hyber.campaigns.launch import launch, parse_confirmation
from django_hyber.campaigns.preflight_jobs import check_of, checks_of, request_check
from django_hyber.errors import was_deleted
from django_hyber.models import Campaign
from django_hyber.services import CampaignError
from django_hyber.texts.composition import compose_saved
from django_hyber.words.reasons import masked_reason

CONFIRMED = "post"
#: The name of the input that holds the confirmation of a campaign.
CONFIRMATION = "preflight-{pk}"


def preflight_page(desk: CampaignDesk) -> HttpResponseBase:
    """Return the page on which the launch is confirmed; on POST, launch."""
    campaign, note = desk.campaign, LaunchNoteForm(desk)
    if desk.is_post and note.is_valid() and (_start(desk, note.cleaned_data["note"]) or not campaign.is_editable):
        return desk.redirect()
    if not campaign.is_editable:
        return _already_started(desk)
    sample = asked_sample(desk.request, campaign)
    return desk.render(
        "campaign/preflight/page",
        _("Send campaign"),
        **_page_context(desk, note),
        sample=sample,
        composed=compose_saved(campaign, sample),
        channels=[(str(channel), described_options(channel)) for channel in campaign.channels.all()],
    )


def preflight_part(desk: CampaignDesk) -> HttpResponseBase:
    """Return the part of the page that changes while a campaign is checked; the page polls it."""
    return desk.part("campaign/preflight/part", **_page_context(desk, LaunchNoteForm(desk)))


def _page_context(desk: CampaignDesk, form: LaunchNoteForm) -> dict[str, Any]:
    facts = preflight_facts(desk, check_of(desk.campaign))
    return {"facts": facts, "approval": approval_state(desk), "form": form}


def check_view(desk: CampaignDesk) -> HttpResponseBase:
    """Request a check in the background, and return to the page."""
    if not desk.is_post:
        return back_to_button(desk, desk.url("preflight"))
    if not desk.campaign.is_editable:
        return _already_started(desk)
    if request_check(desk.campaign, desk.request.user):
        desk.log_change(_("Requested a check before the launch."))
    return desk.redirect("preflight")


def confirm_selected(desk: Desk, campaigns: Iterable[Campaign]) -> HttpResponseBase:
    """Return the page on which the launch of several campaigns is confirmed; a single one has its own page."""
    chosen = list(campaigns)
    if len(chosen) == 1:
        return desk.of(chosen[0]).redirect("preflight")
    every = [preflight_facts(desk.of(campaign), check) for campaign, check in checks_of(chosen)]
    ready = [facts for facts in every if facts.confirmation]
    return desk.render(
        "campaign/preflight/selected",
        _("Send campaigns"),
        campaigns=every,
        ready=ready,
        button=button_of(ready),
        action_checkbox_name=helpers.ACTION_CHECKBOX_NAME,
    )


def start_selected(desk: Desk, campaigns: QuerySet[Campaign]) -> None:
    """Start each campaign separately and report each result."""
    for campaign in campaigns.order_by("pk"):
        try:
            _start(desk.of(campaign))
        except Campaign.DoesNotExist:
            desk.message_user(" ".join(was_deleted(campaign.name).messages), messages.ERROR)


def _start(desk: CampaignDesk, note: str = "") -> bool:
    """Start a campaign, log that, and report the result."""
    campaign, user = desk.campaign, desk.request.user
    confirmed = parse_confirmation(desk.request.POST.get(CONFIRMATION.format(pk=campaign.pk), ""))
    try:
        people = launch(campaign, user=user, confirmed=confirmed, note=note)
    except CampaignError as error:
        if not campaign.is_editable:
            _already_started(desk)
            return False
        params = {"name": campaign, "reasons": " ".join(error.messages)}
        desk.message_user(_("“%(name)s” was not sent. %(reasons)s") % params, messages.ERROR)
        return False
    if campaign.status == Campaign.Status.SCHEDULED:
        text = ngettext("Scheduled for %(count)s person.", "Scheduled for %(count)s people.", people)
    else:
        text = ngettext("Sending to %(count)s person started.", "Sending to %(count)s people started.", people)
    text %= {"count": grouped(people)}
    given = [_("Approved."), campaign.approval_note] if campaign.approval == Campaign.Approval.GIVEN else []
    desk.log_change(" ".join(filter(None, [text, *given])))
    desk.message_user(f"{campaign}: {text}", messages.SUCCESS)
    if campaign.status == Campaign.Status.PAUSED:
        stopped = _("“%(name)s” has been stopped: %(reason)s")
        reason = masked_reason(campaign.status_reason)
        desk.message_user(stopped % {"name": campaign, "reason": reason}, messages.WARNING)
    return True


def _already_started(desk: CampaignDesk) -> HttpResponseBase:
    if desk.campaign.status == Campaign.Status.SCHEDULED:
        text = _("“%(name)s” is already scheduled.") % {"name": desk.campaign}
    else:
        text = _("“%(name)s” has already been launched. Status: %(status)s.")
        text %= {"name": desk.campaign, "status": desk.campaign.get_status_display()}
    desk.message_user(text)
    return desk.redirect()

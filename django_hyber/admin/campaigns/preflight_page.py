"""Sending from the admin: a page that says what would go out to whom and when, and the launch of what it has said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.contrib.admin import helpers
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.campaigns.actions import page, to_campaign
from django_hyber.admin.campaigns.preflight_facts import plan_of
from django_hyber.admin.campaigns.preflight_texts import button_text
from django_hyber.admin.channels.composer import asked_sample
from django_hyber.admin.channels.inline import described_options
from django_hyber.admin.common.paginators import grouped
from django_hyber.campaigns.launch import launch, parse_confirmation
from django_hyber.campaigns.preflight_jobs import check_of, checks_of, request_check
from django_hyber.models import Campaign
from django_hyber.services import CampaignError
from django_hyber.texts.composition import compose
from django_hyber.texts.samples import known_columns

CONFIRMED = "post"
#: The name of the input in which a page has put what it has shown of a campaign.
PLAN = "plan-{pk}"


def send_page(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
    """Return the page on which sending a campaign is confirmed."""
    if not campaign.is_editable:
        model_admin.message_user(request, _already_started(campaign), messages.INFO)
        return to_campaign(campaign)
    sample = asked_sample(request, campaign)
    channels = list(campaign.channels.all())
    contents = [(channel.channel, channel.options) for channel in channels]
    context = {
        "title": _("Send campaign"),
        "plan": plan_of(model_admin, request, campaign, check_of(campaign)),
        "sample": sample,
        "composed": compose(campaign, contents, sample, known_columns(campaign)),
        "channels": [(str(channel), described_options(channel)) for channel in channels],
    }
    return page(model_admin, request, campaign, "preflight/page", context)


def plan_part(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
    """Return the part of the page that changes while a campaign is checked; the page asks for it again and again."""
    context = {"original": campaign, "plan": plan_of(model_admin, request, campaign, check_of(campaign))}
    response = TemplateResponse(request, "admin/django_hyber/campaign/preflight/part.html", context)
    patch_cache_control(response, no_store=True)
    return response


def check(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
    """Ask for a check in the background, and go back to the page that shows it."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not campaign.is_editable:
        model_admin.message_user(request, _already_started(campaign), messages.INFO)
        return to_campaign(campaign)
    if request_check(campaign, request.user):
        model_admin.log_change(request, campaign, _("Asked for a check before the launch."))
    return _to_send_page(campaign)


def send(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
    """Start a campaign, and go to where it can be followed, or else to what stands in the way now."""
    is_sent = _send(model_admin, request, campaign)
    return to_campaign(campaign) if is_sent or not campaign.is_editable else _to_send_page(campaign)


def confirm_selected(model_admin: Any, request: HttpRequest, campaigns: Iterable[Campaign]) -> HttpResponseBase:
    """Return the page on which sending several campaigns is confirmed; one alone has a page of its own."""
    chosen = list(campaigns)
    if len(chosen) == 1:
        return _to_send_page(chosen[0])
    plans = [plan_of(model_admin, request, campaign, found) for campaign, found in checks_of(chosen)]
    ready = [plan for plan in plans if plan.confirmation]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Send campaigns"),
        "opts": model_admin.opts,
        "media": model_admin.media,
        "plans": plans,
        "ready": ready,
        "button": button_text(sum(plan.people for plan in ready), is_later=False),
        "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/django_hyber/campaign/preflight/selected.html", context)


def send_all(model_admin: Any, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
    """Start each campaign on its own and tell of each what came of it."""
    for campaign in campaigns.order_by("pk"):
        _send(model_admin, request, campaign)


def _send(model_admin: Any, request: HttpRequest, campaign: Campaign) -> bool:
    """Start a campaign, write it into the admin's log, and tell the user what came of it."""
    confirmed = parse_confirmation(request.POST.get(PLAN.format(pk=campaign.pk), ""))
    try:
        people = launch(campaign, user=request.user, confirmed=confirmed)  # type: ignore[arg-type]  # nobody else gets in here
    except CampaignError as error:
        _tell_refusal(model_admin, request, campaign, error)
        return False
    text = _done_text(campaign, people)
    model_admin.log_change(request, campaign, text)
    model_admin.message_user(request, f"{campaign}: {text}", messages.SUCCESS)
    if campaign.status == Campaign.Status.PAUSED:
        stopped = _("“%(name)s” has been stopped: %(reason)s")
        params = {"name": campaign, "reason": campaign.status_reason}
        model_admin.message_user(request, stopped % params, messages.WARNING)
    return True


def _done_text(campaign: Campaign, people: int) -> str:
    if campaign.status == Campaign.Status.SCHEDULED:
        text = ngettext("Scheduled for %(count)s person.", "Scheduled for %(count)s people.", people)
    else:
        text = ngettext("Sending to %(count)s person started.", "Sending to %(count)s people started.", people)
    return text % {"count": grouped(people)}


def _tell_refusal(model_admin: Any, request: HttpRequest, campaign: Campaign, error: ValidationError) -> None:
    if not campaign.is_editable:
        model_admin.message_user(request, _already_started(campaign), messages.INFO)
        return
    params = {"name": campaign, "reasons": " ".join(error.messages)}
    model_admin.message_user(request, _("“%(name)s” was not sent. %(reasons)s") % params, messages.ERROR)


def _already_started(campaign: Campaign) -> str:
    text = _("“%(name)s” has already been started: it is %(status)s.")
    return text % {"name": campaign, "status": campaign.get_status_display()}


def _to_send_page(campaign: Campaign) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:django_hyber_campaign_send", args=[campaign.pk]))

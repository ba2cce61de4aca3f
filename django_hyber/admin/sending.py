"""Sending from the admin: a page that says what will go out to how many people, and the launch itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import helpers
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.channels import described_options
from django_hyber.models import Campaign, Suppression
from django_hyber.services import CampaignError, check_campaign, start_campaign

CONFIRMED = "post"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A campaign as it would go out. ``people`` are those who have not opted out."""

    campaign: Campaign
    people: int
    opted_out: int
    channels: list[tuple[str, list[tuple[str, Any]]]]
    problems: list[str]


def confirmation(
    model_admin: Any, request: HttpRequest, campaigns: Iterable[Campaign], action: str = ""
) -> TemplateResponse:
    """Return the page on which sending is confirmed; ``action`` is the list's action that it goes back to."""
    plans = [plan_of(campaign) for campaign in campaigns]
    ready = [plan for plan in plans if not plan.problems]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Send campaigns") if action else _("Send campaign"),
        "opts": model_admin.opts,
        "media": model_admin.media,
        "plans": plans,
        "ready": ready,
        "people": sum(plan.people for plan in ready),
        "action": action,
        "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
        "original": None if action else plans[0].campaign,
    }
    return TemplateResponse(request, "admin/django_hyber/campaign/send.html", context)


def plan_of(campaign: Campaign) -> Plan:
    """Look at a campaign as the platform and the recipients would get it."""
    total = campaign.messages.count()
    opted_out = campaign.messages.filter(phone_number__in=Suppression.objects.values("phone_number")).count()
    return Plan(
        campaign=campaign,
        people=total - opted_out,
        opted_out=opted_out,
        channels=[(str(channel), described_options(channel)) for channel in campaign.channels.all()],
        problems=[text for problem in check_campaign(campaign) for text in problem.messages],
    )


def send_all(model_admin: Any, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
    """Start each campaign on its own and tell of each what came of it."""
    for campaign in campaigns.order_by("pk"):
        send(model_admin, request, campaign)


def send(model_admin: Any, request: HttpRequest, campaign: Campaign) -> None:
    """Start a campaign, write it into the admin's log, and tell the user what came of it."""
    people = campaign.messages.count()
    try:
        start_campaign(campaign)
    except CampaignError as error:
        model_admin.message_user(request, _refusal(campaign, error), messages.ERROR)
        return
    text = ngettext("Sending to %(count)d recipient started.", "Sending to %(count)d recipients started.", people)
    model_admin.log_change(request, campaign, text % {"count": people})
    model_admin.message_user(request, f"{campaign}: {text % {'count': people}}", messages.SUCCESS)
    if campaign.status == Campaign.Status.PAUSED:
        stopped = _("“%(name)s” has been stopped: %(reason)s")
        params = {"name": campaign, "reason": campaign.status_reason}
        model_admin.message_user(request, stopped % params, messages.WARNING)


def _refusal(campaign: Campaign, error: ValidationError) -> str:
    params = {"name": campaign, "reasons": " ".join(error.messages)}
    return _("“%(name)s” was not sent. %(reasons)s") % params

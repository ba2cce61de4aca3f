"""The buttons of a campaign: each posts, is written into the admin's log, and does no harm when pressed twice."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_hyber.admin.common.paginators import grouped
from django_hyber.campaigns.lifecycle import Verb, is_possible, perform, wrong_status
from django_hyber.campaigns.test_send import is_testable
from django_hyber.models import Campaign
from django_hyber.services import CampaignError
from django_hyber.statistics.progress import CampaignNumbers, count_campaign

DONE = {
    Verb.PAUSE: gettext_lazy("“%(name)s” has been paused. What is on its way will still arrive."),
    Verb.RESUME: gettext_lazy("“%(name)s” goes on."),
    Verb.CANCEL: gettext_lazy("“%(name)s” has been cancelled. What is on its way will still arrive."),
    Verb.WITHDRAW: gettext_lazy("“%(name)s” is a draft again, and does not go out until it is sent anew."),
}
ALREADY = {
    Verb.PAUSE: gettext_lazy("“%(name)s” is already paused."),
    Verb.RESUME: gettext_lazy("“%(name)s” has already been resumed."),
    Verb.CANCEL: gettext_lazy("“%(name)s” is already cancelled."),
    Verb.WITHDRAW: gettext_lazy("“%(name)s” is already a draft."),
}
LOGGED = {
    Verb.PAUSE: gettext_lazy("Paused."),
    Verb.RESUME: gettext_lazy("Resumed."),
    Verb.CANCEL: gettext_lazy("Cancelled."),
    Verb.WITHDRAW: gettext_lazy("Made a draft again."),
}


LABELS = {
    Verb.PAUSE: gettext_lazy("Pause"),
    Verb.RESUME: gettext_lazy("Resume"),
    Verb.WITHDRAW: gettext_lazy("Back to draft"),
    Verb.CANCEL: gettext_lazy("Cancel campaign"),
}
#: The button leads to a page that asks.
CONFIRMED_FIRST = (Verb.CANCEL,)


class Button(NamedTuple):
    """A button of the campaign's page: it posts, or leads to the page on which it is confirmed."""

    name: str
    label: str
    url: str
    posts: bool


def buttons_of(model_admin: Any, request: HttpRequest, campaign: Campaign, numbers: CampaignNumbers) -> list[Button]:
    """Return what the user can do with the campaign now."""
    found = []
    if model_admin.has_send_permission(request):
        found += _sending_buttons(campaign, numbers)
    if model_admin.has_add_permission(request):
        found.append(_button(campaign, "duplicate", _("Duplicate")))
    if numbers.total and model_admin.has_export_permission(request):
        found.append(_button(campaign, "export", _("Export recipients")))
    return found


def _sending_buttons(campaign: Campaign, numbers: CampaignNumbers) -> list[Button]:
    found = [_button(campaign, "test", _("Send a test"))] if is_testable(campaign) else []
    found += [
        _button(campaign, verb, str(label), posts=verb not in CONFIRMED_FIRST)
        for verb, label in LABELS.items()
        if is_offered(campaign, verb)
    ]
    if is_possible(campaign, Verb.RETRY) and numbers.failed:
        found.append(_button(campaign, Verb.RETRY, _("Retry failed")))
    return found


def is_offered(campaign: Campaign, verb: Verb) -> bool:
    """Say whether the admin lets people tell the campaign this now: a draft is deleted and not cancelled."""
    return is_possible(campaign, verb) and not (campaign.is_editable and verb is Verb.CANCEL)


def _button(campaign: Campaign, name: str, label: str, *, posts: bool = False) -> Button:
    return Button(name, label, reverse(f"admin:django_hyber_campaign_{name}", args=[campaign.pk]), posts)


def steer_view(model_admin: Any, request: HttpRequest, campaign: Campaign, verb: Verb) -> HttpResponseBase:
    """Pause, resume or cancel, and say what came of it."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if campaign.is_editable and verb is Verb.CANCEL:
        return refuse(model_admin, request, campaign)
    try:
        changed = perform(campaign, verb)
    except CampaignError as error:
        model_admin.message_user(request, " ".join(error.messages), messages.ERROR)
        return to_campaign(campaign)
    name = {"name": campaign}
    if changed:
        model_admin.log_change(request, campaign, str(LOGGED[verb]))
        model_admin.message_user(request, DONE[verb] % name, messages.SUCCESS)
    else:
        model_admin.message_user(request, ALREADY[verb] % name, messages.INFO)
    return to_campaign(campaign)


def cancel_view(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
    """Ask whether the campaign is to be stopped for good; on POST, do it."""
    if request.method == "POST":
        return steer_view(model_admin, request, campaign, Verb.CANCEL)
    if not is_offered(campaign, Verb.CANCEL):
        return refuse(model_admin, request, campaign)
    numbers = count_campaign(campaign)
    waiting = ngettext(
        "%(count)s recipient has not been sent to yet, and never will be by this campaign.",
        "%(count)s recipients have not been sent to yet, and never will be by this campaign.",
        numbers.waiting,
    )
    sent = ngettext(
        "%(count)s message has left already and cannot be called back.",
        "%(count)s messages have left already and cannot be called back.",
        numbers.sent,
    )
    context = {
        "title": _("Cancel campaign"),
        "sentences": [
            waiting % {"count": grouped(numbers.waiting)},
            sent % {"count": grouped(numbers.sent)},
            _("A cancelled campaign cannot be resumed. To stop for a while only, pause it instead."),
        ],
        "button": _("Cancel the campaign for good"),
    }
    return page(model_admin, request, campaign, "confirm", context)


def refuse(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponseRedirect:
    """Say that the campaign's status does not allow this, and go back to its page."""
    model_admin.message_user(request, " ".join(wrong_status(campaign).messages), messages.ERROR)
    return to_campaign(campaign)


def page(
    model_admin: Any, request: HttpRequest, campaign: Campaign, template: str, context: dict[str, Any]
) -> TemplateResponse:
    """Return a page of its own about a campaign."""
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "media": model_admin.media,
        "original": campaign,
        **context,
    }
    return TemplateResponse(request, f"admin/django_hyber/campaign/{template}.html", context)


def to_campaign(campaign: Campaign) -> HttpResponseRedirect:
    """Go back to the campaign's page."""
    return HttpResponseRedirect(reverse("admin:django_hyber_campaign_change", args=[campaign.pk]))

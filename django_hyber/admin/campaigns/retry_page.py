"""Sending failed messages again from the admin: the reasons are chosen, then the number of people is confirmed."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.campaigns.actions import page, to_campaign
from django_hyber.admin.common.masking import sees_personal_data
from django_hyber.admin.common.paginators import grouped
from django_hyber.campaigns.lifecycle import Reason
from django_hyber.campaigns.retry import Retried, count_opted_out, messages_failed_for, retry_once
from django_hyber.models import Campaign, Message
from django_hyber.services import CampaignError
from django_hyber.statistics.failures import FailureReason, retryable_reasons

CONFIRMED = "confirmed"


class ReasonChoice(NamedTuple):
    """A reason with its checkbox."""

    key: str
    reason: FailureReason
    status: str
    is_chosen: bool


def retry_view(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
    """Ask which failures are to be sent again, then whether they really are; after that, do it."""
    if CONFIRMED in request.POST and _run(request) != campaign.run:
        _say_already(model_admin, request, campaign)
        return to_campaign(campaign)
    if campaign.status != Campaign.Status.FINISHED:
        text = _("Not possible now: the campaign is %(status)s.") % {"status": campaign.get_status_display()}
        model_admin.message_user(request, text, messages.ERROR)
        return to_campaign(campaign)
    reasons = retryable_reasons(campaign, masked=not sees_personal_data(request))
    chosen = [reason for reason in reasons if _key(reason) in request.POST.getlist("reason")]
    if request.method != "POST" or not chosen:
        return _choice_page(model_admin, request, campaign, reasons)
    if CONFIRMED not in request.POST:
        return _confirmation(model_admin, request, campaign, chosen)
    return _retry(model_admin, request, campaign, chosen)


def _say_already(model_admin: Any, request: HttpRequest, campaign: Campaign) -> None:
    model_admin.message_user(request, already_text(campaign), messages.INFO)


def already_text(campaign: Campaign) -> str:
    """Say that somebody was faster, which may have been the first of two clicks."""
    return _("The failed messages of “%(name)s” have already been taken up again.") % {"name": campaign}


def _choice_page(
    model_admin: Any, request: HttpRequest, campaign: Campaign, reasons: list[FailureReason]
) -> HttpResponseBase:
    is_empty_answer = request.method == "POST"
    lines = [ReasonChoice(_key(reason), reason, _label(reason), is_chosen=not is_empty_answer) for reason in reasons]
    context = {"title": _("Retry failed messages"), "reasons": lines, "nothing_chosen": is_empty_answer}
    return page(model_admin, request, campaign, "retry", context)


def _confirmation(
    model_admin: Any, request: HttpRequest, campaign: Campaign, chosen: list[FailureReason]
) -> HttpResponseBase:
    people, opted_out = _count(campaign, chosen)
    button = ngettext("Send again to %(count)s person", "Send again to %(count)s people", people)
    context = {
        "title": _("Retry failed messages"),
        "lines": [ReasonChoice(_key(reason), reason, _label(reason), is_chosen=True) for reason in chosen],
        "run": campaign.run,
        "people": people,
        "opted_out": opted_out,
        "button": button % {"count": grouped(people)},
    }
    return page(model_admin, request, campaign, "retry_confirm", context)


def _retry(model_admin: Any, request: HttpRequest, campaign: Campaign, chosen: list[FailureReason]) -> HttpResponseBase:
    people, _opted_out = _count(campaign, chosen)
    try:
        retried = retry_once(campaign, _pairs(chosen), run=_run(request), user=request.user)
    except CampaignError as error:
        model_admin.message_user(request, " ".join(error.messages), messages.ERROR)
        return to_campaign(campaign)
    if retried is Retried.ALREADY:
        _say_already(model_admin, request, campaign)
        return to_campaign(campaign)
    text = retried_text(people)
    model_admin.log_change(request, campaign, text)
    model_admin.message_user(request, text, messages.SUCCESS)
    return to_campaign(campaign)


def retried_text(people: int) -> str:
    """Say to how many people messages go out again."""
    text = ngettext(
        "%(count)s failed message is being sent again.", "%(count)s failed messages are being sent again.", people
    )
    return text % {"count": grouped(people)}


def _count(campaign: Campaign, chosen: list[FailureReason]) -> tuple[int, int]:
    """Count the people who get a message, and those who have opted out meanwhile."""
    failed = messages_failed_for(campaign, _pairs(chosen))
    opted_out = count_opted_out(failed)
    return failed.count() - opted_out, opted_out


def _pairs(reasons: list[FailureReason]) -> list[Reason]:
    return [(reason.status, reason.code) for reason in reasons]


def _key(reason: FailureReason) -> str:
    return f"{reason.status}:{'' if reason.code is None else reason.code}"


def _label(reason: FailureReason) -> str:
    return str(Message.Status(reason.status).label)


def _run(request: HttpRequest) -> int:
    given = request.POST.get("run", "")
    return int(given) if given.isdecimal() and given.isascii() else 0

"""Retrying failed messages in the admin: choose the reasons, then confirm the number of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.contrib import messages
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.campaigns.actions import refuse
from django_hyber.admin.campaigns.preflight_texts import skipped_text
from django_hyber.admin.common.desk import CampaignDesk
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.statistics.failure_lines import reason_text
from django_hyber.campaigns.lifecycle import Verb, is_possible
from django_hyber.campaigns.retry import Reason, Retried, Selected, messages_failed_for, retry_once, select_failed
from django_hyber.models import Campaign, Message
from django_hyber.services import CampaignError
from django_hyber.statistics.failures import FailureReason, retryable_reasons

CONFIRMED = "confirmed"


class ReasonChoice(NamedTuple):
    """A reason with its checkbox."""

    key: str
    reason: FailureReason
    text: str
    status: str
    is_chosen: bool


def retry_view(desk: CampaignDesk) -> HttpResponseBase:
    """Ask which failures to retry, then for confirmation; after that, retry."""
    campaign = desk.campaign
    if CONFIRMED in desk.request.POST and _run(desk) != campaign.run:
        desk.message_user(already_text(desk.campaign))
        return desk.redirect()
    if not is_possible(campaign, Verb.RETRY):
        return refuse(desk)
    reasons = retryable_reasons(campaign, masked=not desk.sees_personal_data)
    chosen = [reason for reason in reasons if _key(reason) in desk.request.POST.getlist("reason")]
    if not desk.is_post or not chosen:
        return _choice_page(desk, reasons)
    if CONFIRMED not in desk.request.POST:
        return _confirmation(desk, chosen)
    return _retry(desk, chosen)


def already_text(campaign: Campaign) -> str:
    """Say that the messages are already being retried, perhaps by the first of two clicks."""
    return _("The failed messages of “%(name)s” are already being retried.") % {"name": campaign}


def _choice_page(desk: CampaignDesk, reasons: list[FailureReason]) -> HttpResponseBase:
    is_empty_answer = desk.is_post
    lines = [_choice(reason, is_chosen=not is_empty_answer and not reason.is_permanent) for reason in reasons]
    title = _("Retry failed messages")
    return desk.render("campaign/retry", title, reasons=lines, nothing_chosen=is_empty_answer)


def _confirmation(desk: CampaignDesk, chosen: list[FailureReason]) -> HttpResponseBase:
    selected = _selected(desk.campaign, chosen)
    return desk.render(
        "campaign/retry_confirm",
        _("Retry failed messages"),
        lines=[_choice(reason, is_chosen=True) for reason in chosen],
        run=desk.campaign.run,
        skipped=skipped_texts(selected),
        button=retry_button(selected),
    )


def _retry(desk: CampaignDesk, chosen: list[FailureReason]) -> HttpResponseBase:
    people = sum(each.people for each in _selected(desk.campaign, chosen))
    try:
        retried = retry_once(desk.campaign, _pairs(chosen), run=_run(desk), user=desk.request.user)
    except CampaignError as error:
        desk.message_user(" ".join(error.messages), messages.ERROR)
        return desk.redirect()
    if retried is Retried.ALREADY:
        desk.message_user(already_text(desk.campaign))
        return desk.redirect()
    text = retried_text(people)
    desk.log_change(text)
    desk.message_user(text, messages.SUCCESS)
    return desk.redirect()


def retried_text(people: int) -> str:
    """Say how many messages are being sent again."""
    text = ngettext(
        "%(count)s failed message is being sent again.", "%(count)s failed messages are being sent again.", people
    )
    return text % {"count": grouped(people)}


def skipped_texts(selected: Sequence[Selected]) -> list[str]:
    """Say who gets nothing, and why."""
    texts = [skipped_text(group) for each in selected for group in each.skipped]
    if any(each.is_most for each in selected):
        texts.append(
            _(
                "These are too many to count the numbers that the account does not send to, and the people who have "
                "reached the frequency cap: they are skipped too."
            )
        )
    return texts


def retry_button(selected: Sequence[Selected]) -> str:
    """Return the label of the button, "" if nobody gets a message."""
    people = sum(each.people for each in selected)
    if any(each.is_most for each in selected):
        text = ngettext("Send again to %(count)s person at most", "Send again to %(count)s people at most", people)
    else:
        text = ngettext("Send again to %(count)s person", "Send again to %(count)s people", people)
    return text % {"count": grouped(people)} if people else ""


def _selected(campaign: Campaign, chosen: list[FailureReason]) -> list[Selected]:
    return select_failed(messages_failed_for(campaign, _pairs(chosen)), 1)


def _pairs(reasons: list[FailureReason]) -> list[Reason]:
    return [(reason.status, reason.code) for reason in reasons]


def _key(reason: FailureReason) -> str:
    return f"{reason.status}:{'' if reason.code is None else reason.code}"


def _choice(reason: FailureReason, *, is_chosen: bool) -> ReasonChoice:
    status = str(Message.Status(reason.status).label)
    return ReasonChoice(_key(reason), reason, reason_text(reason), status, is_chosen)


def _run(desk: CampaignDesk) -> int:
    given = desk.request.POST.get("run", "")
    return int(given) if given.isdecimal() and given.isascii() else 0

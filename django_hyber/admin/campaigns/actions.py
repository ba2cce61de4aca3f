"""The buttons of a campaign: each posts, is logged, and can safely be pressed twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from django.contrib import messages
from django.http import HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_hyber.admin.common.desk import CampaignDesk, back_to_button
from django_hyber.admin.common.paginators import grouped
from django_hyber.campaigns.lifecycle import Verb, is_possible, perform, wrong_status
from django_hyber.campaigns.test_send import is_testable
from django_hyber.models import Campaign
from django_hyber.services import CampaignError, CampaignStatistics, campaign_statistics

DONE = {
    Verb.PAUSE: gettext_lazy(
        "“%(name)s” has been paused. Messages that the platform has already accepted will still be delivered."
    ),
    Verb.RESUME: gettext_lazy("“%(name)s” has been resumed."),
    Verb.CANCEL: gettext_lazy(
        "“%(name)s” has been cancelled. Messages that the platform has already accepted will still be delivered."
    ),
    Verb.WITHDRAW: gettext_lazy("“%(name)s” is a draft again. It is not sent until it is launched again."),
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
    Verb.WITHDRAW: gettext_lazy("Moved back to draft."),
}


LABELS = {
    Verb.PAUSE: gettext_lazy("Pause"),
    Verb.RESUME: gettext_lazy("Resume"),
    Verb.WITHDRAW: gettext_lazy("Back to draft"),
    Verb.CANCEL: gettext_lazy("Cancel campaign"),
}
#: The button leads to a confirmation page.
CONFIRMED_FIRST = (Verb.CANCEL,)


class Button(NamedTuple):
    """A button of the campaign's page: it posts, or leads to the page on which it is confirmed."""

    name: str
    label: str
    url: str
    posts: bool


def buttons_of(desk: CampaignDesk, numbers: CampaignStatistics) -> list[Button]:
    """Return what the user can do with the campaign now."""
    found = [_button(desk, "test", _("Send a test"))] if is_testable(desk.campaign) and desk.may_test else []
    found += _sending_buttons(desk, numbers) if desk.may_send else []
    if desk.may_add:
        found.append(_button(desk, "copy", _("Duplicate")))
    if numbers.total and desk.may_export:
        found.append(_button(desk, "export", _("Export recipients")))
    return found


def _sending_buttons(desk: CampaignDesk, numbers: CampaignStatistics) -> list[Button]:
    campaign = desk.campaign
    found = [
        _button(desk, verb, str(label), posts=verb not in CONFIRMED_FIRST)
        for verb, label in LABELS.items()
        if is_offered(campaign, verb)
    ]
    if is_possible(campaign, Verb.RETRY) and numbers.failed:
        found.append(_button(desk, Verb.RETRY, _("Retry failed")))
    return found


def is_offered(campaign: Campaign, verb: Verb) -> bool:
    """Return whether the admin offers the verb now: a draft is deleted, not cancelled."""
    return is_possible(campaign, verb) and not (campaign.is_editable and verb is Verb.CANCEL)


def _button(desk: CampaignDesk, name: str, label: str, *, posts: bool = False) -> Button:
    return Button(name, label, desk.url(name), posts)


def steer_view(desk: CampaignDesk, verb: Verb) -> HttpResponseBase:
    """Pause, resume, withdraw or cancel, and report the result."""
    campaign = desk.campaign
    if not desk.is_post:
        return back_to_button(desk)
    if campaign.is_editable and verb is Verb.CANCEL:
        return refuse(desk)
    try:
        changed = perform(campaign, verb)
    except CampaignError as error:
        desk.message_user(" ".join(error.messages), messages.ERROR)
        return desk.redirect()
    name = {"name": campaign}
    if changed:
        desk.log_change(str(LOGGED[verb]))
        desk.message_user(f"{DONE[verb] % name} {_under_way(campaign, verb)}".strip(), messages.SUCCESS)
    else:
        desk.message_user(ALREADY[verb] % name, messages.INFO)
    return desk.redirect()


def _under_way(campaign: Campaign, verb: Verb) -> str:
    if verb not in (Verb.PAUSE, Verb.CANCEL):
        return ""
    if not campaign.on_the_wire:
        return _("No request is under way.")
    text = ngettext(
        "%(count)s recipient is in a request that is under way and will still get the message.",
        "%(count)s recipients are in requests that are under way and will still get the message.",
        campaign.on_the_wire,
    )
    return text % {"count": grouped(campaign.on_the_wire)}


def cancel_view(desk: CampaignDesk) -> HttpResponseBase:
    """Ask for confirmation before cancelling; on POST, cancel."""
    if desk.is_post:
        return steer_view(desk, Verb.CANCEL)
    if not is_offered(desk.campaign, Verb.CANCEL):
        return refuse(desk)
    numbers = campaign_statistics(desk.campaign)
    sent = ngettext(
        "%(count)s message has already been sent and cannot be recalled.",
        "%(count)s messages have already been sent and cannot be recalled.",
        numbers.sent,
    )
    sentences = [
        _not_sent(desk.campaign, numbers.waiting),
        sent % {"count": grouped(numbers.sent)},
        _("A cancelled campaign cannot be resumed. To stop it temporarily, pause it instead."),
    ]
    button = _("Cancel the campaign permanently")
    return desk.render("campaign/confirm", _("Cancel campaign"), sentences=sentences, button=button)


def _not_sent(campaign: Campaign, waiting: int) -> str:
    """Say who gets nothing if the campaign is cancelled now."""
    if campaign.run > 1:
        text = ngettext(
            "%(count)s failed message will not be sent again and keeps the result of its last attempt.",
            "%(count)s failed messages will not be sent again and keep the results of their last attempts.",
            waiting,
        )
    else:
        text = ngettext(
            "%(count)s recipient has not been sent a message yet and will get none from this campaign.",
            "%(count)s recipients have not been sent a message yet and will get none from this campaign.",
            waiting,
        )
    return text % {"count": grouped(waiting)}


def refuse(desk: CampaignDesk) -> HttpResponseRedirect:
    """Report that the campaign's status does not allow this, and return to its page."""
    desk.message_user(" ".join(wrong_status(desk.campaign).messages), messages.ERROR)
    return desk.redirect()


VERB_VIEWS: Mapping[Verb, Callable[[CampaignDesk], HttpResponseBase]] = {
    Verb.PAUSE: partial(steer_view, verb=Verb.PAUSE),
    Verb.RESUME: partial(steer_view, verb=Verb.RESUME),
    Verb.WITHDRAW: partial(steer_view, verb=Verb.WITHDRAW),
    Verb.CANCEL: cancel_view,
}

"""The texts of what a campaign waits for, and of its rate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.times import short_time, time_until
from django_hyber.models import Campaign
from django_hyber.privacy import mask_phones_in
from django_hyber.statistics.waits import Pace, Standstill, Wait
from django_hyber.words.reasons import translate_reason

SOON = timedelta(minutes=1)
#: What may need action by a person.
ALARMING = frozenset(
    {
        Standstill.PAUSED,
        Standstill.SETTINGS,
        Standstill.BLOCKED,
        Standstill.ZONE,
        Standstill.RETRY,
        Standstill.UNCONFIRMED,
        Standstill.BATCHES_TO_DECIDE,
        Standstill.MESSAGES_TO_DECIDE,
    }
)

DECIDED_IN = {Standstill.BATCHES_TO_DECIDE: "batch", Standstill.MESSAGES_TO_DECIDE: "message"}


class WaitLine(NamedTuple):
    """A sentence about one thing the campaign waits for; ``model`` names the list of what a person decides about."""

    name: str
    text: str
    is_alarming: bool
    model: str = ""


def wait_line(campaign: Campaign, wait: Wait, now: datetime) -> WaitLine:
    """Return the sentence for one thing the campaign waits for."""
    text = _TEXTS[wait.standstill](campaign, wait, now)
    return WaitLine(wait.standstill, text, wait.standstill in ALARMING, DECIDED_IN.get(wait.standstill, ""))


def pace_text(pace: Pace | None) -> str:
    """Return the rate and the time left, if known."""
    if pace is None:
        return ""
    parts = []
    if pace.per_minute:
        text = ngettext("%(count)s recipient per minute", "%(count)s recipients per minute", pace.per_minute)
        parts.append(text % {"count": grouped(pace.per_minute)})
    if pace.left is not None:
        now = timezone.now()
        parts.append(_("about %(time)s left") % {"time": distance(now + max(pace.left, SOON), now)})
    return ", ".join(parts)


def distance(moment: datetime, now: datetime) -> str:
    """Return the time until a moment in words, at the least "less than a minute"."""
    return time_until(moment, now) if moment - now >= SOON else _("less than a minute")


def with_reason(sentence: str, reason: str) -> str:
    """Add a stored reason, translated and without phone numbers, if there is one."""
    return f"{sentence} {mask_phones_in(translate_reason(reason))}" if reason else sentence


def _scheduled(_campaign: Campaign, wait: Wait, now: datetime) -> str:
    if wait.until is None or wait.until <= now:
        return _("Sending is about to start.")
    params = {"time": short_time(wait.until), "distance": distance(wait.until, now)}
    return _("Sending starts at %(time)s, in %(distance)s.") % params


def _paused(_campaign: Campaign, wait: Wait, _now: datetime) -> str:
    if wait.reason:
        return _("Paused: %(reason)s") % {"reason": mask_phones_in(translate_reason(wait.reason))}
    return _("Paused: nothing is sent until the campaign is resumed.")


def _held(campaign: Campaign, wait: Wait, now: datetime) -> str:
    text = _("The platform refuses the login of the account “%(account)s”. Next try in %(distance)s.")
    params = {"account": campaign.account, "distance": distance(max(wait.until or now, now), now)}
    return with_reason(text % params, wait.reason)


def _settings(campaign: Campaign, wait: Wait, _now: datetime) -> str:
    text = _("Nothing is sent, because the settings of the account “%(account)s” are missing or wrong.")
    return f"{text % {'account': campaign.account}} {wait.reason}".strip()


def _blocked(campaign: Campaign, wait: Wait, now: datetime) -> str:
    text = _("The platform did not accept the last requests of the account “%(account)s”. Next try in %(distance)s.")
    params = {"account": campaign.account, "distance": distance(wait.until or now, now)}
    return with_reason(text % params, wait.reason)


def _throttle(_campaign: Campaign, wait: Wait, now: datetime) -> str:
    text = _("The throttle allows the next request in %(distance)s.")
    return text % {"distance": distance(wait.until or now, now)}


def _window(_campaign: Campaign, wait: Wait, now: datetime) -> str:
    text = ngettext(
        "%(count)s recipient in the time zone %(zone)s waits for the sending window, which opens in %(distance)s.",
        "%(count)s recipients in the time zone %(zone)s wait for the sending window, which opens in %(distance)s.",
        wait.people,
    )
    return text % {"count": grouped(wait.people), "zone": wait.zone, "distance": distance(wait.until or now, now)}


def _zone(_campaign: Campaign, wait: Wait, now: datetime) -> str:
    text = ngettext(
        "%(count)s recipient in the time zone %(zone)s cannot be sent to yet. Next try in %(distance)s.",
        "%(count)s recipients in the time zone %(zone)s cannot be sent to yet. Next try in %(distance)s.",
        wait.people,
    )
    params = {"count": grouped(wait.people), "zone": wait.zone, "distance": distance(wait.until or now, now)}
    return with_reason(text % params, wait.reason)


def _retry(_campaign: Campaign, wait: Wait, now: datetime) -> str:
    text = ngettext(
        "The platform did not accept the request for %(count)s recipient. Next try in %(distance)s.",
        "The platform did not accept the requests for %(count)s recipients. Next try in %(distance)s.",
        wait.people,
    )
    params = {"count": grouped(wait.people), "distance": distance(wait.until or now, now)}
    return with_reason(text % params, wait.reason)


def _queued(_campaign: Campaign, wait: Wait, _now: datetime) -> str:
    text = ngettext("%(count)s recipient is next.", "%(count)s recipients are next.", wait.people)
    return text % {"count": grouped(wait.people)}


def _on_the_wire(_campaign: Campaign, wait: Wait, _now: datetime) -> str:
    text = ngettext(
        "%(count)s recipient is in a request that is waiting for an answer.",
        "%(count)s recipients are in requests that are waiting for an answer.",
        wait.people,
    )
    return text % {"count": grouped(wait.people)}


def _unconfirmed(_campaign: Campaign, wait: Wait, _now: datetime) -> str:
    text = ngettext(
        "It is unknown whether the platform has accepted the request for %(count)s recipient: it is being queried.",
        "It is unknown whether the platform has accepted the requests for %(count)s recipients: it is being queried.",
        wait.people,
    )
    return with_reason(text % {"count": grouped(wait.people)}, wait.reason)


def _to_decide(_campaign: Campaign, wait: Wait, _now: datetime) -> str:
    text = ngettext(
        "There is no proof whether the platform accepted the request for %(count)s recipient: a person has to decide.",
        "There is no proof whether the platform accepted the requests for %(count)s recipients: a person has to "
        "decide.",
        wait.people,
    )
    return text % {"count": grouped(wait.people)}


def _reports(_campaign: Campaign, wait: Wait, _now: datetime) -> str:
    text = ngettext(
        "%(count)s message is with the platform, which has not reported the result yet.",
        "%(count)s messages are with the platform, which has not reported the results yet.",
        wait.people,
    )
    return text % {"count": grouped(wait.people)}


_TEXTS: dict[Standstill, Callable[[Campaign, Wait, datetime], str]] = {
    Standstill.SCHEDULED: _scheduled,
    Standstill.PAUSED: _paused,
    Standstill.HELD: _held,
    Standstill.SETTINGS: _settings,
    Standstill.BLOCKED: _blocked,
    Standstill.THROTTLE: _throttle,
    Standstill.WINDOW: _window,
    Standstill.ZONE: _zone,
    Standstill.RETRY: _retry,
    Standstill.QUEUED: _queued,
    Standstill.ON_THE_WIRE: _on_the_wire,
    Standstill.UNCONFIRMED: _unconfirmed,
    Standstill.BATCHES_TO_DECIDE: _to_decide,
    Standstill.MESSAGES_TO_DECIDE: _to_decide,
    Standstill.REPORTS: _reports,
}

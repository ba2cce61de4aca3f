"""The texts of what a campaign waits for, and of its rate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.times import short_time, time_until
from django_hyber.models import Campaign
from django_hyber.statistics.waits import CampaignWait, Pace, Standstill
from django_hyber.words.reasons import masked_reason

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise  # a name of the stubs only

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
_WITH_REASON = frozenset(
    {
        Standstill.HELD,
        Standstill.SETTINGS,
        Standstill.BLOCKED,
        Standstill.ZONE,
        Standstill.RETRY,
        Standstill.UNCONFIRMED,
    }
)
#: The number of people decides between two forms.
_SENTENCES: Mapping[Standstill, StrPromise] = {
    Standstill.SCHEDULED: gettext_lazy("Sending starts at %(time)s, in %(distance)s."),
    Standstill.PAUSED: gettext_lazy("Paused: nothing is sent until the campaign is resumed."),
    Standstill.HELD: gettext_lazy(
        "The platform refuses the login of the account “%(account)s”. Next try in %(distance)s."
    ),
    Standstill.SETTINGS: gettext_lazy(
        "Nothing is sent, because the settings of the account “%(account)s” are missing or wrong."
    ),
    Standstill.BLOCKED: gettext_lazy(
        "The platform did not accept the last requests of the account “%(account)s”. Next try in %(distance)s."
    ),
    Standstill.THROTTLE: gettext_lazy("The throttle allows the next request in %(distance)s."),
    Standstill.WINDOW: ngettext_lazy(
        "%(count)s recipient in the time zone %(zone)s waits for the sending window, which opens in %(distance)s.",
        "%(count)s recipients in the time zone %(zone)s wait for the sending window, which opens in %(distance)s.",
        "people",
    ),
    Standstill.ZONE: ngettext_lazy(
        "%(count)s recipient in the time zone %(zone)s cannot be sent to yet. Next try in %(distance)s.",
        "%(count)s recipients in the time zone %(zone)s cannot be sent to yet. Next try in %(distance)s.",
        "people",
    ),
    Standstill.RETRY: ngettext_lazy(
        "The platform did not accept the request for %(count)s recipient. Next try in %(distance)s.",
        "The platform did not accept the requests for %(count)s recipients. Next try in %(distance)s.",
        "people",
    ),
    Standstill.QUEUED: ngettext_lazy(
        "%(count)s recipient is next.",
        "%(count)s recipients are next.",
        "people",
    ),
    Standstill.ON_THE_WIRE: ngettext_lazy(
        "%(count)s recipient is in a request that is waiting for an answer.",
        "%(count)s recipients are in requests that are waiting for an answer.",
        "people",
    ),
    Standstill.UNCONFIRMED: ngettext_lazy(
        "It is unknown whether the platform has accepted the request for %(count)s recipient: it is being queried.",
        "It is unknown whether the platform has accepted the requests for %(count)s recipients: it is being queried.",
        "people",
    ),
    Standstill.REPORTS: ngettext_lazy(
        "%(count)s message is with the platform, which has not reported the result yet.",
        "%(count)s messages are with the platform, which has not reported the results yet.",
        "people",
    ),
    **dict.fromkeys(
        DECIDED_IN,
        ngettext_lazy(
            "There is no proof whether the platform accepted the request for %(count)s recipient: a person has to "
            "decide.",
            "There is no proof whether the platform accepted the requests for %(count)s recipients: a person has to "
            "decide.",
            "people",
        ),
    ),
}


class WaitLine(NamedTuple):
    """A sentence about one thing the campaign waits for; ``model`` names the list of what a person decides about."""

    name: str
    text: str
    is_alarming: bool
    model: str = ""


def wait_line(campaign: Campaign, wait: CampaignWait, now: datetime) -> WaitLine:
    """Return the sentence for one thing the campaign waits for."""
    standstill = wait.standstill
    text = _sentence(campaign, wait, now)
    return WaitLine(standstill, text, standstill in ALARMING, DECIDED_IN.get(standstill, ""))


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
    return f"{sentence} {masked_reason(reason)}" if reason else sentence


def _sentence(campaign: Campaign, wait: CampaignWait, now: datetime) -> str:
    if wait.standstill == Standstill.SCHEDULED and (wait.until is None or wait.until <= now):
        return _("Sending is about to start.")
    if wait.standstill == Standstill.PAUSED and wait.reason:
        return _("Paused: %(reason)s") % {"reason": masked_reason(wait.reason)}
    text = _SENTENCES[wait.standstill] % {
        "people": wait.people,
        "count": grouped(wait.people),
        "account": campaign.account,
        "zone": wait.zone,
        "time": short_time(wait.until),
        "distance": distance(max(wait.until or now, now), now),
    }
    return with_reason(text, wait.reason) if wait.standstill in _WITH_REASON else text

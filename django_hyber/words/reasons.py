"""Reasons that are stored in English and shown in the reader's language, also those with parameters.

A text of the platform stays as it is: alone, and as a parameter of one of our own reasons.
"""

from __future__ import annotations

import re
from functools import cache

from django.utils.translation import gettext, gettext_noop

from django_hyber.privacy import mask_phones_in
from django_hyber.protocol.errors import TEMPLATES

GAVE_UP = gettext_noop("Not accepted by the platform after %(attempts)s attempts: %(reason)s")
TOO_LATE = gettext_noop("Its TTL ended before it could be sent.")
TOO_LATE_BECAUSE = gettext_noop("Its TTL ended before it could be sent: %(reason)s")
CAPPED = gettext_noop("Skipped: the frequency cap is reached (messages: %(messages)s, days: %(days)s).")
CAMPAIGN_SPENT = gettext_noop(
    "The spending limit of a campaign is reached: up to %(spent)s of %(limit)s is spent, and the next batch may cost "
    "%(cost)s. Raise SPENDING_LIMIT, then resume the campaign."
)
DAY_SPENT = gettext_noop(
    "The spending limit of the day is reached: up to %(spent)s of %(limit)s is spent today, and the next batch may "
    "cost %(cost)s. Resume the campaign tomorrow, or raise SPENDING_LIMIT and resume it."
)
NO_PRICE = gettext_noop(
    "There is a spending limit, but no price for every channel. Add the missing ones to PRICES (%(channels)s), then "
    "resume the campaign."
)
OWN_TEMPLATES = (GAVE_UP, TOO_LATE_BECAUSE, CAPPED, CAMPAIGN_SPENT, DAY_SPENT, NO_PRICE)
#: The parameter of a template that holds the platform's own words.
QUOTE = "text"
_PARAMETER = re.compile(r"%\((\w+)\)s")


def translate_reason(text: str, *, quotes: bool = True) -> str:
    """Return a stored reason in the reader's language. Texts that are not our own are returned as they are.

    Without ``quotes``, the platform's own words inside one of our reasons are left out: they may quote a message.
    """
    if not text:
        return ""
    translated = gettext(text)
    if translated != text:
        return translated
    for template, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found:
            values = {
                name: translate_reason(value, quotes=quotes) if quotes or name != QUOTE else "…"
                for name, value in found.groupdict().items()
            }
            return gettext(template) % values
    return text


def masked_reason(text: str) -> str:
    """Return a stored reason in the reader's language, without the phone numbers that the platform may quote."""
    return mask_phones_in(translate_reason(text))


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(template, _pattern(template)) for template in (*OWN_TEMPLATES, *TEMPLATES)]


def _pattern(template: str) -> re.Pattern[str]:
    """Return the pattern of the texts that the template makes, with a group for each parameter."""
    literals = _PARAMETER.split(template)
    parts = [f"(?P<{part}>.*)" if index % 2 else re.escape(part) for index, part in enumerate(literals)]
    return re.compile("".join(parts), re.DOTALL)

"""Reasons that are stored in English and shown in the reader's language, also those with parameters.

A text of the platform stays as it is: alone, and as a parameter of one of our own reasons.
"""

from __future__ import annotations

import re
from functools import cache

from django.utils.translation import gettext, gettext_noop

from django_hyber.protocol.errors import TEMPLATES

GAVE_UP = gettext_noop("Not accepted by the platform after %(attempts)s attempts: %(reason)s")
TOO_LATE = gettext_noop("Its TTL ended before it could be sent.")
TOO_LATE_BECAUSE = gettext_noop("Its TTL ended before it could be sent: %(reason)s")
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


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(template, _pattern(template)) for template in (GAVE_UP, TOO_LATE_BECAUSE, *TEMPLATES)]


def _pattern(template: str) -> re.Pattern[str]:
    """Return the pattern of the texts that the template makes, with a group for each parameter."""
    literals = _PARAMETER.split(template)
    parts = [f"(?P<{part}>.*)" if index % 2 else re.escape(part) for index, part in enumerate(literals)]
    return re.compile("".join(parts), re.DOTALL)

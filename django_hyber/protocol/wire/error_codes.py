"""Texts for known codes. The vendor has not published the full list, so projects can add their own."""

from __future__ import annotations

from collections.abc import Mapping

from django_hyber.protocol.channels.problems import gettext_noop

CODES: Mapping[int, str] = {
    1154: gettext_noop("Phone number incorrect"),
    23011: gettext_noop("SMS delivered"),
    23033: gettext_noop("Viber message delivered"),
    23043: gettext_noop("Viber template message delivered"),
    35015: gettext_noop("Not delivered in time"),
    36024: gettext_noop("Phone number incorrect"),
}

#: A message that failed with one of these fails again: it is the number that is wrong.
PERMANENT = frozenset({1154, 36024})


def describe(code: int, extra: Mapping[int, str] = {}) -> str:
    """Return a short English text for a detailed status or an error code. Texts in ``extra`` take precedence."""
    return extra.get(code) or CODES.get(code, "")

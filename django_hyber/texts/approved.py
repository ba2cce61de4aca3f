"""Comparing the Viber text of a template with the text that was approved."""

from __future__ import annotations

import re

from django_hyber.models import TemplateVariant

_VARIABLE = re.compile(r"%\w+%")


def departs_from_approved(variant: TemplateVariant) -> bool:
    """Return whether there is an approved text and the Viber text is another one.

    White space, and the names of variables, make no difference.
    """
    if not variant.approved_text.strip():
        return False
    texts = [channel.options.get("text", "") for channel in variant.channels.all() if channel.channel == "viber"]
    return any(_normalized(text) != _normalized(variant.approved_text) for text in texts)


def _normalized(text: str) -> str:
    return " ".join(_VARIABLE.sub("%%", text).split())

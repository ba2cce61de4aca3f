"""Comparing the Viber text of a template with the text that was approved."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django_hyber.protocol import Channel, Viber

_VARIABLE = re.compile(r"%\w+%")


def departs_from_approved(approved_text: str, channels: Iterable[Channel]) -> bool:
    """Return whether there is an approved text and the Viber text is another one.

    White space, and the names of variables, make no difference.
    """
    if not approved_text.strip():
        return False
    texts = [channel.text for channel in channels if isinstance(channel, Viber)]
    return any(_normalized(text or "") != _normalized(approved_text) for text in texts)


def _normalized(text: str) -> str:
    return " ".join(_VARIABLE.sub("%%", text).split())

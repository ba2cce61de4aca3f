"""Extra ids: our own ids of messages, set before sending. Reports are matched by them."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator


def new_extra_id() -> str:
    """Return a unique id that is safe as part of a URL."""
    return secrets.token_hex(12)


def extra_ids() -> Iterator[str]:
    """Yield ids with one random prefix and a counter, so that new entries are adjacent in the index."""
    beginning = secrets.token_hex(8)
    return (f"{beginning}{number:08x}" for number in itertools.count())

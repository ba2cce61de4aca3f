"""Our own ids, given before anything is sent: the key by which every report finds its message."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator


def new_extra_id() -> str:
    """Return an id that no other message has, of letters, digits, - and _ only: it is part of a URL."""
    return secrets.token_hex(12)


def extra_ids() -> Iterator[str]:
    """Yield ids for one import: a random beginning and a count, so that their index grows at one end."""
    beginning = secrets.token_hex(8)
    return (f"{beginning}{number:08x}" for number in itertools.count())

from __future__ import annotations

from collections.abc import Sequence

from django_hyber.conf import DEFAULT_ACCOUNT, get_account
from django_hyber.engine import replies
from django_hyber.engine.transactions import database


def apply_replies(raw_replies: Sequence[object], account: str = DEFAULT_ACCOUNT) -> int:
    """Store what people answered, each reply once, and return how many were new."""
    return replies.store_replies(get_account(account), raw_replies, database())

"""The numbers that an account sends to while a project is developed: REDIRECT_TO and ALLOWED_NUMBERS."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q
from django.utils.translation import gettext_noop

from django_hyber.conf import Account

NOT_ALLOWED = gettext_noop("The number is not in ALLOWED_NUMBERS of the account.")


def is_allowed(account: Account, phone_number: str) -> bool:
    """Return whether the account may send to this number."""
    if account.allowed_numbers is None:
        return True
    numbers, prefixes = _split(account.allowed_numbers)
    return phone_number in numbers or phone_number.startswith(tuple(prefixes))


def not_allowed(account: Account) -> Q | None:
    """Return the condition for messages to numbers that the account may not send to, or None if it has no list."""
    if account.allowed_numbers is None:
        return None
    numbers, prefixes = _split(account.allowed_numbers)
    allowed = Q(phone_number__in=numbers)
    for prefix in prefixes:
        allowed |= Q(phone_number__startswith=prefix)
    return ~allowed


def _split(allowed: Sequence[str]) -> tuple[list[str], list[str]]:
    numbers = [item for item in allowed if not item.endswith("*")]
    return numbers, [item.removesuffix("*") for item in allowed if item.endswith("*")]

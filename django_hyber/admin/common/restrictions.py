"""The banner about accounts that do not send to everybody, by REDIRECT_TO or ALLOWED_NUMBERS."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.translation import gettext as _

from django_hyber.admin.common.personal_data import sees_personal_data
from django_hyber.conf import Account, find_accounts
from django_hyber.privacy import mask_phone


def restriction_texts(request: HttpRequest) -> list[str]:
    """Return what happens to messages of each account with such a setting."""
    try:
        accounts = find_accounts()
    except ImproperlyConfigured:
        # The dashboard says what is wrong.
        return []
    is_shown = sees_personal_data(request)
    return [text for account in accounts for text in _texts(account, is_shown=is_shown)]


def _texts(account: Account, *, is_shown: bool) -> Iterator[str]:
    if account.redirect_to:
        text = _("Account “%(account)s”: every message goes to %(number)s and not to its recipient (REDIRECT_TO).")
        number = account.redirect_to if is_shown else mask_phone(account.redirect_to)
        yield text % {"account": account.name, "number": number}
    if account.allowed_numbers is not None:
        text = _("Account “%(account)s”: messages to numbers that are not in ALLOWED_NUMBERS are not sent.")
        yield text % {"account": account.name}

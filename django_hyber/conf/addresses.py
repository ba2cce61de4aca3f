"""Addresses of this project in requests and e-mails. Only the settings decide them, not the request under way."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import cache

from django.conf import settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.urls import NoReverseMatch, get_script_prefix, reverse, set_script_prefix
from django.utils import translation

from django_hyber.conf import Account
from django_hyber.log_events import LogEvent

logger = logging.getLogger("django_hyber")


def get_callback_url(account: Account, token: str = "") -> str:
    """Return the callback URL of this account, or "" without CALLBACK_BASE_URL or CALLBACK_TOKENS.

    It is the same in every process and request: only the settings decide, not the script name of the web server, the
    language or the URLconf of the current request. Raises NoReverseMatch if ROOT_URLCONF does not include
    ``django_hyber.urls``.
    """
    if not account.callback_base_url or not account.callback_tokens:
        return ""
    base = account.callback_base_url.rstrip("/")
    served_under = get_script_prefix()
    if settings.FORCE_SCRIPT_NAME is None and not f"{base}/".endswith(served_under):
        _warn_of_script_name(served_under)
    return base + _reverse("django_hyber:reports", token or account.callback_tokens[0])


def get_admin_url(account: Account, page: str, pk: int) -> str:
    """Return the absolute URL of a page in the admin, or "" without CALLBACK_BASE_URL or without the admin."""
    if not account.callback_base_url:
        return ""
    try:
        return account.callback_base_url.rstrip("/") + _reverse(f"admin:{page}", pk)
    except NoReverseMatch:
        return ""


def _reverse(name: str, *arguments: object) -> str:
    """Return a path that only the settings decide.

    ``i18n_patterns`` serves the variant of LANGUAGE_CODE that is in LANGUAGES: of "en-us", that is "en".
    """
    _, has_default_prefix = is_language_prefix_patterns_used(settings.ROOT_URLCONF)
    language = settings.LANGUAGE_CODE
    if has_default_prefix:
        with suppress(LookupError):
            language = translation.get_supported_language_variant(language)
    served_under = get_script_prefix()
    set_script_prefix(settings.FORCE_SCRIPT_NAME or "/")
    try:
        with translation.override(language):
            return reverse(name, urlconf=settings.ROOT_URLCONF, args=arguments)
    finally:
        set_script_prefix(served_under)


@cache
def _warn_of_script_name(prefix: str) -> None:
    """Log once that the callback URL lacks the script name of the web server, which workers do not know."""
    logger.warning(
        "The web server serves this project under %s, which the callback URL lacks. Set FORCE_SCRIPT_NAME, or end "
        "CALLBACK_BASE_URL with it",
        prefix,
        extra={"event": LogEvent.SCRIPT_NAME},
    )

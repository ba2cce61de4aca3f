"""System checks, which report a wrong configuration at startup instead of at the first send."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004  Django's own name
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch
from phonenumbers.tzdata import TIMEZONE_DATA

from django_hyber.conf import Account, get_callback_url, inspect_accounts
from django_hyber.setting_domains import UNREADABLE

MAX_CALLBACK_URL = 256
MIN_TOKEN_LENGTH = 16
TOKEN_ALPHABET = re.compile(r"[A-Za-z0-9_-]+")
IMMEDIATE_BACKENDS = (
    "django.tasks.backends.immediate.ImmediateBackend",
    "django_tasks.backends.immediate.ImmediateBackend",
)


@register("django_hyber")
def check_accounts(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Check the HYBER setting, account by account."""
    try:
        accounts, errors = inspect_accounts()
    except ImproperlyConfigured as error:
        hint = "Compare it with the settings table of the README."
        return [Error(str(error), hint=hint, id=UNREADABLE)]
    found: list[CheckMessage] = [*errors]
    found += [message for account in accounts for check in ACCOUNT_CHECKS for message in check(account)]
    return [*found, *_check_shared_tokens(accounts)]


def _check_shared_tokens(accounts: list[Account]) -> Iterator[CheckMessage]:
    owners: dict[str, str] = {}
    for account in accounts:
        for token in account.callback_tokens:
            if owners.setdefault(token, account.name) != account.name:
                yield Error(
                    f"HYBER[{account.name!r}] and HYBER[{owners[token]!r}] share a callback token.",
                    hint="A token identifies the account of a callback. Use different tokens for each account.",
                    id="django_hyber.E014",
                )


def _check_credentials(account: Account) -> Iterator[CheckMessage]:
    missing = [key for key in ("client_id", "login", "password") if not getattr(account, key)]
    if missing:
        keys = ", ".join(key.upper() for key in missing)
        yield Warning(
            f"HYBER[{account.name!r}] has no {keys}: nothing can be sent.",
            hint=f"Set it in HYBER or in the environment (HYBER_{missing[0].upper()}). GMS issues it with the account.",
            id="django_hyber.W002",
        )


def _check_urls(account: Account) -> Iterator[CheckMessage]:
    for key in ("api_url", "bulk_url", "reports_url"):
        parts = urlsplit(getattr(account, key))
        if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
            yield Warning(
                f"HYBER[{account.name!r}][{key.upper()!r}] sends login and password unencrypted.",
                hint="Use https://.",
                id="django_hyber.W004",
            )


def _check_callback_token(account: Account) -> Iterator[CheckMessage]:
    if account.callback_base_url and not account.callback_tokens:
        yield Error(
            f"HYBER[{account.name!r}] has CALLBACK_BASE_URL but no CALLBACK_TOKENS: every callback would be rejected.",
            hint="Create one with: python -c 'import secrets; print(secrets.token_urlsafe(24))'",
            id="django_hyber.E005",
        )
    for token in account.callback_tokens:
        if not _is_good(token):
            yield Error(
                f"HYBER[{account.name!r}] has a callback token that is too short or not safe in a URL.",
                hint=f"Use at least {MIN_TOKEN_LENGTH} characters from A-Z, a-z, 0-9, - and _.",
                id="django_hyber.E006",
            )


def _is_good(token: str) -> bool:
    return len(token) >= MIN_TOKEN_LENGTH and TOKEN_ALPHABET.fullmatch(token) is not None


def _check_callback_url(account: Account) -> Iterator[CheckMessage]:
    tokens = [token for token in account.callback_tokens if _is_good(token)]
    if not account.callback_base_url or not tokens:
        return
    try:
        longest = max(len(get_callback_url(account, token)) for token in tokens)
    except NoReverseMatch:
        yield Error(
            "The callback URLs of django-hyber are not in the URLconf.",
            hint='Add path("hyber/", include("django_hyber.urls")) to ROOT_URLCONF.',
            id="django_hyber.E008",
        )
        return
    if longest > MAX_CALLBACK_URL:
        yield Error(
            f"The callback URL of HYBER[{account.name!r}] has {longest} characters; the platform accepts 256.",
            hint="Shorten CALLBACK_BASE_URL, the path of the include or the token.",
            id="django_hyber.E009",
        )


@register("django_hyber")
def check_time_zones(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Check USE_TZ, TIME_ZONE and the time zones of phone numbers.

    The package converts between UTC (reports), Kyiv time (replies), the project's time zone (the start of campaigns)
    and those of recipients (sending windows).
    """
    found: list[CheckMessage] = []
    if not settings.USE_TZ:
        found.append(
            Error(
                "USE_TZ is off: times of reports and campaigns cannot be stored correctly.",
                hint="Set USE_TZ = True, which is Django's default.",
                id="django_hyber.E013",
            )
        )
    if not _is_known(settings.TIME_ZONE):
        found.append(
            Error(
                f"TIME_ZONE is {settings.TIME_ZONE!r}, which is not installed: campaigns with a sending window wait.",
                hint="Correct the name, or install the time zones: pip install tzdata.",
                id="django_hyber.E015",
            )
        )
    unknown = sorted(zone for zone in set().union(*TIMEZONE_DATA.values()) if not _is_known(zone))
    if unknown:
        found.append(
            Warning(
                f"{len(unknown)} time zones of phone numbers are not installed, such as {unknown[0]}: "
                "campaigns with a sending window do not send to recipients there.",
                hint="Install the newest time zones: pip install --upgrade tzdata.",
                id="django_hyber.W016",
            )
        )
    return found


def _is_known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@register("django_hyber")
def check_task_backend(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Warn if campaigns are sent within the web request that starts them."""
    default = (getattr(settings, "TASKS", None) or {}).get("default", {})
    if settings.DEBUG or default.get("BACKEND", IMMEDIATE_BACKENDS[0]) not in IMMEDIATE_BACKENDS:
        return []
    return [
        Warning(
            "TASKS uses the immediate backend: campaigns are sent within the web request that starts them.",
            hint="Use a backend with workers (django-tasks-db on one machine, Celery on several); see the README.",
            id="django_hyber.W012",
        )
    ]


ACCOUNT_CHECKS: tuple[Callable[[Account], Iterator[CheckMessage]], ...] = (
    _check_credentials,
    _check_urls,
    _check_callback_token,
    _check_callback_url,
)

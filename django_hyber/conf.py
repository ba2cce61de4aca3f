"""The ``HYBER`` setting: one dict of named accounts, read when it is needed and never at import."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any

import environ
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

DEFAULT_ACCOUNT = "default"
ENVIRONMENT_PREFIX = "HYBER_"
MAX_BATCH_SIZE = 50_000


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account at GMS and how this project uses it. The field names, in capitals, are the keys of the setting.

    Times are seconds, sizes bytes. ``batch_size`` is the number of recipients in one request, up to the platform's
    50,000; batches of up to ``sync_limit`` recipients ask for the message ids in the answer. ``lease`` is how long a
    worker may hold a message or a batch before another may take it up. What may or may not have been taken is asked
    about every ``ask_every``, and sent again only when the platform still does not know it after ``not_found_grace``.
    ``retry_delay`` is the wait after a first failed attempt; it doubles up to 15 minutes, ``max_attempts`` times.
    At most ``parallel_batches`` requests of a campaign are under way at once, so that single messages get between them;
    ``throttle`` is recipients a minute over all campaigns (None: no limit). After ``breaker_threshold`` requests in a
    row that were not taken, one at a time tries whether the platform answers again. A scheduled campaign is handed over
    ``lead_time`` before its start; one whose start is past by ``schedule_grace`` waits for a person. With
    ``four_eyes``, who wrote a campaign cannot launch it. With ``suppress_transactional``, single messages to people who
    opted out are not sent either.
    A reply that is one of ``stop_words`` opts its sender out. ``prices`` are per delivered message of a channel, and
    per part of an SMS.
    """

    name: str
    client_id: str = ""
    login: str = ""
    password: str = field(default="", repr=False)
    site: str = ""
    api_url: str = "https://api-v2-{site}.hyber.im/{client_id}"
    bulk_url: str = "https://proxy-{site}.hyber.im/{client_id}"
    reports_url: str = "https://dr-v2-{site}.hyber.im/{client_id}"
    callback_base_url: str = ""
    callback_tokens: tuple[str, ...] = field(default=(), repr=False)
    callback_max_bytes: int = 25 * 1024 * 1024
    default_region: str | None = "UA"
    connect_timeout: float = 10
    read_timeout: float = 60
    phone_as_number: bool = True
    batch_size: int = 10_000
    sync_limit: int = 10_000
    lease: int = 300
    max_attempts: int = 12
    retry_delay: float = 5
    not_found_grace: float = 120
    ask_every: float = 30
    parallel_batches: int = 2
    throttle: int | None = None
    breaker_threshold: int = 5
    lead_time: int = 600
    schedule_grace: int = 3_600
    four_eyes: bool = False
    suppress_transactional: bool = False
    seen_codes: frozenset[int] = frozenset()
    code_names: Mapping[int, str] = field(default_factory=dict)
    stop_words: tuple[str, ...] = ("stop", "стоп", "unsubscribe", "відписатися", "відписатись", "відмовляюсь")
    fetch_media: bool = False
    media_max_bytes: int = 25 * 1024 * 1024
    prices: Mapping[str, Decimal] = field(default_factory=dict)


KEYS = frozenset(item.name.upper() for item in fields(Account)) - {"NAME"}


@sensitive_variables()
def get_account(name: str = DEFAULT_ACCOUNT) -> Account:
    """Return the account of this name as the settings and the environment describe it now.

    Raises ImproperlyConfigured for an unknown name, an unknown key or a value of the wrong type.
    """
    configured = _configured_accounts()
    if name not in configured:
        known = ", ".join(sorted(configured))
        raise ImproperlyConfigured(f"HYBER has no account {name!r}. It has: {known}.")
    return _build(name, configured[name])


def find_account(name: str) -> Account | None:
    """Return the account, or None when the settings do not have it (any more): rows outlive the settings."""
    try:
        return get_account(name)
    except ImproperlyConfigured:
        return None


def find_prices(name: str) -> Mapping[str, Decimal]:
    """Return the prices of an account by channel; none for an account that is not configured."""
    account = find_account(name)
    return account.prices if account else {}


@sensitive_variables()
def get_accounts() -> list[Account]:
    """Return every configured account."""
    return [get_account(name) for name in _configured_accounts()]


@sensitive_variables()
def find_account_by_token(token: str) -> Account | None:
    """Return the account that this callback token belongs to; every token is compared, in constant time."""
    found = None
    for account, candidate in _tokens():
        if constant_time_compare(candidate, token):
            found = account
    return found


def get_callback_url(account: Account, token: str = "") -> str:
    """Return where the platform reports for this account, or "" without CALLBACK_BASE_URL or tokens.

    Raises NoReverseMatch when the project does not include ``django_hyber.urls``.
    """
    if not account.callback_base_url or not account.callback_tokens:
        return ""
    path = reverse("django_hyber:reports", kwargs={"token": token or account.callback_tokens[0]})
    return account.callback_base_url.rstrip("/") + path


def _tokens() -> Iterator[tuple[Account, str]]:
    for account in get_accounts():
        for token in account.callback_tokens:
            yield account, token


@sensitive_variables()
def _configured_accounts() -> dict[str, Mapping[str, Any]]:
    configured = getattr(settings, "HYBER", None) or {DEFAULT_ACCOUNT: {}}
    if not isinstance(configured, Mapping) or not all(isinstance(item, Mapping) for item in configured.values()):
        raise ImproperlyConfigured('HYBER must be a dict of accounts, as in {"default": {"CLIENT_ID": "1234", ...}}.')
    return dict(configured)


@sensitive_variables()
def _build(name: str, given: Mapping[str, Any]) -> Account:
    unknown = sorted(str(key) for key in set(given) - KEYS)
    if unknown:
        raise ImproperlyConfigured(f"HYBER[{name!r}] has unknown keys: {', '.join(unknown)}.")
    values: dict[str, Any] = {}
    for key in KEYS & (set(given) | _environment_keys()):
        try:
            values[key.lower()] = _CASTS.get(key, str)(given[key]) if key in given else _from_environment(key)
        except (TypeError, ValueError):
            raise ImproperlyConfigured(f"HYBER[{name!r}][{key!r}] has a value of the wrong type.") from None
    return Account(name=name, **values)


def _environment_keys() -> set[str]:
    return {
        name.removeprefix(ENVIRONMENT_PREFIX) for name in environ.Env.ENVIRON if name.startswith(ENVIRONMENT_PREFIX)
    }


def _from_environment(key: str) -> Any:
    raw = environ.Env.ENVIRON[ENVIRONMENT_PREFIX + key]
    # Strings are taken as they are: a password may begin with "$", which django-environ reads as a reference.
    reader = _ENVIRONMENT_READERS.get(key)
    return _CASTS.get(key, str)(reader(raw) if reader else raw)


def _list(raw: str) -> Any:
    return environ.Env.parse_value(raw, list)


def _bool(raw: str) -> Any:
    return environ.Env.parse_value(raw, bool)


def _strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError
    return tuple(str(item) for item in value)


def _region(value: Any) -> str | None:
    return str(value).upper() if value else None


def _codes(value: Any) -> frozenset[int]:
    return frozenset(int(item) for item in value)


def _code_names(value: Any) -> dict[int, str]:
    return {int(code): str(text) for code, text in dict(value).items()}


def _prices(value: Any) -> dict[str, Decimal]:
    return {str(channel): _price(price) for channel, price in dict(value).items()}


def _price(value: Any) -> Decimal:
    try:
        # By way of a string, so that 0.1 means 0.1.
        return Decimal(str(value))
    except InvalidOperation:
        raise ValueError from None


def _optional_int(value: Any) -> int | None:
    return None if value is None or value == "" else int(value)


_CASTS: dict[str, Callable[[Any], Any]] = {
    "ASK_EVERY": float,
    "BATCH_SIZE": int,
    "BREAKER_THRESHOLD": int,
    "CALLBACK_MAX_BYTES": int,
    "CALLBACK_TOKENS": _strings,
    "CODE_NAMES": _code_names,
    "CONNECT_TIMEOUT": float,
    "DEFAULT_REGION": _region,
    "FETCH_MEDIA": bool,
    "FOUR_EYES": bool,
    "LEAD_TIME": int,
    "LEASE": int,
    "MAX_ATTEMPTS": int,
    "MEDIA_MAX_BYTES": int,
    "NOT_FOUND_GRACE": float,
    "PARALLEL_BATCHES": int,
    "PHONE_AS_NUMBER": bool,
    "PRICES": _prices,
    "READ_TIMEOUT": float,
    "RETRY_DELAY": float,
    "SCHEDULE_GRACE": int,
    "SEEN_CODES": _codes,
    "STOP_WORDS": _strings,
    "SUPPRESS_TRANSACTIONAL": bool,
    "SYNC_LIMIT": int,
    "THROTTLE": _optional_int,
}
_ENVIRONMENT_READERS: dict[str, Callable[[str], Any]] = {
    "CALLBACK_TOKENS": _list,
    "CODE_NAMES": json.loads,
    "FETCH_MEDIA": _bool,
    "FOUR_EYES": _bool,
    "PHONE_AS_NUMBER": _bool,
    "PRICES": json.loads,
    "SEEN_CODES": _list,
    "STOP_WORDS": _list,
    "SUPPRESS_TRANSACTIONAL": _bool,
}

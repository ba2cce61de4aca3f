"""The ``HYBER`` setting: one dict of named accounts, read when it is needed and never at import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

import environ
from django.conf import settings
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

from django_hyber.setting_domains import DOMAINS, UNREADABLE, describe_wrong

DEFAULT_ACCOUNT = "default"
ENVIRONMENT_PREFIX = "HYBER_"
#: That of the columns that hold the name of an account.
MAX_NAME_LENGTH = 64


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account at GMS and how this project uses it. The field names, in capitals, are the keys of the setting.

    What each may be is in the table of ``setting_domains``; times are seconds, sizes bytes. ``batch_size`` is the
    number of recipients in one request, up to the platform's 50,000; batches of up to ``sync_limit`` recipients ask for
    the message ids in the answer. ``lease`` is how long a worker may hold a message or a batch before another may take
    it up. What may or may not have been taken is asked about every ``ask_every``, and sent again only when the platform
    still does not know it after ``not_found_grace``.
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
    lease: float = 300
    max_attempts: int = 12
    retry_delay: float = 5
    not_found_grace: float = 120
    ask_every: float = 30
    parallel_batches: int = 2
    throttle: int | None = None
    breaker_threshold: int = 5
    lead_time: float = 600
    schedule_grace: float = 3_600
    four_eyes: bool = False
    suppress_transactional: bool = False
    seen_codes: frozenset[int] = frozenset()
    code_names: Mapping[int, str] = field(default_factory=dict)
    stop_words: tuple[str, ...] = ("stop", "стоп", "unsubscribe", "відписатися", "відписатись", "відмовляюсь")
    fetch_media: bool = False
    media_max_bytes: int = 25 * 1024 * 1024
    prices: Mapping[str, Decimal] = field(default_factory=dict)


KEYS = frozenset(item.name.upper() for item in fields(Account)) - {"NAME"}
DEFAULTS = {item.name.upper(): item.default for item in fields(Account)}


@sensitive_variables()
def get_account(name: str = DEFAULT_ACCOUNT) -> Account:
    """Return the account of this name as the settings and the environment describe it now.

    Raises ImproperlyConfigured for an unknown name or key, and for a value that its setting may not have: an account
    that could send twice, or never, does not run.
    """
    configured = _configured_accounts()
    if name not in configured:
        known = ", ".join(sorted(map(str, configured)))
        raise ImproperlyConfigured(f"HYBER has no account {name!r}. It has: {known}.")
    account, errors = _read(name, configured[name])
    if account is None:
        raise ImproperlyConfigured(" ".join(f"{error.msg} {error.hint}" for error in errors))
    return account


def find_account(name: str) -> Account | None:
    """Return the account, or None when the settings do not have it (any more), or have a mistake in it.

    Rows outlive the settings.
    """
    try:
        return get_account(name)
    except ImproperlyConfigured:
        return None


def find_prices(name: str) -> Mapping[str, Decimal]:
    """Return the prices of an account by channel; none for an account that is not configured."""
    account = find_account(name)
    return account.prices if account else {}


@sensitive_variables()
def account_names() -> list[str]:
    """Return the names of the configured accounts, in the order of the setting, also of those that cannot be read."""
    return list(_configured_accounts())


@sensitive_variables()
def get_accounts() -> list[Account]:
    """Return every configured account. Raises ImproperlyConfigured when one of them cannot be read."""
    return [get_account(name) for name in _configured_accounts()]


@sensitive_variables()
def find_accounts() -> list[Account]:
    """Return the accounts that can be read: a mistake in one does not stop the others."""
    return inspect_accounts()[0]


@sensitive_variables()
def inspect_accounts() -> tuple[list[Account], list[Error]]:
    """Return the accounts that can be read, and what is wrong with the others."""
    read = [_read(name, given) for name, given in _configured_accounts().items()]
    return [account for account, _ in read if account], [error for _, errors in read for error in errors]


@sensitive_variables()
def find_account_by_token(token: str) -> Account | None:
    """Return the account that this callback token belongs to; every token is compared, in constant time.

    Raises ImproperlyConfigured when it may belong to an account that cannot be read: the platform may report again.
    """
    accounts, errors = inspect_accounts()
    found = None
    for account in accounts:
        for candidate in account.callback_tokens:
            if constant_time_compare(candidate, token):
                found = account
    if found is None and errors:
        raise ImproperlyConfigured(errors[0].msg)
    return found


def get_callback_url(account: Account, token: str = "") -> str:
    """Return where the platform reports for this account, or "" without CALLBACK_BASE_URL or tokens.

    Raises NoReverseMatch when the project does not include ``django_hyber.urls``.
    """
    if not account.callback_base_url or not account.callback_tokens:
        return ""
    path = reverse("django_hyber:reports", kwargs={"token": token or account.callback_tokens[0]})
    return account.callback_base_url.rstrip("/") + path


@sensitive_variables()
def _configured_accounts() -> dict[str, Mapping[str, Any]]:
    configured = getattr(settings, "HYBER", None) or {DEFAULT_ACCOUNT: {}}
    if not isinstance(configured, Mapping) or not all(isinstance(item, Mapping) for item in configured.values()):
        raise ImproperlyConfigured('HYBER must be a dict of accounts, as in {"default": {"CLIENT_ID": "1234", ...}}.')
    return dict(configured)


@sensitive_variables()
def _read(name: str, given: Mapping[str, Any]) -> tuple[Account | None, list[Error]]:
    """Return the account, or None and what is wrong with it."""
    errors = [*_name_errors(name), *_unknown_keys(name, given)]
    values: dict[str, Any] = {}
    for key in sorted(KEYS & (given.keys() | _environment_keys())):
        domain = DOMAINS[key]
        value = given[key] if key in given else environ.Env.ENVIRON[ENVIRONMENT_PREFIX + key]
        try:
            values[key.lower()] = domain.read(value if key in given else domain.parse(value))
        except (TypeError, ValueError, OverflowError) as error:
            errors.append(_wrong_value(name, key, describe_wrong(value, error), is_given=key in given))
    if errors:
        return None, errors
    account = Account(name=name, **values)
    errors += _lease_errors(account)
    return (None if errors else account), errors


def _environment_keys() -> set[str]:
    return {
        name.removeprefix(ENVIRONMENT_PREFIX) for name in environ.Env.ENVIRON if name.startswith(ENVIRONMENT_PREFIX)
    }


def _name_errors(name: object) -> Iterator[Error]:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_LENGTH:
        yield Error(
            f"HYBER has an account with the name {name!r}; a name must be text of 1 to {MAX_NAME_LENGTH} characters.",
            hint="Give the account another name.",
            id=UNREADABLE,
        )


def _unknown_keys(name: str, given: Mapping[str, Any]) -> Iterator[Error]:
    unknown = sorted(str(key) for key in given.keys() - KEYS)
    if unknown:
        yield Error(
            f"HYBER[{name!r}] has unknown keys: {', '.join(unknown)}.",
            hint="Compare it with the settings table of the README.",
            id=UNREADABLE,
        )


def _wrong_value(name: str, key: str, wrong: str, *, is_given: bool) -> Error:
    origin = "" if is_given else f", from the environment variable {ENVIRONMENT_PREFIX}{key},"
    default = DEFAULTS[key]
    is_plain = isinstance(default, int | float)
    return Error(
        f"HYBER[{name!r}][{key!r}]{origin} is {wrong}; it must be {DOMAINS[key].description}.",
        hint=f"Correct it, or leave it out for the default{f', {default}' if is_plain else ''}.",
        id=DOMAINS[key].check_id,
    )


def _lease_errors(account: Account) -> Iterator[Error]:
    """A lease that ends during an exchange gives the batch to another worker, which sends it a second time."""
    connecting, reading = account.connect_timeout, account.read_timeout
    deadline = connecting + reading
    if account.lease <= deadline:
        yield Error(
            f"HYBER[{account.name!r}]['LEASE'] is {account.lease:g} seconds; it must be longer than one exchange with "
            f"the platform, {deadline:g} seconds, or two workers could send the same batch.",
            hint=f"One exchange may take CONNECT_TIMEOUT + READ_TIMEOUT = {connecting:g} + {reading:g} = {deadline:g} "
            f"seconds. Set LEASE above {deadline:g}, or lower the timeouts.",
            id="django_hyber.E011",
        )

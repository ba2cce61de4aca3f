"""The ``HYBER`` setting: a dict of named accounts. It is read at each access and never at import."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import environ
from django.conf import settings
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

from django_hyber.conf.domains import DOMAINS, UNREADABLE, describe_wrong
from django_hyber.conf.readers import FrequencyCap, Network, SpendingLimit
from django_hyber.protocol import NumberType

DEFAULT_ACCOUNT = "default"
ENVIRONMENT_PREFIX = "HYBER_"
#: The length of the database columns with the name of an account.
MAX_NAME_LENGTH = 64
#: From 0 to 1, for names that may be misspelt.
LEAST_SIMILARITY = 0.7


@dataclass(frozen=True, kw_only=True)
class Account:
    """The settings of one account at GMS. The field names in capitals are the keys of the setting.

    The allowed values are in ``conf.domains``. Times are in seconds, sizes in bytes.

    Requests: ``batch_size`` is the number of recipients in one request, at most the platform's 50,000. Batches of up to
    ``sync_limit`` recipients are sent with a method that returns the message ids. A campaign sends at most
    ``parallel_batches`` requests at once, which leaves workers for single messages. ``throttle`` limits the recipients
    per minute of all campaigns together (None: no limit).

    Failures: ``lease`` is how long a worker may hold a message or batch before another one may claim it. The first
    retry follows after ``retry_delay``; the delay then doubles, up to 15 minutes. After ``max_attempts`` attempts, the
    send has failed. After ``breaker_threshold`` consecutive failures, only one probe request at a time is sent. If the
    outcome of a request is unknown, the platform is queried every ``ask_every``; the message is sent again only if it
    is still not found after ``not_found_grace``.

    Campaigns: a scheduled campaign is handed over ``lead_time`` before its start. If its start was missed by more than
    ``schedule_grace``, it is paused. With ``four_eyes``, nobody who contributed to a campaign can launch it.

    Recipients: a reply that is one of ``stop_words`` opts its sender out, one of ``start_words`` opts the sender back
    in (None: the words of ``protocol.texts.consent``). With ``suppress_transactional``, opting out stops single
    messages too. ``allowed_countries`` are all if it is None. If ``allowed_number_types`` is None, these are the
    reachable types, and those that an import into a campaign has switched on.

    Callbacks: if ``callback_networks`` are given, only they may call; ``callback_proxies`` are the networks of the
    project's own proxies, whose X-Forwarded-For is believed.

    Limits of campaigns: ``frequency_cap`` is how many campaign messages of the account a person may get. Before a batch
    would cost more than ``spending_limit`` allows, its campaign is paused. Single messages count for neither.

    Team: the addresses in ``notify`` get an e-mail when a campaign finishes, stalls, is paused because of a problem,
    waits for approval, is approved, or is sent back.

    ``prices`` are per message of a channel, and per part for SMS; ``viber_template`` is for Viber messages that matched
    an approved template. ``currency`` is that of the prices.

    ``audiences`` are dotted paths of functions of the project, by the name of the audience that each returns.

    Development: with ``redirect_to``, every request has this number instead of the recipient's. With
    ``allowed_numbers``, recipients that are not among them get nothing; an item that ends in ``*`` is a prefix.
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
    callback_max_bytes: int = 5 * 1024 * 1024
    callback_networks: tuple[Network, ...] = ()
    callback_proxies: tuple[Network, ...] = ()
    default_region: str | None = "UA"
    allowed_countries: frozenset[str] | None = None
    allowed_number_types: frozenset[NumberType] | None = None
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
    notify: tuple[str, ...] = ()
    suppress_transactional: bool = False
    frequency_cap: FrequencyCap | None = None
    spending_limit: SpendingLimit | None = None
    seen_codes: frozenset[int] = frozenset()
    code_names: Mapping[int, str] = field(default_factory=dict)
    stop_words: tuple[str, ...] | None = None
    start_words: tuple[str, ...] | None = None
    fetch_media: bool = False
    media_max_bytes: int = 25 * 1024 * 1024
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    currency: str = ""
    audiences: Mapping[str, str] = field(default_factory=dict)
    redirect_to: str = ""
    allowed_numbers: tuple[str, ...] | None = None

    @property
    def sender(self) -> str:
        """Who sends, and where to, as 32 hexadecimal digits: a message is found only by the same client there."""
        facts = (self.client_id, self.site, self.api_url, self.bulk_url)
        return blake2b(repr(facts).encode(), digest_size=16).hexdigest()


KEYS = frozenset(item.name.upper() for item in fields(Account)) - {"NAME"}
DEFAULTS = {item.name.upper(): item.default for item in fields(Account)}


@sensitive_variables()
def get_account(name: str = DEFAULT_ACCOUNT) -> Account:
    """Return the account with this name, with the current values from the settings and the environment.

    Raises ImproperlyConfigured for an unknown name or key, and for a value that is not allowed: with some values,
    messages could be sent twice or never.
    """
    configured = _configured_accounts()
    if name not in configured:
        known = ", ".join(sorted(map(str, configured)))
        raise ImproperlyConfigured(f"HYBER has no account {name!r}. Its accounts are: {known}.")
    account, errors = _read(name, configured[name])
    if account is None:
        raise ImproperlyConfigured(" ".join(f"{error.msg} {error.hint}" for error in errors))
    return account


def find_account(name: str) -> Account | None:
    """Return the account, or None if it is missing from the settings or invalid.

    Rows may refer to an account that was removed from the settings.
    """
    try:
        return get_account(name)
    except ImproperlyConfigured:
        return None


def find_prices(name: str) -> Mapping[str, Decimal]:
    """Return the prices of an account by channel, empty for an account that is not configured."""
    account = find_account(name)
    return account.prices if account else {}


def find_currency(name: str) -> str:
    """Return the currency of an account's prices, or "" if it is not configured."""
    account = find_account(name)
    return account.currency if account else ""


@sensitive_variables()
def account_names() -> list[str]:
    """Return the names of all configured accounts, including invalid ones, in the order of the setting."""
    return list(_configured_accounts())


@sensitive_variables()
def get_accounts() -> list[Account]:
    """Return all configured accounts. Raises ImproperlyConfigured if one of them is invalid."""
    return [get_account(name) for name in _configured_accounts()]


@sensitive_variables()
def find_accounts() -> list[Account]:
    """Return the valid accounts."""
    return inspect_accounts()[0]


@sensitive_variables()
def inspect_accounts() -> tuple[list[Account], list[Error]]:
    """Return the valid accounts, and the errors of the others."""
    read = [_read(name, given) for name, given in _configured_accounts().items()]
    return [account for account, _ in read if account], [error for _, errors in read for error in errors]


@sensitive_variables()
def find_account_by_token(token: str) -> Account | None:
    """Return the account of this callback token. Every token is compared in constant time.

    Raises ImproperlyConfigured if the token is unknown while an account is invalid: it may belong to that account, and
    after the answer 500 the platform may send the callback again.
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


class _Raw(dict[str, Any]):
    """The settings of an account as given. Error trackers collect the representations of variables: it hides values."""

    def __repr__(self) -> str:
        return f"<settings: {', '.join(map(str, self))}>"


def _configured_accounts() -> dict[str, _Raw]:
    # Read by another function: error trackers collect the variables of the one that raises.
    accounts = _raw_accounts()
    if accounts is None:
        raise ImproperlyConfigured('HYBER must be a dict of accounts, as in {"default": {"CLIENT_ID": "1234", ...}}.')
    return accounts


@sensitive_variables()
def _raw_accounts() -> dict[str, _Raw] | None:
    configured = getattr(settings, "HYBER", None) or {DEFAULT_ACCOUNT: {}}
    if not isinstance(configured, Mapping) or not all(isinstance(item, Mapping) for item in configured.values()):
        return None
    return {name: _Raw(given) for name, given in configured.items()}


# The valid accounts by name, each with the hash of what it was read from. Reading takes 150 µs, comparing 15, and one
# message needs its account eight times.
_known: dict[str, tuple[int, Account]] = {}


@sensitive_variables()
def _read(name: str, given: _Raw) -> tuple[Account | None, list[Error]]:
    """Return the account, or None and its errors."""
    variables = find_variables(name)
    source = hash(repr((dict(given), [(key, environ.Env.ENVIRON[variables[key]]) for key in sorted(variables)])))
    known = _known.get(name)
    if known and known[0] == source:
        return known[1], []
    account, errors = _parse(name, given, variables)
    if account:
        _known[name] = source, account
    return account, errors


@sensitive_variables()
def _parse(name: str, given: _Raw, variables: Mapping[str, str]) -> tuple[Account | None, list[Error]]:
    errors = [*_name_errors(name), *_unknown_keys(name, given)]
    values: dict[str, Any] = {}
    for key in sorted(KEYS & (given.keys() | variables.keys())):
        domain = DOMAINS[key]
        is_given = key in given
        value = given[key] if is_given else environ.Env.ENVIRON[variables[key]]
        try:
            values[key.lower()] = domain.read(value if is_given else domain.parse(value))
        except (TypeError, ValueError, OverflowError) as error:
            origin = "" if is_given else variables[key]
            errors.append(_wrong_value(name, key, describe_wrong(value, error), variable=origin))
    if errors:
        return None, errors
    account = Account(name=name, **values)
    errors += _lease_errors(account)
    return (None if errors else account), errors


def find_variables(name: str) -> dict[str, str]:
    """Return the environment variables that are set for an account, by key.

    They are named ``HYBER_<ACCOUNT>_<KEY>``. For the account "default", ``HYBER_<KEY>`` is read too. No other account
    uses it, because the login of one account is wrong for another.
    """
    found: dict[str, str] = {}
    ours = [variable for variable in environ.Env.ENVIRON if variable.startswith(ENVIRONMENT_PREFIX)]
    for prefix in environment_prefixes(name):
        keys = {variable.removeprefix(prefix): variable for variable in ours if variable.startswith(prefix)}
        found |= {key: variable for key, variable in keys.items() if key in KEYS}
    return found


def environment_prefixes(name: str) -> list[str]:
    """Return the beginnings of the environment variables of an account; the last one takes precedence."""
    own = f"{ENVIRONMENT_PREFIX}{re.sub(r'[^A-Z0-9]', '_', str(name).upper())}_"
    return [ENVIRONMENT_PREFIX, own] if name == DEFAULT_ACCOUNT else [own]


def _name_errors(name: object) -> Iterator[Error]:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_LENGTH:
        yield Error(
            f"HYBER has an account with the name {name!r}; a name must be text of 1 to {MAX_NAME_LENGTH} characters.",
            hint="Rename the account.",
            id=UNREADABLE,
        )


def _unknown_keys(name: str, given: Mapping[str, Any]) -> Iterator[Error]:
    unknown = sorted(str(key) for key in given.keys() - KEYS)
    if unknown:
        meant = [(key, nearest_key(key)) for key in unknown]
        hints = [f"Did you mean {found} instead of {key}?" for key, found in meant if found]
        yield Error(
            f"HYBER[{name!r}] has unknown keys: {', '.join(unknown)}.",
            hint=" ".join([*hints, "docs/reference/settings.rst lists all keys."]),
            id=UNREADABLE,
        )


def nearest_key(text: str) -> str:
    """Return the key that was probably meant, or ""."""
    return next(iter(difflib.get_close_matches(text.upper(), KEYS, n=1, cutoff=LEAST_SIMILARITY)), "")


def _wrong_value(name: str, key: str, wrong: str, *, variable: str) -> Error:
    origin = f", from the environment variable {variable}," if variable else ""
    default = DEFAULTS[key]
    is_plain = isinstance(default, int | float)
    return Error(
        f"HYBER[{name!r}][{key!r}]{origin} is {wrong}; it must be {DOMAINS[key].description}.",
        hint=f"Correct it, or omit it to use the default{f', {default}' if is_plain else ''}.",
        id=DOMAINS[key].check_id,
    )


def _lease_errors(account: Account) -> Iterator[Error]:
    """Check that a lease cannot end during a request: another worker would claim the batch and send it again."""
    connecting, reading = account.connect_timeout, account.read_timeout
    deadline = connecting + reading
    if account.lease <= deadline:
        yield Error(
            f"HYBER[{account.name!r}]['LEASE'] is {account.lease:g} seconds; it must be longer than one request to "
            f"the platform, {deadline:g} seconds, or two workers could send the same batch.",
            hint=f"One request may take CONNECT_TIMEOUT + READ_TIMEOUT = {connecting:g} + {reading:g} = {deadline:g} "
            f"seconds. Set LEASE above {deadline:g}, or lower the timeouts.",
            id="django_hyber.E011",
        )

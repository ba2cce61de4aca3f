"""The ``HYBER`` setting, account by account, and the environment variables that complete it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import combinations
from socket import inet_aton
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  Django's own name
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_hyber.checks.callbacks import check_callbacks
from django_hyber.conf import (
    ENVIRONMENT_PREFIX,
    KEYS,
    Account,
    account_names,
    environment_prefixes,
    find_accounts,
    inspect_accounts,
    nearest_key,
)
from django_hyber.conf.domains import UNREADABLE
from django_hyber.protocol.client import build_url

SENDING_KEYS = ("api_url", "bulk_url")
URL_KEYS = (*SENDING_KEYS, "reports_url")


@register("django_hyber")
def check_accounts(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Check the HYBER setting, account by account."""
    try:
        accounts, errors = inspect_accounts()
    except ImproperlyConfigured as error:
        hint = "docs/reference/settings.rst lists all keys."
        return [Error(str(error), hint=hint, id=UNREADABLE)]
    found: list[CheckMessage] = [*errors]
    for account in accounts:
        found += [*_check_credentials(account), *_check_urls(account), *_check_audiences(account)]
        found += check_callbacks(account)
    return [*found, *_check_shared_tokens(accounts), *_check_shared_clients(accounts), *_check_environment()]


@register("django_hyber", deploy=True)
def check_restrictions(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Warn, before a deployment, about settings that keep messages from their recipients."""
    try:
        accounts, _errors = inspect_accounts()
    except ImproperlyConfigured:
        return []
    found: list[CheckMessage] = []
    for account in accounts:
        if account.redirect_to:
            found.append(
                Warning(
                    f"HYBER[{account.name!r}] has REDIRECT_TO: no recipient gets a message, one number gets them all.",
                    hint="Remove it in production.",
                    id="django_hyber.W030",
                )
            )
        if account.allowed_numbers is not None:
            found.append(
                Warning(
                    f"HYBER[{account.name!r}] has ALLOWED_NUMBERS: messages to all other numbers are suppressed.",
                    hint="Remove it in production.",
                    id="django_hyber.W031",
                )
            )
    return found


@register("django_hyber", Tags.security, deploy=True)
def check_platform(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a deployment that sends to the sandbox: its messages seem to be delivered, and nobody gets them."""
    try:
        accounts = find_accounts()
    except ImproperlyConfigured:
        return []
    return [
        Error(
            f"HYBER[{account.name!r}][{key.upper()!r}] is the address of a sandbox: nobody gets the messages.",
            hint="Omit it to use the platform, or set the address that GMS gave you.",
            id="django_hyber.E024",
        )
        for account in accounts
        for key in URL_KEYS
        if _is_sandbox(urlsplit(getattr(account, key)).hostname or "")
    ]


def _is_sandbox(host: str) -> bool:
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost") or "sandbox" in host:
        return True
    address = _read_address(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _read_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address, also in the ways that only programs write: 127.1, 0x7f000001, ::ffff:127.0.0.1."""
    try:
        address = ip_address(host)
    except ValueError:
        try:
            return IPv4Address(inet_aton(host))
        except OSError:
            return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


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


def _check_shared_clients(accounts: list[Account]) -> Iterator[CheckMessage]:
    """Report accounts that may or may not be the same client of the platform: some rules depend on that."""
    hint = (
        "A report without an id may be about a message of any account with the same CLIENT_ID. Give accounts of one"
        " client the same CLIENT_ID and addresses, and others a CLIENT_ID and addresses of their own."
    )
    for first, second in combinations([account for account in accounts if account.client_id], 2):
        names = f"HYBER[{first.name!r}] and HYBER[{second.name!r}]"
        if first.client_id == second.client_id and first.four_eyes != second.four_eyes:
            yield Warning(
                f"{names} have the same CLIENT_ID, and only one of them has FOUR_EYES: a campaign that is moved to the "
                "other one needs no second person.",
                hint="Set FOUR_EYES for both.",
                id="django_hyber.W035",
            )
        for key in SENDING_KEYS:
            is_same_address = _address(first, key) == _address(second, key)
            if is_same_address == (first.client_id == second.client_id):
                continue
            if is_same_address:
                text = f"{names} send to the same {key.upper()}, but not with the same CLIENT_ID."
            else:
                text = f"{names} have the same CLIENT_ID, but not the same {key.upper()}."
            yield Warning(text, hint=hint, id="django_hyber.W032")
            break


def _address(account: Account, key: str) -> str:
    url = build_url(getattr(account, key), site=account.site, client_id=account.client_id)
    return url.rstrip("/").casefold()


def _check_credentials(account: Account) -> Iterator[CheckMessage]:
    missing = [key for key in ("client_id", "login", "password") if not getattr(account, key)]
    if missing:
        keys = ", ".join(key.upper() for key in missing)
        variable = environment_prefixes(account.name)[0] + missing[0].upper()
        yield Warning(
            f"HYBER[{account.name!r}] has no {keys}: nothing can be sent.",
            hint=f"Set it in HYBER or in the environment ({variable}). GMS issues it with the account.",
            id="django_hyber.W002",
        )


def _check_urls(account: Account) -> Iterator[CheckMessage]:
    for key in URL_KEYS:
        parts = urlsplit(getattr(account, key))
        if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
            yield Warning(
                f"HYBER[{account.name!r}][{key.upper()!r}] sends login and password unencrypted.",
                hint="Use https://.",
                id="django_hyber.W004",
            )


def _check_audiences(account: Account) -> Iterator[CheckMessage]:
    for name, path in account.audiences.items():
        try:
            is_function = callable(import_string(path))
        except ImportError as error:
            wrong = f"cannot be imported: {error}"
        else:
            if is_function:
                continue
            wrong = "is not a function"
        yield Error(
            f"HYBER[{account.name!r}]['AUDIENCES'][{name!r}] {wrong}.",
            hint="Set the dotted path of a function that returns a queryset or an Audience.",
            id="django_hyber.E033",
        )


def _check_environment() -> Iterator[CheckMessage]:
    """Report accounts that would read each other's variables, and variables that no account reads."""
    owners: dict[str, str] = {}
    for name in map(str, account_names()):
        for prefix in environment_prefixes(name):
            if owners.setdefault(prefix, name) != name:
                yield Error(
                    f"HYBER[{name!r}] and HYBER[{owners[prefix]!r}] read the same environment variables, {prefix}….",
                    hint="Rename one of the two accounts.",
                    id=UNREADABLE,
                )
    known = {prefix + key for prefix in owners for key in KEYS}
    for variable in sorted(environ.Env.ENVIRON):
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in known:
            yield from _check_unknown_variable(variable, owners)


def _check_unknown_variable(variable: str, owners: dict[str, str]) -> Iterator[CheckMessage]:
    """Report a variable whose name resembles one that is read. Others may belong to the project."""
    prefix = max((prefix for prefix in owners if variable.startswith(prefix)), key=len, default=ENVIRONMENT_PREFIX)
    key = nearest_key(variable.removeprefix(prefix))
    if key:
        hint = f"Did you mean {prefix}{key}?"
    elif any(variable.endswith(f"_{key}") for key in KEYS):
        hint = f"HYBER has no account of this name. Its accounts read variables that begin with {', '.join(owners)}."
    else:
        return
    yield Warning(f"The environment variable {variable} is not read by any account.", hint=hint, id="django_hyber.W023")

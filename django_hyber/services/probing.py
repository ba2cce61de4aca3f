from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django_hyber.conf import DEFAULT_ACCOUNT, Account, get_account, get_callback_url
from django_hyber.engine.clients import get_client
from django_hyber.engine.identifiers import new_extra_id
from django_hyber.protocol import HyberClient, HyberError, ReportNotFound

METHOD_NOT_ALLOWED = 405


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was tried."""

    subject: str
    is_good: bool
    text: str


def probe_account(name: str = DEFAULT_ACCOUNT) -> list[Finding]:
    """Try an account without sending anything: its settings, the platform's hosts, the login.

    Raises ImproperlyConfigured for an unknown account or a broken setting.
    """
    account = get_account(name)
    client = get_client(account)
    return [*_probe_settings(account), _probe("Sending", _reach, client), _probe("Reports", _ask_for_nothing, client)]


def _probe_settings(account: Account) -> Iterator[Finding]:
    missing = [key.upper() for key in ("client_id", "login", "password") if not getattr(account, key)]
    text = f"missing: {', '.join(missing)}" if missing else "client id, login and password are set"
    yield Finding(subject="Settings", is_good=not missing, text=text)
    if get_callback_url(account):
        text = f"reports are called back to {account.callback_base_url}"
    else:
        text = "CALLBACK_BASE_URL or CALLBACK_TOKENS is not set: the platform cannot report back"
    yield Finding(subject="Callbacks", is_good=bool(get_callback_url(account)), text=text)


def _probe(subject: str, attempt: Callable[[HyberClient], str], client: HyberClient) -> Finding:
    try:
        return Finding(subject=subject, is_good=True, text=attempt(client))
    except HyberError as error:
        return Finding(subject=subject, is_good=False, text=str(error))


def _reach(client: HyberClient) -> str:
    status = client.check()
    if status == METHOD_NOT_ALLOWED:
        return "the platform answers"
    return f"the platform answers, with HTTP {status} where 405 was expected"


def _ask_for_nothing(client: HyberClient) -> str:
    try:
        client.fetch_report(extra_id=new_extra_id())
    except ReportNotFound:
        return "the platform answers, and has no report of a message that was never sent"
    return "the platform answers"

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError

from django_hyber.checks.database import check_character_sets
from django_hyber.conf import DEFAULT_ACCOUNT, Account, get_account
from django_hyber.conf.addresses import get_callback_url
from django_hyber.db.transactions import database, db_connection
from django_hyber.errors import first_line
from django_hyber.protocol import HyberClient, HyberError
from django_hyber.reconcile.outcome_queries import query_known_messages, query_unknown_id
from django_hyber.reconcile.proof import Known
from django_hyber.sending.exchange import get_client
from django_hyber.sending.pace.breaker import release

METHOD_NOT_ALLOWED = 405
NO_SUCH_ADDRESS = (404, 410)
REDIRECTS = range(300, 400)
TOO_MANY = 429
SERVER_TROUBLE = 500


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check."""

    subject: str
    is_good: bool
    text: str


def probe_account(name: str = DEFAULT_ACCOUNT) -> list[Finding]:
    """Check an account without sending anything: its settings, the database, the platform's hosts, the login,
    and whether the outcome of a request whose answer was lost can be found out. If the login is accepted, a hold is
    lifted.

    Raises ImproperlyConfigured for an unknown or invalid account.
    """
    account = get_account(name)
    client = get_client(account)
    sending, unreachable = [*_probe_sending(client)], [*_probe_connection()]
    if unreachable:
        # The other checks note in the database what they find.
        return [*_probe_settings(account), *unreachable, *sending]
    reports = [*_probe_reports(account)]
    # Only the answer to a query shows that the login is accepted: the platform may answer 405 to anybody.
    is_accepted = reports[0].is_good and all(finding.is_good for finding in sending)
    hold = _lift_hold(account) if is_accepted else ()
    return [*_probe_settings(account), *_probe_database(), *sending, *reports, *hold]


def _probe_settings(account: Account) -> Iterator[Finding]:
    missing = [key.upper() for key in ("client_id", "login", "password") if not getattr(account, key)]
    text = f"missing: {', '.join(missing)}" if missing else "client id, login and password are set"
    yield Finding(subject="Settings", is_good=not missing, text=text)
    if get_callback_url(account):
        text = f"the platform sends reports to {account.callback_base_url}"
    else:
        text = "CALLBACK_BASE_URL or CALLBACK_TOKENS is not set: the platform cannot send reports"
    yield Finding(subject="Callbacks", is_good=bool(get_callback_url(account)), text=text)


def _probe_connection() -> Iterator[Finding]:
    try:
        db_connection().ensure_connection()
    except (DatabaseError, InterfaceError) as error:
        yield Finding(subject="Database", is_good=False, text=f"cannot be reached: {first_line(error)}")


def _probe_database() -> Iterator[Finding]:
    for message in check_character_sets(databases=[database()]):
        yield Finding(subject="Database", is_good=False, text=f"{message.msg} {message.hint}")


def _probe_sending(client: HyberClient) -> Iterator[Finding]:
    """Send a GET to a URL of single messages and one of campaigns: the platform answers 405 (method not allowed)."""
    yield _probe_url("Sending", "API_URL", client.api_url, client.check)
    yield _probe_url("Campaigns", "BULK_URL", client.bulk_url, client.check_bulk)


def _probe_url(subject: str, key: str, url: str, check: Callable[[], int]) -> Finding:
    try:
        status = check()
    except HyberError as error:
        return Finding(subject=subject, is_good=False, text=error.explanation)
    if status == METHOD_NOT_ALLOWED:
        return Finding(subject=subject, is_good=True, text="the platform answers")
    remedy = _remedy(status, key)
    if remedy:
        return Finding(subject=subject, is_good=False, text=f"{url} answers with HTTP {status}: {remedy}")
    text = f"the platform answers, with HTTP {status} where 405 was expected; if nothing is delivered, check {key}"
    return Finding(subject=subject, is_good=True, text=text)


def _lift_hold(account: Account) -> Iterator[Finding]:
    """Let an account send again whose login the platform had refused, instead of waiting for the next try."""
    if release(account.name):
        yield Finding(subject="Hold", is_good=True, text="lifted: the platform accepts the login again")


def _remedy(status: int, key: str) -> str:
    """Return what is wrong with the URL and how to fix it, or "" if it may still accept messages."""
    if status in NO_SUCH_ADDRESS:
        return f"this URL does not exist there. Correct CLIENT_ID and SITE, or {key} if you have set it"
    if status in REDIRECTS:
        return f"this is a redirect, which is not followed when sending. Set {key} to the target of the redirect"
    if status == TOO_MANY or status >= SERVER_TROUBLE:
        return "the platform is overloaded or has failed. Try again later; if it persists, contact GMS"
    return ""


def _probe_reports(account: Account) -> Iterator[Finding]:
    """Send the two queries by which a "not found" is believed: about an id that was never used and a known message."""
    unknown = query_unknown_id(account)
    if unknown.is_not_found:
        text = f"the platform answers, and has no report of a message that was never sent ({unknown.text})"
    elif unknown.is_found:
        text = "the platform reports on a message that was never sent. Correct REPORTS_URL"
    else:
        text = unknown.text
    yield Finding(subject="Reports", is_good=unknown.is_not_found, text=text)
    if unknown.is_not_found:
        is_good, text = _RESOLVES[query_known_messages(account)]
        yield Finding(subject="Unknown outcomes", is_good=is_good, text=text)


#: What the answer about a known message says about the resolution of unknown outcomes.
_RESOLVES = {
    Known.FOUND: (True, "can be resolved: a message that the platform has is found, and another one is not"),
    Known.NOT_FOUND: (
        False,
        "cannot be resolved: the platform does not find messages that it has accepted. Correct REPORTS_URL, or ask GMS"
        " how reports are found by extra_id",
    ),
    Known.NO_ANSWER: (False, "cannot be resolved: the platform does not answer about a message that it has accepted"),
    Known.NONE: (
        True,
        "cannot be resolved yet, which also means that a wrong REPORTS_URL would not be noticed. Check again when the"
        " platform has accepted a message",
    ),
}

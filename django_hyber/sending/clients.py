"""The one place that joins the settings and the wire."""

from __future__ import annotations

import threading

from django_hyber.conf import Account
from django_hyber.protocol import HyberClient

_local = threading.local()


def get_client(account: Account) -> HyberClient:
    """Return this thread's client of the account; its connections are kept open between requests."""
    clients: dict[str, tuple[dict[str, object], HyberClient]] = _local.__dict__.setdefault("clients", {})
    arguments = _arguments(account)
    known = clients.get(account.name)
    if known and known[0] == arguments:
        return known[1]
    if known:
        known[1].close()
    client = HyberClient(**arguments)  # type: ignore[arg-type]
    clients[account.name] = (arguments, client)
    return client


def _arguments(account: Account) -> dict[str, object]:
    names = (
        "client_id login password site api_url bulk_url reports_url connect_timeout read_timeout"  # as in HyberClient
    )
    return {name: getattr(account, name) for name in names.split()}

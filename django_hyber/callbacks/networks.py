"""Where a callback comes from: an optional list of networks for each account, also behind proxies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from django_hyber.conf import Account

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def is_allowed(account: Account, meta: Mapping[str, Any]) -> bool:
    """Return whether a request with these headers comes from one of CALLBACK_NETWORKS; without them, all may call."""
    if not account.callback_networks:
        return True
    address = client_address(meta, account.callback_proxies)
    return address is not None and _is_in(address, account.callback_networks)


def client_address(meta: Mapping[str, Any], proxies: Iterable[Network]) -> Address | None:
    """Return the address of the client, or None if it cannot be read.

    The last entry of X-Forwarded-For was written by the last proxy. An entry is believed only if all proxies behind it
    are known: a client may send any header.
    """
    trusted = tuple(proxies)
    forwarded = str(meta.get("HTTP_X_FORWARDED_FOR") or "")
    hops = [hop for hop in forwarded.split(",") if hop.strip()]
    address = _parse(str(meta.get("REMOTE_ADDR") or ""))
    while address is not None and hops and _is_in(address, trusted):
        address = _parse(hops.pop())
    return address


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _parse(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address

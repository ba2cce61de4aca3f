"""How the values of settings are read: from the settings module as they are, from the environment as text.

Each ``read_`` function returns a valid value, and each ``parse_`` function the value that a text of the environment
stands for. They raise ValueError, TypeError or OverflowError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, NoReturn
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from phonenumbers import SUPPORTED_REGIONS

from django_hyber.protocol.channels.content import CHANNELS
from django_hyber.protocol.phones.numbers import normalize_phone
from django_hyber.protocol.phones.types import NumberType

Network = IPv4Network | IPv6Network
#: The maximum of the columns with counts.
MAX_COUNT = 2**31 - 1
#: The longest period of a frequency cap, in days.
MAX_DAYS = 366
#: The key of PRICES for Viber messages whose text matched an approved template.
TEMPLATE_PRICE = "viber_template"
LENGTH_OF_CURRENCY = 3
TRUE, FALSE = frozenset({"true", "on", "ok", "y", "yes", "1"}), frozenset({"false", "off", "n", "no", "0"})
#: The length of the column with the name of an audience.
MAX_AUDIENCE_NAME = 100
#: The beginning of a number in international form.
_PREFIX = re.compile(r"[1-9][0-9]{0,13}")


class DescribedError(ValueError):
    """A value that is not allowed. The text describes it and contains no secret."""


class OutOfBoundsError(DescribedError):
    """A valid number outside of the domain. The text contains the number."""


@dataclass(frozen=True, kw_only=True)
class FrequencyCap:
    """At most so many campaign messages to a person within so many days."""

    messages: int
    days: int


@dataclass(frozen=True, kw_only=True)
class SpendingLimit:
    """What the campaigns of an account may cost in a day, and what one campaign may cost; None is no limit."""

    day: Decimal | None = None
    campaign: Decimal | None = None


def read_number(value: Any, *, least: float, most: float, is_whole: bool) -> float:
    """Return the number, or raise OutOfBoundsError."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise TypeError
    number = float(value)
    # Written this way, the comparison rejects NaN too.
    if not least <= number <= most or (is_whole and not number.is_integer()):
        raise OutOfBoundsError(str(value).strip())
    return int(number) if is_whole else number


def read_item(value: Any, *, least: float, is_whole: bool) -> float:
    """Return a number inside of a list or dict."""
    try:
        return read_number(value, least=least, most=MAX_COUNT, is_whole=is_whole)
    except OutOfBoundsError as error:
        raise OutOfBoundsError(f"wrong at {error}") from None


def _read_limits(value: Any, names: frozenset[str], *, most: float, is_whole: bool) -> dict[str, Any] | None:
    """Read a dict of limits above 0 by name, or None for no limit. An empty dict is a mistake."""
    if value is None or value == "":
        return None
    if not isinstance(value, Mapping):
        raise TypeError
    if not value:
        raise DescribedError("an empty dict")
    for name in value.keys() - names:
        raise DescribedError(f"wrong at the key {name!r}")
    for name, limit in value.items():
        number = read_item(limit, least=0, is_whole=is_whole)
        if not 0 < number <= most:
            raise OutOfBoundsError(f"wrong at {name!r}: {limit}")
    return dict(value)


def read_frequency_cap(value: Any) -> FrequencyCap | None:
    """Return the cap of a dict with both keys, or None."""
    limits = _read_limits(value, frozenset({"messages", "days"}), most=MAX_DAYS, is_whole=True)
    if limits is None:
        return None
    for name in sorted({"messages", "days"} - limits.keys()):
        raise DescribedError(f"without {name!r}")
    return FrequencyCap(messages=int(float(limits["messages"])), days=int(float(limits["days"])))


def read_spending_limit(value: Any) -> SpendingLimit | None:
    """Return the limits of a dict with at least one of the keys, or None."""
    limits = _read_limits(value, frozenset({"day", "campaign"}), most=MAX_COUNT, is_whole=False)
    if limits is None:
        return None
    return SpendingLimit(**{name: Decimal(str(limit)) for name, limit in limits.items()})


def read_flag(value: Any) -> bool:
    """Return a boolean, also from the words of environment variables such as "on" and "no"."""
    text = str(int(value) if isinstance(value, bool) else value).strip().lower()
    if text in TRUE or text in FALSE:
        return text in TRUE
    raise ValueError


def read_text(value: Any) -> str:
    """Return a text. A whole number is accepted too, such as a CLIENT_ID without quotes."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError
    return str(value)


def _read_items(value: Any) -> Iterator[Any]:
    if isinstance(value, str | bytes | Mapping):
        raise TypeError
    items: Iterator[Any] = iter(value)
    return items


def read_texts(value: Any) -> tuple[str, ...]:
    """Return the texts of a list."""
    return _read_each(value, read_text)


def _read_each(value: Any, read: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Read the items of a list; the error says which one is wrong."""
    found = []
    for number, item in enumerate(_read_items(value), start=1):
        try:
            found.append(read(item))
        except (TypeError, ValueError, OverflowError):
            raise DescribedError(f"wrong at item {number}") from None
    return tuple(found)


def _read_email(value: Any) -> str:
    address = read_text(value).strip()
    try:
        validate_email(address)
    except ValidationError:
        raise ValueError from None
    return address


def read_emails(value: Any) -> tuple[str, ...]:
    """Return valid addresses, each once."""
    return tuple(dict.fromkeys(_read_each(value, _read_email)))


def _read_network(value: Any) -> Network:
    return ip_network(read_text(value).strip(), strict=False)


def read_networks(value: Any) -> tuple[Network, ...]:
    """Return networks; a single address is a network of one."""
    return _read_each(value, _read_network)


def read_words(value: Any, *, is_usable: Callable[[str], bool]) -> tuple[str, ...] | None:
    """Read a list of words or phrases. One that no reply can match is a mistake."""
    if value is None:
        return None
    words = tuple(_read_items(value))
    for number, word in enumerate(words, start=1):
        if not isinstance(word, str) or not is_usable(word):
            raise DescribedError(f"wrong at item {number}")
    return words


def read_url(value: Any, *, may_be_empty: bool = False) -> str:
    """Return an http(s) URL to which paths can be added. Its placeholders are filled in later."""
    url = read_text(value)
    if may_be_empty and not url:
        return url
    parts = urlsplit(url)
    # Reading the port raises ValueError if it is not a number.
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0 or len(url.split()) != 1:
        raise ValueError
    if "@" in parts.netloc:
        # The login and the password would be in logs and error messages.
        raise DescribedError("an address that contains a login or a password")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise DescribedError("an address with a query or a fragment")
    if "{" in url.replace("{site}", "").replace("{client_id}", ""):
        raise DescribedError("an address with an unknown placeholder")
    return url


def read_region(value: Any) -> str | None:
    """Return a country by its two letters, or None for no default."""
    if value is None or value == "":
        return None
    region = read_text(value).upper()
    if region not in SUPPORTED_REGIONS:
        raise ValueError
    return region


def read_country(value: Any) -> str:
    """Return a country by its two letters."""
    country = read_region(value)
    if country is None:
        raise ValueError
    return country


def read_number_type(value: Any) -> NumberType:
    """Return the type with this name."""
    return NumberType(read_text(value).strip().lower())


def read_choice(value: Any, *, read: Callable[[Any], Any]) -> frozenset[Any] | None:
    """Read a list of allowed values, or None for no restriction. An empty list, which allows nothing, is refused."""
    if value is None or value == "":
        return None
    chosen = frozenset(_read_each(value, read))
    if not chosen:
        raise ValueError
    return chosen


def _read_code(value: Any) -> int:
    return int(read_item(value, least=-MAX_COUNT, is_whole=True))


def read_codes(value: Any) -> frozenset[int]:
    """Return the status codes of a list."""
    return frozenset(_read_each(value, _read_code))


def read_code_names(value: Any) -> dict[int, str]:
    """Return the texts of a dict by status code."""
    if not isinstance(value, Mapping):
        raise TypeError
    return {_read_code(code): read_text(text) for code, text in value.items()}


def read_prices(value: Any) -> dict[str, Decimal]:
    """Return the prices of a dict by channel."""
    if not isinstance(value, Mapping):
        raise TypeError
    for channel in value.keys() - {*CHANNELS, TEMPLATE_PRICE}:
        raise DescribedError(f"wrong at the channel {channel!r}")
    for price in value.values():
        read_item(price, least=0, is_whole=False)
    # Converted through a string, so that the float 0.1 becomes Decimal("0.1").
    return {channel: Decimal(str(price)) for channel, price in value.items()}


def parse_json(raw: str) -> Any:
    """Read JSON in which no key occurs twice: one of its values would be ignored."""
    return json.loads(raw, object_pairs_hook=_as_dict)


def _as_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DescribedError("JSON with the same key twice")
    return found


def read_currency(value: Any) -> str:
    """Return the three letters of a currency in capitals, or ""."""
    currency = read_text(value).strip().upper()
    if currency and not (len(currency) == LENGTH_OF_CURRENCY and currency.isascii() and currency.isalpha()):
        raise ValueError
    return currency


def read_phone_number(value: Any) -> str:
    """Return the digits of a valid number in international form, with or without "+", or ""."""
    text = read_text(value).strip()
    return normalize_phone(text if text.startswith("+") else f"+{text}", None) if text else ""


def _read_allowed_number(value: Any) -> str:
    """Return the digits of a number, or those of a prefix followed by an asterisk."""
    text = read_text(value).strip()
    if not text.endswith("*"):
        return read_phone_number(text) or _refuse()
    prefix = text.removesuffix("*").removeprefix("+").replace(" ", "")
    return f"{prefix}*" if _PREFIX.fullmatch(prefix) else _refuse()


def read_allowed_numbers(value: Any) -> tuple[str, ...] | None:
    """Return numbers and prefixes, or None for all numbers."""
    if value is None:
        return None
    return _read_each(value, _read_allowed_number)


def parse_given(raw: str) -> str:
    """Return the text of a limit. An empty one is refused: it could mean that everything is allowed, or nothing."""
    return raw if raw.strip() else _refuse()


def parse_given_list(raw: str) -> Any:
    """Split the text of a limit at commas. An empty one is refused, as by ``parse_given``."""
    return parse_list(parse_given(raw))


def _refuse() -> NoReturn:
    raise ValueError


def read_audiences(value: Any) -> dict[str, str]:
    """Return dotted paths by the name of the audience. They are imported where they are used."""
    if not isinstance(value, Mapping) or not all(isinstance(part, str) for pair in value.items() for part in pair):
        raise TypeError
    for name, path in value.items():
        if not 1 <= len(name) <= MAX_AUDIENCE_NAME or "." not in path or not path.replace(".", "_").isidentifier():
            raise ValueError
    return dict(value)


def read_throttle(value: Any) -> int | None:
    """Return recipients per minute, or None for no limit."""
    if value is None or value == "":
        return None
    return int(read_number(value, least=1, most=MAX_COUNT, is_whole=True))


def parse_list(raw: str) -> Any:
    """Split at commas."""
    return environ.Env.parse_value(raw, list)


def parse_choice(raw: str) -> Any:
    """Split at commas; an empty variable is None."""
    return parse_list(raw) if raw.strip() else None

"""The allowed values of each setting of an account: type, bounds and unit, in one table.

Most lower bounds prevent wrong behaviour: with a time of 0 or NaN, a message could be sent twice or never. Upper bounds
are limits of sockets, dates and database columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, NoReturn
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from phonenumbers import SUPPORTED_REGIONS

from django_hyber.conf.numbers import (
    MAX_COUNT,
    MAX_DAYS,
    DescribedError,
    read_frequency_cap,
    read_item,
    read_number,
    read_spending_limit,
)
from django_hyber.protocol.channels.content import CHANNELS
from django_hyber.protocol.phones.numbers import normalize_phone
from django_hyber.protocol.phones.types import NumberType
from django_hyber.protocol.texts.consent import is_start_word, is_stop_word

Network = IPv4Network | IPv6Network
MILLISECOND, MINUTE, HOUR, DAY = 0.001, 60, 3_600, 86_400
MONTH = 30 * DAY
GIGABYTE = 1024**3
MAX_BATCH_SIZE = 50_000
#: A callback with a single report has less. With a lower limit, reports would be refused for good.
LEAST_BYTES = 10_000
#: The key of PRICES for Viber messages whose text matched an approved template.
TEMPLATE_PRICE = "viber_template"
LENGTH_OF_CURRENCY = 3
#: Well below the maximum of the column that counts attempts.
MAX_ATTEMPTS = 1_000
TRUE, FALSE = frozenset({"true", "on", "ok", "y", "yes", "1"}), frozenset({"false", "off", "n", "no", "0"})

#: The length of the column with the name of an audience.
MAX_AUDIENCE_NAME = 100
#: The beginning of a number in international form.
_PREFIX = re.compile(r"[1-9][0-9]{0,13}")

UNREADABLE, BAD_URL, BAD_ORIGIN, BAD_NUMBER = (f"django_hyber.{number}" for number in ("E001", "E003", "E007", "E010"))


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The allowed values of a setting: a description, and a function that reads a value.

    ``read`` raises ValueError, TypeError or OverflowError for a value that is not allowed. It gets the value from the
    settings, or the result of ``parse`` for a text from the environment. ``check_id`` is the id of the system check.
    """

    description: str
    read: Callable[[Any], Any]
    parse: Callable[[str], Any] = str
    check_id: str = UNREADABLE


def describe_wrong(value: object, error: Exception) -> str:
    """Describe a value that is not allowed. Text is not repeated, because it may be a misplaced secret."""
    if isinstance(error, DescribedError):
        return str(error)
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return "text that cannot be read" if value.strip() else "empty"
    return f"a value of the type {type(value).__name__} that cannot be read"


def _read_flag(value: Any) -> bool:
    text = str(int(value) if isinstance(value, bool) else value).strip().lower()
    if text in TRUE or text in FALSE:
        return text in TRUE
    raise ValueError


def _read_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError
    return str(value)


def _read_items(value: Any) -> Iterator[Any]:
    if isinstance(value, str | bytes | Mapping):
        raise TypeError
    items: Iterator[Any] = iter(value)
    return items


def _read_texts(value: Any) -> tuple[str, ...]:
    return _read_each(value, _read_text)


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
    address = _read_text(value).strip()
    try:
        validate_email(address)
    except ValidationError:
        raise ValueError from None
    return address


def _read_emails(value: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_read_each(value, _read_email)))


def _read_network(value: Any) -> Network:
    return ip_network(_read_text(value).strip(), strict=False)


def _read_networks(value: Any) -> tuple[Network, ...]:
    return _read_each(value, _read_network)


def _read_words(value: Any, *, is_usable: Callable[[str], bool]) -> tuple[str, ...] | None:
    """Read a list of words or phrases. One that no reply can match is a mistake."""
    if value is None:
        return None
    words = tuple(_read_items(value))
    for number, word in enumerate(words, start=1):
        if not isinstance(word, str) or not is_usable(word):
            raise DescribedError(f"wrong at item {number}")
    return words


def _read_url(value: Any, *, may_be_empty: bool = False) -> str:
    url = _read_text(value)
    if may_be_empty and not url:
        return url
    parts = urlsplit(url)
    # Reading the port raises ValueError if it is not a number.
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0 or len(url.split()) != 1:
        raise ValueError
    if "@" in parts.netloc:
        # They would be in logs and error messages.
        raise DescribedError("an address that contains a login or a password")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise DescribedError("an address with a query or a fragment")
    if "{" in url.replace("{site}", "").replace("{client_id}", ""):
        raise DescribedError("an address with an unknown placeholder")
    return url


def _read_region(value: Any) -> str | None:
    if value is None or value == "":
        return None
    region = _read_text(value).upper()
    if region not in SUPPORTED_REGIONS:
        raise ValueError
    return region


def _read_country(value: Any) -> str:
    country = _read_region(value)
    if country is None:
        raise ValueError
    return country


def _read_number_type(value: Any) -> NumberType:
    return NumberType(_read_text(value).strip().lower())


def _read_choice(value: Any, *, read: Callable[[Any], Any]) -> frozenset[Any] | None:
    """Read a list of allowed values, or None for no restriction. An empty list would stop everything."""
    if value is None or value == "":
        return None
    chosen = frozenset(_read_each(value, read))
    if not chosen:
        raise ValueError
    return chosen


def _read_code(value: Any) -> int:
    return int(read_item(value, least=-MAX_COUNT, is_whole=True))


def _read_codes(value: Any) -> frozenset[int]:
    return frozenset(_read_each(value, _read_code))


def _read_code_names(value: Any) -> dict[int, str]:
    if not isinstance(value, Mapping):
        raise TypeError
    return {_read_code(code): _read_text(text) for code, text in value.items()}


def _read_prices(value: Any) -> dict[str, Decimal]:
    if not isinstance(value, Mapping):
        raise TypeError
    for channel in value.keys() - {*CHANNELS, TEMPLATE_PRICE}:
        raise DescribedError(f"wrong at the channel {channel!r}")
    for price in value.values():
        read_item(price, least=0, is_whole=False)
    # Converted through a string, so that the float 0.1 becomes Decimal("0.1").
    return {channel: Decimal(str(price)) for channel, price in value.items()}


def _parse_json(raw: str) -> Any:
    """Read JSON in which no key occurs twice: one of its values would be ignored."""
    return json.loads(raw, object_pairs_hook=_as_dict)


def _as_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DescribedError("JSON with the same key twice")
    return found


def _read_currency(value: Any) -> str:
    currency = _read_text(value).strip().upper()
    if currency and not (len(currency) == LENGTH_OF_CURRENCY and currency.isascii() and currency.isalpha()):
        raise ValueError
    return currency


def _read_number_to_call(value: Any) -> str:
    text = _read_text(value).strip()
    return normalize_phone(text if text.startswith("+") else f"+{text}", None) if text else ""


def _read_allowed_number(value: Any) -> str:
    """Return the digits of a number, or those of a prefix followed by an asterisk."""
    text = _read_text(value).strip()
    if not text.endswith("*"):
        return _read_number_to_call(text) or _refuse()
    prefix = text.removesuffix("*").removeprefix("+").replace(" ", "")
    return f"{prefix}*" if _PREFIX.fullmatch(prefix) else _refuse()


def _read_allowed_numbers(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    return _read_each(value, _read_allowed_number)


def _parse_allowed_numbers(raw: str) -> Any:
    """Refuse an empty variable: it may mean everybody as well as nobody."""
    return _parse_list(raw) if raw.strip() else _refuse()


def _refuse() -> NoReturn:
    raise ValueError


def _read_audiences(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(part, str) for pair in value.items() for part in pair):
        raise TypeError
    for name, path in value.items():
        if not 1 <= len(name) <= MAX_AUDIENCE_NAME or "." not in path or not path.replace(".", "_").isidentifier():
            raise ValueError
    return dict(value)


def _read_throttle(value: Any) -> int | None:
    if value is None or value == "":
        return None
    return int(read_number(value, least=1, most=MAX_COUNT, is_whole=True))


def _seconds(least: float, most: float) -> Domain:
    return Domain(
        description=f"a number of seconds from {least:,} to {most:,}",
        read=partial(read_number, least=least, most=most, is_whole=False),
        check_id=BAD_NUMBER,
    )


def _count(least: int, most: int, unit: str) -> Domain:
    return Domain(
        description=f"a whole number of {unit} from {least:,} to {most:,}",
        read=partial(read_number, least=least, most=most, is_whole=True),
        check_id=BAD_NUMBER,
    )


def _parse_list(raw: str) -> Any:
    return environ.Env.parse_value(raw, list)


def _parse_choice(raw: str) -> Any:
    return _parse_list(raw) if raw.strip() else None


_FLAG = Domain(description="True or False", read=_read_flag)
# Text is not parsed: a password may start with "$", which django-environ would treat as a reference.
_TEXT = Domain(description="text", read=_read_text)
_TEXTS = Domain(description="a list of texts", read=_read_texts, parse=_parse_list)
_NETWORKS = Domain(
    description='a list of networks or addresses, as in ["192.0.2.0/24", "2001:db8::1"]',
    read=_read_networks,
    parse=_parse_list,
)
_URL = Domain(description="an http(s) URL", read=_read_url, check_id=BAD_URL)

DOMAINS: Mapping[str, Domain] = {
    "CLIENT_ID": _TEXT,
    "LOGIN": _TEXT,
    "PASSWORD": _TEXT,
    "SITE": _TEXT,
    "API_URL": _URL,
    "BULK_URL": _URL,
    "REPORTS_URL": _URL,
    "CALLBACK_BASE_URL": Domain(
        description="the public http(s) origin of this project, as in https://shop.example, or empty",
        read=partial(_read_url, may_be_empty=True),
        check_id=BAD_ORIGIN,
    ),
    "CALLBACK_TOKENS": _TEXTS,
    "CALLBACK_MAX_BYTES": _count(LEAST_BYTES, GIGABYTE, "bytes"),
    "CALLBACK_NETWORKS": _NETWORKS,
    "CALLBACK_PROXIES": _NETWORKS,
    "DEFAULT_REGION": Domain(description='the two letters of a country, as in "UA", or None', read=_read_region),
    "ALLOWED_COUNTRIES": Domain(
        description='a list of the two letters of countries, as in ["UA", "PL"], or None',
        read=partial(_read_choice, read=_read_country),
        parse=_parse_choice,
    ),
    "ALLOWED_NUMBER_TYPES": Domain(
        description=f"a list of types of numbers ({', '.join(NumberType)}), or None",
        read=partial(_read_choice, read=_read_number_type),
        parse=_parse_choice,
    ),
    "CONNECT_TIMEOUT": _seconds(MILLISECOND, HOUR),
    "READ_TIMEOUT": _seconds(MILLISECOND, HOUR),
    "PHONE_AS_NUMBER": _FLAG,
    "BATCH_SIZE": _count(1, MAX_BATCH_SIZE, "recipients"),
    "SYNC_LIMIT": _count(0, MAX_COUNT, "recipients"),
    # Its lower bound depends on other settings and is checked in conf.py.
    "LEASE": replace(
        _seconds(MILLISECOND, DAY),
        description=f"a number of seconds above CONNECT_TIMEOUT + READ_TIMEOUT, up to {DAY:,}",
    ),
    "MAX_ATTEMPTS": _count(1, MAX_ATTEMPTS, "attempts"),
    # The delays double up to 15 minutes.
    "RETRY_DELAY": _seconds(MILLISECOND, 15 * MINUTE),
    "NOT_FOUND_GRACE": _seconds(MILLISECOND, DAY),
    "ASK_EVERY": _seconds(MILLISECOND, DAY),
    "PARALLEL_BATCHES": _count(1, MAX_COUNT, "requests"),
    "THROTTLE": Domain(
        description=f"a whole number of recipients a minute from 1 to {MAX_COUNT:,}, or None",
        read=_read_throttle,
        check_id=BAD_NUMBER,
    ),
    "BREAKER_THRESHOLD": _count(1, MAX_COUNT, "requests"),
    "LEAD_TIME": _seconds(0, MONTH),
    # Sweeps may be a minute apart. With a lower value, a campaign could count as missed before the next sweep.
    "SCHEDULE_GRACE": _seconds(MINUTE, MONTH),
    "FOUR_EYES": _FLAG,
    "NOTIFY": Domain(
        description='a list of e-mail addresses, as in ["marketing@shop.example"]', read=_read_emails, parse=_parse_list
    ),
    "SUPPRESS_TRANSACTIONAL": _FLAG,
    "SEEN_CODES": Domain(description="a list of whole numbers", read=_read_codes, parse=_parse_list),
    "CODE_NAMES": Domain(
        description='a dict of texts by code, as in {36001: "Blocked"}', read=_read_code_names, parse=_parse_json
    ),
    "STOP_WORDS": Domain(
        description='a list of words, as in ["stop", "no more"], or None',
        read=partial(_read_words, is_usable=is_stop_word),
        parse=_parse_choice,
    ),
    "START_WORDS": Domain(
        description='a list of words, as in ["start", "opt in"], or None',
        read=partial(_read_words, is_usable=is_start_word),
        parse=_parse_choice,
    ),
    "FETCH_MEDIA": _FLAG,
    "MEDIA_MAX_BYTES": _count(1, GIGABYTE, "bytes"),
    "PRICES": Domain(
        description=f"a dict of prices from 0 by channel ({', '.join((*CHANNELS, TEMPLATE_PRICE))}), "
        'as in {"sms": "0.98"}',
        read=_read_prices,
        parse=_parse_json,
    ),
    "FREQUENCY_CAP": Domain(
        description=f'a dict of whole numbers from 1 to {MAX_DAYS}, as in {{"messages": 3, "days": 7}}, or None',
        read=read_frequency_cap,
        parse=_parse_json,
    ),
    "SPENDING_LIMIT": Domain(
        description='a dict of amounts above 0 for "day", "campaign" or both, as in {"day": "500", "campaign": "200"}, '
        "or None",
        read=read_spending_limit,
        parse=_parse_json,
    ),
    "CURRENCY": Domain(description="the three letters of a currency, as in UAH, or empty", read=_read_currency),
    "AUDIENCES": Domain(
        description='a dict of dotted paths by name, as in {"customers": "shop.audiences.customers"}',
        read=_read_audiences,
        parse=_parse_json,
    ),
    "REDIRECT_TO": Domain(
        description='a phone number in international form, as in "380671234567", or empty', read=_read_number_to_call
    ),
    "ALLOWED_NUMBERS": Domain(
        description='a list of phone numbers in international form or beginnings of them, as in ["380671234567", '
        '"38050*"], or None; an empty list stands for nobody',
        read=_read_allowed_numbers,
        parse=_parse_allowed_numbers,
    ),
}

"""The allowed values of each setting of an account: type, bounds and unit, in one table.

Most lower bounds prevent wrong behaviour: with a time of 0 or NaN, a message could be sent twice or never. Upper bounds
are limits of sockets, dates and database columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django_hyber.conf.readers import (
    MAX_COUNT,
    MAX_DAYS,
    TEMPLATE_PRICE,
    DescribedError,
    parse_choice,
    parse_given,
    parse_given_list,
    parse_json,
    parse_list,
    read_allowed_numbers,
    read_audiences,
    read_choice,
    read_code_names,
    read_codes,
    read_country,
    read_currency,
    read_emails,
    read_flag,
    read_frequency_cap,
    read_networks,
    read_number,
    read_number_type,
    read_phone_number,
    read_prices,
    read_region,
    read_spending_limit,
    read_text,
    read_texts,
    read_throttle,
    read_url,
    read_words,
)
from django_hyber.protocol.channels.content import CHANNELS
from django_hyber.protocol.phones.types import NumberType
from django_hyber.protocol.texts.consent import is_start_word, is_stop_word

MILLISECOND, MINUTE, HOUR, DAY = 0.001, 60, 3_600, 86_400
MONTH = 30 * DAY
GIGABYTE = 1024**3
MAX_BATCH_SIZE = 50_000
#: A callback with a single report has less. With a lower limit, reports would be refused for good.
LEAST_BYTES = 10_000
#: Well below the maximum of the column that counts attempts.
MAX_ATTEMPTS = 1_000

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
        return "text that is not allowed" if value.strip() else "empty"
    return f"a value of the type {type(value).__name__} that is not allowed"


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


_FLAG = Domain(description="True or False", read=read_flag)
# Text is not parsed: a password may start with "$", which django-environ would treat as a reference.
_TEXT = Domain(description="text", read=read_text)
_TEXTS = Domain(description="a list of texts", read=read_texts, parse=parse_list)
_NETWORKS = Domain(
    description='a list of networks or addresses, as in ["192.0.2.0/24", "2001:db8::1"]',
    read=read_networks,
    parse=parse_list,
)
_URL = Domain(description="an http(s) URL", read=read_url, check_id=BAD_URL)

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
        read=partial(read_url, may_be_empty=True),
        check_id=BAD_ORIGIN,
    ),
    "CALLBACK_TOKENS": _TEXTS,
    "CALLBACK_MAX_BYTES": _count(LEAST_BYTES, GIGABYTE, "bytes"),
    "CALLBACK_NETWORKS": _NETWORKS,
    "CALLBACK_PROXIES": _NETWORKS,
    "DEFAULT_REGION": Domain(description='the two letters of a country, as in "UA", or None', read=read_region),
    "ALLOWED_COUNTRIES": Domain(
        description='a list of the two letters of countries, as in ["UA", "PL"], or None',
        read=partial(read_choice, read=read_country),
        parse=parse_given_list,
    ),
    "ALLOWED_NUMBER_TYPES": Domain(
        description=f"a list of types of numbers ({', '.join(NumberType)}), or None",
        read=partial(read_choice, read=read_number_type),
        parse=parse_given_list,
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
        read=read_throttle,
        parse=parse_given,
        check_id=BAD_NUMBER,
    ),
    "BREAKER_THRESHOLD": _count(1, MAX_COUNT, "requests"),
    "LEAD_TIME": _seconds(0, MONTH),
    # Sweeps may be a minute apart. With a lower value, a campaign could count as missed before the next sweep.
    "SCHEDULE_GRACE": _seconds(MINUTE, MONTH),
    "FOUR_EYES": _FLAG,
    "NOTIFY": Domain(
        description='a list of e-mail addresses, as in ["marketing@shop.example"]', read=read_emails, parse=parse_list
    ),
    "SUPPRESS_TRANSACTIONAL": _FLAG,
    "SEEN_CODES": Domain(description="a list of whole numbers", read=read_codes, parse=parse_list),
    "CODE_NAMES": Domain(
        description='a dict of texts by code, as in {36001: "Blocked"}', read=read_code_names, parse=parse_json
    ),
    "STOP_WORDS": Domain(
        description='a list of words, as in ["stop", "no more"], or None',
        read=partial(read_words, is_usable=is_stop_word),
        parse=parse_choice,
    ),
    "START_WORDS": Domain(
        description='a list of words, as in ["start", "opt in"], or None',
        read=partial(read_words, is_usable=is_start_word),
        parse=parse_choice,
    ),
    "FETCH_MEDIA": _FLAG,
    "MEDIA_MAX_BYTES": _count(1, GIGABYTE, "bytes"),
    "PRICES": Domain(
        description=f"a dict of prices from 0 by channel ({', '.join((*CHANNELS, TEMPLATE_PRICE))}), "
        'as in {"sms": "0.98"}',
        read=read_prices,
        parse=parse_json,
    ),
    "FREQUENCY_CAP": Domain(
        description=f'a dict of whole numbers from 1 to {MAX_DAYS}, as in {{"messages": 3, "days": 7}}, or None',
        read=read_frequency_cap,
        parse=parse_json,
    ),
    "SPENDING_LIMIT": Domain(
        description='a dict of amounts above 0 for "day", "campaign" or both, as in {"day": "500", "campaign": "200"}, '
        "or None",
        read=read_spending_limit,
        parse=parse_json,
    ),
    "CURRENCY": Domain(description="the three letters of a currency, as in UAH, or empty", read=read_currency),
    "AUDIENCES": Domain(
        description='a dict of dotted paths by name, as in {"customers": "shop.audiences.customers"}',
        read=read_audiences,
        parse=parse_json,
    ),
    "REDIRECT_TO": Domain(
        description='a phone number in international form, as in "380671234567", or empty', read=read_phone_number
    ),
    "ALLOWED_NUMBERS": Domain(
        description='a list of phone numbers in international form or beginnings of them, as in ["380671234567", '
        '"38050*"], or None; an empty list stands for nobody',
        read=read_allowed_numbers,
        parse=parse_given_list,
    ),
}

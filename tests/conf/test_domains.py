"""Every bound of every setting, as the system checks and the reader of an account apply it."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from decimal import Decimal

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.conf import KEYS, Account, get_account, inspect_accounts
from django_hyber.conf.domains import DOMAINS
from django_hyber.conf.readers import FrequencyCap, SpendingLimit

MINUTE, HOUR, DAY = 60, 3_600, 86_400
MONTH = 30 * DAY
MOST_IN_A_COLUMN = 2**31 - 1
#: The least and the most of each.
TIMES = {
    "CONNECT_TIMEOUT": (0.001, HOUR),
    "READ_TIMEOUT": (0.001, HOUR),
    "RETRY_DELAY": (0.001, 15 * MINUTE),
    "NOT_FOUND_GRACE": (0.001, DAY),
    "ASK_EVERY": (0.001, DAY),
    "LEAD_TIME": (0, MONTH),
    "SCHEDULE_GRACE": (MINUTE, MONTH),
}
COUNTS = {
    "BATCH_SIZE": (1, 50_000),
    "SYNC_LIMIT": (0, MOST_IN_A_COLUMN),
    "MAX_ATTEMPTS": (1, 1_000),
    "PARALLEL_BATCHES": (1, MOST_IN_A_COLUMN),
    "BREAKER_THRESHOLD": (1, MOST_IN_A_COLUMN),
    "THROTTLE": (1, MOST_IN_A_COLUMN),
    "CALLBACK_MAX_BYTES": (10_000, 1024**3),
    "MEDIA_MAX_BYTES": (1, 1024**3),
}
NUMBERS = [*TIMES, "LEASE", *COUNTS]
NO_NUMBERS = [True, False, "soon", " ", [], {}, b"5", float("nan"), float("inf"), -float("inf"), 10**400]
FLAGS = ["PHONE_AS_NUMBER", "FOUR_EYES", "SUPPRESS_TRANSACTIONAL", "FETCH_MEDIA"]
LISTS = ["CALLBACK_TOKENS", "STOP_WORDS", "START_WORDS"]
TEXTS = ["CLIENT_ID", "LOGIN", "PASSWORD", "SITE"]
URLS = ["API_URL", "BULK_URL", "REPORTS_URL", "CALLBACK_BASE_URL"]


def number_cases(table, *steps):
    """The values at the bounds, moved outwards by each step."""
    return [
        (key, bound + side * step)
        for key, bounds in table.items()
        for side, bound in zip((-1, 1), bounds, strict=True)
        for step in steps
    ]


REFUSED = [
    *number_cases(TIMES, 0.001, 1, MONTH),
    *number_cases(COUNTS, 1, MONTH),
    *((key, least + 1.5) for key, (least, _most) in COUNTS.items()),
    *((key, value) for key in NUMBERS for value in NO_NUMBERS),
    *((key, None) for key in NUMBERS if key != "THROTTLE"),
    ("LEASE", -1),
    ("LEASE", DAY + 1),
    *((key, value) for key in FLAGS for value in (None, "", "maybe", 2, 0.5, [])),
    *((key, value) for key in TEXTS for value in (None, True, 1.5, b"shop", ["shop"])),
    *((key, value) for key in URLS for value in (None, "shop.example", "ftp://shop.example", "https://", "https://[")),
    *((key, value) for key in URLS for value in ("https://shop.example:http", "https://shop .example", 5)),
    *((key, value) for key in LISTS for value in ("stop", [None], {"stop": 1}, 5)),
    ("CALLBACK_TOKENS", None),
    *((key, [value]) for key in ("STOP_WORDS", "START_WORDS") for value in ("", " ", "!", "\u200b", 5, True)),
    ("STOP_WORDS", ["basta", ""]),
    ("START_WORDS", ["✅"]),
    *(("DEFAULT_REGION", value) for value in ("UKR", "XX", True, ["UA"])),
    *(("ALLOWED_COUNTRIES", value) for value in ("UA", [], ["UKR"], [None], [""], {"UA": 1}, True, 380)),
    *(("ALLOWED_NUMBER_TYPES", value) for value in ("mobile", [], ["landline"], [None], {"mobile": 1}, True, 1)),
    *(("SEEN_CODES", value) for value in (None, "23001", ["x"], [1.5], [True], [10**400], 23001)),
    *(("CODE_NAMES", value) for value in (None, "x", [(1, "a")], {"x": "a"}, {1: None})),
    *(("CURRENCY", value) for value in (None, True, "U", "UAHH", "грн", "12A", "₴₴₴", ["UAH"])),
    *(("PRICES", value) for value in (None, 1, {"fax": 1}, {"sms": -0.01}, {"sms": "nan"}, {"sms": True})),
    *(("FREQUENCY_CAP", value) for value in ({}, 3, [3, 7], {"messages": 3}, {"messages": 3, "days": 7, "hours": 1})),
    *(("FREQUENCY_CAP", {"messages": value, "days": 7}) for value in (0, -1, 1.5, True, None, "three", 367)),
    *(("FREQUENCY_CAP", {"messages": 3, "days": value}) for value in (0, 367, 0.5, [7])),
    *(("SPENDING_LIMIT", value) for value in ({}, 500, "500", {"week": 1}, {"day": 1, "month": 2}, [("day", 1)])),
    *(("SPENDING_LIMIT", {"day": value}) for value in (0, -1, True, None, "a lot", "nan", "inf", 2**31)),
]
ACCEPTED = [
    *((key, bound, bound) for key, bounds in (TIMES | COUNTS).items() for bound in bounds),
    *((key, str(bound), bound) for key, bounds in (TIMES | COUNTS).items() for bound in bounds),
    ("LEASE", DAY, DAY),
    ("BATCH_SIZE", 500.0, 500),
    ("READ_TIMEOUT", Decimal("2.5"), 2.5),
    ("THROTTLE", None, None),
    ("THROTTLE", "", None),
    *((key, value, True) for key in FLAGS for value in (True, 1, "on", "TRUE", " yes ")),
    *((key, value, False) for key in FLAGS for value in (False, 0, "off", "False", "no")),
    ("CLIENT_ID", 1234, "1234"),
    ("API_URL", "http://[::1]:8900/{client_id}", "http://[::1]:8900/{client_id}"),
    ("CALLBACK_BASE_URL", "", ""),
    ("STOP_WORDS", ["stop"], ("stop",)),
    ("STOP_WORDS", None, None),
    ("STOP_WORDS", ["basta", "❌"], ("basta", "❌")),
    ("START_WORDS", [], ()),
    ("DEFAULT_REGION", "pl", "PL"),
    ("DEFAULT_REGION", None, None),
    ("ALLOWED_COUNTRIES", ["ua", "PL"], {"UA", "PL"}),
    *((key, value, None) for key in ("ALLOWED_COUNTRIES", "ALLOWED_NUMBER_TYPES") for value in (None, "")),
    ("ALLOWED_NUMBER_TYPES", ("mobile", "FIXED_LINE"), {"mobile", "fixed_line"}),
    ("SEEN_CODES", {"23001", 23002}, {23001, 23002}),
    ("CODE_NAMES", {"36001": "Blocked"}, {36001: "Blocked"}),
    ("CURRENCY", " uah ", "UAH"),
    ("CURRENCY", "", ""),
    ("PRICES", {"viber_template": "0.3"}, {"viber_template": Decimal("0.3")}),
    *((key, value, None) for key in ("FREQUENCY_CAP", "SPENDING_LIMIT") for value in (None, "")),
    ("FREQUENCY_CAP", {"messages": "3", "days": 7.0}, FrequencyCap(messages=3, days=7)),
    ("SPENDING_LIMIT", {"day": "500"}, SpendingLimit(day=Decimal(500))),
    ("SPENDING_LIMIT", {"day": 0.1, "campaign": 200}, SpendingLimit(day=Decimal("0.1"), campaign=Decimal(200))),
    ("PRICES", {"sms": 0.1, "viber": "0"}, {"sms": Decimal("0.1"), "viber": Decimal(0)}),
]


#: Of a type that no setting has, alone and inside of lists and dicts.
STRANGE = st.recursive(
    st.sampled_from([object(), b"5", 1j, Ellipsis, print]),
    lambda inner: (
        st.lists(inner, min_size=1) | st.dictionaries(st.sampled_from(["sms", "1", 36001]), inner, min_size=1)
    ),
)


def account_with(key, value):
    # Long enough for the longest timeout.
    return {"LEASE": DAY, key: value}


@pytest.mark.parametrize("key", sorted({key for key, _value in REFUSED}))
def test_value_outside_of_the_domain_is_refused_by_reader_and_check(settings, key):
    named = f"HYBER['default']['{key}']"
    for value in (value for refused, value in REFUSED if refused == key):
        settings.HYBER = {"default": account_with(key, value)}
        with pytest.raises(ImproperlyConfigured, match=rf"{re.escape(named)} is .+; it must be "):
            get_account()

        _accounts, errors = inspect_accounts()
        assert [error.msg.split(" ")[0] for error in errors] == [named], value
    errors = run_checks(tags=["django_hyber"])
    assert [error.msg.split(" ")[0] for error in errors if error.is_serious()] == [named]


@pytest.mark.parametrize("key", sorted({key for key, _value, _meant in ACCEPTED}))
def test_value_within_the_domain_is_read(settings, key):
    for value, meant in ((value, meant) for accepted, value, meant in ACCEPTED if accepted == key):
        settings.HYBER = {"default": account_with(key, value)}

        assert getattr(get_account(), key.lower()) == meant, value


@pytest.mark.parametrize("key", NUMBERS)
def test_number_of_the_environment_has_the_same_domain(settings, monkeypatch, key):
    settings.HYBER = {"default": {}}
    for value in ("-1", "nan", "inf", "1e400", "soon", " ", "true"):
        monkeypatch.setenv(f"HYBER_{key}", value)
        with pytest.raises(ImproperlyConfigured, match=f"from the environment variable HYBER_{key}, is "):
            get_account()


@pytest.mark.parametrize(
    ("key", "text"),
    [
        *((key, text) for key in FLAGS for text in ("", "maybe", "2")),
        ("PRICES", "{"),
        ("PRICES", json.dumps({"sms": -1})),
        ("CODE_NAMES", json.dumps(["Blocked"])),
        ("SEEN_CODES", "23001,seen"),
        ("SPENDING_LIMIT", ""),
        ("FREQUENCY_CAP", " "),
        *((key, "") for key in ("THROTTLE", "ALLOWED_COUNTRIES", "ALLOWED_NUMBER_TYPES", "ALLOWED_NUMBERS")),
        ("SPENDING_LIMIT", '{"day": 500, "day": 50}'),
        ("PRICES", '{"sms": 1, "sms": 2}'),
        ("DEFAULT_REGION", "UKR"),
        ("REPORTS_URL", ""),
    ],
)
def test_text_of_the_environment_that_cannot_be_read_is_refused(settings, monkeypatch, key, text):
    settings.HYBER = {"default": {}}
    monkeypatch.setenv(f"HYBER_{key}", text)
    with pytest.raises(ImproperlyConfigured, match=f"from the environment variable HYBER_{key}, is "):
        get_account()


@given(value=STRANGE)
def test_value_of_a_strange_type_is_refused_whatever_the_setting(value):
    for key in sorted(KEYS):
        with override_settings(HYBER={"default": account_with(key, value)}):
            accounts, errors = inspect_accounts()

        assert (accounts, [error.msg.split(" ")[0] for error in errors]) == ([], [f"HYBER['default']['{key}']"])


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("DEFAULT_REGION", "Ukraine", "text that is not allowed; it must be the two letters of a country"),
        ("PRICES", {"vibr": "0.45"}, "wrong at the channel 'vibr'"),
        ("ALLOWED_COUNTRIES", ["UA", "UKR"], "wrong at item 2"),
        ("CALLBACK_NETWORKS", ["10.0.0.0/8", "10.0.0.0/99"], "wrong at item 2"),
        ("SEEN_CODES", [23001, "x", "y"], "wrong at item 2"),
        ("ALLOWED_NUMBERS", ["380671234567", "secret"], "wrong at item 2"),
        ("FREQUENCY_CAP", {"messages": 3}, "without 'days'"),
        ("FREQUENCY_CAP", {"messages": 0, "days": 7}, "wrong at 'messages': 0"),
        ("SPENDING_LIMIT", {"weekly": 5}, "wrong at the key 'weekly'"),
        ("SPENDING_LIMIT", {}, "an empty dict"),
        ("PARALLEL_BATCHES", 0, "0; it must be a whole number of requests from 1"),
        ("FOUR_EYES", "perhaps", "text that is not allowed; it must be True or False"),
        ("API_URL", "https://shop:secret@hyber.im/1234", "an address that contains a login or a password"),
        ("CALLBACK_BASE_URL", "https://secret@shop.example", "an address that contains a login or a password"),
        ("BULK_URL", "https://hyber.im/?secret=1", "an address with a query or a fragment"),
        ("CALLBACK_BASE_URL", "https://shop.example/#here", "an address with a query or a fragment"),
        ("REPORTS_URL", "https://dr-{region}.hyber.im/{client_id}", "an address with an unknown placeholder"),
    ],
)
def test_wrong_value_is_described(settings, key, value, told):
    settings.HYBER = {"default": account_with(key, value)}
    with pytest.raises(ImproperlyConfigured) as caught:
        get_account()

    assert f"['{key}'] is {told}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_every_setting_has_a_domain():
    assert DOMAINS.keys() == KEYS


@pytest.mark.parametrize("item", [item for item in fields(Account) if item.name != "name"], ids=lambda item: item.name)
def test_every_default_is_in_the_domain(item):
    default = item.default_factory() if callable(item.default_factory) else item.default

    assert DOMAINS[item.name.upper()].read(default) == default


def test_number_that_is_refused_is_shown_with_its_bounds_and_the_default(settings):
    settings.HYBER = {"default": {"NOT_FOUND_GRACE": 0}}
    (error,) = (error for error in run_checks(tags=["django_hyber"]) if error.is_serious())

    assert error.msg == "HYBER['default']['NOT_FOUND_GRACE'] is 0; it must be a number of seconds from 0.001 to 86,400."
    assert error.hint == "Correct it, or omit it to use the default, 120."


def test_price_that_is_refused_is_shown(settings):
    settings.HYBER = {"default": {"PRICES": {"viber": 1, "sms": "-0.5"}}}
    with pytest.raises(ImproperlyConfigured, match=r"\['PRICES'\] is wrong at -0\.5; it must be a dict of prices"):
        get_account()

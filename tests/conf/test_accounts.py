from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import clear_script_prefix, get_script_prefix, set_script_prefix, set_urlconf
from django.utils import translation

from django_hyber.conf import KEYS, account_names, find_account_by_token, find_accounts, get_account, get_accounts
from django_hyber.conf.addresses import get_callback_url


def test_missing_key_falls_back_to_the_environment_and_then_to_the_default(settings, monkeypatch):
    settings.HYBER = {"default": {"CLIENT_ID": "from-settings"}}
    monkeypatch.setenv("HYBER_CLIENT_ID", "from-environment")
    monkeypatch.setenv("HYBER_LOGIN", "from-environment")
    account = get_account()

    assert (account.client_id, account.login, account.password) == ("from-settings", "from-environment", "")


def test_empty_string_in_the_settings_is_an_answer_and_not_a_gap(settings, monkeypatch):
    settings.HYBER = {"default": {"SITE": ""}}
    monkeypatch.setenv("HYBER_SITE", "from-environment")

    assert get_account().site == ""


def test_account_changes_at_once_with_a_value_inside_the_setting(settings):
    settings.HYBER = {"default": {"CALLBACK_TOKENS": ["a-token-of-the-first-hour"]}}
    before = get_account()
    settings.HYBER["default"]["CALLBACK_TOKENS"].insert(0, "a-token-of-the-second-hour")

    assert len(before.callback_tokens) == 1
    assert get_account().callback_tokens[0] == "a-token-of-the-second-hour"


def test_account_changes_at_once_with_the_environment(settings, monkeypatch):
    settings.HYBER = {"default": {}}
    seen = []
    for login in ("first", "second"):
        monkeypatch.setenv("HYBER_LOGIN", login)
        seen.append(get_account().login)

    assert seen == ["first", "second"]


def test_project_without_the_setting_is_configured_by_the_environment_alone(settings, monkeypatch):
    del settings.HYBER
    monkeypatch.setenv("HYBER_CLIENT_ID", "1234")

    assert [account.client_id for account in get_accounts()] == ["1234"]


def test_values_of_the_environment_get_their_types(settings, monkeypatch):
    settings.HYBER = {"default": {}}
    values = {
        "CALLBACK_TOKENS": "first-token,second-token",
        "CONNECT_TIMEOUT": "2.5",
        "DEFAULT_REGION": "",
        "PHONE_AS_NUMBER": "off",
        "SEEN_CODES": "23001,23002",
        "BATCH_SIZE": "500",
        "CODE_NAMES": '{"36001": "Blocked"}',
    }
    for key, value in values.items():
        monkeypatch.setenv(f"HYBER_{key}", value)
    account = get_account()

    assert account.callback_tokens == ("first-token", "second-token")
    assert account.connect_timeout == 2.5
    assert account.default_region is None
    assert account.phone_as_number is False
    assert account.seen_codes == {23001, 23002}
    assert account.batch_size == 500
    assert account.code_names == {36001: "Blocked"}


def test_password_of_the_environment_is_taken_as_it_is(settings, monkeypatch):
    settings.HYBER = {"default": {}}
    monkeypatch.setenv("HYBER_PASSWORD", "$HOME")

    assert get_account().password == "$HOME"


def test_default_region_none_means_international_numbers_only(settings):
    settings.HYBER = {"default": {"DEFAULT_REGION": None}}

    assert get_account().default_region is None


@pytest.mark.parametrize(
    ("hyber", "told"),
    [
        ({"default": {"CLIENT": "1"}}, "unknown keys: CLIENT"),
        ({"default": {"READ_TIMEOUT": "soon"}}, "READ_TIMEOUT"),
        ({"default": {"CALLBACK_TOKENS": "one-string"}}, "CALLBACK_TOKENS"),
        ({"other": {}}, "no account 'default'. Its accounts are: other"),
        ({"CLIENT_ID": "1"}, "dict of accounts"),
    ],
)
def test_mistake_in_the_setting_is_told_with_its_place(settings, hyber, told):
    settings.HYBER = hyber
    with pytest.raises(ImproperlyConfigured, match=told):
        get_account()


def test_secrets_are_not_in_the_representation(settings):
    settings.HYBER = {"default": {"PASSWORD": "pass-word", "CALLBACK_TOKENS": ["to-ken"]}}

    assert "pass-word" not in repr(get_account())
    assert "to-ken" not in repr(get_account())


def test_wrong_value_is_not_repeated_in_the_error(settings):
    settings.HYBER = {"default": {"READ_TIMEOUT": "secret-in-the-wrong-place"}}
    with pytest.raises(ImproperlyConfigured) as caught:
        get_account()

    assert "secret-in-the-wrong-place" not in str(caught.value)


def test_first_token_is_used_and_all_are_known(settings):
    settings.HYBER = {"default": {"CALLBACK_BASE_URL": "https://shop.example/", "CALLBACK_TOKENS": ["new", "old"]}}
    account = get_account()

    assert get_callback_url(account) == "https://shop.example/hyber/new/reports/"
    assert find_account_by_token("old") == account
    assert find_account_by_token("ol") is None


def test_token_is_known_beside_an_account_that_cannot_be_read(settings):
    settings.HYBER = {"broken": {"LEASE": 0}, "promo": {"CALLBACK_TOKENS": ["promo-token"]}}

    assert find_account_by_token("promo-token").name == "promo"


def test_token_that_may_belong_to_an_account_that_cannot_be_read_is_not_called_wrong(settings):
    settings.HYBER = {"default": {}, "broken": {"LEASE": 0, "CALLBACK_TOKENS": ["its-token"]}}
    with pytest.raises(ImproperlyConfigured, match=r"HYBER\['broken'\]\['LEASE'\]"):
        find_account_by_token("its-token")


def test_all_mistakes_of_an_account_are_in_the_error_with_what_to_do(settings):
    settings.HYBER = {"default": {"RETRY_DELAY": 0, "ASK_EVERY": -1}}
    with pytest.raises(ImproperlyConfigured) as caught:
        get_account()

    assert str(caught.value) == (
        "HYBER['default']['ASK_EVERY'] is -1; it must be a number of seconds from 0.001 to 86,400. "
        "Correct it, or omit it to use the default, 30. "
        "HYBER['default']['RETRY_DELAY'] is 0; it must be a number of seconds from 0.001 to 900. "
        "Correct it, or omit it to use the default, 5."
    )


def test_lease_that_ends_during_an_exchange_is_not_read(settings):
    settings.HYBER = {"default": {"LEASE": 70}}
    with pytest.raises(ImproperlyConfigured, match=r"CONNECT_TIMEOUT \+ READ_TIMEOUT = 10 \+ 60 = 70 seconds"):
        get_account()


def test_account_beside_a_broken_one_is_read(settings):
    settings.HYBER = {"broken": {"LEASE": 0}, "promo": {}}

    assert get_account("promo").name == "promo"
    assert [account.name for account in find_accounts()] == ["promo"]
    assert account_names() == ["broken", "promo"]


def test_without_an_origin_there_is_no_callback_url(settings):
    settings.HYBER = {"default": {"CALLBACK_TOKENS": ["new"]}}

    assert get_callback_url(get_account()) == ""


@pytest.fixture
def served(settings):
    """An account that is called back, in a project with the usual URLs."""
    settings.HYBER = {"default": {"CALLBACK_BASE_URL": "https://shop.example", "CALLBACK_TOKENS": ["new"]}}
    return "https://shop.example/hyber/new/reports/"


def test_callback_url_does_not_depend_on_the_script_name_of_the_web_server(served):
    set_script_prefix("/shop/")
    try:
        assert get_callback_url(get_account()) == served
        assert get_script_prefix() == "/shop/"
    finally:
        clear_script_prefix()


def test_callback_url_has_the_script_name_of_the_settings_in_every_process(settings, served):
    settings.FORCE_SCRIPT_NAME = "/shop"

    assert get_callback_url(get_account()) == "https://shop.example/shop/hyber/new/reports/"


def test_callback_url_does_not_depend_on_the_urlconf_of_the_request(served):
    set_urlconf("django.contrib.auth.urls")
    try:
        assert get_callback_url(get_account()) == served
    finally:
        set_urlconf(None)


def test_callback_url_does_not_depend_on_the_language_of_the_request(settings, served):
    settings.ROOT_URLCONF = "tests.conf.translated_urls"
    settings.LANGUAGE_CODE = "en"
    with translation.override("uk"):
        assert get_callback_url(get_account()) == "https://shop.example/en/hyber/new/reports/"


@pytest.mark.parametrize("code", ["en-us", "uk-ua", "uk"])
def test_callback_url_has_the_language_under_which_the_project_is_served(client, settings, served, code):
    settings.ROOT_URLCONF = "tests.conf.translated_urls"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
    settings.LANGUAGE_CODE = code
    path = urlsplit(get_callback_url(get_account())).path

    assert client.post(path, "[]", content_type="application/json").status_code != 404


def test_callback_url_of_the_language_without_a_prefix_has_none(settings, served):
    settings.ROOT_URLCONF = "tests.conf.partly_translated_urls"
    settings.LANGUAGE_CODE = "en-us"

    assert get_callback_url(get_account()) == served


def test_script_name_that_the_callback_url_lacks_is_logged_once(settings, served, caplog):
    set_script_prefix("/under-a-path/")
    try:
        for _ in range(2):
            get_callback_url(get_account())
    finally:
        clear_script_prefix()

    (record,) = caplog.records
    assert "/under-a-path/" in record.getMessage()
    assert "FORCE_SCRIPT_NAME" in record.getMessage()


def test_script_name_that_is_part_of_the_base_url_is_not_logged(settings, served, caplog):
    settings.HYBER["default"]["CALLBACK_BASE_URL"] = "https://shop.example/below"
    set_script_prefix("/below/")
    try:
        assert get_callback_url(get_account()) == "https://shop.example/below/hyber/new/reports/"
    finally:
        clear_script_prefix()

    assert caplog.records == []


def test_each_account_has_variables_of_its_own(settings, monkeypatch):
    settings.HYBER = {"default": {}, "promo": {}, "second-shop": {}}
    monkeypatch.setenv("HYBER_LOGIN", "main")
    monkeypatch.setenv("HYBER_PROMO_LOGIN", "promotions")
    monkeypatch.setenv("HYBER_SECOND_SHOP_LOGIN", "second")
    monkeypatch.setenv("HYBER_SECOND_SHOP_BATCH_SIZE", "7")

    assert [account.login for account in get_accounts()] == ["main", "promotions", "second"]
    assert [account.batch_size for account in get_accounts()] == [10_000, 10_000, 7]


def test_login_of_the_default_account_is_not_used_by_another(settings, monkeypatch):
    settings.HYBER = {"default": {}, "promo": {}}
    for key in ("LOGIN", "PASSWORD", "CLIENT_ID", "CALLBACK_TOKENS", "DEFAULT_PASSWORD"):
        monkeypatch.setenv(f"HYBER_{key}", "of-the-default-account")
    promo = get_account("promo")

    assert (promo.login, promo.password, promo.client_id, promo.callback_tokens) == ("", "", "", ())


def test_name_with_the_account_goes_before_the_short_one(settings, monkeypatch):
    settings.HYBER = {"default": {}}
    monkeypatch.setenv("HYBER_LOGIN", "short")
    monkeypatch.setenv("HYBER_DEFAULT_LOGIN", "long")

    assert get_account().login == "long"


def test_wrong_value_of_an_accounts_variable_is_told_with_the_variable(settings, monkeypatch):
    settings.HYBER = {"promo": {}}
    monkeypatch.setenv("HYBER_PROMO_LEASE", "soon")
    with pytest.raises(ImproperlyConfigured, match="from the environment variable HYBER_PROMO_LEASE, is "):
        get_account("promo")


def test_no_variable_can_mean_two_accounts():
    """With a key that ended in another, HYBER_PROMO_X_Y could be Y of "promo_x" and X_Y of "promo"."""
    assert [(key, other) for key in KEYS for other in KEYS if key.endswith(f"_{other}")] == []

from __future__ import annotations

import secrets

import pytest

from tests.checks.samples import found


@pytest.mark.parametrize(
    ("token", "weakness"),
    [
        ("short", "has 5 characters; at least 20 are required"),
        ("x7Kd92mQpLz4Rt8Wv1N", "has 19 characters; at least 20 are required"),
        ("with/slashes/in/it/0123", "has characters other than"),
        ("токен-0123456789-abcdef", "has characters other than"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "has fewer than 8 different characters"),
        ("12312312312312312312312312", "has fewer than 8 different characters"),
        ("qwertyuiopqwertyuiop", "repeats a shorter text"),
        ("a-long-random-token-of-your-own", "is an example that was to be replaced"),
        ("changeme-changeme-changeme", "is an example that was to be replaced"),
        ("CHANGE_ME_BEFORE_PRODUCTION", "is an example that was to be replaced"),
        ("hyber-callback-token-12345", "is an example that was to be replaced"),
    ],
)
def test_token_that_can_be_guessed_is_refused(settings, token, weakness):
    (error,) = found(settings, CALLBACK_TOKENS=["current-token-0123456789", token])

    assert (error.id, f"token 2 {weakness}" in error.msg) == ("django_hyber.E006", True)
    assert "secrets.token_urlsafe" in error.hint
    assert token not in str(error)


def test_random_tokens_are_accepted(settings):
    tokens = [secrets.token_urlsafe(24) for _ in range(1_000)] + [secrets.token_hex(16) for _ in range(1_000)]

    assert found(settings, CALLBACK_TOKENS=tokens) == []


def test_address_without_encryption_is_warned_about(settings):
    (warning,) = found(settings, CALLBACK_BASE_URL="http://shop.example")

    assert (warning.id, "unencrypted" in warning.msg) == ("django_hyber.W022", True)


def test_address_without_encryption_is_fine_while_developing(settings):
    settings.DEBUG = True

    assert found(settings, CALLBACK_BASE_URL="http://127.0.0.1:8000") == []


def test_address_that_is_redirected_to_https_is_refused(settings):
    settings.SECURE_SSL_REDIRECT = True
    (error,) = found(settings, CALLBACK_BASE_URL="http://shop.example")

    assert (error.id, "SECURE_SSL_REDIRECT" in error.msg) == ("django_hyber.E020", True)


def test_address_that_is_exempt_from_the_redirect_is_only_warned_about(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = [r"^hyber/"]

    assert [message.id for message in found(settings, CALLBACK_BASE_URL="http://shop.example")] == ["django_hyber.W022"]


def test_secure_address_is_not_redirected(settings):
    settings.SECURE_SSL_REDIRECT = True

    assert found(settings) == []


def test_address_without_the_www_that_is_prepended_is_refused(settings):
    settings.PREPEND_WWW = True
    (error,) = found(settings, CALLBACK_BASE_URL="https://shop.example:8443")

    assert (error.id, "https://www.shop.example:8443" in error.hint) == ("django_hyber.E020", True)
    assert found(settings, CALLBACK_BASE_URL="https://www.shop.example") == []


@pytest.mark.parametrize("allowed", [[], ["shop.test"], ["www.shop.example"], ["shop.example.com"]])
def test_address_on_a_host_that_is_not_allowed_is_refused(settings, allowed):
    settings.ALLOWED_HOSTS = allowed
    (error,) = found(settings)

    assert (error.id, error.hint) == ("django_hyber.E021", "Add 'shop.example' to ALLOWED_HOSTS.")


@pytest.mark.parametrize("allowed", [["shop.example"], [".shop.example"], ["*"], ["shop.test", "SHOP.example"]])
def test_address_on_a_host_that_is_allowed_is_accepted(settings, allowed):
    settings.ALLOWED_HOSTS = allowed

    assert found(settings, CALLBACK_BASE_URL="https://Shop.Example:8443/path") == []


@pytest.mark.parametrize(
    ("base", "script", "path"),
    [
        ("https://shop.example/hyber/", None, "/hyber/hyber/<token>/reports/"),
        ("https://shop.example/shop", "/shop", "/shop/shop/hyber/<token>/reports/"),
        (
            "https://shop.example/hyber/previous-token-987654321/reports/",
            None,
            "/hyber/<token>/reports/hyber/<token>/reports/",
        ),
    ],
)
def test_address_with_a_path_that_is_added_to_it_again_is_warned_about(settings, base, script, path):
    settings.FORCE_SCRIPT_NAME = script
    tokens = ["current-token-0123456789", "previous-token-987654321"]
    (warning,) = found(settings, CALLBACK_BASE_URL=base, CALLBACK_TOKENS=tokens)

    assert (warning.id, path in warning.msg) == ("django_hyber.W045", True)
    assert not [token for token in tokens if token in str(warning)]


def test_address_with_the_path_of_the_project_is_accepted(settings):
    assert found(settings, CALLBACK_BASE_URL="https://shop.example/shop") == []


@pytest.mark.parametrize("base", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_hosts_of_development_are_allowed_as_by_django(settings, base):
    settings.ALLOWED_HOSTS = []
    settings.DEBUG = True

    assert found(settings, CALLBACK_BASE_URL=base) == []

from __future__ import annotations

import io

import pytest
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from tests.checks.samples import GOOD, found

OTHER = GOOD | {"CALLBACK_TOKENS": ["another-token-0123456789"]}


def test_good_settings_are_not_complained_about(settings):
    assert found(settings) == []


@pytest.mark.parametrize(
    ("identifier", "changes"),
    [
        ("django_hyber.E001", {"CLIENT": "1234"}),
        ("django_hyber.W002", {"PASSWORD": ""}),
        ("django_hyber.E003", {"API_URL": "api.example/1234"}),
        ("django_hyber.W004", {"BULK_URL": "http://proxy.example/1234"}),
        ("django_hyber.E005", {"CALLBACK_TOKENS": []}),
        ("django_hyber.E006", {"CALLBACK_TOKENS": ["short"]}),
        ("django_hyber.E006", {"CALLBACK_TOKENS": ["with/slashes/in/it/0123"]}),
        ("django_hyber.E007", {"CALLBACK_BASE_URL": "shop.example"}),
        ("django_hyber.E009", {"CALLBACK_BASE_URL": "https://shop.example/" + "x" * 220}),
        ("django_hyber.E010", {"BATCH_SIZE": 50_001}),
        ("django_hyber.E011", {"LEASE": 70}),
    ],
)
def test_misconfiguration_has_an_id_and_a_hint(settings, identifier, changes):
    messages = found(settings, **changes)

    assert [message.id for message in messages] == [identifier]
    assert messages[0].hint
    assert "secret-word" not in str(messages[0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"API_URL": "https://hyber.example/{client_id}"}, "have the same CLIENT_ID, but not the same API_URL"),
        ({"BULK_URL": "https://hyber.example/{client_id}"}, "have the same CLIENT_ID, but not the same BULK_URL"),
        ({"SITE": "eu"}, "have the same CLIENT_ID, but not the same API_URL"),
        (
            {"CLIENT_ID": "99", "API_URL": "https://api-v2.hyber.im/1234"},
            "send to the same API_URL, but not with the same CLIENT_ID",
        ),
    ],
)
def test_accounts_that_may_be_the_same_client_of_the_platform_are_told(settings, changes, words):
    settings.HYBER = {"default": GOOD, "promo": OTHER | changes}
    (warning,) = run_checks(tags=["django_hyber"])

    assert (warning.id, words in warning.msg) == ("django_hyber.W032", True)
    assert "'default'" in warning.msg
    assert "'promo'" in warning.msg
    assert warning.hint


@pytest.mark.parametrize("changes", [{}, {"API_URL": "https://api-v2.hyber.im/1234/"}, {"CLIENT_ID": "99"}])
def test_accounts_that_are_surely_one_client_or_two_are_not_complained_about(settings, changes):
    settings.HYBER = {"default": GOOD, "promo": OTHER | changes}

    assert run_checks(tags=["django_hyber"]) == []


def test_local_sandbox_may_be_spoken_to_without_encryption(settings):
    assert found(settings, API_URL="http://127.0.0.1:8900/sandbox") == []


def test_missing_urls_are_told(settings):
    settings.ROOT_URLCONF = "django.contrib.auth.urls"

    assert [message.id for message in found(settings)] == ["django_hyber.E008"]


@pytest.mark.parametrize(("lease", "timeouts"), [(70, {}), (12, {"CONNECT_TIMEOUT": 2, "READ_TIMEOUT": 10.5})])
def test_lease_that_ends_during_an_exchange_is_refused(settings, lease, timeouts):
    (error,) = found(settings, LEASE=lease, **timeouts)

    assert error.id == "django_hyber.E011"
    assert error.msg.startswith(f"HYBER['default']['LEASE'] is {lease} seconds; it must be longer than one request")


def test_lease_that_is_refused_shows_what_it_has_to_exceed(settings):
    (error,) = found(settings, LEASE=12, CONNECT_TIMEOUT=2, READ_TIMEOUT=10.5)

    assert "CONNECT_TIMEOUT + READ_TIMEOUT = 2 + 10.5 = 12.5 seconds. Set LEASE above 12.5" in error.hint


def test_lease_just_above_an_exchange_is_enough(settings):
    assert found(settings, LEASE=12.6, CONNECT_TIMEOUT=2, READ_TIMEOUT=10.5) == []


def test_timeout_of_the_environment_counts_for_the_lease(settings, monkeypatch):
    monkeypatch.setenv("HYBER_READ_TIMEOUT", "290")

    assert [message.id for message in found(settings)] == ["django_hyber.E011"]


def test_every_mistake_of_every_account_is_named(settings):
    other = GOOD | {"CALLBACK_TOKENS": ["another-token-0123456789"]}
    settings.HYBER = {"default": GOOD | {"LEASE": 1}, "promo": other | {"ASK_EVERY": 0, "MAX_ATTEMPTS": 0, "LEAES": 1}}
    places = [message.msg.split(" ")[0] for message in run_checks(tags=["django_hyber"])]

    assert places == [
        "HYBER['default']['LEASE']",
        "HYBER['promo']",
        "HYBER['promo']['ASK_EVERY']",
        "HYBER['promo']['MAX_ATTEMPTS']",
    ]


def test_account_beside_a_broken_one_is_checked_too(settings):
    settings.HYBER = {"broken": GOOD | {"LEASE": 0}, "default": GOOD | {"CALLBACK_TOKENS": ["short"]}}

    assert [message.id for message in run_checks(tags=["django_hyber"])] == ["django_hyber.E010", "django_hyber.E006"]


@pytest.mark.parametrize("name", ["", "x" * 65, 1])
def test_name_that_no_column_holds_is_refused(settings, name):
    settings.HYBER = {name: GOOD}

    assert [message.id for message in run_checks(tags=["django_hyber"])] == ["django_hyber.E001"]


def test_token_of_two_accounts_is_refused(settings):
    settings.HYBER = {"default": GOOD, "promo": GOOD}

    assert [message.id for message in run_checks(tags=["django_hyber"])] == ["django_hyber.E014"]


# Django's own checks may ask the database what it can do.
@pytest.mark.django_db
def test_check_command_runs_them(settings):
    settings.HYBER = {"default": GOOD | {"CALLBACK_TOKENS": []}}
    with pytest.raises(SystemCheckError, match=r"django_hyber\.E005"):
        call_command("check", stdout=io.StringIO(), stderr=io.StringIO())


@pytest.mark.parametrize("key", ["API_URL", "BULK_URL", "REPORTS_URL"])
@pytest.mark.parametrize(
    "address",
    [
        *("http://127.0.0.1:8900/1234", "http://127.8.8.8/1234", "http://[::1]:8900/1234", "http://0.0.0.0:8900/1234"),
        *("http://127.1/1234", "http://2130706433/1234", "http://0x7f000001/1234", "http://[::ffff:127.0.0.1]/1234"),
        *("http://localhost./1234", "http://LOCALHOST:8900/1234", "http://0/1234"),
        *("http://localhost:8900/1234", "http://hyber.localhost/1234", "https://hyber-sandbox.shop.example/1234"),
    ],
)
def test_deployment_that_sends_to_a_sandbox_is_refused(settings, key, address):
    settings.HYBER = {"default": GOOD | {key: address}}
    messages = run_checks(tags=[Tags.security], include_deployment_checks=True)

    assert [message.id for message in messages if message.id.startswith("django_hyber")] == ["django_hyber.E024"]


def test_deployment_that_sends_to_the_platform_is_accepted(settings):
    settings.HYBER = {"default": GOOD}

    assert run_checks(tags=["django_hyber"], include_deployment_checks=True) == []


def test_unknown_key_is_shown_with_the_one_that_was_meant(settings):
    (error,) = found(settings, PASSWROD="secret-word", FOUREYES=True, BANANA=1)

    assert error.msg == "HYBER['default'] has unknown keys: BANANA, FOUREYES, PASSWROD."
    assert "Did you mean FOUR_EYES instead of FOUREYES? Did you mean PASSWORD instead of PASSWROD?" in error.hint
    assert "BANANA" not in error.hint


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("HYBER_PASWORD", "Did you mean HYBER_PASSWORD?"),
        ("HYBER_CLIENTID", "Did you mean HYBER_CLIENT_ID?"),
        ("HYBER_DEFAULT_LOGN", "Did you mean HYBER_DEFAULT_LOGIN?"),
        ("HYBER_PROMO_PRICE", "Did you mean HYBER_PROMO_PRICES?"),
        ("HYBER_PROMOTION_LOGIN", "HYBER has no account of this name."),
    ],
)
def test_misspelt_variable_of_the_environment_is_shown_with_the_name_that_was_meant(
    settings, monkeypatch, variable, hint
):
    monkeypatch.setenv(variable, "secret-value")
    settings.HYBER = {"default": GOOD, "promo": GOOD | {"CALLBACK_TOKENS": ["another-token-0123456789"]}}
    (warning,) = run_checks(tags=["django_hyber"])

    assert (warning.id, variable in warning.msg) == ("django_hyber.W023", True)
    assert warning.hint.startswith(hint)
    assert "secret-value" not in str(warning)


@pytest.mark.parametrize("variable", ["HYBER_LOG_LEVEL", "HYBER_DASHBOARD_COLOUR", "HYBERNATE", "HYBER_"])
def test_other_variables_of_a_project_are_none_of_our_business(settings, monkeypatch, variable):
    monkeypatch.setenv(variable, "x")

    assert found(settings) == []


def test_accounts_that_read_the_same_variables_are_refused(settings):
    settings.HYBER = {"promo-uk": GOOD, "promo_uk": GOOD | {"CALLBACK_TOKENS": ["another-token-0123456789"]}}
    (error,) = run_checks(tags=["django_hyber"])

    assert error.id == "django_hyber.E001"
    assert "['promo_uk'] and HYBER['promo-uk'] read the same environment variables, HYBER_PROMO_UK_" in error.msg


@pytest.mark.parametrize(
    ("identifier", "changes"),
    [("django_hyber.W030", {"REDIRECT_TO": "380671234567"}), ("django_hyber.W031", {"ALLOWED_NUMBERS": ["38067*"]})],
)
def test_restricted_account_is_warned_about_before_a_deployment_only(settings, identifier, changes):
    assert found(settings, **changes) == []
    settings.HYBER = {"default": GOOD | changes}
    messages = run_checks(tags=["django_hyber"], include_deployment_checks=True)

    assert [message.id for message in messages] == [identifier]
    assert "380671234567" not in str(messages)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("tests.store.audiences.nobody", "cannot be imported: Module"),
        ("no.such.module", "cannot be imported: No module named"),
        ("tests.store.audiences.__name__", "is not a function"),
    ],
)
def test_audience_that_cannot_be_asked_is_an_error(settings, path, wrong):
    settings.HYBER = {"default": GOOD | {"AUDIENCES": {"all": "tests.store.audiences.customers", "some": path}}}
    (error,) = run_checks(tags=["django_hyber"])

    assert error.id == "django_hyber.E033"
    assert f"HYBER['default']['AUDIENCES']['some'] {wrong}" in error.msg


def test_four_eyes_that_can_be_gone_round_are_warned_of(settings):
    settings.HYBER = {
        "default": GOOD | {"FOUR_EYES": True},
        "promo": GOOD | {"CALLBACK_TOKENS": ["another-token-0123456789"]},
    }

    assert [message.id for message in run_checks(tags=["django_hyber"])] == ["django_hyber.W035"]


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_proxies_that_are_everybody_are_refused(settings, network):
    settings.HYBER = {"default": GOOD | {"CALLBACK_NETWORKS": ["192.0.2.0/24"], "CALLBACK_PROXIES": [network]}}

    assert [message.id for message in run_checks(tags=["django_hyber"])] == ["django_hyber.E034"]

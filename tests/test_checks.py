from __future__ import annotations

import io

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError

GOOD = {
    "CLIENT_ID": "1234",
    "LOGIN": "shop",
    "PASSWORD": "secret-word",
    "CALLBACK_BASE_URL": "https://shop.example",
    "CALLBACK_TOKENS": ["current-token-0123456789"],
}
DATABASE_WORKERS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}


@pytest.fixture(autouse=True)
def workers(settings):
    settings.TASKS = DATABASE_WORKERS


def found(settings, **changes):
    account = {key: value for key, value in (GOOD | changes).items() if value is not None}
    settings.HYBER = {"default": account}
    return list(run_checks(tags=["django_hyber"]))


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


def test_local_sandbox_may_be_spoken_to_without_encryption(settings):
    assert found(settings, API_URL="http://127.0.0.1:8800/sandbox") == []


def test_missing_urls_are_told(settings):
    settings.ROOT_URLCONF = "django.contrib.auth.urls"

    assert [message.id for message in found(settings)] == ["django_hyber.E008"]


@pytest.mark.parametrize("tasks", [{}, {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}])
def test_immediate_backend_outside_of_debug_is_warned_about(settings, tasks):
    settings.TASKS = tasks

    assert [message.id for message in found(settings)] == ["django_hyber.W012"]


def test_immediate_backend_is_fine_while_developing(settings):
    settings.TASKS = {}
    settings.DEBUG = True

    assert found(settings) == []


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


def test_naive_times_are_refused(settings):
    settings.USE_TZ = False

    assert [message.id for message in found(settings)] == ["django_hyber.E013"]


def test_time_zone_of_the_project_has_to_be_known(settings):
    settings.TIME_ZONE = "Europe/Atlantis"
    (error,) = found(settings)

    assert (error.id, "'Europe/Atlantis'" in error.msg) == ("django_hyber.E015", True)


def test_machine_without_the_zones_of_phone_numbers_is_warned_about(settings, forget_zones):
    forget_zones(package=True)
    (warning,) = found(settings)

    assert warning.id == "django_hyber.W016"
    assert "such as Africa/Abidjan:" in warning.msg


def test_python_package_has_every_zone_that_the_machine_lacks(settings, forget_zones):
    forget_zones(package=False)

    assert found(settings) == []


# Django's own checks may ask the database what it can do.
@pytest.mark.django_db
def test_check_command_runs_them(settings):
    settings.HYBER = {"default": GOOD | {"CALLBACK_TOKENS": []}}
    with pytest.raises(SystemCheckError, match=r"django_hyber\.E005"):
        call_command("check", stdout=io.StringIO(), stderr=io.StringIO())

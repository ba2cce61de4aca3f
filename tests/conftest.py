from __future__ import annotations

import gc
import os
import random
import signal
import sys
import zoneinfo

import hypothesis
import pytest
from django.db import connection
from django.test import TransactionTestCase
from django.utils import timezone, translation

from django_hyber.codes import forget_request
from django_hyber.reconcile.outcome_queries import forget_controls
from django_hyber.sandbox import Sandbox
from django_hyber.signals import message_status_changed
from tests.tables import empty_tables

CLIENT_ID = "sandbox"
LOGIN = "sandbox"
PASSWORD = "sandbox-password"
TOKEN = "current-token-0123456789"
OLD_TOKEN = "previous-token-0123456789"

# A project that has installed the package has the plugin by its entry point.
pytest_plugins = ["django_hyber.pytest_plugin"]

# Another look of the admin is another project: see tox.ini.
collect_ignore = [] if "HYBER_TEST_THEME" in os.environ else ["themes"]

# Playwright keeps an event loop running in the thread of the test, where Django refuses to use the database otherwise.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

# A shell that starts tests in the background has them ignore Ctrl-C, and so would the programs that they stop with it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TransactionTestCase._fixture_teardown = empty_tables

# How quickly examples are made says how busy the machine is, and how many of them fit is chance. Neither is about the
# code. "thorough" is for a change of what they are about.
chance_and_load = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much]
anywhere = hypothesis.settings(deadline=None, suppress_health_check=chance_and_load)
hypothesis.settings.register_profile("quick", anywhere, max_examples=30)
hypothesis.settings.register_profile("thorough", anywhere, max_examples=500)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_addoption(parser):
    parser.addoption(
        "--another-database",
        action="store_true",
        help="leave out what is the same on every database: tests that use none, slow ones, and pages in a browser",
    )


def pytest_collection_modifyitems(config, items):
    is_another = config.getoption("--another-database")
    left_out = {item for item in items if is_of_another_database(item) or (is_another and not uses_database(item))}
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish():
    """Let the garbage collector search less often, and never through the tests themselves: it took a tenth of a run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 50)


def is_of_another_database(item):
    return any(
        item.get_closest_marker(name) is not None and connection.vendor != vendor
        for name, vendor in (("mariadb", "mysql"), ("postgresql", "postgresql"))
    )


def uses_database(item):
    is_marked = item.get_closest_marker("django_db") or "db" in item.fixturenames
    return is_marked and not item.get_closest_marker("browser") and not item.get_closest_marker("slow")


def pytest_runtest_teardown():
    """Undo what a request has activated in the thread, or the next test would speak Ukrainian by chance.

    It would also believe what the platform of this test has answered.
    """
    translation.deactivate()
    timezone.deactivate()
    forget_request()
    forget_controls()


@pytest.fixture(scope="session")
def running_sandbox():
    with Sandbox(client_id=CLIENT_ID, login=LOGIN, password=PASSWORD, latency=0.01) as running:
        yield running


@pytest.fixture
def sandbox(running_sandbox):
    """The platform's stand-in, in this process, on a free port; one for all tests, which forgets each at its end."""
    yield running_sandbox
    running_sandbox.reset()


def account_settings(sandbox: Sandbox, **changes: object) -> dict[str, object]:
    """The HYBER account that sends to this sandbox."""
    account: dict[str, object] = {
        "CLIENT_ID": CLIENT_ID,
        "LOGIN": LOGIN,
        "PASSWORD": PASSWORD,
        "API_URL": sandbox.url,
        "BULK_URL": sandbox.url,
        "REPORTS_URL": sandbox.url,
        "CALLBACK_TOKENS": [TOKEN, OLD_TOKEN],
        "CONNECT_TIMEOUT": 2,
        "READ_TIMEOUT": 5,
        "LEASE": 60,
        # Longer than any test: a retry comes when a test makes it due, however slow the machine is.
        "RETRY_DELAY": 60,
        "NOT_FOUND_GRACE": 0.001,
        "ASK_EVERY": 0.05,
    }
    return account | changes


@pytest.fixture
def platform(sandbox, settings):
    """The sandbox as the platform of the default account; nothing can call back."""
    settings.HYBER = {"default": account_settings(sandbox)}
    return sandbox


@pytest.fixture
def wired(live_server, sandbox, settings):
    """The sandbox as the platform, calling back to this project over real HTTP."""
    settings.HYBER = {"default": account_settings(sandbox, CALLBACK_BASE_URL=live_server.url)}
    return sandbox


@pytest.fixture
def forget_zones(monkeypatch):
    """A function that takes the time zones from this machine: the system's, and those of the Python package as well.

    Kyiv, where the tests live, stays, and so does UTC.
    """

    def forget(*, package):
        zoneinfo.ZoneInfo.clear_cache()
        kept.append(zoneinfo.ZoneInfo("Europe/Kyiv"))
        zoneinfo.reset_tzpath(to=())
        if package:
            for name in [name for name in sys.modules if name.startswith("tzdata.")]:
                monkeypatch.delitem(sys.modules, name)
            monkeypatch.setitem(sys.modules, "tzdata", None)

    # The cache of zones is weak.
    kept = []
    yield forget
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


@pytest.fixture
def chance(request):
    """Chance that can be repeated: a failure names its seed, and HYBER_SEED sets it."""
    seed = int(os.environ.get("HYBER_SEED") or random.randrange(1_000_000))
    request.node.add_report_section("setup", "seed", f"HYBER_SEED={seed}")
    return random.Random(seed)


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and os.environ.get("CI"):
        terminalreporter.write_line(f"CI must not skip anything, and {len(skipped)} tests were skipped.", red=True)


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == 0 and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def told_changes():
    """The changes of status that receivers have been told of."""
    changes = []

    def hear(message, old_status, new_status, **kwargs):
        changes.append((message.pk, old_status, new_status))

    message_status_changed.connect(hear)
    yield changes
    message_status_changed.disconnect(hear)

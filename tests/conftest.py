from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from django_hyber.sandbox import Sandbox

CLIENT_ID = "sandbox"
LOGIN = "sandbox"
PASSWORD = "sandbox-password"
TOKEN = "current-token-0123456789"
OLD_TOKEN = "previous-token-0123456789"

# Another look of the admin is another project: see tox.ini.
collect_ignore = [] if "HYBER_TEST_THEME" in os.environ else ["themes"]

# Playwright keeps an event loop running in the thread of the test, where Django refuses to use the database otherwise.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

# How long an example takes says how busy the machine is. "thorough" is for a change of what the properties are about.
patient = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("quick", patient, max_examples=30)
hypothesis_settings.register_profile("thorough", patient, max_examples=500)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture
def sandbox():
    """The platform's stand-in, in this process, on a free port."""
    with Sandbox(client_id=CLIENT_ID, login=LOGIN, password=PASSWORD, latency=0.01) as running:
        yield running


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
        "RETRY_DELAY": 0.05,
        "NOT_FOUND_GRACE": 0,
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

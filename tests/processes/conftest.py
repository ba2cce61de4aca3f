from __future__ import annotations

import sys
from contextlib import contextmanager

import pytest

from tests.conftest import OLD_TOKEN, TOKEN, account_settings
from tests.processes.programs import environment, free_port, serving

SMALL_TOKEN = "token-of-the-account-with-the-small-limit"
SMALL_LIMIT = 10_000
#: The sandbox's own code.
SEEN_CODES = [23099]
ACCOUNTS = {
    "default": {"CALLBACK_TOKENS": [TOKEN, OLD_TOKEN], "SEEN_CODES": SEEN_CODES},
    "small": {"CALLBACK_TOKENS": [SMALL_TOKEN], "CALLBACK_MAX_BYTES": SMALL_LIMIT},
}


@pytest.fixture(scope="session")
def server(django_db_setup, tmp_path_factory):
    """The origin of this project under gunicorn with two workers, on the database of the tests."""
    with gunicorn(tmp_path_factory) as origin:
        yield origin


@pytest.fixture
def busy_server(django_db_setup, tmp_path_factory):
    """The same with eight requests at once."""
    with gunicorn(tmp_path_factory, "--threads", "4") as origin:
        yield origin


@contextmanager
def gunicorn(tmp_path_factory, *more):
    port = free_port()
    # How long a request takes says how busy the machine is; the usual 30 seconds are not always enough for 4 MB.
    options = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--timeout", "120", "--no-control-socket", *more]
    program = [sys.executable, "-m", "gunicorn", *options, "django.core.wsgi:get_wsgi_application()"]
    origin = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("server") / "gunicorn.log"
    with serving(program, origin, log, env=environment(ACCOUNTS)):
        yield origin


@pytest.fixture
def hosted(server, sandbox, settings):
    """The sandbox as the platform, calling back to the server; it is the test that sends."""
    account = account_settings(sandbox, CALLBACK_BASE_URL=server, SEEN_CODES=SEEN_CODES, RETRY_DELAY=0.05)
    settings.HYBER = {"default": account}
    return sandbox

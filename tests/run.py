"""Run the tests on every database that is here: ``python tests/run.py [--all | --quick] [pytest arguments]``.

SQLite always; PostgreSQL and MariaDB when they answer at their usual place, or where HYBER_TEST_POSTGRES_URL,
HYBER_TEST_MARIADB_URL or DATABASE_URL says. With CI in the environment nothing may be left out.

By default what needs a browser, starts servers and workers or tries every combination is left out; ``--all`` runs
that too, and ``--quick`` only the core rules, on SQLite.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONNECT = "import django; django.setup(); from django.db import connection; connection.ensure_connection()"
CONNECT_TIMEOUT = 15
#: One worker more than there are cores, because tests wait for servers and deadlines; whoever is done first takes over.
WORKERS = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") or str((os.cpu_count() or 1) + 1)
PARALLEL = ("-n", WORKERS, "--dist", "worksteal")
WITHIN_MINUTES = ("-m", "not browser and not processes and not slow")
#: Ranks and reports, claims, retries, proof, launches, imports, callbacks, opt-outs, permissions.
CORE_RULES = (
    "tests/reports/test_intake.py",
    "tests/reports/test_matching.py",
    "tests/callbacks",
    "tests/sending/test_single.py",
    "tests/sending/test_hand_over.py",
    "tests/sending/test_takeovers.py",
    "tests/db",
    "tests/sending/pace/test_breaker.py",
    "tests/sending/test_send.py",
    "tests/reconcile/test_proof.py",
    "tests/campaigns/test_lifecycle.py",
    "tests/audience/test_recipients.py",
    "tests/audience/files",
    "tests/audience/test_opt_outs.py",
    "tests/admin/test_permissions.py",
    "tests/protocol/channels",
    "tests/protocol/test_masking.py",
)
BUILD_MYSQLCLIENT = """\
mysqlclient is built from source. That takes a C compiler, pkg-config and the headers of Python and MariaDB's client:
  Debian, Ubuntu  apt install build-essential pkg-config python3-dev libmariadb-dev
  Fedora          dnf install gcc pkgconf python3-devel mariadb-connector-c-devel
  macOS           brew install pkg-config mariadb-connector-c
Then: .venv/bin/python -m pip install -e ".[mariadb]"
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A database server that the tests can run on. ``driver`` is the module that Django needs for it."""

    name: str
    scheme: str
    variable: str
    usual_url: str
    port: int
    driver: str
    help: str = ""

    @property
    def named_url(self) -> str:
        """The URL that the environment names, or ""."""
        general = os.environ.get("DATABASE_URL", "")
        return os.environ.get(self.variable) or (general if general.startswith(self.scheme) else "")

    @property
    def url(self) -> str:
        return self.named_url or self.usual_url


SERVERS = (
    Server(
        name="PostgreSQL",
        scheme="postgres",
        variable="HYBER_TEST_POSTGRES_URL",
        usual_url="postgres://postgres@127.0.0.1:5432/postgres",
        port=5432,
        driver="psycopg",
    ),
    Server(
        name="MariaDB",
        scheme="mysql",
        variable="HYBER_TEST_MARIADB_URL",
        usual_url="mysql://root@127.0.0.1:3306/test",
        port=3306,
        driver="MySQLdb",
        help=BUILD_MYSQLCLIENT,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Result:
    name: str
    outcome: str
    is_failure: bool


def main(arguments: Sequence[str]) -> int:
    # A shell that starts this in the background has it ignore Ctrl-C, and so would programs that tests stop with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    match arguments:
        case ["--quick", *rest]:
            results = [run("SQLite", "", [*CORE_RULES, *rest])]
        case ["--all", *rest]:
            results = run_everywhere(rest)
        case _:
            results = run_everywhere([*WITHIN_MINUTES, *arguments])
    say("")
    for result in results:
        say(f"{result.name}: {result.outcome}")
    return int(any(result.is_failure for result in results))


def run_everywhere(arguments: Sequence[str]) -> list[Result]:
    return [run("SQLite", "", arguments), *(run_on(server, arguments) for server in SERVERS)]


def run_on(server: Server, arguments: Sequence[str]) -> Result:
    obstacle = find_obstacle(server)
    if not obstacle:
        # Coverage is measured on SQLite, where everything runs.
        others = [argument for argument in arguments if not argument.startswith("--cov")]
        return run(server.name, server.url, ["--another-database", *others])
    if server.named_url or os.environ.get("CI"):
        return Result(name=server.name, outcome=f"FAILED, {obstacle}", is_failure=True)
    return Result(name=server.name, outcome=f"skipped, {obstacle}", is_failure=False)


def run(name: str, url: str, arguments: Sequence[str]) -> Result:
    say(f"\nTests on {name}")
    start = time.monotonic()
    program = [sys.executable, "-m", "pytest", *PARALLEL, *arguments]
    ended = subprocess.run(program, cwd=ROOT, env=environment(url), check=False)
    if url and ended.returncode == pytest.ExitCode.NO_TESTS_COLLECTED:
        return Result(name=name, outcome="no test of these is for it", is_failure=bool(os.environ.get("CI")))
    minutes, seconds = divmod(round(time.monotonic() - start), 60)
    outcome = f"FAILED, pytest ended with {ended.returncode}" if ended.returncode else "passed"
    return Result(name=name, outcome=f"{outcome} ({minutes}:{seconds:02} minutes)", is_failure=bool(ended.returncode))


def find_obstacle(server: Server) -> str:
    """Say why the tests cannot run on this server; "" when they can."""
    if find_spec(server.driver) is None:
        return f"its Python driver ({server.driver}) is not installed. {server.help}".strip()
    place = urlsplit(server.url)
    host, port = place.hostname or "127.0.0.1", place.port or server.port
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError:
        return f"nothing answers on {host}:{port}"
    refusal = try_to_connect(server.url)
    return f"{host}:{port} does not let the tests in: {refusal}" if refusal else ""


def try_to_connect(url: str) -> str:
    """Connect as Django does, and return the last line of what went wrong, or ""."""
    probe = [sys.executable, "-c", CONNECT]
    try:
        subprocess.run(
            probe, cwd=ROOT, env=environment(url), capture_output=True, text=True, timeout=CONNECT_TIMEOUT, check=True
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {CONNECT_TIMEOUT} seconds"
    except subprocess.CalledProcessError as error:
        return str(error.stderr).strip().splitlines()[-1]
    return ""


def environment(url: str) -> dict[str, str]:
    # Hundreds of processes are started: each of them would compile the package anew if no bytecode could be kept.
    left_out = {"DATABASE_URL", "PYTHONDONTWRITEBYTECODE"}
    variables = {name: value for name, value in os.environ.items() if name not in left_out}
    named = {"DATABASE_URL": url} if url else {}
    return {**variables, **named, "DJANGO_SETTINGS_MODULE": "tests.settings"}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

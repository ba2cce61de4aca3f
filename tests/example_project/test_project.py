from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.processes.programs import running, wait_until

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "example_project" / "manage.py"
TIMEOUT = 150
SERVING = "goes on at "
# A demo that is told to expect the wrong thing of two outcomes, and does not wait long for it.
WRONG_EXPECTATIONS = """
import django
django.setup()
from django.core.management import execute_from_command_line
from shop.demo import journey, recipients
journey.TIMEOUT = 1
recipients.ENDS["seen"] = recipients.End(status="expired")
recipients.ENDS["expired"] = recipients.End(status="seen", channel="viber")
execute_from_command_line(["manage.py", "demo", "--exit", "--recipients=60", "--port=0", "--sandbox-port=0"])
"""


@dataclass(frozen=True, kw_only=True)
class Demo:
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    said: str

    @property
    def web(self):
        return self.said.split(SERVING)[1].split()[0]


@pytest.fixture
def environment(tmp_path):
    return environment_in(tmp_path)


@pytest.fixture(scope="module")
def taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def demo(tmp_path_factory, taken_port):
    """A demo that has played, and serves on."""
    with serving_demo(tmp_path_factory.mktemp("demo"), "--recipients=60", f"--port={taken_port}") as demo:
        yield demo


def environment_in(place):
    """The example's environment: SQLite in a file of its own, whatever database these tests run on."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HYBER_", "DJANGO_"))}
    places = [str(ROOT), str(MANAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {
        "DATABASE_URL": f"sqlite:///{place / 'example.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": os.pathsep.join(places),
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def serving_demo(place, *options):
    log = place / "demo.log"
    program = [sys.executable, MANAGE, "demo", "--sandbox-port=0", *options]
    environment = environment_in(place)
    with running(program, log, env=environment) as process:
        wait_until(
            lambda: process.poll() is not None or SERVING in log.read_text(), timeout=TIMEOUT, otherwise=log.read_text
        )
        assert process.poll() is None, log.read_text()
        yield Demo(process=process, environment=environment, said=log.read_text())


def run(*arguments, env):
    return subprocess.run(
        [sys.executable, *arguments], env=env, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )


def test_example_has_no_configuration_problems(environment):
    checked = run(MANAGE, "check", "--fail-level", "WARNING", env=environment)
    assert checked.returncode == 0, checked.stderr


def test_models_of_the_shop_are_in_its_migrations(environment):
    checked = run(MANAGE, "makemigrations", "--check", "--dry-run", env=environment)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.processes
def test_shop_passes_its_own_tests(environment):
    tests = run(MANAGE, "test", "shop", env=environment)
    assert tests.returncode == 0, tests.stderr
    assert re.search(r"Ran [1-9]", tests.stderr)


@pytest.mark.processes
def test_demo_ends_as_it_must(demo):
    assert "All 60 recipients and 4 orders ended as they must" in demo.said


@pytest.mark.processes
def test_demo_refuses_a_database_that_is_in_use(demo):
    another = run(MANAGE, "demo", "--exit", env=demo.environment)
    assert another.returncode == 1
    assert "DATABASE_URL" in another.stderr


@pytest.mark.processes
def test_demo_serves_at_another_port_where_its_own_is_taken(demo, taken_port):
    assert f":{taken_port}/" not in demo.web
    assert requests.get(demo.web, timeout=5).ok


@pytest.mark.processes
def test_demo_that_does_not_end_as_it_must_fails_and_says_why(environment):
    ended = run("-c", WRONG_EXPECTATIONS, env=environment)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "- seen: 2 of 2 are not expired." in ended.stdout
    assert "- expired: 2 of 2 are not seen by viber." in ended.stdout


@pytest.mark.processes
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_demo_that_is_stopped_leaves_nothing_running(tmp_path, stop):
    with serving_demo(tmp_path, "--recipients=1", "--port=0") as demo:
        assert requests.get(demo.web, timeout=5).ok
        demo.process.send_signal(stop)
        assert demo.process.wait(20) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(demo.web, timeout=5)

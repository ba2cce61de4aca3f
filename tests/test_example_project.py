from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.processes.programs import running

ROOT = Path(__file__).resolve().parent.parent
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


@pytest.fixture
def environment(tmp_path):
    """The example's environment: SQLite in a file of its own, whatever database these tests run on."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HYBER_", "DJANGO_"))}
    places = [str(ROOT), str(MANAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'example.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": os.pathsep.join(places),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def manage(environment):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, MANAGE, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    return run


def test_example_has_no_configuration_problems(manage):
    checked = manage("check", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr


def test_models_of_the_shop_are_in_its_migrations(manage):
    checked = manage("makemigrations", "--check", "--dry-run")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.processes
def test_shop_passes_its_own_tests(manage):
    tests = manage("test", "shop")
    assert tests.returncode == 0, tests.stderr
    assert re.search(r"Ran [1-9]", tests.stderr)


@pytest.mark.processes
def test_demo_ends_as_it_must(manage):
    demo = manage("demo", "--exit", "--recipients", "60", "--port", "0", "--sandbox-port", "0")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "All 60 recipients and 4 orders ended as they must" in demo.stdout


@pytest.mark.processes
def test_demo_refuses_a_database_that_is_in_use(manage):
    manage("migrate")
    add = "from django_hyber.models import Message; Message.objects.create(phone_number='380671234567', extra_id='a')"
    manage("shell", "-c", add)
    demo = manage("demo", "--exit")
    assert demo.returncode == 1
    assert "DATABASE_URL" in demo.stderr


@pytest.mark.processes
def test_demo_that_does_not_end_as_it_must_fails_and_says_why(environment):
    demo = subprocess.run(
        [sys.executable, "-c", WRONG_EXPECTATIONS],
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert demo.returncode == 1, demo.stdout + demo.stderr
    assert "- seen: 2 of 2 are not expired." in demo.stdout
    assert "- expired: 2 of 2 are not seen by viber." in demo.stdout


@pytest.mark.processes
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_demo_serves_until_it_is_stopped_and_leaves_nothing_running(environment, tmp_path, stop):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        arguments = [sys.executable, MANAGE, "demo", "--recipients=12", f"--port={port}", "--sandbox-port=0"]
        output = tmp_path / "output"
        with running(arguments, output, env=environment) as demo:
            web = _wait_for(output, SERVING)
            assert requests.get(web, timeout=5).ok
            assert f":{port}/" not in web
            demo.send_signal(stop)
            assert demo.wait(20) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(web, timeout=5)


def _wait_for(output, words):
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        text = output.read_text()
        if words in text:
            return text.split(words)[1].split()[0]
        time.sleep(0.2)
    raise AssertionError(f"{words!r} was not printed:\n{output.read_text()}")

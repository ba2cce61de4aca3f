"""Both commands, as processes of their own."""

import re
import signal
import subprocess
import sys

import pytest
import requests

from django_hyber.sandbox import OUTCOMES
from tests.processes.programs import END, PATIENCE, heeding_ctrl_c
from tests.sandbox.bodies import single

MODULE = ["-m", "django_hyber.sandbox"]
# The management command needs neither the settings nor the apps of a project.
MANAGE = """
import sys
from django.conf import settings
from django_hyber.management.commands.hyber_sandbox import Command
settings.configure()
Command().run_from_argv(["manage.py", "hyber_sandbox", *sys.argv[1:]])
"""


@pytest.fixture
def run():
    processes = []

    def run_sandbox(*arguments, how=MODULE):
        command = [sys.executable, *how, *arguments]
        with heeding_ctrl_c():
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield run_sandbox
    for process in processes:
        process.kill()
        process.communicate(timeout=END)


def read_welcome(process):
    lines = []
    while not lines or not lines[-1].startswith("Ledger:"):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line)
    return "".join(lines)


@pytest.fixture(params=[MODULE, ["-c", MANAGE]], ids=["module", "manage.py"])
def how(request):
    return request.param


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_it_is_told_to_stop(run, how, number):
    process = run("0", how=how)
    url = re.search(r"http://\S+/sandbox", read_welcome(process))[0]
    assert requests.post(url, json=single(), auth=("sandbox", "sandbox"), timeout=5).status_code == 200
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert out == "Hyber sandbox stopped.\n"
    assert err == ""


def test_prints_the_table_and_the_settings(run):
    welcome = read_welcome(run("0", "--client-id", "1234"))
    assert all(outcome.sentence in welcome for outcome in OUTCOMES.values())
    origin = re.search(r"(http://\S+)/1234", welcome)[1]
    assert f'"BULK_URL": "{origin}/{{client_id}}"' in welcome
    assert '"CLIENT_ID": "1234"' in welcome


def test_password_of_ones_own_is_accepted_and_not_printed(run):
    welcome = read_welcome(run("0", "--login", "shop", "--password", "tr0ub4dor"))
    assert "tr0ub4dor" not in welcome
    url = re.search(r"http://\S+/sandbox", welcome)[0]
    assert requests.post(url, json=single(), auth=("shop", "tr0ub4dor"), timeout=5).status_code == 200


def test_address_that_others_may_reach_is_warned_about(run, how):
    assert read_welcome(run("0.0.0.0:0", how=how)).startswith("WARNING: the sandbox listens on 0.0.0.0, ")


@pytest.mark.parametrize("address", ["0", ":0", "127.0.0.1:0", "localhost:0"])
def test_without_another_address_only_this_machine_is_served(run, address):
    welcome = read_welcome(run(address))

    assert "WARNING" not in welcome
    assert re.search(r"http://(127\.0\.0\.1|localhost):\d+/sandbox", welcome)


def test_options_reach_the_platform(run):
    url = re.search(r"http://\S+/sandbox", read_welcome(run("127.0.0.1:0", "--errors-as-200")))[0]
    answer = requests.post(url, json=single("92"), auth=("sandbox", "sandbox"), timeout=5)
    assert (answer.status_code, answer.json()["error_code"]) == (200, 36024)


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:"])
def test_address_that_is_none_is_told(run, how, address):
    process = run(address, how=how)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "cannot start" in err
    assert "Traceback" not in err

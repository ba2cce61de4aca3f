"""Other projects than that of the tests, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

WORKERS = {"BACKEND": "django_tasks_db.DatabaseBackend"}

pytestmark = pytest.mark.processes


@pytest.fixture
def run(tmp_path):
    """A function that runs a program with these settings and returns what it prints."""

    def run(settings, *program, **environment):
        environment |= {"TEST_FOLDER": str(tmp_path), "DJANGO_SETTINGS_MODULE": settings, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, *program],
            check=False,
            env=os.environ | environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.stderr + done.stdout

    return run


def test_project_without_admin_sessions_and_messages_sends_and_receives(run):
    output = run("tests.hosts.minimal", "tests/hosts/loop.py")

    assert "The message is delivered." in output
    assert "Traceback" not in output


def test_tables_may_be_in_another_database_than_the_users(run):
    output = run("tests.hosts.two_databases", "tests/hosts/admin_work.py")

    assert "Traceback" not in output
    assert output.splitlines()[-6:] == [
        "Answers: 302 302 200",
        "Campaign: finished Author known: True",
        "Messages: ['accepted']",
        "In hyber with users in default",
        "History: 200",
        "After the user was deleted: 302 [200, 200]",
    ]


@pytest.mark.parametrize("tasks", [{}, {"mail": WORKERS}, {"default": {**WORKERS, "QUEUES": ["mail"]}}])
def test_tasks_that_cannot_be_enqueued_are_told_at_the_start_without_a_traceback(run, tasks):
    output = run("tests.hosts.wrong_tasks", "-m", "django", "check", TEST_TASKS=json.dumps(tasks))

    assert "django_hyber.E017" in output
    assert "Traceback" not in output

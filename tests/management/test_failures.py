"""What cron and a monitoring see when something is wrong: one line, an exit code, and no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from django_hyber.management.commands import hyber_dispatch
from tests.docs.code import ROOT

#: Runs every command that works with the database, and prints how it has ended.
EVERY_COMMAND = """
import sys

import django
from django.core.management import CommandError, call_command

django.setup()
for arguments in (
    ["hyber_dispatch"],
    ["hyber_export", "1", "export.csv"],
    ["hyber_fetch_reports"],
    ["hyber_forget", "0671234567"],
    ["hyber_import_recipients", "1", __file__],
    ["hyber_purge", "--older-than", "30"],
    ["hyber_recount"],
    ["hyber_send_campaign", "1"],
    ["hyber_status"],
):
    try:
        call_command(*arguments)
    except CommandError as error:
        print(arguments[0], error.returncode, str(error).replace("\\n", " / "))
"""


def start(*arguments, database):
    known = {
        "DATABASE_URL": f"sqlite:///{database}",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | known,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("place", ["nowhere/db.sqlite3", "empty.sqlite3"], ids=["unreachable", "not migrated"])
def test_database_that_fails_ends_every_command_with_one_line(tmp_path, place):
    script = tmp_path / "script.py"
    script.write_text(EVERY_COMMAND)
    out, _err = start(script, database=tmp_path / place).communicate(timeout=300)

    lines = [line.split(" ", 2) for line in out.splitlines()]
    assert len(lines) == EVERY_COMMAND.count("    [")
    for command, code, told in lines:
        beginning, expected = (
            ("The state cannot be read", 2) if command == "hyber_status" else ("The database failed", 1)
        )
        assert told.startswith(f"{beginning}: "), command
        assert int(code) == expected, command
        assert " / " not in told, command


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("hyber_dispatch", "--interval", "-1"), "'-1' is not a number from 0 to "),
        (("hyber_dispatch", "--interval", "nan"), "'nan' is not a number from 0 to "),
        (("hyber_fetch_reports", "--rate", "0"), "'0' is not a number from 0.01 to "),
        (("hyber_fetch_reports", "--rate", "nan"), "'nan' is not a number from 0.01 to "),
        (("hyber_fetch_reports", "--limit", "-1"), "'-1' is not an integer from 0 to "),
        (("hyber_fetch_reports", "--margin", "9" * 14), f"'{'9' * 14}' is not an integer from 0 to "),
        (("hyber_send_campaign", "1", "--timeout", "nan"), "'nan' is not a number from 0 to "),
        (("hyber_check", "--timeout", "abc"), "'abc' is not a number from 0.1 to 3,600"),
        (("hyber_check", "--account", "shop"), "HYBER has no account 'shop'. Its accounts are: default."),
        (("hyber_sandbox", "99999"), "'99999' is not a port"),
    ],
)
def test_wrong_option_is_told_in_one_line(platform, arguments, told):
    with pytest.raises(CommandError) as raised:
        call_command(*arguments)

    assert told in str(raised.value)


@pytest.mark.django_db(transaction=True)
def test_sweep_with_a_broker_that_is_down_ends_with_one_line(platform, monkeypatch):
    def sweep():
        raise ConnectionError("no broker\nat all")

    monkeypatch.setattr(hyber_dispatch, "dispatch", sweep)
    with pytest.raises(CommandError, match=r"^The sweep is incomplete: ConnectionError: no broker$"):
        call_command("hyber_dispatch")


def test_loop_goes_on_while_the_database_is_down_and_ends_at_sigterm(tmp_path):
    loop = ("-m", "django", "hyber_dispatch", "--loop", "--interval", "0.1", "--skip-checks")
    process = start(*loop, database=tmp_path / "nowhere" / "db.sqlite3")
    failures = (line for line in process.stderr if "The sweep failed; the next one continues" in line)
    assert next(failures, None)
    assert next(failures, None)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)

    assert process.returncode == 0

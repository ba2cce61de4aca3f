"""The tutorial, followed word by word in an empty folder, with real processes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import django
import pytest

from tests.processes.programs import answers, free_port, running, wait_until

pytestmark = pytest.mark.processes
ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial.rst").read_text()
BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:   .*\n|\n)+)", re.MULTILINE)
#: What the test environment has already.
PREPARED = ("python -m venv", ". .venv", "pip install")


def blocks(language):
    return [textwrap.dedent(text).strip() + "\n" for name, text in BLOCK.findall(PAGE) if name == language]


def commands():
    lines = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    return [line for line in lines if not line.startswith(PREPARED)]


class Reader:
    """Somebody with an empty folder and the tutorial."""

    def __init__(self, folder):
        self.folder = folder
        self.ports = {"8900": str(free_port()), "8000": str(free_port())}
        tools = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        self.environment = {"PATH": tools, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "HOME": str(folder)}

    def local(self, text):
        """The text with the ports that are free here."""
        return re.sub("8900|8000", lambda found: self.ports[found[0]], text)

    def run(self, command, **options):
        completed = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )
        assert completed.returncode == 0, f"{command}\n{completed.stdout}\n{completed.stderr}"
        return completed.stdout

    def start(self, command):
        arguments = shlex.split(command)
        return running(
            [sys.executable, *arguments[1:]],
            self.folder / f"{arguments[2]}.log",
            cwd=self.folder,
            env=self.environment,
        )


@pytest.fixture
def reader(tmp_path):
    return Reader(tmp_path)


def test_reader_of_the_tutorial_sends_a_message_that_is_delivered(reader):
    start, migrate, make_user, sandbox, serve, check, shell = commands()
    settings, urls, send, see = map(reader.local, blocks("python"))

    reader.run(start)
    with (reader.folder / "shop" / "settings.py").open("a") as file:
        file.write(settings)
        if django.VERSION < (6, 0):
            file.write('INSTALLED_APPS += ["django_tasks"]\n')
    (reader.folder / "shop" / "urls.py").write_text(urls)
    reader.run(migrate)
    reader.run(make_user)
    with (
        reader.start(f"{sandbox} {reader.ports['8900']}"),
        reader.start(f"{serve} --noreload {reader.ports['8000']}"),
    ):
        wait_until(lambda: answers(f"http://127.0.0.1:{reader.ports['8900']}/"))
        wait_until(lambda: answers(f"http://127.0.0.1:{reader.ports['8000']}/admin/login/"))
        lines = reader.run(check).splitlines()
        assert lines
        assert [line for line in lines if not line.startswith("ok")] == []
        reader.run(shell, input=send)
        found = "from django_hyber.models import Message\nmessage = Message.objects.get()\n" + see
        wait_until(lambda: reader.run(shell, input=found).strip().endswith("delivered viber"))


def test_recipients_of_the_tutorial_are_what_it_says(db, tmp_path, platform):
    from django_hyber.services import import_recipients
    from tests.builders import make_campaign

    (recipients,) = blocks("text")
    path = tmp_path / "recipients.csv"
    path.write_text(recipients)
    campaign = make_campaign([])
    with path.open("rb") as file:
        report = import_recipients(campaign, file)

    assert (report.accepted, report.rejected_count) == (3, 1)

"""The archives contain the whole package, and a new project that follows the README sends a message."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import textwrap
import venv
import zipfile
from contextlib import closing
from pathlib import Path, PurePosixPath

import pytest

from tests.processes.programs import free_port, serving, wait_until

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parents[2]
INSTALLATION = (ROOT / "README.rst").read_text().split("\nInstall\n")[1].split("\nDocumentation\n")[0]
CODE_BLOCK = re.compile(r"^( *)\.\. code-block:: \w+\n\n((?:\1 .*\n|\n)+)", re.MULTILINE)
TIMEOUT = 300


def readme_block(mark):
    """Return the one code block of the installation section that holds the mark."""
    blocks = [textwrap.dedent(block) for _, block in CODE_BLOCK.findall(INSTALLATION)]
    (found,) = [block for block in blocks if mark in block]
    return found


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The wheel, built from the source archive, which is built from a clean copy of this checkout."""
    pytest.importorskip("build", reason="the package build is not installed")
    place = tmp_path_factory.mktemp("packaging")
    leave_out = shutil.ignore_patterns(
        ".git", ".venv", ".tox", ".*cache", "__pycache__", "build", "dist", "*.egg-info", "test-artifacts"
    )
    shutil.copytree(ROOT, place / "source", ignore=leave_out)
    # With the tools that are here: an environment of its own, made twice, takes longer than the archives.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", place / "dist", place / "source", env=os.environ)
    (wheel,) = (place / "dist").glob("*.whl")
    (source,) = (place / "dist").glob("*.tar.gz")
    return wheel, source


def run(*arguments, **options):
    ended = subprocess.run(
        [str(argument) for argument in arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
        **options,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def package_files():
    """Every file of the package, as in the checkout."""
    files = (path for path in (ROOT / "django_hyber").rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(ROOT).as_posix() for path in files}


def test_wheel_holds_the_whole_package_and_nothing_else(archives):
    with zipfile.ZipFile(archives[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert names == package_files()
    assert "django_hyber/py.typed" in names


def test_source_archive_holds_the_whole_source_and_nothing_that_was_made_from_it(archives):
    with tarfile.open(archives[1]) as source:
        names = {str(PurePosixPath(*PurePosixPath(each.name).parts[1:])) for each in source if each.isfile()}

    assert package_files() <= names
    assert {"README.rst", "CHANGELOG.rst", "CONTRIBUTING.rst", "LICENSE", "setup.cfg", "pyproject.toml"} <= names
    assert {"docs/index.rst", "example_project/manage.py", "tests/conftest.py", "Makefile", ".importlinter"} <= names
    assert not {name for name in names if name.endswith((".pyc", ".sqlite3")) or name.startswith("docs/_build/")}


class NewProject:
    """A project of somebody who installs the wheel into an environment of its own and follows the README."""

    def __init__(self, place, wheel):
        self.place = place
        venv.create(place / "venv", with_pip=True)
        self.python = place / "venv" / "bin" / "python"
        # Nothing of this checkout, its settings or its coverage may reach the project.
        ours = ("COV", "DATABASE_URL", "DJANGO_", "HYBER_", "PYTHON")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        # What is never imported need not be compiled.
        self.run("-m", "pip", "install", "--quiet", "--no-compile", wheel)
        self.run("-m", "django", "startproject", "shop", ".")

    def run(self, *arguments):
        return run(self.python, *arguments, cwd=self.place, env=self.environment)

    def append(self, name, code):
        with (self.place / "shop" / name).open("a") as file:
            file.write("\n" + code)

    def serving(self, name, url, *arguments):
        return serving([self.python, *arguments], url, self.place / f"{name}.log", cwd=self.place, env=self.environment)

    def configure(self, port, sandbox_port):
        """Follow the README; only the token and the ports differ."""
        settings = readme_block("INSTALLED_APPS").replace("a-long-random-token-of-your-own", secrets.token_urlsafe(24))
        self.append("settings.py", settings.replace(":8900", f":{sandbox_port}").replace(":8000", f":{port}"))
        if self.run("-m", "django", "--version").startswith("5."):
            self.append("settings.py", 'INSTALLED_APPS += ["django_tasks"]\n')
        self.append("urls.py", readme_block("urlpatterns"))

    def first_message(self):
        with closing(sqlite3.connect(self.place / "db.sqlite3")) as database:
            return database.execute("SELECT status, channel FROM django_hyber_message").fetchone()


def test_new_project_that_follows_the_readme_sends_a_message_that_is_delivered(archives, tmp_path):
    project = NewProject(tmp_path, archives[0])
    port, sandbox_port = free_port(), free_port()
    project.configure(port, sandbox_port)
    ledger = f"http://127.0.0.1:{sandbox_port}/_sandbox/ledger"
    with project.serving("sandbox", ledger, "manage.py", "hyber_sandbox", str(sandbox_port)):
        for line in readme_block("manage.py migrate").strip().splitlines():
            project.run(*line.removeprefix("$ python ").split())
        address = f"127.0.0.1:{port}"
        with project.serving("web", f"http://{address}/admin/", "manage.py", "runserver", "--noreload", address):
            project.run("manage.py", "shell", "-c", readme_block("send_message("))
            wait_until(lambda: project.first_message() == ("delivered", "viber"), otherwise=project.first_message)

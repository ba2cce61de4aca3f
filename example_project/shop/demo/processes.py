"""Web server and sandbox as processes of their own, which end with the demo."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests
from django.conf import settings

START_TIMEOUT = 30
STOP_TIMEOUT = 5
#: The sandbox shortens every TTL by this: the five minutes of an SMS pass in a second and a half.
TIME_SCALE = 0.005
HOST = "127.0.0.1"
MANAGE = str(settings.BASE_DIR / "manage.py")


class DidNotStart(Exception):  # noqa: N818 - says what happened
    """A process ended or stayed silent; the text holds the end of what it printed."""


def find_port(wanted: int) -> int:
    """Return the wanted port, or a free one when it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DidNotStart("No free port was found.")


@contextmanager
def sandbox(port: int, account: Mapping[str, object], log: Path) -> Iterator[None]:
    """Run the sandbox for as long as the block lasts."""
    names = ("client_id", "login", "password")
    options = [f"--{name.replace('_', '-')}={account[name.upper()]}" for name in names]
    arguments = ["-m", "django_hyber.sandbox", f"{HOST}:{port}", f"--time-scale={TIME_SCALE}", *options]
    with _running(arguments, {}, log) as process:
        _wait_until_it_answers(process, f"http://{HOST}:{port}/_sandbox/ledger", log)
        yield


@contextmanager
def web_server(port: int, account: Mapping[str, object], log: Path) -> Iterator[None]:
    """Run the project's web server, with this account, for as long as the block lasts."""
    with _running([MANAGE, "runserver", "--noreload", f"{HOST}:{port}"], _as_environment(account), log) as process:
        _wait_until_it_answers(process, f"http://{HOST}:{port}/admin/login/", log)
        yield


@contextmanager
def worker(account: Mapping[str, object], log: Path) -> Iterator[None]:
    """Run a worker of the database task backend for as long as the block lasts."""
    with _running([MANAGE, "db_worker", "--interval=0.1"], _as_environment(account), log):
        yield


def _as_environment(account: Mapping[str, object]) -> dict[str, str]:
    """Spell an account of the HYBER setting as environment variables."""
    return {f"HYBER_{key}": _as_text(value) for key, value in account.items()}


def _as_text(value: object) -> str:
    return ",".join(str(item) for item in value) if isinstance(value, list) else str(value)


@contextmanager
def _running(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            _stop(process)


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DidNotStart(f"{url} has ended. It said:\n{_end_of(log)}")
        try:
            requests.get(url, timeout=5)
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    raise DidNotStart(f"{url} has not answered for {START_TIMEOUT} seconds. It said:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

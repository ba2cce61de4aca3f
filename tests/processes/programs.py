"""Start real programs, wait for them, end them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import requests
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30
#: For what has been killed, or was told to end: it is gone in no time, and no test may wait for it for ever.
END = 10


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_until(condition, *, timeout=PATIENCE, pause=0.02, otherwise=lambda: "it did not come true in time"):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(pause)


def environment(accounts, **more):
    """What a process needs to work on the database of the running test."""
    return {
        **os.environ,
        **more,
        "DJANGO_SETTINGS_MODULE": "tests.processes.settings",
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
        "TEST_ACCOUNTS": json.dumps(accounts),
    }


@contextmanager
def running(arguments, log, *, cwd=ROOT, **options):
    """Run a program for as long as the block lasts. What it says goes to ``log``."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(argument) for argument in arguments],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **options,
        )
    try:
        yield process
    finally:
        stop(process)


@contextmanager
def serving(arguments, url, log, **options):
    """Run a server for as long as the block lasts; the block begins when the URL answers, whatever the answer."""
    with running(arguments, log, **options) as process:
        wait_until(lambda: process.poll() is not None or answers(url), pause=0.05, otherwise=log.read_text)
        assert process.poll() is None, log.read_text()
        yield process


def answers(url):
    try:
        requests.get(url, timeout=5)
    except requests.RequestException:
        return False
    return True


def stop(process):
    process.terminate()
    try:
        process.wait(END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(END)

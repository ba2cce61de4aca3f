"""Start real programs, wait for them, end them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
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
def heeding_ctrl_c():
    """Start programs that Ctrl-C ends, even where the shell that put the tests into the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def running(arguments, log, *, cwd=ROOT, **options):
    """Run a program for as long as the block lasts. What it says goes to ``log``."""
    with log.open("wb") as output, heeding_ctrl_c():
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


class Firewall:
    """Forwards connections to an address, and can forget them as firewalls do: silently, while new ones get through."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ends = []
        self.forgotten = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        # A thread that waits in accept() or recv() does not hear of a close.
        for end in (self.listener, *self.ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def accept(self):
        with suppress(OSError):
            while True:
                inside, _ = self.listener.accept()
                outside = socket.create_connection(self.target)
                self.ends += [inside, outside]
                for source, sink in ((inside, outside), (outside, inside)):
                    threading.Thread(target=self.forward, args=(source, sink), daemon=True).start()

    def forward(self, source, sink):
        with suppress(OSError):
            while data := source.recv(65_536):
                if source not in self.forgotten:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def forget(self):
        self.forgotten |= set(self.ends)

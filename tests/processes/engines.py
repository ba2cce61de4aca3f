"""The task backends that a project can choose, each with real workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid

import kombu
import pytest

from tests.processes.programs import END, environment

BROKERS = {
    "celery-rabbitmq": os.environ.get("HYBER_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    "celery-redis": os.environ.get("HYBER_TEST_REDIS_URL", "redis://127.0.0.1:6379/0"),
}
PROGRAM = [sys.executable, "-m", "django"]
CELERY = [
    *(sys.executable, "-m", "celery", "--app", "django_hyber.celery.app", "worker"),
    *("--concurrency", "1", "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"),
]
WORKERS = {
    # Nothing but the sweep: it sends what it finds due.
    "immediate": [*PROGRAM, "hyber_dispatch", "--loop", "--interval", "0.25"],
    "django-tasks-db": [*PROGRAM, "db_worker", "--interval", "0.05", "--no-startup-delay"],
    **dict.fromkeys(BROKERS, CELERY),
}
SWEEP = [*PROGRAM, "hyber_dispatch", "--loop", "--interval", "0.25"]


class Engine:
    """Starts and ends the processes of one backend, and reads what they said."""

    def __init__(self, name, accounts, folder):
        self.name = name
        self.folder = folder
        self.processes = []
        self.queue = f"hyber-test-{uuid.uuid4().hex}"
        self.use(accounts)

    def use(self, accounts):
        """Give the processes that are started from now on these accounts."""
        more = {"TEST_ENGINE": self.name, "TEST_BROKER": BROKERS.get(self.name, ""), "TEST_QUEUE": self.queue}
        self.environment = environment(accounts, **more)

    def start(self, program, **options):
        log = self.folder / f"{len(self.processes)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(argument) for argument in program],
                env=self.environment,
                stdin=options.get("stdin", subprocess.DEVNULL),
                stdout=output,
                stderr=subprocess.STDOUT,
                # A worker may have children; they must not outlive it.
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def start_worker(self):
        return self.start(WORKERS[self.name])

    def start_sweep(self):
        return self.start(SWEEP)

    def prepare(self, code):
        """Start a process of the project that runs the code as soon as the function returned is called."""
        program = [*PROGRAM, "shell", "--command", f"input()\n{code}"]
        process = self.start(program, stdin=subprocess.PIPE)

        def go():
            process.communicate(b"\n", timeout=60)
            assert process.returncode == 0, self.logs()

        return go

    def kill(self, process):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(END)

    def freeze(self, process, seconds):
        """Stop the process and its children for so long, as a host that is suspended does."""
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGCONT)

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                self.kill(process)
        if self.name in BROKERS:
            with kombu.Connection(BROKERS[self.name]) as broker:
                broker.default_channel.queue_delete(self.queue)

    def logs(self):
        return "\n".join(path.read_text(errors="replace")[-2_000:] for path in sorted(self.folder.glob("*.log")))


def needs_broker(name):
    if name not in BROKERS:
        return
    try:
        with kombu.Connection(BROKERS[name], connect_timeout=2) as broker:
            broker.ensure_connection(max_retries=1)
    except kombu.exceptions.OperationalError:
        pytest.skip(f"Nothing answers at {BROKERS[name]}: {name} has no broker.")

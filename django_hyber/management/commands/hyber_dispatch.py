from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError, close_old_connections

from django_hyber.log_events import LogEvent, log_failure
from django_hyber.management.base import LONGEST, HyberCommand, number, with_kind
from django_hyber.services import dispatch


class Command(HyberCommand):
    """Sweep once, or repeatedly until the process is stopped."""

    help = "Process everything that is due: new messages, retries, unknown outcomes, and the work of stopped workers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the options."""
        parser.add_argument("--loop", action="store_true", help="Repeat the sweep until SIGTERM or Ctrl-C.")
        parser.add_argument(
            "--interval",
            type=number(float, 0, LONGEST),
            default=5.0,
            help="Seconds between two sweeps (default: 5).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep. A sweep in progress is finished before the process ends."""
        if not options["loop"]:
            self._sweep_once()
            return
        stop = threading.Event()
        for stopping in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stopping, lambda *_: stop.set())
        while not stop.is_set():
            self._sweep_or_log()
            close_old_connections()
            stop.wait(options["interval"])

    def _sweep_once(self) -> None:
        try:
            self._sweep()
        except (DatabaseError, InterfaceError):
            raise
        except Exception as error:
            # The log has the step and the place.
            raise CommandError(f"The sweep is incomplete: {with_kind(error)}") from error

    def _sweep_or_log(self) -> None:
        try:
            self._sweep()
        # No error may end the loop: a broker or a database may be down for a while.
        except Exception as error:  # noqa: BLE001  it is logged
            log_failure(LogEvent.SWEEP_FAILED, error, "The sweep failed; the next one continues")

    def _sweep(self) -> None:
        done = dispatch()
        if done.total:
            self.stdout.write(
                f"{done.messages} messages, {done.batches} batches, {done.queries} queries, "
                f"{done.matched_reports} reports matched, {done.signals} signals"
            )
            # A file and a journal get whole blocks only, and the next line may be hours away.
            self.stdout.flush()

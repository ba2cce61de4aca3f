from __future__ import annotations

import logging
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from django_hyber.services import dispatch

logger = logging.getLogger("django_hyber")


class Command(BaseCommand):
    """Sweep once, or keep sweeping until the process is told to stop."""

    help = "Take up whatever is due: new and repeated attempts, unknown outcomes, work of stopped workers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the options."""
        parser.add_argument("--loop", action="store_true", help="Keep sweeping until SIGTERM or Ctrl-C.")
        parser.add_argument("--interval", type=float, default=5.0, help="Seconds between two sweeps (default: 5).")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep; a sweep under way is finished before the process ends."""
        if not options["loop"]:
            self._sweep()
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            self._sweep_or_log()
            close_old_connections()
            stop.wait(options["interval"])

    def _sweep_or_log(self) -> None:
        try:
            self._sweep()
        # Whatever it is, a broker that is down or a database that starts anew, it must not end the loop.
        except Exception:
            logger.exception("The sweep was cut off; the next one goes on")

    def _sweep(self) -> None:
        done = dispatch()
        if done.total:
            self.stdout.write(
                f"{done.messages} messages, {done.batches} batches, {done.questions} questions, "
                f"{done.matched_reports} reports matched, {done.signals} signals"
            )

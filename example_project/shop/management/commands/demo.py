"""``manage.py demo``: the main job on real wires, with numbers that prove it."""

from __future__ import annotations

import logging
import signal
import sys
import time
from typing import Any

import requests
from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop.demo import journey, table
from shop.demo.admin_client import AdminRefused
from shop.demo.processes import DidNotStart
from shop.demo.recipients import MOST

INTERRUPTED = 130
LOGGERS = ("django_hyber", "django.tasks", "django_tasks")
INVITATION = """
The shop goes on at {web}/admin/ until Ctrl-C. Log in as {username} / {password} and look at:
  Campaigns: how "Autumn sale" went, by status; a campaign of your own can be written, filled and sent
  Messages:  which channel won, and every delivery report as it came
  Orders:    set one to "shipped" in the list, and see what becomes of its notice
The sandbox at {sandbox} plays the platform: the last two digits of a phone number choose what happens.
"""


class Command(BaseCommand):
    help = "Send a campaign through the admin to the sandbox, ship some orders, prove the numbers, and go on serving."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--exit", action="store_true", help="end after the run instead of serving the admin")
        parser.add_argument("--recipients", type=int, default=1000, help="people in the campaign (%(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="of the web server, if it is free (%(default)s)")
        parser.add_argument(
            "--sandbox-port", type=int, default=8900, help="of the sandbox, if it is free (%(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        recipients = options["recipients"]
        if not 1 <= recipients <= MOST:
            raise CommandError(f"--recipients must be from 1 to {MOST:,}.")
        # Ending the demo ends its servers too.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        # Lost answers are part of the show, and the table shows their results.
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        started = time.monotonic()
        journey.fresh_database()
        try:
            with journey.servers(recipients, options["port"], options["sandbox_port"]) as site:
                self._play(site, recipients, started)
                if not options["exit"]:
                    self._serve(site)
        except (AdminRefused, DidNotStart, requests.RequestException) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    def _play(self, site: journey.Site, recipients: int, started: float) -> None:
        self.stdout.write(f"Web server at {site.web}, sandbox at {site.sandbox}")
        results = journey.play(site, recipients, self.stdout)
        self.stdout.write("\n" + "\n".join(table.lines(results, time.monotonic() - started)))
        if results.problems:
            raise CommandError("The demo did not end as it should; see the list above.")

    def _serve(self, site: journey.Site) -> None:
        texts = {"username": journey.USERNAME, "password": journey.PASSWORD}
        self.stdout.write(INVITATION.format(web=site.web, sandbox=site.sandbox, **texts))
        self.stdout.flush()
        try:
            journey.keep_sweeping()
        except KeyboardInterrupt:
            self.stdout.write("\nStopped.")

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from django_hyber.management.base import LONGEST, HyberCommand, number
from django_hyber.services import fetch_reports


class Command(HyberCommand):
    """Query the reports that did not arrive by callback."""

    help = "Query the platform for final reports that are overdue. Run it every few minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the options."""
        parser.add_argument(
            "--limit",
            type=number(int, 0, 1_000_000_000),
            default=1_000,
            help="Maximum number of messages (default: 1000).",
        )
        parser.add_argument(
            "--rate",
            type=number(float, 0.01, 1_000_000),
            default=20,
            help="Maximum queries per second (default: 20).",
        )
        parser.add_argument(
            "--margin",
            type=number(int, 0, LONGEST),
            default=600,
            help="Seconds to wait after the TTLs of all channels (default: 600).",
        )
        parser.add_argument(
            "--seen",
            action="store_true",
            help='Also query messages delivered in the last two days for "seen", if SEEN_CODES is set.',
        )
        parser.add_argument(
            "--clicks",
            action="store_true",
            help="Also query the clicks of messages delivered in the last fourteen days with click tracking (ctr).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Query the reports and print the counts."""
        try:
            fetched = fetch_reports(
                limit=options["limit"],
                per_second=options["rate"],
                margin=timedelta(seconds=options["margin"]),
                learn_seen=options["seen"],
                learn_clicks=options["clicks"],
            )
        except ValueError as error:
            # The options of call_command() are not parsed.
            raise CommandError(str(error)) from error
        self.stdout.write(f"{fetched.queried} queried, {fetched.changed} changed, {fetched.given_up} given up")

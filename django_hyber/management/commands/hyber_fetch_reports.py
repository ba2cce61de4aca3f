from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_hyber.services import fetch_reports


class Command(BaseCommand):
    """Ask for the reports that were never called back."""

    help = "Ask the platform about messages that should have a final report by now. Run it every few minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the options."""
        parser.add_argument("--limit", type=int, default=1_000, help="Messages to ask about at most (default: 1000).")
        parser.add_argument("--rate", type=float, default=20, help="Questions in a second at most (default: 20).")
        parser.add_argument(
            "--margin", type=int, default=600, help="Seconds after the TTLs of all channels (default: 600)."
        )
        parser.add_argument(
            "--seen",
            action="store_true",
            help="Also ask who has seen what was delivered within two days, where SEEN_CODES are set.",
        )
        parser.add_argument(
            "--clicks",
            action="store_true",
            help="Also ask for the clicks on what was delivered within fourteen days, where clicks are tracked (ctr).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, and tell the counts."""
        if options["rate"] <= 0:
            raise CommandError("--rate is a number of questions in a second, so it has to be above zero.")
        for name in ("limit", "margin"):
            if options[name] < 0:
                raise CommandError(f"--{name} cannot be negative.")
        fetched = fetch_reports(
            limit=options["limit"],
            per_second=options["rate"],
            margin=timedelta(seconds=options["margin"]),
            learn_seen=options["seen"],
            learn_clicks=options["clicks"],
        )
        self.stdout.write(f"{fetched.asked} asked about, {fetched.changed} changed, {fetched.given_up} given up")

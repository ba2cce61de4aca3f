from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from django_hyber.conf import account_names
from django_hyber.management.base import HyberCommand, number
from django_hyber.protocol import InvalidMessage, InvalidPhone
from django_hyber.services import Finding, find_sender, make_round_trip, probe_account

LONGEST_WAIT = 3_600


class Command(HyberCommand):
    """Verify an account's configuration, without sending anything by default."""

    help = "Verify that the platform can be reached and accepts the login. Without --send-to, no message is sent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the options."""
        parser.add_argument("--account", default="default", help="Name in the HYBER setting (default: default).")
        parser.add_argument(
            "--send-to",
            metavar="NUMBER",
            help="Then send one SMS to this number, which is charged, and wait for its report by callback.",
        )
        parser.add_argument(
            "--sender", default="", help="Alpha name of that SMS (default: that of the newest campaign with an SMS)."
        )
        parser.add_argument(
            "--timeout",
            type=number(float, 0.1, LONGEST_WAIT),
            default=120,
            help="Seconds to wait for the report (default: 120).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line for each check; exit with 1 if one of them failed."""
        try:
            findings = probe_account(options["account"])
        except ImproperlyConfigured as error:
            hint = "" if options["account"] in account_names() else " Name one with --account."
            raise CommandError(f"{error}{hint}") from None
        for finding in findings:
            self._print(finding)
        if not all(finding.is_good for finding in findings):
            raise CommandError("The account is not ready to send.")
        if options["send_to"]:
            self._make_round_trip(options)

    def _make_round_trip(self, options: dict[str, Any]) -> None:
        sender = options["sender"] or find_sender(options["account"])
        if not sender:
            raise CommandError("Nothing was sent: name a registered alpha name with --sender.")
        try:
            finding = make_round_trip(options["send_to"], sender, options["account"], options["timeout"])
        except (InvalidPhone, InvalidMessage) as error:
            raise CommandError(f"Nothing was sent: {error}") from None
        self._print(finding)
        if not finding.is_good:
            raise CommandError("The message or its report did not arrive.")

    def _print(self, finding: Finding) -> None:
        style = self.style.SUCCESS if finding.is_good else self.style.ERROR
        self.stdout.write(style(f"{'ok  ' if finding.is_good else 'FAIL'} {finding.subject}: {finding.text}"))

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_hyber.services import probe_account


class Command(BaseCommand):
    """Prove an account's configuration without sending anything."""

    help = "Ask the platform whether it can be reached and knows the login; nothing is sent to anybody."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the options."""
        parser.add_argument("--account", default="default", help="Name in the HYBER setting (default: default).")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line for each thing that was tried; exit with 1 when one of them failed."""
        findings = probe_account(options["account"])
        for finding in findings:
            style = self.style.SUCCESS if finding.is_good else self.style.ERROR
            self.stdout.write(style(f"{'ok  ' if finding.is_good else 'FAIL'} {finding.subject}: {finding.text}"))
        if not all(finding.is_good for finding in findings):
            raise CommandError("The account is not ready to send.")

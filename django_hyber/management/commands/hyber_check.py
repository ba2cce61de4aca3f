from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_hyber.services import probe_account


class Command(BaseCommand):
    """Verify an account's configuration without sending anything."""

    help = "Verify that the platform can be reached and accepts the login. No message is sent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the options."""
        parser.add_argument("--account", default="default", help="Name in the HYBER setting (default: default).")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line for each check; exit with 1 if one of them failed."""
        findings = probe_account(options["account"])
        for finding in findings:
            style = self.style.SUCCESS if finding.is_good else self.style.ERROR
            self.stdout.write(style(f"{'ok  ' if finding.is_good else 'FAIL'} {finding.subject}: {finding.text}"))
        if not all(finding.is_good for finding in findings):
            raise CommandError("The account is not ready to send.")

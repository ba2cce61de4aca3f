"""Serve a local stand-in for the Hyber platform."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_hyber.sandbox.cli import add_arguments, serve


class Command(BaseCommand):
    """`manage.py hyber_sandbox [ADDRPORT]`; needs neither a database nor settings."""

    help = "Serve a local stand-in for the Hyber platform. Prints its URL and its table of outcomes first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe the options, which are those of `python -m django_hyber.sandbox`."""
        add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Serve until Ctrl-C or SIGTERM."""
        try:
            serve(options, self.stdout)
        except (OSError, ValueError) as error:
            raise CommandError(f"The sandbox cannot start: {error}") from error

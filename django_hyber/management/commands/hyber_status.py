from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from django_hyber.errors import first_line
from django_hyber.services import check_health
from django_hyber.statistics.health import Level


class Command(BaseCommand):
    """Print the state of the installation, for people and for monitoring."""

    help = (
        "Print what waits, what is stuck and which accounts have trouble. Exits with 0 if all is well, 1 if a person "
        "should look, and 2 if messages are not being sent."
    )
    # A check that fails would end the command with 1, before it has said anything.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the options."""
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the numbers, and exit with the level."""
        try:
            health = check_health()
        except (DatabaseError, InterfaceError, ImproperlyConfigured) as error:
            raise CommandError(
                f"The state cannot be read: {first_line(error)}", returncode=int(Level.TROUBLE)
            ) from error
        values = {"level": health.level.name.lower(), **asdict(health)}
        if options["json"]:
            self.stdout.write(json.dumps(values))
        else:
            for name, value in values.items():
                shown = ", ".join(map(str, value)) or "none" if isinstance(value, list) else value
                self.stdout.write(f"{name.replace('_', ' '):20} {shown}")
        if health.level:
            raise SystemExit(int(health.level))

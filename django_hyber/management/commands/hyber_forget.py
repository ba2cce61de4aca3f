from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from django_hyber.management.base import HyberCommand
from django_hyber.services import forget_number


class Command(HyberCommand):
    """Remove everything that is stored under a phone number."""

    help = (
        "Anonymise all messages, reports and replies of a phone number. It stays on the opt-out list if it was there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the argument."""
        parser.add_argument("number", help="The phone number, in any notation.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Forget the number, and print the counts."""
        try:
            forgotten = forget_number(options["number"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(
            f"anonymised: {forgotten.messages} messages, {forgotten.reports} delivery reports, {forgotten.replies} "
            f"replies; deleted: {forgotten.recipients} recipients of drafts, {forgotten.unreadable} unreadable "
            f"callbacks, files of {forgotten.jobs} background jobs"
        )
        if forgotten.is_opted_out:
            self.stdout.write("The number stays on the opt-out list.")

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django_hyber.management.base import HyberCommand, number
from django_hyber.services import purge_personal_data

#: A hundred years.
OLDEST_DAYS = 36_525


class Command(HyberCommand):
    """Remove personal data that is no longer needed."""

    help = (
        "Anonymise messages, reports and replies older than a given age, and delete the recipients of drafts that "
        "nobody has touched for as long. Statistics do not change."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the options."""
        parser.add_argument(
            "--older-than",
            type=number(int, 0, OLDEST_DAYS),
            required=True,
            metavar="DAYS",
            help="Age in days.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Only print the counts.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Purge and print the counts."""
        purged = purge_personal_data(timedelta(days=options["older_than"]), dry_run=options["dry_run"])
        self.stdout.write(
            f"{'would be ' if options['dry_run'] else ''}anonymised: "
            f"{purged.messages} messages, {purged.reports} delivery reports, {purged.replies} replies; "
            f"deleted: {purged.recipients} recipients of old drafts, {purged.waiting_reports} waiting reports, "
            f"{purged.unreadable} unreadable reports, "
            f"{purged.announcements} announcements, {purged.jobs} background jobs, {purged.log_entries} entries of the "
            "admin's log"
        )

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from django_hyber.management.base import HyberCommand
from django_hyber.models import Campaign
from django_hyber.services import recount


class Command(HyberCommand):
    """Compare the status of messages with their stored reports."""

    help = "Count messages by status, and list those whose status contradicts their stored delivery reports."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the arguments."""
        parser.add_argument("campaign", type=int, nargs="?", help="Id of a campaign (default: all messages).")
        parser.add_argument(
            "--reclassify",
            action="store_true",
            help="Advance messages whose reports lead to a later status, for example after a change of SEEN_CODES.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare, and print the counts and the extra ids of the first differences.

        Exits with 1 if an account has invalid settings.
        """
        campaign = self._campaign(options["campaign"])
        found = recount(campaign, reclassify=options["reclassify"])
        for status, count in found.statuses.items():
            if count:
                self.stdout.write(f"{status}: {count}")
        self.stdout.write(f"{found.total} messages, {sum(found.statuses.values())} by status")
        for extra_id in found.listed:
            self.stdout.write(f"differs: {extra_id}")
        moved = f", {found.moved} moved forward" if options["reclassify"] else ""
        self.stdout.write(
            f"{found.differences} differences in {found.checked} messages with reports{moved}; {found.skipped} skipped"
        )
        if found.broken_accounts:
            names = ", ".join(found.broken_accounts)
            raise CommandError(
                f"Messages with reports were skipped, because the settings of these accounts are invalid: {names}. Run "
                "manage.py check, correct the settings, and count again."
            )

    def _campaign(self, pk: int | None) -> Campaign | None:
        if pk is None:
            return None
        try:
            return Campaign.objects.get(pk=pk)
        except Campaign.DoesNotExist:
            raise CommandError(f"There is no campaign {pk}.") from None

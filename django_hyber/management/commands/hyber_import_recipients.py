from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from django_hyber.models import Campaign
from django_hyber.services import import_recipients


class Command(BaseCommand):
    """Import a file of recipients into a campaign."""

    help = "Add the recipients of a CSV or XLSX file to a campaign that has not been launched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the arguments."""
        parser.add_argument("campaign", type=int, help="Id of the campaign.")
        parser.add_argument("file", type=Path, help="CSV or XLSX file; its first line names the columns.")
        parser.add_argument("--phone-column", default="", help="Header of the phone column, when it is not found.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, then tell the counts and every rejected row."""
        try:
            campaign = Campaign.objects.get(pk=options["campaign"])
            with options["file"].open("rb") as file:
                report = import_recipients(campaign, file, phone_column=options["phone_column"])
        except Campaign.DoesNotExist:
            raise CommandError(f"There is no campaign {options['campaign']}.") from None
        except OSError as error:
            raise CommandError(f"The file cannot be opened: {error.strerror}.") from None
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        for row in report.rejected:
            self.stderr.write(f"row {row.row}: {row.reason}")
        self.stdout.write(
            f"{report.accepted} accepted, {report.duplicates} duplicates, {report.existing} already there, "
            f"{report.rejected_count} rejected of {report.total} rows"
        )

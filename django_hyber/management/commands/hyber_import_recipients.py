from __future__ import annotations

import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from django_hyber.management.progress import ProgressBar
from django_hyber.models import Campaign
from django_hyber.services import ImportReport, import_recipients


class Command(BaseCommand):
    """Import a file of recipients into a campaign."""

    help = "Add the recipients of a CSV or XLSX file to a campaign that has not been launched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the arguments."""
        parser.add_argument("campaign", type=int, help="Id of the campaign.")
        parser.add_argument("file", type=Path, help="CSV or XLSX file with column headers in its first row.")
        parser.add_argument("--phone-column", default="", help="Header of the phone column, if it is not recognized.")
        parser.add_argument("--text-column", default="", help="Header of the column with a text for each recipient.")
        parser.add_argument("--encoding", help="Encoding of a CSV file, such as cp1251, if it is not recognized.")
        parser.add_argument("--separator", help="What separates the columns: comma, semicolon, tab or pipe.")
        parser.add_argument("--sheet", help="Name of the sheet of an XLSX file; by default the first visible one.")
        parser.add_argument("--header-row", type=int, help="Number of the row that names the columns.")
        parser.add_argument("--rejected", type=Path, metavar="FILE", help="CSV file for the rejected rows.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, then print the counts and the rejected rows."""
        try:
            campaign = Campaign.objects.get(pk=options["campaign"])
            report = self._import(campaign, options)
        except Campaign.DoesNotExist:
            raise CommandError(f"There is no campaign {options['campaign']}.") from None
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be opened: {error.strerror}.") from None
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if not options["rejected"]:
            for row in report.rejected:
                self.stderr.write(f"row {row.row}: {row.reason}")
        if report.removed_characters:
            self.stderr.write(f"{report.removed_characters} NUL characters were removed.")
        if report.hidden_rows:
            self.stderr.write(f"{report.hidden_rows} hidden rows of the sheet were left out.")
        if report.inexact_columns:
            names = ", ".join(report.inexact_columns)
            self.stderr.write(f"The sheet may show the values of these columns in another way: {names}.")
        self.stdout.write(
            f"{report.accepted} accepted, {report.duplicates} duplicates, {report.existing} already there, "
            f"{report.rejected_count} rejected of {report.total} rows"
        )

    def _import(self, campaign: Campaign, options: dict[str, Any]) -> ImportReport:
        bar = ProgressBar(sys.stderr)
        with ExitStack() as files:
            source = files.enter_context(options["file"].open("rb"))
            rejected = files.enter_context(options["rejected"].open("wb")) if options["rejected"] else None
            report = import_recipients(
                campaign,
                source,
                phone_column=options["phone_column"],
                text_column=options["text_column"],
                encoding=options["encoding"],
                separator=options["separator"],
                sheet=options["sheet"],
                header_row=options["header_row"],
                rejected_file=rejected,
                progress=bar.show,
            )
        bar.end()
        return report

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from django_hyber.management.base import HyberCommand
from django_hyber.management.progress_bar import ProgressBar
from django_hyber.models import Campaign
from django_hyber.policies.allowed_numbers import OPTIONAL_TYPES
from django_hyber.services import ImportReport, import_recipients


class Command(HyberCommand):
    """Import a file of recipients into a campaign."""

    help = "Add the recipients of a CSV or XLSX file to a campaign that has not been launched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the arguments."""
        parser.add_argument("campaign", type=int, help="Id of the campaign.")
        parser.add_argument("file", type=Path, help="CSV or XLSX file with column headers in its first row.")
        parser.add_argument("--phone-column", default="", help="Header of the phone column, if it is not recognized.")
        parser.add_argument("--text-column", default="", help="Header of the column with a text for each recipient.")
        parser.add_argument(
            "--variables",
            nargs="+",
            type=_named,
            metavar="HEADER=NAME",
            help="Import only these columns, as variables of these names; by default, all columns that can be named.",
        )
        parser.add_argument(
            "--foreign",
            action="store_true",
            help="Take doubtful numbers of other countries: without +, or one slip away from a number of the home one.",
        )
        parser.add_argument(
            "--number-types",
            nargs="+",
            default=(),
            choices=OPTIONAL_TYPES,
            metavar="TYPE",
            help=f"Take these types of numbers too: {', '.join(OPTIONAL_TYPES)}.",
        )
        parser.add_argument("--countries", nargs="+", metavar="CODE", help="Take only numbers of these countries.")
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
        except ValueError as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            place = f"{error.filename} cannot be opened" if error.filename else "A file cannot be written"
            raise CommandError(f"{place}: {error.strerror}. Nothing was imported.") from None
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if not options["rejected"]:
            for row in report.rejected:
                self.stderr.write(f"row {row.row}: {row.reason}")
        for line in _notes(report):
            self.stderr.write(line)
        self.stdout.write(
            f"{report.accepted} accepted, {report.duplicates} duplicates, {report.existing} already there, "
            f"{report.rejected_count} rejected of {report.total} rows"
        )

    def _import(self, campaign: Campaign, options: dict[str, Any]) -> ImportReport:
        file, rejected_file = options["file"], options["rejected"]
        if rejected_file and rejected_file.exists() and file.exists() and file.samefile(rejected_file):
            raise CommandError(f"--rejected would overwrite {file}, which is to be imported. Name another file.")
        bar = ProgressBar(sys.stderr)
        with ExitStack() as files:
            source = files.enter_context(file.open("rb"))
            rejected = files.enter_context(rejected_file.open("wb")) if rejected_file else None
            report = import_recipients(
                campaign,
                source,
                phone_column=options["phone_column"],
                text_column=options["text_column"],
                variables=dict(options["variables"]) if options["variables"] else None,
                foreign=options["foreign"],
                number_types=options["number_types"],
                countries=options["countries"],
                encoding=options["encoding"],
                separator=options["separator"],
                sheet=options["sheet"],
                header_row=options["header_row"],
                rejected_file=rejected,
                progress=bar.show,
            )
        bar.end()
        return report


def _named(given: str) -> tuple[str, str]:
    """Return a header and the name of its variable, which has no equals sign."""
    header, sign, name = given.rpartition("=")
    if not sign:
        raise ArgumentTypeError(f"Write “{given}” as HEADER=NAME.")
    return header, name.strip().strip("%")


def _notes(report: ImportReport) -> Iterator[str]:
    """Yield what was noticed beside the rejected rows."""
    if not report.total:
        yield "The file has no rows below the names of its columns."
    if report.renamed_columns:
        names = ", ".join(f"{header} is %{name}%" for header, name in report.renamed_columns.items())
        yield f"Columns that became variables of another name: {names}."
    if report.ignored_columns:
        yield f"Columns that were ignored: {', '.join(report.ignored_columns)}. Name their variables with --variables."
    if report.removed_characters:
        yield f"{report.removed_characters} NUL characters were removed."
    if report.left_out or len(report.countries) > 1 or len(report.number_types) > 1:
        yield f"Valid numbers by country: {_listed(report.countries)}"
        yield f"Valid numbers by type: {_listed(report.number_types)}"
    if report.rounded > 1:
        yield f"{report.rounded} numbers end in six zeros: a spreadsheet has probably lost their last digits."
    if report.left_out:
        yield f"Left out by kind, because not switched on: {_listed(report.left_out)}"
    yield from _notes_of_sheet(report)


def _notes_of_sheet(report: ImportReport) -> Iterator[str]:
    if report.unread_sheets:
        yield f"Only one sheet is read. These were not: {', '.join(report.unread_sheets)}. Name one with --sheet."
    if report.hidden_rows:
        yield f"{report.hidden_rows} hidden rows of the sheet were left out."
    if report.hidden_columns:
        yield f"These columns are hidden in the sheet and were left out: {', '.join(report.hidden_columns)}."
    if report.inexact_columns:
        names = ", ".join(report.inexact_columns)
        yield f"The sheet may show the values of these columns in another way: {names}."


def _listed(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered) or "none"

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from django_hyber.management.base import HyberCommand
from django_hyber.models import Campaign
from django_hyber.services import ExportError, export_recipients

SEPARATORS: dict[str, Any] = {"comma": ",", "semicolon": ";"}


class Command(HyberCommand):
    """Export the recipients of a campaign with the status of their messages."""

    help = "Export the recipients of a campaign, their variables and the status of their messages to CSV or XLSX."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the arguments."""
        parser.add_argument("campaign", type=int, help="Id of the campaign.")
        parser.add_argument(
            "--separator",
            choices=SEPARATORS,
            default="comma",
            help='Separator of a CSV file; Excel expects "semicolon" where decimals have a comma.',
        )
        parser.add_argument(
            "file", type=Path, help="File to write, .csv or .xlsx. The export replaces an existing one at its end."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Export, and print the size of the file."""
        file = options["file"]
        try:
            campaign = Campaign.objects.get(pk=options["campaign"])
            kind, separator = file.suffix.lower().removeprefix("."), SEPARATORS[options["separator"]]
            pieces = export_recipients(campaign, kind, separator=separator)
            written = _write(file, pieces)
        except Campaign.DoesNotExist:
            raise CommandError(f"There is no campaign {options['campaign']}.") from None
        except OSError as error:
            raise CommandError(f"The file cannot be written: {error.strerror}.") from None
        except ExportError as error:
            raise CommandError(" ".join(error.messages)) from None
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{written} bytes written to {file}")


def _write(file: Path, pieces: Iterator[bytes]) -> int:
    """Write the file and return its size. Until it is whole, it has another name, and what was there before stays."""
    target = file.resolve()
    if target.exists() and not target.is_file():
        # A pipe or a terminal.
        with target.open("wb") as stream:
            return sum(map(stream.write, pieces))
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as stream:
            written = sum(map(stream.write, pieces))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return written

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from django_hyber.management.base import HyberCommand
from django_hyber.services import TemplateFileError, load_templates


class Command(HyberCommand):
    """Load templates from TOML files."""

    help = "Create or change templates as they are in these TOML files. Loading the same files again changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the arguments."""
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="TOML file; see docs/templates.rst.")
        parser.add_argument("--dry-run", action="store_true", help="Only report what would change.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, then print what has changed."""
        try:
            files = {str(path): path.read_bytes() for path in options["files"]}
            loaded = load_templates(files, dry_run=options["dry_run"])
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}.") from None
        except TemplateFileError as error:
            raise CommandError(f"Nothing was loaded.\n{error}") from None
        for label, names in (("created", loaded.created), ("changed", loaded.changed)):
            for name in names:
                self.stdout.write(f"{label}: {name}")
        self.stdout.write(
            f"{len(loaded.created)} created, {len(loaded.changed)} changed, {len(loaded.unchanged)} unchanged"
        )

"""What the commands have in common: numbers on the command line, and errors of one line."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, ProgrammingError

from django_hyber.errors import first_line

#: The longest time in seconds that a command takes as an option.
LONGEST = 366 * 24 * 3_600


class HyberCommand(BaseCommand):
    """A command for cron: if the database fails or a setting is invalid, it ends with one line.

    ``--traceback`` shows where it was raised, as for every CommandError.
    """

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command."""
        try:
            return super().execute(*args, **options)
        except (OperationalError, InterfaceError, ProgrammingError) as error:
            raise CommandError(f"The database failed: {first_line(error)}") from error
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error


def with_kind(error: Exception) -> str:
    """Return what an error says, after its kind: the text alone may be as short as a key."""
    kind, text = type(error).__name__, first_line(error)
    return kind if text == kind else f"{kind}: {text}"


def number(kind: type[int] | type[float], lowest: float, highest: float) -> Callable[[str], float]:
    """Return the type of an option that takes numbers of this kind within these limits."""
    limits = f"{'an integer' if kind is int else 'a number'} from {lowest:,} to {highest:,}"

    def parse(text: str) -> float:
        try:
            given = kind(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is not {limits}") from None
        if not lowest <= given <= highest:
            raise ArgumentTypeError(f"{text!r} is not {limits}")
        return given

    return parse

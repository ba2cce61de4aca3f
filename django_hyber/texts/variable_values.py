"""Values that code gives for variables, as people read them."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

from django.utils import timezone

#: Floats hold so many digits exactly: more show 0.1 + 0.2 as 0.30000000000000004.
FLOAT_DIGITS = 15


def value_text(value: object) -> str:
    """Return a value as a text: dates as in "30.11.2026 13:58", by the clock of the project, and numbers in full.

    That is so whatever language is active, because code may run in any. None is no value, and neither is what equals
    nothing, as NaN and NaT in data frames.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (date, time, float, Decimal)):
        return "" if value != value else _moment_or_number(value)  # noqa: PLR0124
    if isinstance(value, bool):
        return str(value).upper()
    return "" if value is None else str(value)


def _moment_or_number(value: date | time | float | Decimal) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{Decimal(f'{value:.{FLOAT_DIGITS}g}'):f}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, datetime):
        local = timezone.localtime(value, timezone.get_default_timezone()) if timezone.is_aware(value) else value
        return f"{_moment_or_number(local.date())} {local:%H:%M}"
    return f"{value.day:02d}.{value.month:02d}.{value.year:04d}"

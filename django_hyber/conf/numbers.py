"""Numbers of settings: how they are read, and the settings that are limits by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

#: The maximum of the columns that count.
MAX_COUNT = 2**31 - 1
#: The longest period of a frequency cap, in days.
MAX_DAYS = 366


class DescribedError(ValueError):
    """A value that is not allowed. The text describes it and contains no secret."""


class OutOfBoundsError(DescribedError):
    """A valid number outside of the domain. The text contains the number."""


@dataclass(frozen=True, kw_only=True)
class FrequencyCap:
    """At most so many campaign messages to a person within so many days."""

    messages: int
    days: int


@dataclass(frozen=True, kw_only=True)
class SpendingLimit:
    """What the campaigns of an account may cost in a day, and what one campaign may cost; None is no limit."""

    day: Decimal | None = None
    campaign: Decimal | None = None


def read_number(value: Any, *, least: float, most: float, is_whole: bool) -> float:
    """Return the number, or raise OutOfBoundsError."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise TypeError
    number = float(value)
    # Written this way, the comparison rejects NaN too.
    if not least <= number <= most or (is_whole and not number.is_integer()):
        raise OutOfBoundsError(str(value).strip())
    return int(number) if is_whole else number


def read_item(value: Any, *, least: float, is_whole: bool) -> float:
    """Return a number inside of a list or dict."""
    try:
        return read_number(value, least=least, most=MAX_COUNT, is_whole=is_whole)
    except OutOfBoundsError as error:
        raise OutOfBoundsError(f"wrong at {error}") from None


def _read_limits(value: Any, names: frozenset[str], *, most: float, is_whole: bool) -> dict[str, Any] | None:
    """Read a dict of limits above 0 by name, or None for no limit. An empty dict is a mistake."""
    if value is None or value == "":
        return None
    if not isinstance(value, Mapping):
        raise TypeError
    if not value:
        raise DescribedError("an empty dict")
    for name in value.keys() - names:
        raise DescribedError(f"wrong at the key {name!r}")
    for name, limit in value.items():
        number = read_item(limit, least=0, is_whole=is_whole)
        if not 0 < number <= most:
            raise OutOfBoundsError(f"wrong at {name!r}: {limit}")
    return dict(value)


def read_frequency_cap(value: Any) -> FrequencyCap | None:
    """Return the cap of a dict with both keys, or None."""
    limits = _read_limits(value, frozenset({"messages", "days"}), most=MAX_DAYS, is_whole=True)
    if limits is None:
        return None
    for name in sorted({"messages", "days"} - limits.keys()):
        raise DescribedError(f"without {name!r}")
    return FrequencyCap(messages=int(float(limits["messages"])), days=int(float(limits["days"])))


def read_spending_limit(value: Any) -> SpendingLimit | None:
    """Return the limits of a dict with at least one of the keys, or None."""
    limits = _read_limits(value, frozenset({"day", "campaign"}), most=MAX_COUNT, is_whole=False)
    if limits is None:
        return None
    return SpendingLimit(**{name: Decimal(str(limit)) for name, limit in limits.items()})

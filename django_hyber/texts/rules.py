"""The rules for forms of channels: their fields and limits, and the check of an input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django_hyber.protocol import (
    CHANNELS,
    FieldRule,
    Problem,
    channel_from_wire,
    check_variable_name,
    field_rules,
    validate_channels,
)

__all__ = [
    "DEFAULT_TTL",
    "FieldRule",
    "Problem",
    "channel_rules",
    "check_channels",
    "complete_options",
    "is_variable_name",
]

#: Seconds. Push and Viber are tried for an hour, for phones in use; an SMS waits a day for a phone that is switched
#: off.
DEFAULT_TTL: Mapping[str, int] = {"push": 3_600, "viber": 3_600, "sms": 86_400}


def channel_rules(name: str) -> tuple[FieldRule, ...]:
    """Return the rules of the fields that a person fills in: all but those with only one valid value."""
    return tuple(rule for rule in field_rules(CHANNELS[name]) if not _is_fixed(rule))


def complete_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Add what a person does not fill in: the default TTL, and the fields with only one valid value."""
    defaults = {"ttl": DEFAULT_TTL[name]} if name in DEFAULT_TTL else {}
    fixed = {rule.name: rule.minimum for rule in field_rules(CHANNELS[name]) if _is_fixed(rule)}
    return {**defaults, **options, **fixed}


def check_channels(contents: Iterable[tuple[str, Mapping[str, Any]]], *, own_texts: bool = False) -> list[Problem]:
    """Return the problems of these channels (name and options, in order); variables are allowed.

    With ``own_texts`` the texts come from the recipients.
    """
    channels = [channel_from_wire(name, options) for name, options in contents]
    return validate_channels(channels, text_from_recipient=own_texts, variables=not own_texts)


def is_variable_name(name: str) -> bool:
    """Return whether a variable can have this name."""
    return check_variable_name(name) is None


def _is_fixed(rule: FieldRule) -> bool:
    return rule.minimum is not None and rule.minimum == rule.maximum

"""Variables of a broadcast: ``%name%`` in any option is replaced by each recipient's value (guide, chapter 3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from django_hyber.protocol.channels.content import Channel
from django_hyber.protocol.channels.problems import Problem, error, gettext_noop

RESERVED = frozenset({"phone_number", "extra_id"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORD = re.compile(r"%(\w+)%")
_VARIABLE = re.compile(rf"%({_NAME.pattern})%")


def find_variables(channels: Iterable[Channel]) -> frozenset[str]:
    """Return the names of all variables in the options of these channels, including nested extra options."""
    texts = (text for channel in channels for text in _channel_strings(channel))
    return frozenset(name for text in texts for name in _VARIABLE.findall(text))


def find_misspelled_variables(channels: Iterable[Channel]) -> list[Problem]:
    """Return a problem for each ``%word%`` that is not a valid variable: it would be sent literally."""
    words = {word for channel in channels for text in _channel_strings(channel) for word in _WORD.findall(text)}
    suspects = sorted(word for word in words if not word.isdigit() and not _NAME.fullmatch(word))
    return [problem for word in suspects if (problem := check_variable_name(word))]


def has_variables(value: object) -> bool:
    """Return whether the value is a text with at least one variable."""
    return isinstance(value, str) and _VARIABLE.search(value) is not None


def split_template(text: str) -> tuple[list[str], list[str]]:
    """Return the parts of a text around its variables, and the names of the variables, which are one fewer."""
    parts = _VARIABLE.split(text)
    return parts[::2], parts[1::2]


def render(text: str, variables: Mapping[str, str]) -> str:
    """Replace variables with their values. Names without a value stay, and variables within values are not replaced."""
    if "%" not in text:
        return text
    return _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), text)


def render_channel(channel: Channel, variables: Mapping[str, str]) -> Channel:
    """Return the channel rendered for one recipient."""
    values = {item.name: getattr(channel, item.name) for item in fields(channel)}
    return replace(channel, **{name: _render_value(value, variables) for name, value in values.items()})


def check_variable_name(name: str) -> Problem | None:
    """Return the problem with the name of a variable, or None."""
    if name in RESERVED:
        return error("reserved-variable", gettext_noop('"%(name)s" cannot be the name of a variable.'), name=name)
    if not _NAME.fullmatch(name):
        return error(
            "variable-name",
            gettext_noop('"%(name)s" cannot be the name of a variable: use Latin letters, digits and underscores.'),
            name=name,
        )
    return None


def _channel_strings(channel: Channel) -> Iterator[str]:
    for item in fields(channel):
        yield from _strings(getattr(channel, item.name))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


def _render_value(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return render(value, variables)
    if isinstance(value, Mapping):
        return {key: _render_value(item, variables) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_render_value(item, variables) for item in value]
    return value

"""Checks of single fields by their rules."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django_hyber.protocol.channels.content import Channel, FieldKind, FieldRule, field_rules
from django_hyber.protocol.channels.problems import Problem, error, gettext_noop
from django_hyber.protocol.texts.variables import has_variables
from django_hyber.protocol.wire.incoming_values import is_storable

_URL = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
_ACTION = re.compile(r"https?://[^\s/?#]+\S*|viber://\S+|tel:\+?[0-9().-]+", re.IGNORECASE)
_DEGREES = re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]+)?")

_TYPES: Mapping[FieldKind, tuple[type, ...]] = {
    "text": (str,),
    "url": (str,),
    "action": (str,),
    "choice": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "coordinate": (str, int, float, Decimal),
}
_NOT_TEXT = gettext_noop("This must be text.")
_WRONG_TYPE: Mapping[FieldKind, str] = {
    "text": _NOT_TEXT,
    "url": _NOT_TEXT,
    "action": _NOT_TEXT,
    "choice": _NOT_TEXT,
    "integer": gettext_noop("This must be a whole number."),
    "number": gettext_noop("This must be a number."),
    "boolean": gettext_noop("This must be true or false."),
    "coordinate": gettext_noop("This must be a number of degrees, as in 50.438820."),
}


def check_fields(channel: Channel, *, text_from_recipient: bool, variables: bool) -> Iterator[Problem]:
    """Check every field of a channel."""
    for rule in field_rules(type(channel)):
        value = getattr(channel, rule.name)
        if text_from_recipient and rule.name == "text":
            problem = _check_absent(value)
        else:
            problem = check_value(rule, value, templated=variables and has_variables(value))
        if problem:
            yield replace(problem, channel=channel.name, field=rule.name)


def check_extra(channel: Channel) -> Iterator[Problem]:
    """Check that the options passed through can be encoded as JSON and contain no known field."""
    problem = _check_extra(channel.extra, {rule.name for rule in field_rules(type(channel))})
    if problem:
        yield replace(problem, channel=channel.name, field="extra")


def check_text(value: object, limit: int | None = None) -> Problem | None:
    """Check that this is a text of at most so many code points, which every database can store."""
    if not isinstance(value, str):
        return error("wrong-type", _NOT_TEXT)
    return check_characters(value) or _check_length(value, limit)


def _check_length(value: str, limit: int | None) -> Problem | None:
    return None if limit is None or len(value) <= limit else length_problem(len(value), limit)


def check_characters(value: object) -> Problem | None:
    """Check that every database can store this text, or the texts of this JSON document."""
    if is_storable(value):
        return None
    return error("characters", gettext_noop("This contains characters that cannot be stored: NUL or half a character."))


def length_problem(length: int, limit: int) -> Problem:
    """Return the problem of a text that is too long."""
    template = gettext_noop("This has %(length)s characters; the limit is %(limit)s.")
    return error("too-long", template, length=length, limit=limit)


def check_url(value: str) -> Problem | None:
    """Check that this is an http(s) URL."""
    if _URL.fullmatch(value):
        return None
    return error("not-url", gettext_noop("This must be a web address that begins with https:// or http://."))


def _check_absent(value: Any) -> Problem | None:
    if value is None:
        return None
    return error("text-not-allowed", gettext_noop("In a batch every recipient has their own text: leave this out."))


def check_value(rule: FieldRule, value: Any, *, templated: bool = False) -> Problem | None:
    """Check a value by the rule of its field. If it is still ``templated``, check only its type."""
    is_blank = value is None or (isinstance(value, str) and not value.strip())
    if is_blank and rule.required:
        return error("required", gettext_noop("This is required."))
    if value is None:
        return None
    if not _has_type(rule.kind, value):
        return error("wrong-type", _WRONG_TYPE[rule.kind])
    if is_blank:
        return error("blank", gettext_noop("This is empty: give a value or leave it out."))
    return check_characters(value) or (None if templated else _CHECKS[rule.kind](rule, value))


def check_texts(rule: FieldRule, texts: Sequence[str]) -> Iterator[Problem]:
    """Check many texts by the rule of their field. If all are valid, they are not checked one by one."""
    if rule.kind == "text" and all(map(str.strip, texts)) and not _is_any_longer(texts, rule.max_length):
        return
    for text in texts:
        problem = check_value(rule, text)
        if problem:
            yield problem


def _is_any_longer(texts: Sequence[str], limit: int | None) -> bool:
    return limit is not None and max(map(len, texts), default=0) > limit


def _has_type(kind: FieldKind, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _check_text(rule: FieldRule, value: str) -> Problem | None:
    return _check_length(value, rule.max_length)


def _check_url(rule: FieldRule, value: str) -> Problem | None:
    return _check_text(rule, value) or check_url(value)


def _check_action(rule: FieldRule, value: str) -> Problem | None:
    problem = _check_text(rule, value)
    if problem or _ACTION.fullmatch(value):
        return problem
    return error("not-action", gettext_noop("This must begin with https://, http://, viber:// or tel:."))


def _check_choice(rule: FieldRule, value: str) -> Problem | None:
    if value in rule.choices:
        return None
    template = gettext_noop("This must be one of: %(choices)s.")
    return error("not-a-choice", template, choices=", ".join(rule.choices))


def _check_number(rule: FieldRule, value: float) -> Problem | None:
    if not math.isfinite(value):
        return error("wrong-type", _WRONG_TYPE[rule.kind])
    minimum, maximum = rule.minimum, rule.maximum
    if (minimum is None or value >= minimum) and (maximum is None or value <= maximum):
        return None
    if maximum is None:
        return error("out-of-range", gettext_noop("This must be at least %(minimum)s."), minimum=minimum)
    if minimum == maximum:
        return error("out-of-range", gettext_noop("This must be exactly %(minimum)s."), minimum=minimum)
    template = gettext_noop("This must be from %(minimum)s to %(maximum)s.")
    return error("out-of-range", template, minimum=minimum, maximum=maximum)


def _check_coordinate(rule: FieldRule, value: str | float | Decimal) -> Problem | None:
    if isinstance(value, str) and not _DEGREES.fullmatch(value):
        return error("wrong-type", _WRONG_TYPE[rule.kind])
    try:
        degrees = float(value)
    except (OverflowError, ValueError):
        degrees = math.nan
    return _check_number(rule, degrees)


def _check_nothing(_rule: FieldRule, _value: bool) -> None:  # noqa: FBT001 - the value is the subject, not a switch
    """Accept any boolean."""


_CHECKS: Mapping[FieldKind, Callable[[FieldRule, Any], Problem | None]] = {
    "text": _check_text,
    "url": _check_url,
    "action": _check_action,
    "choice": _check_choice,
    "integer": _check_number,
    "number": _check_number,
    "boolean": _check_nothing,
    "coordinate": _check_coordinate,
}


def _check_extra(extra: Any, known: set[str]) -> Problem | None:
    if not isinstance(extra, Mapping) or not all(isinstance(key, str) for key in extra):
        return error("extra-not-mapping", gettext_noop("Extra options must be a mapping with names for keys."))
    collisions = sorted(known.intersection(extra))
    if collisions:
        template = gettext_noop("Give these options as fields, not as extra options: %(names)s.")
        return error("extra-collides", template, names=", ".join(collisions))
    try:
        json.dumps(dict(extra), allow_nan=False)
        return check_characters(extra)
    except (TypeError, ValueError, RecursionError):
        return error("extra-not-json", gettext_noop("Extra options must be valid JSON values."))

"""Tables of the reference as reStructuredText, read from the code."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import project  # noqa: F401  sets Django up
from django.apps import apps
from django.core.management import load_command_class
from django.core.management.base import BaseCommand
from django.db.models import Field
from django.utils.functional import Promise

import django_hyber
from django_hyber.campaigns.lifecycle import TRANSITIONS
from django_hyber.conf import Account
from django_hyber.conf.domains import DOMAINS
from django_hyber.log_events import LogEvent
from django_hyber.policies.allowed_numbers import OPTIONAL_TYPES
from django_hyber.protocol import CHANNELS, FieldRule, NumberType, field_rules
from django_hyber.protocol.channels import validation
from django_hyber.protocol.wire.error_codes import CODES, PERMANENT
from django_hyber.sandbox import FAULT_OUTCOMES, OUTCOMES
from django_hyber.sandbox.number_outcomes import NumberOutcome
from django_hyber.statistics.health import Health
from django_hyber.statistics.prometheus import gauges
from django_hyber.words import LABELS, NUMBER_TYPES

PACKAGE = Path(django_hyber.__file__).parent
#: Stands for what is known only in a project.
UNKNOWN = "…"
#: The options that Django adds to every command.
OWN_OPTIONS_OF_DJANGO = {action.dest for action in BaseCommand().create_parser("manage.py", "any")._actions}
#: The models that a project reads.
MODELS = ("Message", "Campaign", "Template", "DeliveryReport", "Reply", "Suppression")
DEFAULTS = {
    item.name.upper(): item.default if item.default_factory is MISSING else item.default_factory()
    for item in fields(Account)
    if item.name != "name"
}


def prose(text: object) -> str:
    """Escape the characters that have a meaning in reStructuredText."""
    return re.sub(r"([\\*`|_])", r"\\\1", str(text))


def literal(text: object) -> str:
    return f"``{text}``"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], widths: str = "auto") -> str:
    """Return a list-table."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in (header, *rows):
        for number, cell in enumerate(row):
            lines.append(f"   {'*' if number == 0 else ' '} - {cell}")
    return "\n".join(lines)


# Settings


def default_of(key: str) -> str:
    """Return the default of a setting as it is written in the settings of a project."""
    value = DEFAULTS[key]
    if isinstance(value, tuple | frozenset):
        return "[]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def allowed_in(key: str) -> str:
    return DOMAINS[key].description


def settings() -> str:
    """Return all settings, with links to their descriptions."""
    rows = [(f":setting:`{key}`", literal(default_of(key)), prose(allowed_in(key))) for key in DEFAULTS]
    return table(("Key", "Default", "Allowed values"), rows, "24 30 46")


# Checks


@dataclass(frozen=True, kw_only=True)
class Check:
    """A message of the system checks, as the source has it: values are shown as an ellipsis."""

    id: str
    kind: str
    text: str
    hint: str


def checks() -> str:
    """Return the system checks in the order of their ids, each with its messages and how to fix them."""
    found: dict[str, list[Check]] = {}
    for check in find_checks():
        if check.text != UNKNOWN:
            found.setdefault(check.id, []).append(check)
    return "\n\n".join(_described(check_id, found[check_id]) for check_id in sorted(found, key=lambda key: key[-3:]))


def _described(check_id: str, messages: Sequence[Check]) -> str:
    lines = [f"{literal(check_id)} ({messages[0].kind.lower()})"]
    for message in messages:
        lines += [f"   * {prose(message.text)}", "", f"     *How to fix it*: {prose(message.hint)}", ""]
    return "\n".join(lines)


def find_checks() -> Iterator[Check]:
    """Read the calls of Error and Warning in the modules that make checks."""
    others = (PACKAGE / "conf" / "__init__.py", PACKAGE / "celery" / "backend.py")
    for path in [*sorted((PACKAGE / "checks").glob("*.py")), *others]:
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        module = importlib.import_module(name)
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                yield from _checks_of(function, module)


def _checks_of(function: ast.FunctionDef, module: ModuleType) -> Iterator[Check]:
    local = {
        node.targets[0].id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in {"Error", "Warning"}:
            words = {word.arg: word.value for word in call.keywords}
            read = partial(_text_of, local=local, module=module)
            for check_id in _ids_of(words["id"], module):
                yield Check(id=check_id, kind=call.func.id, text=read(call.args[0]), hint=read(words["hint"]))


def _ids_of(node: ast.expr, module: ModuleType) -> list[str]:
    """Return the id, or all ids of wrong values, which depend on the setting."""
    if isinstance(node, ast.Attribute):
        return sorted({domain.check_id for domain in DOMAINS.values()})
    return [_text_of(node, {}, module)]


def _text_of(node: ast.expr, local: Mapping[str, ast.expr], module: ModuleType) -> str:
    match node:
        case ast.Constant(value=value):
            return str(value)
        case ast.JoinedStr(values=parts):
            return re.sub(f"{UNKNOWN}+", UNKNOWN, "".join(_text_of(part, {}, module) for part in parts))
        case ast.FormattedValue(value=ast.Name(id=name)) | ast.Name(id=name) if isinstance(
            value := getattr(module, name, None), str | int
        ):
            return str(value)
        case ast.Name(id=name) if name in local:
            return _text_of(local[name], {}, module)
        case ast.Call(args=[ast.List(elts=[*_, last])]):
            return f"{UNKNOWN} {_text_of(last, {}, module)}"
    return UNKNOWN


# Channels and requests


def channel(name: str) -> str:
    """Return the fields of a channel with their limits."""
    rows = [
        (literal(rule.name), prose(LABELS[rule.name]), rule.kind, "yes" if rule.required else "", limits_of(rule))
        for rule in field_rules(CHANNELS[name])
    ]
    return table(("Field", "Meaning", "Type", "Required", "Limits"), rows, "18 30 14 12 26")


def limits_of(rule: FieldRule) -> str:
    found = []
    if rule.max_length is not None:
        found.append(f"at most {rule.max_length:,} characters")
    if rule.minimum is not None and rule.maximum is not None:
        found.append(f"{rule.minimum:,} to {rule.maximum:,}")
    elif rule.minimum is not None:
        found.append(f"{rule.minimum:,} or more")
    if rule.choices:
        found.append(" or ".join(map(literal, rule.choices)))
    return ", ".join(found)


def request() -> str:
    """Return the limits of the fields of a request outside of its channels."""
    rows = [
        ("``extra_id``", f"at most {validation.MAX_EXTRA_ID} characters"),
        ("``tag``", f"at most {validation.MAX_TAG} characters"),
        ("``division_code``", f"at most {validation.MAX_DIVISION_CODE} characters"),
        ("``callback_url``", f"an http(s) URL of at most {validation.MAX_CALLBACK_URL} characters"),
        ("``start_time``", "an aware ``datetime``, or text like ``2026-12-12 10:10:10+02:00``"),
    ]
    return table(("Argument", "Limits"), rows, "30 70")


def number_types() -> str:
    """Return the types of phone numbers."""
    rows = [
        (literal(number_type.value), prose(NUMBER_TYPES[number_type]), "" if number_type in OPTIONAL_TYPES else "yes")
        for number_type in NumberType
    ]
    return table(("Type", "Meaning", "Accepted by default"), rows, "30 45 25")


# Statuses, codes, permissions, events, metrics


def transitions() -> str:
    """Return what can be done with a campaign in each status."""
    rows = [
        (
            literal(status.value),
            "; ".join(f"{verb} → {' or '.join(map(literal, following))}" for verb, following in verbs.items())
            or "none",
        )
        for status, verbs in TRANSITIONS.items()
    ]
    return table(("Status", "Action → next status"), rows, "20 80")


def codes() -> str:
    """Return the codes that the vendor's guide explains."""
    rows = [
        (literal(code), prose(text), "no" if code in PERMANENT else "yes" if str(code).startswith("3") else "")
        for code, text in CODES.items()
    ]
    return table(("Code", "Meaning", "Worth a retry"), rows, "20 60 20")


def permissions() -> str:
    """Return every permission of the models, custom ones first."""
    options = [(model, model._meta) for model in apps.get_app_config("django_hyber").get_models()]
    custom = [
        (literal(f"django_hyber.{code}"), prose(label)) for _model, meta in options for code, label in meta.permissions
    ]
    usual = [
        (", ".join(literal(f"{action}_{meta.model_name}") for action in meta.default_permissions), summary_of(model))
        for model, meta in options
        if meta.default_permissions
    ]
    return "\n\n".join(
        (
            table(("Permission", "Name in the admin"), custom, "45 55"),
            table(("Permissions of Django for each model", "Model"), usual, "45 55"),
        )
    )


def log_events() -> str:
    """Return the events of the log."""
    rows = [(literal(event.value), prose(event.description)) for event in LogEvent]
    return table(("Event", "Meaning"), rows, "30 70")


def metrics() -> str:
    """Return the gauges for Prometheus."""
    health = Health(
        **dict.fromkeys(("due", "oldest_due_seconds", "unconfirmed", "undecided"), 0),
        **dict.fromkeys(("idle_campaigns", "held_accounts", "blocked_hosts", "paused_queries"), ()),
        **dict.fromkeys(("silent_accounts", "setting_errors"), ()),
    )
    rows = [
        (literal(gauge.name), ", ".join(map(literal, gauge._labelnames)), prose(gauge.documentation))
        for gauge in gauges(health)
    ]
    return table(("Metric", "Label", "Meaning"), rows, "30 15 55")


# The sandbox


def sandbox_outcomes() -> str:
    return _outcomes(OUTCOMES, [("other", literal("delivered"), "Delivered by the first channel.")])


def sandbox_faults() -> str:
    return _outcomes(FAULT_OUTCOMES, [])


def _outcomes(outcomes: Mapping[str, NumberOutcome], more: Sequence[Sequence[str]]) -> str:
    rows = [(digits, literal(outcome.name), prose(outcome.sentence)) for digits, outcome in outcomes.items()]
    return table(("Digits", "Outcome", "What happens"), [*rows, *more], "8 22 70")


# Commands


def command_names() -> list[str]:
    return sorted(path.stem for path in (PACKAGE / "management" / "commands").glob("hyber_*.py"))


def command(name: str) -> str:
    """Return the purpose of a command and its arguments."""
    loaded = load_command_class("django_hyber", name)
    parser = loaded.create_parser("manage.py", name)
    own = [action for action in parser._actions if action.dest not in OWN_OPTIONS_OF_DJANGO]
    rows = [(literal(_usage_of(action)), prose(_help_of(action))) for action in own]
    parts = [prose(loaded.help), *([table(("Argument", "Meaning"), rows, "35 65")] if rows else [])]
    return "\n\n".join(parts)


def _usage_of(action: argparse.Action) -> str:
    name = action.option_strings[-1] if action.option_strings else ""
    if action.nargs == 0:
        return name
    value = str(action.metavar or action.dest.upper())
    value = f"{value} ..." if action.nargs == "+" else f"[{value}]" if action.nargs == "?" else value
    return f"{name} {value}".strip()


def _help_of(action: argparse.Action) -> str:
    text = (action.help or "").replace("%(default)s", str(action.default))
    return f"{text} One of: {', '.join(map(str, action.choices))}." if action.choices and not action.metavar else text


# Models


def model(name: str) -> str:
    """Return the fields of a model that a project may read."""
    found = apps.get_model("django_hyber", name)
    rows = [
        (literal(field.name), _type_of(field), prose(_meaning_of(field)))
        for field in found._meta.get_fields()
        if isinstance(field, Field) and field.name != "id" and isinstance(field.verbose_name, Promise)
    ]
    return table(("Field", "Type", "Meaning"), rows, "25 20 55")


def _type_of(field: Field[Any, Any]) -> str:
    return literal(type(field).__name__)


def _meaning_of(field: Field[Any, Any]) -> str:
    name = str(field.verbose_name)
    return f"{name[:1].upper()}{name[1:]}.{f' {field.help_text}' if field.help_text else ''}"


def summary_of(found: type) -> str:
    """Return the first sentence of a docstring."""
    return re.split(r"(?<=\.)\s", (found.__doc__ or "").strip(), maxsplit=1)[0]


TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "checks": checks,
    "request": request,
    "number_types": number_types,
    "transitions": transitions,
    "codes": codes,
    "permissions": permissions,
    "log_events": log_events,
    "metrics": metrics,
    "sandbox_outcomes": sandbox_outcomes,
    "sandbox_faults": sandbox_faults,
    **{f"channel {name}": partial(channel, name) for name in CHANNELS},
    **{f"command {name}": partial(command, name) for name in command_names()},
    **{f"model {name}": partial(model, name) for name in MODELS},
}

"""A pre-flight as a background job keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError

from django_hyber.campaigns.preflight import Preflight, Segments, Skipped
from django_hyber.texts.check import LaunchError


def preflight_as_json(found: Preflight) -> dict[str, Any]:
    """Return a pre-flight as JSON: amounts and times are texts, problems have a ``code``, a ``text`` and a place."""
    return {
        **asdict(found),
        "problems": _as_json(found.problems),
        "warnings": _as_json(found.warnings),
        "cost_low": None if found.cost_low is None else str(found.cost_low),
        "cost_high": None if found.cost_high is None else str(found.cost_high),
        "start_time": found.start_time and found.start_time.isoformat(),
    }


def preflight_from_json(kept: Mapping[str, Any]) -> Preflight:
    """Return the pre-flight that was kept; its texts are in the language of whoever asked for it."""
    return Preflight(
        **{
            **kept,
            "problems": _as_errors(kept["problems"]),
            "warnings": _as_errors(kept["warnings"]),
            "skipped": [Skipped(**{**item, "examples": tuple(item["examples"])}) for item in kept["skipped"]],
            "segments": kept["segments"] and Segments(**kept["segments"]),
            "cost_low": _as_amount(kept["cost_low"]),
            "cost_high": _as_amount(kept["cost_high"]),
            "start_time": kept["start_time"] and datetime.fromisoformat(kept["start_time"]),
        }
    )


def _as_json(problems: Iterable[ValidationError]) -> list[dict[str, str]]:
    return [
        {
            "code": str(problem.code or ""),
            "text": text,
            "channel": getattr(problem, "channel", ""),
            "field": getattr(problem, "field", ""),
        }
        for problem in problems
        for text in problem.messages
    ]


def _as_errors(kept: Iterable[Mapping[str, str]]) -> list[ValidationError]:
    return [LaunchError(item["text"], item["code"], channel=item["channel"], field=item["field"]) for item in kept]


def _as_amount(kept: str | None) -> Decimal | None:
    return None if kept is None else Decimal(kept)

"""What would be wrong with a campaign's texts, seen before anything is sent: on the text as each recipient gets it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.models import Campaign
from django_hyber.protocol import (
    Channel,
    Problem,
    find_misspelled_variables,
    find_variables,
    render_channel,
    validate_channels,
)

SHOWN = 5


def check_texts(campaign: Campaign) -> list[ValidationError]:
    """Check the channels, the variables of every recipient, and the limits of every rendered text."""
    channels = campaign.get_channels()
    variables = find_variables(channels)
    problems = [*validate_channels(channels, variables=bool(variables))]
    found = [_as_error(problem) for problem in problems if problem.is_error]
    found += [_as_error(problem) for problem in find_misspelled_variables(channels)]
    if found or not variables:
        return found
    return list(_check_recipients(campaign, channels, variables))


def translate(problem: Problem) -> str:
    """Return the problem in the reader's language."""
    return _(problem.template) % problem.params


def _as_error(problem: Problem) -> ValidationError:
    where = ".".join(part for part in (problem.channel, problem.field) if part)
    return ValidationError(f"{where}: {translate(problem)}" if where else translate(problem), code=problem.code)


def _check_recipients(
    campaign: Campaign, channels: Sequence[Channel], variables: frozenset[str]
) -> Iterator[ValidationError]:
    missing: Counter[str] = Counter()
    too_long: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], Problem] = {}
    rows = campaign.messages.values_list("variables", flat=True)
    for values in rows.iterator(chunk_size=5_000):
        absent = variables - values.keys()
        missing.update(absent)
        if absent:
            continue
        for problem in _rendered_problems(channels, values):
            key = (problem.channel, problem.field, problem.code)
            too_long[key] += 1
            examples.setdefault(key, problem)
    for name, count in sorted(missing.items()):
        yield _missing_variable(name, count)
    for key, count in too_long.most_common(SHOWN):
        yield _rendered_error(examples[key], count)


def _rendered_problems(channels: Sequence[Channel], values: Mapping[str, str]) -> list[Problem]:
    rendered = [render_channel(channel, values) for channel in channels]
    return [problem for problem in validate_channels(rendered) if problem.is_error]


def _missing_variable(name: str, count: int) -> ValidationError:
    message = ngettext(
        "%%%(name)s%% is missing for %(count)d recipient: add the column or take it out of the text.",
        "%%%(name)s%% is missing for %(count)d recipients: add the column or take it out of the text.",
        count,
    )
    return ValidationError(message, code="missing-variable", params={"name": name, "count": count})


def _rendered_error(problem: Problem, count: int) -> ValidationError:
    message = ngettext(
        "%(problem)s (with the values of %(count)d recipient)",
        "%(problem)s (with the values of %(count)d recipients)",
        count,
    )
    return ValidationError(message, code=problem.code, params={"problem": _as_error(problem).message, "count": count})

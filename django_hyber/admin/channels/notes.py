"""The note beside a field of a channel: how much of its limit is used, and its errors and warnings."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from django_hyber.texts.composition import Composition
from django_hyber.texts.measure import Measure, SegmentCount
from django_hyber.texts.rules import Problem
from django_hyber.words import problem_text

#: How many of the characters that shorten segments are listed: a Ukrainian text has dozens.
SHOWN_CHARACTERS = 12


def live_part(name: str, content: SafeString | str) -> SafeString:
    """Return a piece of the page that is updated while the user types."""
    return format_html('<span class="hyber-live-part" role="status" id="{}">{}</span>', live_id(name), content)


def live_id(name: str) -> str:
    """Return the id of a live piece of the page; it holds the form's prefix, which moving and removing renumbers."""
    return f"hyber-live-{name}"


def note_of(composition: Composition | None, field: str) -> SafeString:
    """Return how much of a field's limit is used, its errors and warnings; "" is the channel as a whole."""
    if composition is None:
        return SafeString("")
    measure = composition.measures.get(field)
    counter = _counter(measure) if measure and measure.length else ""
    return format_html("{}{}", counter, problem_list(composition.problems_of(field)))


def problem_list(problems: Iterable[Problem]) -> SafeString:
    """Return problems as lines, marked as errors and warnings in words too."""
    marks = {"error": gettext("Error:"), "warning": gettext("Warning:")}
    return format_html_join(
        "",
        '<span class="hyber-problem hyber-{}"><b>{}</b> {}</span>',
        ((problem.level, marks[problem.level], problem_text(problem)) for problem in problems),
    )


def _counter(measure: Measure) -> SafeString:
    css = "hyber-counter hyber-over" if measure.is_over else "hyber-counter"
    text = _sms_text(measure, measure.segments) if measure.segments else _length_text(measure)
    return format_html('<span class="{}">{}</span>', css, text)


def _length_text(measure: Measure) -> str:
    params = {"length": measure.length, "limit": measure.limit, "left": abs(measure.left)}
    if measure.left < 0:
        return gettext("%(length)d of %(limit)d characters: %(left)d too many.") % params
    return gettext("%(length)d of %(limit)d characters, %(left)d left.") % params


def _sms_text(measure: Measure, count: SegmentCount) -> str:
    length = ngettext("%(length)d character", "%(length)d characters", count.length)
    lines = [
        gettext("%(length)s, %(segments)d of %(limit)d segments, %(left)d left in this segment.")
        % {
            "length": length % {"length": count.length},
            "segments": count.segments,
            "limit": measure.segment_limit,
            "left": count.units_left,
        }
    ]
    if measure.length_as_written is not None:
        text = gettext("Counted with the short links of click tracking; as written it would be %(length)d.")
        lines.append(text % {"length": measure.length_as_written})
    if count.ucs2_characters:
        text = gettext("70 characters per SMS segment instead of 160, because of: %(characters)s")
        lines.append(text % {"characters": shown_characters(count.ucs2_characters)})
    return " ".join(lines)


def shown_characters(characters: str) -> str:
    """Return the first characters, the invisible ones (spaces, marks) by their Unicode names."""
    shown = [unicodedata.name(item, item) if unicodedata.category(item)[0] in "MCZ" else item for item in characters]
    return " ".join([*shown[:SHOWN_CHARACTERS], "…"] if len(shown) > SHOWN_CHARACTERS else shown)

"""Variables of a broadcast: ``%name%`` in any option is replaced by each recipient's value (guide, chapter 3).

Percent-encoded bytes are not variables, although ``%D0%B0`` begins like one with the name ``D0``. Characters that are
encoded in UTF-8, or as in ``%u0421``, are recognized everywhere. In a URL, ``%`` and two hexadecimal digits are a byte
as well if another byte or a variable follows at once: ``?q=%EA%EE%name%`` has one variable, as have ``?u=%name%`` and
``?u=%ad%&v=1``. So they are in capitals if nothing else follows up to the end of the part: ``?q=%ABSale%BB`` has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from itertools import chain, zip_longest
from typing import Any

from django_hyber.protocol.channels.content import Channel
from django_hyber.protocol.channels.problems import Problem, error, gettext_noop, warning

RESERVED = frozenset({"phone_number", "extra_id"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BYTE, _NEXT = "%[0-9A-Fa-f]{2}", "%[89ABab][0-9A-Fa-f]"
#: The bytes of a character of several bytes, or its number.
_CHARACTER = (
    rf"%u[02][0-9A-Fa-f]{{3}}|%[Cc][2-9A-Fa-f]{_NEXT}|%[Dd][0-9A-Fa-f]{_NEXT}"
    rf"|%[Ee][0-9A-Fa-f](?:{_NEXT}){{2}}|%[Ff][0-4](?:{_NEXT}){{3}}"
)
#: The rest of a part of a URL, in which every percent sign begins a byte or another variable.
_REST = rf"(?:[^%\s/?#&=]|%[0-9A-F]{{2}}|%(?![0-9A-F]{{2}}){_NAME.pattern}%)*"
_IN_CAPITALS = rf"%[A-F][0-9A-F](?={_REST}%[89A-F][0-9A-F])(?={_REST}(?:[\s/?#&=]|\Z))"
_VARIABLE = rf"%({_NAME.pattern})%"
#: Each matches what is skipped, or a variable with its name.
_IN_TEXT = re.compile(rf"{_CHARACTER}|{_VARIABLE}")
_IN_URL = re.compile(rf"{_CHARACTER}|{_BYTE}(?={_BYTE}|%{_NAME.pattern}%)|{_IN_CAPITALS}|{_VARIABLE}")
_WORD_IN_TEXT = re.compile(rf"{_CHARACTER}|%(\w+)%")
_WORD_IN_URL = re.compile(rf"{_CHARACTER}|{_VARIABLE}|{_BYTE}|%(\w+)%")
#: An address may do without a scheme.
_DOMAIN = r"(?<![\w.-])(?:[\w-]+\.)+[^\W\d_]{2,}(?::[0-9]+)?"
_URL = re.compile(rf"(?:[A-Za-z][A-Za-z0-9+.-]*://|{_DOMAIN}[/?#])\S+")
_LOOKS_LIKE_VARIABLE = re.compile(_VARIABLE)
#: What people write for a variable, although it is none: "%first name%", "%ім'я%", "{name}", "{{ name }}", "${name}".
_MEANT = re.compile(r"%[^\W\d_]\w*(?:[ '’ʼ.-]\w+){1,2}%|\$?\{\{? ?[^\W\d_]\w* ?\}?\}")


def find_variables(channels: Iterable[Channel]) -> frozenset[str]:
    """Return the names of all variables in the options of these channels, including nested extra options."""
    texts = (text for channel in channels for text in _channel_strings(channel))
    return frozenset(name for text in texts for name in split_template(text)[1])


def find_misspelled_variables(channels: Iterable[Channel]) -> list[Problem]:
    """Return a problem for what is not a valid variable, and is sent literally.

    ``%word%`` is an error. What may be meant as a variable, as in ``%first name%`` and ``{name}``, is a warning.
    """
    texts = [text for channel in channels for text in _channel_strings(channel)]
    words = {match[match.lastindex or 0] for text in texts for match in _matches(text, _WORD_IN_TEXT, _WORD_IN_URL)}
    suspects = sorted(word for word in words if not word.isdigit() and not _NAME.fullmatch(word))
    problems = [problem for word in suspects if (problem := check_variable_name(word))]
    meant = sorted({match for text in texts for match in _meant(text)})
    template = gettext_noop(
        '"%(found)s" is not a variable and is sent as it is. Variables are written with Latin letters, digits and '
        "underscores between percent signs, as in %(example)s."
    )
    return problems + [warning("no-variable", template, found=found, example="%first_name%") for found in meant]


def find_encoded_links(channels: Iterable[Channel]) -> list[Problem]:
    """Return a warning for each channel with percent-encoded bytes that the platform could take for a variable.

    The guide says how a variable is written, but not how a percent sign is.
    """
    problems = []
    for channel in channels:
        for item in fields(channel):
            texts = list(_strings(getattr(channel, item.name)))
            found = next((name for text in texts for name in _mistakable(text)), None)
            if found:
                text = gettext_noop(
                    'The platform could mistake the percent-encoded characters in the link, "%(found)s", for a '
                    "variable. Send a test, or use a link with Latin letters only."
                )
                problem = warning("encoded-link", text, found=found)
                problems.append(replace(problem, channel=channel.name, field=item.name))
    return problems


def _meant(text: str) -> Iterator[str]:
    """Yield what was probably meant as a variable, outside of links and between the variables."""
    for literal in split_template(_URL.sub(" ", text))[0]:
        yield from _MEANT.findall(literal)


def _mistakable(text: str) -> Iterator[str]:
    """Yield what looks like a variable between the variables."""
    for literal in split_template(text)[0]:
        yield from (match[0] for match in _LOOKS_LIKE_VARIABLE.finditer(literal))


def has_variables(value: object) -> bool:
    """Return whether the value is a text with at least one variable."""
    return isinstance(value, str) and any(_matches(value))


def split_template(text: str) -> tuple[list[str], list[str]]:
    """Return the parts of a text around its variables, and the names of the variables, which are one fewer."""
    parts, names, end = [], [], 0
    for match in _matches(text):
        parts.append(text[end : match.start()])
        names.append(match[1])
        end = match.end()
    return [*parts, text[end:]], names


def render(text: str, variables: Mapping[str, str]) -> str:
    """Replace variables with their values. Names without a value stay, and variables within values are not replaced."""
    literals, names = split_template(text)
    values = [variables.get(name, f"%{name}%") for name in names]
    return "".join(chain.from_iterable(zip_longest(literals, values, fillvalue="")))


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


def _matches(
    text: str, in_text: re.Pattern[str] = _IN_TEXT, in_url: re.Pattern[str] = _IN_URL
) -> Iterator[re.Match[str]]:
    """Yield the matches with a group: what is skipped has none."""
    if "%" not in text:
        return
    end = 0
    for url in _URL.finditer(text):
        yield from filter(_has_group, in_text.finditer(text, end, url.start()))
        yield from filter(_has_group, in_url.finditer(text, url.start(), url.end()))
        end = url.end()
    yield from filter(_has_group, in_text.finditer(text, end))


def _has_group(match: re.Match[str]) -> bool:
    return match.lastindex is not None


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

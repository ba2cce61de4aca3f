"""What validation finds, as data: a template to translate and the values that go into it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


def gettext_noop(message: str) -> str:
    """Mark a literal for translation; the caller that shows it translates it and puts the values in."""
    return message


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with a message (an error) or doubtful about it (a warning).

    ``channel`` is empty for what concerns the whole request. The texts never quote a phone number or a message text.
    """

    level: Literal["error", "warning"]
    channel: str = ""
    field: str = ""
    code: str
    template: str
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def message(self) -> str:
        """The English text with the values put in."""
        return self.template % self.params

    @property
    def is_error(self) -> bool:
        """Whether the message must not be sent."""
        return self.level == "error"

    def __str__(self) -> str:
        place = ".".join(part for part in (self.channel, self.field) if part)
        return f"{place}: {self.message}" if place else self.message


def error(code: str, template: str, *, channel: str = "", field: str = "", **params: Any) -> Problem:
    """Build a problem that forbids sending."""
    return Problem(level="error", channel=channel, field=field, code=code, template=template, params=params)


def warning(code: str, template: str, *, channel: str = "", field: str = "", **params: Any) -> Problem:
    """Build a problem that does not forbid sending."""
    return Problem(level="warning", channel=channel, field=field, code=code, template=template, params=params)

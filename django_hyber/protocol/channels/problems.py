"""The problems that validation finds, as data: a translatable template and its values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


def gettext_noop(message: str) -> str:
    """Mark a literal for translation. It is translated and formatted where it is shown."""
    return message


@dataclass(frozen=True, kw_only=True)
class Problem:
    """An error or a warning about a message.

    ``channel`` is empty if the problem concerns the whole request. The text contains no phone number or message text.
    """

    level: Literal["error", "warning"]
    channel: str = ""
    field: str = ""
    code: str
    template: str
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def message(self) -> str:
        """The formatted English text."""
        return self.template % self.params

    @property
    def is_error(self) -> bool:
        """Whether the message must not be sent."""
        return self.level == "error"

    def __str__(self) -> str:
        place = ".".join(part for part in (self.channel, self.field) if part)
        return f"{place}: {self.message}" if place else self.message


def error(code: str, template: str, *, channel: str = "", field: str = "", **params: Any) -> Problem:
    """Build a problem that prevents sending."""
    return Problem(level="error", channel=channel, field=field, code=code, template=template, params=params)


def warning(code: str, template: str, *, channel: str = "", field: str = "", **params: Any) -> Problem:
    """Build a problem that does not prevent sending."""
    return Problem(level="warning", channel=channel, field=field, code=code, template=template, params=params)

"""Exceptions that several packages raise."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


class CampaignError(ValidationError):
    """The operation is not possible for this campaign. ``messages`` has the reasons, translated."""


def was_deleted(name: str) -> CampaignError:
    """Return the error for a campaign of this name that was deleted while it was being changed."""
    text = _("The campaign “%(name)s” has been deleted in the meantime. Nothing was changed.")
    return CampaignError([ValidationError(text, code="deleted", params={"name": name})])


class ExtraIdError(ValueError):
    """The extra id belongs to another message already. ``differences`` names what is not the same."""

    def __init__(self, extra_id: str, differences: Sequence[str]) -> None:
        self.extra_id = extra_id
        self.differences = tuple(differences)
        super().__init__(extra_id, self.differences)

    def __str__(self) -> str:
        return (
            f"The extra id {self.extra_id!r} belongs to a message with a different {', '.join(self.differences)}. "
            "Use another extra id for another message."
        )


class DoubtError(ValidationError):
    """The decision is not possible: mostly the outcome is known by now. ``messages`` has the reason, translated."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text or _("The outcome is known by now. Nothing was changed."))


def first_line(error: Exception) -> str:
    """Return what an error says. The other lines of a database quote statements and values."""
    return str(error).partition("\n")[0] or type(error).__name__

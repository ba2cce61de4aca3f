"""Exceptions that several packages raise."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


class CampaignError(ValidationError):
    """The operation is not possible for this campaign. ``messages`` has the reasons, translated."""


class DoubtError(ValidationError):
    """The outcome is not unknown any more. ``messages`` has the reason, translated."""

    def __init__(self) -> None:
        super().__init__(_("The outcome is known by now. Nothing was changed."))

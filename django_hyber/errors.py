"""Exceptions that several packages raise."""

from __future__ import annotations

from django.core.exceptions import ValidationError


class CampaignError(ValidationError):
    """The operation is not possible for this campaign. ``messages`` has the reasons, translated."""


class DoubtError(ValidationError):
    """The outcome is not unknown any more. ``messages`` has the reason, translated."""

"""Errors that several rooms raise."""

from __future__ import annotations

from django.core.exceptions import ValidationError


class CampaignError(ValidationError):
    """A campaign cannot do what was asked; ``messages`` says why, in the reader's language."""


class DoubtError(ValidationError):
    """Something is not in doubt, so nobody has to decide about it; ``messages`` says so, in the reader's language."""

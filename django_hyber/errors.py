"""Errors that several rooms raise."""

from __future__ import annotations

from django.core.exceptions import ValidationError


class CampaignError(ValidationError):
    """A campaign cannot do what was asked; ``messages`` says why, in the reader's language."""

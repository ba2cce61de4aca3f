"""Errors that several rooms raise."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


class CampaignError(ValidationError):
    """A campaign cannot do what was asked; ``messages`` says why, in the reader's language."""


class DoubtError(ValidationError):
    """Something is not in doubt, so nobody has to decide about it; ``messages`` says so, in the reader's language."""

    def __init__(self) -> None:
        super().__init__(_("Nothing is in doubt here any more. Look at what has become of it."))

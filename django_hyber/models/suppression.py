from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.models.base import PersonalDataModel


class Suppression(PersonalDataModel):
    """A number that has opted out. Campaigns do not send to it."""

    phone_number = models.CharField(_("phone number"), max_length=15, unique=True)
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False, db_index=True)

    class Meta:
        verbose_name = _("opted-out number")
        verbose_name_plural = _("opted-out numbers")
        ordering = ("-id",)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the number with digits only, as in messages. With a "+", it would not match."""
        self.phone_number = "".join(filter(str.isdecimal, self.phone_number))
        super().save(*args, **kwargs)

    def __str__(self) -> str:
        return self.phone_number

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_hyber.models.base import HyberModel


class StatusCode(HyberModel):
    """What a status code of the platform means, as people have entered it in the admin. The settings come first."""

    account = models.CharField(_("account"), max_length=64)
    code = models.IntegerField(_("code"))
    name = models.CharField(_("meaning"), max_length=100, blank=True)
    means_seen = models.BooleanField(_("means seen"), default=False)

    class Meta:
        verbose_name = _("status code")
        verbose_name_plural = _("status codes")
        ordering = ("account", "code")
        constraints = (models.UniqueConstraint(fields=("account", "code"), name="hyber_code_once_an_account"),)

    def __str__(self) -> str:
        return str(self.code)
